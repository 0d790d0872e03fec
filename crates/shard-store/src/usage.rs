//! How full a store is.

use crate::{frame::BLOCK, index::Count, key::Namespace, shared::Shared};
use std::sync::atomic::Ordering::Relaxed;

/// How full a store is, and what has happened to it since it was opened. Bytes, and exact: counters
/// that follow every change of the index, not an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
	/// Most the volumes may take on disk.
	pub capacity: u64,
	/// What they take now, preallocated, less their holes.
	pub allocated: u64,
	/// What the records that count take.
	pub used: u64,
	/// What data can still take.
	pub free: u64,
	/// Records that count.
	pub shards: u64,
	/// Bytes of records that count, by namespace, in the order of [`Namespace::ALL`].
	pub by_namespace: [u64; Namespace::ALL.len()],
	/// Records in the trash.
	pub trash: u64,
	/// What they take.
	pub trash_bytes: u64,
	/// What is neither live, nor in the trash, nor free, nor a hole: compaction gets it back.
	pub dead_bytes: u64,
	/// Volumes.
	pub volumes: u64,
	/// Memory of the index.
	pub index_bytes: u64,
	/// Shards stored since start.
	pub puts: u64,
	/// Syncs those took.
	pub commits: u64,
	/// Puts that wait for the writer now.
	pub waiting: u64,
	/// Requests in the writer's queue: also those nobody waits for any more.
	pub queued: u64,
	/// Whether the disk does not answer.
	pub stalled: bool,
	/// Records found damaged and dropped.
	pub corrupt: u64,
	/// Damaged records of which a copy is kept.
	pub quarantined: u64,
	/// Records with a damaged frame or outboard that were written anew.
	pub rewritten: u64,
	/// Records found torn behind the last sync at start; none of them had been acknowledged.
	pub torn: u64,
	/// Damaged places found at start.
	pub damaged: u64,
	/// Volumes closed for writing by an I/O error.
	pub sealed: u64,
	/// Reads the operating system refused.
	pub read_errors: u64,
	/// Records dropped because their time in the trash was up.
	pub purged: u64,
	/// Volumes rewritten and removed.
	pub compacted: u64,
	/// Bytes the scrub has checked.
	pub scrubbed_bytes: u64,
	/// Passes the scrub has done.
	pub scrub_passes: u64,
	/// Times the index was saved.
	pub snapshots: u64,
}

impl Usage {
	pub(crate) fn of(shared: &Shared) -> Self {
		let block = BLOCK as u64;
		let counters = &shared.counters;
		let index = shared.index();
		let records = |counts: &[Count]| counts.iter().map(|count| count.records).sum();
		let bytes = |counts: &[Count]| counts.iter().map(|count| count.blocks * block).sum();
		let (used, trash_bytes): (u64, u64) = (bytes(&index.live), bytes(&index.trashed));
		let allocated = index.allocated * block;
		let room = counters.room.load(Relaxed);
		let mut usage = Self {
			capacity: shared.config.capacity,
			allocated,
			used,
			shards: records(&index.live),
			by_namespace: index.live.map(|count| count.blocks * block),
			trash: records(&index.trashed),
			trash_bytes,
			dead_bytes: allocated.saturating_sub(used + trash_bytes + room),
			volumes: index.volumes.len() as u64,
			index_bytes: index.memory(),
			..Self::default()
		};
		drop(index);
		usage.free = shared.free_for_data();
		usage.puts = counters.puts.load(Relaxed);
		usage.commits = counters.commits.load(Relaxed);
		usage.waiting = counters.waiting.load(Relaxed);
		usage.queued = shared.pending.queued() as u64;
		usage.stalled = shared.pending.is_stalled(shared.config.stall);
		usage.corrupt = counters.corrupt.load(Relaxed);
		usage.quarantined = counters.quarantined.load(Relaxed);
		usage.rewritten = counters.rewritten.load(Relaxed);
		usage.torn = counters.torn.load(Relaxed);
		usage.damaged = counters.damaged.load(Relaxed);
		usage.sealed = counters.sealed.load(Relaxed);
		usage.read_errors = counters.read_errors.load(Relaxed);
		usage.purged = counters.purged.load(Relaxed);
		usage.compacted = counters.compacted.load(Relaxed);
		usage.scrubbed_bytes = counters.scrubbed_bytes.load(Relaxed);
		usage.scrub_passes = counters.scrub_passes.load(Relaxed);
		usage.snapshots = counters.snapshots.load(Relaxed);
		usage
	}

	/// Adds another store's numbers.
	pub(crate) fn add(&mut self, other: &Self) {
		for (own, other) in self.by_namespace.iter_mut().zip(other.by_namespace) {
			*own += other;
		}
		self.capacity += other.capacity;
		self.allocated += other.allocated;
		self.used += other.used;
		self.free += other.free;
		self.shards += other.shards;
		self.trash += other.trash;
		self.trash_bytes += other.trash_bytes;
		self.dead_bytes += other.dead_bytes;
		self.volumes += other.volumes;
		self.index_bytes += other.index_bytes;
		self.puts += other.puts;
		self.commits += other.commits;
		self.waiting += other.waiting;
		self.queued += other.queued;
		self.stalled |= other.stalled;
		self.corrupt += other.corrupt;
		self.quarantined += other.quarantined;
		self.rewritten += other.rewritten;
		self.torn += other.torn;
		self.damaged += other.damaged;
		self.sealed += other.sealed;
		self.read_errors += other.read_errors;
		self.purged += other.purged;
		self.compacted += other.compacted;
		self.scrubbed_bytes += other.scrubbed_bytes;
		self.scrub_passes += other.scrub_passes;
		self.snapshots += other.snapshots;
	}
}
