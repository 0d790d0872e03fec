//! What the benchmarks of `pallet_heartbeats` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `post_page`.
pub(crate) fn post_page(db: RuntimeDbWeight) -> Weight {
	part(db, 38_840_000, 0, 2, 1)
}

/// `authorize_post_page`.
pub(crate) fn authorize_post_page(db: RuntimeDbWeight) -> Weight {
	part(db, 158_156_000, 3_660, 5, 0)
}

/// `show_life`.
pub(crate) fn show_life(db: RuntimeDbWeight) -> Weight {
	part(db, 124_297_000, 9_215, 4, 1)
}

/// `authorize_show_life`.
pub(crate) fn authorize_show_life(db: RuntimeDbWeight) -> Weight {
	part(db, 174_087_000, 9_269, 5, 0)
}

/// `announce_absence`.
pub(crate) fn announce_absence(db: RuntimeDbWeight) -> Weight {
	part(db, 97_906_000, 9_056, 5, 2)
}

/// `end_absence`.
pub(crate) fn end_absence(db: RuntimeDbWeight) -> Weight {
	part(db, 78_458_000, 9_087, 4, 2)
}

/// `announce_endpoint`.
pub(crate) fn announce_endpoint(db: RuntimeDbWeight) -> Weight {
	part(db, 47_117_000, 3_275, 3, 1)
}

/// `authorize_announce_endpoint`.
pub(crate) fn authorize_announce_endpoint(db: RuntimeDbWeight) -> Weight {
	part(db, 76_123_000, 3_329, 3, 0)
}

/// `idle`.
pub(crate) fn idle(db: RuntimeDbWeight) -> Weight {
	part(db, 5_280_000, 58, 2, 0)
}

/// `open_window`.
pub(crate) fn open_window(db: RuntimeDbWeight) -> Weight {
	part(db, 60_623_000, 3_478, 7, 2)
}

/// `skip_window`.
pub(crate) fn skip_window(db: RuntimeDbWeight) -> Weight {
	part(db, 17_997_000, 69, 3, 1)
}

/// `settle_page`.
pub(crate) fn settle_page(db: RuntimeDbWeight, d: u32, t: u32) -> Weight {
	part(db, 144_477_781, 13_548, 17, 13)
		.saturating_add(part(db, 5_609_409, 1_007, 1, 1).saturating_mul(d.into()))
		.saturating_add(part(db, 2_129_809, 0, 0, 0).saturating_mul(t.into()))
}
