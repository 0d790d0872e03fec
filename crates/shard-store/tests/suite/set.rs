//! Several disks, and what must not be opened.

use crate::common::{open, shard, sim::SimDisk, small};
use arion_shard_store::{DiskState, PutOutcome, ShardStore, StoreError, StoreSet};
use std::collections::BTreeSet;

#[test]
fn several_disks_are_used_as_one_and_a_dead_one_is_left_out() {
	let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
	// The third is not to be had.
	let taken = ShardStore::open(dirs[2].path(), small(1 << 20)).unwrap();
	let configs = |sizes: [u64; 3]| {
		let dirs = dirs.iter().zip(sizes);
		dirs.map(|(dir, size)| (dir.path().to_path_buf(), small(size)))
			.collect::<Vec<_>>()
	};
	let set = StoreSet::open(configs([400 << 10, 1 << 20, 1 << 20])).unwrap();
	let reports = set.disks();
	assert!(matches!(reports[2].usage, Err(StoreError::Locked { .. })));
	let mut stored = Vec::new();
	let full = (0..).find_map(|number| {
		let (meta, data, _) = shard(number);
		match set.put(&meta, &data) {
			Ok(_) => {
				stored.push(number);
				None
			}
			Err(error) => Some(error),
		}
	});
	assert!(full.unwrap().is_full());
	let used: Vec<u64> = set.stores().map(|store| store.usage().shards).collect();
	assert!(used.iter().all(|shards| *shards > 10), "{used:?}");
	assert_eq!(set.usage().shards, stored.len() as u64);
	for number in &stored {
		let (meta, data, id) = shard(*number);
		assert!(set.has(&id));
		assert!(set.stripe(&meta.stripe).unwrap() == std::slice::from_ref(&meta));
		// Held wherever it is, full or not.
		assert_eq!(set.put(&meta, &data).unwrap(), PutOutcome::AlreadyStored);
		assert!(set.read_range(&id.into(), 0..1).unwrap().unwrap() == data[..1]);
		assert!(set.get(&id).unwrap() == Some((meta, data)));
	}
	let (_, _, id) = shard(stored[0]);
	assert_eq!(set.delete(&id.into(), None).unwrap(), 1);
	assert!(!set.has(&id));
	assert_eq!(set.restore(&id.into(), None).unwrap(), 1);
	assert!(set.has(&id));
	drop(taken);
	drop(set);
	let taken = ShardStore::open(dirs[0].path(), small(1 << 20)).unwrap();
	let none = StoreSet::open(vec![(dirs[0].path().into(), small(1 << 20))]);
	assert!(matches!(none.unwrap_err(), StoreError::Locked { .. }));
	drop(taken);
	assert!(matches!(
		StoreSet::open(Vec::new()).unwrap_err(),
		StoreError::Config(_)
	));
}

#[test]
fn a_disk_that_dies_costs_only_its_own_records() {
	let sims = [SimDisk::new(1), SimDisk::new(2)];
	let names = ["a", "b"].map(std::path::PathBuf::from);
	let stores = sims.iter().map(|disk| open(disk, &small(1 << 20)));
	let set = StoreSet::of(names.into_iter().zip(stores).collect()).unwrap();
	let put = |number| {
		let (meta, data, _) = shard(number);
		set.put(&meta, &data)
	};
	for number in 0..20 {
		put(number).unwrap();
	}
	assert!(set.disks().iter().all(|disk| disk.state() == DiskState::Ok));
	let on_second: Vec<u64> = {
		let second = set.stores().nth(1).unwrap();
		(0..20).filter(|n| second.has(&shard(*n).2)).collect()
	};
	assert!((5..16).contains(&on_second.len()), "{on_second:?}");
	sims[0].die();
	// Writes go on, on the other disk, and the dead one is reported.
	for number in 20..30 {
		assert_eq!(put(number).unwrap(), PutOutcome::Stored);
	}
	let reports = set.disks();
	assert_eq!(reports[0].state(), DiskState::Failing);
	assert!(matches!(reports[0].fault, Some(StoreError::Io { .. })));
	assert_eq!(reports[1].state(), DiskState::Ok);
	for number in on_second.into_iter().chain(20..30) {
		let (meta, data, id) = shard(number);
		assert!(set.get(&id).unwrap() == Some((meta.clone(), data)));
		assert_eq!(set.stripe(&meta.stripe).unwrap(), [meta]);
	}
	// It comes back: what it held is there, and it is written to again.
	sims[0].revive();
	for number in 0..20 {
		let (meta, data, id) = shard(number);
		assert!(set.get(&id).unwrap() == Some((meta, data)), "{number}");
	}
	sims[1].die();
	put(30).unwrap();
	let reports = set.disks();
	assert!(reports[0].fault.is_none(), "{:?}", reports[0].fault);
	// No disk is left.
	sims[0].die();
	assert!(matches!(put(31), Err(StoreError::Io { .. })));
}

#[test]
fn an_inventory_lists_every_record_of_every_disk_once() {
	let sims = [SimDisk::new(1), SimDisk::new(2), SimDisk::new(3)];
	let mut disks: Vec<_> = sims
		.iter()
		.map(|disk| ("x".into(), open(disk, &small(1 << 20))))
		.collect();
	disks.insert(1, ("gone".into(), Err(StoreError::Closed)));
	let set = StoreSet::of(disks).unwrap();
	let mut stored = BTreeSet::new();
	for number in 0..40 {
		let (meta, data, id) = shard(number);
		set.put(&meta, &data).unwrap();
		stored.insert(arion_shard_store::Key::from(id));
	}
	for limit in [1, 7, 40, 1000] {
		let (mut listed, mut from) = (Vec::new(), None);
		loop {
			let page = set.inventory(from, limit).unwrap();
			assert!(page.items.len() <= limit + 1);
			listed.extend(page.items.into_iter().map(|item| item.key));
			from = page.next;
			if from.is_none() {
				break;
			}
		}
		assert_eq!(listed.len(), 40, "{limit}");
		assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), stored);
	}
}

#[test]
fn a_store_of_another_format_version_is_refused() {
	let disk = SimDisk::new(1);
	drop(open(&disk, &small(1 << 20)).unwrap());
	// `SUPER` as version 1 wrote it.
	let mut bytes = disk.bytes("SUPER");
	bytes[8] = 1;
	let key: [u8; 32] = bytes[24..56].try_into().unwrap();
	let mut covered = vec![b'P', 0, 0, 0, 0, 0, 0, 0, 0];
	covered.extend_from_slice(&bytes[..56]);
	let check = blake3::keyed_hash(&key, &covered);
	bytes[56..72].copy_from_slice(&check.as_bytes()[..16]);
	disk.overwrite("SUPER", 0, &bytes);
	let error = open(&disk, &small(1 << 20)).unwrap_err();
	let StoreError::Version { found, known, .. } = error else {
		panic!("{error}");
	};
	assert_eq!((found, known), (1, 2));
	assert!(error.to_string().contains("format version 1"), "{error}");
}
