//! Drawing straws: which item of a bucket wins for an input.
//!
//! A straw is `(ln(u) - 2^48) / weight`, truncated toward zero, where `u` is 16 bits of a hash of the
//! item. It is never positive, so the longest straw is the one with the smallest magnitude
//! `floor(gap / weight)` with `gap = 2^48 - ln(u)`; the earlier one of equals wins, and the first item
//! if none weighs anything.
//!
//! This is the way that needs nothing but the map itself, for the runtime; `fast` is the one for
//! daemons. Both give the same item for every input.

use crate::hash::{hash3, hash3_lanes};
use crate::ln::{ln, LN_ONE};
use crate::map::{CrushMap, Straws};

/// Items hashed side by side. WebAssembly without vectors gains nothing from more than one.
const LANES: usize = if cfg!(target_family = "wasm") { 2 } else { 4 };

/// A way to find the winning item.
pub(crate) trait Draw: Copy {
	/// The index of the winner in the bucket at entry `bucket`, which is not empty.
	fn draw(self, map: &CrushMap, bucket: usize, x: u32, r: u32, position: usize) -> usize;
}

/// Draws from the map's own numbers.
#[derive(Clone, Copy)]
pub(crate) struct Compact;

impl Draw for Compact {
	#[inline]
	fn draw(self, map: &CrushMap, bucket: usize, x: u32, r: u32, position: usize) -> usize {
		straw2(&map.straws(bucket), x, r, position)
	}
}

/// The winner of a draw of input `x`, try `r` and result position `position`.
pub(crate) fn straw2(straws: &Straws<'_>, x: u32, r: u32, position: usize) -> usize {
	let (blocks, rest) = straws.hash_ids().as_chunks::<LANES>();
	let weights = straws.weights(position);
	let mut best = Best {
		at: 0,
		length: u64::MAX,
	};
	for (block, ids) in blocks.iter().enumerate() {
		let first = block * LANES;
		let hashes = hash3_lanes(x, ids, r);
		for (lane, (hash, weight)) in hashes.iter().zip(&weights[first..]).enumerate() {
			best.consider(first + lane, *hash, *weight);
		}
	}
	let first = blocks.len() * LANES;
	for (lane, (id, weight)) in rest.iter().zip(&weights[first..]).enumerate() {
		best.consider(first + lane, hash3(x, *id as u32, r), *weight);
	}
	best.at
}

struct Best {
	at: usize,
	/// Magnitude of its straw; the maximum before there is one.
	length: u64,
}

impl Best {
	#[inline(always)]
	fn consider(&mut self, at: usize, hash: u32, weight: u32) {
		if weight == 0 {
			return;
		}
		let gap = LN_ONE - ln(hash as u16);
		let weight = u64::from(weight);
		// `gap < length * weight` says the same as `gap / weight < length` without a division for every
		// loser. Where the product might not fit, divide: a check of the product itself would be a
		// 128-bit multiplication, which is slow in WebAssembly.
		let wins = if self.length <= u64::from(u32::MAX) {
			gap < self.length * weight
		} else {
			gap / weight < self.length
		};
		if wins {
			self.at = at;
			self.length = gap / weight;
		}
	}
}
