//! Heartbeats: the full node's worker says for each block who collects, this signs and sends.
//!
//! One beat counts per slot of a window, so one is sent per slot to each collector of the node's page,
//! and again with the next block to those that did not take it. Each is sent on a task of its own,
//! which ends within [`PATIENCE`]: a dead collector delays nobody.

use crate::{epochs::Epochs, metrics::unix_now};
use arion_grid::{Grid, GridError, Reach};
use arion_shard_store::StoreSet;
use codec::DecodeAll;
use hippius_primitives::{
	collector::{BeatOrder, Endpoint},
	heartbeat::{collectors_of, page_of, Beat, SignedBeat, Window},
	NodeIndex, NodeKey,
};
use serde::{Deserialize, Serialize};
use std::{
	collections::BTreeSet,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why an order is not taken. Each is an answer of the control API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
	/// The body is no [`BeatOrder`].
	#[error("not an order to beat: {0}")]
	Malformed(String),
	/// It has windows without blocks or beats, or endpoints of other validators than it names.
	#[error(
		"the order contradicts itself: windows need blocks and beats, each validator one entry"
	)]
	Unsound,
	/// The miner belongs to another chain.
	#[error("this miner belongs to the chain with genesis 0x{bound}, the order is of 0x{offered}")]
	OtherChain {
		/// The chain the miner is bound to, hex.
		bound: String,
		/// The order's chain, hex.
		offered: String,
	},
}

/// How the last beats fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatStatus {
	/// Unix seconds at which a collector took a beat last; 0 if none has since start.
	pub noted_at: u64,
	/// Collectors of this node's page that said where they listen.
	pub collectors: usize,
	/// Of these, those that took a beat in the present slot.
	pub noted: usize,
	/// Why the last one that was not taken was not.
	pub problem: Option<String>,
}

/// A part of a window in which one beat counts.
type Slot = (Window, u8);

/// Who took a beat of the present slot.
#[derive(Default)]
struct Progress {
	slot: Option<Slot>,
	noted: BTreeSet<NodeKey>,
	status: BeatStatus,
}

/// Takes orders and carries them out.
pub struct Beats {
	epochs: Arc<Epochs>,
	orders: watch::Sender<Option<Arc<BeatOrder>>>,
	progress: Mutex<Progress>,
	/// The number of the last beat.
	seq: AtomicU64,
	/// Beats that collectors took.
	pub noted: AtomicU64,
	/// Beats that collectors refused.
	pub refused: AtomicU64,
	/// Beats that did not arrive, as far as is known.
	pub lost: AtomicU64,
}

/// A beat's way to a collector.
struct Sent {
	to: NodeKey,
	slot: Slot,
	result: Result<(), Unsent>,
}

/// Why a collector did not take a beat.
#[derive(Debug, thiserror::Error)]
enum Unsent {
	#[error("collector {0} gave no answer within {PATIENCE:?}")]
	Late(NodeKey),
	#[error("collector {0}: {1}")]
	Failed(NodeKey, #[source] GridError),
}

/// The slot of the order's newest block, if the node is to beat by now. Nodes are spread over a
/// slot's blocks, but for the first one: a collector may be a moment behind, for which it is still the
/// slot before.
fn due(order: &BeatOrder, node: NodeIndex) -> Option<Slot> {
	let blocks = u64::from(order.window_blocks);
	let beats = u64::from(order.beats_per_window);
	// The order names the parent of the newest block.
	let now = u64::from(order.best).checked_add(1)?;
	let within = now.checked_rem(blocks)?;
	let window = u32::try_from(now / blocks).ok()?;
	let slot = within * beats / blocks;
	let first = (slot * blocks).div_ceil(beats.max(1));
	let length = ((slot + 1) * blocks).div_ceil(beats.max(1)) - first;
	let offset = match length {
		0 | 1 => 0,
		_ => 1 + u64::from(node) % (length - 1),
	};
	let due = within >= first + offset;
	due.then_some((window, u8::try_from(slot).ok()?))
}

/// Where the collectors of the node's page listen, as far as they said.
fn collectors(order: &BeatOrder, node: NodeIndex) -> Vec<&Endpoint> {
	let (page, _) = page_of(node);
	collectors_of(&order.seed, page, &order.validators)
		.into_iter()
		.filter_map(|place| order.endpoints.get(place as usize)?.as_ref())
		.collect()
}

impl Beats {
	/// Beats of the node that `epochs` tells the number of.
	pub fn new(epochs: Arc<Epochs>) -> Self {
		Self {
			epochs,
			orders: watch::Sender::new(None),
			progress: Mutex::default(),
			seq: AtomicU64::new(0),
			noted: AtomicU64::new(0),
			refused: AtomicU64::new(0),
			lost: AtomicU64::new(0),
		}
	}

	fn progress(&self) -> MutexGuard<'_, Progress> {
		self.progress.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// How the last beats fared.
	pub fn status(&self) -> BeatStatus {
		self.progress().status.clone()
	}

