//! The price of alpha: how fast it may move, and how long it counts.

use crate::mul_div;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// An hour in ms.
pub const HOUR_MS: u64 = 3_600_000;
/// How far a price may move per hour, in millionths.
pub const MAX_PPM_PER_HOUR: u128 = 50_000;
const PPM: u128 = 1_000_000;

/// A price and when it was told.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Oracle {
	/// Credits per alpha; not 0.
	pub price: u128,
	/// Unix time in ms.
	pub updated: u64,
	/// What the price was when the running hour began: from it deviations are counted.
	pub anchor: u128,
	/// When that was.
	pub anchored: u64,
}

/// Why a price is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(thiserror::Error))]
pub enum PriceError {
	/// A price of nothing.
	#[cfg_attr(feature = "std", error("the price must not be zero"))]
	Zero,
	/// It moves too far.
	#[cfg_attr(
		feature = "std",
		error("a price may move by at most 5 % within an hour")
	)]
	Deviation,
	/// It is too old.
	#[cfg_attr(
		feature = "std",
		error("the price is older than an hour: wait for the next")
	)]
	Stale,
}

impl Oracle {
	/// A price to begin with.
	pub const fn new(price: u128, now: u64) -> Self {
		Self {
			price,
			updated: now,
			anchor: price,
			anchored: now,
		}
	}

	/// The price moved to `price`. Within the hour that began with the anchor it may move by 5 % of
	/// the anchor; when that is over, the price in force is the next anchor. So however often it is
	/// told, it moves by at most 5 % in an hour of its own, and from its end again.
	pub fn moved(&self, price: u128, now: u64) -> Result<Self, PriceError> {
		if price == 0 {
			return Err(PriceError::Zero);
		}
		let mut next = *self;
		if now.saturating_sub(self.anchored) >= HOUR_MS {
			next.anchor = self.price;
			next.anchored = now;
		}
		let most = mul_div(next.anchor, MAX_PPM_PER_HOUR, PPM).unwrap_or(0);
		if price.abs_diff(next.anchor) > most {
			return Err(PriceError::Deviation);
		}
		next.price = price;
		next.updated = now;
		Ok(next)
	}

	/// The price, if it is at most an hour old.
	pub fn fresh(&self, now: u64) -> Result<u128, PriceError> {
		match now.saturating_sub(self.updated) <= HOUR_MS {
			true => Ok(self.price),
			false => Err(PriceError::Stale),
		}
	}
}
