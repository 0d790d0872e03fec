//! Which records hold what, in memory. A cache of what the volumes say: rebuilt from a snapshot and
//! the volumes' tails when a store is opened.

use crate::{
	entry::{Entry, Spot},
	key::Namespace,
	table::Table,
};
use std::collections::{BTreeMap, BTreeSet};

/// Tables the index is split into, by a fingerprint's first byte: each grows, and is copied to a
/// snapshot, by itself.
pub(crate) const TABLES: usize = 256;

/// What is known of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
	/// Length.
	pub(crate) blocks: u32,
	/// Everything before this block is durable, and in the index if it counts.
	pub(crate) mark: u32,
	/// Nothing is appended any more.
	pub(crate) closed: bool,
	/// An I/O error closed it.
	pub(crate) sealed: bool,
	/// All that was written to it is in the index's file.
	pub(crate) saved: bool,
	/// Blocks given back to the file system.
	pub(crate) punched: u32,
	/// Blocks of records that count, and of those in the trash.
	pub(crate) live: u32,
	pub(crate) trash: u32,
}

impl Stat {
	/// Blocks it takes on disk.
	pub(crate) fn allocated(&self) -> u32 {
		self.blocks.saturating_sub(self.punched)
	}

	/// Blocks that a compaction would give back.
	pub(crate) fn dead(&self) -> u32 {
		self.allocated()
			.saturating_sub(self.live)
			.saturating_sub(self.trash)
	}
}

/// Records and blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
	pub(crate) records: u64,
	pub(crate) blocks: u64,
}

impl Count {
	fn change(&mut self, entry: &Entry, add: bool) {
		let blocks = u64::from(entry.blocks());
		if add {
			self.records += 1;
			self.blocks += blocks;
		} else {
			self.records = self.records.saturating_sub(1);
			self.blocks = self.blocks.saturating_sub(blocks);
		}
	}
}

pub(crate) struct Index {
	tables: Vec<Table>,
	/// By namespace.
	pub(crate) live: [Count; Namespace::ALL.len()],
	pub(crate) trashed: [Count; Namespace::ALL.len()],
	pub(crate) volumes: BTreeMap<u32, Stat>,
	/// When the records in the trash were put there, in Unix seconds.
	pub(crate) trash: BTreeMap<Spot, u64>,
	/// Dropped records that have yet to become holes.
	pub(crate) to_punch: BTreeSet<Spot>,
	/// Blocks of all volumes that are not holes.
	pub(crate) allocated: u64,
}

impl Default for Index {
	fn default() -> Self {
		Self {
			tables: (0..TABLES).map(|_| Table::default()).collect(),
			live: Default::default(),
			trashed: Default::default(),
			volumes: BTreeMap::new(),
			trash: BTreeMap::new(),
			to_punch: BTreeSet::new(),
			allocated: 0,
		}
	}
}

fn table_of(fp: u64) -> usize {
	(fp >> 56) as usize
}

impl Index {
	fn count(&mut self, entry: &Entry, add: bool) {
		if entry.is_stripe() {
			return;
		}
		let namespace = entry.namespace().slot();
		let (counts, trash) = if entry.is_trash() {
			(&mut self.trashed, true)
		} else {
			(&mut self.live, false)
		};
		if let Some(count) = counts.get_mut(namespace) {
			count.change(entry, add);
		}
		if let Some(stat) = self.volumes.get_mut(&entry.place().volume) {
			let blocks = if trash {
				&mut stat.trash
			} else {
				&mut stat.live
			};
			*blocks = if add {
				*blocks + entry.blocks()
			} else {
				blocks.saturating_sub(entry.blocks())
			};
		}
	}

	/// Makes room for so many entries in a table.
	pub(crate) fn reserve(&mut self, table: usize, entries: usize) {
		if let Some(table) = self.tables.get_mut(table).filter(|table| table.len() == 0) {
			*table = Table::with_room(entries);
		}
	}

	/// Adds an entry, unless it is there.
	pub(crate) fn insert(&mut self, entry: Entry) {
		let Some(table) = self.tables.get_mut(table_of(entry.fp)) else {
			return;
		};
		if table.get_mut(&entry).is_none() {
			table.insert(entry);
			self.count(&entry, true);
		}
	}

	/// Adds an entry of which the caller knows that it is new.
	pub(crate) fn insert_new(&mut self, entry: Entry) {
		if let Some(table) = self.tables.get_mut(table_of(entry.fp)) {
			table.insert(entry);
			self.count(&entry, true);
		}
	}

	/// Takes an entry out; gives it as it was.
	pub(crate) fn remove(&mut self, entry: &Entry) -> Option<Entry> {
		let removed = self.tables.get_mut(table_of(entry.fp))?.remove(entry)?;
		self.count(&removed, false);
		if !removed.is_stripe() {
			self.trash.remove(&removed.spot());
		}
		Some(removed)
	}

	/// Puts an entry into the trash or takes it out; tells whether that was a change.
	pub(crate) fn set_trash(&mut self, entry: &Entry, since: Option<u64>) -> bool {
		let trash = since.is_some();
		let Some(found) = self.tables.get_mut(table_of(entry.fp)) else {
			return false;
		};
		let Some(known) = found.get_mut(entry) else {
			return false;
		};
		let old = *known;
		if old.is_trash() == trash {
			if let (Some(since), false) = (since, old.is_stripe()) {
				self.trash.entry(old.spot()).or_insert(since);
			}
			return false;
		}
		*known = old.with_trash(trash);
		self.count(&old, false);
		self.count(&old.with_trash(trash), true);
		if !old.is_stripe() {
			match since {
				Some(since) => _ = self.trash.insert(old.spot(), since),
				None => _ = self.trash.remove(&old.spot()),
			}
		}
		true
	}

