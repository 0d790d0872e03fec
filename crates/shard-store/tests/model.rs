//! The store against a map, with power cuts and faults.

#![allow(clippy::unwrap_used)]

mod common;

use arion_shard_store::{PutOutcome, ShardStore, StoreConfig, StoreError};
use common::{open, shard, sim::Faults, sim::SimDisk, small};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

#[derive(Clone, Debug)]
enum Op {
	Put(u64),
	Get(u64),
	/// Two threads store two shards at once.
	PutBoth(u64, u64),
	Reopen,
	PowerCut,
	FailWrite(u32),
	FailSync(u32),
	NoSpace(bool),
}

fn op() -> impl Strategy<Value = Op> {
	prop_oneof![
		8 => (0u64..40).prop_map(Op::Put),
		4 => (0u64..40).prop_map(Op::Get),
		2 => (0u64..40, 0u64..40).prop_map(|(a, b)| Op::PutBoth(a, b)),
		1 => Just(Op::Reopen),
		2 => Just(Op::PowerCut),
		1 => (0u32..4).prop_map(Op::FailWrite),
		1 => (0u32..4).prop_map(Op::FailSync),
		1 => any::<bool>().prop_map(Op::NoSpace),
	]
}

/// What the store must and may hold, by shard number.
#[derive(Default)]
struct Model {
	acked: BTreeSet<u64>,
	tried: BTreeSet<u64>,
}

impl Model {
	fn put(&mut self, number: u64, outcome: Result<PutOutcome, StoreError>) {
		self.tried.insert(number);
		match outcome {
			Ok(_) => _ = self.acked.insert(number),
			Err(StoreError::Io { .. } | StoreError::InsufficientStorage { .. }) => {}
			Err(other) => panic!("put {number}: {other}"),
		}
	}

	fn check(&self, store: &ShardStore, number: u64) {
		let (meta, data, id) = shard(number);
		match store.get(&id).unwrap() {
			Some(found) => {
				assert!(self.tried.contains(&number), "{number} was never put");
				assert!(found == (meta.clone(), data), "{number} has changed");
				assert_eq!(store.stripe(&meta.stripe).unwrap(), [meta]);
			}
			None => assert!(!self.acked.contains(&number), "{number} is lost"),
		}
		assert_eq!(store.has(&id), store.get(&id).unwrap().is_some());
	}
}

fn run(seed: u64, ops: Vec<Op>) {
	let disk = SimDisk::new(seed);
	let config: StoreConfig = small(600 << 10);
	let mut model = Model::default();
	let mut store = Arc::new(open(&disk, &config).unwrap());
	let reopen = |store: Arc<ShardStore>, cut: bool| {
		drop(store);
		disk.set_faults(Faults::default());
		if cut {
			disk.power_cut();
		}
		Arc::new(open(&disk, &config).unwrap())
	};
	for op in ops {
		match op {
			Op::Put(number) => {
				let (meta, data, _) = shard(number);
				model.put(number, store.put(&meta, &data));
			}
			Op::Get(number) => model.check(&store, number),
			Op::PutBoth(a, b) => {
				let other = store.clone();
				let second = std::thread::spawn(move || {
					let (meta, data, _) = shard(b);
					other.put(&meta, &data)
				});
				let (meta, data, _) = shard(a);
				model.put(a, store.put(&meta, &data));
				model.put(b, second.join().unwrap());
			}
			Op::Reopen => store = reopen(store, false),
			Op::PowerCut => store = reopen(store, true),
			Op::FailWrite(n) => disk.set_faults(Faults {
				write_in: Some(n),
				..Faults::default()
			}),
			Op::FailSync(n) => disk.set_faults(Faults {
				sync_in: Some(n),
				..Faults::default()
			}),
			Op::NoSpace(on) => disk.set_faults(Faults {
				no_space: on,
				..Faults::default()
			}),
		}
		let usage = store.usage();
		assert!(usage.used <= usage.allocated && usage.allocated <= usage.capacity);
	}
	for cut in [false, true] {
		store = reopen(store, cut);
		(0..40).for_each(|number| model.check(&store, number));
		assert_eq!(store.usage().corrupt, 0);
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn acked_shards_survive_power_cuts_and_faults(
		seed in any::<u64>(),
		ops in prop::collection::vec(op(), 1..60),
	) {
		run(seed, ops);
	}

	/// Bits turn over anywhere, `SUPER` and volume headers included: a get never gives wrong bytes,
	/// and what was not hit is still there.
	#[test]
	fn bit_flips_never_give_wrong_bytes(
		flips in prop::collection::vec((any::<u64>(), any::<u64>()), 1..8),
		while_open in any::<bool>(),
	) {
		let disk = SimDisk::new(1);
		let config = small(600 << 10);
		let store = open(&disk, &config).unwrap();
		for number in 0..40 {
			let (meta, data, _) = shard(number);
			store.put(&meta, &data).unwrap();
		}
		let volumes = disk.volumes();
		let flip = || {
			for (volume, bit) in &flips {
				let name = &volumes[(volume % volumes.len() as u64) as usize];
				disk.flip(name, bit % (disk.len(name) * 8));
			}
		};
		if while_open {
			flip();
			drop(check_all(store, flips.len()));
		} else {
			drop(store);
			flip();
		}
		let store = open(&disk, &config).unwrap();
		drop(check_all(store, flips.len()));
		// What was dropped stays dropped.
		let store = open(&disk, &config).unwrap();
		for number in 0..40 {
			let (_, data, id) = shard(number);
			let found = store.get(&id).unwrap();
			prop_assert!(found.is_none_or(|(_, found)| found == data));
		}
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
				assert_eq!(bad, id);
				assert!(listed && !store.has(&id) && store.get(&id).unwrap().is_none());
				lost += 1;
			}
			Err(other) => panic!("{other}"),
		}
	}
	assert!(lost <= flips, "{lost} shards lost to {flips} bit flips");
	store
}
