//! A network of miners in this process.

use super::{permit, GENESIS};
use arion_crush::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
	WEIGHT_ONE,
};
use arion_erasure::Codec;
use arion_grid::{Grid, GridConfig, Identity, Peer};
use arion_miner::{
	config::{Config, RepairSection, StoreSection},
	daemon::Daemon,
	files::{self, BasePath},
	init::init,
	repair::Progress,
	size::ByteSize,
};
use bytes::Bytes;
use codec::Encode;
use futures_util::future::join_all;
use hippius_primitives::{
	daemon::{EpochUpdate, EPOCH_PATH},
	id::shard_id,
	registration::{NodeParams, NodeRecord, NodeStatus},
	Epoch, NodeKey, ShardMeta, StripeId,
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

/// Nothing in these tests takes this long.
pub const HANG: Duration = Duration::from_secs(60);

/// Settings of a small miner that repairs eagerly.
pub fn settings() -> Config {
	Config {
		store: StoreSection::single(ByteSize(8 << 20), Some(ByteSize(2 << 20))),
		repair: RepairSection {
			ask_seconds: 3,
			retry_seconds: 1,
			release_after_seconds: 0,
			..RepairSection::default()
		},
		..super::config()
	}
}

/// A node as maps have it.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
	pub index: u32,
	pub zone: u8,
	pub key: NodeKey,
	pub address: SocketAddr,
	pub reweight: u32,
}

/// The map of these nodes: six zones, five slots each.
pub fn map(epoch: Epoch, pg_num: u32, seats: &[Seat]) -> EpochUpdate {
	let zones = (0..6u8).map(|zone| {
		let seats = seats.iter().filter(|seat| seat.zone == zone);
		let families = seats.map(|seat| {
			let id = -1000 - 2 * seat.index as i32;
			let node = MapNode {
				index: seat.index,
				weight: WEIGHT_ONE,
				reweight: seat.reweight,
			};
			let nodes = vec![node];
			let hosts = vec![HostBucket { id: id - 1, nodes }];
			FamilyBucket { id, hosts }
		});
		ZoneBucket {
			zone,
			id: -1 - i32::from(zone),
			families: families.collect(),
		}
	});
	let map = ClusterMap::plain(
		epoch,
		pg_num,
		1,
		PlacementRule::new(5, FailureDomain::Host),
		zones.collect(),
	)
	.encode();
	let nodes = seats.iter().map(|seat| NodeRecord {
		index: seat.index,
		family: [seat.index as u8; 32],
		key: seat.key,
		next_key: None,
		params: NodeParams {
			zone: seat.zone,
			host: vec![b'h'],
			capacity: 1 << 30,
			addresses: vec![seat.address.into()],
		},
		status: NodeStatus::Active,
	});
	EpochUpdate {
		genesis: GENESIS,
		epoch,
		map_hash: sp_crypto_hashing::blake2_256(&map),
		map,
		nodes: nodes.collect(),
	}
}

/// The holders of a stripe's slots.
pub fn holders(update: &EpochUpdate, stripe: &StripeId) -> Vec<u32> {
	let map = ClusterMap::decode_checked(&update.map).unwrap();
	let up = map.placement().unwrap().up(map.pg_of(stripe)).unwrap();
	up.into_iter().map(|node| node.expect("no holes")).collect()
}

/// A stripe and its shards.
pub struct Stripe {
	pub meta: ShardMeta,
	pub shards: Vec<Bytes>,
}

impl Stripe {
	pub fn new(seed: u32, len: usize) -> Self {
		let mut data = vec![0; len];
		blake3::Hasher::new()
			.update(&seed.to_le_bytes())
			.finalize_xof()
			.fill(&mut data);
		let shards = Codec::shared().encode_stripe(&data).unwrap();
		let shards: Vec<Bytes> = shards.into_iter().map(Bytes::from).collect();
		let ids = std::array::from_fn(|slot| shard_id(&shards[slot]));
		Self {
			meta: ShardMeta::new(ids, 0).unwrap(),
			shards,
		}
	}

	pub fn id(&self) -> StripeId {
		self.meta.stripe
	}

	pub fn slot(&self, slot: usize) -> ShardMeta {
		ShardMeta {
			slot: slot as u8,
			..self.meta.clone()
		}
	}
}

/// Hands a map to a daemon, as the chain's worker does.
pub async fn hand_over(base: &BasePath, daemon: &Daemon, update: &EpochUpdate) {
	hand_over_to(base, daemon.info().control, update).await;
}

/// The same, by the address of its control API.
pub async fn hand_over_to(base: &BasePath, control: SocketAddr, update: &EpochUpdate) {
	let client = reqwest::Client::builder().no_proxy().build().unwrap();
	let url = format!("http://{control}{EPOCH_PATH}");
	let request = client
		.post(url)
		.bearer_auth(files::read_token(&base.token()).unwrap());
	let answer = request.body(update.encode()).send().await.unwrap();
	assert!(
		answer.status().is_success(),
		"{}",
		answer.text().await.unwrap()
	);
}

