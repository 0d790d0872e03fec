//! Opening a store: the snapshot, then what the volumes got since.

use crate::{
	disk::{Disk, DiskFile},
	entry::{Entry, MAX_VOLUME_BLOCKS},
	error::StoreError,
	frame::{Kind, BLOCK},
	index::{Index, Stat},
	key::{Place, RecordKey, StoreKey},
	mend::mend,
	record::parse_list,
	scan::{scan, Found},
	shared::Shared,
	snapshot,
	staged::apply_list,
	volume,
	writer::Active,
};
use std::{
	collections::{HashMap, HashSet},
	io::{self, BufReader, Read},
	sync::atomic::Ordering::Relaxed,
};

/// The index's file.
pub(crate) const SNAPSHOT: &str = "INDEX";
/// Bytes of it read at once.
const READ: usize = 1 << 20;

/// The index from the snapshot, if there is a good one.
pub(crate) fn load_snapshot(disk: &dyn Disk, key: &StoreKey) -> Option<Index> {
	let file = match disk.open(SNAPSHOT) {
		Ok(file) => file,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
		Err(error) => {
			tracing::warn!(%error, "the index snapshot cannot be opened: reading all volumes");
			return None;
		}
	};
	let loaded = file.size().map_err(Into::into).and_then(|len| {
		let part = Part {
			file: &*file,
			offset: 0,
			len,
		};
		let mut reader = BufReader::with_capacity(READ, part);
		snapshot::load(key, len, &mut |buf| reader.read_exact(buf))
	});
	match loaded {
		Ok(index) => Some(index),
		Err(error) => {
			tracing::warn!("the index snapshot {error}: reading all volumes");
			None
		}
	}
}

/// A file read from the start to the end.
struct Part<'a> {
	file: &'a dyn DiskFile,
	offset: u64,
	len: u64,
}

impl Read for Part<'_> {
	fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
		let now = self.len.saturating_sub(self.offset).min(buf.len() as u64) as usize;
		let buf = buf.get_mut(..now).unwrap_or_default();
		self.file.read_at(buf, self.offset)?;
		self.offset += now as u64;
		Ok(now)
	}
}

/// What a replay has to remember.
#[derive(Default)]
struct Replay {
	/// From which block each volume is being read.
	from: HashMap<u32, u32>,
	/// Void records that were seen, by volume and block.
	voids: HashSet<(u32, u32)>,
	/// Volumes said to hold nothing any more.
	removed: HashSet<u32>,
}

/// Brings the index up to date with the volumes `numbers`; gives the volume to append to.
pub(crate) fn replay(shared: &Shared, numbers: &[u32]) -> Result<Option<Active>, StoreError> {
	let mut replay = Replay::default();
	let present: HashSet<u32> = numbers.iter().copied().collect();
	let missing: Vec<u32> = {
		let index = shared.index();
		let known = index.volumes.keys().copied();
		known.filter(|number| !present.contains(number)).collect()
	};
	let mut lost = Vec::new();
	for number in missing {
		lost.push((number, shared.index_mut().forget_volume(number)));
	}
	let mut active = None;
	for number in numbers {
		let is_last = Some(number) == numbers.last();
		active = open_volume(shared, &mut replay, *number, is_last)?;
	}
	for (number, records) in lost {
		if !replay.removed.contains(&number) && records > 0 {
			tracing::error!(volume = number, records, "a volume is missing");
			shared.add(|c| &c.damaged, 1);
		}
	}
	for number in replay.removed {
		if present.contains(&number) {
			finish_removal(shared, number);
		}
	}
	let now = shared.now();
	shared.index_mut().settle_trash(now);
	Ok(active)
}

/// A removal that a crash came in between.
fn finish_removal(shared: &Shared, number: u32) {
	shared.index_mut().forget_volume(number);
	shared.files.forget(number);
	if let Err(error) = shared.disk.remove(&volume::name(number)) {
		tracing::warn!(volume = number, %error, "cannot remove an empty volume");
	}
}

