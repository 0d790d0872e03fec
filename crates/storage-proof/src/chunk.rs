//! One chunk of a shard against the shard's id.

use crate::{
	outboard::{Outboard, CHUNKS_PER_GROUP, GROUP_BYTES},
	shape::Climb,
	Hash, ProofError,
};
use alloc::vec::Vec;
use blake3::hazmat::{merge_subtrees_non_root, merge_subtrees_root, HasherExt, Mode};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::{coding::SHARD_LEN, ShardId};
use scale_info::TypeInfo;

/// Bytes of a BLAKE3 chunk.
pub const CHUNK_LEN: usize = 1024;
/// The same as a length.
pub(crate) const CHUNK_BYTES: u64 = CHUNK_LEN as u64;
/// Most siblings on the way from a chunk to its shard's id: a shard has at most 1024 chunks.
pub const MAX_CHUNK_DEPTH: u32 = 10;

/// A chunk and the siblings on its way up, lowest first.
///
/// BLAKE3 hashes a chunk together with its number, and the shard's length gives the shape of the
/// tree, so the proof holds for one place of one shard only. It does not prove the length, except
/// for the last chunk: most chunks have the same way up in shards of similar lengths. The length
/// comes from the ledger, and whoever signs for a shard compares it with what he holds.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ChunkProof {
	/// The chunk's bytes: 1024, fewer in the last chunk of a shard.
	pub chunk: BoundedVec<u8, ConstU32<{ CHUNK_LEN as u32 }>>,
	/// Chaining values of the siblings, from the chunk's own up to a child of the root.
	pub path: BoundedVec<Hash, ConstU32<MAX_CHUNK_DEPTH>>,
}

/// Chunks of `len` bytes; BLAKE3 has one, empty, for no bytes.
pub(crate) fn chunk_count(len: u64) -> u64 {
	len.div_ceil(CHUNK_BYTES).max(1)
}

/// Where chunk `index` of a shard of `shard_len` bytes lies, and how many chunks there are.
fn chunk_place(shard_len: u64, index: u64) -> Result<(u64, u64, u64), ProofError> {
	if shard_len == 0 || shard_len > SHARD_LEN as u64 {
		return Err(ProofError::ShardLength(shard_len));
	}
	let chunks = chunk_count(shard_len);
	if index >= chunks {
		return Err(ProofError::ChunkIndex { index, chunks });
	}
	let start = index.saturating_mul(CHUNK_BYTES);
	let len = shard_len.saturating_sub(start).min(CHUNK_BYTES);
	Ok((start, len, chunks))
}

/// Chaining value of the subtree over `bytes`, which stand at `start`. `bytes` must not be empty,
/// `start` a multiple of a chunk, and both make a subtree.
pub(crate) fn subtree_value(start: u64, bytes: &[u8]) -> Hash {
	blake3::Hasher::new()
		.set_input_offset(start)
		.update(bytes)
		.finalize_non_root()
}

/// The parent of two nodes; `root` for the topmost.
pub(crate) fn parent_value(left: &Hash, right: &Hash, root: bool) -> Hash {
	if root {
		*merge_subtrees_root(left, right, Mode::Hash).as_bytes()
	} else {
		merge_subtrees_non_root(left, right, Mode::Hash)
	}
}

impl ChunkProof {
	/// Proves chunk `index` of `shard`, which is hashed once.
	///
	/// # Errors
	/// [`ProofError::ShardLength`] and [`ProofError::ChunkIndex`].
	pub fn make(shard: &[u8], index: u64) -> Result<Self, ProofError> {
		let (start, len, chunks) = chunk_place(shard.len() as u64, index)?;
		let mut path = Vec::with_capacity(MAX_CHUNK_DEPTH as usize);
		for step in Climb::new(index, chunks) {
			let width = CHUNK_BYTES
				.checked_shl(step.level)
				.ok_or(ProofError::ShardLength(shard.len() as u64))?;
			let first = step.sibling.saturating_mul(width);
			let bytes = part(shard, first, width).ok_or(ProofError::Malformed)?;
			path.push(subtree_value(first, bytes));
		}
		Self::from_parts(part(shard, start, len), path)
	}