/// Waits until a daemon's repair is as wanted.
pub async fn until(daemon: &Daemon, what: &str, wanted: impl Fn(&Progress) -> bool) {
	let mut progress = daemon.repair().progress();
	let waited = tokio::time::timeout(HANG, progress.wait_for(|progress| wanted(progress))).await;
	let Ok(waited) = waited.map(|waited| waited.is_ok()) else {
		panic!("{what}: {:?}", daemon.repair().progress().borrow());
	};
	assert!(waited, "{what}: repair ended");
}

pub struct Node {
	pub base: BasePath,
	pub seat: Seat,
	pub daemon: Option<Daemon>,
}

/// Miners that run.
pub struct Network {
	pub nodes: Vec<Node>,
	client: Arc<Grid>,
}

impl Network {
	/// Starts as many miners per zone as are given.
	pub async fn start(dir: &Path, zones: [usize; 6]) -> Self {
		let zones = zones.iter().zip(0u8..);
		let zones = zones.flat_map(|(count, zone)| std::iter::repeat_n(zone, *count));
		let started = zones.zip(0u32..).map(|(zone, index)| async move {
			let base = BasePath(dir.join(index.to_string()));
			let key = init(&base, &settings()).unwrap();
			let daemon = Daemon::start(base.clone(), None).await.unwrap();
			let seat = Seat {
				index,
				zone,
				key,
				address: daemon.info().listen,
				reweight: WEIGHT_ONE,
			};
			Node {
				base,
				seat,
				daemon: Some(daemon),
			}
		});
		Self {
			nodes: join_all(started).await,
			client: client(),
		}
	}

	/// The map of the nodes that are wanted.
	pub fn map(&self, epoch: Epoch, pg_num: u32, wanted: impl Fn(u32) -> bool) -> EpochUpdate {
		let seats = self.nodes.iter().map(|node| node.seat);
		let seats: Vec<Seat> = seats.filter(|seat| wanted(seat.index)).collect();
		map(epoch, pg_num, &seats)
	}

	/// Hands a map to all that run.
	pub async fn hand_over(&self, update: &EpochUpdate) {
		let running = self
			.nodes
			.iter()
			.filter_map(|node| Some((node, node.daemon.as_ref()?)));
		join_all(running.map(|(node, daemon)| hand_over(&node.base, daemon, update))).await;
	}

	/// Waits until all that run have nothing left to do in an epoch.
	pub async fn settled(&self, epoch: Epoch) {
		let running = self.nodes.iter().filter_map(|node| node.daemon.as_ref());
		let settled = running.map(|daemon| until(daemon, "settled", move |p| p.is_settled(epoch)));
		join_all(settled).await;
	}

	pub fn peer(&self, node: u32) -> Peer {
		let seat = self.nodes[node as usize].seat;
		self.client.peer(seat.key, vec![seat.address])
	}

	/// Stores a stripe as a gateway does.
	pub async fn store(&self, update: &EpochUpdate, stripe: &Stripe) {
		let puts = holders(update, &stripe.id()).into_iter().enumerate();
		let puts = puts.map(|(slot, node)| async move {
			let (meta, bytes) = (stripe.slot(slot), stripe.shards[slot].clone());
			let permit = permit(&self.client.identity(), update.epoch, &meta, &bytes);
			let stored = self.peer(node).put(&permit, &meta, bytes).await;
			stored.unwrap_or_else(|error| panic!("slot {slot} node {node}: {error}"));
		});
		join_all(puts).await;
	}

	/// Checks that every slot's holder serves the shard, byte for byte, and lists it.
	pub async fn check(&self, update: &EpochUpdate, stripe: &Stripe) {
		let reads = holders(update, &stripe.id()).into_iter().enumerate();
		let reads = reads.map(|(slot, node)| async move {
			let id = stripe.meta.shards[slot];
			let bytes = self.peer(node).get(id, 1 << 20).await;
			let bytes = bytes.unwrap_or_else(|error| panic!("slot {slot} node {node}: {error}"));
			assert_eq!(bytes, stripe.shards[slot], "slot {slot} node {node}");
		});
		join_all(reads).await;
	}

	/// Has a stopped node start with other settings.
	pub fn reconfigure(&self, node: u32, change: impl FnOnce(&mut Config)) {
		let path = self.nodes[node as usize].base.config();
		let mut config = Config::load(&path).unwrap();
		change(&mut config);
		std::fs::write(path, config.render()).unwrap();
	}

	/// Stops a node.
	pub async fn stop(&mut self, node: u32) {
		let daemon = self.nodes[node as usize].daemon.take();
		daemon.unwrap().stop().await.unwrap();
	}

	/// A counter of all that run.
	pub fn count(&self, what: impl Fn(&Daemon) -> u64) -> u64 {
		let running = self.nodes.iter().filter_map(|node| node.daemon.as_ref());
		running.map(what).sum()
	}
}

pub fn client() -> Arc<Grid> {
	let identity = Arc::new(Identity::from_seed(&[250; 32]).unwrap());
	Grid::bind(
		"127.0.0.1:0".parse().unwrap(),
		identity,
		GridConfig::default(),
	)
	.unwrap()
}
