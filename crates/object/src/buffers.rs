//! Memory that shards are made in.

use crate::{memory::Memory, MAX_SHARD};
use arion_erasure::{Codec, HashingEncoder, DATA_SHARDS, TOTAL_SHARDS};
use bytes::Bytes;
use core::ops::Range;
use std::{
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	thread::available_parallelism,
};

/// Shards of a stripe that share an allocation: slots `2 * i` and `2 * i + 1`. Two, because two full
/// ones fill a large page of memory. The memory is free once both are dropped.
pub const SHARDS_PER_ALLOCATION: usize = 2;

/// Shards of at least this many bytes take memory that is kept for the next stripe; smaller ones are
/// cheaper to allocate than to find.
const MIN_KEPT: usize = 64 * 1024;
/// Bytes of a cache line: buffers begin at one, and vectors loaded from them never straddle two.
pub(crate) const LINE: usize = 64;
/// How much further into its memory each slot's shard begins: addresses that differ by a multiple of
/// a page, or a large power of two, compete for the same lines of a cache.
const SKEW: usize = 4096 + LINE;
/// Bytes of memory that is kept.
const KEPT_LEN: usize = SHARDS_PER_ALLOCATION * MAX_SHARD + TOTAL_SHARDS * SKEW;
/// Distance of the shards in a workbench's column.
const STRIDE: usize = crate::CHUNK_LEN + LINE;

/// Keeps the memory of shards that are gone for the shards of later stripes, so that the system need
/// not clear 30 MiB of fresh pages per stripe, and what encoding needs besides, 1.2 MiB for each
/// thread that encodes. Cheap to clone; clones share the memory.
#[derive(Clone, Default)]
pub struct ShardBuffers {
	shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
	idle: Mutex<Vec<Memory>>,
	/// Most allocations in `idle`.
	most_idle: usize,
	benches: Mutex<Vec<Workbench>>,
}

/// A lock that a panic elsewhere does not take away: what it guards is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ShardBuffers {
	/// Keeps the memory of at most so many shards, 1 MiB each. With 0, nothing is kept.
	pub fn new(most_idle: usize) -> Self {
		let shared = Shared {
			most_idle: most_idle / SHARDS_PER_ALLOCATION,
			..Shared::default()
		};
		Self {
			shared: Arc::new(shared),
		}
	}

	/// Shards whose memory is kept and not in use.
	pub fn idle(&self) -> usize {
		lock(&self.shared.idle).len() * SHARDS_PER_ALLOCATION
	}

	/// Calls `work` with a workbench at the start of a stripe.
	pub(crate) fn with_bench<T>(&self, work: impl FnOnce(&mut Workbench) -> T) -> T {
		let kept = lock(&self.shared.benches).pop();
		let mut bench = kept.unwrap_or_default();
		let result = work(&mut bench);
		bench.encoder.reset();
		let most = available_parallelism().map_or(1, usize::from);
		let mut benches = lock(&self.shared.benches);
		if self.shared.most_idle > 0 && benches.len() < most {
			benches.push(bench);
		}
		result
	}

	/// Memory for shards of `len` bytes in two slots, of which `slot` is the first, with whatever was
	/// in it before.
	pub(crate) fn take(&self, slot: usize, len: usize) -> ShardPair {
		if len < MIN_KEPT {
			let apart = len.next_multiple_of(LINE) + LINE;
			return ShardPair {
				memory: Some(Memory::heap(apart + len)),
				starts: [0, apart],
				len,
				home: None,
			};
		}
		let kept = lock(&self.shared.idle).pop();
		ShardPair {
			memory: Some(kept.unwrap_or_else(|| Memory::new(KEPT_LEN))),
			starts: [slot * SKEW, MAX_SHARD + (slot + 1) * SKEW],
			len,
			home: Some(self.shared.clone()),
		}
	}
}

impl core::fmt::Debug for ShardBuffers {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.debug_struct("ShardBuffers")
			.field("idle", &self.idle())
			.finish_non_exhaustive()
	}
}

/// What encoding a stripe needs besides the memory of its shards. It stays in the second-level cache
/// while a stripe is encoded.
pub(crate) struct Workbench {
	pub(crate) encoder: HashingEncoder,
	/// One chunk of each data shard.
	column: Memory,
}

impl Default for Workbench {
	fn default() -> Self {
		Self {
			encoder: HashingEncoder::new(Codec::shared()),
			column: Memory::heap(DATA_SHARDS * STRIDE),
		}
	}
}

