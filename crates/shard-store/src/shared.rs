//! What the callers' threads, the writer and the maintenance share.

use crate::{
	buffer::Buffers,
	clock::Clock,
	config::StoreConfig,
	disk::Disk,
	entry::{Entry, Spot},
	error::StoreError,
	frame::BLOCK,
	index::Index,
	key::{Key, StoreKey},
	stall::Pending,
	volume::Files,
};
use hippius_primitives::StripeId;
use std::{
	collections::{BTreeSet, VecDeque},
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
		Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
	},
};

/// Most findings kept for whoever repairs; older ones go first.
const FINDINGS: usize = 10_000;

/// Why a record has to be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
	/// Its bytes are wrong; it was dropped.
	Corrupt,
	/// The disk refuses to read it; it is still here.
	Unreadable,
}

/// A record that has to be repaired from its stripe's other shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
	/// The record's key; `None` if nothing of the record can be read any more.
	pub key: Option<Key>,
	/// Its stripe, if it is a shard and that is known.
	pub stripe: Option<StripeId>,
	/// What is wrong.
	pub fault: Fault,
}

#[derive(Default)]
pub(crate) struct Counters {
	pub(crate) puts: AtomicU64,
	pub(crate) commits: AtomicU64,
	pub(crate) waiting: AtomicU64,
	/// Puts that have not reached the writer's queue.
	pub(crate) arriving: AtomicU64,
	pub(crate) corrupt: AtomicU64,
	pub(crate) torn: AtomicU64,
	pub(crate) damaged: AtomicU64,
	pub(crate) sealed: AtomicU64,
	pub(crate) read_errors: AtomicU64,
	/// Set while a volume has a part of which nobody knows whether the next start will find it: what
	/// is held must be written again to be acknowledged, for that part may speak against it.
	pub(crate) doubtful: AtomicBool,
	pub(crate) rewritten: AtomicU64,
	pub(crate) compacted: AtomicU64,
	pub(crate) purged: AtomicU64,
	pub(crate) quarantined: AtomicU64,
	pub(crate) scrubbed_bytes: AtomicU64,
	pub(crate) scrub_passes: AtomicU64,
	pub(crate) snapshots: AtomicU64,
	/// Bytes of the active volume that can still take records.
	pub(crate) room: AtomicU64,
	/// Bytes appended since the last snapshot.
	pub(crate) since_snapshot: AtomicU64,
}

pub(crate) struct Shared {
	pub(crate) disk: Arc<dyn Disk>,
	pub(crate) clock: Arc<dyn Clock>,
	pub(crate) key: StoreKey,
	pub(crate) config: StoreConfig,
	pub(crate) counters: Counters,
	pub(crate) files: Files,
	pub(crate) buffers: Arc<Buffers>,
	pub(crate) pending: Pending,
	index: RwLock<Index>,
	/// Entries of damaged records, already out of the index, whose end the writer has yet to record.
	drops: Mutex<Vec<Entry>>,
	findings: Mutex<VecDeque<Finding>>,
	/// Records that the disk refused to read: storing them again is not held to be a repetition.
	suspects: Mutex<BTreeSet<Spot>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// A panic while one of the locks is held cannot leave them half changed: every change is one call.
impl Shared {
	pub(crate) fn new(
		disk: Arc<dyn Disk>,
		clock: Arc<dyn Clock>,
		key: StoreKey,
		config: StoreConfig,
		index: Index,
	) -> Self {
		Self {
			files: Files::new(disk.clone(), key, config.open_files),
			disk,
			clock,
			key,
			config,
			counters: Counters::default(),
			buffers: Arc::default(),
			pending: Pending::default(),
			index: RwLock::new(index),
			drops: Mutex::default(),
			findings: Mutex::default(),
			suspects: Mutex::default(),
		}
	}

	pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
		self.index.read().unwrap_or_else(PoisonError::into_inner)
	}

	pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
		self.index.write().unwrap_or_else(PoisonError::into_inner)
	}

	pub(crate) fn drops(&self) -> MutexGuard<'_, Vec<Entry>> {
		locked(&self.drops)
	}

	pub(crate) fn suspects(&self) -> MutexGuard<'_, BTreeSet<Spot>> {
		locked(&self.suspects)
	}

	/// What whoever waits for the disk is told.
	pub(crate) fn stalled(&self) -> StoreError {
		let (path, after) = (self.disk.describe(""), self.config.stall);
		if self.pending.is_news() {
			tracing::error!(path, ?after, "a disk does not answer");
		}
		StoreError::Stalled { path, after }
	}

	/// Refuses if the disk does not answer.
	pub(crate) fn check_answers(&self) -> Result<(), StoreError> {
		match self.pending.is_stalled(self.config.stall) {
			true => Err(self.stalled()),
			false => Ok(()),
		}
	}

	/// Whether a record need not be stored again.
	pub(crate) fn is_held(&self, entry: &Entry) -> bool {
		!entry.is_trash()
			&& !self.counters.doubtful.load(Relaxed)
			&& !self.suspects().contains(&entry.spot())
	}

	/// Unix seconds.
	pub(crate) fn now(&self) -> u64 {
		self.clock.now().as_secs()
	}

	/// Bytes all volumes take, holes not counted.
	pub(crate) fn allocated(&self) -> u64 {
		self.index().allocated * BLOCK as u64
	}

	/// Bytes that can still be written: what the active volume has left, and volumes not yet made.
	pub(crate) fn free(&self) -> u64 {
		self.counters.room.load(Relaxed) + self.config.capacity.saturating_sub(self.allocated())
	}

	/// Bytes of those that data may take.
	pub(crate) fn free_for_data(&self) -> u64 {
		self.free().saturating_sub(self.config.reserve)
	}

	/// Has a finding kept for whoever repairs.
	pub(crate) fn report(&self, finding: Finding) {
		let mut findings = locked(&self.findings);
		if findings.len() >= FINDINGS {
			findings.pop_front();
		}
		if !findings.contains(&finding) {
			findings.push_back(finding);
		}
	}

	/// Gives out up to `most` findings, oldest first.
	pub(crate) fn take_findings(&self, most: usize) -> Vec<Finding> {
		let mut findings = locked(&self.findings);
		let most = most.min(findings.len());
		findings.drain(..most).collect()
	}

	pub(crate) fn add(&self, counter: impl FnOnce(&Counters) -> &AtomicU64, by: u64) {
		counter(&self.counters).fetch_add(by, Relaxed);
	}
}
