//! The inner nodes of a shard's BLAKE3 tree, down to groups of 16 KiB.
//!
//! Layout: one 64-byte pair (left and right chaining value) per inner node, in pre-order: the root,
//! then all of its left subtree, then all of its right. `g` groups have `g - 1` pairs: 63 pairs, 4032
//! bytes, for 1 MiB; none for a shard of one group. Neither the length nor the root is stored: both
//! are known from elsewhere, and the pairs are checked against them.

use crate::{
	chunk::{parent_value, subtree_value},
	shape::left_leaves,
	Hash, ProofError,
};
use alloc::vec::Vec;
use core::ops::Range;
use hippius_primitives::ShardId;

/// Bytes of a group, the smallest piece that is verified alone on the wire.
pub const GROUP_LEN: usize = 16 * 1024;
/// The same as a length.
pub(crate) const GROUP_BYTES: u64 = GROUP_LEN as u64;
/// Chunks of a group.
pub const CHUNKS_PER_GROUP: u64 = 16;
/// Bytes of a pair.
pub const PAIR_LEN: usize = 64;
/// The same as a length.
pub(crate) const PAIR_BYTES: u64 = PAIR_LEN as u64;

/// Groups of `len` bytes; one, empty, for no bytes.
pub fn group_count(len: u64) -> u64 {
	len.div_ceil(GROUP_BYTES).max(1)
}

/// Bytes of the outboard of `len` bytes.
pub fn outboard_len(len: u64) -> u64 {
	group_count(len)
		.saturating_sub(1)
		.saturating_mul(PAIR_BYTES)
}

/// Where group `index` of `len` bytes lies.
pub fn group_bytes(len: u64, index: u64) -> Range<u64> {
	let start = index.saturating_mul(GROUP_BYTES).min(len);
	start..start.saturating_add(GROUP_BYTES).min(len)
}

/// A subtree: its first group, its groups, and where its pair stands in the outboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subtree {
	pub(crate) first: u64,
	pub(crate) groups: u64,
	pub(crate) pair: u64,
}

impl Subtree {
	pub(crate) fn whole(len: u64) -> Self {
		Self {
			first: 0,
			groups: group_count(len),
			pair: 0,
		}
	}

	/// Both children; `None` for a group.
	pub(crate) fn children(&self) -> Option<(Self, Self)> {
		let left = left_leaves(self.groups);
		let right = self.groups.checked_sub(left).filter(|_| left > 0)?;
		Some((
			Self {
				first: self.first,
				groups: left,
				pair: self.pair.checked_add(1)?,
			},
			Self {
				first: self.first.checked_add(left)?,
				groups: right,
				// Behind the parent's pair and the `left - 1` pairs of the left subtree.
				pair: self.pair.checked_add(left)?,
			},
		))
	}

	pub(crate) fn contains(&self, group: u64) -> bool {
		group
			.checked_sub(self.first)
			.is_some_and(|place| place < self.groups)
	}
}

/// Splits a pair.
pub(crate) fn split_pair(pair: &[u8]) -> Option<(Hash, Hash)> {
	let (left, right) = pair.split_at_checked(32)?;
	Some((left.try_into().ok()?, right.try_into().ok()?))
}

/// A shard's inner nodes, together with its length and id, all consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outboard {
	len: u64,
	root: ShardId,
	pairs: Vec<u8>,
}

impl Outboard {
	/// Hashes `shard`.
	pub fn build(shard: &[u8]) -> Self {
		let mut builder = OutboardBuilder::new();
		builder.push(shard);
		builder.finish()
	}

	/// Takes stored pairs back and checks every one against `shard`, the id of the `len` bytes they
	/// are said to belong to. As the pairs say nothing of the length but the number of groups, a lie
	/// about it shows only when the last group is read.
	///
	/// # Errors
	/// [`ProofError::TooLong`] if there are more or fewer bytes than [`outboard_len`],
	/// [`ProofError::RootMismatch`] if a pair is not what its parent hashes.
	pub fn parse(pairs: &[u8], len: u64, shard: &ShardId) -> Result<Self, ProofError> {
		let max = outboard_len(len);
		if pairs.len() as u64 != max {
			return Err(ProofError::TooLong {
				given: pairs.len(),
				max: usize::try_from(max).unwrap_or(usize::MAX),
			});
		}
		// The depth of the tree bounds the stack.
		let mut stack = alloc::vec![(Subtree::whole(len), shard.0)];
		for pair in pairs.chunks_exact(PAIR_LEN) {
			let (left, right) = split_pair(pair).ok_or(ProofError::Malformed)?;
			let (tree, expected) = stack.pop().ok_or(ProofError::Malformed)?;
			if parent_value(&left, &right, tree.groups == group_count(len)) != expected {
				return Err(ProofError::RootMismatch);
			}
			let (left_tree, right_tree) = tree.children().ok_or(ProofError::Malformed)?;
			if right_tree.groups > 1 {
				stack.push((right_tree, right));
			}
			if left_tree.groups > 1 {
				stack.push((left_tree, left));
			}
		}
		Ok(Self {
			len,
			root: *shard,
			pairs: pairs.to_vec(),
		})
	}

	/// The shard's length in bytes.
	pub fn shard_len(&self) -> u64 {
		self.len
	}

