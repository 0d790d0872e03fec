//! Reading records, in whole or by groups, and what happens to damaged ones.

use crate::{
	entry::Entry,
	error::StoreError,
	frame::{Frame, Kind, BLOCK, FRAME},
	key::RecordKey,
	record::{tail_len, Record},
	shared::{Fault, Finding, Shared},
	volume,
};
use arion_storage_proof::{Outboard, GROUP_LEN};
use hippius_primitives::ShardId;
use std::{io, ops::Range};

/// What a record's end says: whose it is, and its checked tree.
pub(crate) struct Tail {
	pub(crate) record: RecordKey,
	pub(crate) tree: Outboard,
	/// Where the data begins in the record.
	pub(crate) data_start: usize,
}

impl Shared {
	fn read(&self, volume: u32, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
		self.check_answers()?;
		let _call = self.pending.begin();
		let file = self.files.get(volume)?;
		file.read_at(buf, offset).map_err(|error| {
			self.add(|c| &c.read_errors, 1);
			StoreError::io("read", self.disk.describe(&volume::name(volume)), error)
		})
	}

	/// The frame of the record of `entry`: its header, or its footer if that is damaged; `None` if
	/// both are, or are of something else.
	pub(crate) fn read_frame(&self, entry: &Entry) -> Result<Option<Frame>, StoreError> {
		let place = entry.place();
		let mut bytes = [0; FRAME];
		let header = self.read(place.volume, place.offset(), &mut bytes);
		if header.is_ok() {
			let frame = Frame::decode_header(&bytes, &self.key, place);
			if let Some(frame) = frame.filter(|frame| of(frame, entry)) {
				return Ok(Some(frame));
			}
		}
		let end = place.offset() + u64::from(entry.blocks()) * BLOCK as u64;
		let footer = self.read(place.volume, end - FRAME as u64, &mut bytes);
		let block = place.block + entry.blocks();
		let found = footer
			.is_ok()
			.then(|| Frame::decode_footer(&bytes, &self.key, place.volume, block))
			.flatten()
			.filter(|(frame, _)| of(frame, entry));
		match (found, header) {
			(Some((frame, _)), _) => Ok(Some(frame)),
			(None, Err(error)) => Err(error),
			(None, Ok(())) => footer.map(|()| None),
		}
	}

	/// All of the record of `entry`, unchecked but for a frame; `None` if both are damaged.
	pub(crate) fn read_record(&self, entry: &Entry) -> Result<Option<Record>, StoreError> {
		let place = entry.place();
		let mut bytes = vec![0; entry.blocks() as usize * BLOCK];
		self.read(place.volume, place.offset(), &mut bytes)?;
		let footer = bytes.len() - FRAME;
		let end = place.block + entry.blocks();
		let frame = Frame::decode_header(&bytes[..FRAME], &self.key, place)
			.filter(|frame| of(frame, entry))
			.or_else(|| {
				let found = Frame::decode_footer(&bytes[footer..], &self.key, place.volume, end);
				found.map(|(frame, _)| frame).filter(|f| of(f, entry))
			});
		Ok(frame.map(|frame| Record::new(frame, bytes)))
	}

	/// The meta of a record whose frame is known.
	pub(crate) fn read_meta(&self, entry: &Entry, frame: &Frame) -> Result<Vec<u8>, StoreError> {
		let place = entry.place();
		let mut bytes = vec![0; frame.meta_len as usize];
		self.read(place.volume, place.offset() + FRAME as u64, &mut bytes)?;
		Ok(bytes)
	}

	/// Frame and outboard in one read, checked against the root; `None` if either is damaged.
	pub(crate) fn read_tree(&self, entry: &Entry) -> Result<Option<Tail>, StoreError> {
		let place = entry.place();
		let mut bytes = vec![0; tail_len(entry.blocks())];
		let end = place.offset() + u64::from(entry.blocks()) * BLOCK as u64;
		self.read(place.volume, end - bytes.len() as u64, &mut bytes)?;
		let at = bytes.len() - FRAME;
		let block = place.block + entry.blocks();
		let found = Frame::decode_footer(&bytes[at..], &self.key, place.volume, block);
		let Some((frame, _)) = found.filter(|(frame, _)| of(frame, entry)) else {
			return Ok(None);
		};
		let Some(start) = at.checked_sub(frame.tree_len as usize) else {
			return Ok(None);
		};
		let len = u64::from(frame.data_len);
		let tree = Outboard::parse(&bytes[start..at], len, &ShardId(frame.root)).ok();
		Ok(tree.map(|tree| Tail {
			record: frame.record,
			data_start: frame.data_start(),
			tree,
		}))
	}

