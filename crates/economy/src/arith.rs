//! Products that need more than 128 bits on the way.

use primitive_types::U256;

/// `a * b / c`, rounded down. `None` if `c` is 0 or the result does not fit.
pub fn mul_div(a: u128, b: u128, c: u128) -> Option<u128> {
	mul_add_div(a, b, 0, c).map(|(quotient, _)| quotient)
}

/// `a * b / c`, rounded up. `None` if `c` is 0 or the result does not fit.
pub fn mul_div_ceil(a: u128, b: u128, c: u128) -> Option<u128> {
	let (quotient, rest) = mul_add_div(a, b, 0, c)?;
	quotient.checked_add(u128::from(rest > 0))
}

/// `(a * b + d) / c` and what is left. `None` if `c` is 0 or the quotient does not fit.
pub(crate) fn mul_add_div(a: u128, b: u128, d: u128, c: u128) -> Option<(u128, u128)> {
	if c == 0 {
		return None;
	}
	// (2^128 - 1)^2 + 2^128 - 1 < 2^256.
	let (quotient, rest) = (U256::from(a) * U256::from(b) + U256::from(d)).div_mod(U256::from(c));
	Some((quotient.try_into().ok()?, rest.low_u128()))
}
