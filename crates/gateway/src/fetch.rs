//! Gathering the shards of one stripe from the miners.

use crate::{
	cluster::{ClusterError, ClusterSource, Layout, Node},
	config::GetConfig,
	error::{GetError, Part},
	metrics::Metrics,
	peers::{Peers, Standing},
};
use arion_erasure::ShardSet;
use arion_grid::GridError;
use bytes::Bytes;
use futures_util::{
	future::BoxFuture,
	stream::{FuturesUnordered, StreamExt},
	FutureExt,
};
use hippius_primitives::{Epoch, NodeKey, ShardId, StripeId, DATA_SHARDS, TOTAL_SHARDS};
use std::{
	collections::{HashMap, HashSet, VecDeque},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};

/// Further requests each time nothing arrived for a while.
const HEDGE_BATCH: usize = 5;
/// Nodes asked at a time when shards are searched for.
const SEARCH_WIDTH: usize = 32;
/// How long a node may take to say what it holds.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait before further miners are asked, however slow shards have been.
const HEDGE_MOST: Duration = Duration::from_secs(2);

/// What is wanted of a stripe.
pub(crate) struct Wanted {
	/// Which stripe of the object, for messages.
	pub(crate) part: Part,
	/// Its id.
	pub(crate) stripe: StripeId,
	/// Its shards.
	pub(crate) shards: [ShardId; TOTAL_SHARDS],
	/// Longest shard accepted.
	pub(crate) max_len: usize,
	/// Epoch it was placed at, if known.
	pub(crate) epoch: Option<Epoch>,
	/// These slots are enough; otherwise any ten are.
	pub(crate) slots: ShardSet,
}

/// Shards in slot order, as far as they arrived.
pub(crate) type Gathered = Vec<Option<Bytes>>;

/// Gathers shards.
pub(crate) struct Fetcher {
	cluster: Arc<dyn ClusterSource>,
	peers: Arc<Peers>,
	metrics: Arc<Metrics>,
	hedge: Duration,
	deadline: Duration,
	/// Moving average of the time a shard takes, in microseconds.
	pace: AtomicU64,
}

/// A node to ask for the shard of a slot.
struct Attempt {
	slot: usize,
	node: Node,
}

enum Event {
	Shard {
		slot: usize,
		key: NodeKey,
		started: Instant,
		result: Result<Bytes, GridError>,
	},
	/// Where missing shards are, and which nodes did not say.
	Found(Vec<Attempt>, Vec<NodeKey>),
}

/// The state of one gathering.
struct Gathering<'a> {
	fetcher: &'a Fetcher,
	wanted: &'a Wanted,
	have: Gathered,
	queue: VecDeque<Attempt>,
	running: FuturesUnordered<BoxFuture<'a, Event>>,
	in_flight: HashMap<(usize, NodeKey), Instant>,
	asked: HashSet<(usize, NodeKey)>,
	/// Nodes that gave no answer.
	silent: HashSet<NodeKey>,
	searched: bool,
}

impl Fetcher {
	pub(crate) fn new(
		cluster: Arc<dyn ClusterSource>,
		peers: Arc<Peers>,
		metrics: Arc<Metrics>,
		config: &GetConfig,
	) -> Self {
		Self {
			cluster,
			peers,
			metrics,
			hedge: Duration::from_millis(config.hedge_ms),
			deadline: Duration::from_millis(config.stripe_timeout_ms),
			pace: AtomicU64::new(0),
		}
	}

	/// Gathers the wanted slots, or any ten. Every shard returned hashes to its id.
	///
	/// The data slots are asked first, of nodes that stand well. When a request fails another
	/// starts at once; when nothing arrives for a while, several more. When the map's nodes are
	/// exhausted, every node of the map is asked what it has.
	pub(crate) async fn gather(&self, wanted: &Wanted) -> Result<Gathered, GetError> {
		let mut gathering = Gathering {
			fetcher: self,
			wanted,
			have: vec![None; TOTAL_SHARDS],
			queue: self.attempts(wanted).await?,
			running: FuturesUnordered::new(),
			in_flight: HashMap::new(),
			asked: HashSet::new(),
			silent: HashSet::new(),
			searched: false,
		};
		let outcome = tokio::time::timeout(self.deadline, gathering.run()).await;
		gathering.note_stalls();
		let have = gathering.have.iter().flatten().count();
		let (part, stripe, missing) = (wanted.part, wanted.stripe, TOTAL_SHARDS - have);
		match outcome {
			Ok(true) => Ok(gathering.have),
			Ok(false) => Err(GetError::NotEnoughShards {
				part,
				stripe,
				have,
				missing,
				silent: gathering.silent.len(),
			}),
			Err(_) => Err(GetError::TooSlow {
				part,
				stripe,
				have,
				missing,
				after: self.deadline,
			}),
		}
	}

