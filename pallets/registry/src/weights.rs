//! Weights of the calls.
//!
//! **These are not benchmark results.** They are upper bounds derived by hand: each storage item a
//! call touches is counted as one read or write of `DbWeight`, computation is estimated
//! generously, and the proof size is the sum of the items' greatest encoded lengths plus
//! `TRIE_PATH` bytes for the path to each. Benchmarks will replace them.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// Bytes allowed for the trie path of one item.
const TRIE_PATH: u64 = 3_000;
/// Decoding, checking, hashing and encoding around a call, in picoseconds.
const BASE: u64 = 40_000_000;
/// Verifying one Ed25519 signature, in picoseconds.
const VERIFY: u64 = 150_000_000;
/// Greatest encoded length of a `Nodes` entry, rounded up.
const NODE: u64 = 512;
/// Greatest encoded length of an account's balance and holds, rounded up.
const ACCOUNT: u64 = 1_024;

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `register_node`.
	fn register_node() -> Weight;
	/// Weight of `update_node`.
	fn update_node() -> Weight;
	/// Weight of `announce_key`.
	fn announce_key() -> Weight;
	/// Weight of `activate_key`.
	fn activate_key() -> Weight;
	/// Weight of `start_exit`.
	fn start_exit() -> Weight;
	/// Weight of `claim_exit`.
	fn claim_exit() -> Weight;
}

fn bound(
	db: frame_support::weights::RuntimeDbWeight,
	time: u64,
	reads: u64,
	writes: u64,
	bytes: u64,
) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn register_node(db: frame_support::weights::RuntimeDbWeight) -> Weight {
	// Reads: BlockHash, Zones, FamilyNodes, Nodes and its counter, NodeByKey, ProofSequence, account,
	// holds, NextNodeIndex, LiveNodes, Revision, and four parameters.
	// Writes: ProofSequence, account, holds, NextNodeIndex, FamilyNodes, NodeByKey, LiveNodes, Nodes
	// and its counter, Revision.
	bound(db, BASE + VERIFY, 16, 10, NODE + ACCOUNT)
}

fn update_node(db: frame_support::weights::RuntimeDbWeight) -> Weight {
	// Reads: Nodes and its counter, Zones, account, holds, Revision, and three parameters.
	// Writes: Nodes, account, holds, Revision.
	bound(db, BASE, 9, 4, NODE + ACCOUNT)
}

fn announce_key(db: frame_support::weights::RuntimeDbWeight) -> Weight {
	// Reads: BlockHash, Nodes and its counter, NodeByKey twice, ProofSequence, Revision, and two
	// parameters. Writes: ProofSequence, NodeByKey twice, Nodes, Revision.
	bound(db, BASE + VERIFY, 9, 5, NODE)
}

fn activate_key(db: frame_support::weights::RuntimeDbWeight) -> Weight {
	// Reads: Nodes and its counter, Revision. Writes: NodeByKey, Nodes, Revision.
	bound(db, BASE, 3, 3, NODE)
}

fn start_exit(db: frame_support::weights::RuntimeDbWeight) -> Weight {
	// Reads: Nodes and its counter, Revision, a parameter. Writes: Nodes, Revision.
	bound(db, BASE, 4, 2, NODE)
}

fn claim_exit(db: frame_support::weights::RuntimeDbWeight) -> Weight {
	// Reads: Nodes and its counter, account, holds, FamilyNodes, LiveNodes, Revision.
	// Writes: account, holds, NodeByKey twice, FamilyNodes, LiveNodes, Nodes and its counter,
	// Revision.
	bound(db, BASE, 7, 9, NODE + ACCOUNT)
}

macro_rules! calls {
	($db:expr) => {
		calls!($db; register_node update_node announce_key activate_key start_exit claim_exit);
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
