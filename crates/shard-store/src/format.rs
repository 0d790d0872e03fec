//! Bytes of records and volume headers.

use codec::{Decode, Encode};
use hippius_primitives::{ShardId, ShardMeta, StripeId};

/// Alignment of records, in bytes.
pub(crate) const BLOCK: usize = 4096;
/// Length of a record's header and of its footer.
pub(crate) const FRAME: usize = 160;
/// Version of record, volume and `SUPER` formats.
pub(crate) const VERSION: u16 = 1;

const RECORD_MAGIC: [u8; 4] = *b"ARSR";
const VOLUME_MAGIC: [u8; 8] = *b"ARIONVOL";
const SUPER_MAGIC: [u8; 8] = *b"ARIONSUP";
/// Bytes of a frame its check covers; the check takes the rest.
const CHECKED: usize = FRAME - 16;
/// Length of the description in a volume's first block, and of `SUPER`.
pub(crate) const PREAMBLE: usize = 72;

/// Random bytes that bind records to one store: whoever does not know them (a peer choosing shard
/// content) cannot make bytes that look like a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreKey(pub(crate) [u8; 32]);

impl StoreKey {
	fn check(&self, domain: u8, volume: u32, block: u32, parts: &[u8]) -> [u8; 16] {
		let mut hasher = blake3::Hasher::new_keyed(&self.0);
		hasher.update(&[domain]);
		hasher.update(&volume.to_le_bytes());
		hasher.update(&block.to_le_bytes());
		hasher.update(parts);
		let mut check = [0; 16];
		check.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
		check
	}

	/// Check over a record's meta.
	pub(crate) fn meta_check(&self, place: Place, meta: &[u8]) -> [u8; 16] {
		self.check(b'M', place.volume, place.block, meta)
	}
}

/// Where a record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Place {
	/// Number of the volume.
	pub(crate) volume: u32,
	/// First block.
	pub(crate) block: u32,
}

impl Place {
	pub(crate) fn offset(self) -> u64 {
		offset(self.block)
	}
}

/// Byte offset of a block.
pub(crate) fn offset(block: u32) -> u64 {
	u64::from(block) * BLOCK as u64
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
	/// A shard with its meta.
	Shard = 1,
	/// Blocks that hold nothing: what a crash left behind.
	Void = 2,
	/// Says that the shard record at a [`Place`] (its meta) no longer counts.
	Drop = 3,
	/// Nothing follows in this volume.
	End = 4,
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
/// length, 20 outboard length, 24 blocks, 28 durable, 32 sequence, 40 created, 48 expires, 56 id,
/// 88 stripe, 120 meta check, 136 reserved, 144 check. Integers are little endian; namespace, flags,
/// outboard length, sequence and expires are reserved and zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
	pub(crate) kind: Kind,
	pub(crate) slot: u8,
	pub(crate) meta_len: u32,
	pub(crate) data_len: u32,
	/// Blocks of the whole record.
	pub(crate) blocks: u32,
	/// Everything before this block of the volume was durable when this was written.
	pub(crate) durable: u32,
	/// Unix seconds.
	pub(crate) created: u64,
	pub(crate) id: ShardId,
	pub(crate) stripe: StripeId,
	pub(crate) meta_check: [u8; 16],
}

impl Frame {
	pub(crate) fn plain(kind: Kind, blocks: u32) -> Self {
		Self {
			kind,
			slot: 0,
			meta_len: 0,
			data_len: 0,
			blocks,
			durable: 0,
			created: 0,
			id: ShardId::default(),
			stripe: StripeId::default(),
			meta_check: [0; 16],
		}
	}

	pub(crate) fn encode(&self, key: &StoreKey, place: Place, side: Side) -> [u8; FRAME] {
		let mut out = [0u8; FRAME];
		let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
		put(0, &RECORD_MAGIC);
		put(4, &[VERSION as u8, self.kind as u8, 0, self.slot]);
		put(12, &self.meta_len.to_le_bytes());
		put(16, &self.data_len.to_le_bytes());
		put(24, &self.blocks.to_le_bytes());
		put(28, &self.durable.to_le_bytes());
		put(40, &self.created.to_le_bytes());
		put(56, self.id.as_bytes());
		put(88, self.stripe.as_bytes());
		put(120, &self.meta_check);
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

	/// The fields, unchecked except for magic, version and kind.
	fn parse(bytes: &[u8]) -> Option<Self> {
		if bytes.len() != FRAME || bytes[..4] != RECORD_MAGIC || bytes[4] != VERSION as u8 {
			return None;
		}
		let kind = match bytes[5] {
			1 => Kind::Shard,
			2 => Kind::Void,
			3 => Kind::Drop,
			4 => Kind::End,
			_ => return None,
		};
		Some(Self {
			kind,
			slot: bytes[7],
			meta_len: u32::from_le_bytes(array(bytes, 12)),
			data_len: u32::from_le_bytes(array(bytes, 16)),
			blocks: u32::from_le_bytes(array(bytes, 24)),
			durable: u32::from_le_bytes(array(bytes, 28)),
			created: u64::from_le_bytes(array(bytes, 40)),
			id: ShardId(array(bytes, 56)),
			stripe: StripeId(array(bytes, 88)),
			meta_check: array(bytes, 120),
		})
	}

	fn fits(&self, bytes: &[u8], key: &StoreKey, place: Place, side: Side) -> bool {
		let check = key.check(side as u8, place.volume, place.block, &bytes[..CHECKED]);
		bytes[CHECKED..] == check
			&& self.durable <= place.block
			&& self.blocks > 0
			&& (self.kind == Kind::Void
				|| self.blocks == record_blocks(self.meta_len as usize, self.data_len as usize))
	}
}

/// `N` bytes at `at`; the caller has checked the length.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
	let mut out = [0; N];
	out.copy_from_slice(&bytes[at..at + N]);
	out
}

