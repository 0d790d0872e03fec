//! The kernel for any machine: one table look-up multiplies an input byte by eight coefficients.

use crate::{gf, matrix::Row, DATA_SHARDS};
use core::ops::Range;

/// Output rows computed together, and columns of one step: one per byte of a `u64`.
const LANES: usize = 8;

/// Entry `b` holds, in byte `r`, the product of `b` and the coefficient of row `r` of the group.
type Table = [u64; 256];

/// A matrix as look-up tables: per group of eight rows, one table for each input.
#[derive(Debug)]
pub(super) struct Tables {
	groups: Vec<Vec<Table>>,
}

impl Tables {
	pub(super) fn new(matrix: &[Row]) -> Self {
		let group = |rows: &[Row]| {
			let column = |c| table(rows.iter().map(move |row| row[c]));
			(0..DATA_SHARDS).map(column).collect()
		};
		Self {
			groups: matrix.chunks(LANES).map(group).collect(),
		}
	}

	/// Computes the columns `tile` of all outputs.
	pub(super) fn mul_tile(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], tile: Range<usize>) {
		for (tables, outputs) in self.groups.iter().zip(outputs.chunks_mut(LANES)) {
			for at in tile.clone().step_by(LANES) {
				let columns = columns(tables, inputs, at);
				for (row, output) in transpose(columns).iter().zip(outputs.iter_mut()) {
					store(&mut output[at..], *row);
				}
			}
		}
	}
}

/// Multiplication is linear over the bits of `b`, so each entry follows from two before it.
fn table(coefficients: impl Iterator<Item = u8> + Clone) -> Table {
	let product = |b: u8| {
		let mut packed = [0; LANES];
		for (byte, coefficient) in packed.iter_mut().zip(coefficients.clone()) {
			*byte = gf::mul(coefficient, b);
		}
		u64::from_le_bytes(packed)
	};
	let mut table = [0; 256];
	for b in 1..256usize {
		let lowest = b & b.wrapping_neg();
		table[b] = if b == lowest {
			product(b as u8)
		} else {
			table[b - lowest] ^ table[lowest]
		};
	}
	table
}

/// Sums of products for the eight columns from `at`: word `k` holds, in byte `r`, row `r` of column
/// `at + k`.
#[inline(always)]
fn columns(tables: &[Table], inputs: &[&[u8]], at: usize) -> [u64; LANES] {
	let mut sums = [0; LANES];
	for (table, input) in tables.iter().zip(inputs) {
		let bytes = load(&input[at..]);
		for (sum, byte) in sums.iter_mut().zip(bytes) {
			*sum ^= table[usize::from(byte)];
		}
	}
	sums
}

/// The first eight bytes, zero padded.
#[inline(always)]
fn load(bytes: &[u8]) -> [u8; LANES] {
	match bytes.first_chunk() {
		Some(word) => *word,
		None => {
			let mut word = [0; LANES];
			word[..bytes.len()].copy_from_slice(bytes);
			word
		}
	}
}

/// Writes as many of the eight bytes as there is room for.
#[inline(always)]
fn store(bytes: &mut [u8], row: u64) {
	let row = row.to_le_bytes();
	match bytes.first_chunk_mut() {
		Some(word) => *word = row,
		None => bytes.copy_from_slice(&row[..bytes.len()]),
	}
}

/// Transposes an 8x8 matrix of bytes: blocks of four, then two, then single bytes change places.
#[inline(always)]
fn transpose([a, b, c, d, e, f, g, h]: [u64; LANES]) -> [u64; LANES] {
	const FOUR: u64 = 0x0000_0000_FFFF_FFFF;
	const TWO: u64 = 0x0000_FFFF_0000_FFFF;
	const ONE: u64 = 0x00FF_00FF_00FF_00FF;
	// Spelled out: as loops over distances it stays in memory and costs a third of the speed.
	let (a, e) = exchange::<32, FOUR>(a, e);
	let (b, f) = exchange::<32, FOUR>(b, f);
	let (c, g) = exchange::<32, FOUR>(c, g);
	let (d, h) = exchange::<32, FOUR>(d, h);
	let (a, c) = exchange::<16, TWO>(a, c);
	let (b, d) = exchange::<16, TWO>(b, d);
	let (e, g) = exchange::<16, TWO>(e, g);
	let (f, h) = exchange::<16, TWO>(f, h);
	let (a, b) = exchange::<8, ONE>(a, b);
	let (c, d) = exchange::<8, ONE>(c, d);
	let (e, f) = exchange::<8, ONE>(e, f);
	let (g, h) = exchange::<8, ONE>(g, h);
	[a, b, c, d, e, f, g, h]
}

/// Swaps the high blocks of `low` with the low blocks of `high`.
#[inline(always)]
fn exchange<const SHIFT: u32, const MASK: u64>(low: u64, high: u64) -> (u64, u64) {
	let swap = (low >> SHIFT ^ high) & MASK;
	(low ^ swap << SHIFT, high ^ swap)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn transpose_moves_every_byte() {
		let words = core::array::from_fn(|i| {
			u64::from_le_bytes(core::array::from_fn(|j| (i * LANES + j) as u8))
		});
		for (i, word) in transpose(words).iter().enumerate() {
			for (j, byte) in word.to_le_bytes().iter().enumerate() {
				assert_eq!(usize::from(*byte), j * LANES + i);
			}
		}
	}

	#[test]
	fn tables_hold_all_products() {
		for base in (0..=255u8).step_by(LANES) {
			let table = table(base..=base | 7);
			for (b, entry) in table.iter().enumerate() {
				for (r, product) in entry.to_le_bytes().iter().enumerate() {
					assert_eq!(*product, gf::mul(base + r as u8, b as u8));
				}
			}
		}
	}

	#[test]
	fn every_length_matches_the_plain_sum() {
		let matrix: [Row; 13] =
			core::array::from_fn(|r| core::array::from_fn(|c| (r * 31 + c * 17 + 3) as u8));
		let tables = Tables::new(&matrix);
		for len in 0..70 {
			let inputs: Vec<Vec<u8>> = (0..DATA_SHARDS)
				.map(|c| (0..len).map(|i| (i * 29 + c * 101 + 5) as u8).collect())
				.collect();
			let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
			let mut outputs = vec![vec![0xAA; len]; 13];
			let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
			tables.mul_tile(&inputs, &mut slices, 0..len);
			for (row, output) in matrix.iter().zip(&outputs) {
				for (i, byte) in output.iter().enumerate() {
					let terms = inputs.iter().zip(row);
					let sum = terms.fold(0, |sum, (input, cell)| sum ^ gf::mul(input[i], *cell));
					assert_eq!(*byte, sum, "length {len}, column {i}");
				}
			}
		}
	}
}
