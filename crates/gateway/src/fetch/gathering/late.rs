//! Streams that are late, and what is done about them.

use super::{Gathering, Role, Stream};
use hippius_primitives::DATA_SHARDS;
use std::time::Duration;
use tokio::time::Instant;

/// Looks at which a stream must have been behind before another is started.
const LAGS: u32 = 2;
/// A stream that moved nothing for this many times its 95th percentile counts as failed.
const STALL_FACTOR: u32 = 4;
/// But no longer than this: who asks many such needs to be done in time.
const STALL_MOST: Duration = Duration::from_secs(2);

impl Gathering<'_> {
	/// The share that the middle one of all streams has received.
	pub(super) fn median_share(&self) -> f64 {
		let running = self.streams.values().filter(|s| s.role == Role::Counted);
		let mut shares: Vec<f64> = running.map(Stream::share).collect();
		shares.extend(self.times.iter().map(|_| 1.0));
		shares.sort_by(f64::total_cmp);
		shares.get(shares.len() / 2).copied().unwrap_or(0.0)
	}

	/// The time that the middle one of all streams took, once half of them are done.
	fn median_time(&self) -> Option<Duration> {
		let mut times = self.times.clone();
		times.sort_unstable();
		let half = times.len() >= self.streams.len().max(2);
		half.then(|| times.get(times.len() / 2).copied()).flatten()
	}

	/// Looks at every stream; for those that are late or stall another is started.
	pub(super) fn check(&mut self) {
		let now = Instant::now();
		let (median, typical) = (self.median_share(), self.median_time());
		let fetcher = self.fetcher;
		let caution = fetcher.shared().estimates.caution();
		let soonest = self.pool().iter().map(|c| c.expected).min();
		let (mut late, mut stalled) = (Vec::new(), Vec::new());
		for (id, stream) in &mut self.streams {
			let received = stream.watch.received();
			if received > stream.seen {
				(stream.seen, stream.moved) = (received, now);
			}
			let usual = (stream.expected.p95 * STALL_FACTOR).min(STALL_MOST);
			let limit = fetcher.patience.max(usual);
			if now - stream.moved >= limit && !stream.stalled {
				stream.stalled = true;
				stalled.push(*id);
			}
			if stream.replaced || stream.role == Role::Probe {
				continue;
			}
			let elapsed = now - stream.started;
			let normal = typical.map_or(stream.expected.finish, |typical| {
				stream.expected.finish.min(typical * 2)
			});
			let behind = elapsed >= normal.mul_f64(caution) && stream.share() < median / 2.0;
			stream.lags = if behind { stream.lags + 1 } else { 0 };
			if now < stream.due && stream.lags < LAGS {
				continue;
			}
			// Not if it will be done sooner than anybody else could.
			let left = match received {
				0 => Duration::MAX,
				_ => {
					let rest = (1.0 / stream.share() - 1.0).clamp(0.0, 1e6);
					elapsed.mul_f64(rest) + (now - stream.moved)
				}
			};
			if soonest.is_some_and(|soonest| left <= soonest) {
				stream.due = now + self.tick;
				continue;
			}
			late.push(*id);
		}
		for id in stalled {
			self.replace_stalled(id);
		}
		for id in late {
			self.hedge(id, now);
		}
	}

	fn replace_stalled(&mut self, id: u64) {
		let Some(stream) = self.streams.get_mut(&id) else {
			return;
		};
		self.fetcher.peers.stalled(&stream.key);
		self.fetcher.metrics.stalled_requests.add(1);
		self.silent.insert(stream.key);
		if stream.role == Role::Probe || std::mem::replace(&mut stream.replaced, true) {
			return;
		}
		let slot = stream.slot;
		match self.holder(slot) {
			Some((at, range)) => self.start(at, Some(range), Role::Counted),
			None => {
				(self.wide, self.must_be_wide) = (true, true);
				if self.top_up() == 0 && self.live() < DATA_SHARDS {
					self.start_search();
				}
			}
		}
	}

	/// Starts another for a late stream, if the budget allows it.
	fn hedge(&mut self, id: u64, now: Instant) {
		let tick = self.tick;
		let Some(stream) = self.streams.get_mut(&id) else {
			return;
		};
		if stream.replaced {
			return;
		}
		stream.replaced = true;
		let slot = stream.slot;
		let holder = self.holder(slot);
		let missing = match holder {
			Some(_) => 1,
			None => self.target.saturating_sub(self.live()),
		};
		if missing > 0 && !self.reserve(missing) {
			self.fetcher.metrics.hedges_refused.add(1);
			if let Some(stream) = self.streams.get_mut(&id) {
				stream.replaced = false;
				stream.due = now + tick * 4;
			}
			return;
		}
		self.late.push(id);
		let started = match holder {
			Some((at, range)) => {
				self.start(at, Some(range), Role::Counted);
				1
			}
			None => {
				self.wide = true;
				self.top_up()
			}
		};
		self.fetcher.metrics.hedged_requests.add(started);
		if started == 0 && self.live() < DATA_SHARDS {
			self.start_search();
		}
	}
}
