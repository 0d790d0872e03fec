//! One entry of the index: 16 bytes.

use crate::key::{Namespace, Place};

/// Bits of the block number: volumes of up to 64 GiB.
const BLOCK_BITS: u32 = 24;
/// Bits of a record's length in blocks.
const LEN_BITS: u32 = 15;
const TRASH: u64 = 1;
const STRIPE: u64 = 2;
const NAMESPACE_SHIFT: u32 = 2;
const LEN_SHIFT: u32 = 4;
const BLOCK_SHIFT: u32 = LEN_SHIFT + LEN_BITS;
const VOLUME_SHIFT: u32 = BLOCK_SHIFT + BLOCK_BITS;

/// Most blocks of a data record.
pub(crate) const MAX_BLOCKS: u32 = (1 << LEN_BITS) - 1;
/// Most blocks of a volume.
pub(crate) const MAX_VOLUME_BLOCKS: u32 = 1 << BLOCK_BITS;
/// Largest volume number; numbers are never used again.
pub(crate) const MAX_VOLUMES: u32 = (1 << (64 - VOLUME_SHIFT)) - 1;

/// Where a record is, how long it is and what it is, under the fingerprint of its key or of its
/// stripe. All zero is no entry: volumes are numbered from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
	pub(crate) fp: u64,
	word: u64,
}

impl Entry {
	/// Bytes of an entry.
	pub(crate) const LEN: usize = 16;

	pub(crate) fn new(fp: u64, place: Place, blocks: u32, namespace: Namespace) -> Self {
		let word = u64::from(place.volume) << VOLUME_SHIFT
			| u64::from(place.block) << BLOCK_SHIFT
			| u64::from(blocks.min(MAX_BLOCKS)) << LEN_SHIFT
			| (namespace as u64) << NAMESPACE_SHIFT;
		Self { fp, word }
	}

	/// The same record under its stripe's fingerprint.
	pub(crate) fn of_stripe(self, fp: u64) -> Self {
		Self {
			fp,
			word: self.word | STRIPE,
		}
	}

	pub(crate) fn from_spot(spot: Spot) -> Self {
		Self {
			fp: 0,
			word: spot.0,
		}
	}

	pub(crate) fn is_empty(&self) -> bool {
		self.word == 0
	}

	/// Whether this is the entry of a stripe, not of a key.
	pub(crate) fn is_stripe(&self) -> bool {
		self.word & STRIPE != 0
	}

	pub(crate) fn is_trash(&self) -> bool {
		self.word & TRASH != 0
	}

	pub(crate) fn with_trash(self, trash: bool) -> Self {
		let word = if trash {
			self.word | TRASH
		} else {
			self.word & !TRASH
		};
		Self { word, ..self }
	}

	/// Whether both are the same entry, in the trash or not.
	pub(crate) fn same(&self, other: &Self) -> bool {
		self.fp == other.fp && (self.word ^ other.word) & !TRASH == 0
	}

	pub(crate) fn place(&self) -> Place {
		self.spot().place()
	}

	pub(crate) fn blocks(&self) -> u32 {
		self.spot().blocks()
	}

	pub(crate) fn namespace(&self) -> Namespace {
		let number = (self.word >> NAMESPACE_SHIFT & 3) as u8;
		// Three is never written; checked where entries are read.
		Namespace::from_number(number).unwrap_or(Namespace::Chunk)
	}

	pub(crate) fn spot(&self) -> Spot {
		Spot(self.word & !(TRASH | STRIPE))
	}

	pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
		let mut out = [0; Self::LEN];
		out[..8].copy_from_slice(&self.fp.to_le_bytes());
		out[8..].copy_from_slice(&self.word.to_le_bytes());
		out
	}

	pub(crate) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
		Self {
			fp: u64::from_le_bytes(crate::frame::array(bytes, 0)),
			word: u64::from_le_bytes(crate::frame::array(bytes, 8)),
		}
	}

	/// Whether the entry may be one of a volume of `blocks` blocks.
	pub(crate) fn is_within(&self, blocks: u32) -> bool {
		let place = self.place();
		place.block > 0
			&& self.blocks() > 0
			&& place.block + self.blocks() <= blocks
			&& self.word >> NAMESPACE_SHIFT & 3 < Namespace::ALL.len() as u64
	}
}

/// Place, length and namespace of a record; ordered by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot(pub(crate) u64);

impl Spot {
	pub(crate) fn place(self) -> Place {
		Place {
			volume: (self.0 >> VOLUME_SHIFT) as u32,
			block: (self.0 >> BLOCK_SHIFT) as u32 & ((1 << BLOCK_BITS) - 1),
		}
	}

	pub(crate) fn blocks(self) -> u32 {
		(self.0 >> LEN_SHIFT) as u32 & MAX_BLOCKS
	}

	/// The blocks a hole can take: all but the first and the last, which keep the frames.
	pub(crate) fn interior(self) -> u32 {
		self.blocks().saturating_sub(2)
	}

	/// All spots of a volume.
	pub(crate) fn of_volume(volume: u32) -> std::ops::Range<Self> {
		let first = u64::from(volume) << VOLUME_SHIFT;
		Self(first)..Self(first.saturating_add(1 << VOLUME_SHIFT))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_entry_keeps_what_it_is_given() {
		assert_eq!(std::mem::size_of::<Entry>(), Entry::LEN);
		for (volume, block, blocks) in [
			(1, 1, 1),
			(MAX_VOLUMES, MAX_VOLUME_BLOCKS - 1, MAX_BLOCKS),
			(77, 4000, 258),
		] {
			for namespace in Namespace::ALL {
				let place = Place { volume, block };
				let entry = Entry::new(5, place, blocks, namespace);
				assert_eq!((entry.place(), entry.blocks()), (place, blocks));
				assert_eq!(entry.namespace(), namespace);
				assert!(!entry.is_trash() && !entry.is_stripe() && !entry.is_empty());
				let trash = entry.with_trash(true).of_stripe(6);
				assert!(trash.is_trash() && trash.is_stripe() && trash.fp == 6);
				assert_eq!(trash.spot(), entry.spot());
				assert!(entry.same(&entry.with_trash(true)) && !entry.same(&trash));
				assert_eq!(Entry::from_bytes(&trash.to_bytes()), trash);
				assert!(Spot::of_volume(volume).contains(&entry.spot()));
			}
		}
	}
}
