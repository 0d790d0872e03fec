//! The parsers of what is on disk, for fuzzing. None of these may panic or take memory out of
//! proportion to its input, whatever the input.

use crate::{
	entry::Entry,
	frame::{Frame, FRAME},
	key::{Place, StoreKey},
	preamble::{self, Preamble},
	record::{parse_list, Record},
	scan::scan,
	scrub::ScrubState,
	snapshot::{self, SnapshotError},
};
use std::io::{self, Read};

/// Reads `bytes` as a record's header, footer and content, the checks of the frames left out, so
/// that any fields can be tried. Tells whether the lengths fit each other.
pub fn record(bytes: &[u8]) -> bool {
	let key = StoreKey([0; 32]);
	let place = Place {
		volume: 1,
		block: 1,
	};
	let Some(frame) = bytes.get(..FRAME).and_then(Frame::parse) else {
		return false;
	};
	let sound = frame.is_sound();
	if sound && bytes.len() >= 2 * FRAME {
		let mut record = Record::new(frame, bytes.to_vec());
		record.health(&key, place);
		record.renew_tree();
		record.list();
		record.into_data();
	}
	sound
}

/// Reads `bytes` as a frame with its check, under `key`.
pub fn frame(key: [u8; 32], bytes: &[u8]) -> bool {
	let key = StoreKey(key);
	let place = Place {
		volume: 1,
		block: 1,
	};
	Frame::decode_header(bytes, &key, place).is_some()
		|| Frame::decode_footer(bytes, &key, 1, 2).is_some()
}

/// Reads `bytes` as a list of entries; gives how many there are.
pub fn list(bytes: &[u8]) -> usize {
	let entries = parse_list(bytes);
	let whole = entries.iter().filter(|entry| {
		entry.is_within(u32::MAX) && Entry::from_bytes(&entry.to_bytes()) == **entry
	});
	whole.count().min(entries.len())
}

/// Reads `bytes` as a volume's first bytes and as `SUPER`.
pub fn preambles(bytes: &[u8]) -> bool {
	matches!(preamble::read_volume(bytes), Preamble::Good(_))
		|| matches!(preamble::read_super(bytes), Preamble::Good(_))
}

/// Reads `bytes` as an index snapshot under `key`; gives how many volumes it speaks of. Checks come
/// last, so all fields are read before a bad check is noticed.
pub fn snapshot(key: [u8; 32], mut bytes: &[u8]) -> Result<usize, SnapshotError> {
	let len = bytes.len() as u64;
	let index = snapshot::load(&StoreKey(key), len, &mut |buf| bytes.read_exact(buf))?;
	Ok(index.volumes.len())
}

/// Reads `bytes` as the scrub's position under `key`.
pub fn scrub_position(key: [u8; 32], bytes: &[u8]) -> bool {
	ScrubState::parse(&StoreKey(key), bytes).is_some()
}

/// Walks `bytes` as a volume under `key`; gives how many records it finds.
pub fn volume(key: [u8; 32], bytes: &[u8]) -> io::Result<usize> {
	let blocks = u32::try_from(bytes.len() / crate::frame::BLOCK).unwrap_or(u32::MAX);
	let file = Bytes(bytes.to_vec());
	Ok(scan(&file, &StoreKey(key), 1, 1, blocks)?.records.len())
}

struct Bytes(Vec<u8>);

impl crate::disk::DiskFile for Bytes {
	fn size(&self) -> io::Result<u64> {
		Ok(self.0.len() as u64)
	}

	fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
		let start = usize::try_from(offset).unwrap_or(usize::MAX);
		let bytes = start
			.checked_add(buf.len())
			.and_then(|end| self.0.get(start..end))
			.ok_or(io::ErrorKind::UnexpectedEof)?;
		buf.copy_from_slice(bytes);
		Ok(())
	}

	fn write_at(&self, _: &[&[u8]], _: u64) -> io::Result<()> {
		Err(io::ErrorKind::ReadOnlyFilesystem.into())
	}

	fn sync(&self) -> io::Result<()> {
		Ok(())
	}

	fn punch(&self, _: u64, _: u64) -> io::Result<()> {
		Err(io::ErrorKind::Unsupported.into())
	}

	fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
		Ok(Some(offset))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::frame::VERSION;

	/// A frame of a kind whose lengths nothing else bounds, as the fuzzer found it.
	#[test]
	fn lengths_beyond_the_record_take_nothing() {
		for kind in 0..=u8::MAX {
			for filler in [0, 1, 0x7F, 0xFF] {
				let mut bytes = vec![filler; 3 * FRAME];
				bytes[..4].copy_from_slice(b"ARSR");
				bytes[4] = VERSION as u8;
				bytes[5] = kind;
				bytes[6] = 0;
				record(&bytes);
			}
		}
	}
}
