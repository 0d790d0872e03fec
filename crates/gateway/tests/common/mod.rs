//! Thirty miners in this process: real QUIC endpoints over real shard stores in a temporary folder.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use arion_crush::cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
};
use arion_gateway::{
	catalog::Catalog,
	cluster::{Cluster, Node},
	config::Config,
	run::grid_config,
	Address, Gateway, GetError, Label, Object, PutError, Stored,
};
use arion_grid::{
	BoxFuture, Extract, Grid, GridConfig, GridError, Identity, PutAck, ServiceError, ShardService,
};
use arion_shard_store::{PutOutcome, ShardStore, StoreConfig, StoreError};
use bytes::Bytes;
use futures_util::{stream, TryStreamExt};
use hippius_primitives::{
	permit::SignedPermit, Epoch, NodeIndex, NodeKey, ShardId, ShardMeta, StripeId,
};
use std::{
	convert::Infallible,
	net::SocketAddr,
	ops::Range,
	path::PathBuf,
	sync::{
		atomic::{AtomicU8, AtomicUsize, Ordering},
		Arc,
	},
};
use tokio::sync::watch;

pub const MINERS: u32 = 30;
const ONE: u32 = 0x1_0000;

/// How a miner behaves when asked for a shard.
pub const HONEST: u8 = 0;
pub const LIES: u8 = 1;
pub const STALLS: u8 = 2;

pub struct Service {
	store: Arc<ShardStore>,
	pub manner: AtomicU8,
	pub puts: AtomicUsize,
	/// Requests taken by a miner that stalls, and how many of them were cancelled.
	pub stalled: AtomicUsize,
	pub cancelled: watch::Sender<usize>,
	/// Removed when the last store in it has closed; while one still writes, it could not be.
	_network: Arc<tempfile::TempDir>,
}

/// Counts when the request it belongs to is dropped.
struct OnCancel<'a>(&'a watch::Sender<usize>);

impl Drop for OnCancel<'_> {
	fn drop(&mut self) {
		self.0.send_modify(|count| *count += 1);
	}
}

async fn blocking<T: Send + 'static>(
	store: &Arc<ShardStore>,
	job: impl FnOnce(&ShardStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ServiceError> {
	let store = store.clone();
	let done = tokio::task::spawn_blocking(move || job(&store))
		.await
		.unwrap();
	done.map_err(|error| match error {
		StoreError::Corrupt(_) => ServiceError::corrupt("damaged"),
		error => ServiceError::internal(error.to_string()),
	})
}

impl ShardService for Service {
	fn authorize(
		&self,
		peer: &NodeKey,
		permit: &SignedPermit,
		_: &ShardMeta,
	) -> Result<(), ServiceError> {
		if permit.issuer == *peer && permit.is_signed(arion_grid::verify) {
			return Ok(());
		}
		Err(ServiceError::refused("a bad permit"))
	}

	fn put(
		&self,
		_: NodeKey,
		_: SignedPermit,
		meta: ShardMeta,
		bytes: Bytes,
	) -> BoxFuture<'_, Result<PutAck, ServiceError>> {
		Box::pin(async move {
			self.puts.fetch_add(1, Ordering::Relaxed);
			let outcome = blocking(&self.store, move |store| store.put(&meta, &bytes)).await?;
			Ok(PutAck {
				already_held: outcome != PutOutcome::Stored,
			})
		})
	}

	fn get(
		&self,
		_: NodeKey,
		shard: ShardId,
		groups: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async move {
			let read = move |store: &ShardStore| store.read_slice(&shard.into(), groups);
			let Some(mut slice) = blocking(&self.store, read).await? else {
				return Ok(None);
			};
			match self.manner.load(Ordering::Relaxed) {
				LIES => {
					let middle = slice.data.len() / 2;
					slice.data[middle] ^= 1;
				}
				STALLS => {
					self.stalled.fetch_add(1, Ordering::Relaxed);
					let _cancelled = OnCancel(&self.cancelled);
					std::future::pending::<()>().await;
				}
				_ => {}
			}
			Ok(Extract::new(
				slice.outboard,
				slice.groups,
				slice.data.into(),
			))
		})
	}

	fn has(
		&self,
		_: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		Box::pin(async move { Ok(shards.iter().map(|shard| self.store.has(shard)).collect()) })
	}

	fn stripe(
		&self,
		_: NodeKey,
		stripe: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		Box::pin(async move {
			Ok(blocking(&self.store, move |store| store.stripe(&stripe))
				.await?
				.into_iter()
				.next())
		})
	}
}

