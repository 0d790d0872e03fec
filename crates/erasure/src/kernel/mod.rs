//! The inner loop: a matrix times columns of bytes.
//!
//! A [`LinearMap`] is a matrix prepared once for the fastest kernel of this machine and applied any
//! number of times. It works in column tiles, so that the inputs are read from cache by every group
//! of output rows. Kernels for particular instruction sets are chosen in [`LinearMap::new`].

mod portable;

use crate::matrix::Matrix;

/// Bytes of each shard handled at a time: ten input tiles fit the second-level cache.
const TILE: usize = 16 * 1024;

/// A matrix over the field, prepared for use on byte columns.
#[derive(Debug)]
pub(crate) struct LinearMap {
	rows: usize,
	cols: usize,
	kernel: portable::Tables,
}

impl LinearMap {
	pub(crate) fn new(matrix: &Matrix) -> Self {
		Self {
			rows: matrix.rows(),
			cols: matrix.cols(),
			kernel: portable::Tables::new(matrix),
		}
	}

	/// Rows of the matrix: buffers written.
	pub(crate) fn rows(&self) -> usize {
		self.rows
	}

	/// Sets `outputs[r][i]` to the sum over `c` of `matrix[r][c] * inputs[c][i]`.
	///
	/// The caller has checked that there are as many inputs as columns, as many outputs as rows, and
	/// that all have the same length.
	pub(crate) fn mul_rows(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
		debug_assert_eq!((inputs.len(), outputs.len()), (self.cols, self.rows));
		let len = inputs.first().map_or(0, |input| input.len());
		for start in (0..len).step_by(TILE) {
			self.kernel
				.mul_tile(inputs, outputs, start..len.min(start + TILE));
		}
	}
}
