//! Each fault by itself.

use crate::common::{open, shard, sim::Faults, sim::SimDisk, small};
use arion_shard_store::{Fault, Limit, PutOutcome, ShardStore, StoreConfig, StoreError};
use hippius_primitives::{id::shard_id, ShardId, ShardMeta};
use std::sync::Arc;

fn put(store: &ShardStore, number: u64) -> Result<PutOutcome, StoreError> {
	let (meta, data, _) = shard(number);
	store.put(&meta, &data)
}

fn assert_holds(store: &ShardStore, number: u64) {
	let (meta, data, id) = shard(number);
	assert!(
		store.get(&id).unwrap() == Some((meta, data)),
		"shard {number}"
	);
}

#[test]
fn what_is_put_is_there_and_again_after_reopening() {
	let disk = SimDisk::new(0);
	let store = open(&disk, &small(1 << 20)).unwrap();
	assert_eq!(put(&store, 1).unwrap(), PutOutcome::Stored);
	assert_eq!(put(&store, 1).unwrap(), PutOutcome::AlreadyStored);
	assert_eq!(store.usage().shards, 1);
	drop(store);
	let store = open(&disk, &small(1 << 20)).unwrap();
	assert_holds(&store, 1);
	assert_eq!(put(&store, 1).unwrap(), PutOutcome::AlreadyStored);
	assert!(!store.has(&ShardId([0; 32])));
	assert!(store.get(&ShardId([0; 32])).unwrap().is_none());
}

#[test]
fn bad_shards_are_refused() {
	let disk = SimDisk::new(0);
	let store = open(&disk, &small(1 << 20)).unwrap();
	let (meta, data, _) = shard(1);
	let (other, ..) = shard(2);
	let mut inconsistent = meta.clone();
	inconsistent.stripe.0[0] ^= 1;
	let mut no_slot = meta.clone();
	no_slot.slot = 30;
	let long = vec![1; 10_001];
	let long_meta = ShardMeta::new([shard_id(&long); 30], 0).unwrap();
	let empty_meta = ShardMeta::new([shard_id(&[]); 30], 0).unwrap();
	for (meta, data) in [
		(&other, &data),
		(&inconsistent, &data),
		(&no_slot, &data),
		(&long_meta, &long),
		(&empty_meta, &Vec::new()),
	] {
		assert!(matches!(
			store.put(meta, data),
			Err(StoreError::BadShard(_))
		));
	}
	assert_eq!(store.usage().shards, 0);
}

#[test]
fn equal_bytes_in_two_stripes_keep_both_places() {
	let disk = SimDisk::new(0);
	let store = open(&disk, &small(1 << 20)).unwrap();
	let data = vec![0; 64];
	let id = shard_id(&data);
	let metas: Vec<ShardMeta> = (0..3u8)
		.map(|n| {
			let mut shards = [id; 30];
			shards[29] = ShardId([n; 32]);
			ShardMeta::new(shards, 4).unwrap()
		})
		.collect();
	for meta in &metas {
		assert_eq!(store.put(meta, &data).unwrap(), PutOutcome::Stored);
	}
	let mut second_slot = metas[0].clone();
	second_slot.slot = 5;
	assert_eq!(store.put(&second_slot, &data).unwrap(), PutOutcome::Stored);
	drop(store);
	let store = open(&disk, &small(1 << 20)).unwrap();
	assert_eq!(
		store.stripe(&metas[0].stripe).unwrap(),
		[metas[0].clone(), second_slot]
	);
	assert_eq!(store.stripe(&metas[1].stripe).unwrap(), metas[1..2]);
	assert!(store
		.get(&id)
		.unwrap()
		.is_some_and(|(_, found)| found == data));
	// One damaged copy is no loss.
	let volume = disk.volumes().remove(0);
	disk.flip(&volume, (4096 + 192 + 993) * 8);
	assert!(store
		.get(&id)
		.unwrap()
		.is_some_and(|(_, found)| found == data));
}