	/// The shard's id.
	pub fn shard_id(&self) -> ShardId {
		self.root
	}

	/// The pairs, as they are stored.
	pub fn as_bytes(&self) -> &[u8] {
		&self.pairs
	}

	/// A subtree's pair.
	pub(crate) fn pair(&self, index: u64) -> Option<&[u8]> {
		let start = usize::try_from(index).ok()?.checked_mul(PAIR_LEN)?;
		self.pairs.get(start..start.checked_add(PAIR_LEN)?)
	}

	/// The siblings on the way from group `index` to the root, lowest first.
	pub(crate) fn group_path(&self, index: u64) -> Vec<Hash> {
		let mut path = Vec::new();
		self.descend(index, |sibling, _| path.push(*sibling));
		path.reverse();
		path
	}

	/// Whether `bytes` are group `index`.
	pub fn group_matches(&self, index: u64, bytes: &[u8]) -> bool {
		let place = group_bytes(self.len, index);
		if index >= group_count(self.len)
			|| bytes.len() as u64 != place.end.saturating_sub(place.start)
		{
			return false;
		}
		let mut expected = None;
		self.descend(index, |_, value| expected = Some(*value));
		match expected {
			Some(value) => subtree_value(place.start, bytes) == value,
			None => blake3::hash(bytes).as_bytes() == self.root.as_bytes(),
		}
	}

	/// Goes from the root to group `index`, calling `visit(sibling, node)` at every step.
	fn descend(&self, index: u64, mut visit: impl FnMut(&Hash, &Hash)) {
		let mut tree = Subtree::whole(self.len);
		while let Some((left_tree, right_tree)) = tree.children() {
			let Some((left, right)) = self.pair(tree.pair).and_then(split_pair) else {
				return;
			};
			if left_tree.contains(index) {
				visit(&right, &left);
				tree = left_tree;
			} else {
				visit(&left, &right);
				tree = right_tree;
			}
		}
	}
}

/// Builds an [`Outboard`] while the shard's bytes come by. It keeps 32 bytes per group.
#[derive(Clone, Debug)]
pub struct OutboardBuilder {
	/// Chaining values of the groups behind which more bytes came.
	values: Vec<Hash>,
	/// The group being filled: it may be the only one, which is hashed as a root.
	group: blake3::Hasher,
	filled: usize,
}

impl Default for OutboardBuilder {
	fn default() -> Self {
		Self::new()
	}
}

impl OutboardBuilder {
	/// A builder that has seen nothing.
	pub fn new() -> Self {
		Self {
			values: Vec::new(),
			group: blake3::Hasher::new(),
			filled: 0,
		}
	}

	/// Bytes seen so far.
	pub fn seen(&self) -> u64 {
		(self.values.len() as u64)
			.saturating_mul(GROUP_BYTES)
			.saturating_add(self.filled as u64)
	}

	/// Takes the next bytes. Fastest in multiples of a group.
	pub fn push(&mut self, mut bytes: &[u8]) {
		while !bytes.is_empty() {
			if self.filled == GROUP_LEN {
				self.close();
			}
			let room = GROUP_LEN.saturating_sub(self.filled).min(bytes.len());
			let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
			self.group.update(now);
			self.filled = self.filled.saturating_add(now.len());
			bytes = later;
		}
	}

	fn close(&mut self) {
		use blake3::hazmat::HasherExt;
		self.values.push(self.group.finalize_non_root());
		self.group = blake3::Hasher::new();
		self.filled = 0;
		self.group.set_input_offset(self.seen());
	}

	/// The outboard of what was seen.
	pub fn finish(mut self) -> Outboard {
		let len = self.seen();
		if self.values.is_empty() {
			return Outboard {
				len,
				root: ShardId(*self.group.finalize().as_bytes()),
				pairs: Vec::new(),
			};
		}
		self.close();
		finish(len, self.values)
	}
}

/// The tree above the chaining values of at least two groups.
fn finish(len: u64, groups: Vec<Hash>) -> Outboard {
	// Level by level; an odd last node moves up.
	let mut levels = alloc::vec![groups];
	while let Some(level) = levels.last().filter(|level| level.len() > 2) {
		let above = level
			.chunks(2)
			.map(|pair| match pair {
				[left, right] => parent_value(left, right, false),
				[alone] => *alone,
				_ => Hash::default(),
			})
			.collect();
		levels.push(above);
	}
	let root = match levels.last().map(Vec::as_slice) {
		Some([left, right]) => parent_value(left, right, true),
		_ => Hash::default(),
	};
	// A subtree of n groups has its node at height ceil(log2 n), moved up there if need be.
	let value = |tree: &Subtree| {
		let height = tree.groups.next_power_of_two().trailing_zeros();
		let index = tree.first.checked_shr(height)?;
		let level = levels.get(height as usize)?;
		level.get(usize::try_from(index).ok()?)
	};
	let mut pairs = Vec::with_capacity(outboard_len(len) as usize);
	let mut stack = alloc::vec![Subtree::whole(len)];
	while let Some(tree) = stack.pop() {
		if let Some((left, right)) = tree.children() {
			for child in [&left, &right] {
				pairs.extend_from_slice(value(child).unwrap_or(&Hash::default()));
			}
			stack.push(right);
			stack.push(left);
		}
	}
	Outboard {
		len,
		root: ShardId(root),
		pairs,
	}
}
