//! What the benchmarks of `pallet_placement_groups` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `append`.
pub(crate) fn append(db: RuntimeDbWeight, r: u32) -> Weight {
	part(db, 4_982_305_073, 59_652, 43, 34)
		.saturating_add(part(db, 21_649_616, 365, 1, 0).saturating_mul(r.into()))
}

/// `release`.
pub(crate) fn release(db: RuntimeDbWeight, s: u32) -> Weight {
	part(db, 167_251_583, 465, 3, 2)
		.saturating_add(part(db, 4_141_019, 0, 0, 0).saturating_mul(s.into()))
}

/// `report_clean`.
pub(crate) fn report_clean(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 1_910_389_895, 28_368, 6, 0)
		.saturating_add(part(db, 271_000_240, 687, 5, 1).saturating_mul(g.into()))
}

/// `authorize_report_clean`.
pub(crate) fn authorize_report_clean(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 1_826_207_944, 28_309, 5, 0)
		.saturating_add(part(db, 248_654_307, 68, 4, 0).saturating_mul(g.into()))
}

/// `forget`.
pub(crate) fn forget(db: RuntimeDbWeight, r: u32) -> Weight {
	part(db, 52_219_466, 147, 3, 1)
		.saturating_add(part(db, 2_537_841, 56, 1, 1).saturating_mul(r.into()))
}

/// `tick`.
pub(crate) fn tick(db: RuntimeDbWeight) -> Weight {
	part(db, 33_156_000, 465, 5, 1)
}

/// `keep`.
pub(crate) fn keep(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 34_225_055, 8_840, 3, 1)
		.saturating_add(part(db, 3_475_678_500, 26_335, 3, 3).saturating_mul(g.into()))
}
