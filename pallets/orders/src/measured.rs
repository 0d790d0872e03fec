//! What the benchmarks of `pallet_orders` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `offer`.
pub(crate) fn offer(db: RuntimeDbWeight) -> Weight {
	part(db, 102_051_000, 6_864, 3, 2)
}

/// `request`.
pub(crate) fn request(db: RuntimeDbWeight) -> Weight {
	part(db, 100_304_000, 2_697, 8, 5)
}

/// `assign`.
pub(crate) fn assign(db: RuntimeDbWeight) -> Weight {
	part(db, 803_009_000, 35_455, 81, 5)
}

/// `accept`.
pub(crate) fn accept(db: RuntimeDbWeight) -> Weight {
	part(db, 84_512_000, 2_346, 8, 6)
}

/// `decline`.
pub(crate) fn decline(db: RuntimeDbWeight) -> Weight {
	part(db, 142_063_000, 4_864, 13, 18)
}

/// `set_running`.
pub(crate) fn set_running(db: RuntimeDbWeight) -> Weight {
	part(db, 115_880_000, 1_129, 7, 16)
}

/// `renew`.
pub(crate) fn renew(db: RuntimeDbWeight) -> Weight {
	part(db, 33_080_000, 590, 1, 3)
}

/// `cancel`.
pub(crate) fn cancel(db: RuntimeDbWeight) -> Weight {
	part(db, 129_300_000, 1_836, 10, 19)
}

/// `advance`.
pub(crate) fn advance(db: RuntimeDbWeight) -> Weight {
	part(db, 148_774_000, 4_864, 13, 18)
}
