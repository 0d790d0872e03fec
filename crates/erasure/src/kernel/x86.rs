//! Kernels for x86-64, chosen at run time.
//!
//! GFNI multiplies 64 or 32 bytes by a constant in one instruction, as an 8x8 matrix of bits; without
//! it two shuffles look up the products of the low and the high half bytes. Sums stay in registers
//! for a block of rows and are written once.
//!
//! The only file of the crate with `unsafe` code: loads and stores of vectors, whose bounds are
//! checked by taking arrays of exactly their size, and calls of functions compiled for instructions
//! that [`is_available`] found.

#![allow(unsafe_code)]

use super::Kernel;
use crate::{gf, matrix::Matrix};
use core::{arch::x86_64::*, ops::Range};

/// Most columns of a matrix: bounds the buffer for the last bytes.
const MAX_COLS: usize = 32;
/// Bytes the inputs are fetched ahead.
const AHEAD: usize = 1024;

/// Whether this machine has what the kernel needs.
pub(super) fn is_available(kernel: Kernel) -> bool {
	match kernel {
		Kernel::Avx512Gfni => {
			is_x86_feature_detected!("gfni")
				&& is_x86_feature_detected!("avx512f")
				&& is_x86_feature_detected!("avx512bw")
		}
		Kernel::Avx2Gfni => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
		Kernel::Avx2 => is_x86_feature_detected!("avx2"),
		Kernel::Ssse3 => is_x86_feature_detected!("ssse3"),
		Kernel::Portable => false,
	}
}

/// A matrix in the form a kernel multiplies by.
#[derive(Debug)]
pub(super) struct Prepared {
	cols: usize,
	form: Form,
}

/// Coefficients, row by row.
#[derive(Debug)]
enum Form {
	Avx512Gfni(Vec<u64>),
	Avx2Gfni(Vec<u64>),
	Avx2(Vec<Halves>),
	Ssse3(Vec<Halves>),
}

/// Products of a coefficient with each low and each high half byte.
type Halves = [[u8; 16]; 2];

impl Prepared {
	/// `None` if this machine or this matrix needs the portable kernel.
	pub(super) fn new(matrix: &Matrix, kernel: Kernel) -> Option<Self> {
		let cols = matrix.cols();
		if cols > MAX_COLS || !is_available(kernel) {
			return None;
		}
		let cells = || (0..matrix.rows()).flat_map(|r| matrix.row(r).iter().copied());
		let form = match kernel {
			Kernel::Avx512Gfni => Form::Avx512Gfni(cells().map(affine).collect()),
			Kernel::Avx2Gfni => Form::Avx2Gfni(cells().map(affine).collect()),
			Kernel::Avx2 => Form::Avx2(cells().map(halves).collect()),
			Kernel::Ssse3 => Form::Ssse3(cells().map(halves).collect()),
			Kernel::Portable => return None,
		};
		Some(Self { cols, form })
	}

	/// Computes the columns `tile` of all outputs.
	pub(super) fn mul_tile(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], tile: Range<usize>) {
		// SAFETY: `new` made each form only after `is_available` had found its instructions.
		unsafe {
			match &self.form {
				Form::Avx512Gfni(cells) => avx512::tile(cells, self.cols, inputs, outputs, tile),
				Form::Avx2Gfni(cells) => avx2_gfni::tile(cells, self.cols, inputs, outputs, tile),
				Form::Avx2(cells) => avx2::tile(cells, self.cols, inputs, outputs, tile),
				Form::Ssse3(cells) => ssse3::tile(cells, self.cols, inputs, outputs, tile),
			}
		}
	}
}

/// Multiplication by `coefficient` as the bit matrix of `gf2p8affineqb`: byte `7 - i` holds, at bit
/// `j`, bit `i` of `coefficient * 2^j`.
fn affine(coefficient: u8) -> u64 {
	let mut matrix = [0u8; 8];
	for j in 0..8 {
		let product = gf::mul(coefficient, 1 << j);
		for (i, row) in matrix.iter_mut().rev().enumerate() {
			*row |= (product >> i & 1) << j;
		}
	}
	u64::from_le_bytes(matrix)
}

fn halves(coefficient: u8) -> Halves {
	[
		core::array::from_fn(|low| gf::mul(coefficient, low as u8)),
		core::array::from_fn(|high| gf::mul(coefficient, (high as u8) << 4)),
	]
}

