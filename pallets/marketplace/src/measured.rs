//! Upper bounds of what the benchmarks of `pallet_marketplace` cost, derived by hand; `scripts/weights.sh` writes
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
/// Verifying one signature, in picoseconds.
const VERIFY: u64 = 150_000_000;
/// Greatest encoded length of an account, rounded up.
const ACCOUNT: u64 = 6_144;
/// Greatest encoded length of a payment, rounded up.
const PAYMENT: u64 = 512;
/// Greatest encoded length of a pool's prices, rounded up.
const POINTS: u64 = 1_280;
/// Pools.
const POOLS: u64 = 8;
/// Batches of an account, and so most payments one charge can touch.
const BATCHES: u64 = 32;
/// Time to take credits from all batches and lines, in picoseconds.
const SPEND: u64 = 60_000_000;

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

/// Moving revenue: two accounts, the pots and their sums.
fn charge(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 6, 6, 1_024)
}

/// Charging one pool: what of it is frozen is noted with each payment, the rest is moved.
fn spend(db: RuntimeDbWeight) -> Weight {
	bound(db, SPEND, 2, 1, 0).saturating_add(charge(db))
}

/// `settle`.
pub(crate) fn settle(db: RuntimeDbWeight) -> Weight {
	// Reads: Accounts, Config, Timestamp, Prices of the held pools three times (charge, floor, notice),
	// the cursor. Writes: Accounts, three events. The payments a charge is noted with are in the overlay
	// after the first: 32 reads and writes in all.
	let fixed = bound(db, BASE, 4 + 3 * POOLS / 2, 4, ACCOUNT + 4 * POINTS);
	let payments = bound(db, 0, BATCHES, BATCHES, BATCHES * PAYMENT);
	// A payment matures: its pools are charged.
	let mature = bound(db, BASE, 1, 2, PAYMENT).saturating_add(charge(db).saturating_mul(POOLS));
	fixed
		.saturating_add(payments)
		.saturating_add(mature)
		// Each pool's line, and a few periods of four subscriptions.
		.saturating_add(spend(db).saturating_mul(POOLS + 8))
}

/// `deposit`.
pub(crate) fn deposit(db: RuntimeDbWeight) -> Weight {
	// Reads: AlphaPrice, NextBatch, two accounts. Writes: NextBatch, two accounts, an event.
	// Paying debts is part of settling.
	settle(db).saturating_add(bound(db, BASE, 4, 4, 512))
}

/// `refund`.
pub(crate) fn refund(db: RuntimeDbWeight) -> Weight {
	settle(db).saturating_add(bound(db, BASE, 4, 3, 512))
}

/// `redeem`.
pub(crate) fn redeem(db: RuntimeDbWeight) -> Weight {
	// Reads: BlockHash, Payments, SourceMinted, Accounts, AlphaPrice, float, Keys, RevokedKeys thrice,
	// escrow, NextBatch. Writes: SourceMinted, Payments, float, escrow, NextBatch, an event.
	settle(db).saturating_add(bound(
		db,
		BASE + 3 * VERIFY,
		12,
		6,
		PAYMENT + ACCOUNT + 1_024,
	))
}

/// `mature`.
pub(crate) fn mature(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 3, 3, PAYMENT + ACCOUNT).saturating_add(charge(db).saturating_mul(POOLS))
}

/// `chargeback`.
pub(crate) fn chargeback(db: RuntimeDbWeight) -> Weight {
	// Reads: Payments twice, BlockHash, Keys, RevokedKeys thrice, three accounts.
	// Writes: Payments, three accounts, six events.
	settle(db).saturating_add(bound(db, BASE + 3 * VERIFY, 10, 10, PAYMENT + 1_024))
}

/// `repay`.
pub(crate) fn repay(db: RuntimeDbWeight) -> Weight {
	settle(db).saturating_add(bound(db, BASE, 2, 3, 512))
}

/// `authorize_gateway`.
pub(crate) fn authorize_gateway(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 1, 2, ACCOUNT)
}

/// `revoke_gateway`.
pub(crate) fn revoke_gateway(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2 + POOLS, 3, ACCOUNT + 4 * POINTS)
}

/// `post_egress`.
pub(crate) fn post_egress(db: RuntimeDbWeight, receipts: u32) -> Weight {
	// Reads: EgressSeen, Prices, the node's weights. Writes: EgressSeen, the node's weights, an event.
	let each =
		settle(db)
			.saturating_add(spend(db))
			.saturating_add(bound(db, BASE + VERIFY, 4, 5, POINTS));
	bound(db, BASE, 2, 0, 64).saturating_add(each.saturating_mul(receipts.into()))
}

/// `subscribe`.
pub(crate) fn subscribe(db: RuntimeDbWeight) -> Weight {
	settle(db).saturating_add(bound(db, BASE, 1, 2, 64))
}

/// `unsubscribe`.
pub(crate) fn unsubscribe(db: RuntimeDbWeight) -> Weight {
	settle(db).saturating_add(bound(db, BASE, 0, 1, 0))
}

/// `set_alpha_price`.
pub(crate) fn set_alpha_price(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, 128)
}

/// `force_alpha_price`.
pub(crate) fn force_alpha_price(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, 128)
}

/// `set_price`.
pub(crate) fn set_price(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 2, 2, POINTS)
}

/// `set_plan`.
pub(crate) fn set_plan(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 1, 2, 64)
}

/// `set_payment_keys`.
pub(crate) fn set_payment_keys(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 4, 5, 256)
}

/// `forget_receipts`.
pub(crate) fn forget_receipts(db: RuntimeDbWeight) -> Weight {
	// Reads: the epoch, EgressFrom, 32 receipts. Writes: those, EgressFrom.
	bound(db, BASE, 34, 33, 32 * 64)
}
