//! Weights of calls and hooks.
//!
//! **These are not benchmark results.** They are upper bounds derived by hand: each storage item
//! touched is counted as one read or write of `DbWeight`, computation is estimated generously, and
//! the proof size is the sum of the items' greatest encoded lengths plus `TRIE_PATH` bytes for the
//! path to each. What the meter of usage costs is counted as `USAGE_READS` and `USAGE_WRITES`.
//! `benchmarking.rs` measures the same calls; its results will replace them.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, RuntimeDbWeight, Weight},
};

/// Bytes allowed for the trie path of one item.
const TRIE_PATH: u64 = 3_000;
/// Decoding, checking and encoding around a call, in picoseconds.
const BASE: u64 = 40_000_000;
/// Drawing and weighing one lot, in picoseconds.
const LOT: u64 = 5_000_000;
/// Lots of one assignment.
const LOTS: u64 = 32;
/// Greatest encoded length of an order.
const ORDER: u64 = 512;
/// Greatest encoded length of the queue.
const QUEUE: u64 = 2_100;
/// Greatest encoded length of a list of nodes.
const LIST: u64 = 4_100;
/// Greatest encoded length of what is read for one node, rounded up.
const NODE: u64 = 800;
/// Settling an account with a market: see the marketplace's `settle`.
const USAGE_READS: u64 = 120;
/// Likewise.
const USAGE_WRITES: u64 = 100;

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `offer`.
	fn offer() -> Weight;
	/// Weight of `request`.
	fn request() -> Weight;
	/// Weight of giving an order to a node.
	fn assign() -> Weight;
	/// Weight of `accept`.
	fn accept() -> Weight;
	/// Weight of `decline`.
	fn decline() -> Weight;
	/// Weight of `set_running`.
	fn set_running() -> Weight;
	/// Weight of `renew`.
	fn renew() -> Weight;
	/// Weight of `cancel`.
	fn cancel() -> Weight;
	/// Weight of `advance`.
	fn advance() -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

/// Metering, and what two count as served: each with up to twelve eras written or removed.
fn change(db: RuntimeDbWeight) -> Weight {
	bound(db, 5 * BASE, USAGE_READS + 2, USAGE_WRITES + 26, 32_768)
}

fn offer(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 5, 4, LIST + NODE)
}

fn request(db: RuntimeDbWeight) -> Weight {
	// Reads: whether the owner can pay, OwnerOrders, NextOrder, Waiting, three parameters.
	// Writes: OwnerOrders, NextOrder, Waiting, Orders, an event.
	bound(db, BASE, 7, 5, QUEUE + ORDER + 6_144)
}

fn assign(db: RuntimeDbWeight) -> Weight {
	// Reads: Waiting twice, Orders twice, Offering, Largest, the seed, OfferOf; as an order may end, its
	// owner's count. Writes: Waiting, Orders, OfferOf, OwnerOrders, an event.
	let fixed = bound(db, BASE, 9, 5, 2 * QUEUE + 2 * ORDER + LIST);
	// Reads: the offer, the node, how it is doing, its score (four items).
	let lot = bound(db, LOT, 8, 0, NODE);
	fixed.saturating_add(lot.saturating_mul(LOTS))
}

fn accept(db: RuntimeDbWeight) -> Weight {
	// As an order may end, its queue, its offer and its owner's count are touched.
	bound(db, BASE, 6, 6, ORDER + NODE + QUEUE).saturating_add(change(db))
}

fn decline(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 6, 6, ORDER + NODE + QUEUE).saturating_add(change(db))
}

fn set_running(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, ORDER).saturating_add(change(db))
}

fn renew(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, ORDER)
}

fn cancel(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 5, 6, ORDER + NODE + QUEUE).saturating_add(change(db))
}

fn advance(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 10, 6, ORDER + NODE + QUEUE + 6_144).saturating_add(change(db))
}

macro_rules! calls {
	($db:expr) => {
		calls!($db; offer request assign accept decline set_running renew cancel advance);
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
