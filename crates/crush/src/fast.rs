//! Drawing straws natively: items hashed side by side, logarithms from a table, no divisions and no
//! branches on drawn values.
//!
//! The division `floor(gap / weight)` becomes a multiplication with a reciprocal made when the map is
//! laid out. For a bucket whose weights are at most `2^bits`, let `reciprocal` be
//! `ceil(2^(49 + bits) / weight)`, that is `(2^(49 + bits) + e) / weight` with `0 <= e < weight`. Then
//! `gap * reciprocal / 2^(49 + bits)` exceeds `gap / weight` by `gap * e / (weight * 2^(49 + bits))`,
//! which is less than `1 / weight`, because `gap < 2^49` and `e < 2^bits`. A fraction with the
//! denominator `weight` that grows by less than `1 / weight` keeps its whole part: the result is exact.

use crate::hash::hash3_lanes;
use crate::ln::{ln, LN_ONE};
use crate::map::CrushMap;
use crate::straw::{straw2, Draw};
use std::sync::OnceLock;

/// Items are laid out in groups of this many.
const GROUP: usize = 4;
/// A gap is at most `2^48`, so below `2^GAP_BITS`.
const GAP_BITS: u32 = 49;
/// What gaps are shifted by, so that the high half of a product is a product shifted by `GAP_BITS`.
const GAP_SHIFT: u32 = 64 - GAP_BITS;
/// Above every length, and small enough to have an index below it in a word.
const NO_STRAW: u64 = 1 << 55;

/// Weights of one bucket may differ by this many bits for reciprocals to fit 64 bits.
const MAX_RATIO_BITS: u32 = 14;

type GapTable = [u64; 1 << 16];

/// `(2^48 - ln(u)) << GAP_SHIFT` for every `u`: 512 KiB, made once for the whole process.
fn gaps() -> &'static GapTable {
	static GAPS: OnceLock<Box<GapTable>> = OnceLock::new();
	GAPS.get_or_init(|| {
		let mut table = Box::new([0; 1 << 16]);
		for (u, gap) in (0..=u16::MAX).zip(table.iter_mut()) {
			*gap = (LN_ONE - ln(u)) << GAP_SHIFT;
		}
		table
	})
}

/// The items of a map's buckets as one array per number, each bucket filled up to whole groups with
/// items that never win. 12 bytes for an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FastStraws {
	/// By the map's entries.
	buckets: Vec<FastBucket>,
	ids: Vec<[i32; GROUP]>,
	/// See above; 0 for a weight of 0.
	reciprocals: Vec<[u64; GROUP]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FastBucket {
	/// First group.
	start: u32,
	/// Groups; none if the bucket is not laid out here.
	groups: u16,
	bits: u16,
}

impl FastStraws {
	/// Lays out buckets of these items, id and weight, in the order of the map's entries. `None`
	/// stands for a bucket that is always drawn the other way.
	pub(crate) fn new<I: Iterator<Item = (i32, u32)> + Clone>(
		buckets: impl Iterator<Item = Option<I>>,
	) -> Self {
		let mut all = Self {
			buckets: Vec::new(),
			ids: Vec::new(),
			reciprocals: Vec::new(),
		};
		for items in buckets {
			let start = all.ids.len() as u32;
			let bits = items.and_then(|items| all.add(items)).unwrap_or(0);
			let groups = all.ids.len() - start as usize;
			all.buckets.push(FastBucket {
				start,
				groups: groups as u16,
				bits,
			});
		}
		all
	}

	/// Adds a bucket's items; `None` and nothing added if some reciprocal does not fit.
	fn add(&mut self, items: impl Iterator<Item = (i32, u32)> + Clone) -> Option<u16> {
		let heaviest = items.clone().map(|(_, weight)| weight).max()?;
		let bits = u64::from(heaviest).next_power_of_two().trailing_zeros();
		let lightest = items
			.clone()
			.map(|(_, weight)| weight)
			.filter(|weight| *weight > 0);
		let lightest = u64::from(lightest.min().unwrap_or(1));
		if lightest << MAX_RATIO_BITS < 1 << bits {
			return None;
		}
		let mut rest = items.map(|(id, weight)| (id, reciprocal(weight, bits)));
		while let Some(first) = rest.next() {
			let mut group = [(0, 0); GROUP];
			group[0] = first;
			for (slot, item) in group[1..].iter_mut().zip(&mut rest) {
				*slot = item;
			}
			self.ids.push(group.map(|(id, _)| id));
			self.reciprocals
				.push(group.map(|(_, reciprocal)| reciprocal));
		}
		Some(bits as u16)
	}
}

/// `ceil(2^(49 + bits) / weight)`, 0 for a weight of 0; fits if the weight is not below
/// `2^(bits - MAX_RATIO_BITS)`.
fn reciprocal(weight: u32, bits: u32) -> u64 {
	// In two steps of long division by less than 2^33, because dividing 128-bit numbers is slow.
	let Some(weight) = core::num::NonZeroU64::new(weight.into()) else {
		return 0;
	};
	let high = 1u64 << GAP_BITS;
	let (quotient, remainder) = (high / weight, high % weight);
	let low = remainder << bits;
	(quotient << bits) + low.div_ceil(weight.get())
}

/// Draws from [`FastStraws`].
#[derive(Clone, Copy)]
pub(crate) struct Fast {
	gaps: &'static GapTable,
}

