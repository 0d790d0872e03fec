//! Prepaid periods.

use crate::mul_div;

/// What of `price` is used up after `elapsed` of `period`, rounded down; all of it from the end on.
/// Cumulative: charge the difference to what was charged before, and the steps add up to the price.
pub fn used(price: u128, elapsed: u32, period: u32) -> u128 {
	if elapsed >= period {
		return price;
	}
	mul_div(price, elapsed.into(), period.into()).unwrap_or(price)
}