	/// The entry as it stands, if it is there.
	pub(crate) fn get(&self, entry: &Entry) -> Option<Entry> {
		self.find(entry.fp).find(|other| other.same(entry)).copied()
	}

	/// All entries of a fingerprint.
	pub(crate) fn find(&self, fp: u64) -> impl Iterator<Item = &Entry> {
		self.tables
			.get(table_of(fp))
			.into_iter()
			.flat_map(move |table| table.find(fp))
	}

	/// The live entries of a key (or of a stripe).
	pub(crate) fn live_of(&self, fp: u64, stripe: bool) -> Vec<Entry> {
		self.find(fp)
			.filter(|entry| entry.is_stripe() == stripe && !entry.is_trash())
			.copied()
			.collect()
	}

	/// The entries of a stripe, live or in the trash.
	pub(crate) fn of_stripe(&self, fp: u64, trash: bool) -> Vec<Entry> {
		self.find(fp)
			.filter(|entry| entry.is_stripe() && entry.is_trash() == trash)
			.copied()
			.collect()
	}

	/// One of the tables.
	pub(crate) fn table(&self, table: usize) -> impl Iterator<Item = &Entry> {
		self.tables.get(table).into_iter().flat_map(Table::iter)
	}

	/// Entries in one of the tables.
	pub(crate) fn table_len(&self, table: usize) -> usize {
		self.tables.get(table).map_or(0, Table::len)
	}

	/// All entries by key of a volume, in order of place.
	pub(crate) fn of_volume(&self, volume: u32) -> Vec<Entry> {
		let mut entries: Vec<Entry> = self
			.tables
			.iter()
			.flat_map(Table::iter)
			.filter(|entry| entry.place().volume == volume && !entry.is_stripe())
			.copied()
			.collect();
		entries.sort_unstable_by_key(Entry::spot);
		entries
	}

	/// Forgets everything of a volume; gives how many records that were.
	pub(crate) fn forget_volume(&mut self, volume: u32) -> u64 {
		let mut records = 0;
		for table in 0..TABLES {
			let gone: Vec<Entry> = self
				.table(table)
				.filter(|entry| entry.place().volume == volume)
				.copied()
				.collect();
			for entry in gone {
				self.remove(&entry);
				records += u64::from(!entry.is_stripe());
			}
		}
		let punch: Vec<Spot> = self
			.to_punch
			.range(Spot::of_volume(volume))
			.copied()
			.collect();
		for spot in punch {
			self.to_punch.remove(&spot);
		}
		if let Some(stat) = self.volumes.remove(&volume) {
			self.allocated -= u64::from(stat.allocated());
		}
		records
	}

	/// Adds a volume, or says anew what is known of one.
	pub(crate) fn set_volume(&mut self, number: u32, stat: Stat) {
		self.allocated += u64::from(stat.allocated());
		if let Some(old) = self.volumes.insert(number, stat) {
			self.allocated -= u64::from(old.allocated());
		}
	}

	/// Counts blocks of a volume as given back.
	pub(crate) fn add_punched(&mut self, volume: u32, blocks: u32) {
		if let Some(stat) = self.volumes.get_mut(&volume) {
			let blocks = blocks.min(stat.allocated());
			stat.punched += blocks;
			self.allocated -= u64::from(blocks);
		}
	}

	/// Whether a volume exists.
	pub(crate) fn has_volume(&self, number: u32) -> bool {
		self.volumes.contains_key(&number)
	}

	/// Bytes of memory the tables take.
	pub(crate) fn memory(&self) -> u64 {
		self.tables.iter().map(|table| table.memory() as u64).sum()
	}

	/// Makes flags and times of the trash agree, after a replay: `now` where a time is missing.
	pub(crate) fn settle_trash(&mut self, now: u64) {
		let mut flagged = BTreeMap::new();
		if self.trash.is_empty() && self.trashed.iter().all(|count| count.records == 0) {
			return;
		}
		for entry in self.tables.iter().flat_map(Table::iter) {
			if entry.is_trash() && !entry.is_stripe() {
				let spot = entry.spot();
				flagged.insert(spot, self.trash.get(&spot).copied().unwrap_or(now));
			}
		}
		self.trash = flagged;
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::key::Place;

	#[test]
	fn counters_follow_every_change() {
		let mut index = Index::default();
		index.set_volume(
			1,
			Stat {
				blocks: 100,
				..Stat::default()
			},
		);
		let place = Place {
			volume: 1,
			block: 5,
		};
		let entry = Entry::new(9 << 56 | 4, place, 7, Namespace::Block);
		index.insert(entry);
		index.insert(entry);
		let count = Count {
			records: 1,
			blocks: 7,
		};
		assert_eq!((index.live[1], index.trashed[1]), (count, Count::default()));
		assert_eq!(index.live_of(entry.fp, false), [entry]);
		assert!(index.set_trash(&entry, Some(3)) && !index.set_trash(&entry, Some(4)));
		assert_eq!((index.live[1], index.trashed[1]), (Count::default(), count));
		assert_eq!(index.trash.get(&entry.spot()), Some(&3));
		assert_eq!(index.volumes[&1].dead(), 93);
		assert!(index.live_of(entry.fp, false).is_empty());
		index.add_punched(1, 50);
		assert_eq!((index.allocated, index.volumes[&1].dead()), (50, 43));
		assert!(index.set_trash(&entry, None) && index.trash.is_empty());
		assert_eq!(index.of_volume(1), [entry]);
		assert_eq!(index.forget_volume(1), 1);
		assert_eq!((index.live[1], index.allocated), (Count::default(), 0));
		assert!(index.remove(&entry).is_none());
	}
}
