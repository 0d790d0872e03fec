//! What the benchmarks of `pallet_orders` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `offer`.
pub(crate) fn offer(db: RuntimeDbWeight) -> Weight {
	part(db, 58_221_000, 2_031, 3, 2)
}

/// `request`.
pub(crate) fn request(db: RuntimeDbWeight) -> Weight {
	part(db, 55_685_000, 446, 5, 4)
}

/// `assign`.
pub(crate) fn assign(db: RuntimeDbWeight) -> Weight {
	part(db, 651_013_000, 10_231, 64, 3)
}

/// `accept`.
pub(crate) fn accept(db: RuntimeDbWeight) -> Weight {
	part(db, 104_661_000, 2_311, 8, 4)
}

/// `decline`.
pub(crate) fn decline(db: RuntimeDbWeight) -> Weight {
	part(db, 159_713_000, 2_741, 11, 18)
}

/// `set_running`.
pub(crate) fn set_running(db: RuntimeDbWeight) -> Weight {
	part(db, 134_873_000, 1_131, 7, 16)
}

/// `renew`.
pub(crate) fn renew(db: RuntimeDbWeight) -> Weight {
	part(db, 28_490_000, 592, 1, 1)
}

/// `cancel`.
pub(crate) fn cancel(db: RuntimeDbWeight) -> Weight {
	part(db, 158_190_000, 1_804, 11, 19)
}

/// `advance`.
pub(crate) fn advance(db: RuntimeDbWeight) -> Weight {
	part(db, 166_677_000, 2_741, 11, 18)
}
