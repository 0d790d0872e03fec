//! A store on a simulated disk beside a model of what it must and may hold.

use super::{
	clock, shard,
	sim::{Faults, SimDisk},
};
use arion_shard_store::{Key, ManualClock, PutOutcome, ShardStore, StoreConfig, StoreError};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};

/// What a record may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
	Absent,
	Live,
	Trash,
}

use State::{Absent, Live, Trash};

#[derive(Clone, Debug)]
pub struct Known {
	/// One of these is true now.
	now: BTreeSet<State>,
	/// What was tried and refused: a restart may find it done.
	pending: BTreeSet<State>,
}

impl Default for Known {
	fn default() -> Self {
		Self {
			now: [Absent].into(),
			pending: BTreeSet::new(),
		}
	}
}

#[derive(Clone, Debug)]
pub enum Op {
	Put(u64),
	Get(u64),
	Range(u64),
	/// Two threads store two shards at once.
	PutBoth(u64, u64),
	Delete(u64),
	Restore(u64),
	Purge(u64),
	/// So many days pass.
	Days(u64),
	Maintain,
	Scrub,
	Snapshot,
	/// Closed in good order.
	Reopen,
	/// Killed; what was written but not synced is still there.
	Kill,
	PowerCut,
	FailWrite(u32),
	FailSync(u32),
	NoSpace(bool),
	Flip(u64),
}

pub struct World {
	pub disk: Arc<SimDisk>,
	pub clock: Arc<ManualClock>,
	pub config: StoreConfig,
	pub store: Option<Arc<ShardStore>>,
	known: BTreeMap<u64, Known>,
	/// Bits were turned over: records may be lost, but never wrong.
	pub flipped: bool,
	/// Whether a kill in the middle of an access cuts the power, too.
	pub cut: bool,
}

impl World {
	pub fn new(seed: u64, config: StoreConfig, faults: Faults) -> Self {
		let disk = SimDisk::new(seed);
		disk.set_faults(faults);
		let mut world = Self {
			disk,
			clock: clock(),
			config,
			store: None,
			known: BTreeMap::new(),
			flipped: false,
			cut: false,
		};
		world.open();
		world
	}

	/// Opens the store if the disk lets it.
	pub fn open(&mut self) {
		let opened =
			ShardStore::open_on(self.disk.clone(), self.clock.clone(), self.config.clone());
		match opened {
			Ok(store) => self.store = Some(Arc::new(store)),
			Err(StoreError::Io { .. }) => self.store = None,
			Err(error) => panic!("open: {error}"),
		}
	}

	pub fn restart(&mut self, kill: bool, cut: bool) {
		if kill {
			self.disk.die();
		}
		self.store = None;
		if cut {
			self.disk.power_cut();
		}
		self.disk.revive();
		let fail_at = self.disk.faults().fail_at.filter(|_| !kill && !cut);
		self.disk.set_faults(Faults {
			fail_at,
			..Faults::default()
		});
		let accesses = self.disk.accesses();
		let fault = self.disk.faults().fail_at.map(|(at, _)| at);
		for known in self.known.values_mut() {
			known.now.extend(&known.pending);
		}
		self.open();
		if fault.is_some_and(|at| (accesses..self.disk.accesses()).contains(&at)) {
			// What this start could not read or mend, the next one must.
			return self.restart(self.disk.is_dead(), self.cut);
		}
		for known in self.known.values_mut() {
			known.pending.clear();
		}
		assert!(self.store.is_some(), "a sound disk and no store");
	}

	fn refused(&self, error: &StoreError) {
		let expected = matches!(
			error,
			StoreError::Io { .. } | StoreError::InsufficientStorage { .. } | StoreError::Closed
		);
		assert!(expected || self.flipped, "{error}");
	}

	fn put_outcome(&mut self, number: u64, outcome: Result<PutOutcome, StoreError>) {
		match outcome {
			Ok(_) => self.set(number, Live),
			Err(error) => {
				self.refused(&error);
				self.known.entry(number).or_default().pending.insert(Live);
			}
		}
	}

	fn set(&mut self, number: u64, state: State) {
		let known = self.known.entry(number).or_default();
		known.now = [state].into();
		known.pending.clear();
	}

	/// A change of state from one of `from` to `to` that changed so many records.
	fn changed(
		&mut self,
		number: u64,
		from: &[State],
		to: State,
		outcome: Result<usize, StoreError>,
	) {
		let flipped = self.flipped;
		let known = self.known.entry(number).or_default();
		let could = known.now.iter().any(|state| from.contains(state));
		match outcome {
			Ok(0) => {
				known.now.retain(|state| !from.contains(state));
				if known.now.is_empty() {
					assert!(flipped, "{number} was not there to become {to:?}");
					known.now.insert(Absent);
				}
			}
			Ok(_) => {
				assert!(could || flipped, "{number} was there to become {to:?}");
				self.set(number, to);
			}
			Err(error) => {
				if could {
					known.pending.insert(to);
				}
				self.refused(&error);
			}
		}
	}

