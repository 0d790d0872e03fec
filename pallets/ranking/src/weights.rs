//! Weights of the hooks.
//!
//! **These are not benchmark results.** They are upper bounds derived by hand: each storage item
//! touched is counted as one read or write of `DbWeight`, computation is estimated generously, and
//! the proof size is the sum of the items' greatest encoded lengths plus `TRIE_PATH` bytes for the
//! path to each. `benchmarking.rs` measures the same steps; its results will replace them.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, RuntimeDbWeight, Weight},
};

/// Bytes allowed for the trie path of one item.
const TRIE_PATH: u64 = 3_000;
/// Decoding, checking and encoding around a step, in picoseconds.
const BASE: u64 = 20_000_000;
/// Scoring one node, in picoseconds.
const SCORE: u64 = 3_000_000;
/// Finding who holds a placement group, in picoseconds: CRUSH over a decoded map.
const MAPPING: u64 = 4_000_000_000;
/// Nodes of a page.
const NODES: u64 = 256;
/// Slots of a placement group.
const SLOTS: u64 = 30;
/// Greatest encoded length of a page of scores, uptimes or entries, rounded up.
const PAGE: u64 = 16_384;
/// Greatest encoded length of what is read for one node, rounded up.
const NODE: u64 = 600;
/// Greatest encoded length of a cluster map.
const MAP: u64 = 131_072;

/// What each step may cost at most.
pub trait WeightInfo {
	/// A block in which nothing is due but to look.
	fn idle() -> Weight;
	/// Settling a page.
	fn settle_page() -> Weight;
	/// Sweeping `groups` placement groups.
	fn sweep(groups: u32) -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn idle(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, Closing, CurrentEra. Writes: Closing, CurrentEra.
	bound(db, BASE, 3, 2, 0)
}

fn settle_page(db: RuntimeDbWeight) -> Weight {
	// Reads: the registry's end and live numbers, Places, uptimes, Eras twice, Revision.
	// Writes: EraPages twice, Closing, Eras twice, Revision, Places, an event.
	let fixed = bound(db, BASE, 8, 8, 4 * PAGE);
	// Reads: Held, Records, and what stands behind the node: registry, its counter, a parameter.
	// Writes: Held, Records.
	let each = bound(db, SCORE, 5, 2, NODE);
	fixed.saturating_add(each.saturating_mul(NODES))
}

fn sweep(db: RuntimeDbWeight, groups: u32) -> Weight {
	// Reads: Sweeping, how many groups there are. Writes: Sweeping.
	let fixed = bound(db, BASE, 2, 1, 0);
	// Reads: the group's totals, its clean epoch, the epoch, the map, and Held of each slot.
	// Writes: Held of each slot.
	let each = bound(db, MAPPING, 4 + SLOTS, SLOTS, MAP);
	fixed.saturating_add(each.saturating_mul(groups.into()))
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn idle() -> Weight {
			idle($db)
		}
		fn settle_page() -> Weight {
			settle_page($db)
		}
		fn sweep(groups: u32) -> Weight {
			sweep($db, groups)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(RocksDbWeight::get());
}
