//! BLAKE3 of the thirty shards of a stripe, sixteen chunks at a time.
//!
//! Shards grow by *groups* of sixteen chunks. A group's sixteen chaining values stay together, word
//! by word, and so do the values of the tree above: two groups make one of sixteen parents. Only the
//! last four levels of a shard's tree have fewer than sixteen values at a time. What is no whole
//! group at the end of a shard, and everything where there is no AVX-512, is hashed by `blake3`.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod tree;

use crate::{Kernel, TOTAL_SHARDS};
use blake3::Hasher;
use hippius_primitives::ShardId;

#[cfg(target_arch = "x86_64")]
pub(crate) use tree::{GroupJob, Trees};

/// Bytes of a BLAKE3 block.
#[cfg(target_arch = "x86_64")]
const BLOCK_LEN: usize = 64;
/// Bytes of a BLAKE3 chunk.
const CHUNK_LEN: usize = blake3::CHUNK_LEN;
/// Chunks of a group: 32-bit lanes of a vector.
const LANES: usize = 16;
/// Bytes of a group.
pub(crate) const GROUP_LEN: usize = LANES * CHUNK_LEN;

/// Sixteen chaining values: word `w` of value `i` is `.0[w][i]`.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Group([[u32; LANES]; 8]);

/// Hashes of thirty shards that grow together.
pub(crate) enum ShardHashes {
	/// One `blake3` hasher each.
	Each(Box<[Hasher; TOTAL_SHARDS]>),
	/// With AVX-512.
	#[cfg(target_arch = "x86_64")]
	Trees(Box<Trees>),
}

impl ShardHashes {
	/// Follows the kernel of the codec, so that forcing that one forces this one too.
	pub(crate) fn new(kernel: Kernel) -> Self {
		#[cfg(target_arch = "x86_64")]
		if kernel == Kernel::Avx512Gfni && avx512::is_available() {
			return Self::Trees(Trees::new());
		}
		#[cfg(not(target_arch = "x86_64"))]
		let _ = kernel;
		Self::Each(Box::new(core::array::from_fn(|_| Hasher::new())))
	}

	/// The ids of what was hashed; the next shards begin.
	pub(crate) fn finish(&mut self) -> [ShardId; TOTAL_SHARDS] {
		match self {
			Self::Each(hashers) => core::array::from_fn(|slot| {
				let hash = hashers[slot].finalize();
				hashers[slot].reset();
				ShardId(*hash.as_bytes())
			}),
			#[cfg(target_arch = "x86_64")]
			Self::Trees(trees) => trees.finish(),
		}
	}
}
