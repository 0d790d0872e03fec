//! Upper bounds of what the benchmarks of `pallet_rewards` cost, derived by hand; `scripts/weights.sh` writes
//! measured figures over this file.
//!
//! Each storage item touched is counted as one read or write of `DbWeight`, computation is estimated
//! generously, and the proof size is the sum of the items' greatest encoded lengths plus `TRIE_PATH`
//! bytes for the path to each.

use frame_support::weights::{RuntimeDbWeight, Weight};

/// Bytes allowed for the trie path of one item.
const TRIE_PATH: u64 = 3_000;
/// Decoding, checking and encoding around a call, in picoseconds.
const BASE: u64 = 40_000_000;
/// Computing and crediting one share, in picoseconds.
const SHARE: u64 = 4_000_000;
/// Nodes of a page.
const NODES: u64 = 128;
/// Those who stake with one validator, of a page.
const STAKERS: u64 = 512;
/// Greatest encoded length of an era's pool.
const ERA: u64 = 8_448;
/// Greatest encoded length of a page of the weights' pallet, rounded up.
const WEIGHTS: u64 = 16_384;
/// Greatest encoded length of what is read for one node, rounded up.
const NODE: u64 = 700;

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

/// `freeze`.
pub(crate) fn freeze(db: RuntimeDbWeight) -> Weight {
	// Reads: the settled era and its totals (three items), Frozen, OpenEras, the registry's end, two
	// pots, EgressTotal, OpenEgress. Writes: Frozen, OpenEras, two pots, two EraPools, EgressTotal,
	// OpenEgress, two events.
	bound(db, BASE, 11, 10, 2_048)
}

/// `payout_page`.
pub(crate) fn payout_page(db: RuntimeDbWeight) -> Weight {
	// Reads: EraPools, the weights' totals and page, OpenEras, the pot.
	// Writes: EraPools, OpenEras, the pot, two events.
	let fixed = bound(db, BASE, 6, 5, 2 * ERA + WEIGHTS + 1_024);
	// Reads: the node and its counter, Earned, what is bonded and must be (three items), and for egress
	// what it sent. Writes: Earned, an event, and for egress what it sent.
	let each = bound(db, SHARE, 7, 3, NODE);
	fixed.saturating_add(each.saturating_mul(NODES))
}

/// `close_era`.
pub(crate) fn close_era(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 4, ERA + 1_024)
}

/// `withdraw`.
pub(crate) fn withdraw(db: RuntimeDbWeight) -> Weight {
	// Reads: Earned, the node, what is bonded and must be, two accounts, Sums.
	// Writes: Earned, two accounts, Sums, an event.
	bound(db, BASE, 9, 5, NODE + 1_024)
}

/// `freeze_stakers`.
pub(crate) fn freeze_stakers(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 6, 5, 512)
}

/// `payout_validator`.
pub(crate) fn payout_validator(db: RuntimeDbWeight) -> Weight {
	// Reads: StakerEras, the points, the validator's exposure and commission, which pages are paid, the
	// page. Writes: StakerEras, which pages are paid, an event.
	let fixed = bound(db, BASE, 7, 3, 32_768);
	let each = bound(db, SHARE, 1, 1, 64);
	fixed.saturating_add(each.saturating_mul(STAKERS + 1))
}

/// `close_staker_era`.
pub(crate) fn close_staker_era(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 21 + 128, 5 + 128, 128 * 64 + 1_024)
}

/// `withdraw_stake`.
pub(crate) fn withdraw_stake(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 5, 512)
}

/// `pay_treasury`.
pub(crate) fn pay_treasury(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 5, 512)
}
