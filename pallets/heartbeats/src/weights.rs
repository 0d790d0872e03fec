//! Weights of the calls and hooks.
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
/// Verifying one signature, in picoseconds.
const VERIFY: u64 = 150_000_000;
/// Hashing one validator's key in the draw of collectors, in picoseconds.
const DRAW: u64 = 1_500_000;
/// Most validators drawn from; a report's weight does not say how many there are.
const VALIDATORS: u64 = 128;
/// Greatest encoded length of a window's validators, rounded up.
const WINDOW: u64 = 8_192;
/// Greatest encoded length of a page's state, rounded up.
const PAGE: u64 = 12_288;
/// Greatest encoded length of a report or a day.
const ROW: u64 = 1_200;
/// Greatest encoded length of a registry entry, rounded up.
const NODE: u64 = 512;
/// Greatest encoded length of a collector's endpoint and key, rounded up.
const ENDPOINT: u64 = 512;
/// Sorting the reports of one node and counting its window, 256 times, in picoseconds.
const JUDGE: u64 = 256 * 700_000;

/// What each step may cost at most.
pub trait WeightInfo {
	/// Weight of `post_page`.
	fn post_page() -> Weight;
	/// Weight of authorizing `post_page`.
	fn authorize_post_page() -> Weight;
	/// Weight of `show_life`.
	fn show_life() -> Weight;
	/// Weight of authorizing `show_life`.
	fn authorize_show_life() -> Weight;
	/// Weight of `announce_absence`.
	fn announce_absence() -> Weight;
	/// Weight of `end_absence`.
	fn end_absence() -> Weight;
	/// Weight of `announce_endpoint`.
	fn announce_endpoint() -> Weight;
	/// Weight of authorizing `announce_endpoint`.
	fn authorize_announce_endpoint() -> Weight;
	/// A block in which nothing is due.
	fn idle() -> Weight;
	/// Opening a window with `validators`.
	fn open_window(validators: u32) -> Weight;
	/// Passing over windows that were never opened.
	fn skip_window() -> Weight;
	/// Settling a page of a window with `validators`.
	fn settle_page(validators: u32) -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn post_page(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, the registry's end, Windows, Reports. Writes: Reports.
	bound(db, BASE + DRAW * VALIDATORS, 4, 1, WINDOW + ROW)
}

fn authorize_post_page(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, the registry's end, Windows, Reports, BlockHash.
	bound(db, BASE + VERIFY + DRAW * VALIDATORS, 5, 0, WINDOW + ROW)
}

fn show_life(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, Windows, the node and the registry's counter, Pages, OutRevision.
	// Writes: Pages, OutRevision.
	bound(db, 2 * BASE, 6, 2, WINDOW + PAGE + NODE)
}

fn authorize_show_life(db: RuntimeDbWeight) -> Weight {
	// Reads: as above and BlockHash. Two keys may be tried.
	bound(db, BASE + 2 * VERIFY, 6, 0, WINDOW + PAGE + NODE)
}

fn absence(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, the node and the registry's counter, Pages, Absences. Writes: Pages, Absences.
	bound(db, 2 * BASE, 5, 2, PAGE + NODE)
}

fn announce_endpoint(db: RuntimeDbWeight) -> Weight {
	// Reads: Endpoints, the validators' keys. Writes: Endpoints, an event.
	bound(db, BASE, 2, 2, ENDPOINT + WINDOW)
}

fn authorize_announce_endpoint(db: RuntimeDbWeight) -> Weight {
	// Reads: as above and BlockHash.
	bound(db, BASE + VERIFY, 3, 0, ENDPOINT + WINDOW)
}

fn idle(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, Next.
	bound(db, BASE, 2, 0, 0)
}

fn open_window(db: RuntimeDbWeight, validators: u32) -> Weight {
	// Reads: Next, the keys of Windows, the validators' keys, Rotation, randomness, parent hash.
	// Writes: Rotation, Windows, an event. For each validator the keys of its endpoint and of that of
	// a predecessor, which is removed.
	let endpoint = bound(db, 1_000_000, 2, 1, 2 * ENDPOINT);
	let each = Weight::from_parts(1_000_000, 64)
		.saturating_add(endpoint)
		.saturating_mul(validators.into());
	bound(db, BASE, 10, 3, WINDOW).saturating_add(each)
}

fn skip_window(db: RuntimeDbWeight) -> Weight {
	// Reads: Next, Windows, the keys of Windows. Writes: Next.
	bound(db, BASE, 7, 1, WINDOW)
}

fn settle_page(db: RuntimeDbWeight, validators: u32) -> Weight {
	// Reads: Next, Windows, the registry's end, its live numbers twice, nine reports and the end of
	// them, Pages, Days, OutRevision, Absences. Writes: nine reports, Pages, Days, Windows, Next,
	// OutRevision, Absences, events. Once a day the ring's next row, in the worst case all 30.
	let each = Weight::from_parts(1_000_000, 64).saturating_mul(validators.into());
	let ring = bound(db, JUDGE / 16, 30, 30, 30 * ROW);
	bound(db, BASE + JUDGE, 19, 16, WINDOW + PAGE + 11 * ROW)
		.saturating_add(each)
		.saturating_add(ring)
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn post_page() -> Weight {
			post_page($db)
		}
		fn authorize_post_page() -> Weight {
			authorize_post_page($db)
		}
		fn show_life() -> Weight {
			show_life($db)
		}
		fn authorize_show_life() -> Weight {
			authorize_show_life($db)
		}
		fn announce_absence() -> Weight {
			absence($db)
		}
		fn end_absence() -> Weight {
			absence($db)
		}
		fn announce_endpoint() -> Weight {
			announce_endpoint($db)
		}
		fn authorize_announce_endpoint() -> Weight {
			authorize_announce_endpoint($db)
		}
		fn idle() -> Weight {
			idle($db)
		}
		fn open_window(validators: u32) -> Weight {
			open_window($db, validators)
		}
		fn skip_window() -> Weight {
			skip_window($db)
		}
		fn settle_page(validators: u32) -> Weight {
			settle_page($db, validators)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(RocksDbWeight::get());
}