	/// Proves chunk `index` of a shard of which only the chunk's 16 KiB group is read; the rest
	/// comes from the outboard.
	///
	/// # Errors
	/// [`ProofError::ShardLength`] and [`ProofError::ChunkIndex`] for a chunk the shard does not
	/// have, [`ProofError::GroupMismatch`] if `group` is not the group the chunk lies in, whole.
	pub fn from_group(outboard: &Outboard, group: &[u8], index: u64) -> Result<Self, ProofError> {
		let (start, len, chunks) = chunk_place(outboard.shard_len(), index)?;
		let group_index = index / CHUNKS_PER_GROUP;
		let group_start = group_index.saturating_mul(GROUP_BYTES);
		if !outboard.group_matches(group_index, group) {
			return Err(ProofError::GroupMismatch(group_index));
		}
		let mut path = Vec::with_capacity(MAX_CHUNK_DEPTH as usize);
		let group_level = CHUNKS_PER_GROUP.ilog2();
		for step in Climb::new(index, chunks).take_while(|step| step.level < group_level) {
			let width = CHUNK_BYTES.checked_shl(step.level).unwrap_or(0);
			let first = step.sibling.saturating_mul(width);
			let bytes = part(group, first.saturating_sub(group_start), width)
				.ok_or(ProofError::GroupMismatch(group_index))?;
			path.push(subtree_value(first, bytes));
		}
		path.extend(outboard.group_path(group_index));
		Self::from_parts(part(group, start.saturating_sub(group_start), len), path)
	}

	fn from_parts(chunk: Option<&[u8]>, path: Vec<Hash>) -> Result<Self, ProofError> {
		let chunk = chunk.ok_or(ProofError::Malformed)?;
		Ok(Self {
			chunk: chunk
				.to_vec()
				.try_into()
				.map_err(|_| ProofError::Malformed)?,
			path: path.try_into().map_err(|_| ProofError::Malformed)?,
		})
	}

	/// The id of the shard of `shard_len` bytes whose chunk `index` this is.
	///
	/// # Errors
	/// If the proof does not fit the place: [`ProofError::ShardLength`], [`ProofError::ChunkIndex`],
	/// [`ProofError::ChunkLength`], [`ProofError::PathLength`].
	pub fn root(&self, shard_len: u64, index: u64) -> Result<ShardId, ProofError> {
		let (start, len, chunks) = chunk_place(shard_len, index)?;
		if self.chunk.len() as u64 != len {
			return Err(ProofError::ChunkLength {
				given: self.chunk.len(),
				expected: len as usize,
			});
		}
		let expected = Climb::depth(index, chunks);
		if self.path.len() != expected {
			return Err(ProofError::PathLength {
				given: self.path.len(),
				expected,
			});
		}
		if expected == 0 {
			return Ok(ShardId(*blake3::hash(&self.chunk).as_bytes()));
		}
		let mut value = subtree_value(start, &self.chunk);
		let mut left_to_do = expected;
		for (step, sibling) in Climb::new(index, chunks).zip(self.path.iter()) {
			left_to_do = left_to_do.saturating_sub(1);
			let root = left_to_do == 0;
			value = if step.sibling_is_left {
				parent_value(sibling, &value, root)
			} else {
				parent_value(&value, sibling, root)
			};
		}
		Ok(ShardId(value))
	}

	/// The chunk's bytes, if they are chunk `index` of the shard of `shard_len` bytes named `shard`.
	///
	/// # Errors
	/// Those of [`Self::root`], and [`ProofError::RootMismatch`] if it is any other chunk.
	pub fn verify(&self, shard: &ShardId, shard_len: u64, index: u64) -> Result<&[u8], ProofError> {
		if self.root(shard_len, index)? != *shard {
			return Err(ProofError::RootMismatch);
		}
		Ok(&self.chunk)
	}
}

/// Up to `len` bytes from `start`; `None` if there are none.
fn part(bytes: &[u8], start: u64, len: u64) -> Option<&[u8]> {
	let start = usize::try_from(start).ok()?;
	let end = start
		.checked_add(usize::try_from(len).ok()?)?
		.min(bytes.len());
	bytes.get(start..end).filter(|part| !part.is_empty())
}
