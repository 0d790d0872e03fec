//! The store against a map, with restarts, power cuts and faults.

use crate::common::{
	open, runner, shard,
	sim::{Faults, SimDisk},
	small,
	world::{Op, World},
};
use arion_shard_store::{ShardStore, StoreError};
use proptest::prelude::*;

const NUMBERS: u64 = 24;

fn op() -> impl Strategy<Value = Op> {
	let n = || 0u64..NUMBERS;
	prop_oneof![
		10 => n().prop_map(Op::Put),
		4 => n().prop_map(Op::Get),
		2 => n().prop_map(Op::Range),
		2 => (n(), n()).prop_map(|(a, b)| Op::PutBoth(a, b)),
		4 => n().prop_map(Op::Delete),
		2 => n().prop_map(Op::Restore),
		3 => n().prop_map(Op::Purge),
		1 => (1u64..20).prop_map(Op::Days),
		4 => Just(Op::Maintain),
		1 => Just(Op::Scrub),
		1 => Just(Op::Snapshot),
		1 => Just(Op::Reopen),
		1 => Just(Op::Kill),
		2 => Just(Op::PowerCut),
		1 => (0u32..4).prop_map(Op::FailWrite),
		1 => (0u32..4).prop_map(Op::FailSync),
		1 => any::<bool>().prop_map(Op::NoSpace),
	]
}

fn run(seed: u64, ops: &[Op]) {
	let mut world = World::new(seed, small(400 << 10), Faults::default());
	ops.iter().for_each(|op| world.apply(op));
	world.finish(NUMBERS);
}

#[test]
fn the_store_is_a_map_whatever_happens_to_the_disk() {
	let sequences = (any::<u64>(), prop::collection::vec(op(), 1..100));
	let result = runner(300).run(&sequences, |(seed, ops)| {
		run(seed, &ops);
		Ok(())
	});
	result.unwrap();
}

#[test]
fn bit_flips_among_everything_else_never_give_wrong_bytes() {
	let op = prop_oneof![6 => op(), 1 => any::<u64>().prop_map(Op::Flip)];
	let sequences = (any::<u64>(), prop::collection::vec(op, 1..60));
	let result = runner(300).run(&sequences, |(seed, ops)| {
		run(seed, &ops);
		Ok(())
	});
	result.unwrap();
}

/// Bits turn over anywhere, volume headers included: a get never gives wrong bytes, and what was
/// not hit is still there.
#[test]
fn bit_flips_cost_only_what_they_hit() {
	let flips = prop::collection::vec((any::<u64>(), any::<u64>()), 1..8);
	let result = runner(200).run(
		&(flips, any::<bool>(), any::<bool>()),
		|(flips, open, index)| {
			flip_bits(&flips, open, index);
			Ok(())
		},
	);
	result.unwrap();
}

fn flip_bits(flips: &[(u64, u64)], while_open: bool, keep_index: bool) {
	let disk = SimDisk::new(1);
	let config = small(600 << 10);
	let store = open(&disk, &config).unwrap();
	for number in 0..40 {
		let (meta, data, _) = shard(number);
		store.put(&meta, &data).unwrap();
	}
	let volumes = disk.volumes();
	let flip = || {
		for (volume, bit) in flips {
			let name = &volumes[(volume % volumes.len() as u64) as usize];
			disk.flip(name, bit % (disk.len(name) * 8));
		}
	};
	if while_open {
		flip();
		drop(check_all(store, flips.len()));
	} else {
		drop(store);
		if !keep_index {
			disk.overwrite("INDEX", 0, &[0; 8]);
		}
		flip();
	}
	let store = open(&disk, &config).unwrap();
	drop(check_all(store, flips.len()));
	// What was dropped stays dropped.
	let store = open(&disk, &config).unwrap();
	for number in 0..40 {
		let (_, data, id) = shard(number);
		let found = store.get(&id).unwrap();
		assert!(found.is_none_or(|(_, found)| found == data));
	}
}

/// Found by the test above.
#[test]
fn sequences_that_once_went_wrong() {
	let sequences = [
		vec![
			Op::Put(7),
			Op::Put(1),
			Op::Put(0),
			Op::Put(13),
			Op::Put(8),
			Op::Put(14),
			Op::Put(2),
			Op::Put(9),
			Op::Snapshot,
			Op::Delete(0),
			Op::FailSync(3),
			Op::Purge(0),
			Op::Put(3),
			Op::Put(13),
			Op::Put(0),
			Op::Maintain,
			Op::Kill,
		],
		vec![
			Op::PutBoth(8, 0),
			Op::Put(5),
			Op::Put(13),
			Op::Put(2),
			Op::Put(17),
			Op::Put(18),
			Op::Put(4),
			Op::Snapshot,
			Op::Purge(8),
			Op::FailSync(0),
			Op::Put(0),
			Op::Purge(2),
			Op::Maintain,
			Op::Kill,
		],
	];
	for ops in sequences {
		run(0, &ops);
	}
}

fn check_all(store: ShardStore, flips: usize) -> ShardStore {
	let mut lost = 0;
	for number in 0..40 {
		let (meta, data, id) = shard(number);
		let listed = store.has(&id);
		match store.get(&id) {
			Ok(Some(found)) => assert!(found == (meta, data)),
			Ok(None) => {
				assert!(!listed);
				lost += 1;
			}
			Err(StoreError::Corrupt(bad)) => {
				assert_eq!(bad, id.into());
				assert!(listed && !store.has(&id) && store.get(&id).unwrap().is_none());
				lost += 1;
			}
			Err(other) => panic!("{other}"),
		}
	}
	assert!(lost <= flips, "{lost} shards lost to {flips} bit flips");
	store
}
