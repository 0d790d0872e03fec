//! The daemon's own process, a client that keeps to the rules, and how much memory others cost it.

use super::{config, give_map, process::Process, sized_shard, store, update, OWN};
use arion_grid::{Grid, GridConfig, Identity, Peer};
use arion_miner::{
	config::{Config, StoreSection},
	files::BasePath,
	init::init,
	size::ByteSize,
};
use bytes::Bytes;
use hippius_primitives::{coding::SHARD_LEN, ShardId, ShardMeta};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// Bytes of a MiB.
pub const MIB: u64 = 1 << 20;
/// Reads of its store that the daemon has under way at a time.
pub const JOBS: usize = 8;
/// Nothing here takes this long.
pub const HANG: Duration = Duration::from_secs(120);

/// The daemon's limits: it runs with the defaults.
pub fn limits() -> GridConfig {
	GridConfig::default()
}

pub fn honest() -> Arc<Grid> {
	let config = GridConfig {
		// Longer than the daemon may keep anybody waiting.
		answer_timeout: HANG,
		redial_delay: Duration::ZERO,
		..GridConfig::default()
	};
	let identity = Arc::new(Identity::generate().unwrap());
	Grid::bind("127.0.0.1:0".parse().unwrap(), identity, config).unwrap()
}

/// A miner's process that holds shards, and a client that keeps to the rules.
pub struct Rig {
	pub process: Process,
	/// Holds the connection that `peer` uses.
	_grid: Arc<Grid>,
	pub peer: Peer,
	shards: Vec<(ShardMeta, Bytes)>,
	/// Resident memory of the process when all of them were stored and read, in bytes.
	before: u64,
	_dir: tempfile::TempDir,
}

impl Rig {
	pub async fn start() -> Self {
		let dir = tempfile::tempdir().unwrap();
		let base = BasePath(dir.path().join("miner"));
		let config = Config {
			store: StoreSection {
				jobs: JOBS,
				..StoreSection::single(ByteSize(64 * MIB), Some(ByteSize(16 * MIB)))
			},
			..config()
		};
		let key = init(&base, &config).unwrap();
		give_map(&base, &update(1, key), key);
		let process = Process::start(&base);
		let grid = honest();
		let peer = grid.peer(key, vec![process.info.listen]);
		let shards: Vec<_> = [1, 3, 5, 7]
			.map(|seed| sized_shard(seed, OWN, SHARD_LEN))
			.into();
		let mut rig = Self {
			process,
			_grid: grid,
			peer,
			shards,
			before: 0,
			_dir: dir,
		};
		for shard in &rig.shards {
			store(&rig._grid, &rig.peer, shard).await.unwrap();
		}
		for at in 0..rig.shards.len() {
			rig.read(at).await;
		}
		rig.before = rig.process.memory().0;
		rig
	}

	pub fn id(&self, at: usize) -> ShardId {
		self.shards[at % self.shards.len()].0.shard().unwrap()
	}

	/// Reads a shard as one should; how long it took.
	pub async fn read(&self, at: usize) -> Duration {
		let start = Instant::now();
		let bytes = self.peer.get(self.id(at), SHARD_LEN).await.unwrap();
		assert_eq!(bytes, self.shards[at % self.shards.len()].1);
		start.elapsed()
	}

	/// Checks by how much the process grew, at its largest.
	pub fn assert_grown_at_most(&self, bound: u64, what: &str) {
		let (after, peak) = self.process.memory();
		let mib = |bytes: u64| bytes as f64 / MIB as f64;
		println!(
			"{what}: resident before {:.1} MiB, peak {:.1} MiB, after {:.1} MiB; at most {:.1} MiB more are allowed",
			mib(self.before),
			mib(peak),
			mib(after),
			mib(bound),
		);
		let grown = peak.saturating_sub(self.before);
		assert!(
			grown <= bound,
			"{what}: the process grew by {:.1} MiB",
			mib(grown)
		);
	}
}
