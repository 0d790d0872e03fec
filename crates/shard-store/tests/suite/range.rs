//! Verified reads of a part of a record.

use crate::common::{open, sim::SimDisk, sized, small};
use arion_shard_store::{Key, Namespace, PutOutcome, ShardStore, StoreConfig, StoreError};
use arion_storage_proof::Outboard;
use hippius_primitives::id::shard_id;
use std::sync::Arc;

const LEN: usize = 100_000;

fn store(seed: u64) -> (Arc<SimDisk>, ShardStore) {
	let disk = SimDisk::new(seed);
	let config = StoreConfig {
		volume_size: 256 << 10,
		max_shard_len: 1 << 17,
		..small(4 << 20)
	};
	let store = open(&disk, &config).unwrap();
	(disk, store)
}

#[test]
fn any_range_reads_what_was_stored_in_two_reads() {
	let (disk, store) = store(1);
	for len in [1, 5000, 16_384, 16_385, 32_768, LEN] {
		let (meta, data, id) = sized(len as u64, len);
		store.put(&meta, &data).unwrap();
		let outboard = store.outboard(&id.into()).unwrap().unwrap();
		assert!(outboard == Outboard::build(&data) && outboard.shard_id() == id);
		for (start, end) in [
			(0, len),
			(0, 1),
			(len - 1, len),
			(len / 2, len / 2),
			(len / 3, len / 2),
			(len, len),
		] {
			let before = disk.accesses();
			let range = start as u64..end as u64;
			let found = store.read_range(&id.into(), range).unwrap().unwrap();
			assert!(found == data[start..end], "{start}..{end} of {len}");
			assert!(disk.accesses() - before <= 2);
		}
		for (start, end) in [(0, len as u64 + 1), (u64::MAX, u64::MAX), (1, 0)] {
			let error = store.read_range(&id.into(), start..end).unwrap_err();
			assert!(matches!(error, StoreError::Range { .. }), "{error}");
		}
	}
	let absent = Key::from(shard_id(b"absent"));
	assert!(store.read_range(&absent, 0..1).unwrap().is_none());
	assert!(store.outboard(&absent).unwrap().is_none());
}

#[test]
fn damage_is_noticed_where_it_is_and_only_there() {
	let (disk, store) = store(2);
	let (meta, data, id) = sized(7, LEN);
	store.put(&meta, &data).unwrap();
	let volume = disk.volumes().remove(0);
	// A bit of the fourth group.
	let start = 4096 + 192 + 993;
	disk.flip(&volume, (start + 60_000) * 8);
	let key = Key::from(id);
	for group in [0u64, 1, 2, 4, 5] {
		let range = group * 16_384..((group + 1) * 16_384).min(LEN as u64);
		let found = store.read_range(&key, range.clone()).unwrap().unwrap();
		assert!(found == data[range.start as usize..range.end as usize]);
	}
	let error = store.read_range(&key, 50_000..60_000).unwrap_err();
	assert!(
		matches!(error, StoreError::Corrupt(bad) if bad == key),
		"{error}"
	);
	assert!(store.read_range(&key, 0..1).unwrap().is_none() && !store.has(&id));
	assert_eq!(store.put(&meta, &data).unwrap(), PutOutcome::Stored);
	assert!(store.read_range(&key, 50_000..60_000).unwrap().is_some());
}

#[test]
fn a_damaged_outboard_or_footer_costs_nothing_and_is_mended() {
	for offset in [8u64, 192 + 8] {
		let (disk, store) = store(3);
		let (meta, data, id) = sized(7, LEN);
		store.put(&meta, &data).unwrap();
		let volume = disk.volumes().remove(0);
		let record = (LEN + 993 + 2 * 192 + 6 * 64).div_ceil(4096) * 4096;
		disk.flip(&volume, (4096 + record as u64 - offset) * 8);
		let found = store.read_range(&id.into(), 5..90_000).unwrap().unwrap();
		assert!(found == data[5..90_000]);
		// It may come by the new one, too.
		assert!(store.scrub().unwrap() >= 1);
		let usage = store.usage();
		assert_eq!((usage.rewritten, usage.corrupt, usage.shards), (1, 0, 1));
		assert_eq!(store.scrub().unwrap(), 1);
		assert_eq!(store.usage().rewritten, 1);
		assert!(store.get(&id).unwrap() == Some((meta, data)));
	}
}

#[test]
fn other_namespaces_hold_bytes_under_any_digest() {
	let (_, store) = store(4);
	let (_, data, id) = sized(1, 40_000);
	for namespace in [Namespace::Block, Namespace::Chunk] {
		let key = Key {
			namespace,
			digest: [9; 32],
		};
		assert_eq!(store.put_keyed(&key, &data).unwrap(), PutOutcome::Stored);
		let again = store.put_keyed(&key, &data).unwrap();
		assert_eq!(again, PutOutcome::AlreadyStored);
		assert!(store.has_keyed(&key) && !store.has(&id));
		assert!(store.get_keyed(&key).unwrap() == Some(data.clone()));
		let part = store.read_range(&key, 20_000..20_010).unwrap().unwrap();
		assert!(part == data[20_000..20_010]);
		assert_eq!(store.delete(&key, None).unwrap(), 1);
		assert!(store.get_keyed(&key).unwrap().is_none());
	}
	let error = store.put_keyed(&id.into(), &data).unwrap_err();
	assert!(matches!(error, StoreError::BadShard(_)), "{error}");
	assert_eq!(store.usage().trash, 2);
}

#[test]
fn a_slice_is_read_unchecked_with_its_tree() {
	let (disk, store) = store(5);
	for len in [1, 16_384, 16_385, LEN] {
		let (meta, data, id) = sized(len as u64 + 7, len);
		store.put(&meta, &data).unwrap();
		let key = Key::from(id);
		let count = len.div_ceil(16_384) as u64;
		for groups in [
			None,
			Some(0..1),
			Some(count - 1..count),
			Some(count / 2..count),
		] {
			let before = disk.accesses();
			let slice = store.read_slice(&key, groups.clone()).unwrap().unwrap();
			assert!(disk.accesses() - before <= 2);
			let groups = groups.unwrap_or(0..count);
			assert_eq!(slice.groups, groups);
			let start = groups.start as usize * 16_384;
			assert!(slice.data == data[start..(groups.end as usize * 16_384).min(len)]);
			assert!(slice.outboard == Outboard::build(&data));
		}
		for groups in [
			0..0,
			1..1,
			0..count + 1,
			count..count + 1,
			0..u64::MAX,
			u64::MAX - 1..u64::MAX,
		] {
			let error = store.read_slice(&key, Some(groups)).unwrap_err();
			assert!(matches!(error, StoreError::Range { .. }), "{error}");
		}
	}
	let absent = Key::from(shard_id(b"absent"));
	assert!(store.read_slice(&absent, None).unwrap().is_none());
}