#[test]
fn a_failed_sync_refuses_the_group_and_seals_the_volume() {
	let disk = SimDisk::new(3);
	let store = open(&disk, &small(1 << 20)).unwrap();
	put(&store, 1).unwrap();
	disk.set_faults(Faults {
		sync_in: Some(0),
		..Faults::default()
	});
	let error = put(&store, 2).unwrap_err();
	assert!(
		matches!(error, StoreError::Io { op: "sync", .. }),
		"{error}"
	);
	let (_, _, id) = shard(2);
	assert!(!store.has(&id) && store.get(&id).unwrap().is_none());
	assert_eq!(store.usage().sealed, 1);
	// The next one goes to a new volume; the old one is still read.
	put(&store, 3).unwrap();
	assert_eq!(store.usage().volumes, 2);
	assert_holds(&store, 1);
	// The kernel says that all is well by now. The store does not rely on it: whatever it shows
	// after a restart has been written again, and survives a power cut.
	drop(store);
	let store = open(&disk, &small(1 << 20)).unwrap();
	let shown = store.has(&id);
	drop(store);
	disk.power_cut();
	let store = open(&disk, &small(1 << 20)).unwrap();
	assert!(!shown || store.get(&id).unwrap().is_some());
	assert_holds(&store, 1);
	assert_holds(&store, 3);
}

#[test]
fn a_failed_write_refuses_and_seals() {
	let disk = SimDisk::new(4);
	let store = open(&disk, &small(1 << 20)).unwrap();
	put(&store, 1).unwrap();
	disk.set_faults(Faults {
		write_in: Some(0),
		..Faults::default()
	});
	assert!(matches!(
		put(&store, 2),
		Err(StoreError::Io { op: "write", .. })
	));
	assert_eq!(put(&store, 2).unwrap(), PutOutcome::Stored);
	assert_eq!(store.usage().volumes, 2);
	drop(store);
	disk.power_cut();
	let store = open(&disk, &small(1 << 20)).unwrap();
	assert_holds(&store, 1);
	assert_holds(&store, 2);
}

#[test]
fn a_sync_that_fails_at_start_is_survived() {
	let disk = SimDisk::new(5);
	let store = open(&disk, &small(1 << 20)).unwrap();
	put(&store, 1).unwrap();
	put(&store, 2).unwrap();
	disk.die();
	drop(store);
	disk.revive();
	disk.set_faults(Faults {
		sync_in: Some(0),
		..Faults::default()
	});
	let store = open(&disk, &small(1 << 20)).unwrap();
	assert_holds(&store, 1);
	put(&store, 3).unwrap();
	drop(store);
	let store = open(&disk, &small(1 << 20)).unwrap();
	(1..=3).for_each(|number| assert_holds(&store, number));
}

#[test]
fn a_full_store_says_so_and_keeps_working() {
	let disk = SimDisk::new(6);
	let config = small(160 << 10);
	let store = open(&disk, &config).unwrap();
	let mut stored = Vec::new();
	let error = (0..).find_map(|number| match put(&store, number) {
		Ok(_) => {
			stored.push(number);
			None
		}
		Err(error) => Some(error),
	});
	let Some(StoreError::InsufficientStorage {
		needed,
		free,
		capacity,
		limit: Limit::Capacity,
	}) = error
	else {
		panic!("{error:?}")
	};
	assert!(free < needed + (8 << 10) && capacity == config.capacity);
	assert!(store.usage().allocated <= capacity && stored.len() > 10);
	stored
		.iter()
		.for_each(|number| assert_holds(&store, *number));
	drop(store);
	// More capacity, and it goes on.
	let store = open(&disk, &small(1 << 20)).unwrap();
	put(&store, 1000).unwrap();
	stored
		.iter()
		.for_each(|number| assert_holds(&store, *number));
}

#[test]
fn a_full_disk_says_so_and_recovers() {
	let disk = SimDisk::new(7);
	let store = open(&disk, &small(1 << 20)).unwrap();
	disk.set_faults(Faults {
		no_space: true,
		..Faults::default()
	});
	assert!(put(&store, 1).unwrap_err().is_full());
	disk.set_faults(Faults::default());
	put(&store, 1).unwrap();
	assert_holds(&store, 1);
}

