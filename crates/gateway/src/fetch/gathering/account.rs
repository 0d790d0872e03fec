//! What a gathering cost, and what is learnt from it.

use super::Gathering;
use hippius_primitives::DATA_SHARDS;
use std::collections::HashSet;
use tokio::time::Instant;

impl Gathering<'_> {
	/// Accounts for everything and learns from what is still running, which is cancelled.
	pub(super) fn settle(&mut self, complete: bool) {
		let (now, median) = (Instant::now(), self.median_share());
		let fetcher = self.fetcher;
		let mut in_vain = 0;
		let late: HashSet<u64> = self.late.drain(..).collect();
		let mut useful = 0;
		let mut shared = fetcher.shared();
		for id in &late {
			if complete {
				let finished = self.finished.contains(id);
				shared.estimates.hedged(!finished);
				useful += usize::from(!finished);
			}
		}
		if complete {
			shared.estimates.read(useful > 0);
		}
		for (id, stream) in self.streams.drain() {
			let (received, elapsed) = (stream.watch.received(), now - stream.started);
			in_vain += received;
			fetcher.metrics.requests_cancelled.add(1);
			let estimates = &mut shared.estimates;
			estimates.end(&stream.key, stream.bytes);
			let expected = stream.expected;
			estimates.cancelled(&stream.key, stream.path, elapsed, received, expected.finish);
			let share = received as f64 / stream.bytes.max(1) as f64;
			// Others that were started when this was late already have finished, and nothing has come
			// from it meanwhile.
			let moved = if received > stream.seen {
				now
			} else {
				stream.moved
			};
			let overtaken = late.contains(&id) && now - moved >= expected.finish;
			if !overtaken && !stream.stalled && share >= median / 2.0 && received > 0 {
				// It kept up with the others, which is all a probe can show.
				fetcher.peers.worked(&stream.key);
			} else if complete && (overtaken || elapsed >= expected.p95 * 2) {
				fetcher.peers.stalled(&stream.key);
			}
		}
		let columns = self.columns.len() as u64;
		let needed = match (complete, self.must_be_wide) {
			(false, _) => self.received,
			(true, true) => columns * DATA_SHARDS as u64,
			(true, false) => self.wanted.parts.iter().map(|p| p.range.len() as u64).sum(),
		};
		let needed = match self.wanted.shard_len {
			Some(_) => needed,
			// Lengths were guessed.
			None => self.received,
		};
		let wasted = in_vain + self.received.saturating_sub(needed);
		let reserved = std::mem::take(&mut self.reserved);
		self.received = 0;
		let spent = if fetcher.turbo { 0 } else { wasted };
		shared.budget.settle(reserved, needed, spent);
		drop(shared);
		let count = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
		fetcher.metrics.shard_bytes_fetched.add(count(in_vain));
		fetcher.metrics.wasted_bytes.add(count(wasted));
	}
}