	/// Bytes `range` of a record's data, not checked.
	pub(crate) fn read_data(
		&self,
		entry: &Entry,
		data_start: usize,
		range: &Range<usize>,
	) -> Result<Vec<u8>, StoreError> {
		let mut bytes = vec![0; range.len()];
		let place = entry.place();
		let offset = place.offset() + (data_start + range.start) as u64;
		self.read(place.volume, offset, &mut bytes)?;
		Ok(bytes)
	}

	/// The groups that hold `range` of a record's data, each checked; `None` if one is damaged.
	pub(crate) fn read_groups(
		&self,
		entry: &Entry,
		tree: &Outboard,
		data_start: usize,
		range: &Range<usize>,
	) -> Result<Option<Vec<u8>>, StoreError> {
		let len = tree.shard_len() as usize;
		let first = range.start / GROUP_LEN;
		let end = (range.end.div_ceil(GROUP_LEN) * GROUP_LEN).min(len);
		let start = first * GROUP_LEN;
		let mut bytes = self.read_data(entry, data_start, &(start..end.max(start)))?;
		let good = bytes
			.chunks(GROUP_LEN)
			.enumerate()
			.all(|(nth, group)| tree.group_matches((first + nth) as u64, group));
		bytes.truncate(range.end - start);
		bytes.drain(..range.start - start);
		Ok(good.then_some(bytes))
	}

	/// The record with exactly this key, in the trash or not. Records that cannot be read are passed
	/// over: storing once more is better than trusting them.
	pub(crate) fn find_record(&self, record: &RecordKey) -> Option<(Entry, Frame)> {
		let fp = self.key.fingerprint(&record.key);
		let entries: Vec<Entry> = self
			.index()
			.find(fp)
			.filter(|entry| !entry.is_stripe())
			.copied()
			.collect();
		entries
			.into_iter()
			.find_map(|entry| match self.read_frame(&entry) {
				Ok(Some(frame)) if frame.record == *record => Some((entry, frame)),
				Ok(_) => None,
				Err(error) => {
					tracing::warn!(%error, key = %record.key, "cannot read a record's header");
					None
				}
			})
	}

	/// Takes a damaged record out of the index and leaves its end for the writer to record. Tells
	/// whether it was there.
	pub(crate) fn discard(&self, entry: &Entry, frame: Option<&Frame>) -> bool {
		let place = entry.place();
		let entries = match frame {
			Some(frame) => frame.entries(&self.key, place),
			None => vec![*entry],
		};
		let mut index = self.index_mut();
		if index.remove(entry).is_none() {
			return false;
		}
		for other in entries.iter().filter(|other| !other.same(entry)) {
			index.remove(other);
		}
		drop(index);
		self.drops().extend(entries);
		if entry.is_stripe() && frame.is_none() {
			// The record's own entry is still there, and is counted when it goes.
			return true;
		}
		self.add(|c| &c.corrupt, 1);
		let record = frame.map(|frame| frame.record);
		let key = record.map(|record| record.key);
		tracing::warn!(?key, volume = place.volume, block = place.block, "damaged");
		self.report(Finding {
			key,
			stripe: record.map(|record| record.stripe),
			fault: Fault::Corrupt,
		});
		true
	}

	/// Whether the record is in the index, in the trash or not.
	pub(crate) fn still_there(&self, entry: &Entry) -> bool {
		self.index().get(entry).is_some()
	}
}

/// Whether the frame is of the record the entry speaks of.
fn of(frame: &Frame, entry: &Entry) -> bool {
	frame.kind == Kind::Data && frame.blocks == entry.blocks()
}

/// Whether an error means that the volume has been removed.
pub(crate) fn is_gone(error: &StoreError) -> bool {
	matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
