//! Bytes of records: header, footer, and what is between them.

use crate::{
	buffer::{Buffer, Buffers},
	entry::{Entry, MAX_BLOCKS},
	key::{Key, Namespace, Place, RecordKey, StoreKey},
};
use arion_storage_proof::Outboard;
use hippius_primitives::StripeId;
use std::sync::Arc;

/// Alignment of records, in bytes.
pub(crate) const BLOCK: usize = 4096;
/// Length of a record's header and of its footer.
pub(crate) const FRAME: usize = 192;
/// Version of all formats of a store.
pub(crate) const VERSION: u16 = 2;
/// Entries in one list record, which then takes one block.
pub(crate) const LIST: usize = (BLOCK - 2 * FRAME) / Entry::LEN;

const MAGIC: [u8; 4] = *b"ARSR";
/// Bytes of a frame its check covers; the check takes the rest.
const CHECKED: usize = FRAME - 16;
/// Frame flag: the blocks between the first and the last are a hole.
const PUNCHED: u32 = 1;

/// Byte offset of a block.
pub(crate) fn offset(block: u32) -> u64 {
	u64::from(block) * BLOCK as u64
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
	/// A shard or block with its meta.
	Data = 1,
	/// Blocks that hold nothing: what a crash, or a record that was dropped, left behind.
	Void = 2,
	/// Nothing follows in this volume.
	End = 3,
	/// The listed records no longer count.
	Drop = 4,
	/// The listed records are in the trash since `created`.
	Trash = 5,
	/// The listed records are out of the trash.
	Restore = 6,
	/// The listed records, dropped before, have become holes.
	Punched = 7,
	/// The volumes of the listed places hold nothing any more and may be removed.
	Removed = 8,
}

impl Kind {
	fn from_number(number: u8) -> Option<Self> {
		[
			Self::Data,
			Self::Void,
			Self::End,
			Self::Drop,
			Self::Trash,
			Self::Restore,
			Self::Punched,
			Self::Removed,
		]
		.into_iter()
		.find(|kind| *kind as u8 == number)
	}
}

/// Which end of a record a frame stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
	Header,
	Footer,
}

/// The fields of a record's header and footer.
///
/// Offsets: 0 magic, 4 version, 5 kind, 6 namespace, 7 slot, 8 flags, 12 meta length, 16 data
/// length, 20 outboard length, 24 blocks, 28 durable, 32 created, 40 trashed, 48 reserved for an
/// expiry, 56 digest, 88 stripe, 120 root, 152 meta check, 168 reserved, 176 check. Integers are
/// little endian; what is reserved is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
	pub(crate) kind: Kind,
	pub(crate) record: RecordKey,
	pub(crate) punched: bool,
	pub(crate) meta_len: u32,
	pub(crate) data_len: u32,
	pub(crate) tree_len: u32,
	/// Blocks of the whole record.
	pub(crate) blocks: u32,
	/// Everything before this block of the volume was durable when this was written.
	pub(crate) durable: u32,
	/// Unix seconds.
	pub(crate) created: u64,
	/// Unix seconds; 0 unless the record was in the trash when it was written (by compaction).
	pub(crate) trashed: u64,
	/// BLAKE3 of the data.
	pub(crate) root: [u8; 32],
	pub(crate) meta_check: [u8; 16],
}

impl Frame {
	pub(crate) fn plain(kind: Kind, blocks: u32) -> Self {
		Self {
			kind,
			record: RecordKey {
				key: Key {
					namespace: Namespace::Shard,
					digest: [0; 32],
				},
				stripe: StripeId::default(),
				slot: 0,
			},
			punched: false,
			meta_len: 0,
			data_len: 0,
			tree_len: 0,
			blocks,
			durable: 0,
			created: 0,
			trashed: 0,
			root: [0; 32],
			meta_check: [0; 16],
		}
	}

