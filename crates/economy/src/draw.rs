//! Who gets an order: a few candidates are drawn evenly, and one of them by weight. So a draw costs the
//! same however many there are.

/// Which of `count` an even `lot` is; none of none.
pub fn place(lot: u64, count: u32) -> Option<u32> {
	// The upper bits: even but for one part in 2^32.
	(count > 0).then(|| ((u128::from(lot) * u128::from(count)) >> 64) as u32)
}

/// Which of these an even `lot` takes, each as often as it weighs. None where nothing weighs anything, or
/// all together do not fit into 128 bits.
pub fn pick(lot: u64, weights: &[u128]) -> Option<usize> {
	let total = weights
		.iter()
		.try_fold(0u128, |sum, weight| sum.checked_add(*weight))?;
	let mut at = crate::mul_div(lot.into(), total, 1 << 64)?;
	weights
		.iter()
		.position(|weight| match at.checked_sub(*weight) {
			Some(rest) => {
				at = rest;
				false
			}
			None => true,
		})
}
