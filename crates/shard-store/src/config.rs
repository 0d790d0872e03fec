//! Sizes and limits of a store.

use crate::{
	disk::Space,
	entry::MAX_VOLUME_BLOCKS,
	error::StoreError,
	frame::{record_blocks, BLOCK},
	key::Namespace,
};
use codec::MaxEncodedLen;
use hippius_primitives::{coding::SHARD_LEN, ShardMeta};
use std::time::Duration;

const MAX_VOLUME: u64 = MAX_VOLUME_BLOCKS as u64 * BLOCK as u64;
/// Largest shard a store may be told to take, in bytes.
const MAX_SHARD: usize = 64 << 20;
const GIB: u64 = 1 << 30;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How much space of the file system is to stay free: the larger of `bytes` and `percent` of its
/// size, but never more than `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
	/// Bytes.
	pub bytes: u64,
	/// Hundredths of the file system.
	pub percent: u8,
	/// Upper limit in bytes, so that a small store does not ask for more than is reasonable.
	pub most: u64,
}

impl Floor {
	/// No floor.
	pub const NONE: Self = Self {
		bytes: 0,
		percent: 0,
		most: 0,
	};

	pub(crate) fn of(&self, space: &Space) -> u64 {
		let share = space.total / 100 * u64::from(self.percent);
		share.max(self.bytes).min(self.most)
	}
}

/// How large a store and its parts may get, and how it looks after itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
	/// Most bytes of disk all volumes together may take; holes do not count.
	pub capacity: u64,
	/// Bytes of one volume, preallocated; a multiple of 4096. The last volume is smaller if
	/// `capacity` leaves less.
	pub volume_size: u64,
	/// Part of the capacity that data may not take: compaction and deletions need it. It counts as
	/// used.
	pub reserve: u64,
	/// Most bytes of live records in each namespace, in the order of [`Namespace::ALL`].
	pub quotas: [u64; Namespace::ALL.len()],
	/// Below this much free space the store takes no new data.
	pub soft_floor: Floor,
	/// Below this much free space no volume is made at all.
	pub hard_floor: Floor,
	/// Bytes of a file that is given up when the file system is full, so that deletions can still
	/// be written; 0 for none. It comes on top of the capacity.
	pub ballast: u64,
	/// Longest shard, in bytes.
	pub max_shard_len: usize,
	/// Bytes of records after which a group commit is closed.
	pub batch_bytes: usize,
	/// How long a group commit waits for puts that are under way.
	pub batch_wait: Duration,
	/// Most puts waiting for the writer; further callers wait.
	pub queue_len: usize,
	/// How long the disk may take to answer before those who wait give up and it is asked for nothing
	/// more until it does.
	pub stall: Duration,
	/// Most volume files held open.
	pub open_files: usize,
	/// How long a deleted record can be restored.
	pub trash_ttl: Duration,
	/// A volume is rewritten if this many hundredths of the space it takes are dead.
	pub compact_percent: u8,
	/// How long a scrub of everything may take.
	pub scrub_period: Duration,
	/// Bytes appended between two snapshots of the index, at least.
	pub snapshot_bytes: u64,
	/// Most files in which damaged records are kept.
	pub quarantine: usize,
	/// Time between two rounds of maintenance.
	pub round: Duration,
	/// Whether a thread does the maintenance; without it [`crate::ShardStore::maintain`] must be
	/// called.
	pub background: bool,
}

impl StoreConfig {
	/// The defaults with this capacity: volumes of 1 GiB, shards of up to 1 MiB, 14 days of trash,
	/// a scrub in 30 days.
	pub fn new(capacity: u64) -> Self {
		Self {
			capacity,
			volume_size: GIB,
			reserve: GIB.min(capacity / 16),
			quotas: [u64::MAX; Namespace::ALL.len()],
			soft_floor: Floor {
				bytes: 20 * GIB,
				percent: 5,
				most: capacity / 4,
			},
			hard_floor: Floor {
				bytes: 0,
				percent: 2,
				most: capacity / 8,
			},
			ballast: GIB.min(capacity / 64),
			max_shard_len: SHARD_LEN,
			batch_bytes: 8 << 20,
			batch_wait: Duration::from_millis(2),
			queue_len: 64,
			stall: Duration::from_secs(10),
			open_files: 256,
			trash_ttl: 14 * DAY,
			compact_percent: 50,
			scrub_period: 30 * DAY,
			snapshot_bytes: GIB,
			quarantine: 64,
			round: Duration::from_secs(1),
			background: true,
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
		if self.reserve > self.capacity / 2 {
			return fail(format!(
				"reserve is {}: choose at most half of the capacity",
				self.reserve
			));
		}
		if self.batch_bytes == 0 || self.queue_len == 0 || self.open_files == 0 {
			return fail("batch_bytes, queue_len and open_files must not be 0".into());
		}
		if self.stall.is_zero() {
			return fail("stall must be more than zero".into());
		}
		if !(1..=100).contains(&self.compact_percent) {
			return fail(format!(
				"compact_percent is {}: choose 1 to 100",
				self.compact_percent
			));
		}
		Ok(())
	}
}