fn open_volume(
	shared: &Shared,
	replay: &mut Replay,
	number: u32,
	is_last: bool,
) -> Result<Option<Active>, StoreError> {
	let known = shared.index().volumes.get(&number).copied();
	if known.is_some_and(|stat| stat.closed) {
		return Ok(None);
	}
	let path = shared.disk.describe(&volume::name(number));
	let fail = |op| {
		let path = path.clone();
		move |error| StoreError::io(op, path, error)
	};
	let renewed = shared.files.renewed.load(Relaxed);
	let file = shared.files.get(number)?;
	let size = file.size().map_err(fail("open"))?;
	let blocks = u32::try_from(size / BLOCK as u64).unwrap_or(u32::MAX);
	let blocks = blocks.min(MAX_VOLUME_BLOCKS);
	let mut stat = known.unwrap_or(Stat {
		mark: 1,
		..Stat::default()
	});
	stat.blocks = blocks;
	let from = stat.mark.max(1);
	shared.index_mut().set_volume(number, stat);
	replay.from.insert(number, from);
	// What the next volume says was refused does not count.
	let cut = volume::end_before(&*shared.disk, &shared.key, number + 1)
		.filter(|cut| (from..=blocks).contains(cut));
	let until = cut.unwrap_or(blocks);
	let mut found = scan(&*file, &shared.key, number, from, until).map_err(fail("scan"))?;
	if let Some(cut) = cut.filter(|_| !found.ended) {
		(found.end, found.durable) = (cut, cut);
	}
	let gaps = found.gaps.iter().filter(|gap| gap.start < found.durable);
	let renewed = shared.files.renewed.load(Relaxed) - renewed;
	let damaged = gaps.count() as u64 + renewed;
	if damaged > 0 {
		tracing::warn!(%path, "the volume is damaged in places");
		shared.add(|c| &c.damaged, damaged);
	}
	let (end, durable, ended) = (found.end, found.durable, found.ended);
	let mut mark = end;
	let mut mended = true;
	let records = if ended {
		found.records
	} else {
		match mend(&*file, number, &shared.key, found) {
			Ok((records, torn)) => {
				shared.add(|c| &c.torn, torn);
				records
			}
			Err((error, mut records)) => {
				// Whether the last group is on the disk is unknown: until a start can sync it, it
				// does not count.
				tracing::error!(%path, %error, "cannot mend the volume: it is only read from now on");
				shared.add(|c| &c.damaged, 1);
				records.retain(|record| record.place.block < durable);
				mark = durable;
				mended = false;
				shared.counters.doubtful.store(true, Relaxed);
				records
			}
		}
	};
	for record in &records {
		take(shared, replay, record);
	}
	let append = is_last && !ended && !stat.sealed && mended;
	let mut closed = ended;
	if mended && !append && !ended {
		// Left behind after an error: nothing will be appended, so later starts may trust it.
		let place = Place {
			volume: number,
			block: end,
		};
		match volume::write_end(&*file, &shared.key, place, blocks) {
			Ok(()) => closed = true,
			Err(error) => tracing::warn!(%path, %error, "cannot mark the end of a volume"),
		}
	}
	if let Some(known) = shared.index_mut().volumes.get_mut(&number) {
		known.mark = mark;
		// What could not be mended is read again by the next start.
		known.closed = closed;
		known.sealed |= !mended;
	}
	Ok(append.then_some(Active {
		number,
		file,
		blocks,
		pos: end,
		durable: end,
	}))
}

/// Does to the index what a record says.
fn take(shared: &Shared, replay: &mut Replay, found: &Found) {
	let (place, frame) = (found.place, &found.frame);
	match frame.kind {
		Kind::Data => {
			let entries = frame.entries(&shared.key, place);
			let Some(entry) = entries.first() else { return };
			supersede(shared, &frame.record, entry);
			let mut index = shared.index_mut();
			// In a snapshot its state may be a later one.
			let known = index.get(entry);
			for entry in &entries {
				index.insert(*entry);
				if frame.trashed > 0 && known.is_none_or(|known| known.is_trash()) {
					index.set_trash(entry, Some(frame.trashed));
				}
			}
		}
		Kind::Void => {
			replay.voids.insert((place.volume, place.block));
			if frame.punched {
				let interior = frame.blocks.saturating_sub(2);
				shared.index_mut().add_punched(place.volume, interior);
			}
		}
		Kind::End => {}
		kind => match read_list(shared, found) {
			Some(entries) => take_list(shared, replay, kind, &entries, frame.created),
			None => tracing::warn!(?place, ?kind, "a list is unreadable"),
		},
	}
}

/// A later record takes the place of an earlier one with the same key: it was moved by compaction,
/// or stored again while the earlier one was in the trash.
fn supersede(shared: &Shared, record: &RecordKey, entry: &Entry) {
	let others: Vec<Entry> = shared
		.index()
		.find(entry.fp)
		.filter(|other| !other.is_stripe() && other.spot() != entry.spot())
		.copied()
		.collect();
	for other in others {
		match shared.read_frame(&other) {
			Ok(Some(frame)) if frame.record == *record => {
				let mut index = shared.index_mut();
				for old in frame.entries(&shared.key, other.place()) {
					index.remove(&old);
				}
			}
			Ok(_) => {}
			Err(error) => tracing::warn!(%error, "cannot read an earlier record's header"),
		}
	}
}

fn take_list(shared: &Shared, replay: &mut Replay, kind: Kind, entries: &[Entry], created: u64) {
	let mut index = shared.index_mut();
	match kind {
		Kind::Removed => {
			for entry in entries {
				let number = entry.place().volume;
				index.forget_volume(number);
				replay.removed.insert(number);
			}
		}
		Kind::Punched => {
			for entry in entries {
				let place = entry.place();
				index.to_punch.remove(&entry.spot());
				let seen = replay.from.get(&place.volume);
				// What is being read counts itself, by its void records.
				if !entry.is_trash() && seen.is_none_or(|from| place.block < *from) {
					index.add_punched(place.volume, entry.spot().interior());
				}
			}
		}
		_ => {
			apply_list(&mut index, kind, entries, created);
			for entry in entries {
				let place = entry.place();
				if replay.voids.contains(&(place.volume, place.block)) {
					index.to_punch.remove(&entry.spot());
				}
			}
		}
	}
}

/// The entries of a list record, if its bytes are as they were written.
pub(crate) fn read_list(shared: &Shared, found: &Found) -> Option<Vec<Entry>> {
	let mut meta = vec![0; found.frame.meta_len as usize];
	let file = shared.files.get(found.place.volume).ok()?;
	file.read_at(&mut meta, found.place.offset() + crate::frame::FRAME as u64)
		.ok()?;
	(shared.key.meta_check(found.place, &meta) == found.frame.meta_check).then(|| parse_list(&meta))
}
