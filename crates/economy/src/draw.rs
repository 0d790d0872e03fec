//! Who gets an order: a weighted draw that looks at a few candidates only. One of all is drawn evenly and
//! taken with the chance of its weight over the greatest; else another is drawn. So each is taken as often as
//! it weighs, whatever the others' number.

/// The whole of a score.
const ONE: u64 = 1 << 30;

/// Which of `count` an even `lot` is; none of none.
pub fn place(lot: u64, count: u32) -> Option<u32> {
	// The upper bits: even but for one part in 2^32.
	(count > 0).then(|| ((u128::from(lot) * u128::from(count)) >> 64) as u32)
}

/// Whether an even `lot` takes who has this score (2^30 for the full one) and `free` of at most `greatest`
/// free units.
pub fn accepted(lot: u64, score: u32, free: u64, greatest: u64) -> bool {
	let score = u64::from(score).min(ONE);
	let free = free.min(greatest.max(1));
	let chance = u128::from(score) * u128::from(free);
	let whole = u128::from(ONE) * u128::from(greatest.max(1));
	// lot / 2^64 < chance / whole, in 256 bits.
	match crate::mul_div(chance, 1 << 64, whole) {
		Some(threshold) => u128::from(lot) < threshold,
		None => false,
	}
}
