//! Weights of the calls and of the hook.
//!
//! **These are not benchmark results.** They are upper bounds derived by hand: each storage item
//! touched is counted as one read or write of `DbWeight`, computation is estimated generously, and
//! the proof size is the sum of the items' greatest encoded lengths plus `TRIE_PATH` bytes for the
//! path to each. Benchmarks will replace them.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, RuntimeDbWeight, Weight},
};

/// Bytes allowed for the trie path of one item.
const TRIE_PATH: u64 = 3_000;
/// Decoding, checking and encoding around a step, in picoseconds.
const BASE: u64 = 20_000_000;
/// Selecting, weighing, placing, validating and encoding one node of a map, in picoseconds.
const PER_NODE: u64 = 100_000_000;
/// Greatest encoded length of what is read for one node, rounded up.
const NODE: u64 = 1_024;
/// Decoding one node of a map and making it ready for mappings, in picoseconds.
const DECODE_NODE: u64 = 2_000_000;
/// Greatest encoded length of a node in a map with its part of the buckets, rounded up.
const MAP_NODE: u64 = 64;
/// One draw of a mapping, in picoseconds.
const PER_DRAW: u64 = 400_000;
/// The usual cap of the draws of one mapping.
const DRAWS: u64 = 20_000;
/// Judging one exception, in picoseconds.
const JUDGE: u64 = 20_000_000;
/// Decoding, moving and encoding one exception, in picoseconds.
const EXCEPTION: u64 = 200_000;
/// Greatest encoded length of an exception.
const EXCEPTION_LEN: u64 = 15;

/// What each step may cost at most.
pub trait WeightInfo {
	/// Weight of `set_reweight`.
	fn set_reweight() -> Weight;
	/// Weight of `set_exceptions` that sets `items` exceptions, where a map has `nodes` nodes and there
	/// are `all` exceptions.
	fn set_exceptions(nodes: u32, all: u32, items: u32) -> Weight;
	/// Weight of `remove_exceptions`, where there are `all` exceptions.
	fn remove_exceptions(all: u32) -> Weight;
	/// A block at which no epoch is due.
	fn no_epoch() -> Weight;
	/// A block at which an epoch is due, but nothing changed.
	fn unchanged_epoch() -> Weight;
	/// A block that looks at `nodes` nodes to build a map and gives out `ids` new bucket ids.
	fn build_epoch(nodes: u32, ids: u32) -> Weight;
	/// What is added for judging `items` exceptions with `draws` draws, and dropping them.
	fn judge_exceptions(items: u32, draws: u64) -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn set_reweight(db: RuntimeDbWeight) -> Weight {
	// Reads: the node, Reweight, ReweightRevision. Writes: Reweight, ReweightRevision.
	bound(db, BASE, 3, 2, NODE)
}

/// Reading and writing all exceptions, `times` times.
fn all_exceptions(all: u32, times: u64) -> Weight {
	let part = Weight::from_parts(EXCEPTION, EXCEPTION_LEN).saturating_mul(all.into());
	part.saturating_mul(times)
}

fn set_exceptions(db: RuntimeDbWeight, nodes: u32, all: u32, items: u32) -> Weight {
	// Reads: Exceptions, CurrentEpoch, MapBlob, ExceptionRevision. Writes: Exceptions,
	// ExceptionRevision. The map has exceptions of its own.
	let map = Weight::from_parts(DECODE_NODE, MAP_NODE).saturating_mul(nodes.into());
	let judge = Weight::from_parts(JUDGE, 0).saturating_mul(items.into());
	bound(
		db,
		BASE.saturating_add(DRAWS.saturating_mul(PER_DRAW)),
		4,
		2,
		0,
	)
	.saturating_add(map)
	.saturating_add(judge)
	.saturating_add(all_exceptions(all, 2))
}

fn remove_exceptions(db: RuntimeDbWeight, all: u32) -> Weight {
	// Reads: Exceptions twice, ExceptionRevision. Writes: Exceptions, ExceptionRevision.
	bound(db, BASE, 3, 2, 0).saturating_add(all_exceptions(all, 1))
}

fn judge_exceptions(db: RuntimeDbWeight, items: u32, draws: u64) -> Weight {
	if items == 0 {
		return Weight::zero();
	}
	// Reads and writes: Exceptions. The event names those dropped, with the reasons; the map encodes
	// the others.
	bound(db, PER_DRAW.saturating_mul(draws), 1, 1, 0)
		.saturating_add(Weight::from_parts(JUDGE, 0).saturating_mul(items.into()))
		.saturating_add(all_exceptions(items, 3))
}

fn no_epoch(db: RuntimeDbWeight) -> Weight {
	// Reads: Config.
	bound(db, BASE, 1, 0, 0)
}

fn unchanged_epoch(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, the revisions of registry, reweights, scores, outs and exceptions, LastInputs.
	bound(db, BASE, 7, 0, 0)
}

fn build_epoch(db: RuntimeDbWeight, nodes: u32, ids: u32) -> Weight {
	// Besides those of an unchanged epoch. Reads: CurrentEpoch, the registry's counter and pages of
	// numbers, zone ids, the current map, WeightHistory, TakenOut, Exceptions. Writes: LastInputs, MapHash, MapBlob
	// twice, CurrentEpoch, Totals, WeightHistory, TakenOut, events.
	let fixed = bound(db, BASE, 36, 10, 0);
	// Reads: the node, its reweight, its family's and its host's bucket id, its score's page, what
	// stands behind it (three), its heartbeats' page.
	let per_node = bound(db, PER_NODE, 9, 0, NODE);
	// Reads and writes: the next id. Writes: the new one.
	let per_id = bound(db, 0, 1, 2, 0);
	unchanged_epoch(db)
		.saturating_add(fixed)
		.saturating_add(per_node.saturating_mul(nodes.into()))
		.saturating_add(per_id.saturating_mul(ids.into()))
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn set_reweight() -> Weight {
			set_reweight($db)
		}
		fn set_exceptions(nodes: u32, all: u32, items: u32) -> Weight {
			set_exceptions($db, nodes, all, items)
		}
		fn remove_exceptions(all: u32) -> Weight {
			remove_exceptions($db, all)
		}
		fn no_epoch() -> Weight {
			no_epoch($db)
		}
		fn unchanged_epoch() -> Weight {
			unchanged_epoch($db)
		}
		fn build_epoch(nodes: u32, ids: u32) -> Weight {
			build_epoch($db, nodes, ids)
		}
		fn judge_exceptions(items: u32, draws: u64) -> Weight {
			judge_exceptions($db, items, draws)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(RocksDbWeight::get());
}