	/// Layouts in which a stripe may lie: the one it was placed at, then the newest.
	pub(crate) async fn layouts(&self, epoch: Option<Epoch>) -> Result<Vec<Arc<Layout>>, GetError> {
		let mut layouts = Vec::new();
		if let Some(epoch) = epoch {
			match self.cluster.layout(epoch).await {
				Ok(layout) => layouts.extend(layout),
				// The newest map may still lead to the shards.
				Err(error) => tracing::warn!(epoch, %error, "cannot load an old map"),
			}
		}
		if let Some(current) = self.cluster.current() {
			if layouts
				.iter()
				.all(|layout| layout.epoch() != current.epoch())
			{
				layouts.push(current);
			}
		}
		if layouts.is_empty() {
			return Err(ClusterError::NoMap.into());
		}
		Ok(layouts)
	}

	/// Whom to ask, best first.
	async fn attempts(&self, wanted: &Wanted) -> Result<VecDeque<Attempt>, GetError> {
		let mut ranked = Vec::new();
		for (rank, layout) in self.layouts(wanted.epoch).await?.iter().enumerate() {
			for (slot, index) in layout.slots(&wanted.stripe)?.into_iter().enumerate() {
				let Some(node) = index.and_then(|index| self.cluster.node(index)) else {
					continue;
				};
				let standing = self.peers.standing(&node.key);
				let order = (
					standing == Standing::Quarantined,
					rank,
					!wanted.slots.is_empty() && !wanted.slots.contains(slot),
					standing,
					slot,
				);
				ranked.push((order, Attempt { slot, node }));
			}
		}
		ranked.sort_by_key(|(order, _)| *order);
		Ok(ranked.into_iter().map(|(_, attempt)| attempt).collect())
	}

	/// How long to wait for something to arrive before more miners are asked.
	fn patience(&self) -> Duration {
		let pace = Duration::from_micros(self.pace.load(Ordering::Relaxed));
		self.hedge.max((pace * 4).min(HEDGE_MOST))
	}

	fn learn_pace(&self, took: Duration) {
		let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
		let old = self.pace.load(Ordering::Relaxed);
		let new = if old == 0 {
			took
		} else {
			old - old / 8 + took / 8
		};
		self.pace.store(new, Ordering::Relaxed);
	}

	/// Asks every node of the maps which of the missing shards it has.
	async fn search(&self, wanted: &Wanted, missing: Vec<usize>) -> Event {
		self.metrics.shard_searches.add(1);
		let mut indices = HashSet::new();
		for layout in self.layouts(wanted.epoch).await.unwrap_or_default() {
			indices.extend(layout.nodes());
		}
		let ids: Vec<ShardId> = missing.iter().map(|slot| wanted.shards[*slot]).collect();
		let nodes = indices
			.into_iter()
			.filter_map(|index| self.cluster.node(index));
		let questions = nodes.map(|node| {
			let ids = ids.clone();
			async move {
				let peer = self.peers.peer(&node);
				let answer = tokio::time::timeout(SEARCH_TIMEOUT, peer.has(ids)).await;
				(node, answer)
			}
		});
		let mut answers = futures_util::stream::iter(questions).buffer_unordered(SEARCH_WIDTH);
		let (mut found, mut silent) = (Vec::new(), Vec::new());
		while let Some((node, answer)) = answers.next().await {
			match answer {
				Ok(Ok(held)) => {
					let slots = missing
						.iter()
						.zip(held)
						.filter_map(|(slot, held)| held.then_some(*slot));
					found.extend(slots.map(|slot| Attempt {
						slot,
						node: node.clone(),
					}));
				}
				Ok(Err(error)) => {
					self.peers.failed(&node.key, &error);
					silent.push(node.key);
				}
				Err(_) => {
					self.peers.stalled(&node.key);
					silent.push(node.key);
				}
			}
		}
		Event::Found(found, silent)
	}
}

