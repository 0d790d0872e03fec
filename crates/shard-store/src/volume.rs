//! Making, opening and mending volumes.

use crate::{
	disk::{Disk, DiskFile},
	error::StoreError,
	format::{
		offset, read_super, read_volume_preamble, super_block, volume_preamble, Draft, Frame, Kind,
		Place, Preamble, Side, StoreKey, BLOCK, FRAME, PREAMBLE, VERSION,
	},
	scan::{scan, Found, Scan},
	store::verify_record,
};
use std::{io, sync::Arc};

pub(crate) const SUPER: &str = "SUPER";
const TEMPORARY: &str = ".tmp";

/// An open volume.
#[derive(Clone)]
pub(crate) struct Volume {
	pub(crate) number: u32,
	pub(crate) file: Arc<dyn DiskFile>,
	pub(crate) blocks: u32,
}

/// A volume as found when the store is opened, mended as far as possible.
pub(crate) struct Opened {
	pub(crate) volume: Volume,
	/// Records that count.
	pub(crate) records: Vec<Found>,
	/// First free block; `None` if nothing may be appended any more.
	pub(crate) append: Option<u32>,
	/// Records found torn behind the last sync.
	pub(crate) torn: u64,
	/// Runs of damaged blocks before it.
	pub(crate) damaged: u64,
}

/// File name of a volume.
pub(crate) fn name(number: u32) -> String {
	format!("{number:08}.vol")
}

fn number(name: &str) -> Option<u32> {
	let digits = name.strip_suffix(".vol")?;
	let number = digits.parse().ok()?;
	(self::name(number) == name && number > 0).then_some(number)
}

/// Numbers of the volumes in `disk`, ascending; left-overs of interrupted creations are removed.
pub(crate) fn list(disk: &dyn Disk) -> Result<Vec<u32>, StoreError> {
	let names = disk
		.list()
		.map_err(|e| StoreError::io("list", disk.describe(""), e))?;
	for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
		disk.remove(name)
			.map_err(|e| StoreError::io("remove", disk.describe(name), e))?;
	}
	let mut numbers: Vec<u32> = names.iter().filter_map(|name| number(name)).collect();
	numbers.sort_unstable();
	Ok(numbers)
}

/// The store's key: from `SUPER`, else from a volume, else (no volume yet) a new one.
pub(crate) fn store_key(disk: &dyn Disk, volumes: &[u32]) -> Result<StoreKey, StoreError> {
	let path = disk.describe(SUPER);
	match read_start(disk, SUPER) {
		Ok(bytes) => match read_super(&bytes) {
			Preamble::Good(key) => return Ok(key),
			Preamble::Version(found) => {
				return Err(StoreError::Version {
					path,
					found,
					known: VERSION,
				})
			}
			Preamble::Damaged => tracing::warn!(%path, "damaged, taking the key from a volume"),
		},
		Err(error) if error.kind() == io::ErrorKind::NotFound => {}
		Err(error) => return Err(StoreError::io("read", path, error)),
	}
	let mut known = None;
	for number in volumes {
		let name = name(*number);
		let bytes =
			read_start(disk, &name).map_err(|e| StoreError::io("read", disk.describe(&name), e))?;
		if let Preamble::Good((key, _)) = read_volume_preamble(&bytes) {
			known = Some(key);
			break;
		}
	}
	let key = match known {
		Some(key) => key,
		None if !volumes.is_empty() => return Err(StoreError::NoKey { path }),
		None => {
			let mut key = [0; 32];
			getrandom::fill(&mut key).map_err(|error| {
				StoreError::io(
					"draw a key for",
					path.clone(),
					io::Error::other(error.to_string()),
				)
			})?;
			StoreKey(key)
		}
	};
	create_file(disk, SUPER, PREAMBLE as u64, &super_block(&key))?;
	Ok(key)
}

