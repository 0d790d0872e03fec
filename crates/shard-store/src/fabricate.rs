//! Makes a store that looks full without the bytes, to measure what a start costs. For benches.

use crate::{
	disk::OsDisk,
	entry::Entry,
	frame::{offset, record_blocks},
	index::{Index, Stat, TABLES},
	key::{Key, Namespace, Place, StoreKey},
	open::SNAPSHOT,
	preamble::{self, Start},
	snapshot::{encode_table, hasher, Front},
	volume::{self, SUPER},
	StoreError,
};
use codec::MaxEncodedLen;
use hippius_primitives::{ShardMeta, StripeId};
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Writes `SUPER`, sparse volumes of `volume_size` bytes and the index of `records` shards of `len`
/// bytes to the empty directory `dir`. The shards' own bytes are holes.
pub fn store(dir: &Path, records: u64, len: usize, volume_size: u64) -> Result<(), StoreError> {
	let fail = |error| StoreError::io("make a store in", dir.display().to_string(), error);
	let disk = OsDisk::new(dir).map_err(fail)?;
	let key = StoreKey([7; 32]);
	volume::replace(&disk, SUPER, &[&preamble::of_super(&key)])?;
	let blocks = (volume_size / offset(1)) as u32;
	let each = record_blocks(ShardMeta::max_encoded_len(), len);
	let mut index = Index::default();
	let (mut number, mut at) = (0, blocks);
	for record in 0..records {
		if at + each + 1 >= blocks {
			finish(&mut index, number, at, true);
			number += 1;
			at = 1;
			make_volume(dir, &key, number, blocks).map_err(fail)?;
			let stat = Stat {
				blocks,
				..Stat::default()
			};
			index.set_volume(number, stat);
		}
		let digest = *blake3::hash(&record.to_le_bytes()).as_bytes();
		let name = Key {
			namespace: Namespace::Shard,
			digest,
		};
		let place = Place {
			volume: number,
			block: at,
		};
		let entry = Entry::new(key.fingerprint(&name), place, each, Namespace::Shard);
		index.insert_new(entry);
		index.insert_new(entry.of_stripe(key.stripe_fingerprint(&StripeId(digest))));
		at += each;
	}
	finish(&mut index, number, at, false);
	save(dir, &key, &index).map_err(fail)
}

fn finish(index: &mut Index, number: u32, mark: u32, closed: bool) {
	if let Some(stat) = index.volumes.get_mut(&number) {
		(stat.mark, stat.closed) = (mark, closed);
	}
}

fn make_volume(dir: &Path, key: &StoreKey, number: u32, blocks: u32) -> io::Result<()> {
	let file = File::create(dir.join(volume::name(number)))?;
	file.set_len(offset(blocks))?;
	let start = Start {
		key: *key,
		number,
		before: 0,
	};
	file.write_all_at(&preamble::of_volume(&start, blocks), 0)
}

fn save(dir: &Path, key: &StoreKey, index: &Index) -> io::Result<()> {
	let file = File::create(dir.join(SNAPSHOT))?;
	let mut check = hasher(key);
	let mut at = 0;
	let mut buf = Front::of(index).encode();
	for table in 0..TABLES {
		encode_table(index, table, &mut buf);
		check.update(&buf);
		file.write_all_at(&buf, at)?;
		at += buf.len() as u64;
		buf.clear();
	}
	file.write_all_at(check.finalize().as_bytes(), at)?;
	file.sync_all()
}