/// Blocks of a record with so much meta and data.
pub(crate) fn record_blocks(meta_len: usize, data_len: usize) -> u32 {
	(2 * FRAME + meta_len + data_len).div_ceil(BLOCK) as u32
}

/// A record that still has to be given its place: all its bytes, frames left blank.
pub(crate) struct Draft {
	pub(crate) frame: Frame,
	bytes: Vec<u8>,
}

impl Draft {
	/// A shard's record. Meta and data have been checked by the caller.
	pub(crate) fn shard(meta: &ShardMeta, id: ShardId, data: &[u8], created: u64) -> Self {
		let mut draft = Self::new(Kind::Shard, &meta.encode(), data);
		draft.frame.slot = meta.slot;
		draft.frame.id = id;
		draft.frame.stripe = meta.stripe;
		draft.frame.created = created;
		draft
	}

	/// The record that takes the shard record at `target` out of the count.
	pub(crate) fn drop_of(id: ShardId, target: Place) -> Self {
		let mut draft = Self::new(Kind::Drop, &target.encode(), &[]);
		draft.frame.id = id;
		draft
	}

	/// The record that ends a volume.
	pub(crate) fn end() -> Self {
		Self::new(Kind::End, &[], &[])
	}

	fn new(kind: Kind, meta: &[u8], data: &[u8]) -> Self {
		let blocks = record_blocks(meta.len(), data.len());
		let mut bytes = Vec::with_capacity(blocks as usize * BLOCK);
		bytes.resize(FRAME, 0);
		bytes.extend_from_slice(meta);
		bytes.extend_from_slice(data);
		bytes.resize(blocks as usize * BLOCK, 0);
		let frame = Frame {
			meta_len: meta.len() as u32,
			data_len: data.len() as u32,
			..Frame::plain(kind, blocks)
		};
		Self { frame, bytes }
	}

	/// Length on disk.
	pub(crate) fn len(&self) -> u64 {
		self.bytes.len() as u64
	}

	/// Fills in the frames for this place and gives the record's bytes.
	pub(crate) fn place(&mut self, key: &StoreKey, place: Place, durable: u32) -> &[u8] {
		self.frame.durable = durable;
		let meta = &self.bytes[FRAME..FRAME + self.frame.meta_len as usize];
		self.frame.meta_check = key.meta_check(place, meta);
		let footer = self.bytes.len() - FRAME;
		self.bytes[..FRAME].copy_from_slice(&self.frame.encode(key, place, Side::Header));
		self.bytes[footer..].copy_from_slice(&self.frame.encode(key, place, Side::Footer));
		&self.bytes
	}
}

/// What the first bytes of a volume or of `SUPER` say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Preamble<T> {
	Good(T),
	/// A version this program does not know.
	Version(u16),
	Damaged,
}

fn preamble(magic: [u8; 8], key: &StoreKey, number: u32, blocks: u32) -> [u8; PREAMBLE] {
	let mut out = [0u8; PREAMBLE];
	out[..8].copy_from_slice(&magic);
	out[8..10].copy_from_slice(&VERSION.to_le_bytes());
	out[12..16].copy_from_slice(&number.to_le_bytes());
	out[16..20].copy_from_slice(&blocks.to_le_bytes());
	out[24..56].copy_from_slice(&key.0);
	let check = key.check(b'P', number, blocks, &out[..56]);
	out[56..].copy_from_slice(&check);
	out
}

fn read_preamble(magic: [u8; 8], bytes: &[u8]) -> Preamble<(StoreKey, u32, u32)> {
	if bytes.len() != PREAMBLE || bytes[..8] != magic {
		return Preamble::Damaged;
	}
	let key = StoreKey(array(bytes, 24));
	let number = u32::from_le_bytes(array(bytes, 12));
	let blocks = u32::from_le_bytes(array(bytes, 16));
	let check = key.check(b'P', number, blocks, &bytes[..56]);
	match u16::from_le_bytes(array(bytes, 8)) {
		_ if bytes[56..] != check => Preamble::Damaged,
		VERSION => Preamble::Good((key, number, blocks)),
		other => Preamble::Version(other),
	}
}

