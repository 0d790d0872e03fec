//! Maps, shards and miners for the tests.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use arion_crush::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
	WEIGHT_ONE,
};
use arion_miner::{
	config::{Config, ControlSection, DiskSection, GridSection, NodeSection, StoreSection},
	files::BasePath,
	init::init,
	size::ByteSize,
};
use bytes::Bytes;
use codec::Encode;
use hippius_primitives::{
	daemon::EpochUpdate,
	id::shard_id,
	registration::{NodeParams, NodeRecord, NodeStatus},
	Epoch, NodeAddress, NodeKey, ShardMeta,
};
use std::path::Path;

pub const GENESIS: [u8; 32] = [9; 32];

/// A map of 30 nodes in 6 zones; node 7 has the key `own`.
pub fn update(epoch: Epoch, own: NodeKey) -> EpochUpdate {
	let mut id = 0;
	let mut next = || {
		id -= 1;
		id
	};
	let zones = (0..6u8)
		.map(|zone| ZoneBucket {
			zone,
			id: next(),
			families: (0..5u32)
				.map(|family| {
					let node = MapNode {
						index: u32::from(zone) * 5 + family,
						weight: WEIGHT_ONE,
						reweight: WEIGHT_ONE,
					};
					let hosts = vec![HostBucket {
						id: next(),
						nodes: vec![node],
					}];
					FamilyBucket { id: next(), hosts }
				})
				.collect(),
		})
		.collect();
	let rule = PlacementRule::new(5, FailureDomain::Host);
	let map = ClusterMap {
		epoch,
		pg_num: 64,
		pool: 1,
		rule,
		zones,
	};
	let nodes = (0..30)
		.map(|index| NodeRecord {
			index,
			family: [1; 32],
			key: if index == 7 {
				own
			} else {
				NodeKey([index as u8 + 1; 32])
			},
			next_key: None,
			params: NodeParams {
				zone: (index / 5) as u8,
				host: vec![b'h'],
				capacity: 1 << 30,
				addresses: vec![NodeAddress::V4 {
					ip: [127, 0, 0, 1],
					port: 4100,
				}],
			},
			status: NodeStatus::Active,
		})
		.collect();
	let map = map.encode();
	let map_hash = sp_crypto_hashing::blake2_256(&map);
	EpochUpdate {
		genesis: GENESIS,
		epoch,
		map_hash,
		map,
		nodes,
	}
}

/// A shard of its own stripe.
pub fn shard(seed: u8) -> (ShardMeta, Bytes) {
	let bytes: Vec<u8> = (0..100_000u32)
		.map(|i| (i as u8).wrapping_mul(seed | 1))
		.collect();
	let mut shards = [hippius_primitives::ShardId([seed; 32]); 30];
	shards[3] = shard_id(&bytes);
	(ShardMeta::new(shards, 3).unwrap(), bytes.into())
}

/// Settings with free ports.
pub fn config() -> Config {
	Config {
		node: NodeSection {
			zone: Some(1),
			host: Some("h".into()),
		},
		grid: GridSection {
			listen: "127.0.0.1:0".parse().unwrap(),
			public: Vec::new(),
			relays: Vec::new(),
		},
		store: StoreSection {
			jobs: 8,
			..StoreSection::single(ByteSize(64 << 20), Some(ByteSize(16 << 20)))
		},
		control: ControlSection {
			listen: "127.0.0.1:0".parse().unwrap(),
		},
	}
}

/// Settings with two disks in `dir`.
pub fn two_disks(dir: &Path) -> Config {
	let mut config = config();
	let disk = |name: &str| DiskSection {
		path: dir.join(name),
		capacity: ByteSize(64 << 20),
		volume_size: Some(ByteSize(16 << 20)),
	};
	config.store = StoreSection {
		capacity: None,
		shared_file_system: true,
		disks: vec![disk("disk-a"), disk("disk-b")],
		..config.store
	};
	config
}

/// A miner's directory, made.
pub fn made(dir: &Path) -> (BasePath, NodeKey) {
	let base = BasePath(dir.join("miner"));
	let key = init(&base, &config()).unwrap();
	(base, key)
}
