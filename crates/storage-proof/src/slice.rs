//! A run of 16 KiB groups on the wire, verified as it arrives.
//!
//! A slice is the pre-order walk of the shard's tree, of which only subtrees that hold an asked-for
//! group are entered: a 64-byte pair for each inner node, a group's bytes for each group. Who reads
//! knows shard id, shard length and range from elsewhere, so nothing else is sent, and knows before
//! the first byte how many will come ([`slice_len`]). Overhead: 64 bytes per group and at most the
//! tree's height in pairs twice.

use crate::{
	chunk::{parent_value, subtree_value},
	outboard::{
		group_bytes, group_count, split_pair, Outboard, Subtree, GROUP_BYTES, PAIR_BYTES, PAIR_LEN,
	},
	Hash,
};
use alloc::vec::Vec;
use core::{fmt, ops::Range};
use hippius_primitives::ShardId;

/// What is wrong with a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceError {
	/// The range is empty or reaches behind the last group.
	Range {
		/// First group asked for.
		start: u64,
		/// The group behind the last one asked for.
		end: u64,
		/// Groups of the shard.
		groups: u64,
	},
	/// An inner node is not what its parent hashes.
	BadParent {
		/// First group under the node.
		first: u64,
		/// Groups under the node.
		groups: u64,
	},
	/// A group's bytes are not what its parent hashes.
	BadGroup(u64),
	/// The slice ended before this group.
	Truncated(u64),
	/// Bytes follow the last group.
	TrailingBytes,
	/// The shard's bytes given to the encoder do not have the outboard's length.
	ShardLength {
		/// Bytes given.
		given: u64,
		/// The outboard's length.
		expected: u64,
	},
}

impl fmt::Display for SliceError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Range { start, end, groups } => write!(
				f,
				"groups {start}..{end} of a shard that has {groups}: ask for at least one, and none behind the end"
			),
			Self::BadParent { first, groups } => write!(
				f,
				"the hashes above groups {first} and the {groups} from there are forged or damaged: take the rest from another node"
			),
			Self::BadGroup(group) => write!(
				f,
				"group {group} is forged or damaged: take it and the rest from another node"
			),
			Self::Truncated(group) => write!(f, "the slice ended before group {group} was whole"),
			Self::TrailingBytes => f.write_str("bytes follow the last group of the slice"),
			Self::ShardLength { given, expected } => {
				write!(f, "the shard has {given} bytes, its outboard {expected}")
			}
		}
	}
}

impl core::error::Error for SliceError {}

/// A part of a slice, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlicePart {
	/// A 64-byte pair.
	Pair {
		/// Where it begins in the outboard.
		offset: u64,
	},
	/// A group.
	Group {
		/// Its number.
		index: u64,
		/// Where it begins in the shard.
		offset: u64,
		/// Its bytes.
		len: u64,
	},
}

/// The groups that cover bytes `bytes` of a shard of `len` bytes; `None` for a range that is empty
/// or reaches behind the end.
pub fn covering_groups(len: u64, bytes: Range<u64>) -> Option<Range<u64>> {
	if bytes.is_empty() || bytes.end > len {
		return None;
	}
	Some(bytes.start / GROUP_BYTES..bytes.end.div_ceil(GROUP_BYTES))
}

/// The parts of the slice of groups `range` of a shard of `len` bytes, for senders that read from
/// disk. It keeps one entry per level of the tree.
///
/// # Errors
/// [`SliceError::Range`].
pub fn slice_parts(
	len: u64,
	range: Range<u64>,
) -> Result<impl Iterator<Item = SlicePart>, SliceError> {
	check_range(len, &range)?;
	let mut stack = alloc::vec![Subtree::whole(len)];
	Ok(core::iter::from_fn(move || {
		let tree = stack.pop()?;
		match tree.children() {
			None => {
				let bytes = group_bytes(len, tree.first);
				Some(SlicePart::Group {
					index: tree.first,
					offset: bytes.start,
					len: bytes.end.saturating_sub(bytes.start),
				})
			}
			Some((left, right)) => {
				stack.extend(
					[right, left]
						.into_iter()
						.filter(|child| meets(child, &range)),
				);
				Some(SlicePart::Pair {
					offset: tree.pair.saturating_mul(PAIR_BYTES),
				})
			}
		}
	}))
}

