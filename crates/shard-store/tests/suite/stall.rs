//! Disks that hang.

use crate::common::{open, shard, sim::SimDisk, small};
use arion_shard_store::{DiskState, PutOutcome, ShardStore, StoreConfig, StoreError, StoreSet};
use std::{sync::Arc, time::Duration};

/// A store that soon gives up.
fn hasty(disk: &Arc<SimDisk>) -> ShardStore {
	let config = StoreConfig {
		stall: Duration::from_millis(50),
		queue_len: 4,
		..small(1 << 20)
	};
	open(disk, &config).unwrap()
}

fn put(store: &ShardStore, number: u64) -> Result<PutOutcome, StoreError> {
	let (meta, data, _) = shard(number);
	store.put(&meta, &data)
}

/// Opens the gates however the test ends, or the store could not be dropped.
struct Opens(Arc<SimDisk>);

impl Drop for Opens {
	fn drop(&mut self) {
		self.0.gate(false);
		self.0.gate_reads(false);
	}
}

#[test]
fn puts_to_a_disk_that_hangs_end_and_their_memory_is_bounded() {
	let disk = SimDisk::new(1);
	let store = Arc::new(hasty(&disk));
	put(&store, 0).unwrap();
	let opens = Opens(disk.clone());
	disk.gate(true);
	std::thread::scope(|scope| {
		let puts: Vec<_> = (1..20)
			.map(|number| {
				scope.spawn({
					let store = store.clone();
					move || put(&store, number)
				})
			})
			.collect();
		for put in puts {
			let ended = put.join().unwrap();
			assert!(
				matches!(ended, Err(StoreError::Stalled { .. })),
				"{ended:?}"
			);
		}
	});
	// Whoever asked has waited since before the disk was asked.
	while !store.usage().stalled {
		std::thread::yield_now();
	}
	let usage = store.usage();
	assert!(
		usage.stalled && usage.queued <= 4 && usage.waiting == 0,
		"{usage:?}"
	);
	// Refused without being waited for, and so are changes.
	assert!(matches!(put(&store, 30), Err(StoreError::Stalled { .. })));
	let (_, _, id) = shard(0);
	assert!(matches!(
		store.delete(&id.into(), None),
		Err(StoreError::Stalled { .. })
	));
	assert_eq!(store.usage().queued, usage.queued);
	// What is in memory can be asked.
	assert!(store.has(&id));
	drop(opens);
	// Once it answers, it takes puts; what nobody waited for any more may be there.
	while store.usage().queued > 0 || store.usage().stalled {
		std::thread::yield_now();
	}
	for number in 0..20 {
		put(&store, number).unwrap();
		let (meta, data, id) = shard(number);
		assert!(store.get(&id).unwrap() == Some((meta, data)));
	}
	assert_eq!(store.usage().shards, 20);
}

#[test]
fn a_store_is_closed_while_its_disk_hangs() {
	let disk = SimDisk::new(5);
	let store = hasty(&disk);
	put(&store, 1).unwrap();
	let opens = Opens(disk.clone());
	disk.gate(true);
	assert!(matches!(put(&store, 2), Err(StoreError::Stalled { .. })));
	drop(store);
	// What hangs may still be written, so nobody else may write.
	let config = small(1 << 20);
	let refused = open(&disk, &config).map(drop);
	assert!(
		matches!(refused, Err(StoreError::Locked { .. })),
		"{refused:?}"
	);
	drop(opens);
	let store = loop {
		match open(&disk, &config) {
			Ok(store) => break store,
			Err(StoreError::Locked { .. }) => std::thread::yield_now(),
			Err(error) => panic!("{error}"),
		}
	};
	let (meta, data, id) = shard(1);
	assert!(store.get(&id).unwrap() == Some((meta, data)));
}

#[test]
fn reads_of_a_disk_that_hangs_are_not_sent_after_each_other() {
	let disk = SimDisk::new(2);
	let store = hasty(&disk);
	put(&store, 1).unwrap();
	let (_, _, id) = shard(1);
	let opens = Opens(disk.clone());
	disk.gate_reads(true);
	std::thread::scope(|scope| {
		let hanging = scope.spawn(|| store.get(&id));
		disk.wait_at_gate();
		while !store.usage().stalled {
			std::thread::yield_now();
		}
		for _ in 0..100 {
			assert!(matches!(store.get(&id), Err(StoreError::Stalled { .. })));
		}
		assert!(store.has(&id));
		drop(opens);
		assert!(hanging.join().unwrap().unwrap().is_some());
	});
	assert!(!store.usage().stalled);
	assert!(store.get(&id).unwrap().is_some());
}

#[test]
fn the_other_disks_of_a_set_go_on() {
	let (ill, well) = (SimDisk::new(3), SimDisk::new(4));
	let first = hasty(&ill);
	put(&first, 1).unwrap();
	// Less room, so that the ill one would be chosen.
	let second = open(&well, &small(900 << 10)).unwrap();
	put(&second, 2).unwrap();
	let set = StoreSet::of(vec![("ill".into(), Ok(first)), ("well".into(), Ok(second))]).unwrap();
	let opens = Opens(ill.clone());
	ill.gate(true);
	let shards = |store: &ShardStore| store.usage().shards;
	for number in 10..15 {
		let (meta, data, id) = shard(number);
		assert_eq!(set.put(&meta, &data).unwrap(), PutOutcome::Stored);
		assert!(set.get(&id).unwrap().is_some());
	}
	let held: Vec<u64> = set.stores().map(shards).collect();
	assert_eq!(held, [1, 6]);
	while !set.usage().stalled {
		std::thread::yield_now();
	}
	let states: Vec<DiskState> = set.disks().iter().map(|disk| disk.state()).collect();
	assert_eq!(states, [DiskState::Stalled, DiskState::Ok]);
	assert!(matches!(
		set.disks()[0].fault,
		Some(StoreError::Stalled { .. })
	));
	let (_, _, there) = shard(2);
	assert!(set.get(&there).unwrap().is_some());
	drop(opens);
	while set.usage().stalled {
		std::thread::yield_now();
	}
	assert_eq!(
		set.disks()[0].state(),
		DiskState::Failing,
		"until a write goes well"
	);
	let (_, _, there) = shard(1);
	assert!(set.get(&there).unwrap().is_some());
}