#[test]
fn an_unreadable_block_costs_only_its_record() {
	let disk = SimDisk::new(8);
	let store = open(&disk, &small(1 << 20)).unwrap();
	(0..6).for_each(|number| _ = put(&store, number).unwrap());
	let volume = disk.volumes().remove(0);
	disk.break_block(&volume, 1);
	let (_, _, id) = shard(0);
	assert!(matches!(
		store.get(&id),
		Err(StoreError::Io { op: "read", .. })
	));
	assert!(store.usage().read_errors >= 1);
	let findings = store.take_findings(10);
	assert_eq!(findings.len(), 1);
	assert_eq!(
		(findings[0].key, findings[0].fault),
		(Some(id.into()), Fault::Unreadable)
	);
	// Repair brings it back, though the header of the old record is there to be read.
	let (meta, data, _) = shard(0);
	assert_eq!(store.put(&meta, &data).unwrap(), PutOutcome::Stored);
	assert_holds(&store, 0);
	(1..6).for_each(|number| assert_holds(&store, number));
	drop(store);
	let store = open(&disk, &small(1 << 20)).unwrap();
	(1..6).for_each(|number| assert_holds(&store, number));
}

#[test]
fn shard_content_is_never_taken_for_a_record() {
	// Record bytes of one store, put as shard content into another at every alignment, with the
	// real header destroyed so that the scan has to search through them.
	let source = SimDisk::new(9);
	let store = open(&source, &small(1 << 20)).unwrap();
	put(&store, 1).unwrap();
	drop(store);
	let volume = source.volumes().remove(0);
	let record = source.bytes(&volume)[4096..16384].to_vec();
	let config = StoreConfig {
		max_shard_len: 20_000,
		..small(1 << 20)
	};
	let disk = SimDisk::new(10);
	let store = open(&disk, &config).unwrap();
	let mut data = vec![0; 4096 - 192 - 993];
	data.extend_from_slice(&record);
	let id = shard_id(&data);
	store
		.put(&ShardMeta::new([id; 30], 0).unwrap(), &data)
		.unwrap();
	drop(store);
	disk.overwrite(&volume, 4096, &[0xff; 192]);
	let store = open(&disk, &config).unwrap();
	let (_, _, planted) = shard(1);
	assert!(!store.has(&planted));
	// The record itself was found by its footer.
	assert!(store
		.get(&id)
		.unwrap()
		.is_some_and(|(_, found)| found == data));
}

#[test]
fn one_lost_frame_loses_nothing() {
	for offset in [4096, 4096 + 4096 * 5 - 192] {
		let disk = SimDisk::new(11);
		let config = StoreConfig {
			max_shard_len: 20_000,
			..small(1 << 20)
		};
		let store = open(&disk, &config).unwrap();
		let data = vec![9; 5 * 4096 - 2 * 192 - 993 - 64];
		let id = shard_id(&data);
		store
			.put(&ShardMeta::new([id; 30], 0).unwrap(), &data)
			.unwrap();
		put(&store, 1).unwrap();
		drop(store);
		let volume = disk.volumes().remove(0);
		disk.overwrite(&volume, offset, &[0; 192]);
		let store = open(&disk, &config).unwrap();
		assert!(store.get(&id).unwrap().is_some());
		assert_holds(&store, 1);
	}
}

#[test]
fn damaged_super_and_volume_headers_are_renewed() {
	let disk = SimDisk::new(12);
	let store = open(&disk, &small(1 << 20)).unwrap();
	(0..20).for_each(|number| _ = put(&store, number).unwrap());
	drop(store);
	disk.flip("SUPER", 300);
	for _ in 0..2 {
		let store = open(&disk, &small(1 << 20)).unwrap();
		(0..20).for_each(|number| assert_holds(&store, number));
		drop(store);
		disk.volumes()
			.iter()
			.for_each(|volume| disk.flip(volume, 100));
	}
	// Now both kinds at once: the key is nowhere to be found.
	disk.flip("SUPER", 300);
	let error = open(&disk, &small(1 << 20)).unwrap_err();
	assert!(matches!(error, StoreError::NoKey { .. }), "{error}");
}

