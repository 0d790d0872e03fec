//! Reading a volume's records back from their headers.

use crate::{
	disk::DiskFile,
	frame::{offset, Frame, Kind, BLOCK, FRAME},
	key::{Place, StoreKey},
};
use std::{io, ops::Range};

/// Bytes read at once while looking for the next record after damage.
const WINDOW: usize = 64 * BLOCK;

/// A record found in a volume.
#[derive(Clone, Debug)]
pub(crate) struct Found {
	pub(crate) place: Place,
	pub(crate) frame: Frame,
}

/// What a volume holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
	/// All records, in order of place.
	pub(crate) records: Vec<Found>,
	/// Runs of blocks that belong to no record although something was written there.
	pub(crate) gaps: Vec<Range<u32>>,
	/// First block after everything above.
	pub(crate) end: u32,
	/// Everything before this block was durable when the last record was written.
	pub(crate) durable: u32,
	/// Whether the volume has its end mark.
	pub(crate) ended: bool,
}

/// Walks the headers of volume `volume`, which has `blocks` blocks, from block `from`; everything
/// before that is durable. Damage is skipped: the next header, or the footer of the record whose
/// header is damaged, takes the walk up again.
pub(crate) fn scan(
	file: &dyn DiskFile,
	key: &StoreKey,
	volume: u32,
	from: u32,
	blocks: u32,
) -> io::Result<Scan> {
	let mut found = Scan {
		end: from,
		durable: from,
		..Scan::default()
	};
	while found.end < blocks {
		let place = Place {
			volume,
			block: found.end,
		};
		let mut head = [0u8; FRAME];
		// An unreadable sector is damage like any other, and the search below goes over it.
		let header = match file.read_at(&mut head, place.offset()) {
			Ok(()) => Frame::decode_header(&head, key, place),
			Err(error) => {
				tracing::warn!(volume, block = place.block, %error, "record header is unreadable");
				None
			}
		};
		let next = match header {
			Some(frame) => Some(Found { place, frame }),
			None => {
				let (next, junk_end) = search(file, key, place, blocks)?;
				let gap = place.block..next.as_ref().map_or(junk_end, |next| next.place.block);
				if !gap.is_empty() {
					found.end = gap.end;
					found.gaps.push(gap);
				}
				next
			}
		};
		let Some(next) = next else { break };
		if u64::from(next.place.block) + u64::from(next.frame.blocks) > u64::from(blocks) {
			// Cannot be written by us: the volume has shrunk.
			found.gaps.push(next.place.block..blocks);
			found.end = blocks;
			break;
		}
		found.end = next.place.block + next.frame.blocks;
		found.durable = found.durable.max(next.frame.durable);
		if next.frame.kind == Kind::End {
			found.ended = true;
			found.durable = next.place.block;
			break;
		}
		found.records.push(next);
	}
	Ok(found)
}

/// The first record that starts at or after `from`, known by its header or its footer, and the end
/// of what is not zero before it.
fn search(
	file: &dyn DiskFile,
	key: &StoreKey,
	from: Place,
	blocks: u32,
) -> io::Result<(Option<Found>, u32)> {
	let mut block = from.block;
	let mut junk_end = from.block;
	let mut window = vec![0u8; WINDOW];
	while block < blocks {
		match file.next_data(offset(block))? {
			None => break,
			Some(data) => {
				block = block.max(u32::try_from(data / BLOCK as u64).unwrap_or(blocks));
				if block >= blocks {
					break;
				}
			}
		}
		let count = (WINDOW / BLOCK).min((blocks - block) as usize);
		let window = &mut window[..count * BLOCK];
		let unreadable = read_window(file, window, block);
		for (index, bytes) in window.chunks_exact(BLOCK).enumerate() {
			let at = block + index as u32;
			if unreadable.contains(&at) {
				junk_end = at + 1;
				continue;
			}
			let place = Place {
				volume: from.volume,
				block: at,
			};
			if let Some(frame) = Frame::decode_header(&bytes[..FRAME], key, place) {
				return Ok((Some(Found { place, frame }), junk_end));
			}
			let footer = Frame::decode_footer(&bytes[BLOCK - FRAME..], key, from.volume, at + 1);
			if let Some((frame, place)) = footer.filter(|(_, place)| place.block >= from.block) {
				return Ok((Some(Found { place, frame }), place.block));
			}
			if bytes.iter().any(|byte| *byte != 0) {
				junk_end = at + 1;
			}
		}
		block += count as u32;
	}
	Ok((None, junk_end))
}

/// Reads blocks from `first`; one by one if they cannot be read together. Gives those that cannot
/// be read at all.
fn read_window(file: &dyn DiskFile, window: &mut [u8], first: u32) -> Vec<u32> {
	if file.read_at(window, offset(first)).is_ok() {
		return Vec::new();
	}
	let mut unreadable = Vec::new();
	for (index, bytes) in window.chunks_exact_mut(BLOCK).enumerate() {
		let block = first + index as u32;
		if let Err(error) = file.read_at(bytes, offset(block)) {
			tracing::warn!(block, %error, "block is unreadable");
			unreadable.push(block);
		}
	}
	unreadable
}
