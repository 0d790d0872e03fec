//! What a store does by itself: purge, holes, compaction, scrub, snapshots.

use crate::{
	engine::Engine,
	error::StoreError,
	index::TABLES,
	open::SNAPSHOT,
	shared::Shared,
	snapshot::{encode_table, hasher, Front},
	space, volume,
};
use std::{
	collections::BTreeSet,
	sync::{atomic::Ordering::Relaxed, Arc, Condvar, Mutex, PoisonError},
};

/// Bytes written at once to a snapshot.
const CHUNK: usize = 1 << 20;
/// A snapshot may cost one byte for this many appended ones.
const SNAPSHOT_SHARE: u64 = 16;

/// What a round of maintenance did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
	/// Records whose time in the trash was up.
	pub purged: u64,
	/// Dropped records turned into holes.
	pub punched: u64,
	/// The volume that was compacted.
	pub compacted: Option<u32>,
	/// Records checked by the scrub.
	pub scrubbed: u64,
	/// Whether the index was saved.
	pub snapshot: bool,
}

/// The thread that does the rounds.
pub(crate) struct Rounds {
	stop: Mutex<bool>,
	bell: Condvar,
}

impl Rounds {
	pub(crate) fn new() -> Arc<Self> {
		Arc::new(Self {
			stop: Mutex::new(false),
			bell: Condvar::new(),
		})
	}

	pub(crate) fn stop(&self) {
		*self.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
		self.bell.notify_all();
	}

	pub(crate) fn run(&self, engine: &Engine) {
		let mut skip = BTreeSet::new();
		let round = engine.shared.config.round;
		loop {
			let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
			let waited = self.bell.wait_timeout_while(stop, round, |stop| !*stop);
			let (stop, _) = waited.unwrap_or_else(PoisonError::into_inner);
			if *stop {
				return;
			}
			drop(stop);
			engine.maintain(&mut skip);
		}
	}
}

fn or_log<T: Default>(what: &str, result: Result<T, StoreError>) -> T {
	result.unwrap_or_else(|error| {
		tracing::warn!(%error, "{what}");
		T::default()
	})
}

impl Engine {
	/// One round. Each step that fails is logged and tried again by a later round.
	pub(crate) fn maintain(&self, skip: &mut BTreeSet<u32>) -> Maintenance {
		let mut done = Maintenance {
			purged: or_log("cannot purge the trash", self.purge_due()),
			punched: or_log("cannot make holes", self.punch()),
			..Maintenance::default()
		};
		done.compacted = or_log("compaction stopped", self.compact(skip));
		done.scrubbed = or_log("scrub stopped", self.scrub());
		if self.snapshot_due() {
			done.snapshot = or_log(
				"cannot save the index",
				save_snapshot(&self.shared).map(|()| true),
			);
		}
		or_log(
			"cannot make the ballast",
			space::renew_ballast(&self.shared),
		);
		done
	}

	fn snapshot_due(&self) -> bool {
		let cost = {
			let index = self.shared.index();
			(0..TABLES)
				.map(|table| index.table_len(table) as u64 * 16)
				.sum::<u64>()
		};
		let since = self.shared.counters.since_snapshot.load(Relaxed);
		since >= self.shared.config.snapshot_bytes.max(cost * SNAPSHOT_SHARE)
	}
}

/// Writes the index to its file.
pub(crate) fn save_snapshot(shared: &Shared) -> Result<(), StoreError> {
	let since = shared.counters.since_snapshot.load(Relaxed);
	let front = Front::of(&shared.index());
	let mut hasher = hasher(&shared.key);
	volume::create_file(&*shared.disk, SNAPSHOT, 0, |file| {
		let mut buf = front.encode();
		let mut offset = 0;
		for table in 0..TABLES {
			encode_table(&shared.index(), table, &mut buf);
			if buf.len() >= CHUNK || table + 1 == TABLES {
				hasher.update(&buf);
				file.write_at(&[&buf], offset)?;
				offset += buf.len() as u64;
				buf.clear();
			}
		}
		file.write_at(&[hasher.finalize().as_bytes()], offset)
	})?;
	let mut index = shared.index_mut();
	let complete = front
		.volumes
		.iter()
		.filter(|(_, stat)| stat.closed || stat.sealed);
	for (number, _) in complete {
		if let Some(stat) = index.volumes.get_mut(number) {
			stat.saved = true;
		}
	}
	drop(index);
	shared.counters.since_snapshot.fetch_sub(since, Relaxed);
	shared.add(|c| &c.snapshots, 1);
	Ok(())
}
