//! Shared by the store's tests: shards to store, and a disk in memory whose faults follow a seed.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

pub mod sim;
pub mod world;

use self::sim::SimDisk;
use arion_shard_store::{Floor, ManualClock, ShardStore, StoreConfig, StoreError};
use hippius_primitives::{id::shard_id, ShardId, ShardMeta};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::{sync::Arc, time::Duration};

/// Repeatable numbers.
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
	pub fn next(&mut self) -> u64 {
		self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mut z = self.0;
		z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		z ^ (z >> 31)
	}

	pub fn below(&mut self, end: u64) -> u64 {
		self.next() % end.max(1)
	}
}

/// Shard number `seed`: its length and bytes follow from the number.
pub fn shard(seed: u64) -> (ShardMeta, Vec<u8>, ShardId) {
	let mut rng = Rng(seed);
	let len = 1 + rng.below(9000) as usize;
	sized(seed, len)
}

/// Shard number `seed` of `len` bytes.
pub fn sized(seed: u64, len: usize) -> (ShardMeta, Vec<u8>, ShardId) {
	let mut rng = Rng(seed ^ 0x5eed);
	let data: Vec<u8> = (0..len).map(|_| rng.next() as u8).collect();
	let id = shard_id(&data);
	let mut shards = [ShardId([seed as u8; 32]); 30];
	let slot = (seed % 30) as u8;
	shards[usize::from(slot)] = id;
	(ShardMeta::new(shards, slot).unwrap(), data, id)
}

/// Volumes of 64 KiB, so that a few shards fill one; no thread but the writer.
pub fn small(capacity: u64) -> StoreConfig {
	StoreConfig {
		volume_size: 64 << 10,
		reserve: 64 << 10,
		soft_floor: Floor::NONE,
		hard_floor: Floor::NONE,
		ballast: 0,
		max_shard_len: 10_000,
		batch_bytes: 24 << 10,
		batch_wait: Duration::ZERO,
		snapshot_bytes: 1 << 40,
		quarantine: 3,
		background: false,
		..StoreConfig::new(capacity)
	}
}

/// 17 July 2026.
pub fn clock() -> Arc<ManualClock> {
	Arc::new(ManualClock::new(Duration::from_secs(1_784_246_400)))
}

pub fn open(disk: &Arc<SimDisk>, config: &StoreConfig) -> Result<ShardStore, StoreError> {
	ShardStore::open_on(disk.clone(), clock(), config.clone())
}

/// Runs the same cases every time, or, if `ARION_STORE_SEED` is a number, others.
pub fn runner(cases: u32) -> TestRunner {
	let seed = std::env::var("ARION_STORE_SEED").map_or(1, |seed| seed.parse().unwrap());
	let mut bytes = [0; 32];
	bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
	let config = Config {
		cases,
		failure_persistence: None,
		..Config::default()
	};
	TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
