//! The coefficients of the code.
//!
//! The generator is the Vandermonde matrix `V[r][c] = r^c` times the inverse of its top square.
//! In other words: data are the values of a polynomial of degree below ten at the field elements 0
//! to 9, and parity its values at 10 to 29. So what a slot is made of, from any ten others, is
//! given by Lagrange's formula, and no matrix needs to be inverted.

use crate::{gf, DATA_SHARDS, PARITY_SHARDS};

/// What ten shards are multiplied by to give one.
pub(crate) type Row = [u8; DATA_SHARDS];

/// The rows of parity, slots 10 to 29, from the data slots.
pub(crate) const PARITY_ROWS: [Row; PARITY_SHARDS] = {
	let data = Interpolation::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
	let mut rows = [[0; DATA_SHARDS]; PARITY_SHARDS];
	let mut r = 0;
	while r < PARITY_SHARDS {
		rows[r] = data.row(DATA_SHARDS + r);
		r += 1;
	}
	rows
};

/// Ten distinct slots whose values determine those of all others.
pub(crate) struct Interpolation {
	sources: [usize; DATA_SHARDS],
	/// Logarithm of the product of the differences to the nine other sources.
	differences: [usize; DATA_SHARDS],
}

impl Interpolation {
	/// The sources must be distinct.
	pub(crate) const fn new(sources: [usize; DATA_SHARDS]) -> Self {
		let mut differences = [0; DATA_SHARDS];
		let mut s = 0;
		while s < DATA_SHARDS {
			let mut t = 0;
			while t < DATA_SHARDS {
				if t != s {
					differences[s] += gf::log((sources[s] ^ sources[t]) as u8);
				}
				t += 1;
			}
			s += 1;
		}
		Self {
			sources,
			differences,
		}
	}

	/// The coefficients that give `slot`: for source `s` the product over the other sources `t` of
	/// `(slot - t) / (s - t)`.
	pub(crate) const fn row(&self, slot: usize) -> Row {
		let mut row = [0; DATA_SHARDS];
		let mut product = 0;
		let mut s = 0;
		while s < DATA_SHARDS {
			if self.sources[s] == slot {
				row[s] = 1;
				return row;
			}
			product += gf::log((slot ^ self.sources[s]) as u8);
			s += 1;
		}
		let mut s = 0;
		while s < DATA_SHARDS {
			let divisor = gf::log((slot ^ self.sources[s]) as u8) + self.differences[s];
			row[s] = gf::power_of_two(product + DATA_SHARDS * gf::ORDER - divisor);
			s += 1;
		}
		row
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hex_literal::hex;
	use sha2::{Digest, Sha256};

	fn multiply(left: &[Vec<u8>], right: &[Vec<u8>]) -> Vec<Vec<u8>> {
		let cell = |row: &[u8], c: usize| {
			let terms = row.iter().zip(right);
			terms.fold(0, |sum, (cell, right)| sum ^ gf::mul(*cell, right[c]))
		};
		left.iter()
			.map(|row| (0..right[0].len()).map(|c| cell(row, c)).collect())
			.collect()
	}

	/// By Gauss and Jordan.
	fn invert(matrix: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
		let n = matrix.len();
		let mut rows = matrix.to_vec();
		for (r, row) in rows.iter_mut().enumerate() {
			row.extend((0..n).map(|c| u8::from(r == c)));
		}
		for col in 0..n {
			let pivot = (col..n).find(|r| rows[*r][col] != 0)?;
			rows.swap(pivot, col);
			let scale = gf::inv(rows[col][col]).unwrap();
			rows[col]
				.iter_mut()
				.for_each(|cell| *cell = gf::mul(*cell, scale));
			let from = rows[col].clone();
			for (_, row) in rows.iter_mut().enumerate().filter(|(r, _)| *r != col) {
				let factor = row[col];
				for (cell, from) in row.iter_mut().zip(&from) {
					*cell ^= gf::mul(*from, factor);
				}
			}
		}
		Some(rows.into_iter().map(|row| row[n..].to_vec()).collect())
	}

	/// The generator as defined.
	fn systematic(data: usize, total: usize) -> Vec<Vec<u8>> {
		let vandermonde: Vec<Vec<u8>> = (0..total)
			.map(|r| (0..data).map(|c| gf::pow(r as u8, c)).collect())
			.collect();
		multiply(&vandermonde, &invert(&vandermonde[..data]).unwrap())
	}

	#[test]
	fn parity_of_10_plus_20_is_the_known_one() {
		assert_eq!(PARITY_ROWS[0], hex!("8196afb8d2c4fee80302"));
		assert_eq!(PARITY_ROWS[19], hex!("c731a7b01819d63d8882"));
		let parity = PARITY_ROWS.concat();
		assert_eq!(parity.len(), 200);
		assert!(parity.iter().all(|coefficient| *coefficient > 1));
		assert_eq!(
			Sha256::digest(&parity)[..],
			hex!("d81e7c17709a319af8f1e2f1e610a525320fb4d80380e1de249c212451b1ccab")
		);
	}

	#[test]
	fn generator_of_5_plus_5_gives_the_known_vector() {
		let data = [[0u8, 1], [4, 5], [2, 3], [6, 7], [8, 9]].map(Vec::from);
		let coded = multiply(&systematic(5, 10), &data);
		assert_eq!(
			coded[5..],
			[[12, 13], [10, 11], [14, 15], [90, 91], [94, 95]]
		);
	}

	#[test]
	fn interpolation_is_the_inverse_of_the_generator() {
		let generator = systematic(10, 30);
		assert_eq!(generator[10..], PARITY_ROWS);
		let mut sources = [0usize, 1, 2, 3, 4, 5, 6, 7, 8, 9];
		for step in 0..200 {
			// Some other ten of the thirty.
			let next = (step * 7 + 3) % 30;
			if !sources.contains(&next) {
				sources[step % 10] = next;
			}
			let square: Vec<Vec<u8>> = sources.iter().map(|r| generator[*r].clone()).collect();
			let expected = multiply(&generator, &invert(&square).unwrap());
			let interpolation = Interpolation::new(sources);
			for (slot, row) in expected.iter().enumerate() {
				assert_eq!(
					interpolation.row(slot)[..],
					row[..],
					"{slot} from {sources:?}"
				);
			}
		}
	}
}
