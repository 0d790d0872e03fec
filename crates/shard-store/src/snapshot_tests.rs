#![allow(clippy::unwrap_used)]

use super::*;
use crate::key::{Namespace, Place};

const KEY: StoreKey = StoreKey([7; 32]);

fn sample() -> Index {
	let mut index = Index::default();
	for number in [1, 4] {
		index.set_volume(
			number,
			Stat {
				blocks: 10_000,
				mark: 9000,
				closed: number == 1,
				saved: number == 1,
				punched: number,
				..Stat::default()
			},
		);
	}
	for n in 0..3000u64 {
		let place = Place {
			volume: 1 + 3 * (n % 2) as u32,
			block: 1 + n as u32 * 3,
		};
		let fp = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
		let entry = Entry::new(fp, place, 3, Namespace::Shard);
		index.insert(entry);
		index.insert(entry.of_stripe(!fp));
		if n % 7 == 0 {
			index.set_trash(&entry, Some(n));
		}
	}
	let place = Place {
		volume: 4,
		block: 9990,
	};
	index
		.to_punch
		.insert(Entry::new(0, place, 9, Namespace::Block).spot());
	index
}

fn encode(index: &Index) -> Vec<u8> {
	let mut out = Front::of(index).encode();
	(0..TABLES).for_each(|table| encode_table(index, table, &mut out));
	let check = hasher(&KEY).update(&out).finalize();
	out.extend_from_slice(check.as_bytes());
	out
}

fn decode(key: &StoreKey, mut bytes: &[u8]) -> Result<Index, SnapshotError> {
	load(key, bytes.len() as u64, &mut |buf| {
		io::Read::read_exact(&mut bytes, buf)
	})
}

#[test]
fn a_snapshot_reads_back() {
	let index = sample();
	let bytes = encode(&index);
	let read = decode(&KEY, &bytes).unwrap();
	assert_eq!(read.volumes, index.volumes);
	assert_eq!((read.live, read.trashed), (index.live, index.trashed));
	assert_eq!(
		(read.trash.clone(), read.to_punch.clone()),
		(index.trash.clone(), index.to_punch.clone())
	);
	assert_eq!(read.allocated, index.allocated);
	for table in 0..TABLES {
		let sorted = |index: &Index| {
			let mut all: Vec<_> = index.table(table).map(|entry| entry.to_bytes()).collect();
			all.sort_unstable();
			all
		};
		assert_eq!(sorted(&read), sorted(&index));
	}
}

#[test]
fn damaged_cut_and_foreign_snapshots_are_refused() {
	let bytes = encode(&sample());
	for at in (0..bytes.len()).step_by(97).chain(0..200) {
		let mut bad = bytes.clone();
		bad[at] ^= 0x41;
		assert!(decode(&KEY, &bad).is_err(), "byte {at}");
	}
	for len in (0..bytes.len()).step_by(1009).chain(0..200) {
		assert!(decode(&KEY, &bytes[..len]).is_err(), "{len} bytes");
	}
	let error = decode(&StoreKey([8; 32]), &bytes).err().unwrap();
	assert!(matches!(error, SnapshotError::Check), "{error}");
	let mut longer = bytes;
	longer.push(0);
	assert!(decode(&KEY, &longer).is_err());
}
