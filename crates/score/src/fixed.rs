//! Shares of one in 30 bits.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A share: 0 to [`ONE`].
pub type Q30 = u32;
/// The whole.
pub const ONE: Q30 = 1 << 30;

/// `numerator / denominator` of one, at most [`ONE`], rounded down.
pub const fn share(numerator: u32, denominator: u32) -> Q30 {
	if numerator >= denominator {
		return ONE;
	}
	((numerator as u64 * ONE as u64) / denominator as u64) as Q30
}

/// The product of two shares.
pub const fn mul(a: Q30, b: Q30) -> Q30 {
	((a as u64 * b as u64) >> 30) as Q30
}

/// 0 up to `low`, [`ONE`] from `high` on, straight between.
pub const fn ramp(x: Q30, low: Q30, high: Q30) -> Q30 {
	if x <= low {
		0
	} else if x >= high {
		ONE
	} else {
		share(x - low, high - low)
	}
}

/// `part / whole`, at most [`ONE`], exact for any amounts: one bit per step, so that nothing can
/// overflow. The whole of nothing is covered by anything but nothing.
pub const fn cover(part: u128, whole: u128) -> Q30 {
	if part == 0 {
		return 0;
	}
	if part >= whole {
		return ONE;
	}
	let (mut rest, mut quotient, mut bit) = (part, 0, 0);
	while bit < 30 {
		quotient <<= 1;
		// Is twice the rest at least the whole?
		if rest >= whole - rest {
			rest -= whole - rest;
			quotient |= 1;
		} else {
			rest += rest;
		}
		bit += 1;
	}
	quotient
}

/// So many good ones of so many counted.
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
pub struct Ratio {
	/// The good ones.
	pub good: u32,
	/// All that were counted.
	pub counted: u32,
}

impl Ratio {
	/// As a share; [`ONE`] if nothing was counted.
	pub const fn share(self) -> Q30 {
		if self.counted == 0 {
			ONE
		} else {
			share(self.good, self.counted)
		}
	}
}
