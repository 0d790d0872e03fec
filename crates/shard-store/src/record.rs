//! A record that was read in whole, and what is good of it.

use crate::{
	entry::Entry,
	frame::{tree_len, Frame, Kind, LIST},
	frame::{BLOCK, FRAME},
	key::{Namespace, Place, StoreKey},
	tag::{self, Tag},
};
use arion_storage_proof::Outboard;
use hippius_primitives::ShardMeta;
use std::ops::Range;

/// How much of a data record is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
	/// Everything.
	Good,
	/// Meta and data; a frame or the outboard is damaged.
	Patchy,
	/// Meta or data is damaged.
	Bad,
}

/// The bytes of a record with the fields of one of its frames.
pub(crate) struct Record {
	pub(crate) frame: Frame,
	bytes: Vec<u8>,
}

impl Record {
	/// `bytes` are all blocks of the record of which `frame` is a frame.
	pub(crate) fn new(frame: Frame, bytes: Vec<u8>) -> Self {
		Self { frame, bytes }
	}

	fn slice(&self, range: Range<usize>) -> &[u8] {
		self.bytes.get(range).unwrap_or_default()
	}

	pub(crate) fn meta(&self) -> &[u8] {
		self.slice(FRAME..self.frame.data_start())
	}

	pub(crate) fn data(&self) -> &[u8] {
		let start = self.frame.data_start();
		self.slice(start..start + self.frame.data_len as usize)
	}

	fn tree_range(&self) -> Range<usize> {
		let end = self.bytes.len() - FRAME;
		end.saturating_sub(self.frame.tree_len as usize)..end
	}

	/// The data without a copy of more than itself; as [`Self::data`], nothing if it would end
	/// outside of the record.
	pub(crate) fn into_data(mut self) -> Vec<u8> {
		let start = self.frame.data_start();
		let end = start + self.frame.data_len as usize;
		if end > self.bytes.len() {
			return Vec::new();
		}
		self.bytes.truncate(end);
		self.bytes.drain(..start);
		self.bytes
	}

	pub(crate) fn into_bytes(self) -> Vec<u8> {
		self.bytes
	}

	fn is_meta_good(&self, key: &StoreKey, place: Place) -> bool {
		key.meta_check(place, self.meta()) == self.frame.meta_check
	}

	/// Whether meta and data (or the list) are as they were written.
	pub(crate) fn is_good(&self, key: &StoreKey, place: Place) -> bool {
		if !self.is_meta_good(key, place) {
			return false;
		}
		self.frame.kind != Kind::Data
			|| (blake3::hash(self.data()).as_bytes() == &self.frame.root && self.is_named_right())
	}

	/// Whether the key is what its namespace says it is. Digests of other namespaces are checked by
	/// whoever stores under them; here the root stands for the content.
	fn is_named_right(&self) -> bool {
		self.frame.record.key.namespace != Namespace::Shard
			|| (self.frame.record.key.digest == self.frame.root && self.shard_meta().is_some())
	}

	/// The meta of a shard, if it fits the record's key.
	pub(crate) fn shard_meta(&self) -> Option<ShardMeta> {
		shard_meta(&self.frame, self.meta())
	}

	/// What is good of the record; reads and hashes everything.
	pub(crate) fn health(&self, key: &StoreKey, place: Place) -> Health {
		if !self.is_good(key, place) {
			return Health::Bad;
		}
		let end = place.block + self.frame.blocks;
		let header = Frame::decode_header(self.slice(0..FRAME), key, place);
		let footer = self.slice(self.bytes.len() - FRAME..self.bytes.len());
		let footer = Frame::decode_footer(footer, key, place.volume, end);
		let frames = header.as_ref() == Some(&self.frame)
			&& footer.is_some_and(|(footer, _)| footer == self.frame);
		if frames && self.slice(self.tree_range()) == Outboard::build(self.data()).as_bytes() {
			Health::Good
		} else {
			Health::Patchy
		}
	}

	/// Writes the outboard anew from the data; tells whether it fits in its place.
	pub(crate) fn renew_tree(&mut self) -> bool {
		let new = Outboard::build(self.data());
		let range = self.tree_range();
		match self.bytes.get_mut(range) {
			Some(tree) if tree.len() == new.as_bytes().len() => {
				tree.copy_from_slice(new.as_bytes());
				true
			}
			_ => false,
		}
	}

	/// The entries of a list.
	pub(crate) fn list(&self) -> Vec<Entry> {
		parse_list(self.meta())
	}
}

/// The meta of a shard record, if it fits the key in the record's frame.
pub(crate) fn shard_meta(frame: &Frame, meta: &[u8]) -> Option<ShardMeta> {
	tagged_meta(frame, meta).map(|(meta, _)| meta)
}

/// The same with the tag, if there is one.
pub(crate) fn tagged_meta(frame: &Frame, meta: &[u8]) -> Option<(ShardMeta, Option<Tag>)> {
	let record = &frame.record;
	tag::decode(meta).filter(|(meta, _)| {
		meta.is_consistent()
			&& meta.shard().map(Into::into) == Some(record.key)
			&& meta.stripe == record.stripe
			&& meta.slot == record.slot
	})
}

/// The entries in a list's meta.
pub(crate) fn parse_list(meta: &[u8]) -> Vec<Entry> {
	let (entries, _) = meta.as_chunks::<{ Entry::LEN }>();
	entries
		.iter()
		.take(LIST)
		.map(Entry::from_bytes)
		.filter(|entry| !entry.is_empty())
		.collect()
}

/// The bytes at a record's end that hold its footer and, at most, its outboard.
pub(crate) fn tail_len(blocks: u32) -> usize {
	let record = blocks as usize * BLOCK;
	(tree_len(record) + FRAME).min(record)
}
