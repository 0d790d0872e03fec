//! Compaction: a volume that is mostly dead is written anew at the end of the log, and removed.

use crate::{
	engine::{Engine, Rewritten},
	entry::{Entry, Spot},
	error::{is_no_space, StoreError},
	frame::{Kind, LIST},
	key::{Namespace, Place},
	maintain::save_snapshot,
	open::read_list,
	scan::{scan, Found},
	space,
	staged::{Claim, Message},
	volume,
};
use std::{collections::BTreeSet, sync::atomic::Ordering::Relaxed};

impl Engine {
	/// Rewrites the volume that gains most, if one is due; gives its number.
	pub(crate) fn compact(&self, skip: &mut BTreeSet<u32>) -> Result<Option<u32>, StoreError> {
		let candidate = match self.candidate(skip) {
			// A volume goes only when the index's file knows all that it says of other volumes.
			Some((_, false)) => {
				self.save_for_compaction()?;
				self.candidate(skip)
			}
			other => other,
		};
		let Some((number, true)) = candidate else {
			return Ok(None);
		};
		match self.compact_volume(number) {
			Ok(true) => Ok(Some(number)),
			Ok(false) => Ok(None),
			Err(error) => {
				// Not again before the next start: what stopped it will most likely stop it again.
				skip.insert(number);
				Err(error)
			}
		}
	}

	fn save_for_compaction(&self) -> Result<(), StoreError> {
		match save_snapshot(&self.shared) {
			Err(StoreError::Io { source, .. })
				if is_no_space(&source) && space::drop_ballast(&self.shared) =>
			{
				save_snapshot(&self.shared)
			}
			other => other,
		}
	}

	/// The volume that gains most, and whether it may go already; those that may come first.
	fn candidate(&self, skip: &BTreeSet<u32>) -> Option<(u32, bool)> {
		let index = self.shared.index();
		let percent = u64::from(self.shared.config.compact_percent);
		// Numbers are never used again, so the highest volume stays, whatever is in it.
		let last = *index.volumes.keys().next_back()?;
		index
			.volumes
			.iter()
			.filter(|(number, stat)| {
				(stat.closed || stat.sealed) && **number != last && !skip.contains(number)
			})
			.filter(|(_, stat)| {
				u64::from(stat.dead()) * 100 >= u64::from(stat.allocated()) * percent
			})
			// It knows where the volume before it ended, which is not written there.
			.filter(|(number, _)| {
				let before = index.volumes.get(&number.saturating_sub(1));
				before.is_none_or(|stat| stat.closed)
			})
			.filter(|(number, _)| {
				index
					.to_punch
					.range(Spot::of_volume(**number))
					.next()
					.is_none()
			})
			.max_by_key(|(_, stat)| (stat.saved, stat.dead()))
			.map(|(number, stat)| (*number, stat.saved))
	}

	/// Moves all that counts out of a volume and removes it. Tells whether that came to its end.
	pub(crate) fn compact_volume(&self, number: u32) -> Result<bool, StoreError> {
		let entries = self.shared.index().of_volume(number);
		for entry in entries {
			if self.is_stopping() {
				return Ok(false);
			}
			if self.rewrite(&entry)? == Rewritten::Damaged {
				tracing::warn!(volume = number, "a record was found damaged by compaction");
			}
		}
		self.carry_lists(number)?;
		let left = self.shared.index().of_volume(number).len();
		if left > 0 {
			tracing::error!(volume = number, left, "records were left behind");
			return Ok(false);
		}
		let place = Place {
			volume: number,
			block: 0,
		};
		let entry = Entry::new(0, place, 1, Namespace::Shard);
		self.list(Kind::Removed, &[entry], Claim::Upkeep)?;
		self.shared.index_mut().forget_volume(number);
		self.shared.files.forget(number);
		let name = volume::name(number);
		let fail = |op| {
			let path = self.shared.disk.describe(&name);
			move |error| StoreError::io(op, path, error)
		};
		self.shared.disk.remove(&name).map_err(fail("remove"))?;
		self.shared.disk.sync_dir().map_err(fail("sync"))?;
		self.shared.counters.compacted.fetch_add(1, Relaxed);
		Ok(true)
	}

	/// What the volume's lists say of records elsewhere is said anew, as far as it still matters.
	fn carry_lists(&self, number: u32) -> Result<(), StoreError> {
		let Some(stat) = self.shared.index().volumes.get(&number).copied() else {
			return Ok(());
		};
		let file = self.shared.files.get(number)?;
		let found = scan(&*file, &self.shared.key, number, 1, stat.mark).map_err(|error| {
			StoreError::io(
				"scan",
				self.shared.disk.describe(&volume::name(number)),
				error,
			)
		})?;
		let mut known = BTreeSet::new();
		let mut carry = Vec::new();
		for found in &found.records {
			for entry in self.listed(found) {
				let is_new = known.insert(entry.with_trash(false).to_bytes());
				if is_new && self.still_matters(&entry, number) {
					carry.push(entry);
				}
			}
		}
		for entries in carry.chunks(LIST) {
			let entries = entries.to_vec();
			self.ask(|reply| Message::Carry { entries, reply })?;
		}
		Ok(())
	}

	fn listed(&self, found: &Found) -> Vec<Entry> {
		match found.frame.kind {
			Kind::Drop | Kind::Trash | Kind::Restore => {
				read_list(&self.shared, found).unwrap_or_default()
			}
			_ => Vec::new(),
		}
	}

	/// Whether the record an entry speaks of is on disk, outside volume `number`.
	fn still_matters(&self, entry: &Entry, number: u32) -> bool {
		let volume = entry.place().volume;
		volume != number
			&& self.shared.index().has_volume(volume)
			&& !matches!(self.shared.read_frame(entry), Ok(None))
	}
}