	pub(crate) fn encode(&self, key: &StoreKey, place: Place, side: Side) -> [u8; FRAME] {
		let mut out = [0u8; FRAME];
		let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
		let record = &self.record;
		let numbers = [
			VERSION as u8,
			self.kind as u8,
			record.key.namespace as u8,
			record.slot,
		];
		put(0, &MAGIC);
		put(4, &numbers);
		put(8, &(u32::from(self.punched) * PUNCHED).to_le_bytes());
		put(12, &self.meta_len.to_le_bytes());
		put(16, &self.data_len.to_le_bytes());
		put(20, &self.tree_len.to_le_bytes());
		put(24, &self.blocks.to_le_bytes());
		put(28, &self.durable.to_le_bytes());
		put(32, &self.created.to_le_bytes());
		put(40, &self.trashed.to_le_bytes());
		put(56, &record.key.digest);
		put(88, record.stripe.as_bytes());
		put(120, &self.root);
		put(152, &self.meta_check);
		let check = key.check(side as u8, place.volume, place.block, &out[..CHECKED]);
		out[CHECKED..].copy_from_slice(&check);
		out
	}

	/// Reads the header of a record that would start at `place`.
	pub(crate) fn decode_header(bytes: &[u8], key: &StoreKey, place: Place) -> Option<Self> {
		let frame = Self::parse(bytes)?;
		frame.fits(bytes, key, place, Side::Header).then_some(frame)
	}

	/// Reads the footer of a record that would end before block `end`; gives its first block too.
	pub(crate) fn decode_footer(
		bytes: &[u8],
		key: &StoreKey,
		volume: u32,
		end: u32,
	) -> Option<(Self, Place)> {
		let frame = Self::parse(bytes)?;
		let place = Place {
			volume,
			block: end.checked_sub(frame.blocks)?,
		};
		frame
			.fits(bytes, key, place, Side::Footer)
			.then_some((frame, place))
	}

	/// The fields, unchecked except for magic, version, kind and namespace.
	pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
		if bytes.len() != FRAME || bytes[..4] != MAGIC || bytes[4] != VERSION as u8 {
			return None;
		}
		Some(Self {
			kind: Kind::from_number(bytes[5])?,
			record: RecordKey {
				key: Key {
					namespace: Namespace::from_number(bytes[6])?,
					digest: array(bytes, 56),
				},
				stripe: StripeId(array(bytes, 88)),
				slot: bytes[7],
			},
			punched: u32::from_le_bytes(array(bytes, 8)) & PUNCHED != 0,
			meta_len: u32::from_le_bytes(array(bytes, 12)),
			data_len: u32::from_le_bytes(array(bytes, 16)),
			tree_len: u32::from_le_bytes(array(bytes, 20)),
			blocks: u32::from_le_bytes(array(bytes, 24)),
			durable: u32::from_le_bytes(array(bytes, 28)),
			created: u64::from_le_bytes(array(bytes, 32)),
			trashed: u64::from_le_bytes(array(bytes, 40)),
			root: array(bytes, 120),
			meta_check: array(bytes, 152),
		})
	}

	fn fits(&self, bytes: &[u8], key: &StoreKey, place: Place, side: Side) -> bool {
		let check = key.check(side as u8, place.volume, place.block, &bytes[..CHECKED]);
		bytes[CHECKED..] == check && self.is_sound() && self.durable <= place.block
	}

	/// Whether the lengths fit each other.
	pub(crate) fn is_sound(&self) -> bool {
		let (meta, data, tree) = (
			self.meta_len as usize,
			self.data_len as usize,
			self.tree_len as usize,
		);
		match self.kind {
			Kind::Void => self.blocks > 0,
			Kind::Data => {
				self.blocks == record_blocks(meta, data)
					&& self.blocks <= MAX_BLOCKS
					&& tree == tree_len(data)
			}
			_ => self.blocks == 1 && data == 0 && tree == 0 && meta <= LIST * Entry::LEN,
		}
	}

	/// Where the data is in the record's bytes; the meta stands before it.
	pub(crate) fn data_start(&self) -> usize {
		FRAME + self.meta_len as usize
	}

	/// What the index keeps of a data record at `place`: one entry by its key, and one by its
	/// stripe if it has one.
	pub(crate) fn entries(&self, key: &StoreKey, place: Place) -> Vec<Entry> {
		let namespace = self.record.key.namespace;
		let entry = Entry::new(
			key.fingerprint(&self.record.key),
			place,
			self.blocks,
			namespace,
		);
		let mut entries = vec![entry];
		if namespace == Namespace::Shard {
			entries.push(entry.of_stripe(key.stripe_fingerprint(&self.record.stripe)));
		}
		entries
	}
}

