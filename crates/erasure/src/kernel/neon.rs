//! The kernel for 64-bit ARM: two table look-ups give the products of the low and the high half
//! bytes.
//!
//! `unsafe` here and in the shared text of `body.rs` and `rebuild.rs`: loads and stores of vectors
//! through the pointers of [`Io`], within its length, and functions compiled for instructions that
//! [`Vector::find`] found.

#![allow(unsafe_code)]

use super::{
	io::{Access, Io, Lines, LINE},
	route::Route,
	tables::{Cells, Halves, HALVES},
	Kernel, FAR, LARGEST_VECTOR, NEAR, STREAM, TILE,
};
use crate::{matrix::Row, skew::Coset, DATA_SHARDS, PARITY_SHARDS};
use core::{arch::aarch64::*, ops::Range};

/// Bytes the inputs are fetched ahead. There is no stable instruction for it, so this is not used
/// but to name an address.
const AHEAD: usize = 1024;

/// A kernel that this machine can run: there is no other way to make one than [`Vector::find`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector(());

impl Vector {
	/// The kernel, if this machine has what it needs.
	pub(super) fn find(kernel: Kernel) -> Option<Self> {
		(kernel == Kernel::Neon && std::arch::is_aarch64_feature_detected!("neon"))
			.then_some(Self(()))
	}

	/// The coefficients of a matrix in the form this kernel takes.
	pub(super) fn prepare(self, matrix: &[Row]) -> Cells {
		Cells::halves(matrix)
	}

	/// Multiplies by a matrix that this kernel has prepared: one row for each output.
	pub(super) fn dense(self, io: &Io<'_>, cells: &Cells) {
		assert!(io.len() >= LARGEST_VECTOR && io.count() == cells.rows());
		let Cells::Halves(cells) = cells;
		// SAFETY: `find` found the instructions; buffers hold a vector, and there is one for each row.
		unsafe { vectors::dense(io, cells) };
	}

	/// Computes the twenty parity shards.
	pub(super) fn encode(self, io: &Io<'_>) {
		assert!(io.len() >= LARGEST_VECTOR && io.count() == PARITY_SHARDS);
		// SAFETY: `find` found the instructions; buffers hold a vector, and all outputs are there.
		unsafe { vectors::encode(io) };
	}

	/// Computes the outputs of a route.
	pub(super) fn rebuild(self, io: &Io<'_>, route: &Route) {
		assert!(io.len() >= LARGEST_VECTOR && io.count() == route.count());
		// SAFETY: `find` found the instructions; buffers hold a vector, and all outputs are there.
		unsafe { vectors::rebuild(io, route) };
	}
}

/// Does nothing: the hardware's own prefetching must do.
#[inline(always)]
fn prefetch(_: *const u8) {}

/// Nothing to order: stores do not stream.
#[inline(always)]
fn fence() {}

mod vectors {
	use super::*;

	type V = uint8x16_t;
	type Cell = Halves;
	const WIDTH: usize = 16;

	const fn cell(coefficient: u8) -> Cell {
		HALVES[coefficient as usize]
	}

	#[inline]
	#[target_feature(enable = "neon")]
	unsafe fn load(from: *const u8) -> V {
		// SAFETY: the caller gives a vector's bytes; no alignment is needed.
		unsafe { vld1q_u8(from) }
	}

	#[inline]
	#[target_feature(enable = "neon")]
	unsafe fn store(to: *mut u8, v: V) {
		// SAFETY: the caller gives room for a vector; no alignment is needed.
		unsafe { vst1q_u8(to, v) };
	}

	/// There is no stable streaming store.
	#[inline]
	#[target_feature(enable = "neon")]
	unsafe fn stream(to: *mut u8, v: V) {
		// SAFETY: as for `store`.
		unsafe { store(to, v) };
	}

	#[inline]
	#[target_feature(enable = "neon")]
	fn zero() -> V {
		vdupq_n_u8(0)
	}

	#[inline]
	#[target_feature(enable = "neon")]
	fn xor(a: V, b: V) -> V {
		veorq_u8(a, b)
	}

	#[inline]
	#[target_feature(enable = "neon")]
	fn mul(v: V, by: &Cell) -> V {
		// SAFETY: arrays of exactly the size loaded.
		let [low, high] = [&by.low, &by.high].map(|half| unsafe { vld1q_u8(half.as_ptr()) });
		let low = vqtbl1q_u8(low, vandq_u8(v, vdupq_n_u8(0x0F)));
		xor(low, vqtbl1q_u8(high, vshrq_n_u8::<4>(v)))
	}

	#[inline]
	#[target_feature(enable = "neon")]
	fn mul_add(sum: V, v: V, by: &Cell) -> V {
		xor(sum, mul(v, by))
	}

	#[inline]
	#[target_feature(enable = "neon")]
	fn mul_add2(sum: V, v: V, by: &Cell, w: V, and_by: &Cell) -> V {
		mul_add(mul_add(sum, v, by), w, and_by)
	}

	kernel_body!("neon", rows: [1 x 4, 2 x 4, 3 x 2, 4 x 2, 5 x 2, 6 x 2, 7 x 2, 8 x 2], most: 8);
}
