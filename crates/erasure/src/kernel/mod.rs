//! The inner loop: a matrix times columns of bytes.
//!
//! A [`LinearMap`] is a matrix prepared once for one [`Kernel`] and applied any number of times. It
//! works in column tiles, so that the inputs are read from cache by every group of output rows.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::matrix::Matrix;

/// Bytes of each shard handled at a time: ten input tiles fit the second-level cache.
const TILE: usize = 16 * 1024;

/// How the inner loop is computed. All kernels give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
	/// 512-bit affine transformations (AVX-512 BW and GFNI).
	Avx512Gfni,
	/// 256-bit affine transformations (AVX2 and GFNI).
	Avx2Gfni,
	/// 256-bit table look-ups of half bytes.
	Avx2,
	/// 128-bit table look-ups of half bytes.
	Ssse3,
	/// Plain Rust, for any machine.
	Portable,
}

impl Kernel {
	/// All kernels, the fastest first.
	pub const ALL: [Self; 5] = [
		Self::Avx512Gfni,
		Self::Avx2Gfni,
		Self::Avx2,
		Self::Ssse3,
		Self::Portable,
	];

	/// Whether this machine can run it.
	pub fn is_available(self) -> bool {
		match self {
			Self::Portable => true,
			#[cfg(target_arch = "x86_64")]
			vector => x86::is_available(vector),
			#[cfg(not(target_arch = "x86_64"))]
			_ => false,
		}
	}

	/// The fastest that this machine can run.
	pub fn best() -> Self {
		let mut kernels = Self::ALL.into_iter();
		kernels
			.find(|kernel| kernel.is_available())
			.unwrap_or(Self::Portable)
	}
}

/// A matrix over the field, prepared for use on byte columns.
#[derive(Debug)]
pub(crate) struct LinearMap {
	rows: usize,
	cols: usize,
	prepared: Prepared,
}

#[derive(Debug)]
enum Prepared {
	Portable(portable::Tables),
	#[cfg(target_arch = "x86_64")]
	X86(x86::Prepared),
}

impl LinearMap {
	/// Prepares `matrix` for `kernel`, or for the portable one if this machine or this matrix does
	/// not allow it.
	pub(crate) fn new(matrix: &Matrix, kernel: Kernel) -> Self {
		Self {
			rows: matrix.rows(),
			cols: matrix.cols(),
			prepared: Prepared::new(matrix, kernel),
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
			let tile = start..len.min(start + TILE);
			match &self.prepared {
				Prepared::Portable(tables) => tables.mul_tile(inputs, outputs, tile),
				#[cfg(target_arch = "x86_64")]
				Prepared::X86(prepared) => prepared.mul_tile(inputs, outputs, tile),
			}
		}
	}
}

impl Prepared {
	fn new(matrix: &Matrix, kernel: Kernel) -> Self {
		#[cfg(target_arch = "x86_64")]
		if let Some(prepared) = x86::Prepared::new(matrix, kernel) {
			return Self::X86(prepared);
		}
		#[cfg(not(target_arch = "x86_64"))]
		let _ = kernel;
		Self::Portable(portable::Tables::new(matrix))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::gf;

	fn available() -> impl Iterator<Item = Kernel> {
		Kernel::ALL.into_iter().filter(|kernel| {
			let available = kernel.is_available();
			if !available {
				println!("skipped: this machine cannot run {kernel:?}");
			}
			available
		})
	}

	#[test]
	fn every_kernel_knows_all_products() {
		let input: Vec<u8> = (0..=255).collect();
		for kernel in available() {
			for group in (0..=255u8).collect::<Vec<_>>().chunks(20) {
				let matrix = Matrix::from_fn(group.len(), 1, |r, _| group[r]);
				let map = LinearMap::new(&matrix, kernel);
				let mut outputs = vec![vec![0xAA; 256]; group.len()];
				let mut slices: Vec<&mut [u8]> =
					outputs.iter_mut().map(Vec::as_mut_slice).collect();
				map.mul_rows(&[&input], &mut slices);
				for (coefficient, output) in group.iter().zip(&outputs) {
					for (byte, product) in input.iter().zip(output) {
						assert_eq!(*product, gf::mul(*coefficient, *byte), "{kernel:?}");
					}
				}
			}
		}
	}

	/// Lengths around every step and tile, unaligned starts, all numbers of rows and columns that a
	/// plan can have; nothing outside of the outputs is touched.
	#[test]
	fn every_kernel_equals_the_portable_one() {
		let mut state = 0x9E37_79B9_7F4A_7C15u64;
		let mut random = move || {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			state
		};
		let lengths = (1..300).chain((300..4114).step_by(97)).chain([
			TILE - 1,
			TILE,
			TILE + 1,
			TILE + 127,
			2 * TILE + 65,
		]);
		for (round, len) in lengths.enumerate() {
			let (rows, cols) = (1 + round % 20, 1 + (round * 7 + 3) % 10);
			let cells: Vec<u8> = (0..rows * cols).map(|_| random() as u8).collect();
			let matrix = Matrix::from_fn(rows, cols, |r, c| cells[r * cols + c]);
			let offset = random() as usize % 64;
			let inputs: Vec<Vec<u8>> = (0..cols)
				.map(|_| (0..len + offset).map(|_| random() as u8).collect())
				.collect();
			let inputs: Vec<&[u8]> = inputs.iter().map(|input| &input[offset..]).collect();
			let compute = |kernel| {
				let mut outputs = vec![vec![0xAA; offset + len + 64]; rows];
				let mut slices: Vec<&mut [u8]> = outputs
					.iter_mut()
					.map(|output| &mut output[offset..offset + len])
					.collect();
				LinearMap::new(&matrix, kernel).mul_rows(&inputs, &mut slices);
				outputs
			};
			let expected = compute(Kernel::Portable);
			for kernel in Kernel::ALL
				.into_iter()
				.filter(|kernel| kernel.is_available())
			{
				let outputs = compute(kernel);
				assert!(
					outputs == expected,
					"{kernel:?}, {rows}x{cols}, length {len}"
				);
			}
		}
	}

	#[test]
	fn a_matrix_too_wide_for_vectors_is_computed_all_the_same() {
		let matrix = Matrix::from_fn(2, 60, |r, c| (r * 60 + c) as u8);
		let inputs = vec![vec![3u8; 100]; 60];
		let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
		let mut outputs = vec![vec![0u8; 100]; 2];
		let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
		LinearMap::new(&matrix, Kernel::best()).mul_rows(&inputs, &mut slices);
		for (r, output) in outputs.iter().enumerate() {
			let sum = (0..60).fold(0, |sum, c| sum ^ gf::mul(3, (r * 60 + c) as u8));
			assert!(output.iter().all(|byte| *byte == sum));
		}
	}
}