/// The `N` bytes from `at`.
#[inline(always)]
fn bytes<const N: usize>(input: &[u8], at: usize) -> &[u8; N] {
	match input[at..].first_chunk() {
		Some(chunk) => chunk,
		None => unreachable!("steps end where fewer bytes are left"),
	}
}

/// The `N` bytes from `at`.
#[inline(always)]
fn bytes_mut<const N: usize>(output: &mut [u8], at: usize) -> &mut [u8; N] {
	match output[at..].first_chunk_mut() {
		Some(chunk) => chunk,
		None => unreachable!("steps end where fewer bytes are left"),
	}
}

/// Asks for a line of input that will be read soon.
#[inline(always)]
fn prefetch(input: &[u8], at: usize) {
	if let Some(byte) = input.get(at + AHEAD) {
		// SAFETY: the address lies in the slice; prefetching reads nothing that could be observed.
		unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(byte).cast()) };
	}
}

/// One module for each kernel: `tile` over all rows, in blocks of up to `$rows`, each computed in
/// steps of `$width` bytes by `$block`; what is left at the end goes through a padded buffer.
macro_rules! kernel {
	(
		$(#[$doc:meta])* $name:ident, $features:literal, $cell:ty, $vector:ty, $width:literal,
		$rows:literal, [$($count:literal)*], $step:literal,
		zero: $zero:expr, load: $load:expr, store: $store:expr, add: $add:expr
	) => {
		$(#[$doc])*
		mod $name {
			use super::*;

			const WIDTH: usize = $width;
			const STEP: usize = $step;

			#[inline]
			#[target_feature(enable = $features)]
			fn load(input: &[u8], at: usize) -> $vector {
				let bytes: &[u8; WIDTH] = bytes(input, at);
				// SAFETY: an array of exactly the vector's size, and loads need no alignment.
				unsafe { $load(bytes.as_ptr().cast()) }
			}

			#[inline]
			#[target_feature(enable = $features)]
			fn store(output: &mut [u8], at: usize, vector: $vector) {
				let bytes: &mut [u8; WIDTH] = bytes_mut(output, at);
				// SAFETY: an array of exactly the vector's size, and stores need no alignment.
				unsafe { $store(bytes.as_mut_ptr().cast(), vector) };
			}

			#[target_feature(enable = $features)]
			pub(super) fn tile(
				cells: &[$cell],
				cols: usize,
				inputs: &[&[u8]],
				outputs: &mut [&mut [u8]],
				tile: Range<usize>,
			) {
				for (cells, outputs) in cells.chunks($rows * cols).zip(outputs.chunks_mut($rows)) {
					match outputs.len() {
						$($count => rows::<$count>(cells, cols, inputs, outputs, tile.clone()),)*
						_ => unreachable!("blocks hold at most as many rows as asked for"),
					}
				}
			}

			#[target_feature(enable = $features)]
			fn rows<const R: usize>(
				cells: &[$cell],
				cols: usize,
				inputs: &[&[u8]],
				outputs: &mut [&mut [u8]],
				tile: Range<usize>,
			) {
				let mut at = tile.start;
				while at + STEP * WIDTH <= tile.end {
					block::<R, STEP>(cells, cols, inputs, outputs, at);
					at += STEP * WIDTH;
				}
				while at + WIDTH <= tile.end {
					block::<R, 1>(cells, cols, inputs, outputs, at);
					at += WIDTH;
				}
				if at < tile.end {
					last::<R>(cells, cols, inputs, outputs, at..tile.end);
				}
			}

			/// `R` rows of `C` vectors.
			#[inline]
			#[target_feature(enable = $features)]
			fn block<const R: usize, const C: usize>(
				cells: &[$cell],
				cols: usize,
				inputs: &[&[u8]],
				outputs: &mut [&mut [u8]],
				at: usize,
			) {
				let mut sums = [[$zero; C]; R];
				for (col, input) in inputs.iter().enumerate() {
					let mut data = [$zero; C];
					for (c, vector) in data.iter_mut().enumerate() {
						prefetch(input, at + c * WIDTH);
						*vector = load(input, at + c * WIDTH);
					}
					for (r, sums) in sums.iter_mut().enumerate() {
						let cell = &cells[r * cols + col];
						for (sum, data) in sums.iter_mut().zip(data) {
							*sum = $add(*sum, data, cell);
						}
					}
				}
				for (output, sums) in outputs.iter_mut().zip(sums) {
					for (c, sum) in sums.into_iter().enumerate() {
						store(output, at + c * WIDTH, sum);
					}
				}
			}

			/// Fewer bytes than a vector holds.
			#[target_feature(enable = $features)]
			fn last<const R: usize>(
				cells: &[$cell],
				cols: usize,
				inputs: &[&[u8]],
				outputs: &mut [&mut [u8]],
				rest: Range<usize>,
			) {
				let len = rest.len();
				let mut padded = [[0u8; WIDTH]; MAX_COLS];
				for (padded, input) in padded.iter_mut().zip(inputs) {
					padded[..len].copy_from_slice(&input[rest.clone()]);
				}
				let mut sums = [$zero; R];
				for (col, input) in padded.iter().take(cols).enumerate() {
					let data = load(input, 0);
					for (r, sum) in sums.iter_mut().enumerate() {
						*sum = $add(*sum, data, &cells[r * cols + col]);
					}
				}
				for (output, sum) in outputs.iter_mut().zip(sums) {
					let mut whole = [0u8; WIDTH];
					store(&mut whole, 0, sum);
					output[rest.clone()].copy_from_slice(&whole[..len]);
				}
			}
		}
	};
}

kernel!(
	/// 10 rows of two vectors: 20 of the 32 registers hold sums.
	avx512, "gfni,avx512f,avx512bw", u64, __m512i, 64,
	10, [1 2 3 4 5 6 7 8 9 10], 2,
	zero: _mm512_setzero_si512(),
	load: _mm512_loadu_si512,
	store: _mm512_storeu_si512,
	add: |sum, data, cell: &u64| _mm512_xor_si512(
		sum,
		_mm512_gf2p8affine_epi64_epi8::<0>(data, _mm512_set1_epi64(cell.cast_signed())),
	)
);

kernel!(
	/// 5 rows of two vectors: 10 of the 16 registers hold sums.
	avx2_gfni, "gfni,avx2", u64, __m256i, 32,
	5, [1 2 3 4 5], 2,
	zero: _mm256_setzero_si256(),
	load: _mm256_loadu_si256,
	store: _mm256_storeu_si256,
	add: |sum, data, cell: &u64| _mm256_xor_si256(
		sum,
		_mm256_gf2p8affine_epi64_epi8::<0>(data, _mm256_set1_epi64x(cell.cast_signed())),
	)
);

kernel!(
	/// 4 rows of one vector.
	avx2, "avx2", Halves, __m256i, 32,
	4, [1 2 3 4], 1,
	zero: _mm256_setzero_si256(),
	load: _mm256_loadu_si256,
	store: _mm256_storeu_si256,
	add: |sum, data, cell: &Halves| {
		let mask = _mm256_set1_epi8(0x0F);
		// SAFETY: arrays of exactly the vector's size, and loads need no alignment.
		let [low, high] = cell.each_ref().map(|half| unsafe {
			_mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast()))
		});
		let low = _mm256_shuffle_epi8(low, _mm256_and_si256(data, mask));
		let high = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi64::<4>(data), mask));
		_mm256_xor_si256(sum, _mm256_xor_si256(low, high))
	}
);

kernel!(
	/// 4 rows of one vector.
	ssse3, "ssse3", Halves, __m128i, 16,
	4, [1 2 3 4], 1,
	zero: _mm_setzero_si128(),
	load: _mm_loadu_si128,
	store: _mm_storeu_si128,
	add: |sum, data, cell: &Halves| {
		let mask = _mm_set1_epi8(0x0F);
		// SAFETY: arrays of exactly the vector's size, and loads need no alignment.
		let [low, high] = cell.each_ref().map(|half| unsafe {
			_mm_loadu_si128(half.as_ptr().cast())
		});
		let low = _mm_shuffle_epi8(low, _mm_and_si128(data, mask));
		let high = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi64::<4>(data), mask));
		_mm_xor_si128(sum, _mm_xor_si128(low, high))
	}
);

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn affine_matrices_are_as_the_instruction_wants_them() {
		assert_eq!(affine(1), 0x0102_0408_1020_4080);
		assert_eq!(affine(2), 0x8001_8284_8810_2040);
		assert_eq!(affine(0), 0);
	}
}
