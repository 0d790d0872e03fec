//! What a store does by itself: trash, holes, compaction, scrub, space, snapshots.

use crate::common::{
	clock, runner, shard,
	sim::{Faults, SimDisk},
	sized, small,
};
use arion_shard_store::{
	fuzz, Clock, Fault, Floor, Key, Limit, ManualClock, PutOutcome, ShardStore, StoreConfig,
	StoreError,
};
use proptest::prelude::*;
use std::{
	sync::{
		atomic::{AtomicBool, Ordering::Relaxed},
		Arc,
	},
	time::Duration,
};

const DAY: Duration = Duration::from_secs(86_400);

fn put(store: &ShardStore, number: u64) -> Result<PutOutcome, StoreError> {
	let (meta, data, _) = shard(number);
	store.put(&meta, &data)
}

fn key(number: u64) -> Key {
	shard(number).2.into()
}

fn holds(store: &ShardStore, number: u64) -> bool {
	let (meta, data, id) = shard(number);
	let found = store.get(&id).unwrap();
	assert!(found.is_none() || found == Some((meta, data)));
	assert_eq!(found.is_some(), store.has(&id));
	found.is_some()
}

fn at(disk: &Arc<SimDisk>, clock: &Arc<ManualClock>, config: &StoreConfig) -> ShardStore {
	ShardStore::open_on(disk.clone(), clock.clone(), config.clone()).unwrap()
}

/// Opens the store again, with its index or without.
fn again(
	store: ShardStore,
	disk: &Arc<SimDisk>,
	clock: &Arc<ManualClock>,
	config: &StoreConfig,
	index: bool,
) -> ShardStore {
	drop(store);
	if !index && disk.has("INDEX") {
		disk.overwrite("INDEX", 0, &[0; 8]);
	}
	at(disk, clock, config)
}

#[test]
fn the_trash_keeps_for_its_time_and_no_longer() {
	for index in [true, false] {
		let (disk, clock, config) = (SimDisk::new(1), clock(), small(1 << 20));
		let mut store = at(&disk, &clock, &config);
		(0..9).for_each(|n| _ = put(&store, n).unwrap());
		assert_eq!(store.delete(&key(1), None).unwrap(), 1);
		assert_eq!(store.delete(&key(1), None).unwrap(), 0);
		assert_eq!(store.delete(&key(2), None).unwrap(), 1);
		let other = shard(8).0.stripe;
		assert_eq!(store.delete(&key(3), Some(&other)).unwrap(), 0);
		assert_eq!(store.delete(&key(3), Some(&shard(3).0.stripe)).unwrap(), 1);
		let usage = store.usage();
		assert_eq!((usage.shards, usage.trash), (6, 3));
		assert!(store.stripe(&shard(1).0.stripe).unwrap().is_empty());
		assert!(store.read_range(&key(1), 0..1).unwrap().is_none());
		assert_eq!(store.inventory(None, 100).unwrap().items.len(), 6);
		store = again(store, &disk, &clock, &config, index);
		assert_eq!((store.usage().shards, store.usage().trash), (6, 3));
		assert!(!holds(&store, 1));
		assert_eq!(store.restore(&key(1), None).unwrap(), 1);
		assert!(holds(&store, 1));
		// Stored again, it is out of the trash too.
		assert_eq!(put(&store, 2).unwrap(), PutOutcome::Stored);
		assert!(holds(&store, 2));
		clock.advance(13 * DAY);
		assert_eq!(store.maintain().unwrap().purged, 0);
		store = again(store, &disk, &clock, &config, index);
		assert!(holds(&store, 1) && holds(&store, 2) && !holds(&store, 3));
		clock.advance(DAY);
		assert_eq!(store.maintain().unwrap().purged, 1);
		assert_eq!(store.restore(&key(3), None).unwrap(), 0);
		store = again(store, &disk, &clock, &config, index);
		assert_eq!((store.usage().shards, store.usage().trash), (8, 0));
		assert!((0..9).all(|n| holds(&store, n) == (n != 3)));
	}
}