pub struct Miner {
	/// `None` while stopped.
	grid: Option<Arc<Grid>>,
	pub service: Arc<Service>,
	pub folder: PathBuf,
	pub node: Node,
}

/// The whole network. Node `i` is in zone `i / 5`, family `i % 10`.
pub struct Network {
	pub miners: Vec<Miner>,
	folder: Arc<tempfile::TempDir>,
}

impl Network {
	pub fn start() -> Self {
		Self::of(MINERS)
	}

	/// A network of more miners; those beyond the thirty are in no map.
	pub fn of(miners: u32) -> Self {
		let folder = Arc::new(tempfile::tempdir().unwrap());
		let miners = (0..miners)
			.map(|index| Miner::start(index, &folder))
			.collect();
		Self { miners, folder }
	}

	/// The map of an epoch over these nodes.
	pub fn map(&self, epoch: Epoch, weight: impl Fn(NodeIndex) -> u32) -> ClusterMap {
		let mut next_id = 0;
		let mut id = || {
			next_id -= 1;
			next_id
		};
		let zones = (0u8..6)
			.map(|zone| ZoneBucket {
				zone,
				id: id(),
				families: (0..5)
					.map(|at| FamilyBucket {
						id: id(),
						hosts: vec![HostBucket {
							id: id(),
							nodes: vec![{
								let index = u32::from(zone) * 5 + at;
								MapNode {
									index,
									weight: weight(index),
									reweight: ONE,
								}
							}],
						}],
					})
					.collect(),
			})
			.collect();
		let rule = PlacementRule::new(5, FailureDomain::Host);
		let map = ClusterMap::plain(epoch, 256, 1, rule, zones);
		map.validate().unwrap();
		map
	}

	pub fn nodes(&self) -> Vec<Node> {
		self.miners.iter().map(|miner| miner.node.clone()).collect()
	}

	pub fn cluster(&self) -> Arc<Cluster> {
		Arc::new(Cluster::fixed([self.map(1, |_| ONE)], self.nodes()).unwrap())
	}

	/// A gateway of this network with a catalog of its own.
	pub fn gateway(&self, name: &str) -> Arc<Gateway> {
		self.gateway_of(name, self.cluster(), Config::default())
	}

	/// A gateway that never asks more miners than it needs because the machine is slow.
	pub fn calm_gateway(&self, name: &str) -> Arc<Gateway> {
		let mut config = Config::default();
		config.get.hedge_ms = 3_600_000;
		config.get.hedge_percent = 0;
		config.get.stripe_timeout_ms = 3_600_000;
		self.gateway_of(name, self.cluster(), config)
	}

	pub fn gateway_of(&self, name: &str, cluster: Arc<Cluster>, config: Config) -> Arc<Gateway> {
		let identity = Arc::new(Identity::generate().unwrap());
		let grid = Grid::bind(loopback(), identity, grid_config(&config)).unwrap();
		let catalog = Catalog::open(&self.folder.path().join(name)).unwrap();
		Gateway::new(&config, grid, cluster, catalog)
	}

	/// Stops these miners.
	pub async fn stop(&mut self, which: impl IntoIterator<Item = usize>) {
		for index in which {
			if let Some(grid) = self.miners[index].grid.take() {
				grid.close().await;
			}
		}
	}

	/// Has a miner show another key, and ends what was made under the old one.
	pub fn replace_key(&self, index: u32, next: Arc<Identity>) {
		let miner = &self.miners[index as usize];
		let grid = miner.grid.as_ref().unwrap();
		grid.set_identity(next).unwrap();
		grid.retire(&miner.node.key);
	}

