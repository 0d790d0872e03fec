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
	part(db, 179_461_247, 1_915, 5, 0)
		.saturating_add(part(db, 39_172_353, 1_456, 3, 0).saturating_mul(i.into()))
}

/// `check_proofs`.
pub(crate) fn check_proofs(db: RuntimeDbWeight, p: u32) -> Weight {
	part(db, 16_089_764, 0, 0, 0)
		.saturating_add(part(db, 15_374_080, 0, 0, 0).saturating_mul(p.into()))
}

/// `answer_draws`.
pub(crate) fn answer_draws(db: RuntimeDbWeight, i: u32) -> Weight {
	part(db, 95_691_363, 2_483, 6, 2)
		.saturating_add(part(db, 30_622_278, 1_408, 2, 1).saturating_mul(i.into()))
}

/// `answer_tasks`.
pub(crate) fn answer_tasks(db: RuntimeDbWeight, t: u32) -> Weight {
	part(db, 57_967_833, 3_713, 7, 4)
		.saturating_add(part(db, 77_483_066, 0, 0, 0).saturating_mul(t.into()))
}

/// `challenge`.
pub(crate) fn challenge(db: RuntimeDbWeight) -> Weight {
	part(db, 4_049_582_000, 64_419, 24, 3)
}

/// `set_rules`.
pub(crate) fn set_rules(db: RuntimeDbWeight) -> Weight {
	part(db, 36_290_000, 149, 2, 2)
}

/// `idle_block`.
pub(crate) fn idle_block(db: RuntimeDbWeight) -> Weight {
	part(db, 31_581_000, 547, 5, 3)
}

/// `empty_block`.
pub(crate) fn empty_block(db: RuntimeDbWeight) -> Weight {
	part(db, 121_371_000, 934, 17, 5)
}

/// `draw_bytes`.
pub(crate) fn draw_bytes(db: RuntimeDbWeight, d: u32) -> Weight {
	part(db, 2_087_173_266, 23_927, 14, 1)
		.saturating_add(part(db, 501_658_183, 2_470, 4, 0).saturating_mul(d.into()))
}

/// `draw_looks`.
pub(crate) fn draw_looks(db: RuntimeDbWeight, l: u32) -> Weight {
	part(db, 1_970_955_666, 21_828, 7, 0)
		.saturating_add(part(db, 1_746_826_366, 13_107, 38, 1).saturating_mul(l.into()))
}

/// `sweep`.
pub(crate) fn sweep(db: RuntimeDbWeight, d: u32) -> Weight {
	part(db, 49_874_662, 1_456, 9, 5)
		.saturating_add(part(db, 6_253_819, 224, 1, 0).saturating_mul(d.into()))
}

/// `visit`.
pub(crate) fn visit(db: RuntimeDbWeight, v: u32) -> Weight {
	part(db, 37_496_733, 3_604, 4, 1)
		.saturating_add(part(db, 40_454_966, 2_752, 3, 1).saturating_mul(v.into()))
}

/// `book`.
pub(crate) fn book(db: RuntimeDbWeight, m: u32) -> Weight {
	part(db, 26_618_800, 1_348, 4, 2)
		.saturating_add(part(db, 282_634_250, 2_114, 6, 5).saturating_mul(m.into()))
}
