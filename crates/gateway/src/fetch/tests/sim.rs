//! Thirty simulated miners, in simulated time.

use crate::{
	cluster::{Cluster, ClusterSource, Node},
	config::{Config, GetConfig},
	error::Part,
	fetch::{
		estimate::PathKind,
		source::{Ask, Source, Transfer, Watch},
		Fetcher, SlotRange, Wanted,
	},
	metrics::Metrics,
	peers::Peers,
};
use arion_crush::cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
};
use arion_grid::{Grid, GridConfig, GridError, Identity, Status};
use bytes::Bytes;
use fastrand::Rng;
use futures_util::{future::BoxFuture, FutureExt};
use hippius_primitives::{coding::SHARD_LEN, NodeIndex, NodeKey, ShardId, StripeId, TOTAL_SHARDS};
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::time::{sleep, Instant};

pub(super) const MIB: usize = 1024 * 1024;

/// What a miner does when it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
	/// Sends, after a while and at a rate in bytes per second.
	Sends(Duration, f64),
	/// Sends so many bytes as others do, and then nothing.
	StallsAfter(u64),
	/// Sends something wrong after a while.
	Lies(Duration),
	/// Says at once that it has nothing.
	Lacks,
	/// Cannot be reached.
	Gone,
}

/// As most are: 1 MiB takes 72 ms.
pub(super) const USUAL: Manner = Manner::Sends(Duration::from_millis(20), 20e6);

#[derive(Default)]
pub(super) struct Log {
	/// Requests, with the bytes asked for.
	pub(super) asked: Vec<(NodeKey, u64)>,
	/// Requests cancelled, and when.
	pub(super) cancelled: Vec<(NodeKey, Instant)>,
}

pub(super) struct Sim {
	manners: Mutex<HashMap<NodeKey, Manner>>,
	log: Arc<Mutex<Log>>,
}

struct Progress {
	started: Instant,
	len: u64,
	manner: Manner,
}

impl Progress {
	fn first(&self) -> Duration {
		match self.manner {
			Manner::Sends(first, _) => first,
			_ => Duration::from_millis(20),
		}
	}
}

impl Watch for Progress {
	fn received(&self) -> u64 {
		let flowing = self.started.elapsed().saturating_sub(self.first());
		let (rate, most) = match self.manner {
			Manner::Sends(_, rate) => (rate, self.len),
			Manner::StallsAfter(most) => (20e6, most),
			_ => (0.0, 0),
		};
		((flowing.as_secs_f64() * rate) as u64).min(most)
	}

	fn first_byte(&self) -> Option<Duration> {
		(self.received() > 0).then(|| self.first())
	}
}

struct Guard {
	key: NodeKey,
	log: Arc<Mutex<Log>>,
	ended: bool,
}

impl Drop for Guard {
	fn drop(&mut self) {
		if !self.ended {
			let mut log = self.log.lock().unwrap();
			log.cancelled.push((self.key, Instant::now()));
		}
	}
}

impl Sim {
	fn manner(&self, key: &NodeKey) -> Manner {
		self.manners
			.lock()
			.unwrap()
			.get(key)
			.copied()
			.unwrap_or(USUAL)
	}
}

impl Source for Sim {
	fn fetch(&self, node: &Node, ask: &Ask) -> Transfer {
		let len = ask
			.part
			.as_ref()
			.map_or(SHARD_LEN, |(_, range)| range.len()) as u64;
		let (peer, address, shard) = (node.key, node.addresses[0], ask.shard);
		let manner = self.manner(&peer);
		let watch = Arc::new(Progress {
			started: Instant::now(),
			len,
			manner,
		});
		self.log.lock().unwrap().asked.push((peer, len));
		let log = self.log.clone();
		let done = async move {
			let mut guard = Guard {
				key: peer,
				log,
				ended: false,
			};
			let result = match manner {
				Manner::Sends(first, rate) => {
					sleep(first + Duration::from_secs_f64(len as f64 / rate)).await;
					Ok(Bytes::from(vec![7; len as usize]))
				}
				Manner::StallsAfter(_) => std::future::pending().await,
				Manner::Lies(after) => {
					sleep(after).await;
					Err(GridError::WrongBytes {
						peer,
						address,
						shard,
					})
				}
				Manner::Lacks => {
					sleep(Duration::from_millis(20)).await;
					Err(GridError::Answer {
						peer,
						address,
						status: Status::NotFound,
						detail: "not held".into(),
					})
				}
				Manner::Gone => Err(GridError::Unreachable {
					peer,
					attempts: Vec::new(),
				}),
			};
			guard.ended = true;
			result
		};
		Transfer {
			watch,
			done: done.boxed(),
		}
	}

	fn has(
		&self,
		node: &Node,
		shards: Vec<ShardId>,
	) -> BoxFuture<'static, Result<Vec<bool>, GridError>> {
		let (peer, manner) = (node.key, self.manner(&node.key));
		async move {
			match manner {
				Manner::Gone => Err(GridError::Unreachable {
					peer,
					attempts: Vec::new(),
				}),
				Manner::StallsAfter(_) => std::future::pending().await,
				_ => Ok(vec![false; shards.len()]),
			}
		}
		.boxed()
	}

	fn path(&self, _: &Node) -> (PathKind, Option<Duration>) {
		(PathKind::Direct, Some(Duration::from_millis(10)))
	}
}

