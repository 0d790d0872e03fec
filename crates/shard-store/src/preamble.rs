//! First bytes of volumes, and the content of `SUPER`.

use crate::{
	frame::{array, VERSION},
	key::StoreKey,
};

const VOLUME_MAGIC: [u8; 8] = *b"ARIONVOL";
const SUPER_MAGIC: [u8; 8] = *b"ARIONSUP";
/// Length of the description in a volume's first block, and of `SUPER`.
pub(crate) const PREAMBLE: usize = 72;

/// What the first bytes of a volume or of `SUPER` say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Preamble<T> {
	Good(T),
	/// A version this program does not read.
	Version(u16),
	Damaged,
}

fn preamble(
	magic: [u8; 8],
	key: &StoreKey,
	number: u32,
	blocks: u32,
	before: u32,
) -> [u8; PREAMBLE] {
	let mut out = [0u8; PREAMBLE];
	out[..8].copy_from_slice(&magic);
	out[8..10].copy_from_slice(&VERSION.to_le_bytes());
	out[12..16].copy_from_slice(&number.to_le_bytes());
	out[16..20].copy_from_slice(&blocks.to_le_bytes());
	out[20..24].copy_from_slice(&before.to_le_bytes());
	out[24..56].copy_from_slice(&key.0);
	let check = key.check(b'P', number, blocks, &out[..56]);
	out[56..].copy_from_slice(&check);
	out
}

fn read_preamble(magic: [u8; 8], bytes: &[u8]) -> Preamble<Start> {
	if bytes.len() != PREAMBLE || bytes[..8] != magic {
		return Preamble::Damaged;
	}
	let key = StoreKey(array(bytes, 24));
	let number = u32::from_le_bytes(array(bytes, 12));
	let blocks = u32::from_le_bytes(array(bytes, 16));
	let check = key.check(b'P', number, blocks, &bytes[..56]);
	match u16::from_le_bytes(array(bytes, 8)) {
		_ if bytes[56..] != check => Preamble::Damaged,
		VERSION => Preamble::Good(Start {
			key,
			number,
			before: u32::from_le_bytes(array(bytes, 20)),
		}),
		other => Preamble::Version(other),
	}
}

/// What a volume says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
	pub(crate) key: StoreKey,
	pub(crate) number: u32,
	/// Where the volume with the number before it ended when this one was made: what stands behind
	/// that was refused by a failed write or sync, and never acknowledged. 0 if that is not known.
	pub(crate) before: u32,
}

/// First bytes of a volume of `blocks` blocks.
pub(crate) fn of_volume(start: &Start, blocks: u32) -> [u8; PREAMBLE] {
	preamble(VOLUME_MAGIC, &start.key, start.number, blocks, start.before)
}

/// Reads a volume's first bytes.
pub(crate) fn read_volume(bytes: &[u8]) -> Preamble<Start> {
	read_preamble(VOLUME_MAGIC, bytes)
}

/// Content of `SUPER`.
pub(crate) fn of_super(key: &StoreKey) -> [u8; PREAMBLE] {
	preamble(SUPER_MAGIC, key, 0, 0, 0)
}

/// The key from the content of `SUPER`.
pub(crate) fn read_super(bytes: &[u8]) -> Preamble<StoreKey> {
	match read_preamble(SUPER_MAGIC, bytes) {
		Preamble::Good(start) => Preamble::Good(start.key),
		Preamble::Version(version) => Preamble::Version(version),
		Preamble::Damaged => Preamble::Damaged,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const KEY: StoreKey = StoreKey([7; 32]);

	#[test]
	fn preambles_read_back_and_every_bit_matters() {
		let start = Start {
			key: KEY,
			number: 4,
			before: 77,
		};
		let good = of_volume(&start, 100);
		assert_eq!(read_volume(&good), Preamble::Good(start));
		for bit in 0..PREAMBLE * 8 {
			let mut bad = good;
			bad[bit / 8] ^= 1 << (bit % 8);
			assert_eq!(read_volume(&bad), Preamble::Damaged, "bit {bit}");
		}
		assert_eq!(read_super(&of_super(&KEY)), Preamble::Good(KEY));
		assert_eq!(read_super(&good), Preamble::Damaged);
		assert_eq!(read_super(&[]), Preamble::Damaged);
	}
}
