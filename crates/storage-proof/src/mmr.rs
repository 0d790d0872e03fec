//! The ledger: a Merkle mountain range over batches whose nodes carry sums.
//!
//! The chain keeps the peaks, one per bit set in the number of batches, and can append with one
//! hash per batch on average. A node at height `h` covers `2^h` batches; bytes count from the left,
//! peak by peak. [`Peaks::root`] bags the peaks from right to left and binds the number of batches.

use crate::{
	index::Below,
	shape::Climb,
	sum::{climb, fill, join, start, Sibling, SumNode, Tag, SUM_UNIT},
	Hash, ProofError, SumHasher,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Most peaks a ledger can have: one per bit of the number of batches.
pub const MAX_PEAKS: u32 = 64;
/// Most steps from a batch to its peak.
pub const MAX_BATCH_DEPTH: u32 = 63;

const BATCH_TAG: &Tag = b"arion/batch/v1\0\0";
const LEDGER_NODE_TAG: &Tag = b"arion/ledger/v1\0";
const BAG_TAG: &Tag = b"arion/peaks/v1\0\0";
const ROOT_TAG: &Tag = b"arion/pg/root/v1";

/// A batch of stripes: the leaf of the ledger.
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
pub struct Batch {
	/// Root of the sum tree over its entries.
	pub root: Hash,
	/// The bytes one slot holds of it.
	pub bytes: u64,
	/// Its stripes; they fix the shape of the sum tree.
	pub stripes: u32,
}

impl Batch {
	/// The batch as a leaf of the ledger.
	pub fn leaf<H: SumHasher>(&self) -> SumNode {
		let mut bytes = [0u8; 16 + 32 + 8 + 4];
		fill(
			&mut bytes,
			&[
				BATCH_TAG,
				&self.root,
				&self.bytes.to_le_bytes(),
				&self.stripes.to_le_bytes(),
			],
		);
		SumNode {
			hash: H::blake2_256(&bytes),
			sum: self.bytes,
		}
	}
}

/// Where a batch stands among the peaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
	/// The peak it stands under, counted from the highest.
	peak: usize,
	/// The peak's height.
	height: u32,
	/// The batch's number under that peak.
	index: u64,
	/// The number of the peak's first batch.
	first: u64,
}

/// Heights of the peaks over `leaves` batches, highest first, with the number of the first batch.
pub(crate) fn mountains(leaves: u64) -> impl Iterator<Item = (u32, u64)> {
	(0..u64::BITS).rev().filter_map(move |height| {
		let size = 1u64.checked_shl(height)?;
		if leaves & size == 0 {
			return None;
		}
		// The bits above this one are the batches before it.
		let first = leaves & !(size | size.wrapping_sub(1));
		Some((height, first))
	})
}

fn place(leaves: u64, index: u64) -> Result<Place, ProofError> {
	if index >= leaves {
		return Err(ProofError::LeafIndex { index, leaves });
	}
	mountains(leaves)
		.enumerate()
		.filter(|(_, (_, first))| *first <= index)
		.last()
		.map(|(peak, (height, first))| Place {
			peak,
			height,
			index: index.saturating_sub(first),
			first,
		})
		.ok_or(ProofError::LeafIndex { index, leaves })
}

/// What the chain keeps of a ledger.
#[derive(
	Clone,
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
pub struct Peaks {
	#[codec(compact)]
	leaves: u64,
	peaks: BoundedVec<SumNode, ConstU32<MAX_PEAKS>>,
}

impl Peaks {
	/// A ledger with no batch.
	pub fn new() -> Self {
		Self::default()
	}

	/// Batches appended so far; the number of the next one.
	pub fn leaves(&self) -> u64 {
		self.leaves
	}

	/// The peaks, highest first.
	pub fn peaks(&self) -> &[SumNode] {
		&self.peaks
	}

	/// The bytes one slot holds of the whole ledger.
	///
	/// # Errors
	/// [`ProofError::SumOverflow`]; never for peaks that only [`Self::append`] changed.
	pub fn total(&self) -> Result<u64, ProofError> {
		self.peaks.iter().try_fold(0u64, |total, peak| {
			total.checked_add(peak.sum).ok_or(ProofError::SumOverflow)
		})
	}

	/// Whether there are as many peaks as the number of batches asks for. Always, unless the value
	/// was decoded from bytes somebody else made.
	///
	/// # Errors
	/// [`ProofError::PeakCount`].
	pub fn check(&self) -> Result<(), ProofError> {
		let expected = self.leaves.count_ones() as usize;
		if self.peaks.len() != expected {
			return Err(ProofError::PeakCount {
				given: self.peaks.len(),
				expected,
			});
		}
		Ok(())
	}

	/// Appends a batch and gives its number. Nothing changes on an error.
	///
	/// # Errors
	/// [`ProofError::SumUnit`] for a batch whose bytes are zero or not a multiple of 64,
	/// [`ProofError::SumOverflow`] if the ledger's bytes no longer fit 64 bits.
	pub fn append<H: SumHasher>(&mut self, batch: &Batch) -> Result<u64, ProofError> {
		self.append_leaf::<H>(batch.leaf::<H>(), |_, _| ())
	}

