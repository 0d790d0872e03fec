//! Which records hold which shards: rebuilt from the volumes when a store is opened.

use crate::format::Place;
use hippius_primitives::{ShardId, StripeId};
use std::collections::{BTreeMap, BTreeSet};

/// A shard's bytes may belong to several stripes (or slots): each has its own record.
pub(crate) type RecordKey = (ShardId, StripeId, u8);

/// Where a shard record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
	pub(crate) place: Place,
	pub(crate) meta_len: u32,
	pub(crate) data_len: u32,
	pub(crate) blocks: u32,
	pub(crate) meta_check: [u8; 16],
}

#[derive(Default)]
pub(crate) struct Index {
	records: BTreeMap<RecordKey, Entry>,
	stripes: BTreeSet<(StripeId, u8, ShardId)>,
	blocks: u64,
}

impl Index {
	/// Adds a record; a later one replaces an earlier one.
	pub(crate) fn insert(&mut self, key: RecordKey, entry: Entry) {
		self.stripes.insert((key.1, key.2, key.0));
		self.blocks += u64::from(entry.blocks);
		if let Some(old) = self.records.insert(key, entry) {
			self.blocks -= u64::from(old.blocks);
		}
	}

	/// Takes the record out if it is still the one at `place`.
	pub(crate) fn remove(&mut self, key: &RecordKey, place: Place) -> bool {
		if self
			.records
			.get(key)
			.is_none_or(|entry| entry.place != place)
		{
			return false;
		}
		if let Some(entry) = self.records.remove(key) {
			self.blocks -= u64::from(entry.blocks);
		}
		self.stripes.remove(&(key.1, key.2, key.0));
		true
	}

	/// Takes the record of `id` at `place` out, whatever its stripe.
	pub(crate) fn remove_at(&mut self, id: &ShardId, place: Place) -> bool {
		let key = self
			.of(id)
			.find(|(_, entry)| entry.place == place)
			.map(|(key, _)| *key);
		key.is_some_and(|key| self.remove(&key, place))
	}

	pub(crate) fn contains(&self, key: &RecordKey) -> bool {
		self.records.contains_key(key)
	}

	/// All records of a shard.
	pub(crate) fn of(&self, id: &ShardId) -> impl Iterator<Item = (&RecordKey, &Entry)> {
		let first = (*id, StripeId([0; 32]), 0);
		let last = (*id, StripeId([0xff; 32]), u8::MAX);
		self.records.range(first..=last)
	}

	/// All records of a stripe, by slot.
	pub(crate) fn of_stripe(&self, stripe: &StripeId) -> Vec<(RecordKey, Entry)> {
		let first = (*stripe, 0, ShardId([0; 32]));
		let last = (*stripe, u8::MAX, ShardId([0xff; 32]));
		self.stripes
			.range(first..=last)
			.filter_map(|(stripe, slot, id)| {
				let key = (*id, *stripe, *slot);
				Some((key, *self.records.get(&key)?))
			})
			.collect()
	}

	/// Records in the index.
	pub(crate) fn len(&self) -> u64 {
		self.records.len() as u64
	}

	/// Blocks those records take.
	pub(crate) fn blocks(&self) -> u64 {
		self.blocks
	}
}
