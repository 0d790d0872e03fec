//! The sum tree over the stripes of a batch.

use crate::{
	shape::Climb,
	sum::{fill, join, Sibling, SumNode, Tag, SUM_UNIT},
	Batch, ProofError, SumHasher,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::{coding::SHARD_LEN, ledger::OwnerShare, StripeId};
use scale_info::TypeInfo;

/// Most stripes of one batch, 640 GiB of data; so a path has at most [`MAX_STRIPE_DEPTH`] steps.
pub const MAX_BATCH_STRIPES: u32 = 1 << MAX_STRIPE_DEPTH;
/// Most steps from a stripe entry to its batch.
pub const MAX_STRIPE_DEPTH: u32 = 16;

const ENTRY_TAG: &Tag = b"arion/stripe/v1\0";
pub(crate) const STRIPE_NODE_TAG: &Tag = b"arion/stripes/v1";

/// The length of a stripe's shards: a multiple of 64 from 64 B to 1 MiB, kept as `len / 64 - 1`.
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
pub struct ShardLen(#[codec(compact)] u16);

impl ShardLen {
	/// The length of `bytes`.
	///
	/// # Errors
	/// [`ProofError::ShardLength`] if no shard is that long.
	pub fn new(bytes: u64) -> Result<Self, ProofError> {
		let refused = ProofError::ShardLength(bytes);
		if !bytes.is_multiple_of(SUM_UNIT) || bytes > SHARD_LEN as u64 {
			return Err(refused);
		}
		let units = (bytes / SUM_UNIT).checked_sub(1).ok_or(refused)?;
		Ok(Self(u16::try_from(units).map_err(|_| refused)?))
	}

	/// The length in bytes.
	///
	/// # Errors
	/// [`ProofError::ShardLength`] if what was decoded is longer than any shard.
	pub fn bytes(&self) -> Result<u64, ProofError> {
		let bytes = u64::from(self.0).saturating_add(1).saturating_mul(SUM_UNIT);
		if bytes > SHARD_LEN as u64 {
			return Err(ProofError::ShardLength(bytes));
		}
		Ok(bytes)
	}
}

/// What the ledger says of a stripe.
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
pub struct StripeEntry {
	/// The stripe, root over its 30 shard ids.
	pub stripe: StripeId,
	/// The account that pays for it.
	pub owner: [u8; 32],
	/// The length of each of its shards.
	pub shard_len: ShardLen,
}

impl StripeEntry {
	/// The leaf of the sum tree: its sum is what one slot holds of the stripe.
	///
	/// # Errors
	/// [`ProofError::ShardLength`] if no shard has the length.
	pub fn leaf<H: SumHasher>(&self) -> Result<SumNode, ProofError> {
		let sum = self.shard_len.bytes()?;
		let mut bytes = [0u8; 16 + 32 + 32 + 8];
		fill(
			&mut bytes,
			&[
				ENTRY_TAG,
				self.stripe.as_bytes(),
				&self.owner,
				&sum.to_le_bytes(),
			],
		);
		Ok(SumNode {
			hash: H::blake2_256(&bytes),
			sum,
		})
	}
}

/// The tree over a batch's entries, kept whole: about 80 bytes per stripe.
#[derive(Clone, Debug)]
pub struct SumTree {
	entries: Vec<StripeEntry>,
	/// Leaves first; the last level is the root alone.
	levels: Vec<Vec<SumNode>>,
}

impl SumTree {
	/// Builds the tree.
	///
	/// # Errors
	/// [`ProofError::LeafCount`] for no entries or more than [`MAX_BATCH_STRIPES`],
	/// [`ProofError::ShardLength`] for an entry with a bad length.
	pub fn build<H: SumHasher>(entries: Vec<StripeEntry>) -> Result<Self, ProofError> {
		let count = entries.len() as u64;
		if count == 0 || count > u64::from(MAX_BATCH_STRIPES) {
			return Err(ProofError::LeafCount(count));
		}
		let mut level = entries
			.iter()
			.map(StripeEntry::leaf::<H>)
			.collect::<Result<Vec<_>, _>>()?;
		let mut levels = Vec::new();
		while level.len() > 1 {
			let above = level
				.chunks(2)
				.map(|pair| match pair {
					[left, right] => join::<H>(STRIPE_NODE_TAG, left, right),
					[alone] => Ok(*alone),
					_ => Err(ProofError::LeafCount(count)),
				})
				.collect::<Result<Vec<_>, _>>()?;
			levels.push(core::mem::replace(&mut level, above));
		}
		levels.push(level);
		Ok(Self { entries, levels })
	}

	/// The entries, in order.
	pub fn entries(&self) -> &[StripeEntry] {
		&self.entries
	}

	/// The batch the tree makes: what a ledger's leaf is.
	pub fn batch(&self) -> Batch {
		let root = self.root();
		Batch {
			root: root.hash,
			bytes: root.sum,
			stripes: self.entries.len() as u32,
		}
	}

	fn root(&self) -> SumNode {
		self.levels
			.last()
			.and_then(|level| level.first())
			.copied()
			.unwrap_or_default()
	}

	/// The entry that covers byte `offset` of the batch, and the byte it begins at.
	pub fn locate(&self, offset: u64) -> Option<(u32, u64)> {
		if offset >= self.root().sum {
			return None;
		}
		let (mut index, mut start) = (0usize, 0u64);
		for level in self.levels.iter().rev().skip(1) {
			index = index.checked_mul(2)?;
			let end = start.checked_add(level.get(index)?.sum)?;
			if offset >= end {
				start = end;
				index = index.checked_add(1)?;
			}
		}
		Some((u32::try_from(index).ok()?, start))
	}

	/// The path of entry `index`, lowest sibling first.
	///
	/// # Errors
	/// [`ProofError::LeafIndex`].
	pub fn prove(&self, index: u32) -> Result<Vec<Sibling>, ProofError> {
		let leaves = self.entries.len() as u64;
		if u64::from(index) >= leaves {
			return Err(ProofError::LeafIndex {
				index: index.into(),
				leaves,
			});
		}
		Climb::new(index.into(), leaves)
			.map(|step| {
				let node = self
					.levels
					.get(step.level as usize)
					.and_then(|level| level.get(usize::try_from(step.sibling).ok()?))
					.ok_or(ProofError::MissingNode {
						level: step.level,
						index: step.sibling,
					})?;
				Sibling::new(node)
			})
			.collect()
	}
}

/// What each owner has of these entries, by ascending owner: the bytes one slot holds for it.
///
/// # Errors
/// [`ProofError`] for a bad length, and if an owner's bytes do not fit 64 bits.
pub fn owner_shares(entries: &[StripeEntry]) -> Result<Vec<OwnerShare>, ProofError> {
	let mut sums = BTreeMap::<[u8; 32], u64>::new();
	for entry in entries {
		let sum = sums.entry(entry.owner).or_default();
		*sum = sum
			.checked_add(entry.shard_len.bytes()?)
			.ok_or(ProofError::SumOverflow)?;
	}
	let shares = sums.into_iter();
	Ok(shares
		.map(|(owner, bytes)| OwnerShare { owner, bytes })
		.collect())
}

/// Checks that `entry` is entry `index` of `batch`; gives the byte of the batch it begins at.
///
/// # Errors
/// [`ProofError::RootMismatch`] if it is not; the others if the path cannot belong to that place.
pub fn verify_entry<H: SumHasher>(
	batch: &Batch,
	index: u32,
	entry: &StripeEntry,
	path: &[Sibling],
) -> Result<u64, ProofError> {
	let root = entry_root::<H>(entry, index, batch.stripes, path)?;
	if root.hash != batch.root || root.sum != batch.bytes {
		return Err(ProofError::RootMismatch);
	}
	crate::sum::start(index.into(), batch.stripes.into(), path)
}

/// Whether a batch can have so many stripes and this one.
pub(crate) fn check_entry_place(index: u32, stripes: u32) -> Result<(), ProofError> {
	if stripes == 0 || stripes > MAX_BATCH_STRIPES {
		return Err(ProofError::LeafCount(stripes.into()));
	}
	if index >= stripes {
		return Err(ProofError::LeafIndex {
			index: index.into(),
			leaves: stripes.into(),
		});
	}
	Ok(())
}

/// The root above an entry.
pub(crate) fn entry_root<H: SumHasher>(
	entry: &StripeEntry,
	index: u32,
	stripes: u32,
	path: &[Sibling],
) -> Result<SumNode, ProofError> {
	check_entry_place(index, stripes)?;
	let leaf = entry.leaf::<H>()?;
	crate::sum::climb::<H>(STRIPE_NODE_TAG, leaf, index.into(), stripes.into(), path)
}
