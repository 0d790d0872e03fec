//! Maps, shards and miners for the tests.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

pub mod by_hand;
pub mod network;
pub mod process;
#[cfg(target_os = "linux")]
pub mod rig;

use arion_crush::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
	WEIGHT_ONE,
};
use arion_grid::{Grid, GridError, Identity, Peer, PutAck};
use arion_miner::epochs::Epochs;
use arion_miner::{
	config::{
		Config, ControlSection, DiskSection, GridSection, NodeSection, PermitsSection, StoreSection,
	},
	files::BasePath,
	init::init,
	size::ByteSize,
};
use bytes::Bytes;
use codec::Encode;
use hippius_primitives::{
	daemon::EpochUpdate,
	id::shard_id,
	permit::{SignedPermit, StorePermit},
	registration::{NodeParams, NodeRecord, NodeStatus},
	Epoch, NodeAddress, NodeKey, ShardMeta,
};
use std::{
	path::Path,
	sync::atomic::{AtomicU64, Ordering},
};

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
	let map = ClusterMap::plain(epoch, 64, 1, rule, zones);
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

/// The number of this miner's node in the map of [`update`].
pub const OWN: u32 = 7;

/// A shard of its own stripe, in the slot that is node 7's by the map of [`update`].
pub fn shard(seed: u8) -> (ShardMeta, Bytes) {
	shard_of(seed, OWN)
}

/// A shard of its own stripe, in the slot of a node.
pub fn shard_of(seed: u8, node: u32) -> (ShardMeta, Bytes) {
	sized_shard(seed, node, 100_032)
}

/// The same, of `len` bytes.
pub fn sized_shard(seed: u8, node: u32, len: usize) -> (ShardMeta, Bytes) {
	let update = update(1, NodeKey([0; 32]));
	let map = ClusterMap::decode_checked(&update.map).unwrap();
	let placement = map.placement().unwrap();
	let bytes: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(seed | 1)).collect();
	let id = shard_id(&bytes);
	for slot in 0..30u8 {
		let mut shards = [hippius_primitives::ShardId([seed; 32]); 30];
		for filler in 0..=255u8 {
			shards[usize::from(slot + 1) % 30] = hippius_primitives::ShardId([filler; 32]);
			shards[usize::from(slot)] = id;
			let meta = ShardMeta::new(shards, slot).unwrap();
			let up = placement.up(map.pg_of(&meta.stripe)).unwrap();
			if up[usize::from(slot)] == Some(node) {
				return (meta, bytes.into());
			}
		}
	}
	panic!("node {node} has no slot")
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
	let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
	since.unwrap().as_millis() as u64
}

/// A permit for a shard by the map of [`update`].
pub fn permit(identity: &Identity, epoch: Epoch, meta: &ShardMeta, bytes: &Bytes) -> SignedPermit {
	static NONCE: AtomicU64 = AtomicU64::new(0);
	let now = now();
	identity.permit(StorePermit {
		genesis: GENESIS,
		epoch,
		stripe: meta.stripe,
		shard_len: bytes.len() as u32,
		owner: [5; 32],
		issued: now,
		expires: now + 60_000,
		nonce: NONCE.fetch_add(1, Ordering::Relaxed),
	})
}

/// Puts a shard as `grid` would that has the right to.
pub async fn store(
	grid: &Grid,
	peer: &Peer,
	(meta, bytes): &(ShardMeta, Bytes),
) -> Result<PutAck, GridError> {
	let permit = permit(&grid.identity(), 1, meta, bytes);
	peer.put(&permit, meta, bytes.clone()).await
}

/// Hands a miner that does not run a map.
pub fn give_map(base: &BasePath, update: &EpochUpdate, key: NodeKey) {
	std::fs::create_dir_all(base.map()).unwrap();
	let epochs = Epochs::load(base.map(), key).unwrap();
	epochs.take(&update.encode()).unwrap();
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
		permits: PermitsSection::default(),
		repair: Default::default(),
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
