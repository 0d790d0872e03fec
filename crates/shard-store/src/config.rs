//! Sizes of a store.

use crate::{error::StoreError, format::record_blocks, format::BLOCK};
use codec::MaxEncodedLen;
use hippius_primitives::{coding::SHARD_LEN, ShardMeta};

/// Largest volume, in bytes.
const MAX_VOLUME: u64 = 64 << 30;
/// Largest shard a store may be told to take, in bytes.
const MAX_SHARD: usize = 64 << 20;

/// How large a store and its parts may get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
	/// Most bytes of disk all volumes together may take.
	pub capacity: u64,
	/// Bytes of one volume, preallocated; a multiple of 4096. The last volume is smaller if
	/// `capacity` leaves less.
	pub volume_size: u64,
	/// Longest shard, in bytes.
	pub max_shard_len: usize,
	/// Bytes of records after which a group commit is closed.
	pub batch_bytes: usize,
	/// Most puts waiting for the writer; further callers wait.
	pub queue_len: usize,
}

impl StoreConfig {
	/// The defaults with this capacity: volumes of 1 GiB, shards of up to 1 MiB.
	pub fn new(capacity: u64) -> Self {
		Self {
			capacity,
			volume_size: 1 << 30,
			max_shard_len: SHARD_LEN,
			batch_bytes: 8 << 20,
			queue_len: 64,
		}
	}

	/// Smallest volume that can hold one record of the longest shard.
	fn min_volume(&self) -> u64 {
		let record = record_blocks(ShardMeta::max_encoded_len(), self.max_shard_len);
		// One block for the volume's own header, one for its end mark.
		(u64::from(record) + 2) * BLOCK as u64
	}

	/// Refuses sizes that cannot work, naming field and remedy.
	pub fn validate(&self) -> Result<(), StoreError> {
		let fail = |message: String| Err(StoreError::Config(message));
		if self.max_shard_len == 0 || self.max_shard_len > MAX_SHARD {
			return fail(format!(
				"max_shard_len is {}: choose 1 to {MAX_SHARD} bytes",
				self.max_shard_len
			));
		}
		if !self.volume_size.is_multiple_of(BLOCK as u64) {
			return fail(format!(
				"volume_size is {}: choose a multiple of {BLOCK}",
				self.volume_size
			));
		}
		let least = self.min_volume();
		if self.volume_size < least || self.volume_size > MAX_VOLUME {
			return fail(format!(
				"volume_size is {}: choose {least} to {MAX_VOLUME} bytes",
				self.volume_size
			));
		}
		if self.capacity < least {
			return fail(format!(
				"capacity is {}: at least {least} bytes are needed",
				self.capacity
			));
		}
		if self.batch_bytes == 0 || self.queue_len == 0 {
			return fail("batch_bytes and queue_len must not be 0".into());
		}
		Ok(())
	}
}