/// `N` bytes at `at`; the caller has checked the length.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
	let mut out = [0; N];
	out.copy_from_slice(&bytes[at..at + N]);
	out
}

/// Bytes of the outboard of so much data.
pub(crate) fn tree_len(data_len: usize) -> usize {
	arion_storage_proof::outboard::outboard_len(data_len as u64) as usize
}

/// Blocks of a record with so much meta and data.
pub(crate) fn record_blocks(meta_len: usize, data_len: usize) -> u32 {
	let bytes = 2 * FRAME + meta_len + data_len + tree_len(data_len);
	u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX)
}

/// A record that still has to be given its place: all its bytes, frames left blank.
pub(crate) struct Draft {
	pub(crate) frame: Frame,
	bytes: Buffer,
}

impl Draft {
	/// A data record, in memory from `buffers`. Meta and data have been checked by the caller, who
	/// knows the data's tree.
	pub(crate) fn data(
		buffers: &Arc<Buffers>,
		record: RecordKey,
		meta: &[u8],
		data: &[u8],
		tree: &Outboard,
		created: u64,
	) -> Self {
		let len = record_blocks(meta.len(), data.len()) as usize * BLOCK;
		let mut draft = Self::new(buffers.take(len), Kind::Data, meta, data, tree.as_bytes());
		draft.frame.record = record;
		draft.frame.root = tree.shard_id().0;
		draft.frame.created = created;
		draft
	}

	/// A list of entries, at most [`LIST`].
	pub(crate) fn list(kind: Kind, entries: &[Entry], created: u64) -> Self {
		let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_bytes()).collect();
		let mut draft = Self::new(Buffer::alone(BLOCK), kind, &bytes, &[], &[]);
		draft.frame.created = created;
		draft
	}

	/// The record that ends a volume.
	pub(crate) fn end() -> Self {
		Self::new(Buffer::alone(BLOCK), Kind::End, &[], &[], &[])
	}

	fn new(mut bytes: Buffer, kind: Kind, meta: &[u8], data: &[u8], tree: &[u8]) -> Self {
		let blocks = record_blocks(meta.len(), data.len());
		let len = blocks as usize * BLOCK;
		bytes.pad(FRAME);
		bytes.push(meta);
		bytes.push(data);
		// The outboard stands right before the footer: both are read at once.
		bytes.pad(len - FRAME - tree.len());
		bytes.push(tree);
		bytes.pad(len);
		let frame = Frame {
			meta_len: meta.len() as u32,
			data_len: data.len() as u32,
			tree_len: tree.len() as u32,
			..Frame::plain(kind, blocks)
		};
		Self { frame, bytes }
	}

	/// Length on disk.
	pub(crate) fn len(&self) -> u64 {
		self.bytes.len() as u64
	}

	/// The record's bytes; its frames are blank before [`Self::place`].
	pub(crate) fn bytes(&self) -> &[u8] {
		&self.bytes
	}

	/// Fills in the frames for this place.
	pub(crate) fn place(&mut self, key: &StoreKey, place: Place, durable: u32) {
		self.frame.durable = durable;
		let meta = &self.bytes[FRAME..self.frame.data_start()];
		self.frame.meta_check = key.meta_check(place, meta);
		seal(&mut self.bytes, &self.frame, key, place);
	}
}

/// Writes both frames into a record's bytes.
pub(crate) fn seal(bytes: &mut [u8], frame: &Frame, key: &StoreKey, place: Place) {
	let footer = bytes.len() - FRAME;
	bytes[..FRAME].copy_from_slice(&frame.encode(key, place, Side::Header));
	bytes[footer..].copy_from_slice(&frame.encode(key, place, Side::Footer));
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