impl Fast {
	pub(crate) fn new() -> Self {
		Self { gaps: gaps() }
	}

	/// The smallest of `length << 8 | index` of the first `N` items.
	#[inline(always)]
	fn shortest<const N: usize>(
		self,
		ids: &[[i32; GROUP]],
		reciprocals: &[[u64; GROUP]],
		key: Key,
	) -> u64 {
		let mut best = u64::MAX;
		let Some(ids) = ids.as_flattened().first_chunk::<N>() else {
			return best;
		};
		let hashes = hashes(key.x, ids, key.r);
		let reciprocals = reciprocals.as_flattened().iter().zip(key.first..);
		for (hash, (reciprocal, at)) in hashes.iter().zip(reciprocals) {
			let gap = self.gaps[usize::from(*hash as u16)];
			let product = ((u128::from(gap) * u128::from(*reciprocal)) >> 64) as u64;
			let length = if *reciprocal == 0 {
				NO_STRAW
			} else {
				product >> key.bits
			};
			best = best.min(length << 8 | at);
		}
		best
	}
}

/// A function of its own: inlined into what uses its results, the compiler makes a loop of it that
/// finishes one vector before it begins the next, and the lanes no longer fill each other's waits.
#[inline(never)]
fn hashes<const N: usize>(x: u32, ids: &[i32; N], r: u32) -> [u32; N] {
	hash3_lanes(x, ids, r)
}

/// What a group is drawn with.
#[derive(Clone, Copy)]
struct Key {
	x: u32,
	r: u32,
	bits: u16,
	/// Index of the first item in its bucket.
	first: u64,
}

impl Draw for Fast {
	#[inline(always)]
	fn draw(self, map: &CrushMap, bucket: usize, x: u32, r: u32, position: usize) -> usize {
		let straws = map.fast();
		let FastBucket {
			start,
			groups,
			bits,
		} = straws.buckets[bucket];
		if groups == 0 {
			return straw2(&map.straws(bucket), x, r, position);
		}
		let range = start as usize..start as usize + usize::from(groups);
		let mut ids = &straws.ids[range.clone()];
		let mut reciprocals = &straws.reciprocals[range];
		let mut best = u64::MAX;
		let mut key = Key {
			x,
			r,
			bits,
			first: 0,
		};
		loop {
			best = best.min(match ids.len() {
				1 => self.shortest::<GROUP>(ids, reciprocals, key),
				2 => self.shortest::<{ 2 * GROUP }>(ids, reciprocals, key),
				3 => self.shortest::<{ 3 * GROUP }>(ids, reciprocals, key),
				_ => self.shortest::<{ 4 * GROUP }>(ids, reciprocals, key),
			});
			if ids.len() <= 4 {
				// The index, of at most 256 items.
				return (best & 0xff) as usize;
			}
			(ids, reciprocals) = (&ids[4..], &reciprocals[4..]);
			key.first += 4 * GROUP as u64;
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Length by the table and the reciprocal, for a bucket with these two weights.
	fn length(heaviest: u32, weight: u32, u: u16) -> Option<u64> {
		let items = [(1, heaviest), (2, weight)];
		let straws = FastStraws::new([Some(items.into_iter())].into_iter());
		let bucket = straws.buckets[0];
		(bucket.groups > 0).then(|| {
			let product = u128::from(gaps()[usize::from(u)]) * u128::from(straws.reciprocals[0][1]);
			(product >> 64) as u64 >> bucket.bits
		})
	}

	#[test]
	fn extreme_weights_divide_exactly() {
		let around = |bits: u32| {
			let power = 1u64 << bits;
			[power - 1, power, power + 1].map(|weight| weight.clamp(1, u32::MAX.into()) as u32)
		};
		let weights: Vec<u32> = (0..=32).flat_map(around).collect();
		let mut laid_out = 0;
		for &heaviest in &weights {
			for &weight in weights.iter().filter(|weight| **weight <= heaviest) {
				for u in [0, 1, 2, 255, 256, 40_000, 65_534, 65_535] {
					let expected = (LN_ONE - ln(u)) / u64::from(weight);
					if let Some(length) = length(heaviest, weight, u) {
						laid_out += 1;
						assert_eq!(length, expected, "{heaviest} {weight} {u}");
						assert!(length < NO_STRAW);
					} else {
						assert!(heaviest / weight >= 1 << 13, "{heaviest} {weight}");
					}
				}
			}
		}
		assert!(laid_out > 10_000);
	}

	/// Weights at random below a heaviest one, every logarithm.
	#[test]
	fn many_weights_divide_exactly() {
		let mut state = 1u64;
		let mut laid_out = 0;
		for _ in 0..40 {
			state = state
				.wrapping_mul(6_364_136_223_846_793_005)
				.wrapping_add(1);
			let heaviest = (state >> 32) as u32 | 1;
			let weight = (heaviest >> (state % 14)).saturating_sub(7).max(1);
			for u in (0..=u16::MAX).step_by(7) {
				let expected = (LN_ONE - ln(u)) / u64::from(weight);
				if let Some(length) = length(heaviest, weight, u) {
					laid_out += 1;
					assert_eq!(length, expected, "{heaviest} {weight} {u}");
				}
			}
		}
		assert!(laid_out > 100_000);
	}
}
