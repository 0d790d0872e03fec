//! How a stream of some length lies in stripes.

use crate::{CHUNK_PLAIN, MAX_SIZE, STRIPE_PLAIN, TAG_LEN};
use core::ops::Range;

/// Where the bytes of a stream lie: every stripe but the last is full, and an empty stream has one
/// stripe that holds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
	size: u64,
}

/// A part of one stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
	/// The stripe, counted from 0.
	pub stripe: u32,
	/// Which of the stripe's source bytes.
	pub range: Range<usize>,
}

impl Layout {
	/// The layout of `size` source bytes; `None` above [`MAX_SIZE`].
	pub const fn new(size: u64) -> Option<Self> {
		if size > MAX_SIZE {
			return None;
		}
		Some(Self { size })
	}

	/// Source bytes.
	pub const fn size(&self) -> u64 {
		self.size
	}

	/// Stripes, at least one.
	pub const fn stripes(&self) -> u32 {
		let full = self.size.div_ceil(STRIPE_PLAIN as u64);
		if full == 0 {
			1
		} else {
			full as u32
		}
	}

	/// Whether `stripe` is the last one.
	pub const fn is_last(&self, stripe: u32) -> bool {
		stripe == self.stripes() - 1
	}

	/// Source bytes of a stripe; `None` if there is no such stripe.
	pub const fn plain_len(&self, stripe: u32) -> Option<usize> {
		if stripe >= self.stripes() {
			return None;
		}
		let rest = self.size - stripe as u64 * STRIPE_PLAIN as u64;
		Some(if rest > STRIPE_PLAIN as u64 {
			STRIPE_PLAIN
		} else {
			rest as usize
		})
	}

	/// Sealed bytes of a stripe, as in [`crate::StripeRef::len`]; `None` if there is no such stripe.
	pub const fn sealed_len(&self, stripe: u32) -> Option<usize> {
		match self.plain_len(stripe) {
			Some(plain) => Some(sealed_len(plain)),
			None => None,
		}
	}

	/// The parts of stripes that make up these source bytes, in order; `None` if the range is
	/// reversed or reaches beyond the end.
	pub fn pieces(&self, range: Range<u64>) -> Option<impl Iterator<Item = Piece>> {
		if range.start > range.end || range.end > self.size {
			return None;
		}
		let stripe_len = STRIPE_PLAIN as u64;
		let stripes = if range.is_empty() {
			0..0
		} else {
			(range.start / stripe_len) as u32..range.end.div_ceil(stripe_len) as u32
		};
		Some(stripes.map(move |stripe| {
			let base = u64::from(stripe) * stripe_len;
			let start = range.start.saturating_sub(base) as usize;
			let end = (range.end - base).min(stripe_len) as usize;
			Piece {
				stripe,
				range: start..end,
			}
		}))
	}
}

/// Chunks that `plain` source bytes make: at least one, so that emptiness is authentic too.
pub(crate) const fn chunks_of(plain: usize) -> usize {
	let chunks = plain.div_ceil(CHUNK_PLAIN);
	if chunks == 0 {
		1
	} else {
		chunks
	}
}

/// Sealed length of `plain` source bytes.
pub(crate) const fn sealed_len(plain: usize) -> usize {
	plain + chunks_of(plain) * TAG_LEN
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_primitives::coding::STRIPE_LEN;
	use proptest::prelude::*;

	#[test]
	fn edges() {
		let empty = Layout::new(0).unwrap();
		assert_eq!(
			(empty.stripes(), empty.plain_len(0), empty.sealed_len(0)),
			(1, Some(0), Some(16))
		);
		let full = Layout::new(STRIPE_PLAIN as u64).unwrap();
		assert_eq!(
			(full.stripes(), full.sealed_len(0), full.sealed_len(1)),
			(1, Some(STRIPE_LEN), None)
		);
		let more = Layout::new(STRIPE_PLAIN as u64 + 1).unwrap();
		assert_eq!(
			(more.stripes(), more.plain_len(1), more.sealed_len(1)),
			(2, Some(1), Some(17))
		);
		assert!(Layout::new(MAX_SIZE).is_some());
		assert_eq!(Layout::new(MAX_SIZE).unwrap().stripes(), crate::MAX_STRIPES);
		assert_eq!(Layout::new(MAX_SIZE + 1), None);
		assert_eq!(Layout::new(u64::MAX), None);
	}

	#[test]
	fn ranges_outside_are_refused() {
		let layout = Layout::new(100).unwrap();
		#[allow(clippy::reversed_empty_ranges)]
		for range in [0..101, 101..101, 50..49, 0..u64::MAX] {
			assert!(layout.pieces(range).is_none());
		}
		assert_eq!(layout.pieces(100..100).unwrap().count(), 0);
	}

	proptest! {
		#[test]
		fn pieces_cover_the_range(size in 0u64..100_000_000, a in any::<u64>(), b in any::<u64>()) {
			let layout = Layout::new(size).unwrap();
			let (a, b) = (a % (size + 1), b % (size + 1));
			let range = a.min(b)..a.max(b);
			let mut at = range.start;
			for piece in layout.pieces(range.clone()).unwrap() {
				let base = u64::from(piece.stripe) * STRIPE_PLAIN as u64;
				prop_assert_eq!(base + piece.range.start as u64, at);
				prop_assert!(!piece.range.is_empty());
				prop_assert!(piece.range.end <= layout.plain_len(piece.stripe).unwrap());
				at = base + piece.range.end as u64;
			}
			prop_assert_eq!(at, range.end);
		}
	}
}
