//! Weights of the calls and of the hooks.
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
const BASE: u64 = 30_000_000;
/// Verifying one Ed25519 signature, in picoseconds; twice while a key is being replaced.
const VERIFY: u64 = 150_000_000;
/// Checking one proof: 31 BLAKE3 compressions, up to 80 BLAKE2b hashes, in picoseconds.
const PROOF: u64 = 60_000_000;
/// Mapping a placement group onto its nodes by the map, in picoseconds: 42 us natively for 2000 nodes,
/// up to three times that in wasm, and three times for safety.
const GROUP: u64 = 400_000_000;
/// Reading the map once, in picoseconds.
const MAP: u64 = 1_000_000_000;
/// Greatest encoded length of a map.
const MAP_BYTES: u64 = 131_072;
/// Greatest encoded length of a node in trouble, rounded up.
const CASE: u64 = 4_096;
/// Greatest encoded length of a block's draws, rounded up.
const OPEN: u64 = 2_048;

/// What each step may cost at most.
pub trait WeightInfo {
	/// Booking an answer to `draws` draws of blocks and `tasks` tasks of the node's own.
	fn answer(draws: u32, tasks: u32) -> Weight;
	/// Checking an answer to `items` draws with `proofs` proofs.
	fn authorize_answer(items: u32, proofs: u32) -> Weight;
	/// Weight of `challenge`.
	fn challenge() -> Weight;
	/// Weight of `set_rules`.
	fn set_rules() -> Weight;
	/// A block in which the deadline counter stands, with the block's end.
	fn idle_block() -> Weight;
	/// A block that draws `bytes` bytes, looks at the holders of `looks` groups, makes or sweeps `draws`
	/// draws, visits `visits` nodes in trouble and books `booked` misses or other turns, with the block's
	/// end.
	fn block(bytes: u32, looks: u32, draws: u32, visits: u32, booked: u32) -> Weight;
}

fn bound(db: RuntimeDbWeight, time: u64, reads: u64, writes: u64, bytes: u64) -> Weight {
	Weight::from_parts(time, bytes.saturating_add(TRIE_PATH.saturating_mul(reads)))
		.saturating_add(db.reads_writes(reads, writes))
}

fn answer(db: RuntimeDbWeight, items: u32) -> Weight {
	// Reads: rules, tick, block. Per item, reads: Open, Answered, the case, the node's record of passes,
	// its registry entry, the challenger's account and hold, the family's, the treasury's. Writes:
	// Answered, the case, the record, accounts and holds, the registry's, an event.
	bound(db, BASE, 4, 1, 0).saturating_add(
		bound(db, BASE, 9, 9, CASE.saturating_add(OPEN)).saturating_mul(items.into()),
	)
}

fn authorize_answer(db: RuntimeDbWeight, items: u32, proofs: u32) -> Weight {
	// Reads: rules, tick, block, the node, the genesis hash. Per item: Open, Answered, the case, the
	// peaks. Per proof: whether it was released.
	bound(db, BASE.saturating_add(2 * VERIFY), 5, 0, 512)
		.saturating_add(
			bound(
				db,
				BASE,
				4,
				0,
				CASE.saturating_add(OPEN).saturating_add(4_096),
			)
			.saturating_mul(items.into()),
		)
		.saturating_add(bound(db, PROOF, 1, 0, 0).saturating_mul(proofs.into()))
}

fn challenge(db: RuntimeDbWeight) -> Weight {
	// Reads: rules, peaks, the map, the node, its liveness, tick, the case, account,
	// holds, the next number, randomness, a parameter. Writes: account, holds, the number, the case.
	bound(db, BASE + MAP + GROUP, 14, 5, CASE + MAP_BYTES)
}

fn set_rules(db: RuntimeDbWeight) -> Weight {
	bound(db, BASE, 1, 2, 256)
}

fn idle_block(db: RuntimeDbWeight) -> Weight {
	// Reads: rules, the VRF's output, R, FullBlocks twice, the block's weight and length, the state of
	// migrations. Writes: R twice, one that expired, FullBlocks.
	bound(db, BASE, 9, 4, 512)
}

fn block(
	db: RuntimeDbWeight,
	groups: u32,
	places: u32,
	draws: u32,
	visits: u32,
	booked: u32,
) -> Weight {
	// Reads: tick, swept, tallies, outage, cursor, total, totals, the nodes looked for, the map twice.
	// Writes: tick, swept twice, tallies, outage, cursor, DrawnAt, Open, two events.
	let fixed = bound(db, BASE, 10, 10, OPEN);
	let map = if groups == 0 {
		Weight::zero()
	} else {
		// Once or twice for the holders, once for each look's weights.
		bound(db, 6 * MAP, 6, 0, 2 * MAP_BYTES)
	};
	// Reads: where its byte is, twice its mapping by another map, its peaks.
	let per_group = bound(db, 2 * GROUP, 8, 0, 4_096);
	// Reads: what the slot lacks, who reported it filled, the group's clean epoch and kept holders.
	let per_place = bound(db, BASE / 6, 4, 0, 1_024);
	// Reads: how the node stands, twice, and what it must put up.
	let per_draw = bound(db, BASE, 4, 0, 512);
	// Reads: the case twice, how the node stands, its liveness, the outage. Writes: case.
	let per_visit = bound(db, BASE, 8, 2, 2 * CASE);
	// A miss: how the node stands and its liveness, case, record; slashes three times, jail or eviction:
	// the node, its family's account and holds, three accounts paid, the registry's revision, events.
	let per_booked = bound(db, 4 * BASE, 24, 24, CASE + 4_096);
	idle_block(db)
		.saturating_add(fixed)
		.saturating_add(map)
		.saturating_add(per_group.saturating_mul(groups.into()))
		.saturating_add(per_place.saturating_mul(places.into()))
		.saturating_add(per_draw.saturating_mul(draws.into()))
		.saturating_add(per_visit.saturating_mul(visits.into()))
		.saturating_add(per_booked.saturating_mul(booked.into()))
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn answer(draws: u32, tasks: u32) -> Weight {
			answer($db, draws.saturating_add(tasks))
		}
		fn authorize_answer(items: u32, proofs: u32) -> Weight {
			authorize_answer($db, items, proofs)
		}
		fn challenge() -> Weight {
			challenge($db)
		}
		fn set_rules() -> Weight {
			set_rules($db)
		}
		fn idle_block() -> Weight {
			idle_block($db)
		}
		fn block(bytes: u32, looks: u32, draws: u32, visits: u32, booked: u32) -> Weight {
			let (groups, places) = (bytes.saturating_add(looks), bytes.saturating_add(30 * looks));
			block($db, groups, places, draws, visits, booked)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(RocksDbWeight::get());
}
