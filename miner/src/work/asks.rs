//! What an order asks for, and the proofs of it.

use super::{
	answers::Ready,
	locked,
	prove::{self, Cause, ProveError, Proved},
	Work,
};
use crate::leaves::LeavesError;
use arion_storage_proof::{
	work::{WorkOrder, MAX_ORDER_ASKED},
	Peaks,
};
use hippius_primitives::{
	audit::{AskedOf, MAX_CHUNKS},
	Pg, TOTAL_SHARDS,
};
use std::{
	collections::BTreeMap,
	sync::{atomic::Ordering::Relaxed, Arc},
};
use tokio::sync::OwnedSemaphorePermit;

/// Proofs are kept for so many orders that do not ask for them.
const KEPT_ORDERS: u64 = 16;
/// Proofs kept at most.
const MOST_KEPT: usize = 4 * MAX_ORDER_ASKED;

/// Something asked of this node.
pub(super) struct Entry {
	pub(super) asked: AskedOf,
	/// The peaks a proof must lead to; none while no order told them.
	pub(super) peaks: Option<Peaks>,
	/// Whether a proof is being made.
	pub(super) running: bool,
	/// The number of the last order that asked for it.
	pub(super) order: u64,
	/// The number of the last order by which a proof failed.
	pub(super) failed: Option<u64>,
	pub(super) ready: Option<Ready>,
}

impl Entry {
	/// Whether nothing more comes of it before the next order.
	pub(super) fn is_settled(&self, order: u64) -> bool {
		!self.running
			&& (self.ready.is_some() || self.failed >= Some(order) || self.peaks.is_none())
	}
}

impl Work {
	/// Notes what is asked, and has proofs made.
	pub(super) fn ask(self: &Arc<Self>, order: &WorkOrder) {
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
	pub(super) fn again(self: &Arc<Self>) {
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
		let mut guard = locked(&self.state);
		let state = &mut *guard;
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
		// Told without the lock: who is told holds the channel's and may want this one.
		drop(guard);
		self.settled
			.send_modify(|count| *count = count.wrapping_add(1));
	}
}