impl<'a> Gathering<'a> {
	/// Runs to the end; whether enough was found.
	async fn run(&mut self) -> bool {
		let width = match self.wanted.slots.len() {
			0 => DATA_SHARDS,
			wanted => wanted.min(DATA_SHARDS),
		};
		self.start(width);
		loop {
			if self.is_enough() {
				return true;
			}
			if self.queue.is_empty() && !self.searched && self.running.is_empty() {
				self.start_search();
			}
			let patience = self.fetcher.patience();
			tokio::select! {
				event = self.running.next() => match event {
					Some(event) => self.take(event),
					// Nothing runs, nothing is left to ask, and the search is over.
					None => return false,
				},
				() = tokio::time::sleep(patience) => {
					let batch = HEDGE_BATCH.min(self.queue.len());
					self.fetcher.metrics.hedged_requests.add(batch);
					self.start(batch);
					if self.queue.is_empty() && !self.searched && batch == 0 {
						self.start_search();
					}
				},
			}
		}
	}

	fn is_enough(&self) -> bool {
		let wanted = self.wanted.slots;
		let all_wanted = !wanted.is_empty() && wanted.iter().all(|slot| self.have[slot].is_some());
		all_wanted || self.have.iter().flatten().count() >= DATA_SHARDS
	}

	/// Starts up to `count` requests.
	fn start(&mut self, count: usize) {
		let mut started = 0;
		while started < count {
			let Some(attempt) = self.queue.pop_front() else {
				return;
			};
			let Attempt { slot, node } = attempt;
			if self.have[slot].is_some() || !self.asked.insert((slot, node.key)) {
				continue;
			}
			let now = Instant::now();
			self.in_flight.insert((slot, node.key), now);
			let peer = self.fetcher.peers.peer(&node);
			let (shard, max_len) = (self.wanted.shards[slot], self.wanted.max_len);
			let request = async move {
				let result = peer.get(shard, max_len).await;
				Event::Shard {
					slot,
					key: node.key,
					started: now,
					result,
				}
			};
			self.running.push(request.boxed());
			started += 1;
		}
	}

	fn start_search(&mut self) {
		self.searched = true;
		let missing = (0..TOTAL_SHARDS)
			.filter(|slot| self.have[*slot].is_none())
			.collect();
		self.running
			.push(self.fetcher.search(self.wanted, missing).boxed());
	}

	fn take(&mut self, event: Event) {
		let fetcher = self.fetcher;
		match event {
			Event::Shard {
				slot,
				key,
				started,
				result,
			} => {
				self.in_flight.remove(&(slot, key));
				match result {
					Ok(bytes) => {
						fetcher.peers.worked(&key);
						fetcher.learn_pace(started.elapsed());
						fetcher.metrics.shards_fetched.add(1);
						fetcher.metrics.shard_bytes_fetched.add(bytes.len());
						self.have[slot] = Some(bytes);
					}
					Err(error) => {
						tracing::debug!(stripe = %self.wanted.stripe, slot, %error, "shard not fetched");
						fetcher.peers.failed(&key, &error);
						fetcher.metrics.shard_requests_failed.add(1);
						if error.status().is_none() {
							self.silent.insert(key);
						}
						self.start(1);
					}
				}
			}
			Event::Found(attempts, silent) => {
				self.silent.extend(silent);
				// A node asked before may have failed only for a moment.
				for attempt in &attempts {
					if !self
						.in_flight
						.contains_key(&(attempt.slot, attempt.node.key))
					{
						self.asked.remove(&(attempt.slot, attempt.node.key));
					}
				}
				self.queue.extend(attempts);
				self.start(DATA_SHARDS);
			}
		}
	}

	/// Those still not done when others made it are asked later next time.
	fn note_stalls(&self) {
		let patience = self.fetcher.patience();
		for ((_, key), started) in &self.in_flight {
			if started.elapsed() >= patience {
				self.fetcher.peers.stalled(key);
			}
		}
	}
}
