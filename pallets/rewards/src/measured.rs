//! What the benchmarks of `pallet_rewards` cost. **Written by `scripts/weights.sh`; do not edit.**
//!
//! Measured in the runtime's wasm on Intel(R) Xeon(R) Processor, 8 steps, 8 repeats: time by least squares
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
	part(db, 122_989_000, 784, 9, 8)
}

/// `payout_page`.
pub(crate) fn payout_page(db: RuntimeDbWeight) -> Weight {
	part(db, 2_705_672_000, 44_953, 263, 131)
}

/// `payout_egress_page`: not measured yet, as `payout_page` with an item more of each node, which is removed.
pub(crate) fn payout_egress_page(db: RuntimeDbWeight) -> Weight {
	part(db, 4_000_000_000, 60_000, 391, 259)
}

/// `payout_ordered_page`: not measured yet, as `payout_page` with two items more of each node.
pub(crate) fn payout_ordered_page(db: RuntimeDbWeight) -> Weight {
	part(db, 4_000_000_000, 80_000, 519, 131)
}

/// `close_era`.
pub(crate) fn close_era(db: RuntimeDbWeight) -> Weight {
	part(db, 77_224_000, 666, 4, 3)
}

/// `withdraw`.
pub(crate) fn withdraw(db: RuntimeDbWeight) -> Weight {
	part(db, 146_927_000, 2_531, 7, 4)
}

/// `freeze_stakers`.
pub(crate) fn freeze_stakers(db: RuntimeDbWeight) -> Weight {
	part(db, 102_293_000, 4_489, 6, 4)
}

/// `payout_validator`.
pub(crate) fn payout_validator(db: RuntimeDbWeight) -> Weight {
	part(db, 1_832_845_000, 23_803, 520, 515)
}

/// `close_staker_era`.
pub(crate) fn close_staker_era(db: RuntimeDbWeight) -> Weight {
	part(db, 255_042_000, 8_762, 133, 131)
}

/// `withdraw_stake`.
pub(crate) fn withdraw_stake(db: RuntimeDbWeight) -> Weight {
	part(db, 132_811_000, 1_727, 4, 4)
}

/// `pay_treasury`.
pub(crate) fn pay_treasury(db: RuntimeDbWeight) -> Weight {
	part(db, 118_978_000, 733, 4, 4)
}