fn read_start(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
	let file = disk.open(name)?;
	let mut bytes = vec![0; file.size()?.min(PREAMBLE as u64) as usize];
	file.read_at(&mut bytes, 0)?;
	Ok(bytes)
}

/// Makes a file of `len` bytes that starts with `start`; durable, name included, or not there.
fn create_file(
	disk: &dyn Disk,
	name: &str,
	len: u64,
	start: &[u8],
) -> Result<Arc<dyn DiskFile>, StoreError> {
	let temporary = format!("{name}{TEMPORARY}");
	let made = (|| {
		let file = disk.create(&temporary, len)?;
		file.write_at(start, 0)?;
		file.sync()?;
		disk.rename(&temporary, name)?;
		disk.sync_dir()?;
		Ok(file)
	})();
	made.map_err(|error: io::Error| {
		// The first error is the one to report; a left-over is removed at the next start.
		if let Err(error) = disk.remove(&temporary) {
			tracing::debug!(%error, temporary, "cannot remove");
		}
		StoreError::io("create", disk.describe(name), error)
	})
}

/// Makes volume `number` of `blocks` blocks.
pub(crate) fn create(
	disk: &dyn Disk,
	key: &StoreKey,
	number: u32,
	blocks: u32,
) -> Result<Volume, StoreError> {
	let start = volume_preamble(key, number, blocks);
	let file = create_file(disk, &name(number), offset(blocks), &start)?;
	Ok(Volume {
		number,
		file,
		blocks,
	})
}

/// Opens volume `number`, reads its records, and mends what a crash left behind the last sync.
pub(crate) fn open(disk: &dyn Disk, key: &StoreKey, number: u32) -> Result<Opened, StoreError> {
	let name = name(number);
	let path = disk.describe(&name);
	let fail = |op| {
		let path = path.clone();
		move |error| StoreError::io(op, path, error)
	};
	let file = disk.open(&name).map_err(fail("open"))?;
	let size = file.size().map_err(fail("open"))?;
	let blocks = u32::try_from(size / BLOCK as u64).unwrap_or(u32::MAX);
	let volume = Volume {
		number,
		file,
		blocks,
	};
	let start = read_start(disk, &name).map_err(fail("read"))?;
	let header_ok = match read_volume_preamble(&start) {
		Preamble::Good((found, found_number)) if found != *key || found_number != number => {
			return Err(StoreError::ForeignVolume { path });
		}
		Preamble::Good(_) => true,
		Preamble::Version(found) => {
			return Err(StoreError::Version {
				path,
				found,
				known: VERSION,
			})
		}
		Preamble::Damaged => false,
	};
	let found = scan(&*volume.file, key, number, blocks).map_err(fail("scan"))?;
	let gaps = found
		.gaps
		.iter()
		.filter(|gap| gap.start < found.durable)
		.count();
	let damaged = gaps as u64 + u64::from(!header_ok);
	if damaged > 0 {
		tracing::warn!(%path, gaps, header_ok, "the volume is damaged in places");
	}
	if !header_ok {
		// Its content is known without it.
		let start = volume_preamble(key, number, blocks);
		if let Err(error) = volume
			.file
			.write_at(&start, 0)
			.and_then(|()| volume.file.sync())
		{
			tracing::error!(%path, %error, "cannot renew the volume header");
		}
	}
	if found.ended {
		return Ok(Opened {
			volume,
			records: found.records,
			append: None,
			torn: 0,
			damaged,
		});
	}
	let (end, durable) = (found.end, found.durable);
	match mend(&volume, key, found) {
		Ok((records, torn)) => Ok(Opened {
			volume,
			records,
			append: Some(end),
			torn,
			damaged,
		}),
		Err((error, mut records)) => {
			// Whether the last group is on the disk is unknown: until a start can sync it, it does
			// not count.
			tracing::error!(%path, %error, "cannot mend the volume: it is only read from now on");
			records.retain(|record| record.place.block < durable);
			Ok(Opened {
				volume,
				records,
				append: None,
				torn: 0,
				damaged: damaged + 1,
			})
		}
	}
}

