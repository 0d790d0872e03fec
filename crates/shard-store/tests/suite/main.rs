//! The store's tests: each fault by itself, the store against a model, every access failing in turn,
//! what it does by itself, and processes that are killed.

#![allow(clippy::unwrap_used)]

mod common;
mod faults;
mod kill9;
mod model;
mod range;
mod set;
mod stall;
mod sweep;
mod upkeep;
