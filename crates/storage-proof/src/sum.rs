//! Nodes that carry sums.
//!
//! A node hashes both children **and both their sums** under a tag of its kind, so that bytes cannot
//! be moved from one child to the other while the total stays. Every addition is checked.

use crate::{shape::Climb, Hash, ProofError, SumHasher};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::coding::SHARD_ALIGN;
use scale_info::TypeInfo;

/// All sums are multiples of this many bytes, as shard lengths are.
pub const SUM_UNIT: u64 = SHARD_ALIGN as u64;

/// Names a kind of node, so that none can be taken for another.
pub(crate) type Tag = [u8; 16];

/// Bytes a node's hash is taken over: tag, left, left sum, right, right sum.
const NODE_LEN: usize = 16 + 2 * (32 + 8);

/// The digest of a subtree and the bytes under it.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct SumNode {
	/// The digest.
	pub hash: Hash,
	/// The bytes one slot holds under it.
	pub sum: u64,
}

/// A sum in a proof: a positive multiple of 64 bytes, kept as `sum / 64 - 1`, which saves about a
/// byte and a half per step.
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
pub struct Sum(#[codec(compact)] u64);

impl Sum {
	/// The sum of `bytes`.
	///
	/// # Errors
	/// [`ProofError::SumUnit`] if it is zero or not a multiple of 64.
	pub fn new(bytes: u64) -> Result<Self, ProofError> {
		let units = bytes / SUM_UNIT;
		match units.checked_sub(1) {
			Some(rest) if bytes.is_multiple_of(SUM_UNIT) => Ok(Self(rest)),
			_ => Err(ProofError::SumUnit(bytes)),
		}
	}

	/// The sum in bytes.
	///
	/// # Errors
	/// [`ProofError::SumOverflow`] if it does not fit.
	pub fn bytes(&self) -> Result<u64, ProofError> {
		self.0
			.checked_add(1)
			.and_then(|units| units.checked_mul(SUM_UNIT))
			.ok_or(ProofError::SumOverflow)
	}
}

/// A node beside the way of a proof.
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
pub struct Sibling {
	/// The node's digest.
	pub hash: Hash,
	/// The bytes under it.
	pub sum: Sum,
}

impl Sibling {
	/// The sibling that is `node`.
	///
	/// # Errors
	/// [`ProofError::SumUnit`] for a sum no sibling has.
	pub fn new(node: &SumNode) -> Result<Self, ProofError> {
		Ok(Self {
			hash: node.hash,
			sum: Sum::new(node.sum)?,
		})
	}

	fn node(&self) -> Result<SumNode, ProofError> {
		Ok(SumNode {
			hash: self.hash,
			sum: self.sum.bytes()?,
		})
	}
}

/// The parent of two nodes.
pub(crate) fn join<H: SumHasher>(
	tag: &Tag,
	left: &SumNode,
	right: &SumNode,
) -> Result<SumNode, ProofError> {
	let sum = left
		.sum
		.checked_add(right.sum)
		.ok_or(ProofError::SumOverflow)?;
	let mut bytes = [0u8; NODE_LEN];
	fill(
		&mut bytes,
		&[
			tag,
			&left.hash,
			&left.sum.to_le_bytes(),
			&right.hash,
			&right.sum.to_le_bytes(),
		],
	);
	Ok(SumNode {
		hash: H::blake2_256(&bytes),
		sum,
	})
}

/// Writes the parts one after the other, as long as there is room; what is not filled stays.
pub(crate) fn fill(bytes: &mut [u8], parts: &[&[u8]]) {
	let mut rest = bytes;
	for part in parts {
		let Some((now, later)) = core::mem::take(&mut rest).split_at_mut_checked(part.len()) else {
			return;
		};
		now.copy_from_slice(part);
		rest = later;
	}
}

/// Where the leaf's bytes begin, by what the path says: the sums of its left siblings.
pub(crate) fn start(index: u64, leaves: u64, path: &[Sibling]) -> Result<u64, ProofError> {
	Climb::new(index, leaves)
		.zip(path)
		.filter(|(step, _)| step.sibling_is_left)
		.try_fold(0u64, |start, (_, sibling)| {
			start
				.checked_add(sibling.sum.bytes()?)
				.ok_or(ProofError::SumOverflow)
		})
}

/// The root above leaf `index` of `leaves`.
pub(crate) fn climb<H: SumHasher>(
	tag: &Tag,
	leaf: SumNode,
	index: u64,
	leaves: u64,
	path: &[Sibling],
) -> Result<SumNode, ProofError> {
	if index >= leaves {
		return Err(ProofError::LeafIndex { index, leaves });
	}
	let expected = Climb::depth(index, leaves);
	if path.len() != expected {
		return Err(ProofError::PathLength {
			given: path.len(),
			expected,
		});
	}
	Climb::new(index, leaves)
		.zip(path)
		.try_fold(leaf, |node, (step, sibling)| {
			let sibling = sibling.node()?;
			if step.sibling_is_left {
				join::<H>(tag, &sibling, &node)
			} else {
				join::<H>(tag, &node, &sibling)
			}
		})
}
