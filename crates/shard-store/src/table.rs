//! A hash table of entries: open addressing, linear probing, no room lost to pointers.

use crate::entry::Entry;

/// One of the index's tables. Keys are fingerprints; several entries may have the same.
#[derive(Default)]
pub(crate) struct Table {
	slots: Vec<Entry>,
	len: usize,
}

impl Table {
	/// A table with room for `len` entries.
	pub(crate) fn with_room(len: usize) -> Self {
		let mut table = Self::default();
		if len > 0 {
			table.resize(len + len / 3 + 4);
		}
		table
	}

	/// Entries.
	pub(crate) fn len(&self) -> usize {
		self.len
	}

	/// Bytes of memory.
	pub(crate) fn memory(&self) -> usize {
		self.slots.capacity() * Entry::LEN
	}

	/// All entries, those of close fingerprints close together.
	pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
		self.slots.iter().filter(|entry| !entry.is_empty())
	}

	/// All entries with this fingerprint.
	pub(crate) fn find(&self, fp: u64) -> impl Iterator<Item = &Entry> {
		let start = self.home(fp);
		let (before, from) = self.slots.split_at(start);
		from.iter()
			.chain(before)
			.take_while(|entry| !entry.is_empty())
			.filter(move |entry| entry.fp == fp)
	}

	/// The entry that is the same as `entry` but for the trash.
	pub(crate) fn get_mut(&mut self, entry: &Entry) -> Option<&mut Entry> {
		let at = self.position(entry)?;
		self.slots.get_mut(at)
	}

	/// Adds an entry; the caller knows that it is not there.
	pub(crate) fn insert(&mut self, entry: Entry) {
		// Four of five slots in use at most, growing by a quarter: between 64 % and 80 % are.
		if (self.len + 1) * 5 > self.slots.len() * 4 {
			self.resize((self.slots.len() + self.slots.len() / 4).max(16));
		}
		self.place(entry);
	}

	fn place(&mut self, entry: Entry) {
		let mut at = self.home(entry.fp);
		while self.slots.get(at).is_some_and(|slot| !slot.is_empty()) {
			at = self.after(at);
		}
		if let Some(slot) = self.slots.get_mut(at) {
			*slot = entry;
			self.len += 1;
		}
	}

	/// Takes out the entry that is the same as `entry` but for the trash.
	pub(crate) fn remove(&mut self, entry: &Entry) -> Option<Entry> {
		let mut hole = self.position(entry)?;
		let removed = self.slots[hole];
		// Entries behind the hole move up, unless that were before their home.
		let mut at = self.after(hole);
		while !self.slots[at].is_empty() {
			let home = self.home(self.slots[at].fp);
			let stays = if hole <= at {
				hole < home && home <= at
			} else {
				hole < home || home <= at
			};
			if !stays {
				self.slots[hole] = self.slots[at];
				hole = at;
			}
			at = self.after(at);
		}
		self.slots[hole] = Entry::default();
		self.len -= 1;
		Some(removed)
	}

	fn position(&self, entry: &Entry) -> Option<usize> {
		let mut at = self.home(entry.fp);
		loop {
			let slot = self.slots.get(at)?;
			if slot.is_empty() {
				return None;
			}
			if slot.same(entry) {
				return Some(at);
			}
			at = self.after(at);
		}
	}

	/// The slot an entry would like: in proportion to the fingerprint's bits below those that chose
	/// the table.
	fn home(&self, fp: u64) -> usize {
		let part = (fp << 8) >> 32;
		((part * self.slots.len() as u64) >> 32) as usize
	}

	fn after(&self, at: usize) -> usize {
		if at + 1 == self.slots.len() {
			0
		} else {
			at + 1
		}
	}

	fn resize(&mut self, slots: usize) {
		let old = std::mem::replace(&mut self.slots, vec![Entry::default(); slots]);
		self.len = 0;
		for entry in old.into_iter().filter(|entry| !entry.is_empty()) {
			self.place(entry);
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::key::{Namespace, Place};
	use proptest::{prelude::*, test_runner::TestRunner};

	fn entry(fp: u64, block: u32) -> Entry {
		Entry::new(fp, Place { volume: 1, block }, 1, Namespace::Shard)
	}

	/// Few homes and many equal fingerprints, so that runs collide and wrap around.
	#[test]
	fn a_table_is_a_multimap() {
		let ops = prop::collection::vec((0u64..6, 1u32..30, any::<bool>()), 0..300);
		let mut runner = TestRunner::deterministic();
		let result = runner.run(&ops, |ops| {
			let mut table = Table::default();
			let mut model: Vec<Entry> = Vec::new();
			for (fp, block, insert) in ops {
				let entry = entry(fp.wrapping_mul(0x00ff_ffff_ffff_ffff / 5), block);
				let known = model.iter().position(|other| other.same(&entry));
				match (insert, known) {
					(true, None) => {
						table.insert(entry);
						model.push(entry);
					}
					(false, Some(at)) => {
						prop_assert_eq!(table.remove(&entry), Some(model.swap_remove(at)));
					}
					(false, None) => prop_assert_eq!(table.remove(&entry), None),
					(true, Some(_)) => prop_assert!(table.get_mut(&entry).is_some()),
				}
				prop_assert_eq!(table.len(), model.len());
				prop_assert_eq!(table.iter().count(), model.len());
				for known in &model {
					prop_assert!(table.find(known.fp).any(|found| found == known));
					let count = model.iter().filter(|other| other.fp == known.fp).count();
					prop_assert_eq!(table.find(known.fp).count(), count);
				}
			}
			Ok(())
		});
		result.unwrap();
	}

	#[test]
	fn memory_is_bounded_by_the_number_of_entries() {
		let mut table = Table::default();
		assert_eq!(table.find(1).count(), 0);
		let mut fp = 1u64;
		for block in 1..20_000 {
			fp = fp.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
			table.insert(entry(fp & 0x00ff_ffff_ffff_ffff, block));
		}
		assert!(table.memory() <= table.len() * 16 * 8 / 5);
	}
}
