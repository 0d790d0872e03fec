//! Weights of the calls and of the hook.
//!
//! **These are not benchmark results.** They are upper bounds derived by hand: each storage item a
//! call touches is counted as one read or write of `DbWeight`, computation is estimated
//! generously, and the proof size is the sum of the items' greatest encoded lengths plus
//! `TRIE_PATH` bytes for the path to each. Benchmarks will replace them.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{
		constants::RocksDbWeight,
		{RuntimeDbWeight, Weight},
	},
};

/// Bytes allowed for the trie path of one item.
const TRIE_PATH: u64 = 3_000;
/// Decoding, checking, hashing and encoding around a call, in picoseconds.
const BASE: u64 = 60_000_000;
/// Verifying one Ed25519 signature, in picoseconds.
const VERIFY: u64 = 150_000_000;
/// Decoding a map of the greatest length and preparing it, in picoseconds.
const DECODE_MAP: u64 = 6_000_000_000;
/// One mapping of all draws a map allows, in picoseconds.
const MAPPING: u64 = 4_000_000_000;
/// Checking one receipt's fields and bitmap, or one path of a stripe, in picoseconds.
const CHECK: u64 = 25_000_000;
/// Greatest encoded length of a map, rounded up.
const MAP: u64 = 131_072;
/// Greatest encoded length of a `Ledgers` entry, rounded up.
const LEDGER: u64 = 8_192;
/// Greatest encoded length of a row of sums, rounded up.
const ROW: u64 = 3_328;
/// Greatest encoded length of a node's record, rounded up.
const NODE: u64 = 512;

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `append` with `receipts` receipts.
	fn append(receipts: u32) -> Weight;
	/// Weight of `release` of `stripes` stripes.
	fn release(stripes: u32) -> Weight;
	/// Weight of `report_clean` of `groups` groups, without its authorization.
	fn report_clean(groups: u32) -> Weight;
	/// Weight of authorizing `report_clean`.
	fn authorize_report_clean(groups: u32) -> Weight;
	/// Weight of a block's hook that forgot `roots` roots and looked through `groups` groups'
	/// mappings.
	fn tick(roots: u32, groups: u32) -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn append(db: RuntimeDbWeight, receipts: u32) -> Weight {
	let receipts = u64::from(receipts);
	// Two maps: that of the receipts and the current one. Two keys of a node may be tried.
	let time = BASE
		.saturating_add(DECODE_MAP.saturating_add(MAPPING).saturating_mul(2))
		.saturating_add(receipts.saturating_mul(2 * VERIFY + CHECK));
	// Reads: BlockHash, CurrentEpoch, parameters (4), RecentRoots (at most 9), two maps, Snapshot,
	// Ledgers, PageSums, Pages, GroupsEnd, 30 Gaps; a node per receipt.
	// Writes: Ledgers, PageSums, Pages, RecentRoots, CleanEpoch, GroupsEnd, 30 Gaps.
	let reads = receipts.saturating_add(52);
	let bytes = 2 * MAP + LEDGER + 2 * ROW + 30 * 64;
	let bytes = bytes.saturating_add(receipts.saturating_mul(NODE));
	bound(db, time, reads, 36, bytes)
}

fn release(db: RuntimeDbWeight, stripes: u32) -> Weight {
	let time = BASE
		.saturating_add(VERIFY)
		.saturating_add(CHECK)
		.saturating_add(u64::from(stripes).saturating_mul(CHECK));
	// Reads: BlockHash, Ledgers, ReleasedStripes, whether the owner expired.
	// Writes: Ledgers, ReleasedStripes.
	bound(db, time, 4, 2, LEDGER + 256 + NODE)
}

/// Checking a report.
fn authorize_report_clean(db: RuntimeDbWeight, groups: u32) -> Weight {
	let groups = u64::from(groups);
	let time = BASE
		.saturating_add(2 * VERIFY)
		.saturating_add(DECODE_MAP)
		.saturating_add(groups.saturating_mul(MAPPING));
	// Reads: BlockHash, CurrentEpoch, Snapshot, the map, the node; per group Ledgers, Gaps,
	// CleanEpoch, CleanReports.
	let reads = groups.saturating_mul(4).saturating_add(5);
	let bytes = groups.saturating_mul(LEDGER + 256).saturating_add(MAP);
	bound(db, time, reads, 0, bytes)
}

fn report_clean(db: RuntimeDbWeight, groups: u32) -> Weight {
	let many = u64::from(groups);
	// The checks again, and per group every member's record; writes Gaps, CleanReports, CleanEpoch,
	// KeptActing.
	authorize_report_clean(db, groups).saturating_add(bound(
		db,
		0,
		many.saturating_mul(30),
		many.saturating_mul(4),
		many.saturating_mul(30 * NODE),
	))
}

fn tick(db: RuntimeDbWeight, roots: u32, groups: u32) -> Weight {
	let (roots, groups) = (u64::from(roots), u64::from(groups));
	let each = DECODE_MAP.saturating_add(MAPPING).saturating_mul(2);
	// Reads: Snapshot, CurrentEpoch, EpochStarts, parameters (3), RootsFrom, SweepNext, GroupsEnd,
	// eight CleanEpoch and KeptActing; two maps per group.
	// Writes: Snapshot, EpochStarts, RootsFrom, SweepNext; per group CleanEpoch, CleanReports,
	// KeptActing.
	let reads = groups
		.saturating_mul(4)
		.saturating_add(roots)
		.saturating_add(25);
	let writes = groups
		.saturating_mul(3)
		.saturating_add(roots)
		.saturating_add(4);
	let bytes = groups.saturating_mul(2 * MAP).saturating_add(2_048);
	let time = BASE.saturating_add(groups.saturating_mul(each));
	bound(db, time, reads, writes, bytes)
}

macro_rules! weights {
	($db:expr) => {
		fn append(receipts: u32) -> Weight {
			append($db, receipts)
		}
		fn release(stripes: u32) -> Weight {
			release($db, stripes)
		}
		fn report_clean(groups: u32) -> Weight {
			report_clean($db, groups)
		}
		fn authorize_report_clean(groups: u32) -> Weight {
			authorize_report_clean($db, groups)
		}
		fn tick(roots: u32, groups: u32) -> Weight {
			tick($db, roots, groups)
		}
	};
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	weights!(T::DbWeight::get());
}

impl WeightInfo for () {
	weights!(RocksDbWeight::get());
}
