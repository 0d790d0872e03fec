//! What the benchmarks of `pallet_marketplace` cost. **Written by `scripts/weights.sh`; do not edit.**
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

/// `deposit`.
pub(crate) fn deposit(db: RuntimeDbWeight) -> Weight {
	part(db, 2_450_318_000, 10_005, 53, 46)
}

/// `refund`.
pub(crate) fn refund(db: RuntimeDbWeight) -> Weight {
	part(db, 2_440_494_000, 10_010, 51, 45)
}

/// `redeem`.
pub(crate) fn redeem(db: RuntimeDbWeight) -> Weight {
	part(db, 2_796_369_000, 10_145, 60, 48)
}

/// `mature`.
pub(crate) fn mature(db: RuntimeDbWeight) -> Weight {
	part(db, 419_515_000, 6_446, 16, 15)
}

/// `chargeback`.
pub(crate) fn chargeback(db: RuntimeDbWeight) -> Weight {
	part(db, 2_617_285_000, 10_360, 58, 47)
}

/// `repay`.
pub(crate) fn repay(db: RuntimeDbWeight) -> Weight {
	part(db, 2_415_381_000, 10_220, 53, 47)
}

/// `settle`.
pub(crate) fn settle(db: RuntimeDbWeight) -> Weight {
	part(db, 2_363_244_000, 10_067, 51, 45)
}

/// `authorize_gateway`.
pub(crate) fn authorize_gateway(db: RuntimeDbWeight) -> Weight {
	part(db, 44_102_000, 5_103, 1, 1)
}

/// `revoke_gateway`.
pub(crate) fn revoke_gateway(db: RuntimeDbWeight) -> Weight {
	part(db, 79_502_000, 6_577, 6, 1)
}

/// `post_egress`.
pub(crate) fn post_egress(db: RuntimeDbWeight, r: u32) -> Weight {
	part(db, 965_777_400, 4_356, 25, 19)
		.saturating_add(part(db, 198_674_825, 268, 1, 1).saturating_mul(r.into()))
}

/// `subscribe`.
pub(crate) fn subscribe(db: RuntimeDbWeight) -> Weight {
	part(db, 2_431_112_000, 10_204, 52, 45)
}

/// `unsubscribe`.
pub(crate) fn unsubscribe(db: RuntimeDbWeight) -> Weight {
	part(db, 2_369_590_000, 10_067, 51, 45)
}

/// `set_alpha_price`.
pub(crate) fn set_alpha_price(db: RuntimeDbWeight) -> Weight {
	part(db, 15_084_000, 311, 2, 1)
}

/// `force_alpha_price`.
pub(crate) fn force_alpha_price(db: RuntimeDbWeight) -> Weight {
	part(db, 14_010_000, 311, 2, 1)
}

/// `set_price`.
pub(crate) fn set_price(db: RuntimeDbWeight) -> Weight {
	part(db, 20_216_000, 1_565, 2, 1)
}

/// `set_plan`.
pub(crate) fn set_plan(db: RuntimeDbWeight) -> Weight {
	part(db, 18_752_000, 174, 1, 1)
}

/// `set_payment_keys`.
pub(crate) fn set_payment_keys(db: RuntimeDbWeight) -> Weight {
	part(db, 37_833_000, 252, 4, 4)
}

/// `forget_receipts`.
pub(crate) fn forget_receipts(db: RuntimeDbWeight) -> Weight {
	part(db, 43_861_000, 1_744, 35, 33)
}
