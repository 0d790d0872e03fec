//! Who gets a charge, and who gets a slash.

use crate::mul_div;

/// A charge, divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
	/// The miners of the service that was used.
	pub miners: u128,
	/// Validators and those who stake with them.
	pub validators: u128,
	/// The treasury.
	pub treasury: u128,
}

/// 60 % of `amount`, 30 %, and what is left: 10 % and at most 1 more.
///
/// Never to nearest: rounding 3.6, 1.8 and 0.6 so makes 7 of 6.
pub fn split(amount: u128) -> Split {
	let miners = percent(amount, 60);
	let validators = percent(amount, 30);
	Split {
		miners,
		validators,
		treasury: amount - miners - validators,
	}
}

/// A slash, divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlashSplit {
	/// Pays for repair.
	pub repair: u128,
	/// Who reported it.
	pub reporter: u128,
	/// The treasury.
	pub treasury: u128,
}

/// 50 % of `amount`, 20 %, and what is left.
pub fn slash_split(amount: u128) -> SlashSplit {
	let repair = percent(amount, 50);
	let reporter = percent(amount, 20);
	SlashSplit {
		repair,
		reporter,
		treasury: amount - repair - reporter,
	}
}

/// `percent` of `amount`, rounded down; `percent` is at most 100.
fn percent(amount: u128, percent: u128) -> u128 {
	// At most the whole, so it fits.
	mul_div(amount, percent, 100).unwrap_or(0)
}
