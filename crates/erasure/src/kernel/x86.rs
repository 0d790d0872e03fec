//! Kernels for x86-64.
//!
//! GFNI multiplies 64 or 32 bytes by a constant in one instruction, as an 8x8 matrix of bits; without
//! it two shuffles look up the products of the low and the high half bytes.
//!
//! `unsafe` here and in the shared text of `body.rs` and `rebuild.rs`: loads and stores of vectors
//! through the pointers of [`Io`], within its length, and functions compiled for instructions that
//! [`Vector::find`] found.

#![allow(unsafe_code)]

use super::{
	io::{Access, Io, Lines, LINE},
	route::Route,
	tables::{Cells, Halves, AFFINE, HALVES},
	Kernel, FAR, LARGEST_VECTOR, NEAR, STREAM, TILE,
};
use crate::{matrix::Row, skew::Coset, DATA_SHARDS, PARITY_SHARDS};
use core::{arch::x86_64::*, ops::Range};

/// Bytes the inputs are fetched ahead where they are not in a near cache.
const AHEAD: usize = 1024;

/// A kernel that this machine can run: there is no other way to make one than [`Vector::find`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector(Tier);

#[derive(Clone, Copy, Debug)]
enum Tier {
	Avx512Gfni,
	Avx2Gfni,
	Avx2,
	Ssse3,
}

impl Vector {
	/// The kernel, if this machine has what it needs.
	pub(super) fn find(kernel: Kernel) -> Option<Self> {
		let (tier, available) = match kernel {
			Kernel::Avx512Gfni => (
				Tier::Avx512Gfni,
				is_x86_feature_detected!("gfni")
					&& is_x86_feature_detected!("avx512f")
					&& is_x86_feature_detected!("avx512bw"),
			),
			Kernel::Avx2Gfni => (
				Tier::Avx2Gfni,
				is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
			),
			Kernel::Avx2 => (Tier::Avx2, is_x86_feature_detected!("avx2")),
			Kernel::Ssse3 => (Tier::Ssse3, is_x86_feature_detected!("ssse3")),
			Kernel::Neon | Kernel::Portable => return None,
		};
		available.then_some(Self(tier))
	}

	/// The coefficients of a matrix in the form this kernel takes.
	pub(super) fn prepare(self, matrix: &[Row]) -> Cells {
		match self.0 {
			Tier::Avx512Gfni | Tier::Avx2Gfni => Cells::affine(matrix),
			Tier::Avx2 | Tier::Ssse3 => Cells::halves(matrix),
		}
	}

	/// Multiplies by a matrix that this kernel has prepared: one row for each output.
	pub(super) fn dense(self, io: &Io<'_>, cells: &Cells) {
		assert!(io.len() >= LARGEST_VECTOR && io.count() == cells.rows());
		// SAFETY: `find` found the instructions; buffers hold a vector, and there is one for each row.
		unsafe {
			match (self.0, cells) {
				(Tier::Avx512Gfni, Cells::Affine(cells)) => avx512_gfni::dense(io, cells),
				(Tier::Avx2Gfni, Cells::Affine(cells)) => avx2_gfni::dense(io, cells),
				(Tier::Avx2, Cells::Halves(cells)) => avx2::dense(io, cells),
				(Tier::Ssse3, Cells::Halves(cells)) => ssse3::dense(io, cells),
				_ => unreachable!("cells prepared by another kernel"),
			}
		}
	}

	/// Computes the twenty parity shards.
	pub(super) fn encode(self, io: &Io<'_>) {
		assert!(io.len() >= LARGEST_VECTOR && io.count() == PARITY_SHARDS);
		// SAFETY: `find` found the instructions; buffers hold a vector, and all outputs are there.
		unsafe {
			match self.0 {
				Tier::Avx512Gfni => avx512_gfni::encode(io),
				Tier::Avx2Gfni => avx2_gfni::encode(io),
				Tier::Avx2 => avx2::encode(io),
				Tier::Ssse3 => ssse3::encode(io),
			}
		}
	}

