//! What a crash left behind the last sync is made good when the store is opened.

use crate::{
	disk::DiskFile,
	frame::{offset, seal, Frame, Kind, Side, BLOCK, FRAME},
	key::{Place, StoreKey},
	record::Record,
	scan::{Found, Scan},
};
use std::io;

/// The records that count, and how many were torn; or what went wrong, and all records.
pub(crate) type Mended = Result<(Vec<Found>, u64), (io::Error, Vec<Found>)>;

/// Records behind the durable mark were perhaps never synced, and perhaps only in part. The whole
/// ones are written once more and synced: if an earlier sync failed or never ran, the page cache
/// may show bytes that the disk does not have, and only a rewrite makes it write them. The others
/// become void, so that no later start takes them for records.
pub(crate) fn mend(file: &dyn DiskFile, volume: u32, key: &StoreKey, found: Scan) -> Mended {
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
				let durable = record.frame.durable;
				write_void(file, key, record.place, end, durable, record.frame.punched)?;
				kept.push(record.clone());
			} else if let Some(bytes) = whole(file, key, record)? {
				file.write_at(&[&bytes], record.place.offset())?;
				kept.push(record.clone());
			} else {
				torn += u64::from(record.frame.kind == Kind::Data);
				write_void(file, key, record.place, end, durable, false)?;
			}
		}
		for gap in gaps.iter().filter(|gap| gap.start >= durable) {
			changed = true;
			let place = Place {
				volume,
				block: gap.start,
			};
			write_void(file, key, place, gap.end, durable, false)?;
		}
		if changed {
			file.sync()?;
		}
		Ok(())
	})();
	match result {
		Ok(()) => Ok((kept, torn)),
		Err(error) => Err((error, records)),
	}
}

/// The record's bytes with frames and outboard made good, or `None` if it is torn.
fn whole(file: &dyn DiskFile, key: &StoreKey, found: &Found) -> io::Result<Option<Vec<u8>>> {
	let frame = &found.frame;
	let mut bytes = vec![0; frame.blocks as usize * BLOCK];
	file.read_at(&mut bytes, found.place.offset())?;
	seal(&mut bytes, frame, key, found.place);
	let mut record = Record::new(frame.clone(), bytes);
	Ok((record.is_good(key, found.place) && record.renew_tree()).then(|| record.into_bytes()))
}

/// Declares the blocks from `place` to `end` void.
pub(crate) fn write_void(
	file: &dyn DiskFile,
	key: &StoreKey,
	place: Place,
	end: u32,
	durable: u32,
	punched: bool,
) -> io::Result<()> {
	let frame = Frame {
		durable: durable.min(place.block),
		punched,
		..Frame::plain(Kind::Void, end - place.block)
	};
	let header = frame.encode(key, place, Side::Header);
	let footer = frame.encode(key, place, Side::Footer);
	file.write_at(&[&header], place.offset())?;
	file.write_at(&[&footer], offset(end) - FRAME as u64)
}