	/// Takes an order; a newer one takes the place of one that is not carried out yet.
	pub fn take(&self, body: &[u8]) -> Result<(), OrderError> {
		let order = BeatOrder::decode_all(&mut &*body)
			.map_err(|error| OrderError::Malformed(error.to_string()))?;
		if order.window_blocks == 0
			|| order.beats_per_window == 0
			|| order.validators.len() != order.endpoints.len()
		{
			return Err(OrderError::Unsound);
		}
		match self.epochs.genesis() {
			Some(bound) if bound != order.genesis => Err(OrderError::OtherChain {
				bound: hex::encode(bound),
				offered: hex::encode(order.genesis),
			}),
			_ => {
				self.orders.send_replace(Some(Arc::new(order)));
				Ok(())
			}
		}
	}

	/// Carries orders out until `stop` is set.
	pub async fn run(
		self: Arc<Self>,
		grid: Arc<Grid>,
		store: Arc<StoreSet>,
		mut stop: watch::Receiver<bool>,
	) {
		let mut orders = self.orders.subscribe();
		let mut under_way = BTreeSet::new();
		let mut tasks = JoinSet::new();
		loop {
			tokio::select! {
				// The guard must not live on while beats are sent.
				() = async { drop(stop.wait_for(|stop| *stop).await) } => return,
				changed = orders.changed() => {
					if changed.is_err() {
						return;
					}
					let order = orders.borrow_and_update().clone();
					if let Some(order) = order {
						self.send(&order, &grid, &store, &mut under_way, &mut tasks).await;
					}
				}
				Some(done) = tasks.join_next() => match done {
					Ok(sent) => {
						under_way.remove(&sent.to);
						self.note(sent);
					}
					Err(error) => tracing::error!(%error, "a heartbeat's task"),
				},
			}
		}
	}

	/// Sends a beat to the collectors that have none of this slot.
	async fn send(
		&self,
		order: &BeatOrder,
		grid: &Arc<Grid>,
		store: &Arc<StoreSet>,
		under_way: &mut BTreeSet<NodeKey>,
		tasks: &mut JoinSet<Sent>,
	) {
		let Some(held) = self.epochs.held() else {
			return;
		};
		let (Some(node), true) = (held.index, held.update.genesis == order.genesis) else {
			return;
		};
		let collectors = collectors(order, node);
		let Some(slot) = due(order, node) else {
			return;
		};
		let waiting = self.begin(slot, &collectors);
		let waiting: Vec<&Endpoint> = waiting
			.into_iter()
			.filter(|endpoint| under_way.insert(endpoint.key))
			.collect();
		if waiting.is_empty() {
			return;
		}
		let asked = store.clone();
		let usage = match tokio::task::spawn_blocking(move || asked.usage()).await {
			Ok(usage) => usage,
			Err(error) => {
				tracing::error!(%error, "cannot ask the store for a heartbeat");
				waiting.iter().for_each(|to| {
					under_way.remove(&to.key);
				});
				return;
			}
		};
		let beat = Beat {
			genesis: order.genesis,
			node,
			seq: self.next_seq(),
			best: order.best,
			best_hash: order.best_hash,
			map_epoch: held.update.epoch,
			used: usage.used,
			free: usage.free,
			version: version(),
		};
		let signature = grid.identity().sign(&beat.payload());
		let beat = Arc::new(SignedBeat { beat, signature });
		for endpoint in waiting {
			let reach: Reach = endpoint.addresses.iter().collect();
			let (to, peer, beat) = (endpoint.key, grid.peer(endpoint.key, reach), beat.clone());
			tasks.spawn(async move {
				let result = match timeout(PATIENCE, peer.beat(&beat)).await {
					Ok(answer) => answer.map_err(|error| Unsent::Failed(to, error)),
					Err(_) => {
						// It may have died without a word: dial afresh next time.
						peer.disconnect();
						Err(Unsent::Late(to))
					}
				};
				Sent { to, slot, result }
			});
		}
	}

	/// The collectors that have no beat of this slot yet.
	fn begin<'a>(&self, slot: Slot, collectors: &[&'a Endpoint]) -> Vec<&'a Endpoint> {
		let mut progress = self.progress();
		if progress.slot != Some(slot) {
			progress.slot = Some(slot);
			progress.noted.clear();
			progress.status.noted = 0;
		}
		progress.status.collectors = collectors.len();
		let waiting = collectors.iter().copied();
		waiting
			.filter(|endpoint| !progress.noted.contains(&endpoint.key))
			.collect()
	}

	fn note(&self, sent: Sent) {
		let counter = match &sent.result {
			Ok(()) => &self.noted,
			Err(Unsent::Failed(_, error)) if error.status().is_some() => &self.refused,
			Err(_) => &self.lost,
		};
		counter.fetch_add(1, Relaxed);
		let mut progress = self.progress();
		match sent.result {
			Ok(()) => {
				progress.status.noted_at = unix_now();
				if progress.slot == Some(sent.slot) && progress.noted.insert(sent.to) {
					progress.status.noted += 1;
				}
			}
			Err(error) => {
				tracing::debug!(%error, "a heartbeat was not taken");
				progress.status.problem = Some(error.to_string());
			}
		}
	}

	/// Rises with each beat, and over restarts as long as the clock is not set back.
	fn next_seq(&self) -> u64 {
		let since = SystemTime::now().duration_since(UNIX_EPOCH);
		let millis = since.map_or(0, |since| since.as_millis() as u64);
		let next = millis.max(self.seq.load(Relaxed).saturating_add(1));
		self.seq.store(next, Relaxed);
		next
	}
}

