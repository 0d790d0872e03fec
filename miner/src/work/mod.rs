//! What the chain asks of this node's disks, and what the node tells the chain of them.
//!
//! The full node's worker brings a [`WorkOrder`] every few seconds and takes along what is ready. What
//! is asked is turned into proofs ([`prove`]) side by side in the background, each checked as the chain
//! checks it before it is signed; the order of the ledgers' batches, which proofs need, is learned from
//! the orders and compared with the chain's peaks group by group ([`Leaves::follow`]).
//!
//! The worker is the operator's own, but may be on a fork, behind, or broken: what contradicts the
//! peaks is not taken, and nothing is signed that is for another chain, another node, or that does not
//! hold.

mod answers;
mod asks;
mod clean;
mod fetch;
mod groups;
mod learn;
pub mod peers;
pub mod prove;
pub mod shards;
pub mod stats;

use crate::{
	epochs::{Epochs, Held},
	leaves::Leaves,
	metrics::unix_now,
	service::Signer,
};
use answers::{Answerer, Places, Ready};
use arion_storage_proof::work::{
	WorkOrder, WorkReport, MAX_ORDER_ASKED, MAX_ORDER_BATCHES, MAX_ORDER_LEDGERS,
};
use asks::Entry;
use clean::Clean;
use codec::DecodeAll;
use fetch::Needs;
use groups::Groups;
use hippius_primitives::{audit::Ask, ledger::CleanReport, Epoch, NodeIndex, NodeKey, Pg};
use shards::Shards;
use stats::{WorkStats, WorkStatus};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::{atomic::Ordering::Relaxed, Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::{watch, Notify, OwnedSemaphorePermit, Semaphore},
	time::{timeout_at, Instant},
};

/// How long an order waits for proofs; the worker has two seconds for all of its daemons.
pub const PATIENCE: Duration = Duration::from_millis(600);
/// Proofs made side by side.
const PROVERS: usize = 8;
/// Proofs begun and not ended, those included that nobody waits for any more.
const BEGUN: usize = 2 * MAX_ORDER_ASKED;
/// Why an order is not taken. Each is an answer of the control API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
	/// The body is no [`WorkOrder`].
	#[error("not a work order: {0}")]
	Malformed(String),
	/// It has more of something than an order may have.
	#[error("the order has {given} {what}, at most {most} are allowed")]
	TooMany {
		/// Of what.
		what: &'static str,
		/// How many.
		given: usize,
		/// How many are allowed.
		most: usize,
	},
	/// The miner belongs to another chain.
	#[error("this miner belongs to the chain with genesis 0x{bound}, the order is of 0x{offered}")]
	OtherChain {
		/// The chain the miner is bound to, hex.
		bound: String,
		/// The order's chain, hex.
		offered: String,
	},
	/// The miner has no map and belongs to no chain yet.
	#[error("this miner has no map yet: hand it the current epoch first")]
	NoMap,
}

#[derive(Default)]
struct State {
	asks: BTreeMap<Ask, Entry>,
	places: Places,
	/// Counts orders learned.
	order: u64,
	wants: Vec<(Pg, u64)>,
	/// Groups to be reported as clean at an epoch.
	clean: Option<(Epoch, Vec<(Pg, u64)>)>,
	problem: Option<String>,
}

/// Does what orders ask for.
pub struct Work {
	epochs: Arc<Epochs>,
	leaves: Arc<Leaves>,
	shards: Arc<dyn Shards>,
	signer: Signer,
	/// One order at a time is learned.
	turn: Arc<Semaphore>,
	provers: Arc<Semaphore>,
	begun: Arc<Semaphore>,
	/// Held while the disk is asked: not to be waited for where nothing may block.
	groups: Mutex<Groups>,
	/// Locked after the groups.
	clean: Mutex<Clean>,
	state: Mutex<State>,
	needs: Mutex<Needs>,
	needed: Notify,
	/// Changes when something asked is settled.
	settled: watch::Sender<u64>,
	/// What it counts.
	pub stats: WorkStats,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads an order and checks its bounds.
fn read(body: &[u8]) -> Result<WorkOrder, WorkError> {
	let order = WorkOrder::decode_all(&mut &*body)
		.map_err(|error| WorkError::Malformed(error.to_string()))?;
	let batches = order
		.ledgers
		.iter()
		.map(|ledger| ledger.batches.len())
		.sum();
	for (what, given, most) in [
		("things asked", order.asked.len(), MAX_ORDER_ASKED),
		("ledgers", order.ledgers.len(), MAX_ORDER_LEDGERS),
		("batches", batches, MAX_ORDER_BATCHES),
	] {
		if given > most {
			return Err(WorkError::TooMany { what, given, most });
		}
	}
	Ok(order)
}

impl Work {
	/// Works for the node that `epochs` tells the number of and `signer` has the key of.
	pub fn new(
		epochs: Arc<Epochs>,
		leaves: Arc<Leaves>,
		shards: Arc<dyn Shards>,
		signer: Signer,
	) -> Arc<Self> {
		Arc::new(Self {
			epochs,
			leaves,
			shards,
			signer,
			turn: Arc::new(Semaphore::new(1)),
			provers: Arc::new(Semaphore::new(PROVERS)),
			begun: Arc::new(Semaphore::new(BEGUN)),
			groups: Mutex::default(),
			clean: Mutex::default(),
			state: Mutex::default(),
			needs: Mutex::default(),
			needed: Notify::new(),
			settled: watch::Sender::new(0),
			stats: WorkStats::default(),
		})
	}

