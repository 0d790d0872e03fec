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
	part(db, 119_598_207, 1_841, 5, 0)
		.saturating_add(part(db, 36_581_760, 1_456, 3, 0).saturating_mul(i.into()))
}

/// `check_proofs`.
pub(crate) fn check_proofs(db: RuntimeDbWeight, p: u32) -> Weight {
	part(db, 9_514_195, 0, 0, 0)
		.saturating_add(part(db, 15_036_321, 0, 0, 0).saturating_mul(p.into()))
}

/// `answer_draws`.
pub(crate) fn answer_draws(db: RuntimeDbWeight, i: u32) -> Weight {
	part(db, 83_341_428, 2_445, 6, 2)
		.saturating_add(part(db, 27_922_628, 1_408, 2, 1).saturating_mul(i.into()))
}

/// `answer_tasks`.
pub(crate) fn answer_tasks(db: RuntimeDbWeight, t: u32) -> Weight {
	part(db, 59_592_000, 3_606, 7, 4)
		.saturating_add(part(db, 63_454_600, 0, 0, 0).saturating_mul(t.into()))
}

/// `challenge`.
pub(crate) fn challenge(db: RuntimeDbWeight) -> Weight {
	part(db, 3_686_547_000, 63_321, 24, 3)
}

/// `set_rules`.
pub(crate) fn set_rules(db: RuntimeDbWeight) -> Weight {
	part(db, 25_500_000, 145, 2, 2)
}

/// `idle_block`.
pub(crate) fn idle_block(db: RuntimeDbWeight) -> Weight {
	part(db, 27_676_000, 543, 5, 3)
}

/// `empty_block`.
pub(crate) fn empty_block(db: RuntimeDbWeight) -> Weight {
	part(db, 121_603_000, 860, 16, 5)
}

/// `draw_bytes`.
pub(crate) fn draw_bytes(db: RuntimeDbWeight, d: u32) -> Weight {
	part(db, 1_894_725_533, 23_886, 14, 1)
		.saturating_add(part(db, 490_104_577, 2_435, 4, 0).saturating_mul(d.into()))
}

/// `draw_looks`.
pub(crate) fn draw_looks(db: RuntimeDbWeight, l: u32) -> Weight {
	part(db, 1_684_745_400, 21_823, 7, 0)
		.saturating_add(part(db, 1_634_895_600, 13_038, 38, 1).saturating_mul(l.into()))
}

/// `sweep`.
pub(crate) fn sweep(db: RuntimeDbWeight, d: u32) -> Weight {
	part(db, 37_464_954, 1_448, 8, 5)
		.saturating_add(part(db, 6_133_932, 188, 1, 0).saturating_mul(d.into()))
}

/// `visit`.
pub(crate) fn visit(db: RuntimeDbWeight, v: u32) -> Weight {
	part(db, 39_797_533, 3_194, 4, 1)
		.saturating_add(part(db, 41_957_400, 2_614, 3, 1).saturating_mul(v.into()))
}

/// `book`.
pub(crate) fn book(db: RuntimeDbWeight, m: u32) -> Weight {
	part(db, 26_266_066, 1_263, 4, 2)
		.saturating_add(part(db, 270_004_062, 2_069, 5, 5).saturating_mul(m.into()))
}