#[test]
fn deleted_bytes_go_back_to_the_file_system() {
	let config = StoreConfig {
		volume_size: 2 << 20,
		max_shard_len: 1 << 18,
		..small(16 << 20)
	};
	let (disk, clock) = (SimDisk::new(2), clock());
	let mut store = at(&disk, &clock, &config);
	for number in 0..12 {
		let (meta, data, _) = sized(number, 150_000);
		store.put(&meta, &data).unwrap();
	}
	// Holes are made in volumes that are full only.
	let mut number = 100;
	while store.usage().volumes < 2 {
		let (meta, data, _) = sized(number, 150_000);
		store.put(&meta, &data).unwrap();
		number += 1;
	}
	let before = store.usage();
	for number in 1..12 {
		let id = sized(number, 150_000).2;
		assert_eq!(store.delete(&id.into(), None).unwrap(), 1);
	}
	clock.advance(14 * DAY);
	let done = store.maintain().unwrap();
	assert_eq!((done.purged, done.punched), (11, 11));
	let after = store.usage();
	let returned = before.allocated - after.allocated;
	assert!(returned * 100 >= 11 * 150_000 * 94, "{returned}");
	let taken = disk.taken("00000001.vol") + disk.taken("00000002.vol");
	assert_eq!(taken, after.allocated);
	// Each deletion is a record of a block.
	assert!(after.free >= before.free + returned - 14 * 4096);
	for index in [true, false] {
		store = again(store, &disk, &clock, &config, index);
		let usage = store.usage();
		assert_eq!((usage.allocated, usage.used), (after.allocated, after.used));
		let (meta, data, id) = sized(0, 150_000);
		assert!(store.get(&id).unwrap() == Some((meta, data)));
		assert_eq!(store.maintain().unwrap().punched, 0);
	}
}

#[test]
fn mostly_dead_volumes_are_rewritten_and_removed() {
	for index in [true, false] {
		let (disk, clock, config) = (SimDisk::new(3), clock(), small(1 << 20));
		let mut store = at(&disk, &clock, &config);
		(0..60).for_each(|n| _ = put(&store, n).unwrap());
		let before = store.usage();
		// What is to stay, what is in the trash, and what is dropped, in all volumes.
		let fate = |n: u64| n % 10;
		for number in 0..60 {
			match fate(number) {
				0 => {}
				1 => assert_eq!(store.delete(&key(number), None).unwrap(), 1),
				2 => {
					store.delete(&key(number), None).unwrap();
					store.restore(&key(number), None).unwrap();
				}
				_ => assert_eq!(store.purge(&key(number), None).unwrap(), 1),
			}
		}
		let mut compacted = 0;
		for _ in 0..20 {
			compacted += u64::from(store.maintain().unwrap().compacted.is_some());
		}
		let usage = store.usage();
		assert!(
			compacted >= 3 && usage.compacted == compacted,
			"{compacted}"
		);
		assert!(usage.allocated < before.allocated * 3 / 4, "{usage:?}");
		for round in 0..2 {
			assert_eq!((store.usage().shards, store.usage().trash), (12, 6));
			assert!((0..60).all(|n| holds(&store, n) == matches!(fate(n), 0 | 2)));
			if round == 0 {
				store = again(store, &disk, &clock, &config, index);
			}
		}
		assert_eq!(store.usage().allocated, usage.allocated);
		assert_eq!(store.restore(&key(11), None).unwrap(), 1);
		assert!(holds(&store, 11));
	}
}

#[test]
fn limits_are_named() {
	let (disk, clock) = (SimDisk::new(4), clock());
	let limit = |error: StoreError| match error {
		StoreError::InsufficientStorage { limit, .. } => limit,
		other => panic!("{other}"),
	};
	let fill = |store: &ShardStore| {
		let error = (0..).find_map(|n| put(store, n).err()).unwrap();
		limit(error)
	};
	let config = StoreConfig {
		quotas: [100_000, 0, 0],
		..small(1 << 20)
	};
	let store = at(&disk, &clock, &config);
	assert_eq!(fill(&store), Limit::Quota);
	assert!(store.usage().by_namespace[0] <= 100_000);
	drop(store);
	let floor = Floor {
		bytes: 0,
		percent: 60,
		most: u64::MAX,
	};
	// The simulated disk has half of its space free.
	let soft = StoreConfig {
		soft_floor: floor,
		..small(1 << 20)
	};
	let store = at(&disk, &clock, &soft);
	assert_eq!(fill(&store), Limit::SoftFloor);
	// Deletions and compaction go on.
	assert_eq!(store.purge(&key(0), None).unwrap(), 1);
	drop(store);
	let hard = StoreConfig {
		hard_floor: floor,
		..small(1 << 20)
	};
	let store = at(&SimDisk::new(5), &clock, &hard);
	assert_eq!(fill(&store), Limit::HardFloor);
	let store = at(&SimDisk::new(6), &clock, &small(400 << 10));
	assert_eq!(fill(&store), Limit::Capacity);
	let held = store.usage().shards;
	for number in 0..held {
		// What is kept back suffices for compaction, which makes room for more deletions.
		while let Err(error) = store.purge(&key(number), None) {
			assert_eq!(limit(error), Limit::Capacity);
			assert!(store.maintain().unwrap().compacted.is_some());
		}
	}
	assert_eq!(store.usage().shards, 0);
	(0..8).for_each(|_| _ = store.maintain().unwrap());
	(0..held / 2).for_each(|n| _ = put(&store, n).unwrap());
}

