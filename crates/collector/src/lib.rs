//! Counts heartbeats for the pages a validator collects.
//!
//! A node sends a [`SignedBeat`](hippius_primitives::heartbeat::SignedBeat) every half minute to each
//! collector of its page. A window of blocks is cut into as many slots as beats are due in it, and a
//! [`Book`] counts **in how many slots** a node was heard, by its own chain's clock: sending all
//! beats at once counts as one. At the end of the window [`Book::report`] makes the page's report,
//! with a root over the beats it counted, to which the collector can be held.
//!
//! What comes in is checked from cheap to dear: chain, freshness (a beat names the newest block its
//! node knows, with its hash, so none can be signed ahead or kept for later), page, sequence, and
//! the signature last. A beat that changes nothing costs no signature check. Memory is bounded: two
//! windows, the nodes that are registered, one beat per slot.
//!
//! Where the chain is seen from is [`ChainView`]; nothing here knows a network or a database.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod book;
mod service;
mod terms;

#[cfg(test)]
mod tests;

pub use book::{BeatError, Book, ChainView};
pub use service::Collector;
pub use terms::Terms;