	/// Computes the outputs of a route.
	pub(super) fn rebuild(self, io: &Io<'_>, route: &Route) {
		assert!(io.len() >= LARGEST_VECTOR && io.count() == route.count());
		// SAFETY: `find` found the instructions; buffers hold a vector, and all outputs are there.
		unsafe {
			match self.0 {
				Tier::Avx512Gfni => avx512_gfni::rebuild(io, route),
				Tier::Avx2Gfni => avx2_gfni::rebuild(io, route),
				Tier::Avx2 => avx2::rebuild(io, route),
				Tier::Ssse3 => ssse3::rebuild(io, route),
			}
		}
	}
}

/// Asks for a line that will be read soon; any address will do.
#[inline(always)]
fn prefetch(address: *const u8) {
	// SAFETY: prefetching reads nothing that could be observed, and never faults.
	unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

/// Orders streaming stores before all that follows, as other stores are.
#[inline(always)]
fn fence() {
	// SAFETY: of SSE, which all x86-64 machines have.
	unsafe { _mm_sfence() };
}

mod avx512_gfni {
	use super::*;

	type V = __m512i;
	type Cell = u64;
	const WIDTH: usize = 64;

	const fn cell(coefficient: u8) -> Cell {
		AFFINE[coefficient as usize]
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	unsafe fn load(from: *const u8) -> V {
		// SAFETY: the caller gives a vector's bytes; no alignment is needed.
		unsafe { _mm512_loadu_si512(from.cast()) }
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	unsafe fn store(to: *mut u8, v: V) {
		// SAFETY: the caller gives room for a vector; no alignment is needed.
		unsafe { _mm512_storeu_si512(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	unsafe fn stream(to: *mut u8, v: V) {
		// SAFETY: the caller gives aligned room for a vector.
		unsafe { _mm512_stream_si512(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	fn zero() -> V {
		_mm512_setzero_si512()
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	fn xor(a: V, b: V) -> V {
		_mm512_xor_si512(a, b)
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	fn mul(v: V, by: &Cell) -> V {
		_mm512_gf2p8affine_epi64_epi8::<0>(v, _mm512_set1_epi64(by.cast_signed()))
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	fn mul_add(sum: V, v: V, by: &Cell) -> V {
		xor(sum, mul(v, by))
	}

	#[inline]
	#[target_feature(enable = "gfni,avx512f,avx512bw")]
	fn mul_add2(sum: V, v: V, by: &Cell, w: V, and_by: &Cell) -> V {
		_mm512_ternarylogic_epi64::<0x96>(sum, mul(v, by), mul(w, and_by))
	}

	kernel_body!("gfni,avx512f,avx512bw",
		rows: [1 x 4, 2 x 4, 3 x 4, 4 x 4, 5 x 4, 6 x 3, 7 x 3, 8 x 2, 9 x 2, 10 x 2], most: 10);
}

mod avx2_gfni {
	use super::*;

	type V = __m256i;
	type Cell = u64;
	const WIDTH: usize = 32;

	const fn cell(coefficient: u8) -> Cell {
		AFFINE[coefficient as usize]
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	unsafe fn load(from: *const u8) -> V {
		// SAFETY: the caller gives a vector's bytes; no alignment is needed.
		unsafe { _mm256_loadu_si256(from.cast()) }
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	unsafe fn store(to: *mut u8, v: V) {
		// SAFETY: the caller gives room for a vector; no alignment is needed.
		unsafe { _mm256_storeu_si256(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	unsafe fn stream(to: *mut u8, v: V) {
		// SAFETY: the caller gives aligned room for a vector.
		unsafe { _mm256_stream_si256(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	fn zero() -> V {
		_mm256_setzero_si256()
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	fn xor(a: V, b: V) -> V {
		_mm256_xor_si256(a, b)
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	fn mul(v: V, by: &Cell) -> V {
		_mm256_gf2p8affine_epi64_epi8::<0>(v, _mm256_set1_epi64x(by.cast_signed()))
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	fn mul_add(sum: V, v: V, by: &Cell) -> V {
		xor(sum, mul(v, by))
	}

	#[inline]
	#[target_feature(enable = "gfni,avx2")]
	fn mul_add2(sum: V, v: V, by: &Cell, w: V, and_by: &Cell) -> V {
		xor(sum, xor(mul(v, by), mul(w, and_by)))
	}

	kernel_body!("gfni,avx2", rows: [1 x 4, 2 x 4, 3 x 2, 4 x 2, 5 x 2], most: 5);
}

mod avx2 {
	use super::*;

	type V = __m256i;
	type Cell = Halves;
	const WIDTH: usize = 32;

	const fn cell(coefficient: u8) -> Cell {
		HALVES[coefficient as usize]
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	unsafe fn load(from: *const u8) -> V {
		// SAFETY: the caller gives a vector's bytes; no alignment is needed.
		unsafe { _mm256_loadu_si256(from.cast()) }
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	unsafe fn store(to: *mut u8, v: V) {
		// SAFETY: the caller gives room for a vector; no alignment is needed.
		unsafe { _mm256_storeu_si256(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	unsafe fn stream(to: *mut u8, v: V) {
		// SAFETY: the caller gives aligned room for a vector.
		unsafe { _mm256_stream_si256(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	fn zero() -> V {
		_mm256_setzero_si256()
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	fn xor(a: V, b: V) -> V {
		_mm256_xor_si256(a, b)
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	fn mul(v: V, by: &Cell) -> V {
		let mask = _mm256_set1_epi8(0x0F);
		// SAFETY: arrays of exactly the size loaded; no alignment is needed.
		let [low, high] = [&by.low, &by.high].map(|half| unsafe {
			_mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast()))
		});
		let low = _mm256_shuffle_epi8(low, _mm256_and_si256(v, mask));
		let high = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi64::<4>(v), mask));
		xor(low, high)
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	fn mul_add(sum: V, v: V, by: &Cell) -> V {
		xor(sum, mul(v, by))
	}

	#[inline]
	#[target_feature(enable = "avx2")]
	fn mul_add2(sum: V, v: V, by: &Cell, w: V, and_by: &Cell) -> V {
		mul_add(mul_add(sum, v, by), w, and_by)
	}

	kernel_body!("avx2", rows: [1 x 2, 2 x 2, 3 x 1, 4 x 1], most: 4);
}

mod ssse3 {
	use super::*;

	type V = __m128i;
	type Cell = Halves;
	const WIDTH: usize = 16;

	const fn cell(coefficient: u8) -> Cell {
		HALVES[coefficient as usize]
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	unsafe fn load(from: *const u8) -> V {
		// SAFETY: the caller gives a vector's bytes; no alignment is needed.
		unsafe { _mm_loadu_si128(from.cast()) }
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	unsafe fn store(to: *mut u8, v: V) {
		// SAFETY: the caller gives room for a vector; no alignment is needed.
		unsafe { _mm_storeu_si128(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	unsafe fn stream(to: *mut u8, v: V) {
		// SAFETY: the caller gives aligned room for a vector.
		unsafe { _mm_stream_si128(to.cast(), v) };
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	fn zero() -> V {
		_mm_setzero_si128()
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	fn xor(a: V, b: V) -> V {
		_mm_xor_si128(a, b)
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	fn mul(v: V, by: &Cell) -> V {
		let mask = _mm_set1_epi8(0x0F);
		// SAFETY: arrays of exactly the size loaded; no alignment is needed.
		let [low, high] =
			[&by.low, &by.high].map(|half| unsafe { _mm_loadu_si128(half.as_ptr().cast()) });
		let low = _mm_shuffle_epi8(low, _mm_and_si128(v, mask));
		let high = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi64::<4>(v), mask));
		xor(low, high)
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	fn mul_add(sum: V, v: V, by: &Cell) -> V {
		xor(sum, mul(v, by))
	}

	#[inline]
	#[target_feature(enable = "ssse3")]
	fn mul_add2(sum: V, v: V, by: &Cell, w: V, and_by: &Cell) -> V {
		mul_add(mul_add(sum, v, by), w, and_by)
	}

	kernel_body!("ssse3", rows: [1 x 2, 2 x 2, 3 x 1, 4 x 1], most: 4);
}