#[test]
fn the_ballast_is_given_up_for_deletions() {
	let (disk, clock) = (SimDisk::new(7), clock());
	let config = StoreConfig {
		ballast: 64 << 10,
		..small(1 << 20)
	};
	let store = at(&disk, &clock, &config);
	assert_eq!(disk.len("BALLAST"), 64 << 10);
	let mut number = 0;
	while store.usage().volumes < 2 {
		put(&store, number).unwrap();
		number += 1;
	}
	disk.set_faults(Faults {
		no_space: true,
		..Faults::default()
	});
	// Data is refused and leaves the ballast alone.
	let refused = (number..).find_map(|n| put(&store, n).err()).unwrap();
	assert!(refused.is_full() && disk.has("BALLAST"));
	// Deletions fill what is left of the volume, then ask for a new one.
	let mut n = 0;
	while disk.has("BALLAST") {
		let _ = store.delete(&key(n % number), None);
		let _ = store.restore(&key(n % number), None);
		n += 1;
		assert!(n < 1000);
	}
	disk.set_faults(Faults::default());
	store.maintain().unwrap();
	assert!(disk.has("BALLAST"));
}

#[test]
fn the_scrub_finds_damage_keeps_a_copy_and_goes_on_where_it_was() {
	let (disk, clock) = (SimDisk::new(8), clock());
	let config = StoreConfig {
		max_shard_len: 10_000,
		scrub_period: 10 * DAY,
		..small(1 << 20)
	};
	let mut store = at(&disk, &clock, &config);
	(0..60).for_each(|n| _ = put(&store, n).unwrap());
	for volume in disk.volumes().iter().take(5) {
		disk.flip(volume, (4096 + 192 + 993) * 8);
	}
	assert_eq!(store.scrub().unwrap(), 60);
	let usage = store.usage();
	assert_eq!((usage.corrupt, usage.quarantined, usage.shards), (5, 3, 55));
	let findings = store.take_findings(100);
	assert_eq!(findings.len(), 5);
	assert!(findings
		.iter()
		.all(|finding| finding.fault == Fault::Corrupt
			&& finding.key.is_some()
			&& finding.stripe.is_some()));
	assert!(store.take_findings(100).is_empty());
	store = again(store, &disk, &clock, &config, false);
	assert_eq!((0..60).filter(|n| holds(&store, *n)).count(), 55);
	// The least rate is 64 KiB a second: one second does a part of it.
	store.maintain().unwrap();
	let mut checked = 0;
	for _ in 0..3 {
		clock.advance(Duration::from_secs(1));
		checked += store.maintain().unwrap().scrubbed;
	}
	assert!((10..50).contains(&checked), "{checked}");
	let progress = store.scrub_progress().unwrap();
	store = again(store, &disk, &clock, &config, true);
	assert_eq!(store.scrub_progress().unwrap(), progress);
	assert!(progress.volume > 1 && progress.passes == 1);
	store.maintain().unwrap();
	for _ in 0..30 {
		clock.advance(Duration::from_secs(1));
		checked += store.maintain().unwrap().scrubbed;
	}
	assert!(store.scrub_progress().unwrap().passes >= 2 && checked >= 55);
	assert!(store.scrub_progress().unwrap().began > clock.now().as_secs() - 40);
}

#[test]
fn a_start_reads_only_what_came_after_the_snapshot() {
	let (disk, clock, config) = (SimDisk::new(9), clock(), small(4 << 20));
	let mut store = at(&disk, &clock, &config);
	let start = |store: ShardStore, disk: &Arc<SimDisk>| {
		drop(store);
		let before = disk.accesses();
		let store = at(disk, &clock, &config);
		(disk.accesses() - before, store)
	};
	(0..10).for_each(|n| _ = put(&store, n).unwrap());
	let (few, reopened) = start(store, &disk);
	store = reopened;
	(10..300).for_each(|n| _ = put(&store, n).unwrap());
	let (many, reopened) = start(store, &disk);
	store = reopened;
	// The index is larger and read in more pieces, the volumes are not.
	assert!(
		many <= few + 4,
		"{few} accesses with 10 records, {many} with 300"
	);
	(300..306).for_each(|n| _ = put(&store, n).unwrap());
	disk.die();
	drop(store);
	disk.revive();
	let before = disk.accesses();
	store = at(&disk, &clock, &config);
	let killed = disk.accesses() - before;
	assert!(killed <= many + 30, "{killed} accesses for six records");
	assert!((0..306).all(|n| holds(&store, n)));
}

