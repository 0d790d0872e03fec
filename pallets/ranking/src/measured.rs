//! What the benchmarks of `pallet_ranking` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `idle`.
pub(crate) fn idle(db: RuntimeDbWeight) -> Weight {
	part(db, 10_006_000, 140, 4, 2)
}

/// `settle_page`.
pub(crate) fn settle_page(db: RuntimeDbWeight) -> Weight {
	part(db, 4_546_239_000, 78_605, 775, 519)
}

/// `sweep`.
pub(crate) fn sweep(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 51_910_000, 4_217, 12, 4)
		.saturating_add(part(db, 886_538_900, 1_885, 60, 26).saturating_mul(g.into()))
}
