//! Weights of the call and of the hook.
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

/// What each step may cost at most.
pub trait WeightInfo {
	/// Weight of `set_reweight`.
	fn set_reweight() -> Weight;
	/// A block at which no epoch is due.
	fn no_epoch() -> Weight;
	/// A block at which an epoch is due, but nothing changed.
	fn unchanged_epoch() -> Weight;
	/// A block that looks at `nodes` nodes to build a map and gives out `ids` new bucket ids.
	fn build_epoch(nodes: u32, ids: u32) -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn set_reweight(db: RuntimeDbWeight) -> Weight {
	// Reads: the node, Reweight, ReweightRevision. Writes: Reweight, ReweightRevision.
	bound(db, BASE, 3, 2, NODE)
}

fn no_epoch(db: RuntimeDbWeight) -> Weight {
	// Reads: Config.
	bound(db, BASE, 1, 0, 0)
}

fn unchanged_epoch(db: RuntimeDbWeight) -> Weight {
	// Reads: Config, the revisions of registry, reweights, scores and outs, LastInputs.
	bound(db, BASE, 6, 0, 0)
}

fn build_epoch(db: RuntimeDbWeight, nodes: u32, ids: u32) -> Weight {
	// Besides those of an unchanged epoch. Reads: CurrentEpoch, the registry's counter and pages of
	// numbers, zone ids, the current map, WeightHistory, TakenOut. Writes: LastInputs, MapHash, MapBlob
	// twice, CurrentEpoch, Totals, WeightHistory, TakenOut, events.
	let fixed = bound(db, BASE, 35, 10, 0);
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
		fn no_epoch() -> Weight {
			no_epoch($db)
		}
		fn unchanged_epoch() -> Weight {
			unchanged_epoch($db)
		}
		fn build_epoch(nodes: u32, ids: u32) -> Weight {
			build_epoch($db, nodes, ids)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(RocksDbWeight::get());
}
