//! Weights of calls and hooks.
//!
//! **These are not benchmark results.** They are upper bounds derived by hand: each storage item
//! touched is counted as one read or write of `DbWeight`, computation is estimated generously, and
//! the proof size is the sum of the items' greatest encoded lengths plus `TRIE_PATH` bytes for the
//! path to each. `benchmarking.rs` measures the same calls; its results will replace them.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, RuntimeDbWeight, Weight},
};

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

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `freeze`.
	fn freeze() -> Weight;
	/// Weight of `payout_page`.
	fn payout_page() -> Weight;
	/// Weight of `close_era`.
	fn close_era() -> Weight;
	/// Weight of `withdraw`.
	fn withdraw() -> Weight;
	/// Weight of `freeze_stakers`.
	fn freeze_stakers() -> Weight;
	/// Weight of `payout_validator`.
	fn payout_validator() -> Weight;
	/// Weight of `close_staker_era`.
	fn close_staker_era() -> Weight;
	/// Weight of `withdraw_stake`.
	fn withdraw_stake() -> Weight;
	/// Weight of `pay_treasury`.
	fn pay_treasury() -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn freeze(db: RuntimeDbWeight) -> Weight {
	// Reads: the settled era and its totals (three items), Frozen, OpenEras, the registry's end, two
	// pots, EgressTotal, OpenEgress. Writes: Frozen, OpenEras, two pots, two EraPools, EgressTotal,
	// OpenEgress, two events.
	bound(db, BASE, 11, 10, 2_048)
}

fn payout_page(db: RuntimeDbWeight) -> Weight {
	// Reads: EraPools, the weights' totals and page, OpenEras, the pot.
	// Writes: EraPools, OpenEras, the pot, two events.
	let fixed = bound(db, BASE, 6, 5, 2 * ERA + WEIGHTS + 1_024);
	// Reads: the node and its counter, Earned, what is bonded and must be (three items), and for egress
	// what it sent. Writes: Earned, an event, and for egress what it sent.
	let each = bound(db, SHARE, 7, 3, NODE);
	fixed.saturating_add(each.saturating_mul(NODES))
}

fn close_era(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 4, ERA + 1_024)
}

fn withdraw(db: RuntimeDbWeight) -> Weight {
	// Reads: Earned, the node, what is bonded and must be, two accounts, Sums.
	// Writes: Earned, two accounts, Sums, an event.
	bound(db, BASE, 9, 5, NODE + 1_024)
}

fn freeze_stakers(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 6, 5, 512)
}

fn payout_validator(db: RuntimeDbWeight) -> Weight {
	// Reads: StakerEras, the points, the validator's exposure and commission, which pages are paid, the
	// page. Writes: StakerEras, which pages are paid, an event.
	let fixed = bound(db, BASE, 7, 3, 32_768);
	let each = bound(db, SHARE, 1, 1, 64);
	fixed.saturating_add(each.saturating_mul(STAKERS + 1))
}

fn close_staker_era(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 21 + 128, 5 + 128, 128 * 64 + 1_024)
}

fn withdraw_stake(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 5, 512)
}

fn pay_treasury(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 5, 512)
}

macro_rules! calls {
	($db:expr) => {
		calls!($db; freeze payout_page close_era withdraw freeze_stakers payout_validator
			close_staker_era withdraw_stake pay_treasury);
	};
	($db:expr; $($call:ident)*) => {
		$(fn $call() -> Weight {
			$call($db)
		})*
	};
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	calls!(T::DbWeight::get());
}

impl WeightInfo for () {
	calls!(RocksDbWeight::get());
}
