//! The on-disk shard engine of an Arion miner.
//!
//! Append-only, preallocated *volumes* are the only truth; the index in memory is a cache that is
//! rebuilt from them. A [`ShardStore::put`] returns after the record has been written **and**
//! synced; concurrent puts share one `fdatasync`. A [`ShardStore::get`] checks the BLAKE3 hash of
//! what it read, so a caller never sees a wrong byte: a damaged record is reported as
//! [`StoreError::Corrupt`] and forgotten, for repair to bring it back
//! ([`ShardStore::take_findings`]).
//!
//! # Layout of a store directory
//!
//! | Name | Content |
//! |---|---|
//! | `LOCK` | locked while a process has the store open |
//! | `SUPER` | format version and the random key that binds records to this store |
//! | `00000001.vol` .. | volumes of [`StoreConfig::volume_size`] bytes, filled one after the other |
//! | `INDEX` | the index as of the last snapshot, with a mark for each volume |
//! | `SCRUB` | how far the scrub is |
//! | `BALLAST` | reserved space, given up so that deletions can be written to a full disk |
//! | `quarantine-VOLUME-BLOCK.bad` | copies of damaged records |
//!
//! Inside a volume, block 0 (4 KiB) describes it; records follow, each a whole number of blocks:
//! `header | meta | data | zero padding | outboard | footer`. The outboard holds the chaining values
//! of the data's 16 KiB groups ([`arion_storage_proof::Outboard`]), so that a range is verified without reading the rest. Header and
//! footer carry the same fields and a check keyed by store, volume and place, so that shard content
//! can never be taken for a record, a misplaced write is noticed, and either of the two is enough to
//! find the record again. Every header also says up to which block the volume was known to be
//! durable when it was written: only what lies behind the last such mark is read in full at start.
//!
//! Deletions are records too: lists of index entries that are in the trash, out of it again, dropped,
//! or turned into holes. A record that counts no more becomes a hole in its volume; a volume that is
//! mostly dead is written anew at the end of the log and removed.
//!
//! A start loads `INDEX` and reads what the volumes got behind their marks. Without `INDEX`, or if
//! it is damaged, the volumes' headers are walked instead: slower, and nothing is lost.
//!
//! After an error of a write or sync the volume is closed for writing (*sealed*), whoever waits for
//! that sync is refused, and nothing of it is trusted before it has been written and synced again.
//!
//! A disk that does not answer for [`StoreConfig::stall`] is given up by whoever waits for it
//! ([`StoreError::Stalled`]), and is not asked again until it has answered.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod buffer;
mod clock;
mod compact;
mod config;
pub mod disk;
mod engine;
mod entry;
mod error;
#[doc(hidden)]
pub mod fabricate;
mod frame;
pub mod fuzz;
mod holes;
mod index;
mod inventory;
mod key;
mod maintain;
mod mend;
mod open;
mod os;
mod preamble;
mod read;
mod record;
mod roll;
mod scan;
mod scrub;
mod serve;
mod set;
mod shared;
mod snapshot;
mod space;
mod staged;
mod stall;
mod store;
mod table;
mod tag;
mod usage;
mod volume;
mod writer;

pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{Floor, StoreConfig};
pub use error::{Limit, StoreError};
pub use inventory::{Cursor, Item, Page};
pub use key::{Key, Namespace};
pub use maintain::Maintenance;
pub use scrub::ScrubProgress;
pub use serve::{Holding, Slice};
pub use set::{DiskReport, DiskState, StoreSet};
pub use shared::{Fault, Finding};
pub use snapshot::SnapshotError;
pub use store::{PutOutcome, ShardStore};
pub use tag::Tag;
pub use usage::Usage;