#[test]
fn concurrent_puts_share_a_sync() {
	let disk = SimDisk::new(13);
	let store = Arc::new(open(&disk, &small(1 << 20)).unwrap());
	put(&store, 0).unwrap();
	let before = store.usage().commits;
	disk.gate(true);
	let spawn = |number| {
		let store = store.clone();
		std::thread::spawn(move || put(&store, number).unwrap())
	};
	let mut threads = vec![spawn(1)];
	disk.wait_at_gate();
	// The same shard twice: written once.
	threads.extend([2, 3, 4, 4].map(spawn));
	while store.usage().waiting < 5 {
		std::thread::yield_now();
	}
	disk.gate(false);
	let outcomes: Vec<PutOutcome> = threads
		.into_iter()
		.map(|thread| thread.join().unwrap())
		.collect();
	assert_eq!(
		outcomes
			.iter()
			.filter(|o| **o == PutOutcome::Stored)
			.count(),
		4
	);
	let usage = store.usage();
	assert_eq!((usage.puts, usage.shards, usage.waiting), (5, 5, 0));
	assert!(
		usage.commits - before <= 4,
		"{} commits",
		usage.commits - before
	);
	(0..5).for_each(|number| assert_holds(&store, number));
}

#[test]
fn a_store_is_open_once_and_bad_sizes_are_refused() {
	let dir = tempfile::tempdir().unwrap();
	let config = small(1 << 20);
	let store = ShardStore::open(dir.path(), config.clone()).unwrap();
	let error = ShardStore::open(dir.path(), config.clone()).unwrap_err();
	assert!(matches!(error, StoreError::Locked { .. }), "{error}");
	drop(store);
	drop(ShardStore::open(dir.path(), config.clone()).unwrap());
	for bad in [
		StoreConfig {
			volume_size: 100_000,
			..config.clone()
		},
		StoreConfig {
			volume_size: 4096,
			..config.clone()
		},
		StoreConfig {
			capacity: 4096,
			..config.clone()
		},
		StoreConfig {
			max_shard_len: 0,
			..config.clone()
		},
		StoreConfig {
			queue_len: 0,
			..config.clone()
		},
	] {
		let error = ShardStore::open(dir.path(), bad).unwrap_err();
		assert!(matches!(error, StoreError::Config(_)), "{error}");
	}
}

#[test]
fn a_volume_of_another_store_is_refused() {
	let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
	for dir in [&one, &two] {
		put(&ShardStore::open(dir.path(), small(1 << 20)).unwrap(), 1).unwrap();
	}
	let name = "00000001.vol";
	std::fs::copy(one.path().join(name), two.path().join("00000002.vol")).unwrap();
	let error = ShardStore::open(two.path(), small(1 << 20)).unwrap_err();
	assert!(matches!(error, StoreError::ForeignVolume { .. }), "{error}");
}

#[test]
fn on_a_real_disk_volumes_are_reserved_whole() {
	use std::os::unix::fs::MetadataExt;
	let dir = tempfile::tempdir().unwrap();
	let store = ShardStore::open(dir.path(), small(1 << 20)).unwrap();
	(0..20).for_each(|number| _ = put(&store, number).unwrap());
	let usage = store.usage();
	assert!(usage.volumes > 1);
	drop(store);
	let metadata = std::fs::metadata(dir.path().join("00000001.vol")).unwrap();
	assert_eq!(metadata.len(), 64 << 10);
	assert!(metadata.blocks() * 512 >= 64 << 10);
	let store = ShardStore::open(dir.path(), small(1 << 20)).unwrap();
	(0..20).for_each(|number| assert_holds(&store, number));
	assert_eq!(store.usage().shards, 20);
	assert_eq!((store.usage().damaged, store.usage().torn), (0, 0));
}
