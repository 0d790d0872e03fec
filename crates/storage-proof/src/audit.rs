//! The answer to an audit: one chunk and the way from it to the ledger on chain.
//!
//! | part | bytes |
//! |---|---|
//! | chunk | 2 + 1024 |
//! | chunk to shard id | 1 + 10 x 32 |
//! | shard id to stripe id | 5 x 32 |
//! | owner, shard length | 32 + 2 |
//! | batch, stripe, stripes in the batch | 4 + 2 + 2 |
//! | stripe to batch to peak, at 10^8 stripes | 1 + 26 x (32 + 2..6) |
//! | together | 2500 |

use crate::{
	chunk::CHUNK_BYTES,
	mmr::MAX_BATCH_DEPTH,
	shape::Climb,
	stripes::{check_entry_place, entry_root, MAX_STRIPE_DEPTH},
	sum, Batch, ChunkProof, Peaks, ProofError, ShardLen, ShardPath, Sibling, StripeEntry,
	SumHasher, SumTree,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::ShardId;
use scale_info::TypeInfo;

/// Most steps from a stripe entry to its peak.
pub const MAX_LEDGER_DEPTH: u32 = MAX_STRIPE_DEPTH + MAX_BATCH_DEPTH;

/// What a placement group's member is asked for: byte `offset` of what slot `slot` holds.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Challenge {
	/// A byte of the ledger, `0..peaks.total()`.
	pub offset: u64,
	/// The slot, `0..30`.
	pub slot: u8,
}

/// The answer to a [`Challenge`].
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct AuditProof {
	/// The chunk that covers the byte, and its way to the shard id.
	pub chunk: ChunkProof,
	/// The shard id's way to the stripe id.
	pub shards: ShardPath,
	/// The stripe's owner.
	pub owner: [u8; 32],
	/// The length of the stripe's shards.
	pub shard_len: ShardLen,
	/// The stripe's batch in the ledger.
	#[codec(compact)]
	pub batch: u64,
	/// The stripe's number in its batch.
	#[codec(compact)]
	pub stripe: u32,
	/// Stripes in that batch.
	#[codec(compact)]
	pub stripes: u32,
	/// The stripe entry's way to its batch, then the batch's way to its peak, lowest first.
	pub path: BoundedVec<Sibling, ConstU32<MAX_LEDGER_DEPTH>>,
}

/// What an answer proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
	/// The batch in the ledger.
	pub batch: u64,
	/// The stripe's number in the batch; releases are marked by it.
	pub stripe: u32,
	/// The stripe, its owner and its shard length.
	pub entry: StripeEntry,
	/// The shard in the slot asked for.
	pub shard: ShardId,
	/// The chunk shown.
	pub chunk: u64,
}

impl AuditProof {
	/// Puts an answer together: `chunk` of the shard in one slot of stripe `stripe` of `tree`, which
	/// is batch `batch` of a ledger in which `batch_path` leads to its peak.
	///
	/// # Errors
	/// [`ProofError::LeafIndex`] if the tree has no such stripe, [`ProofError::PathLength`] if the
	/// path is longer than any.
	pub fn assemble(
		chunk: ChunkProof,
		shards: ShardPath,
		tree: &SumTree,
		stripe: u32,
		batch: u64,
		batch_path: &[Sibling],
	) -> Result<Self, ProofError> {
		let mut path: Vec<Sibling> = tree.prove(stripe)?;
		path.extend_from_slice(batch_path);
		let entry = tree
			.entries()
			.get(stripe as usize)
			.ok_or(ProofError::LeafIndex {
				index: stripe.into(),
				leaves: tree.entries().len() as u64,
			})?;
		let given = path.len();
		Ok(Self {
			chunk,
			shards,
			owner: entry.owner,
			shard_len: entry.shard_len,
			batch,
			stripe,
			stripes: tree.batch().stripes,
			path: path.try_into().map_err(|_| ProofError::PathLength {
				given,
				expected: MAX_LEDGER_DEPTH as usize,
			})?,
		})
	}

	/// Reads an answer from bytes of unknown origin; they must be one answer and nothing else.
	///
	/// # Errors
	/// [`ProofError::TooLong`], [`ProofError::Malformed`].
	pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
		crate::error::decode_bounded(bytes)
	}

	/// Checks the answer against the ledger's peaks: the chunk is the one that covers byte
	/// `challenge.offset` in the shard in `challenge.slot` of the stripe the ledger has there.
	///
	/// What is cheap comes first: the claimed sums must place the offset in the stripe, then at most
	/// 31 BLAKE3 compressions and one BLAKE2b per step of `path` and two more lead to the peak, which
	/// proves the sums too.
	///
	/// # Errors
	/// Any but [`ProofError::GroupMismatch`] and [`ProofError::MissingNode`];
	/// [`ProofError::RootMismatch`] for a well-formed lie.
	pub fn verify<H: SumHasher>(
		&self,
		peaks: &Peaks,
		challenge: &Challenge,
	) -> Result<Audited, ProofError> {
		check_entry_place(self.stripe, self.stripes)?;
		let (index, stripes) = (u64::from(self.stripe), u64::from(self.stripes));
		let depth = Climb::depth(index, stripes);
		let expected = depth.saturating_add(peaks.depth(self.batch)? as usize);
		let (stripe_path, batch_path) = self
			.path
			.split_at_checked(depth)
			.filter(|_| self.path.len() == expected)
			.ok_or(ProofError::PathLength {
				given: self.path.len(),
				expected,
			})?;

		let shard_len = self.shard_len.bytes()?;
		let start = peaks
			.claimed_start(self.batch, batch_path)?
			.checked_add(sum::start(index, stripes, stripe_path)?)
			.ok_or(ProofError::SumOverflow)?;
		let offset = challenge.offset;
		let inside = offset
			.checked_sub(start)
			.filter(|inside| *inside < shard_len)
			.ok_or(ProofError::NotCovered {
				offset,
				start,
				len: shard_len,
			})?;
		let chunk = inside / CHUNK_BYTES;

		let shard = self.chunk.root(shard_len, chunk)?;
		let entry = StripeEntry {
			stripe: self.shards.root(&shard, challenge.slot)?,
			owner: self.owner,
			shard_len: self.shard_len,
		};
		let root = entry_root::<H>(&entry, self.stripe, self.stripes, stripe_path)?;
		let batch = Batch {
			root: root.hash,
			bytes: root.sum,
			stripes: self.stripes,
		};
		peaks.verify::<H>(self.batch, &batch.leaf::<H>(), batch_path)?;
		Ok(Audited {
			batch: self.batch,
			stripe: self.stripe,
			entry,
			shard,
			chunk,
		})
	}
}