/// Bytes of the slice of groups `range` of a shard of `len` bytes.
///
/// # Errors
/// [`SliceError::Range`].
pub fn slice_len(len: u64, range: Range<u64>) -> Result<u64, SliceError> {
	check_range(len, &range)?;
	let first = group_bytes(len, range.start).start;
	let end = group_bytes(len, range.end.saturating_sub(1)).end;
	let pairs = pairs_met(len, &range).saturating_mul(PAIR_BYTES);
	Ok(end.saturating_sub(first).saturating_add(pairs))
}

/// Inner nodes the walk enters. Subtrees inside the range are counted, not walked, so that a lying
/// length costs no more than the tree's height.
fn pairs_met(len: u64, range: &Range<u64>) -> u64 {
	let mut pairs = 0u64;
	let mut stack = alloc::vec![Subtree::whole(len)];
	while let Some(tree) = stack.pop() {
		let end = tree.first.saturating_add(tree.groups);
		if range.start <= tree.first && end <= range.end {
			pairs = pairs.saturating_add(tree.groups.saturating_sub(1));
		} else if let Some((left, right)) = tree.children() {
			pairs = pairs.saturating_add(1);
			stack.extend(
				[right, left]
					.into_iter()
					.filter(|child| meets(child, range)),
			);
		}
	}
	pairs
}

/// The slice of groups `range` of `shard`.
///
/// # Errors
/// [`SliceError::Range`], [`SliceError::ShardLength`].
pub fn encode_slice(
	shard: &[u8],
	outboard: &Outboard,
	range: Range<u64>,
) -> Result<Vec<u8>, SliceError> {
	let len = outboard.shard_len();
	let wrong = SliceError::ShardLength {
		given: shard.len() as u64,
		expected: len,
	};
	if shard.len() as u64 != len {
		return Err(wrong);
	}
	let mut slice = Vec::with_capacity(slice_len(len, range.clone())? as usize);
	for part in slice_parts(len, range)? {
		let bytes = match part {
			SlicePart::Pair { offset } => outboard.pair(offset / PAIR_BYTES),
			SlicePart::Group { offset, len, .. } => {
				shard.get(offset as usize..offset.saturating_add(len) as usize)
			}
		};
		slice.extend_from_slice(bytes.ok_or(wrong)?);
	}
	Ok(slice)
}

fn check_range(len: u64, range: &Range<u64>) -> Result<(), SliceError> {
	let groups = group_count(len);
	if range.is_empty() || range.end > groups {
		return Err(SliceError::Range {
			start: range.start,
			end: range.end,
			groups,
		});
	}
	Ok(())
}

fn meets(tree: &Subtree, range: &Range<u64>) -> bool {
	tree.first < range.end && range.start < tree.first.saturating_add(tree.groups)
}

/// A group whose bytes are those of the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedGroup<'a> {
	/// Its number.
	pub index: u64,
	/// Where it begins in the shard.
	pub offset: u64,
	/// Its bytes.
	pub bytes: &'a [u8],
}

/// What [`SliceDecoder::push`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
	/// Bytes taken from the input.
	pub consumed: usize,
	/// The group that became whole; `None` if more bytes are needed, or nothing more is expected.
	pub group: Option<VerifiedGroup<'a>>,
}

/// A subtree still to come, and what it must hash to.
#[derive(Clone, Debug)]
struct Expected {
	tree: Subtree,
	value: Hash,
	root: bool,
}

/// Verifies a slice fed in pieces of any size. Keeps at most one group and one entry per level of
/// the tree, whatever is sent; a group whole in the input is not copied.
#[derive(Clone, Debug)]
pub struct SliceDecoder {
	len: u64,
	range: Range<u64>,
	stack: Vec<Expected>,
	/// The beginning of the next part.
	partial: Vec<u8>,
	/// The last group handed out, if it came in pieces; its memory is used again for the next.
	handed: Vec<u8>,
	failed: Option<SliceError>,
}

impl SliceDecoder {
	/// Expects groups `range` of the shard `shard` of `len` bytes.
	///
	/// # Errors
	/// [`SliceError::Range`].
	pub fn new(shard: &ShardId, len: u64, range: Range<u64>) -> Result<Self, SliceError> {
		check_range(len, &range)?;
		Ok(Self {
			len,
			range,
			stack: alloc::vec![Expected {
				tree: Subtree::whole(len),
				value: shard.0,
				root: true,
			}],
			partial: Vec::new(),
			handed: Vec::new(),
			failed: None,
		})
	}

	/// Bytes missing until the next part of the slice is whole; 0 when nothing more is expected.
	pub fn wanted(&self) -> usize {
		self.stack.last().map_or(0, |next| {
			self.part_len(&next.tree).saturating_sub(self.partial.len())
		})
	}

