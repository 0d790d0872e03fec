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
mod clean;
mod groups;
pub mod peers;
pub mod prove;
pub mod shards;
pub mod stats;

use crate::{
	epochs::{Epochs, Held},
	leaves::{Leaves, LeavesError},
	metrics::unix_now,
	service::Signer,
};
use answers::{Answerer, Places, Ready};
use arion_storage_proof::{
	work::{WorkOrder, WorkReport, MAX_ORDER_ASKED, MAX_ORDER_BATCHES, MAX_ORDER_LEDGERS},
	Peaks,
};
use clean::{Clean, Scene};
use codec::DecodeAll;
use groups::Groups;
use hippius_primitives::{
	audit::{Ask, AskedOf, MAX_CHUNKS},
	ledger::CleanReport,
	Epoch, NodeIndex, NodeKey, Pg, TOTAL_SHARDS,
};
use peers::Needs;
use prove::{Cause, ProveError, Proved};
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
/// Proofs are kept for so many orders that do not ask for them.
const KEPT_ORDERS: u64 = 16;
/// Proofs kept at most.
const MOST_KEPT: usize = 4 * MAX_ORDER_ASKED;

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

/// Something asked of this node.
struct Entry {
	asked: AskedOf,
	/// The peaks a proof must lead to; none while no order told them.
	peaks: Option<Peaks>,
	/// Whether a proof is being made.
	running: bool,
	/// The number of the last order that asked for it.
	order: u64,
	/// The number of the last order by which a proof failed.
	failed: Option<u64>,
	ready: Option<Ready>,
}

impl Entry {
	/// Whether nothing more comes of it before the next order.
	fn is_settled(&self, order: u64) -> bool {
		!self.running
			&& (self.ready.is_some() || self.failed >= Some(order) || self.peaks.is_none())
	}
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
		let _ = timeout_at(until, settled.wait_for(|_| self.is_settled())).await;
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

	/// Blocks.
	fn learn_ledgers(&self, order: &WorkOrder) {
		let held = self.epochs.held();
		let slots: BTreeMap<Pg, u8> = held
			.as_deref()
			.and_then(Held::slots)
			.unwrap_or(&[])
			.iter()
			.copied()
			.collect();
		let own: BTreeSet<Pg> = slots.keys().copied().collect();
		let asked: BTreeSet<Pg> = order.asked.iter().map(|asked| asked.pg).collect();
		let wanted: BTreeSet<Pg> = locked(&self.state).wants.iter().map(|w| w.0).collect();
		let mut groups = locked(&self.groups);
		groups.retain(|pg| own.contains(&pg) || asked.contains(&pg));
		for ledger in &order.ledgers {
			let pg = ledger.pg;
			// Only what is this node's, so that nobody fills the disk.
			if !own.contains(&pg) && !asked.contains(&pg) {
				continue;
			}
			match groups.learn(&self.leaves, ledger) {
				Ok(followed) if followed.refused => {
					self.stats.add(|s| &s.contradicted, 1);
					tracing::warn!(pg, "the batches an order brings are not those of its peaks");
				}
				Ok(followed) => {
					// The worker's full node may have no history.
					let asked = asked.contains(&pg);
					let none = !followed.complete && ledger.batches.is_empty();
					if none && (asked || wanted.contains(&pg)) {
						self.need(pg, asked);
					}
				}
				Err(error) => {
					self.stats.add(|s| &s.contradicted, 1);
					tracing::warn!(pg, %error, "a ledger cannot be learned");
				}
			}
		}
		match groups.wants(&self.leaves, &asked, &own) {
			Ok(wants) => {
				self.stats.wanted.store(wants.len() as u64, Relaxed);
				locked(&self.state).wants = wants;
			}
			Err(error) => tracing::error!(%error, "the ledgers to ask for"),
		}
		// By another map the slots are others.
		if held.is_some_and(|held| held.update.epoch == order.epoch) {
			self.look_through(order, &groups, &slots);
		}
	}

	/// Looks through some groups, and finds out which to report as clean. Blocks.
	fn look_through(&self, order: &WorkOrder, groups: &Groups, slots: &BTreeMap<Pg, u8>) {
		let (epoch, best) = (order.epoch, order.best);
		let mut clean = locked(&self.clean);
		let scene = Scene {
			leaves: &self.leaves,
			shards: &*self.shards,
			groups,
			slots,
			epoch,
			best,
			now: unix_now(),
		};
		match clean.step(&scene) {
			Ok(step) => {
				self.stats.add(|s| &s.lacking, step.lacking);
				step.unknown.into_iter().for_each(|pg| self.need(pg, false));
			}
			Err(error) => tracing::error!(%error, "the ledgers' stripes cannot be looked for"),
		}
		let named = clean.report(groups, epoch, best);
		drop(clean);
		if !named.is_empty() {
			locked(&self.state).clean = Some((epoch, named));
		}
	}