	pub fn apply(&mut self, op: &Op) {
		if self.store.is_none() && !self.disk.is_dead() {
			self.open();
		}
		let Some(store) = self.store.clone() else {
			// The disk is dead: only a restart helps.
			if let Op::Kill | Op::Reopen | Op::PowerCut = op {
				self.restart(true, matches!(op, Op::PowerCut));
			}
			return;
		};
		let key = |number: u64| Key::from(shard(number).2);
		match *op {
			Op::Put(number) => {
				let (meta, data, _) = shard(number);
				self.put_outcome(number, store.put(&meta, &data));
			}
			Op::PutBoth(a, b) => {
				let other = store.clone();
				let second = std::thread::spawn(move || {
					let (meta, data, _) = shard(b);
					other.put(&meta, &data)
				});
				let (meta, data, _) = shard(a);
				let first = store.put(&meta, &data);
				self.put_outcome(a, first);
				self.put_outcome(b, second.join().unwrap());
			}
			Op::Get(number) => self.check(number),
			Op::Range(number) => self.check_range(number),
			Op::Delete(n) => self.changed(n, &[Live], Trash, store.delete(&key(n), None)),
			Op::Restore(n) => self.changed(n, &[Trash], Live, store.restore(&key(n), None)),
			Op::Purge(n) => self.changed(n, &[Live, Trash], Absent, store.purge(&key(n), None)),
			Op::Days(days) => {
				self.clock.advance(Duration::from_secs(days * 86_400));
			}
			Op::Maintain => {
				for known in self.known.values_mut() {
					// How long each has been there is checked by a test of its own.
					if known.now.contains(&Trash) {
						known.now.insert(Absent);
					}
				}
				store.maintain().unwrap();
			}
			Op::Scrub => match store.scrub() {
				Ok(_) => {}
				Err(error) => self.refused(&error),
			},
			Op::Snapshot => match store.snapshot() {
				Ok(()) => {}
				Err(error) => self.refused(&error),
			},
			Op::Reopen | Op::Kill | Op::PowerCut => {
				drop(store);
				self.restart(!matches!(op, Op::Reopen), matches!(op, Op::PowerCut));
				return;
			}
			Op::FailWrite(n) => self.disk.set_faults(Faults {
				write_in: Some(n),
				..Default::default()
			}),
			Op::FailSync(n) => self.disk.set_faults(Faults {
				sync_in: Some(n),
				..Default::default()
			}),
			Op::NoSpace(on) => self.disk.set_faults(Faults {
				no_space: on,
				..Default::default()
			}),
			Op::Flip(at) => {
				let volumes = self.disk.volumes();
				if let Some(volume) = volumes.get(at as usize % volumes.len().max(1)) {
					self.flipped = true;
					let bits = self.disk.len(volume) * 8;
					self.disk.flip(volume, (at / 7) % bits);
				}
			}
		}
		let usage = store.usage();
		assert!(
			usage.used + usage.trash_bytes <= usage.allocated,
			"{usage:?}"
		);
		assert!(usage.allocated <= usage.capacity, "{usage:?}");
	}

	fn observe(&mut self, number: u64, live: bool) {
		let known = self.known.entry(number).or_default();
		known.now.retain(|state| (*state == Live) == live);
		if known.now.is_empty() {
			assert!(self.flipped && !live, "{number} is lost, or has come back");
			known.now.insert(Absent);
		}
	}

	/// Asks for a shard.
	pub fn check(&mut self, number: u64) {
		let Some(store) = self.store.clone() else {
			return;
		};
		let (meta, data, id) = shard(number);
		match store.get(&id) {
			Ok(Some(found)) => {
				assert!(found == (meta.clone(), data), "{number} has changed");
				self.observe(number, true);
				match store.stripe(&meta.stripe) {
					Ok(metas) => assert!(metas == [meta] || self.flipped),
					Err(error) => self.refused(&error),
				}
			}
			Ok(None) => {
				self.observe(number, false);
				assert!(!store.has(&id));
			}
			Err(StoreError::Corrupt(_)) => {
				assert!(
					self.flipped && !store.has(&id),
					"{number} is damaged: {:?} {:?}",
					self.known.get(&number),
					store.usage(),
				);
				self.observe(number, false);
			}
			Err(error) => self.refused(&error),
		}
	}

	fn check_range(&mut self, number: u64) {
		let Some(store) = self.store.clone() else {
			return;
		};
		let (_, data, id) = shard(number);
		let (start, end) = (data.len() / 3, data.len() - data.len() / 4);
		match store.read_range(&id.into(), start as u64..end as u64) {
			Ok(Some(found)) => {
				assert!(found == data[start..end], "{number} has changed");
				self.observe(number, true);
			}
			Ok(None) => self.observe(number, false),
			Err(StoreError::Corrupt(_)) => {
				assert!(self.flipped);
				self.observe(number, false);
			}
			Err(error) => self.refused(&error),
		}
	}

	/// Everything, after a restart of each kind.
	pub fn finish(&mut self, numbers: u64) {
		for (kill, cut) in [(false, false), (true, true), (false, true)] {
			self.restart(kill, cut);
			for number in 0..numbers {
				let corrupt = || self.store.as_ref().map(|store| store.usage().corrupt);
				let before = corrupt();
				let was = self.known.get(&number).cloned();
				self.check(number);
				let after = self.store.as_ref().map(|store| store.usage().corrupt);
				assert!(
					before == after || self.flipped,
					"{number} {kill} {cut} {before:?} {was:?}"
				);
			}
			if let (Some(store), false) = (&self.store, self.flipped) {
				let usage = store.usage();
				assert_eq!(usage.corrupt, 0);
				let mut listed = BTreeSet::new();
				let mut from = None;
				loop {
					let page = store.inventory(from, 3).unwrap();
					assert_eq!(page.unreadable, 0);
					listed.extend(page.items.iter().map(|item| item.key));
					from = page.next;
					if from.is_none() {
						break;
					}
				}
				let live = (0..numbers).filter(|n| store.has(&shard(*n).2));
				let live: BTreeSet<Key> = live.map(|n| shard(n).2.into()).collect();
				assert_eq!(listed, live);
				// A header that could not be read for once lets a record be stored twice.
				assert!(usage.shards >= live.len() as u64);
			}
		}
	}
}