#[test]
fn what_is_held_is_stored_again_while_a_refused_deletion_may_come_back() {
	let (disk, clock, config) = (SimDisk::new(10), clock(), small(1 << 20));
	let store = at(&disk, &clock, &config);
	put(&store, 1).unwrap();
	put(&store, 2).unwrap();
	disk.set_faults(Faults {
		sync_in: Some(0),
		..Faults::default()
	});
	assert!(store.delete(&key(1), None).is_err() && holds(&store, 1));
	// Acknowledged now, it must be there whatever the deletion left on the disk.
	assert_eq!(put(&store, 1).unwrap(), PutOutcome::Stored);
	assert_eq!(put(&store, 2).unwrap(), PutOutcome::AlreadyStored);
	assert_eq!(store.usage().shards, 2);
	disk.die();
	drop(store);
	disk.revive();
	let store = at(&disk, &clock, &config);
	assert!(holds(&store, 1) && holds(&store, 2));
	assert_eq!((store.usage().shards, store.usage().trash), (2, 0));
}

#[test]
fn few_files_are_held_open() {
	let config = StoreConfig {
		open_files: 2,
		..small(2 << 20)
	};
	let dir = tempfile::tempdir().unwrap();
	let store = ShardStore::open(dir.path(), config).unwrap();
	(0..200).for_each(|n| _ = put(&store, n).unwrap());
	assert!(store.usage().volumes > 10);
	assert!((0..200).all(|n| holds(&store, n)));
	let own = dir.path().to_str().unwrap().to_owned();
	let open = std::fs::read_dir("/proc/self/fd").unwrap().filter(|fd| {
		let target = std::fs::read_link(fd.as_ref().unwrap().path());
		target.is_ok_and(|path| path.starts_with(&own))
	});
	// Two in the cache, the writer's own and its way past the page cache, the lock.
	assert!(open.count() <= 5);
}

/// Ends the readers however the writer ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
	fn drop(&mut self) {
		self.0.store(true, Relaxed);
	}
}

#[test]
fn readers_notice_nothing_of_what_goes_on_beside_them() {
	let config = StoreConfig {
		trash_ttl: Duration::ZERO,
		round: Duration::from_millis(1),
		scrub_period: Duration::from_secs(1),
		background: true,
		// Enough for all of it, if this machine is too busy for any compaction.
		..small(8 << 20)
	};
	let dir = tempfile::tempdir().unwrap();
	let store = ShardStore::open(dir.path(), config.clone()).unwrap();
	(0..60).for_each(|n| _ = put(&store, n).unwrap());
	let done = AtomicBool::new(false);
	std::thread::scope(|scope| {
		let _stop = Stop(&done);
		for part in 0..2 {
			let (store, done) = (&store, &done);
			scope.spawn(move || {
				// Odd ones stay, wherever compaction moves them.
				while !done.load(Relaxed) {
					(0..60).filter(|n| n % 4 == 2 * part + 1).for_each(|n| {
						assert!(holds(store, n));
						assert!(store.read_range(&key(n), 0..1).unwrap().is_some());
						assert!(!store.stripe(&shard(n).0.stripe).unwrap().is_empty());
					});
				}
			});
		}
		for _ in 0..4 {
			for n in (0..60).step_by(2) {
				assert_eq!(store.delete(&key(n), None).unwrap(), 1);
			}
			for n in (0..60).step_by(2) {
				put(&store, n).unwrap();
			}
		}
	});
	let usage = store.usage();
	assert_eq!((usage.shards, usage.corrupt), (60, 0));
	drop(store);
	let store = ShardStore::open(dir.path(), config).unwrap();
	assert!((0..60).all(|n| holds(&store, n)));
}

#[test]
fn parsers_take_any_bytes() {
	let magics: [&[u8]; 5] = [
		b"",
		b"ARSR\x02\x01",
		b"ARIONIDX\x02\0\0\0\0\x01",
		b"ARIONVOL\x02",
		b"ARIONSCR",
	];
	let bytes = prop::collection::vec(any::<u8>(), 0..9000);
	let result = runner(400).run(&(bytes, 0..magics.len()), |(mut bytes, magic)| {
		let start = magics[magic];
		if bytes.len() >= start.len() {
			bytes[..start.len()].copy_from_slice(start);
		}
		fuzz::record(&bytes);
		fuzz::frame([1; 32], &bytes);
		fuzz::list(&bytes);
		fuzz::preambles(&bytes[..bytes.len().min(72)]);
		prop_assert!(fuzz::snapshot([1; 32], &bytes).is_err());
		fuzz::scrub_position([1; 32], &bytes);
		prop_assert_eq!(fuzz::volume([1; 32], &bytes).unwrap(), 0);
		Ok(())
	});
	result.unwrap();
}
