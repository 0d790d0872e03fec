//! What the chain's offchain workers share: speaking with the miner daemons beside a full node, and
//! the audit work they do for them.
//!
//! - [`daemons`]: which daemons there are, requests to them side by side, bounded answers
//! - [`work`]: one order to each daemon and run, and what comes back is submitted
//! - [`ledgers`]: the order of batches, as executed blocks left it in this node's storage

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

pub mod daemons;
pub mod ledgers;
pub mod work;

#[cfg(test)]
mod tests;
