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
	part(db, 5_449_518_781, 65_387, 109, 98)
		.saturating_add(part(db, 143_891_439, 401, 1, 0).saturating_mul(r.into()))
}

/// `release`.
pub(crate) fn release(db: RuntimeDbWeight, s: u32) -> Weight {
	part(db, 221_398_782, 642, 6, 3)
		.saturating_add(part(db, 7_443_607, 0, 0, 0).saturating_mul(s.into()))
}

/// `report_clean`.
pub(crate) fn report_clean(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 2_086_387_555, 28_438, 6, 0)
		.saturating_add(part(db, 332_870_192, 723, 5, 1).saturating_mul(g.into()))
}

/// `authorize_report_clean`.
pub(crate) fn authorize_report_clean(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 2_305_274_258, 28_379, 5, 0)
		.saturating_add(part(db, 287_650_431, 68, 4, 0).saturating_mul(g.into()))
}

/// `forget`.
pub(crate) fn forget(db: RuntimeDbWeight, r: u32) -> Weight {
	part(db, 66_777_600, 181, 3, 1)
		.saturating_add(part(db, 4_800_700, 56, 1, 1).saturating_mul(r.into()))
}

/// `tick`.
pub(crate) fn tick(db: RuntimeDbWeight) -> Weight {
	part(db, 50_028_000, 499, 5, 1)
}

/// `keep`.
pub(crate) fn keep(db: RuntimeDbWeight, g: u32) -> Weight {
	part(db, 111_516_000, 8_874, 3, 1)
		.saturating_add(part(db, 4_197_055_666, 26_335, 3, 3).saturating_mul(g.into()))
}