/// First bytes of volume `number` of `blocks` blocks.
pub(crate) fn volume_preamble(key: &StoreKey, number: u32, blocks: u32) -> [u8; PREAMBLE] {
	preamble(VOLUME_MAGIC, key, number, blocks)
}

/// Key and number from a volume's first bytes.
pub(crate) fn read_volume_preamble(bytes: &[u8]) -> Preamble<(StoreKey, u32)> {
	match read_preamble(VOLUME_MAGIC, bytes) {
		Preamble::Good((key, number, _)) => Preamble::Good((key, number)),
		Preamble::Version(version) => Preamble::Version(version),
		Preamble::Damaged => Preamble::Damaged,
	}
}

/// Content of `SUPER`.
pub(crate) fn super_block(key: &StoreKey) -> [u8; PREAMBLE] {
	preamble(SUPER_MAGIC, key, 0, 0)
}

/// The key from the content of `SUPER`.
pub(crate) fn read_super(bytes: &[u8]) -> Preamble<StoreKey> {
	match read_preamble(SUPER_MAGIC, bytes) {
		Preamble::Good((key, ..)) => Preamble::Good(key),
		Preamble::Version(version) => Preamble::Version(version),
		Preamble::Damaged => Preamble::Damaged,
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_primitives::id::shard_id;

	const KEY: StoreKey = StoreKey([7; 32]);

	fn draft() -> (Draft, Vec<u8>) {
		let data = vec![5u8; 10_000];
		let id = shard_id(&data);
		let meta = ShardMeta::new([id; 30], 3).unwrap();
		(Draft::shard(&meta, id, &data, 99), data)
	}

	#[test]
	fn a_record_is_whole_blocks_and_reads_back_from_both_ends() {
		let (mut draft, data) = draft();
		let place = Place {
			volume: 2,
			block: 9,
		};
		let bytes = draft.place(&KEY, place, 8).to_vec();
		assert_eq!(bytes.len() % BLOCK, 0);
		let header = Frame::decode_header(&bytes[..FRAME], &KEY, place).unwrap();
		let end = place.block + header.blocks;
		let footer = Frame::decode_footer(&bytes[bytes.len() - FRAME..], &KEY, 2, end).unwrap();
		assert_eq!((header.clone(), place), footer);
		let start = FRAME + header.meta_len as usize;
		assert_eq!(bytes[start..start + data.len()], data);
	}

	#[test]
	fn frames_count_only_at_their_own_place_and_in_their_own_store() {
		let (mut draft, _) = draft();
		let place = Place {
			volume: 2,
			block: 9,
		};
		let bytes = draft.place(&KEY, place, 0).to_vec();
		let header = &bytes[..FRAME];
		for other in [
			Place {
				volume: 3,
				block: 9,
			},
			Place {
				volume: 2,
				block: 10,
			},
		] {
			assert_eq!(Frame::decode_header(header, &KEY, other), None);
		}
		assert_eq!(
			Frame::decode_header(header, &StoreKey([8; 32]), place),
			None
		);
		// A footer is no header, though the fields agree.
		assert_eq!(
			Frame::decode_header(&bytes[bytes.len() - FRAME..], &KEY, place),
			None
		);
	}

	#[test]
	fn every_bit_of_a_frame_matters() {
		let (mut draft, _) = draft();
		let place = Place {
			volume: 1,
			block: 1,
		};
		let bytes = draft.place(&KEY, place, 0).to_vec();
		for bit in 0..FRAME * 8 {
			let mut frame = bytes[..FRAME].to_vec();
			frame[bit / 8] ^= 1 << (bit % 8);
			assert_eq!(Frame::decode_header(&frame, &KEY, place), None, "bit {bit}");
		}
	}

	#[test]
	fn preambles_read_back_and_every_bit_matters() {
		let good = volume_preamble(&KEY, 4, 100);
		assert!(read_volume_preamble(&good) == Preamble::Good((KEY, 4)));
		for bit in 0..PREAMBLE * 8 {
			let mut bad = good;
			bad[bit / 8] ^= 1 << (bit % 8);
			assert!(read_volume_preamble(&bad) == Preamble::Damaged, "bit {bit}");
		}
		assert!(read_super(&super_block(&KEY)) == Preamble::Good(KEY));
		assert!(read_super(&good) == Preamble::Damaged);
		assert!(read_super(&[]) == Preamble::Damaged);
	}

	impl std::fmt::Debug for StoreKey {
		fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
			f.write_str("StoreKey")
		}
	}
}
