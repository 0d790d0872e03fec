//! Prices over time, and what units cost between two points of it.

use crate::arith::mul_add_div;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Binary places of a price.
pub const PRICE_BITS: u32 = 32;
/// Bytes of a gigabyte.
pub const GB: u128 = 1_000_000_000;
/// Blocks of an hour.
pub const HOUR_BLOCKS: u128 = 600;
/// By what the product of bytes, price and blocks is divided to give credits.
pub const GB_HOUR: u128 = (GB * HOUR_BLOCKS) << PRICE_BITS;
/// By what the product of bytes and a price per gigabyte is divided to give credits.
pub const GB_ONCE: u128 = GB << PRICE_BITS;
/// The greatest price: 2^32 credits per GB-hour. With it no index ever overflows.
pub const MAX_PRICE: u128 = 1 << (32 + PRICE_BITS);

/// A price of whole credits.
pub const fn whole(credits: u32) -> u128 {
	(credits as u128) << PRICE_BITS
}

/// A price of `numerator / denominator` credits, rounded down; 0 for a denominator of 0.
pub const fn ratio(numerator: u32, denominator: u32) -> u128 {
	match whole(numerator).checked_div(denominator as u128) {
		Some(price) => price,
		None => 0,
	}
}

/// From which block on which price holds.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Point {
	/// The block.
	pub block: u32,
	/// The index at that block.
	pub index: u128,
	/// Credits per GB-hour from it on, with [`PRICE_BITS`] binary places.
	pub price: u128,
}

impl Point {
	/// The index at a block not before this one.
	pub const fn at(&self, block: u32) -> u128 {
		let blocks = block.saturating_sub(self.block) as u128;
		self.index.saturating_add(self.price.saturating_mul(blocks))
	}
}

/// The point in force at `block`: the last of `points`, which ascend, that is not after it. Before the
/// first, what is told of is not in force yet: the price is 0, at that point's index.
pub fn in_force(points: &[Point], block: u32) -> Point {
	let known = points.iter().rev().find(|point| point.block <= block);
	let before = Point {
		block,
		index: points.first().map_or(0, |first| first.index),
		price: 0,
	};
	known.copied().unwrap_or(before)
}

/// The index at `block`. Before the first point it is that point's.
pub fn index_at(points: &[Point], block: u32) -> u128 {
	in_force(points, block).at(block)
}

/// Units of something, and up to where they are charged.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Meter {
	/// Units held: bytes of storage.
	pub units: u64,
	/// The index up to which they are charged.
	pub index: u128,
	/// What the last division left: less than [`GB_HOUR`].
	pub rest: u128,
}

impl Meter {
	/// Charges up to `index` for all units but the `free` ones. Gives the credits; an index below the
	/// meter's charges nothing.
	pub fn advance(&mut self, index: u128, free: u64) -> u128 {
		let units = u128::from(self.units.saturating_sub(free));
		let step = index.saturating_sub(self.index);
		self.index = self.index.max(index);
		// Below 2^64 * 2^96 / 2^71 with prices up to the greatest.
		let (credits, rest) =
			mul_add_div(units, step, self.rest, GB_HOUR).unwrap_or((u128::MAX, 0));
		self.rest = rest;
		credits
	}

	/// What [`Self::advance`] would charge.
	pub fn owed(&self, index: u128, free: u64) -> u128 {
		let mut ahead = *self;
		ahead.advance(index, free)
	}
}

/// Credits for `bytes` moved at `price` per gigabyte, `rest` being what was left the last time.
pub fn once(bytes: u64, price: u128, rest: &mut u128) -> u128 {
	let (credits, left) =
		mul_add_div(bytes.into(), price, *rest, GB_ONCE).unwrap_or((u128::MAX, 0));
	*rest = left;
	credits
}

/// What `units` cost in `blocks` at `price`, rounded up. Saturates.
pub fn cost(units: u64, price: u128, blocks: u32) -> u128 {
	let Some(rate) = price.checked_mul(blocks.into()) else {
		return u128::MAX;
	};
	crate::mul_div_ceil(units.into(), rate, GB_HOUR).unwrap_or(u128::MAX)
}