	/// As [`Self::append`]; `note` is given each node that came to be, with what is below it.
	///
	/// # Errors
	/// As [`Self::append`].
	pub fn append_noting<H: SumHasher>(
		&mut self,
		batch: &Batch,
		mut note: impl FnMut(&Hash, Below),
	) -> Result<u64, ProofError> {
		let leaf = batch.leaf::<H>();
		let number = self.append_leaf::<H>(leaf, &mut note)?;
		note(&leaf.hash, Below::Batch(*batch));
		Ok(number)
	}

	fn append_leaf<H: SumHasher>(
		&mut self,
		leaf: SumNode,
		mut note: impl FnMut(&Hash, Below),
	) -> Result<u64, ProofError> {
		self.check()?;
		if leaf.sum == 0 || !leaf.sum.is_multiple_of(SUM_UNIT) {
			return Err(ProofError::SumUnit(leaf.sum));
		}
		self.total()?
			.checked_add(leaf.sum)
			.ok_or(ProofError::SumOverflow)?;
		let index = self.leaves;
		let leaves = index.checked_add(1).ok_or(ProofError::LeafCount(index))?;
		let merged = index.trailing_ones() as usize;
		let kept = self.peaks.len().saturating_sub(merged);
		let mut node = leaf;
		for peak in self.peaks.iter().skip(kept).rev() {
			let joined = join::<H>(LEDGER_NODE_TAG, peak, &node)?;
			note(
				&joined.hash,
				Below::Pair {
					left: peak.hash,
					right: node.hash,
				},
			);
			node = joined;
		}
		self.peaks.truncate(kept);
		self.peaks
			.try_push(node)
			.map_err(|_| ProofError::LeafCount(leaves))?;
		self.leaves = leaves;
		Ok(index)
	}

	/// One digest for the whole ledger: the peaks bagged from right to left, then hashed with the
	/// number of batches.
	///
	/// # Errors
	/// [`ProofError::SumOverflow`]; never for peaks that only [`Self::append`] changed.
	pub fn root<H: SumHasher>(&self) -> Result<SumNode, ProofError> {
		let mut peaks = self.peaks.iter().rev();
		let first = peaks.next().copied().unwrap_or_default();
		let bag = peaks.try_fold(first, |bag, peak| join::<H>(BAG_TAG, peak, &bag))?;
		let mut bytes = [0u8; 16 + 8 + 32 + 8];
		fill(
			&mut bytes,
			&[
				ROOT_TAG,
				&self.leaves.to_le_bytes(),
				&bag.hash,
				&bag.sum.to_le_bytes(),
			],
		);
		Ok(SumNode {
			hash: H::blake2_256(&bytes),
			sum: bag.sum,
		})
	}

	/// Steps from batch `index` to its peak.
	///
	/// # Errors
	/// [`ProofError::LeafIndex`].
	pub fn depth(&self, index: u64) -> Result<u32, ProofError> {
		Ok(place(self.leaves, index)?.height)
	}

	/// Where the batch's bytes begin in the ledger, by what the path says. Only [`Self::verify`]
	/// makes it certain.
	pub(crate) fn claimed_start(&self, index: u64, path: &[Sibling]) -> Result<u64, ProofError> {
		let place = place(self.leaves, index)?;
		let before = self
			.peaks
			.iter()
			.take(place.peak)
			.try_fold(0u64, |sum, peak| sum.checked_add(peak.sum));
		let leaves = 1u64.checked_shl(place.height).unwrap_or(0);
		before
			.and_then(|before| before.checked_add(start(place.index, leaves, path).ok()?))
			.ok_or(ProofError::SumOverflow)
	}

	/// Checks that `leaf` is batch `index` of the ledger; gives the byte it begins at.
	///
	/// # Errors
	/// [`ProofError::RootMismatch`] if it is not; the others if the path cannot belong to that place.
	pub fn verify<H: SumHasher>(
		&self,
		index: u64,
		leaf: &SumNode,
		path: &[Sibling],
	) -> Result<u64, ProofError> {
		self.check()?;
		let place = place(self.leaves, index)?;
		let leaves = 1u64.checked_shl(place.height).unwrap_or(0);
		let node = climb::<H>(LEDGER_NODE_TAG, *leaf, place.index, leaves, path)?;
		if self.peaks.get(place.peak) != Some(&node) {
			return Err(ProofError::RootMismatch);
		}
		self.claimed_start(index, path)
	}

	/// Checks that `leaf` is batch `index` of the ledger and covers byte `offset`; gives the byte
	/// it begins at.
	///
	/// # Errors
	/// [`ProofError::NotCovered`] besides those of [`Self::verify`].
	pub fn verify_offset<H: SumHasher>(
		&self,
		index: u64,
		leaf: &SumNode,
		path: &[Sibling],
		offset: u64,
	) -> Result<u64, ProofError> {
		let start = self.verify::<H>(index, leaf, path)?;
		match offset.checked_sub(start) {
			Some(inside) if inside < leaf.sum => Ok(start),
			_ => Err(ProofError::NotCovered {
				offset,
				start,
				len: leaf.sum,
			}),
		}
	}
}