	/// Whether every group was verified.
	pub fn is_done(&self) -> bool {
		self.stack.is_empty() && self.failed.is_none()
	}

	/// Takes bytes until a group is whole and verified, or there are none left. Call it again with
	/// what was not consumed.
	///
	/// # Errors
	/// [`SliceError::BadParent`] and [`SliceError::BadGroup`] at the first bad part,
	/// [`SliceError::TrailingBytes`] for bytes behind the last. Every later call fails likewise.
	pub fn push<'a>(&'a mut self, input: &'a [u8]) -> Result<Progress<'a>, SliceError> {
		if let Some(error) = self.failed {
			return Err(error);
		}
		let mut consumed = 0usize;
		loop {
			let rest = input.get(consumed..).unwrap_or_default();
			let Some(next) = self.stack.last() else {
				if rest.is_empty() {
					return Ok(Progress {
						consumed,
						group: None,
					});
				}
				return Err(self.fail(SliceError::TrailingBytes));
			};
			let len = self.part_len(&next.tree);
			let missing = len.saturating_sub(self.partial.len());
			let Some(piece) = rest.get(..missing) else {
				self.partial.extend_from_slice(rest);
				return Ok(Progress {
					consumed: input.len(),
					group: None,
				});
			};
			consumed = consumed.saturating_add(missing);
			if next.tree.groups > 1 {
				let pair = if self.partial.is_empty() {
					split_pair(piece)
				} else {
					self.partial.extend_from_slice(piece);
					split_pair(&self.partial)
				};
				self.partial.clear();
				self.enter(pair)?;
			} else {
				return self.group(piece, consumed);
			}
		}
	}

	/// To be called at the end of the input.
	///
	/// # Errors
	/// [`SliceError::Truncated`], or what [`Self::push`] found.
	pub fn finish(self) -> Result<(), SliceError> {
		match (self.failed, self.stack.last()) {
			(Some(error), _) => Err(error),
			(None, Some(next)) => Err(SliceError::Truncated(next.tree.first.max(self.range.start))),
			(None, None) => Ok(()),
		}
	}

	fn part_len(&self, tree: &Subtree) -> usize {
		if tree.groups > 1 {
			return PAIR_LEN;
		}
		let bytes = group_bytes(self.len, tree.first);
		bytes.end.saturating_sub(bytes.start) as usize
	}

	fn fail(&mut self, error: SliceError) -> SliceError {
		self.failed = Some(error);
		error
	}

	/// Checks the topmost node's pair and puts its children in its place.
	fn enter(&mut self, pair: Option<(Hash, Hash)>) -> Result<(), SliceError> {
		let Some(node) = self.stack.pop() else {
			return Ok(());
		};
		let bad = SliceError::BadParent {
			first: node.tree.first,
			groups: node.tree.groups,
		};
		let (Some((left, right)), Some((left_tree, right_tree))) = (pair, node.tree.children())
		else {
			return Err(self.fail(bad));
		};
		if parent_value(&left, &right, node.root) != node.value {
			return Err(self.fail(bad));
		}
		for (tree, value) in [(right_tree, right), (left_tree, left)] {
			if meets(&tree, &self.range) {
				self.stack.push(Expected {
					tree,
					value,
					root: false,
				});
			}
		}
		Ok(())
	}

	/// Checks the group whose last bytes are `piece`.
	fn group<'a>(
		&'a mut self,
		piece: &'a [u8],
		consumed: usize,
	) -> Result<Progress<'a>, SliceError> {
		let Some(node) = self.stack.pop() else {
			return Ok(Progress {
				consumed,
				group: None,
			});
		};
		let index = node.tree.first;
		let offset = group_bytes(self.len, index).start;
		let copied = !self.partial.is_empty();
		if copied {
			self.partial.extend_from_slice(piece);
		}
		let bytes = if copied {
			self.partial.as_slice()
		} else {
			piece
		};
		let value = if node.root {
			*blake3::hash(bytes).as_bytes()
		} else {
			subtree_value(offset, bytes)
		};
		if value != node.value {
			return Err(self.fail(SliceError::BadGroup(index)));
		}
		let bytes = if copied {
			core::mem::swap(&mut self.handed, &mut self.partial);
			self.partial.clear();
			self.handed.as_slice()
		} else {
			piece
		};
		Ok(Progress {
			consumed,
			group: Some(VerifiedGroup {
				index,
				offset,
				bytes,
			}),
		})
	}
}
