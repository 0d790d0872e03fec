//! What the benchmarks of `pallet_rewards` cost. **Written by `scripts/weights.sh`; do not edit.**
//!
//! Measured in the runtime's wasm on Intel(R) Xeon(R) Processor, 5 steps, 5 repeats: time by least squares
//! over the faster half, storage as counted, proofs as recorded and with [`PATH`] for each read.

use frame_support::weights::{RuntimeDbWeight, Weight};

/// Bytes of the path to an item in a state that is much larger than the benchmarks'.
const PATH: u64 = 2_000;

/// Picoseconds, bytes of proof, reads and writes.
fn part(db: RuntimeDbWeight, time: u64, proof: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(time, proof.saturating_add(PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

/// `freeze`.
pub(crate) fn freeze(db: RuntimeDbWeight) -> Weight {
	part(db, 116_282_000, 784, 9, 8)
}

/// `payout_page`.
pub(crate) fn payout_page(db: RuntimeDbWeight) -> Weight {
	part(db, 2_071_161_000, 44_953, 263, 131)
}

/// `payout_egress_page`.
pub(crate) fn payout_egress_page(db: RuntimeDbWeight) -> Weight {
	part(db, 2_555_250_000, 38_566, 389, 259)
}

/// `payout_ordered_page`.
pub(crate) fn payout_ordered_page(db: RuntimeDbWeight) -> Weight {
	part(db, 3_242_076_000, 52_368, 520, 131)
}

/// `close_era`.
pub(crate) fn close_era(db: RuntimeDbWeight) -> Weight {
	part(db, 74_343_000, 666, 4, 3)
}

/// `withdraw`.
pub(crate) fn withdraw(db: RuntimeDbWeight) -> Weight {
	part(db, 153_220_000, 2_531, 7, 4)
}

/// `freeze_stakers`.
pub(crate) fn freeze_stakers(db: RuntimeDbWeight) -> Weight {
	part(db, 99_867_000, 4_489, 6, 4)
}

/// `payout_validator`.
pub(crate) fn payout_validator(db: RuntimeDbWeight) -> Weight {
	part(db, 1_495_218_000, 23_803, 520, 515)
}

/// `close_staker_era`.
pub(crate) fn close_staker_era(db: RuntimeDbWeight) -> Weight {
	part(db, 238_843_000, 8_762, 133, 131)
}

/// `withdraw_stake`.
pub(crate) fn withdraw_stake(db: RuntimeDbWeight) -> Weight {
	part(db, 128_546_000, 1_727, 4, 4)
}

/// `pay_treasury`.
pub(crate) fn pay_treasury(db: RuntimeDbWeight) -> Weight {
	part(db, 110_826_000, 733, 4, 4)
}
