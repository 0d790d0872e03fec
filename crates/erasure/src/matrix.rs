//! Small dense matrices over the field.

use crate::gf;

/// A matrix, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matrix {
	cols: usize,
	cells: Vec<u8>,
}

impl Matrix {
	/// A matrix with cell `(r, c)` set to `cell(r, c)`.
	pub(crate) fn from_fn(rows: usize, cols: usize, cell: impl Fn(usize, usize) -> u8) -> Self {
		let cells = (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
		Self {
			cols,
			cells: cells.map(|(r, c)| cell(r, c)).collect(),
		}
	}

	pub(crate) fn rows(&self) -> usize {
		self.cells.len() / self.cols
	}

	pub(crate) fn cols(&self) -> usize {
		self.cols
	}

	/// Row `r`; panics if there is none.
	pub(crate) fn row(&self, r: usize) -> &[u8] {
		&self.cells[r * self.cols..(r + 1) * self.cols]
	}

	fn row_mut(&mut self, r: usize) -> &mut [u8] {
		&mut self.cells[r * self.cols..(r + 1) * self.cols]
	}

	/// The matrix made of these rows of `self`.
	pub(crate) fn select(&self, rows: impl IntoIterator<Item = usize>) -> Self {
		let cells = rows
			.into_iter()
			.flat_map(|r| self.row(r).iter().copied())
			.collect();
		Self {
			cols: self.cols,
			cells,
		}
	}

	/// `self * right`.
	pub(crate) fn multiply(&self, right: &Self) -> Self {
		Self::from_fn(self.rows(), right.cols, |r, c| {
			let row = self.row(r).iter().enumerate();
			row.fold(0, |sum, (k, cell)| sum ^ gf::mul(*cell, right.row(k)[c]))
		})
	}

	/// The inverse of a square matrix; `None` if it has none.
	pub(crate) fn invert(&self) -> Option<Self> {
		let n = self.cols;
		let mut left = self.clone();
		let mut right = Self::from_fn(n, n, |r, c| u8::from(r == c));
		for col in 0..n {
			let pivot = (col..n).find(|r| left.row(*r)[col] != 0)?;
			left.swap_rows(pivot, col);
			right.swap_rows(pivot, col);
			let scale = gf::inv(left.row(col)[col])?;
			for matrix in [&mut left, &mut right] {
				matrix
					.row_mut(col)
					.iter_mut()
					.for_each(|cell| *cell = gf::mul(*cell, scale));
			}
			for r in (0..n).filter(|r| *r != col) {
				let factor = left.row(r)[col];
				left.add_row(col, r, factor);
				right.add_row(col, r, factor);
			}
		}
		Some(right)
	}

	/// The generator of a systematic code: the Vandermonde matrix `V[r][c] = r^c` times the inverse
	/// of its top square, so that the top is the identity. `None` if the shape is impossible.
	pub(crate) fn systematic(data: usize, total: usize) -> Option<Self> {
		if data == 0 || total < data || total > 256 {
			return None;
		}
		let vandermonde = Self::from_fn(total, data, |r, c| gf::pow(r as u8, c));
		Some(vandermonde.multiply(&vandermonde.select(0..data).invert()?))
	}

	fn swap_rows(&mut self, a: usize, b: usize) {
		for c in 0..self.cols {
			self.cells.swap(a * self.cols + c, b * self.cols + c);
		}
	}

	/// Adds `factor` times row `from` to row `to`.
	fn add_row(&mut self, from: usize, to: usize, factor: u8) {
		for c in 0..self.cols {
			let term = gf::mul(self.row(from)[c], factor);
			self.row_mut(to)[c] ^= term;
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hex_literal::hex;
	use sha2::{Digest, Sha256};

	#[test]
	fn generator_of_10_plus_20_is_the_known_one() {
		let generator = Matrix::systematic(10, 30).unwrap();
		assert_eq!(
			generator.select(0..10),
			Matrix::from_fn(10, 10, |r, c| u8::from(r == c))
		);
		assert_eq!(generator.row(10), hex!("8196afb8d2c4fee80302"));
		assert_eq!(generator.row(29), hex!("c731a7b01819d63d8882"));
		let parity: Vec<u8> = (10..30).flat_map(|r| generator.row(r).to_vec()).collect();
		assert_eq!(parity.len(), 200);
		assert!(parity.iter().all(|coefficient| *coefficient > 1));
		assert_eq!(
			Sha256::digest(&parity)[..],
			hex!("d81e7c17709a319af8f1e2f1e610a525320fb4d80380e1de249c212451b1ccab")
		);
	}

	#[test]
	fn generator_of_5_plus_5_gives_the_known_vector() {
		let data = [[0u8, 1], [4, 5], [2, 3], [6, 7], [8, 9]];
		let data = Matrix::from_fn(5, 2, |r, c| data[r][c]);
		let coded = Matrix::systematic(5, 10).unwrap().multiply(&data);
		let parity: Vec<&[u8]> = (5..10).map(|r| coded.row(r)).collect();
		assert_eq!(parity, [[12, 13], [10, 11], [14, 15], [90, 91], [94, 95]]);
	}

	#[test]
	fn inverse_undoes_and_singular_has_none() {
		let generator = Matrix::systematic(10, 30).unwrap();
		let square = generator.select([1, 3, 5, 11, 12, 17, 20, 27, 28, 29]);
		let identity = Matrix::from_fn(10, 10, |r, c| u8::from(r == c));
		assert_eq!(square.multiply(&square.invert().unwrap()), identity);
		assert_eq!(
			generator.select([1, 1, 2, 3, 4, 5, 6, 7, 8, 9]).invert(),
			None
		);
		assert_eq!(Matrix::from_fn(3, 3, |_, _| 0).invert(), None);
	}

	#[test]
	fn impossible_shapes_are_refused() {
		assert_eq!(Matrix::systematic(0, 3), None);
		assert_eq!(Matrix::systematic(4, 3), None);
		assert_eq!(Matrix::systematic(10, 257), None);
		assert!(Matrix::systematic(10, 256).is_some());
	}
}