	/// Starts a stopped miner again: same key, same address, same store.
	pub async fn restart(&mut self, index: usize) {
		let miner = &mut self.miners[index];
		let identity = identity(miner.node.index);
		let grid = loop {
			let address = miner.node.addresses[0];
			match Grid::bind(address, identity.clone(), GridConfig::default()) {
				Ok(grid) => break grid,
				// The old socket goes with a task that is just ending.
				Err(GridError::Bind { .. }) => tokio::task::yield_now().await,
				Err(error) => panic!("{error}"),
			}
		};
		grid.serve(miner.service.clone()).unwrap();
		miner.grid = Some(grid);
	}

	pub fn behave(&self, which: Range<usize>, manner: u8) {
		for miner in &self.miners[which] {
			miner.service.manner.store(manner, Ordering::Relaxed);
		}
	}
}

impl Miner {
	fn start(index: u32, network: &Arc<tempfile::TempDir>) -> Self {
		let folder = network.path().join(format!("m{index}"));
		let mut config = StoreConfig::new(64 << 20);
		config.volume_size = 16 << 20;
		std::fs::create_dir_all(&folder).unwrap();
		let store = Arc::new(ShardStore::open(&folder, config).unwrap());
		let grid = Grid::bind(loopback(), identity(index), GridConfig::default()).unwrap();
		let service = Arc::new(Service {
			store,
			manner: AtomicU8::new(HONEST),
			puts: AtomicUsize::new(0),
			stalled: AtomicUsize::new(0),
			cancelled: watch::Sender::new(0),
			_network: network.clone(),
		});
		grid.serve(service.clone()).unwrap();
		let node = Node {
			index,
			key: grid.node_key(),
			addresses: vec![grid.local_addr()],
			relays: Vec::new(),
			next_key: None,
			jailed: false,
		};
		Self {
			grid: Some(grid),
			service,
			folder,
			node,
		}
	}

	/// Flips one bit in the middle of every full shard in the miner's volumes.
	pub fn damage_volumes(&self) {
		for entry in std::fs::read_dir(&self.folder).unwrap() {
			let path = entry.unwrap().path();
			if path.extension().is_some_and(|extension| extension == "vol") {
				let file = std::fs::OpenOptions::new()
					.read(true)
					.write(true)
					.open(&path)
					.unwrap();
				use std::os::unix::fs::FileExt;
				for offset in [512 * 1024, 1536 * 1024, 2560 * 1024] {
					let mut byte = [0u8];
					file.read_exact_at(&mut byte, offset).unwrap();
					file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
				}
			}
		}
	}
}

pub fn identity(index: u32) -> Arc<Identity> {
	let seed = [u8::try_from(index).unwrap() + 1; 32];
	Arc::new(Identity::from_seed(&seed).unwrap())
}

fn loopback() -> SocketAddr {
	([127, 0, 0, 1], 0).into()
}

/// Bytes that do not repeat.
pub fn content(len: usize, seed: u8) -> Vec<u8> {
	let mut bytes = vec![0; len];
	blake3::Hasher::new()
		.update(&[seed])
		.finalize_xof()
		.fill(&mut bytes);
	bytes
}

pub async fn put(gateway: &Arc<Gateway>, bytes: &[u8], name: &str) -> Result<Stored, PutError> {
	let pieces: Vec<_> = bytes
		.chunks(100_003)
		.map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)))
		.collect();
	gateway
		.put(
			stream::iter(pieces),
			Label {
				name: name.into(),
				..Label::default()
			},
		)
		.await
}

pub async fn get(gateway: &Arc<Gateway>, stored: &Stored) -> Result<Vec<u8>, GetError> {
	let object = Arc::new(gateway.find(&Address::Id(stored.link.id)).await?);
	let size = object.manifest.size();
	read(gateway, &object, 0..size).await
}

pub async fn read(
	gateway: &Arc<Gateway>,
	object: &Arc<Object>,
	range: Range<u64>,
) -> Result<Vec<u8>, GetError> {
	let pieces: Vec<Bytes> = gateway.read(object.clone(), range)?.try_collect().await?;
	Ok(pieces.concat())
}