/// The path of batch `index` of `leaves`, from nodes looked up by height and number.
///
/// # Errors
/// [`ProofError::LeafIndex`], [`ProofError::MissingNode`].
pub fn prove_with(
	leaves: u64,
	index: u64,
	mut node: impl FnMut(u32, u64) -> Option<SumNode>,
) -> Result<Vec<Sibling>, ProofError> {
	let place = place(leaves, index)?;
	let size = 1u64.checked_shl(place.height).unwrap_or(0);
	Climb::new(place.index, size)
		.map(|step| {
			let before = place.first.checked_shr(step.level).unwrap_or(0);
			let index = before.saturating_add(step.sibling);
			let level = step.level;
			let node = node(level, index).ok_or(ProofError::MissingNode { level, index })?;
			Sibling::new(&node)
		})
		.collect()
}

/// What peaks say of a ledger, see [`Mmr::confirmed_by`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
	/// So many of the first batches stand under peaks that have them as they are.
	pub batches: u64,
	/// Whether the peak behind these has other batches than the ledger, which has as many there.
	pub contradicted: bool,
}

/// A ledger with all its nodes, as those keep it who prove from it: about 80 bytes per batch.
#[derive(Clone, Debug, Default)]
pub struct Mmr {
	peaks: Peaks,
	/// `levels[h][i]` covers the batches `i << h .. (i + 1) << h`.
	levels: Vec<Vec<SumNode>>,
}

impl Mmr {
	/// A ledger with no batch.
	pub fn new() -> Self {
		Self::default()
	}

	/// The peaks, as the chain has them.
	pub fn peaks(&self) -> &Peaks {
		&self.peaks
	}

	/// The node at `height` that covers batch `index << height` and those after it, if it is full.
	pub fn node(&self, height: u32, index: u64) -> Option<SumNode> {
		self.levels
			.get(height as usize)?
			.get(usize::try_from(index).ok()?)
			.copied()
	}

	/// Appends a batch and gives its number. Nothing changes on an error.
	///
	/// # Errors
	/// Those of [`Peaks::append`].
	pub fn append<H: SumHasher>(&mut self, batch: &Batch) -> Result<u64, ProofError> {
		let leaf = batch.leaf::<H>();
		let mut grown = Vec::new();
		let mut node = leaf;
		grown.push(node);
		for height in 0..self.peaks.leaves.trailing_ones() {
			let left = self
				.levels
				.get(height as usize)
				.and_then(|level| level.last())
				.ok_or(ProofError::MissingNode {
					level: height,
					index: 0,
				})?;
			node = join::<H>(LEDGER_NODE_TAG, left, &node)?;
			grown.push(node);
		}
		let index = self.peaks.append_leaf::<H>(leaf, |_, _| ())?;
		for (height, node) in grown.into_iter().enumerate() {
			match self.levels.get_mut(height) {
				Some(level) => level.push(node),
				None => self.levels.push(alloc::vec![node]),
			}
		}
		Ok(index)
	}

	/// How far `peaks`, of which nothing is known but that they can be, are those of this ledger.
	pub fn confirmed_by(&self, peaks: &Peaks) -> Confirmed {
		let mut confirmed = Confirmed::default();
		for ((height, first), peak) in mountains(peaks.leaves).zip(peaks.peaks()) {
			let node = first
				.checked_shr(height)
				.and_then(|at| self.node(height, at));
			let Some(node) = node else { break };
			if node != *peak {
				confirmed.contradicted = true;
				break;
			}
			let size = 1u64.checked_shl(height).unwrap_or(0);
			confirmed.batches = first.saturating_add(size);
		}
		confirmed
	}

	/// The batch that covers byte `offset` of the ledger, and the byte it begins at.
	pub fn locate(&self, offset: u64) -> Option<(u64, u64)> {
		let mut start = 0u64;
		for ((height, first), peak) in mountains(self.peaks.leaves).zip(self.peaks.peaks()) {
			let end = start.checked_add(peak.sum)?;
			if offset >= end {
				start = end;
				continue;
			}
			let mut index = first.checked_shr(height)?;
			for level in (0..height).rev() {
				index = index.checked_mul(2)?;
				let end = start.checked_add(self.node(level, index)?.sum)?;
				if offset >= end {
					start = end;
					index = index.checked_add(1)?;
				}
			}
			return Some((index, start));
		}
		None
	}

	/// The path of batch `index` to its peak, lowest sibling first.
	///
	/// # Errors
	/// [`ProofError::LeafIndex`].
	pub fn prove(&self, index: u64) -> Result<Vec<Sibling>, ProofError> {
		prove_with(self.peaks.leaves, index, |height, index| {
			self.node(height, index)
		})
	}
}
