//! Appending what was stored to the ledgers of the placement groups on chain.
//!
//! A stripe waits, on disk, until its group has enough of them or it has waited long enough; then
//! the waiting ones of a group and epoch become a batch, which never changes again. The group's
//! members sign for it, the chain takes it, and it is forgotten here. Whatever fails is tried
//! again; a batch that the chain has already is done.

mod appender;
mod chain;
mod queue;
#[cfg(test)]
mod tests;

pub use appender::{Appender, LedgerError};
pub use chain::{AppendError, ChainLedger, LedgerChain};
pub use queue::{BatchId, SealPolicy, Sealed};
