//! Every proof made holds; no other does.
#![allow(clippy::unwrap_used)]

mod audits;
mod chunks;
mod draws;
mod ledgers;
mod mutations;
mod slices;
mod stripes;
