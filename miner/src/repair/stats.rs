//! What repair counts.

use super::plan::Danger;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since start, and how much is left.
#[derive(Debug, Default)]
pub struct Stats {
	/// Shards copied from another node.
	pub copied: AtomicU64,
	/// Shards computed from ten others.
	pub rebuilt: AtomicU64,
	/// Attempts that failed; the shard is tried again.
	pub failed: AtomicU64,
	/// Listed stripes that too few nodes claim to hold; nothing was fetched of them.
	pub hollow: AtomicU64,
	/// Bytes fetched from other nodes.
	pub fetched_bytes: AtomicU64,
	/// Slots looked through.
	pub checked: AtomicU64,
	/// Shards given up because their new holder has them.
	pub released: AtomicU64,
	/// Offers made to new holders.
	pub offered: AtomicU64,
	/// Findings of the store taken over.
	pub findings: AtomicU64,
	/// Slots to be looked through, by danger, worst first.
	pub backlog: [AtomicU64; Danger::ALL.len()],
	/// Slots that wait for a former holder to come back.
	pub waiting: AtomicU64,
	/// Single shards to be repaired.
	pub singles: AtomicU64,
	/// Shards of a leaving node that their new holders have not confirmed.
	pub drain_left: AtomicU64,
}

impl Stats {
	/// Adds to a counter.
	pub fn add(&self, counter: fn(&Self) -> &AtomicU64, by: u64) {
		counter(self).fetch_add(by, Relaxed);
	}

	/// Sets a gauge.
	pub fn set(&self, gauge: fn(&Self) -> &AtomicU64, value: u64) {
		gauge(self).store(value, Relaxed);
	}

	/// Reads one.
	pub fn get(&self, counter: fn(&Self) -> &AtomicU64) -> u64 {
		counter(self).load(Relaxed)
	}
}
