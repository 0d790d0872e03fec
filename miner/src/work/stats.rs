//! What work for the chain counts.

use super::prove::Cause;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters.
#[derive(Debug, Default)]
pub struct WorkStats {
	/// Orders taken.
	pub orders: AtomicU64,
	/// Orders refused.
	pub refused: AtomicU64,
	/// Proofs made of what was asked.
	pub proved: AtomicU64,
	/// Failures to prove, by [`Cause`].
	pub failed: [AtomicU64; Cause::ALL.len()],
	/// Things asked that were not for this node, or made no sense.
	pub foreign: AtomicU64,
	/// Lists of batches that contradict the peaks they came with.
	pub contradicted: AtomicU64,
	/// Signs of life given.
	pub lives: AtomicU64,
	/// Clean reports given.
	pub reports: AtomicU64,
	/// Shards that a ledger has in a slot of this node and that are not here.
	pub lacking: AtomicU64,
	/// Batches' entries fetched from peers.
	pub fetched: AtomicU64,
	/// Peers that gave entries or batches that are not those asked for.
	pub lied: AtomicU64,
	/// Groups whose ledger the last report wanted.
	pub wanted: AtomicU64,
	/// Things asked and not yet answered, by the last order.
	pub asked: AtomicU64,
	/// Of these, those that can be answered.
	pub ready: AtomicU64,
	/// Unix seconds at which the last order was taken.
	pub at: AtomicU64,
}

impl WorkStats {
	/// Adds to a counter.
	pub fn add(&self, counter: fn(&Self) -> &AtomicU64, by: u64) {
		counter(self).fetch_add(by, Relaxed);
	}

	/// Counts a failure.
	pub fn fail(&self, cause: Cause) {
		if let Some(counter) = self.failed.get(cause as usize) {
			counter.fetch_add(1, Relaxed);
		}
	}

	/// A counter's value.
	pub fn get(&self, counter: fn(&Self) -> &AtomicU64) -> u64 {
		counter(self).load(Relaxed)
	}
}

/// How work for the chain goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkStatus {
	/// Unix seconds at which the full node's worker last gave an order; 0 if it has not since start.
	pub ordered_at: u64,
	/// Bytes the chain asks this node to show, as draws and tasks not answered yet.
	pub asked: u64,
	/// Of these, those whose proofs were given to the worker.
	pub ready: u64,
	/// Groups of which the order of batches is not known, or is to be compared.
	pub wanted: u64,
	/// Why the last thing that could not be shown could not.
	pub problem: Option<String>,
}
