//! Proofs that a node holds the bytes it should hold.
//!
//! One audit answer climbs four trees, from bytes to what the chain keeps:
//!
//! ```text
//! 1 KiB of a shard ── BLAKE3 ──► shard id ── shard list ──► stripe id ── sum tree ──► batch ── range ──► peak
//!    [ChunkProof]                          [ShardPath]               [SumTree]        [Mmr], [Peaks]
//! ```
//!
//! No digest in between is sent: the verifier computes each from the one below and compares only
//! the last, with the peak on chain. Sums of bytes in the upper two trees place every stripe in a
//! range of byte offsets, so that a drawn offset names one stripe and one chunk, and big stripes
//! are drawn as often as their bytes ask for ([`draw`]).
//!
//! A sum counts the bytes **one slot** holds, `Σ shard_len`. All 30 slots of a stripe hold as much,
//! so a draw is an offset in the ledger and a slot ([`draw::ByteDraw`]), and the chain knows whom
//! it asks before it knows which stripe it is.
//!
//! [`Outboard`] and [`slice`] are the same BLAKE3 tree for the wire: 16 KiB groups, verified one by
//! one as they arrive.
//!
//! ```
//! use arion_storage_proof::{sample::{Sample, Shape}, AuditProof, Blake2};
//! use codec::Encode;
//! # fn main() -> Result<(), arion_storage_proof::ProofError> {
//! // A ledger of 12 batches of 5 stripes, in one of which there is a shard of 70,016 bytes.
//! let shape = Shape { batches: 12, stripes: 5, shard_len: 1 << 20, real_len: 70_016, batch: 9, stripe: 2, slot: 4 };
//! let sample = Sample::new::<Blake2>(shape, 1)?;
//! // The node reads one 16 KiB group and answers; the chain has only the peaks.
//! let answer = sample.answer(50_000)?.encode();
//! let proved = AuditProof::from_bytes(&answer)?
//!     .verify::<Blake2>(sample.mmr.peaks(), &sample.challenge(50_000))?;
//! assert_eq!((proved.stripe, proved.chunk), (2, 48));
//! # Ok(())
//! # }
//! ```
//!
//! `no_std`, no floats, no panics: everything but the makers takes input from strangers.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
	not(test),
	deny(
		clippy::arithmetic_side_effects,
		clippy::indexing_slicing,
		clippy::panic,
		clippy::expect_used
	)
)]

extern crate alloc;

pub mod answer;
pub mod audit;
pub mod chunk;
pub mod draw;
pub mod entry;
mod error;
pub mod hasher;
pub mod index;
pub mod lanes;
pub mod ledger;
pub mod mmr;
pub mod outboard;
pub mod sample;
mod shape;
pub mod shards;
pub mod slice;
pub mod stripes;
pub mod sum;
pub mod work;

pub use audit::{AuditProof, Audited, Challenge};
pub use chunk::{ChunkProof, CHUNK_LEN};
pub use entry::EntryProof;
pub use error::ProofError;
pub use hasher::{Blake2, SumHasher};
pub use ledger::PgLedger;
pub use mmr::{Batch, Mmr, Peaks};
pub use outboard::{Outboard, OutboardBuilder, GROUP_LEN};
pub use shards::ShardPath;
pub use slice::{SliceDecoder, SliceError};
pub use stripes::{ShardLen, StripeEntry, SumTree};
pub use sum::{Sibling, Sum, SumNode};

/// Digest of a tree's node.
pub type Hash = [u8; 32];
