//! Upper bounds of what the benchmarks of `pallet_orders` cost, derived by hand; `scripts/weights.sh` writes
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

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

/// What two count as served: each with up to twelve eras written or removed.
fn change(db: RuntimeDbWeight) -> Weight {
	bound(db, 5 * BASE, 2, 26, 32_768)
}

/// `offer`.
pub(crate) fn offer(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 5, 4, LIST + NODE)
}

/// `request`.
pub(crate) fn request(db: RuntimeDbWeight) -> Weight {
	// Reads: whether the owner can pay, OwnerOrders, NextOrder, Waiting, three parameters.
	// Writes: OwnerOrders, NextOrder, Waiting, Orders, an event.
	bound(db, BASE, 7, 5, QUEUE + ORDER + 6_144)
}

/// `assign`.
pub(crate) fn assign(db: RuntimeDbWeight) -> Weight {
	// Reads: Waiting twice, Orders twice, Offering, Largest, the seed, OfferOf; as an order may end, its
	// owner's count. Writes: Waiting, Orders, OfferOf, OwnerOrders, an event.
	let fixed = bound(db, BASE, 9, 5, 2 * QUEUE + 2 * ORDER + LIST);
	// Reads: the offer, the node, how it is doing, its score (four items).
	let lot = bound(db, LOT, 8, 0, NODE);
	fixed.saturating_add(lot.saturating_mul(LOTS))
}

/// `accept`.
pub(crate) fn accept(db: RuntimeDbWeight) -> Weight {
	// As an order may end, its queue, its offer and its owner's count are touched.
	bound(db, BASE, 6, 6, ORDER + NODE + QUEUE).saturating_add(change(db))
}

/// `decline`.
pub(crate) fn decline(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 6, 6, ORDER + NODE + QUEUE).saturating_add(change(db))
}

/// `set_running`.
pub(crate) fn set_running(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, ORDER).saturating_add(change(db))
}

/// `renew`.
pub(crate) fn renew(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, ORDER)
}

/// `cancel`.
pub(crate) fn cancel(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 5, 6, ORDER + NODE + QUEUE).saturating_add(change(db))
}

/// `advance`.
pub(crate) fn advance(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 10, 6, ORDER + NODE + QUEUE + 6_144).saturating_add(change(db))
}
