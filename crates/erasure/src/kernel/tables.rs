//! Multiplication by a constant in the forms that vector instructions take.

use crate::{gf, matrix::Row, DATA_SHARDS};

/// The coefficients of a matrix, row by row, in the form of a kernel.
#[derive(Debug)]
pub(super) enum Cells {
	/// For affine transformations.
	#[cfg(target_arch = "x86_64")]
	Affine(Vec<[u64; DATA_SHARDS]>),
	/// For look-ups of half bytes.
	Halves(Vec<[Halves; DATA_SHARDS]>),
}

impl Cells {
	#[cfg(target_arch = "x86_64")]
	pub(super) fn affine(matrix: &[Row]) -> Self {
		let row = |row: &Row| row.map(|cell| AFFINE[usize::from(cell)]);
		Self::Affine(matrix.iter().map(row).collect())
	}

	pub(super) fn halves(matrix: &[Row]) -> Self {
		let row = |row: &Row| row.map(|cell| HALVES[usize::from(cell)]);
		Self::Halves(matrix.iter().map(row).collect())
	}

	/// Rows of the matrix.
	pub(super) fn rows(&self) -> usize {
		match self {
			#[cfg(target_arch = "x86_64")]
			Self::Affine(rows) => rows.len(),
			Self::Halves(rows) => rows.len(),
		}
	}
}

/// Multiplication as the bit matrix of `gf2p8affineqb`: byte `7 - i` holds, at bit `j`, bit `i` of
/// `coefficient * 2^j`.
#[cfg(target_arch = "x86_64")]
pub(super) static AFFINE: [u64; 256] = {
	let mut table = [0; 256];
	let mut c = 0;
	while c < 256 {
		table[c] = affine(c as u8);
		c += 1;
	}
	table
};

/// Products of a coefficient with each low and with each high half byte, for look-ups by shuffling.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Halves {
	pub(super) low: [u8; 16],
	pub(super) high: [u8; 16],
}

/// [`Halves`] of each coefficient.
pub(super) static HALVES: [Halves; 256] = {
	let mut table = [halves(0); 256];
	let mut c = 0;
	while c < 256 {
		table[c] = halves(c as u8);
		c += 1;
	}
	table
};

#[cfg(target_arch = "x86_64")]
const fn affine(coefficient: u8) -> u64 {
	let mut matrix = [0u8; 8];
	let mut j = 0;
	while j < 8 {
		let product = gf::mul(coefficient, 1 << j);
		let mut i = 0;
		while i < 8 {
			matrix[7 - i] |= (product >> i & 1) << j;
			i += 1;
		}
		j += 1;
	}
	u64::from_le_bytes(matrix)
}

const fn halves(coefficient: u8) -> Halves {
	let mut halves = Halves {
		low: [0; 16],
		high: [0; 16],
	};
	let mut i = 0;
	while i < 16 {
		halves.low[i] = gf::mul(coefficient, i as u8);
		halves.high[i] = gf::mul(coefficient, (i as u8) << 4);
		i += 1;
	}
	halves
}

#[cfg(test)]
mod tests {
	use super::*;

	#[cfg(target_arch = "x86_64")]
	#[test]
	fn affine_matrices_are_as_the_instruction_wants_them() {
		assert_eq!(affine(1), 0x0102_0408_1020_4080);
		assert_eq!(affine(2), 0x8001_8284_8810_2040);
		assert_eq!(affine(0), 0);
		for c in 0..=255u8 {
			assert_eq!(AFFINE[usize::from(c)], affine(c));
		}
	}

	#[test]
	fn halves_add_up_to_every_product() {
		for c in 0..=255u8 {
			let Halves { low, high } = HALVES[usize::from(c)];
			for b in 0..=255u8 {
				let product = low[usize::from(b & 15)] ^ high[usize::from(b >> 4)];
				assert_eq!(product, gf::mul(c, b));
			}
		}
	}
}