/// A fetcher over simulated miners.
pub(super) struct World {
	pub(super) fetcher: Fetcher,
	pub(super) cluster: Arc<Cluster>,
	pub(super) peers: Arc<Peers>,
	pub(super) metrics: Arc<Metrics>,
	sim: Arc<Sim>,
	stripes: u64,
}

impl World {
	pub(super) fn new(change: impl FnOnce(&mut GetConfig)) -> Self {
		let mut config = Config::default();
		change(&mut config.get);
		let cluster = Arc::new(Cluster::fixed([map()], (0..30).map(node).collect()).unwrap());
		let identity = Arc::new(Identity::generate().unwrap());
		let any = SocketAddr::from(([127, 0, 0, 1], 0));
		let grid = Grid::bind(any, identity, GridConfig::default()).unwrap();
		let peers = Arc::new(Peers::new(grid, &config.grid));
		let metrics = Arc::new(Metrics::default());
		let sim = Arc::new(Sim {
			manners: Mutex::default(),
			log: Arc::default(),
		});
		let fetcher = Fetcher::with_source(
			cluster.clone(),
			sim.clone(),
			peers.clone(),
			metrics.clone(),
			&config.get,
			Rng::with_seed(7),
		);
		Self {
			fetcher,
			cluster,
			peers,
			metrics,
			sim,
			stripes: 0,
		}
	}

	/// Miners behave so from now on.
	pub(super) fn set(&self, nodes: impl IntoIterator<Item = NodeIndex>, manner: Manner) {
		let mut manners = self.sim.manners.lock().unwrap();
		manners.extend(nodes.into_iter().map(|index| (key(index), manner)));
	}

	/// A full stripe nobody has read yet.
	pub(super) fn stripe(&mut self) -> Wanted {
		self.stripes += 1;
		let seed = blake3::hash(&self.stripes.to_le_bytes());
		let shards = std::array::from_fn(|slot| {
			ShardId(*blake3::keyed_hash(seed.as_bytes(), &[slot as u8]).as_bytes())
		});
		Wanted {
			part: Part::Data(0),
			stripe: StripeId(*seed.as_bytes()),
			shards,
			shard_len: Some(SHARD_LEN),
			epoch: Some(1),
			parts: Vec::new(),
		}
	}

	/// Some bytes of the shard of a slot of a new stripe.
	pub(super) fn part(&mut self, slot: usize, range: std::ops::Range<usize>) -> Wanted {
		Wanted {
			parts: vec![SlotRange { slot, range }],
			..self.stripe()
		}
	}

	/// Who has the shard of a slot.
	pub(super) fn holder(&self, wanted: &Wanted, slot: usize) -> NodeIndex {
		let layout = self.cluster.current().unwrap();
		layout.slots(&wanted.stripe).unwrap()[slot].unwrap()
	}

	/// What happened since the last call.
	pub(super) fn log(&self) -> Log {
		std::mem::take(&mut *self.sim.log.lock().unwrap())
	}

	/// Reads a stripe; how long it took.
	pub(super) async fn read(&self, wanted: &Wanted) -> Duration {
		let start = Instant::now();
		let gathered = self.fetcher.gather(wanted).await.unwrap();
		assert!(gathered.pieces.iter().flatten().count() > 0);
		start.elapsed()
	}

	/// Reads so many new stripes one after the other; how long they took, shortest first.
	pub(super) async fn read_many(&mut self, count: usize) -> Vec<Duration> {
		let mut times = Vec::with_capacity(count);
		for _ in 0..count {
			let wanted = self.stripe();
			times.push(self.read(&wanted).await);
		}
		times.sort_unstable();
		times
	}

	/// Nothing may be left on anybody's account between reads.
	pub(super) fn outstanding(&self) -> u64 {
		let (estimates, _) = self.fetcher.estimates(usize::MAX);
		estimates.iter().map(|peer| peer.outstanding).sum()
	}
}

pub(super) fn key(index: NodeIndex) -> NodeKey {
	NodeKey([u8::try_from(index).unwrap() + 1; 32])
}

fn node(index: NodeIndex) -> Node {
	Node {
		index,
		key: key(index),
		addresses: vec![SocketAddr::from(([127, 0, 0, 1], 9))],
		relays: Vec::new(),
		next_key: None,
		jailed: false,
	}
}

fn map() -> ClusterMap {
	const ONE: u32 = 0x1_0000;
	let mut next = 0;
	let mut id = || {
		next -= 1;
		next
	};
	let zones = (0u8..6)
		.map(|zone| ZoneBucket {
			zone,
			id: id(),
			families: (0..TOTAL_SHARDS as u32 / 6)
				.map(|at| {
					let node = MapNode {
						index: u32::from(zone) * 5 + at,
						weight: ONE,
						reweight: ONE,
					};
					FamilyBucket {
						id: id(),
						hosts: vec![HostBucket {
							id: id(),
							nodes: vec![node],
						}],
					}
				})
				.collect(),
		})
		.collect();
	ClusterMap::plain(1, 256, 1, PlacementRule::new(5, FailureDomain::Host), zones)
}
