//! Which stripe the ledger has at a byte, without any of the stripe's bytes: what a node shows that is
//! asked for a stripe its owner released.

use crate::{
	audit::MAX_LEDGER_DEPTH,
	shape::Climb,
	stripes::{check_entry_place, entry_root},
	sum, Batch, Peaks, ProofError, Sibling, StripeEntry, SumHasher, SumTree,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A stripe's place in a ledger.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct EntryProof {
	/// The stripe, its owner and its shard length.
	pub entry: StripeEntry,
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

impl EntryProof {
	/// The proof for stripe `stripe` of `tree`, which is batch `batch` of a ledger in which
	/// `batch_path` leads to its peak.
	///
	/// # Errors
	/// [`ProofError::LeafIndex`] if the tree has no such stripe, [`ProofError::PathLength`] if the
	/// path is longer than any.
	pub fn assemble(
		tree: &SumTree,
		stripe: u32,
		batch: u64,
		batch_path: &[Sibling],
	) -> Result<Self, ProofError> {
		let mut path: Vec<Sibling> = tree.prove(stripe)?;
		path.extend_from_slice(batch_path);
		let entry = *tree
			.entries()
			.get(stripe as usize)
			.ok_or(ProofError::LeafIndex {
				index: stripe.into(),
				leaves: tree.entries().len() as u64,
			})?;
		let given = path.len();
		Ok(Self {
			entry,
			batch,
			stripe,
			stripes: tree.batch().stripes,
			path: path.try_into().map_err(|_| ProofError::PathLength {
				given,
				expected: MAX_LEDGER_DEPTH as usize,
			})?,
		})
	}

	/// Reads a proof from bytes of unknown origin; they must be one proof and nothing else.
	///
	/// # Errors
	/// [`ProofError::TooLong`], [`ProofError::Malformed`].
	pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
		crate::error::decode_bounded(bytes)
	}

	/// Checks that the ledger has this stripe at byte `offset`; gives the byte the stripe begins at.
	///
	/// # Errors
	/// [`ProofError::NotCovered`] if it lies elsewhere, [`ProofError::RootMismatch`] for a
	/// well-formed lie, and those of a path that cannot belong to the place.
	pub fn verify<H: SumHasher>(&self, peaks: &Peaks, offset: u64) -> Result<u64, ProofError> {
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
		let len = self.entry.shard_len.bytes()?;
		let start = peaks
			.claimed_start(self.batch, batch_path)?
			.checked_add(sum::start(index, stripes, stripe_path)?)
			.ok_or(ProofError::SumOverflow)?;
		if offset.checked_sub(start).is_none_or(|inside| inside >= len) {
			return Err(ProofError::NotCovered { offset, start, len });
		}
		let root = entry_root::<H>(&self.entry, self.stripe, self.stripes, stripe_path)?;
		let batch = Batch {
			root: root.hash,
			bytes: root.sum,
			stripes: self.stripes,
		};
		peaks.verify::<H>(self.batch, &batch.leaf::<H>(), batch_path)?;
		Ok(start)
	}
}