/// This program's version.
fn version() -> [u16; 3] {
	let mut parts = env!("CARGO_PKG_VERSION").split('.');
	[(); 3].map(|()| {
		parts
			.next()
			.and_then(|part| part.parse().ok())
			.unwrap_or_default()
	})
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use codec::Encode;

	fn order(window_blocks: u32, beats_per_window: u8, now: u32) -> BeatOrder {
		BeatOrder {
			genesis: [1; 32],
			best: now - 1,
			best_hash: [2; 32],
			window_blocks,
			beats_per_window,
			seed: [3; 32],
			validators: Vec::new(),
			endpoints: Vec::new(),
		}
	}

	fn beats(dir: &std::path::Path) -> Beats {
		let epochs = Epochs::load(dir.to_path_buf(), NodeKey([1; 32])).unwrap();
		Beats::new(Arc::new(epochs))
	}

	#[test]
	fn every_slot_has_its_beat_and_none_is_at_the_slots_first_block() {
		for (blocks, count) in [(100u32, 20u8), (6, 3), (5, 5), (7, 3), (10, 1)] {
			for node in 0..8 {
				let mut seen = BTreeSet::new();
				for now in blocks..3 * blocks {
					let Some(slot) = due(&order(blocks, count, now), node) else {
						continue;
					};
					// As the collector counts.
					let within = u64::from(now % blocks);
					let expected = within * u64::from(count) / u64::from(blocks);
					assert_eq!(slot, (now / blocks, expected as u8));
					let before =
						u64::from((now - 1) % blocks) * u64::from(count) / u64::from(blocks);
					if seen.insert(slot) && blocks >= 2 * u32::from(count) {
						assert_eq!(before, expected, "{blocks} {count} {node} {now}");
					}
				}
				assert_eq!(
					seen.len(),
					2 * usize::from(count),
					"{blocks} {count} {node}"
				);
			}
		}
		let last = BeatOrder {
			best: u32::MAX,
			..order(100, 20, 1)
		};
		due(&last, u32::MAX);
	}

	#[test]
	fn orders_that_make_no_sense_are_refused() {
		let dir = tempfile::tempdir().unwrap();
		let beats = beats(dir.path());
		let good = order(10, 5, 7);
		assert_eq!(beats.take(&good.encode()), Ok(()));
		let malformed = |bytes: &[u8]| matches!(beats.take(bytes), Err(OrderError::Malformed(_)));
		assert!(malformed(b"") && malformed(&good.encode()[1..]));
		let mut longer = good.encode();
		longer.push(0);
		assert!(malformed(&longer));
		let unsound = [
			order(0, 5, 7),
			order(10, 0, 7),
			BeatOrder {
				endpoints: vec![None],
				..good.clone()
			},
		];
		for order in unsound {
			assert_eq!(beats.take(&order.encode()), Err(OrderError::Unsound));
		}
	}

	#[test]
	fn another_chains_order_is_refused() {
		let dir = tempfile::tempdir().unwrap();
		std::fs::write(dir.path().join("genesis"), hex::encode([9; 32])).unwrap();
		let refused = beats(dir.path()).take(&order(10, 5, 7).encode());
		assert!(matches!(refused, Err(OrderError::OtherChain { .. })));
	}

	#[test]
	fn only_collectors_that_say_where_they_listen_are_asked() {
		let endpoint = |seed| Endpoint {
			key: NodeKey([seed; 32]),
			addresses: Default::default(),
			sequence: 1,
		};
		let order = BeatOrder {
			validators: (0..20).map(|seed| vec![seed; 32]).collect(),
			endpoints: (0..20)
				.map(|seed| (seed % 2 == 0).then(|| endpoint(seed)))
				.collect(),
			..order(10, 5, 7)
		};
		let drawn = collectors_of(&order.seed, 1, &order.validators);
		let even = drawn.iter().filter(|place| *place % 2 == 0).count();
		let found = collectors(&order, 300);
		assert_eq!(found.len(), even);
		assert!(found
			.iter()
			.all(|found| drawn.contains(&found.key.0[0].into())));
	}

	#[test]
	fn numbers_rise_within_a_millisecond() {
		let dir = tempfile::tempdir().unwrap();
		let beats = beats(dir.path());
		let numbers: Vec<_> = (0..100).map(|_| beats.next_seq()).collect();
		assert!(numbers.windows(2).all(|two| two[0] < two[1]));
	}

	#[test]
	fn the_version_is_that_of_the_program() {
		let [major, minor, patch] = version();
		assert!(env!("CARGO_PKG_VERSION").starts_with(&format!("{major}.{minor}.{patch}")));
	}
}
