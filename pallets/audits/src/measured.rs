//! What the benchmarks of `pallet_audits` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `authorize_answer`.
pub(crate) fn authorize_answer(db: RuntimeDbWeight, i: u32) -> Weight {
	part(db, 187_470_128, 1_911, 5, 0)
		.saturating_add(part(db, 46_951_969, 1_456, 3, 0).saturating_mul(i.into()))
}

/// `check_proofs`.
pub(crate) fn check_proofs(db: RuntimeDbWeight, p: u32) -> Weight {
	part(db, 5_919_790, 0, 0, 0)
		.saturating_add(part(db, 19_693_630, 0, 0, 0).saturating_mul(p.into()))
}

/// `answer_draws`.
pub(crate) fn answer_draws(db: RuntimeDbWeight, i: u32) -> Weight {
	part(db, 119_821_585, 2_479, 6, 2)
		.saturating_add(part(db, 39_900_146, 1_408, 2, 1).saturating_mul(i.into()))
}

/// `answer_tasks`.
pub(crate) fn answer_tasks(db: RuntimeDbWeight, t: u32) -> Weight {
	part(db, 103_760_333, 3_709, 7, 4)
		.saturating_add(part(db, 83_342_066, 0, 0, 0).saturating_mul(t.into()))
}

/// `challenge`.
pub(crate) fn challenge(db: RuntimeDbWeight) -> Weight {
	part(db, 4_344_317_000, 63_391, 24, 3)
}

/// `set_rules`.
pub(crate) fn set_rules(db: RuntimeDbWeight) -> Weight {
	part(db, 43_000_000, 145, 2, 2)
}

/// `idle_block`.
pub(crate) fn idle_block(db: RuntimeDbWeight) -> Weight {
	part(db, 35_143_000, 543, 5, 3)
}

/// `empty_block`.
pub(crate) fn empty_block(db: RuntimeDbWeight) -> Weight {
	part(db, 137_298_000, 930, 16, 5)
}

/// `draw_bytes`.
pub(crate) fn draw_bytes(db: RuntimeDbWeight, d: u32) -> Weight {
	part(db, 2_429_487_866, 23_927, 14, 1)
		.saturating_add(part(db, 560_614_277, 2_470, 4, 0).saturating_mul(d.into()))
}

/// `draw_looks`.
pub(crate) fn draw_looks(db: RuntimeDbWeight, l: u32) -> Weight {
	part(db, 2_321_206_666, 21_828, 7, 0)
		.saturating_add(part(db, 1_823_989_600, 13_107, 38, 1).saturating_mul(l.into()))
}

/// `sweep`.
pub(crate) fn sweep(db: RuntimeDbWeight, d: u32) -> Weight {
	part(db, 62_812_863, 1_456, 8, 5)
		.saturating_add(part(db, 7_030_868, 224, 1, 0).saturating_mul(d.into()))
}

/// `visit`.
pub(crate) fn visit(db: RuntimeDbWeight, v: u32) -> Weight {
	part(db, 42_668_466, 3_194, 4, 1)
		.saturating_add(part(db, 52_320_083, 2_650, 3, 1).saturating_mul(v.into()))
}

/// `book`.
pub(crate) fn book(db: RuntimeDbWeight, m: u32) -> Weight {
	part(db, 109_771_400, 1_348, 4, 2)
		.saturating_add(part(db, 345_299_429, 2_114, 6, 5).saturating_mul(m.into()))
}