impl Workbench {
	/// The encoder, and room for one chunk of each data shard, with whatever was in it before.
	pub(crate) fn column(&mut self) -> (&mut HashingEncoder, [&mut [u8]; DATA_SHARDS]) {
		let mut rows = self.column.as_mut().chunks_mut(STRIDE);
		let rows = core::array::from_fn(|_| match rows.next() {
			Some(row) => &mut row[..crate::CHUNK_LEN],
			None => unreachable!("there is room for ten rows"),
		});
		(&mut self.encoder, rows)
	}
}

/// The memory of two shards.
pub(crate) struct ShardPair {
	/// `None` only while it is being dropped.
	memory: Option<Memory>,
	starts: [usize; SHARDS_PER_ALLOCATION],
	len: usize,
	home: Option<Arc<Shared>>,
}

impl ShardPair {
	/// The shards' bytes.
	pub(crate) fn shards(&self) -> [&[u8]; SHARDS_PER_ALLOCATION] {
		let bytes = self.as_ref();
		self.starts.map(|start| &bytes[start..start + self.len])
	}

	/// The shards' bytes.
	pub(crate) fn shards_mut(&mut self) -> [&mut [u8]; SHARDS_PER_ALLOCATION] {
		let [first, second] = self.starts;
		let bytes = self.memory.as_mut().map_or(&mut [][..], Memory::as_mut);
		let (a, b) = bytes.split_at_mut(second);
		[&mut a[first..first + self.len], &mut b[..self.len]]
	}

	/// The shards' bytes, whose memory is kept for others once the last copy is dropped.
	pub(crate) fn into_bytes(self) -> [Bytes; SHARDS_PER_ALLOCATION] {
		let ranges: [Range<usize>; 2] = self.starts.map(|start| start..start + self.len);
		let all = Bytes::from_owner(self);
		ranges.map(|range| all.slice(range))
	}
}

impl AsRef<[u8]> for ShardPair {
	fn as_ref(&self) -> &[u8] {
		self.memory.as_ref().map_or(&[], Memory::as_ref)
	}
}

impl Drop for ShardPair {
	fn drop(&mut self) {
		let (Some(home), Some(memory)) = (self.home.take(), self.memory.take()) else {
			return;
		};
		let mut idle = lock(&home.idle);
		if idle.len() < home.most_idle {
			idle.push(memory);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn memory_is_kept_and_bounded() {
		let buffers = ShardBuffers::new(6);
		let take = |len| buffers.take(8, len);
		let pairs: Vec<_> = (0..5).map(|_| take(MAX_SHARD).into_bytes()).collect();
		assert_eq!(buffers.idle(), 0);
		let copy = pairs[0][1].slice(9..);
		drop(pairs);
		assert_eq!(buffers.idle(), 6);
		drop(copy);
		assert_eq!(buffers.idle(), 6);
		let (a, b) = (take(MAX_SHARD), take(MIN_KEPT));
		assert_eq!(buffers.idle(), 2);
		// Small shards have their own.
		drop(take(MIN_KEPT - 64));
		assert_eq!(buffers.idle(), 2);
		drop((a, b));
		assert_eq!(buffers.idle(), 6);
		let none = ShardBuffers::default();
		drop(none.take(0, MAX_SHARD));
		assert_eq!(none.idle(), 0);
		let work = |_: &mut Workbench| lock(&buffers.shared.benches).len();
		assert_eq!((buffers.with_bench(work), buffers.with_bench(work)), (0, 0));
		assert_eq!(lock(&buffers.shared.benches).len(), 1);
	}

	#[test]
	fn shards_are_apart_and_begin_at_lines() {
		for len in [
			0,
			64,
			128,
			6400,
			MIN_KEPT - 64,
			MIN_KEPT,
			MAX_SHARD - 64,
			MAX_SHARD,
		] {
			for slot in (0..TOTAL_SHARDS).step_by(SHARDS_PER_ALLOCATION) {
				let mut pair = ShardBuffers::default().take(slot, len);
				for (value, shard) in [1, 2].into_iter().zip(pair.shards_mut()) {
					assert_eq!((shard.len(), shard.as_ptr().addr() % LINE), (len, 0));
					shard.fill(value);
				}
				let shards = pair.shards().map(<[u8]>::to_vec);
				assert_eq!(shards, [vec![1; len], vec![2; len]]);
				assert_eq!(pair.into_bytes().map(Vec::from), shards);
			}
		}
	}
}