	/// Notes what is asked, and has proofs made.
	fn ask(self: &Arc<Self>, order: &WorkOrder) {
		let node = self.epochs.held().and_then(|held| held.index);
		let is_ours = |asked: &&AskedOf| {
			let chunks = asked.offsets.len();
			Some(asked.node) == node
				&& (1..=MAX_CHUNKS as usize).contains(&chunks)
				&& usize::from(asked.slot) < TOTAL_SHARDS
		};
		let peaks: BTreeMap<Pg, &Peaks> = order
			.ledgers
			.iter()
			.map(|ledger| (ledger.pg, &ledger.challengeable))
			.collect();
		let mut state = locked(&self.state);
		let state = &mut *state;
		state.order += 1;
		// What the worker has just submitted it does not ask for, and may ask for again.
		let number = state.order;
		let kept = |entry: &mut Entry| entry.order + KEPT_ORDERS > number;
		state.asks.retain(|_, entry| kept(entry));
		let (mut foreign, mut asks) = (0, 0);
		let mut begin = Vec::new();
		for asked in &order.asked {
			let known = state.asks.get(&asked.ask);
			let twice = known.is_some_and(|entry| entry.order == number);
			if !is_ours(&asked) || twice {
				foreign += 1;
				continue;
			}
			asks += 1;
			let old = state.asks.remove(&asked.ask);
			let mut entry = old.filter(|entry| entry.asked == *asked).unwrap_or(Entry {
				asked: asked.clone(),
				peaks: None,
				running: false,
				order: number,
				failed: None,
				ready: None,
			});
			entry.order = number;
			if let Some(peaks) = peaks.get(&asked.pg) {
				if entry.peaks.as_ref() != Some(*peaks) {
					entry.peaks = Some((*peaks).clone());
					entry.ready = None;
				}
			}
			if !entry.running && entry.ready.is_none() {
				if let Some(peaks) = &entry.peaks {
					begin.push((entry.asked.clone(), peaks.clone()));
				}
			}
			state.asks.insert(asked.ask, entry);
		}
		if state.asks.len() > MOST_KEPT {
			state.asks.retain(|_, entry| entry.order == number);
		}
		self.stats.add(|s| &s.foreign, foreign);
		self.stats.asked.store(asks, Relaxed);
		// What is due first begins first.
		begin.sort_by_key(|(asked, _)| (asked.due.unwrap_or(u32::MAX), asked.ask));
		for (asked, peaks) in begin {
			let Ok(begun) = self.begun.clone().try_acquire_owned() else {
				break;
			};
			if let Some(entry) = state.asks.get_mut(&asked.ask) {
				entry.running = true;
			}
			tokio::spawn(self.clone().prove(asked, peaks, begun));
		}
	}

	/// Makes one proof.
	async fn prove(self: Arc<Self>, asked: AskedOf, peaks: Peaks, begun: OwnedSemaphorePermit) {
		// Never closed.
		let Ok(prover) = self.provers.clone().acquire_owned().await else {
			return;
		};
		let (leaves, shards) = (self.leaves.clone(), self.shards.clone());
		let (of, to) = (asked.clone(), peaks.clone());
		let job = move || {
			// Until the disk has answered, whoever waits for it.
			let _held = (prover, begun);
			prove::prove(&leaves, &*shards, &of, &to)
		};
		let proved = match tokio::task::spawn_blocking(job).await {
			Ok(proved) => proved.map_err(|error| (error.cause(), error.to_string(), Some(error))),
			Err(error) => Err((Cause::Broken, error.to_string(), None)),
		};
		match &proved {
			Ok(_) => self.stats.add(|s| &s.proved, 1),
			Err((cause, text, error)) => {
				self.stats.fail(*cause);
				tracing::warn!(pg = asked.pg, slot = asked.slot, ask = ?asked.ask, error = %text, "cannot show what is asked");
				if let Some(ProveError::Leaves(LeavesError::NoEntries { .. })) = error {
					self.need(asked.pg, true);
				}
			}
		}
		self.note(&asked, &peaks, proved.map_err(|(_, text, _)| text));
	}

	/// Tries again what could not be shown: something came.
	fn again(self: &Arc<Self>) {
		let mut state = locked(&self.state);
		let state = &mut *state;
		let number = state.order;
		let failed = state
			.asks
			.values_mut()
			.filter(|entry| entry.order == number && !entry.running && entry.ready.is_none());
		for entry in failed {
			let Some(peaks) = entry.peaks.clone() else {
				continue;
			};
			let Ok(begun) = self.begun.clone().try_acquire_owned() else {
				return;
			};
			entry.running = true;
			let proving = self.clone().prove(entry.asked.clone(), peaks, begun);
			tokio::spawn(proving);
		}
	}

	/// Notes what came of a proof.
	fn note(&self, asked: &AskedOf, peaks: &Peaks, proved: Result<Proved, String>) {
		let mut state = locked(&self.state);
		let state = &mut *state;
		if let Err(text) = &proved {
			state.problem = Some(text.clone());
		}
		let order = state.order;
		// It may have been answered meanwhile, or be asked otherwise.
		if let Some(entry) = state.asks.get_mut(&asked.ask) {
			entry.running = false;
			if entry.asked == *asked && entry.peaks.as_ref() == Some(peaks) {
				match proved {
					Ok(proved) => {
						entry.ready = Some(Ready {
							proved,
							seed: asked.seed,
							due: asked.due,
						});
					}
					Err(_) => entry.failed = Some(order),
				}
			} else {
				entry.failed = Some(order);
			}
		}
		self.settled
			.send_modify(|count| *count = count.wrapping_add(1));
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
