//! Memory that shards are made in.

use arion_erasure::{Codec, HashingEncoder, DATA_SHARDS};
use bytes::Bytes;
use std::{
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	thread::available_parallelism,
};

/// Shards of at least this many bytes take a buffer that is kept for the next stripe; smaller ones
/// are cheaper to allocate than to find.
const MIN_KEPT: usize = 64 * 1024;
/// Bytes of a cache line: buffers begin at one, and vectors loaded from them never straddle two.
const LINE: usize = 64;
/// Addresses this far apart compete for the same lines of the first-level cache.
const PAGE: usize = 4096;
/// Distance of the shards in a bench's column: no power of two, for the same reason.
const STRIDE: usize = crate::CHUNK_LEN + LINE;

/// Keeps the memory of shards that are gone for the shards of later stripes, so that the system need
/// not clear 30 MiB of fresh pages per stripe, and what encoding needs besides, 1.2 MiB for each
/// thread that encodes. Cheap to clone; clones share the memory.
///
/// A shard's memory is its own: it is free as soon as this shard is dropped, whatever becomes of the
/// others of its stripe.
#[derive(Clone, Debug, Default)]
pub struct ShardBuffers {
	shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
	idle: Mutex<Vec<Vec<u8>>>,
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
			most_idle,
			..Shared::default()
		};
		Self {
			shared: Arc::new(shared),
		}
	}

	/// Shards whose memory is kept and not in use.
	pub fn idle(&self) -> usize {
		lock(&self.shared.idle).len()
	}

	/// Calls `work` with a workbench at the start of a stripe.
	pub(crate) fn with_bench<T>(&self, work: impl FnOnce(&mut Workbench) -> T) -> T {
		let mut bench = lock(&self.shared.benches).pop().unwrap_or_default();
		let result = work(&mut bench);
		bench.encoder.reset();
		let most = available_parallelism().map_or(1, usize::from);
		let mut benches = lock(&self.shared.benches);
		if self.shared.most_idle > 0 && benches.len() < most {
			benches.push(bench);
		}
		result
	}

	/// A buffer of `len` bytes for the shard in `slot`, with whatever was in it before.
	pub(crate) fn take(&self, slot: usize, len: usize) -> ShardBuffer {
		let kept = len >= MIN_KEPT && self.shared.most_idle > 0;
		let need = len + LINE + PAGE;
		let idle = || lock(&self.shared.idle).pop();
		let bytes = match kept.then(idle).flatten() {
			Some(bytes) if bytes.len() >= need => bytes,
			_ if kept => vec![0; need.max(crate::MAX_SHARD + LINE + PAGE)],
			_ => vec![0; need],
		};
		// Each slot begins at another line, or all thirty would compete for the same few sets of
		// the first-level cache.
		let address = bytes.as_ptr().addr();
		let wanted = slot * LINE % PAGE;
		let start = (wanted + PAGE - address % PAGE) % PAGE;
		ShardBuffer {
			bytes,
			range: (start, start + len),
			home: kept.then(|| self.shared.clone()),
		}
	}
}

/// What encoding a stripe needs besides the memory of its shards. It stays in the second-level cache
/// while a stripe is encoded.
#[derive(Debug)]
pub(crate) struct Workbench {
	pub(crate) encoder: HashingEncoder,
	/// One chunk of each data shard.
	column: Vec<u8>,
}

impl Default for Workbench {
	fn default() -> Self {
		Self {
			encoder: HashingEncoder::new(Codec::shared()),
			column: Vec::new(),
		}
	}
}

impl Workbench {
	/// The encoder, and room for one chunk of each data shard, with whatever was in it before.
	pub(crate) fn column(&mut self) -> (&mut HashingEncoder, [&mut [u8]; DATA_SHARDS]) {
		self.column.resize(DATA_SHARDS * STRIDE + LINE, 0);
		let start = self.column.as_ptr().align_offset(LINE).min(LINE);
		let mut rows = self.column[start..].chunks_mut(STRIDE);
		let rows = core::array::from_fn(|_| match rows.next() {
			Some(row) => &mut row[..crate::CHUNK_LEN],
			None => unreachable!("there is room for ten rows"),
		});
		(&mut self.encoder, rows)
	}
}

/// The memory of one shard.
pub(crate) struct ShardBuffer {
	bytes: Vec<u8>,
	range: (usize, usize),
	home: Option<Arc<Shared>>,
}

impl ShardBuffer {
	/// The shard's bytes, which go back to their pool once the last copy of the result is dropped.
	pub(crate) fn into_bytes(self) -> Bytes {
		Bytes::from_owner(self)
	}
}

impl AsRef<[u8]> for ShardBuffer {
	fn as_ref(&self) -> &[u8] {
		&self.bytes[self.range.0..self.range.1]
	}
}

impl AsMut<[u8]> for ShardBuffer {
	fn as_mut(&mut self) -> &mut [u8] {
		&mut self.bytes[self.range.0..self.range.1]
	}
}

impl Drop for ShardBuffer {
	fn drop(&mut self) {
		let Some(home) = self.home.take() else { return };
		let mut idle = lock(&home.idle);
		if idle.len() < home.most_idle {
			idle.push(std::mem::take(&mut self.bytes));
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::MAX_SHARD;

	#[test]
	fn memory_is_kept_and_bounded() {
		let buffers = ShardBuffers::new(3);
		let take = |len| buffers.take(7, len);
		let shards: Vec<_> = (0..5).map(|_| take(MAX_SHARD).into_bytes()).collect();
		assert_eq!(buffers.idle(), 0);
		let copy = shards[0].slice(9..);
		drop(shards);
		assert_eq!(buffers.idle(), 3);
		drop(copy);
		assert_eq!(buffers.idle(), 3);
		let (a, b) = (take(MAX_SHARD), take(MIN_KEPT));
		assert_eq!(buffers.idle(), 1);
		// Small shards have their own.
		drop(take(MIN_KEPT - 64));
		assert_eq!(buffers.idle(), 1);
		drop((a, b));
		assert_eq!(buffers.idle(), 3);
		let none = ShardBuffers::default();
		drop(none.take(0, MAX_SHARD));
		assert_eq!(none.idle(), 0);
	}

	#[test]
	fn every_slot_begins_at_its_own_line() {
		for buffers in [ShardBuffers::new(30), ShardBuffers::default()] {
			for round in 0..2 {
				let taken: Vec<_> = (0..30).map(|slot| buffers.take(slot, MAX_SHARD)).collect();
				for (slot, buffer) in taken.iter().enumerate() {
					let bytes = buffer.as_ref();
					assert_eq!(bytes.len(), MAX_SHARD, "round {round}");
					assert_eq!(bytes.as_ptr().addr() % PAGE, slot * LINE);
				}
			}
		}
	}
}
