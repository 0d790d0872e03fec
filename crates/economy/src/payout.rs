//! What an era pays.

use crate::mul_div;

/// The part of `pool` that `weight` of `total` gets, rounded down; never more than the pool, and
/// nothing if nobody has any weight.
pub fn share(pool: u128, weight: u128, total: u128) -> u128 {
	mul_div(pool, weight.min(total), total).unwrap_or(0)
}

/// What of `pool` is left for the next era after `paid`.
pub fn carry(pool: u128, paid: u128) -> u128 {
	pool.saturating_sub(paid)
}
