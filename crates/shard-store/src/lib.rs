//! The on-disk shard engine of an Arion miner.
//!
//! Append-only, preallocated *volumes* are the only truth; the index lives in memory and is rebuilt
//! from the record headers when the store is opened. A [`ShardStore::put`] returns after the shard
//! has been written **and** synced; concurrent puts share one `fdatasync`. A [`ShardStore::get`]
//! checks the BLAKE3 hash of what it read, so a caller never sees a wrong byte: a damaged shard is
//! reported as [`StoreError::Corrupt`] and forgotten, for repair to bring it back.
//!
//! # Layout of a store directory
//!
//! | Name | Content |
//! |---|---|
//! | `LOCK` | locked while a process has the store open |
//! | `SUPER` | format version and the random key that binds records to this store |
//! | `00000001.vol` .. | volumes of [`StoreConfig::volume_size`] bytes, filled one after the other |
//!
//! Inside a volume, block 0 (4 KiB) describes it; records follow, each a whole number of blocks:
//! `header | meta (SCALE of ShardMeta) | data | zero padding | footer`. Header and footer carry the
//! same fields and a check keyed by store, volume and place, so that shard content can never be
//! taken for a record, a misplaced write is noticed, and either of the two is enough to find the
//! record again. Every header also says up to which block the volume was known to be durable when it
//! was written: only what lies behind the last such mark is read in full at start.
//!
//! The layout has room for what is to come: namespaces, expiry, hash-tree outboards and trash flags
//! are header fields that are zero today.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod config;
pub mod disk;
mod error;
mod format;
mod index;
mod scan;
mod store;
mod volume;
mod writer;

pub use config::StoreConfig;
pub use error::StoreError;
pub use store::{PutOutcome, ShardStore, Usage};
