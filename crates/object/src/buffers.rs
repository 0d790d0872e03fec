//! Memory that shards are made in.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Shards of at least this many bytes take a buffer that is kept for the next stripe; smaller ones
/// are cheaper to allocate than to find.
const MIN_KEPT: usize = 64 * 1024;
/// Bytes of a cache line: buffers begin at one, and vectors loaded from them never straddle two.
const LINE: usize = 64;
/// Addresses this far apart compete for the same lines of the first-level cache.
const PAGE: usize = 4096;

/// Keeps the memory of shards that are gone for the shards of later stripes, so that the system need
/// not clear 30 MiB of fresh pages per stripe. Cheap to clone; clones share the memory.
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
}

impl ShardBuffers {
	/// Keeps the memory of at most so many shards, 1 MiB each. With 0, nothing is kept.
	pub fn new(most_idle: usize) -> Self {
		let shared = Shared {
			idle: Mutex::default(),
			most_idle,
		};
		Self {
			shared: Arc::new(shared),
		}
	}

	/// Shards whose memory is kept and not in use.
	pub fn idle(&self) -> usize {
		let idle = self.shared.idle.lock();
		idle.unwrap_or_else(PoisonError::into_inner).len()
	}

	/// A buffer of `len` bytes for the shard in `slot`, with whatever was in it before.
	pub(crate) fn take(&self, slot: usize, len: usize) -> ShardBuffer {
		let kept = len >= MIN_KEPT && self.shared.most_idle > 0;
		let need = len + LINE + PAGE;
		let idle = || {
			let idle = self.shared.idle.lock();
			idle.unwrap_or_else(PoisonError::into_inner).pop()
		};
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
		let mut idle = home.idle.lock().unwrap_or_else(PoisonError::into_inner);
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