type Mended = Result<(Vec<Found>, u64), (io::Error, Vec<Found>)>;

/// Records behind the durable mark were perhaps never synced, and perhaps only in part. The whole
/// ones are written once more and synced: if an earlier sync failed or never ran, the page cache
/// may show bytes that the disk does not have, and only a rewrite makes it write them. The others
/// become void, so that no later start takes them for records.
fn mend(volume: &Volume, key: &StoreKey, found: Scan) -> Mended {
	let Scan {
		records,
		gaps,
		durable,
		..
	} = found;
	let mut kept = Vec::with_capacity(records.len());
	let mut torn = 0;
	let mut changed = false;
	let result = (|| {
		for record in &records {
			let (start, end) = (record.place.block, record.place.block + record.frame.blocks);
			if start < durable {
				kept.push(record.clone());
				continue;
			}
			changed = true;
			if record.frame.kind == Kind::Void {
				write_void(volume, key, start, end, record.frame.durable)?;
			} else if let Some(bytes) = whole(volume, key, record)? {
				volume.file.write_at(&bytes, record.place.offset())?;
				kept.push(record.clone());
			} else {
				torn += u64::from(record.frame.kind == Kind::Shard);
				write_void(volume, key, start, end, durable)?;
			}
		}
		for gap in gaps.iter().filter(|gap| gap.start >= durable) {
			changed = true;
			write_void(volume, key, gap.start, gap.end, durable)?;
		}
		if changed {
			volume.file.sync()?;
		}
		Ok(())
	})();
	match result {
		Ok(()) => Ok((kept, torn)),
		Err(error) => Err((error, records)),
	}
}

/// The record's bytes with both frames made good, or `None` if it is torn.
fn whole(volume: &Volume, key: &StoreKey, record: &Found) -> io::Result<Option<Vec<u8>>> {
	let frame = &record.frame;
	let mut bytes = vec![0; frame.blocks as usize * BLOCK];
	volume.file.read_at(&mut bytes, record.place.offset())?;
	let meta_end = FRAME + frame.meta_len as usize;
	let (meta, data) = (
		&bytes[FRAME..meta_end],
		&bytes[meta_end..][..frame.data_len as usize],
	);
	let meta_ok = key.meta_check(record.place, meta) == frame.meta_check;
	if !meta_ok || (frame.kind == Kind::Shard && verify_record(frame.id, meta, data).is_none()) {
		return Ok(None);
	}
	let footer = bytes.len() - FRAME;
	bytes[..FRAME].copy_from_slice(&frame.encode(key, record.place, Side::Header));
	bytes[footer..].copy_from_slice(&frame.encode(key, record.place, Side::Footer));
	Ok(Some(bytes))
}

/// Declares blocks `start..end` void.
fn write_void(
	volume: &Volume,
	key: &StoreKey,
	start: u32,
	end: u32,
	durable: u32,
) -> io::Result<()> {
	let place = Place {
		volume: volume.number,
		block: start,
	};
	let frame = Frame {
		durable: durable.min(start),
		..Frame::plain(Kind::Void, end - start)
	};
	volume
		.file
		.write_at(&frame.encode(key, place, Side::Header), place.offset())?;
	let footer = offset(end) - FRAME as u64;
	volume
		.file
		.write_at(&frame.encode(key, place, Side::Footer), footer)
}

/// Marks the volume as complete, so that later starts need not look behind its last record. Losing
/// the mark costs only time.
pub(crate) fn write_end(volume: &Volume, key: &StoreKey, block: u32) -> io::Result<()> {
	if block >= volume.blocks {
		return Ok(());
	}
	let place = Place {
		volume: volume.number,
		block,
	};
	let mut end = Draft::end();
	let bytes = end.place(key, place, block);
	volume.file.write_at(bytes, place.offset())?;
	volume.file.sync()
}