	/// How it goes.
	pub fn status(&self) -> WorkStatus {
		WorkStatus {
			ordered_at: self.stats.get(|s| &s.at),
			asked: self.stats.get(|s| &s.asked),
			ready: self.stats.get(|s| &s.ready),
			wanted: self.stats.get(|s| &s.wanted),
			problem: locked(&self.state).problem.clone(),
		}
	}

	/// Changes whenever something asked is settled.
	pub fn settled(&self) -> watch::Receiver<u64> {
		self.settled.subscribe()
	}

	/// Takes a SCALE encoded [`WorkOrder`] and reports what is ready after at most [`PATIENCE`]; what
	/// takes longer goes on and comes with a later report.
	///
	/// # Errors
	/// [`WorkError`] for an order that is none, or of another chain.
	pub async fn take(self: &Arc<Self>, body: &[u8]) -> Result<WorkReport, WorkError> {
		let checked = read(body).and_then(|order| self.check(order));
		let order = match checked {
			Ok(order) => Arc::new(order),
			Err(error) => {
				self.stats.add(|s| &s.refused, 1);
				return Err(error);
			}
		};
		self.stats.add(|s| &s.orders, 1);
		self.stats.at.store(unix_now(), Relaxed);
		let until = Instant::now() + PATIENCE;
		// While the order before is still being learned, this one only takes what is ready.
		if let Ok(turn) = self.turn.clone().try_acquire_owned() {
			let (this, order) = (self.clone(), order.clone());
			let learning = tokio::spawn(async move { this.learn(&order, turn).await });
			if let Ok(Err(error)) = timeout_at(until, learning).await {
				tracing::error!(%error, "an order of work");
			}
		}
		let mut settled = self.settled.subscribe();
		// A closed channel or the time over: what is ready is reported in any case.
		let _ = timeout_at(until, async {
			// Looked at between two changes: within `wait_for` it would be under the channel's lock.
			while !self.is_settled() && settled.changed().await.is_ok() {}
		})
		.await;
		Ok(self.report(&order))
	}

	fn check(&self, order: WorkOrder) -> Result<WorkOrder, WorkError> {
		match self.epochs.genesis() {
			Some(bound) if bound == order.genesis => Ok(order),
			Some(bound) => Err(WorkError::OtherChain {
				bound: hex::encode(bound),
				offered: hex::encode(order.genesis),
			}),
			None => Err(WorkError::NoMap),
		}
	}

	fn is_settled(&self) -> bool {
		let state = locked(&self.state);
		let asked = state.asks.values();
		let mut asked = asked.filter(|entry| entry.order == state.order);
		asked.all(|entry| entry.is_settled(state.order))
	}

	/// Learns the ledgers of an order, then has proofs made of what is asked.
	async fn learn(self: Arc<Self>, order: &Arc<WorkOrder>, turn: OwnedSemaphorePermit) {
		let (this, of) = (self.clone(), order.clone());
		let learned = tokio::task::spawn_blocking(move || this.learn_ledgers(&of));
		if let Err(error) = learned.await {
			tracing::error!(%error, "learning the ledgers of an order");
		}
		self.ask(order);
		drop(turn);
	}

	/// What is ready, signed.
	fn report(&self, order: &WorkOrder) -> WorkReport {
		let held = self.epochs.held();
		let node = held.as_ref().and_then(|held| held.index);
		let mut state = locked(&self.state);
		let state = &mut *state;
		let mut report = WorkReport {
			node,
			wants: state.wants.clone(),
			..WorkReport::default()
		};
		let (Some(held), Some(node)) = (held, node) else {
			return report;
		};
		let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner);
		let identity = signer.clone();
		drop(signer);
		if !takes(&held, node, &identity.node_key()) {
			// The key is about to change over; what is signed with the old one would not count.
			tracing::info!("nothing is signed: the map has another key of this node");
			return report;
		}
		let asked: BTreeSet<Ask> = order.asked.iter().map(|asked| asked.ask).collect();
		let ready = state.asks.iter().filter(|(ask, _)| asked.contains(ask));
		let ready: Vec<(Ask, Ready)> = ready
			.filter_map(|(ask, entry)| Some((*ask, entry.ready.clone()?)))
			.collect();
		self.stats.ready.store(ready.len() as u64, Relaxed);
		let by = Answerer {
			genesis: order.genesis,
			node,
			identity: &identity,
		};
		report.answers = state.places.form(&ready, &by);
		let clean = state.clean.take();
		let clean = clean.filter(|(epoch, _)| *epoch == order.epoch);
		report.clean = clean.map(|(epoch, groups)| {
			self.stats.add(|s| &s.reports, 1);
			let report = CleanReport {
				node,
				epoch,
				groups,
			};
			let signature = identity.sign(&report.payload(&order.genesis));
			(report, signature)
		});
		let life = order.life.filter(|life| life.sign.node == node);
		report.life = life.map(|life| {
			self.stats.add(|s| &s.lives, 1);
			identity.sign(&life.sign.payload(&order.genesis, &life.anchor))
		});
		report
	}
}

/// Whether a map has the key as one of the node's.
fn takes(held: &Held, node: NodeIndex, key: &NodeKey) -> bool {
	let mut nodes = held.update.nodes.iter();
	let record = nodes.find(|record| record.index == node);
	record.is_some_and(|record| record.key == *key || record.next_key.as_ref() == Some(key))
}
