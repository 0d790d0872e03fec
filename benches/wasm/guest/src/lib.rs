//! What is measured inside wasm, called as a runtime's functions are: SCALE-encoded arguments in,
//! an encoded number out. The first argument of each is how often the operation is done, so that the
//! call itself and what is prepared once can be taken off.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
extern crate alloc;
#[cfg(target_arch = "wasm32")]
pub mod exports;
