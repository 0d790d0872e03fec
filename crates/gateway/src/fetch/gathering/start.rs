//! Whom a gathering asks.

use super::{Event, Gathering, Place, Role, Stream, TICK_LEAST, TICK_MOST};
use crate::{
	fetch::{
		choose::{pick, Candidate, EXPLORE_ONE_IN},
		source::Ask,
	},
	peers::Standing,
};
use futures_util::FutureExt;
use hippius_primitives::{DATA_SHARDS, TOTAL_SHARDS};
use std::ops::Range;
use tokio::time::Instant;

/// Differences below this part of the patience with an unknown miner count for nothing.
const TIE_SHARE: u32 = 10;

/// A range from its one holder has so many times its 95th percentile: to do without costs ten times
/// its bytes.
const RANGE_PATIENCE: u32 = 2;

/// So many miners that fall silent during one read are no accident: more will be.
const MANY_SILENT: usize = 3;

impl Gathering<'_> {
	pub(super) fn begin(&mut self) {
		let standing = |place: &Place| self.fetcher.peers.standing(&place.node.key);
		let mut direct = Vec::new();
		for part in &self.wanted.parts {
			let holders = self.places.iter().enumerate();
			let holders = holders.filter(|(_, place)| place.slot == part.slot);
			let best = holders.min_by_key(|(_, place)| (standing(place), place.rank));
			match best {
				// One that may have recovered is tried: doing without costs ten times the bytes.
				Some((at, place)) if standing(place) <= Standing::Unproven => {
					direct.push((at, part.range.clone()));
				}
				// Its holder is not to be relied on: others are asked from the first.
				_ => (self.wide, self.must_be_wide) = (true, true),
			}
		}
		if self.wide {
			if self.wanted.parts.is_empty() {
				self.target += self.extra();
			}
			self.top_up();
		} else {
			for (at, range) in direct {
				self.start(at, Some(range), Role::Counted);
			}
		}
		self.probe();
		let soonest = self.streams.values().map(|stream| stream.expected.finish);
		self.tick = soonest.min().map_or(TICK_MOST, |soonest| {
			(soonest / 4).clamp(TICK_LEAST, TICK_MOST)
		});
	}

	/// How many requests more than needed to start with.
	fn extra(&mut self) -> usize {
		if self.fetcher.turbo {
			return TOTAL_SHARDS - DATA_SHARDS;
		}
		let extra = self.fetcher.shared().estimates.extra();
		(0..extra).take_while(|_| self.reserve(1)).count()
	}

	/// Asks one node more, that failed or stalled some time ago or just was not asked lately.
	fn probe(&mut self) {
		if self.fetcher.turbo {
			return;
		}
		let whole = self.wanted.parts.is_empty();
		let mut pool = self.pool();
		let fetcher = self.fetcher;
		let unproven = pool
			.iter()
			.position(|candidate| candidate.standing == Standing::Unproven);
		let at = match unproven {
			Some(at) => at,
			None => {
				let mut shared = fetcher.shared();
				if !whole || pool.is_empty() || shared.rng.u32(..EXPLORE_ONE_IN) != 0 {
					return;
				}
				shared.rng.usize(..pool.len())
			}
		};
		let candidate = pool.swap_remove(at);
		let Some(place) = self.places.get(candidate.place) else {
			return;
		};
		let key = place.node.key;
		let takes = match candidate.standing {
			Standing::Good => true,
			Standing::Unproven => fetcher.peers.standing(&key) == Standing::Unproven,
			_ => false,
		};
		// One at a time per node, from all gatherings.
		if takes && self.reserve(1) && fetcher.peers.take_probe(&key) {
			fetcher.metrics.probe_requests.add(1);
			self.start(candidate.place, self.range(), Role::Probe);
		}
	}

	/// The columns asked of any shard, if lengths are known.
	pub(super) fn range(&self) -> Option<Range<usize>> {
		self.wanted.shard_len.map(|_| self.columns.clone())
	}

	/// Takes the price of `count` shards' columns from the budget.
	pub(super) fn reserve(&mut self, count: usize) -> bool {
		let cost = (count as u64).saturating_mul(self.columns.len() as u64);
		let granted = self.fetcher.shared().budget.reserve(cost);
		if granted {
			self.reserved += cost;
		}
		granted
	}

	/// Whom any columns may be asked of.
	pub(super) fn pool(&self) -> Vec<Candidate> {
		let mut taken = [false; TOTAL_SHARDS];
		for (slot, piece) in self.pieces.iter().enumerate() {
			taken[slot] = piece.as_ref().is_some_and(|piece| self.covers(piece));
		}
		for stream in self.streams.values().filter(|stream| !stream.replaced) {
			taken[stream.slot] = true;
		}
		let mut pool = Vec::new();
		let shared = self.fetcher.shared();
		for (at, place) in self.places.iter().enumerate() {
			let key = &place.node.key;
			if taken[place.slot] || self.asked.contains(&(place.slot, *key)) {
				continue;
			}
			let (path, rtt) = self.fetcher.source.path(&place.node);
			let bytes = self.columns.len() as u64;
			pool.push(Candidate {
				place: at,
				slot: place.slot,
				rank: place.rank,
				standing: self.fetcher.peers.standing(key),
				expected: shared.estimates.expect(key, path, bytes, rtt).finish,
			});
		}
		pool
	}

	/// Starts what is missing of the target; how many that were.
	pub(super) fn top_up(&mut self) -> usize {
		let missing = self.target.saturating_sub(self.live());
		if missing == 0 {
			return 0;
		}
		let pool = self.pool();
		let slack = self.fetcher.patience / TIE_SHARE;
		let rng = &mut self.fetcher.shared().rng.fork();
		let mut picked = pick(pool.clone(), missing, slack, rng);
		let doubtful = picked.iter().any(|other| other.standing >= Standing::Slow);
		// Where most will not answer, one after the other would take too long.
		let at_once = match self.silent.len() >= MANY_SILENT {
			true => TOTAL_SHARDS,
			false if doubtful => DATA_SHARDS,
			false => 0,
		};
		if at_once > missing {
			picked = pick(pool, at_once, slack, rng);
		}
		for candidate in &picked {
			self.start(candidate.place, self.range(), Role::Counted);
		}
		picked.len()
	}

	pub(super) fn start(&mut self, at: usize, range: Option<Range<usize>>, role: Role) {
		let fetcher = self.fetcher;
		let Some(Place { slot, node, .. }) = self.places.get(at) else {
			return;
		};
		let (slot, key) = (*slot, node.key);
		self.asked.insert((slot, key));
		let bytes = range.as_ref().map_or(self.columns.len(), Range::len) as u64;
		let (path, rtt) = fetcher.source.path(node);
		let expected = {
			let estimates = &mut fetcher.shared().estimates;
			let expected = estimates.expect(&key, path, bytes, rtt);
			estimates.begin(&key, bytes);
			expected
		};
		let ask = Ask {
			shard: self.wanted.shards[slot],
			part: self.wanted.shard_len.zip(range.clone()),
		};
		let transfer = fetcher.source.fetch(node, &ask);
		let id = self.next_id;
		self.next_id += 1;
		let now = Instant::now();
		let stream = Stream {
			slot,
			key,
			path,
			rtt,
			range,
			bytes,
			role,
			watch: transfer.watch,
			started: now,
			expected,
			due: now + expected.p95 * if self.wide { 1 } else { RANGE_PATIENCE },
			lags: 0,
			seen: 0,
			moved: now,
			replaced: false,
			stalled: false,
		};
		self.streams.insert(id, stream);
		let done = transfer.done;
		self.running
			.push(async move { Event::Done(id, done.await) }.boxed());
	}
}
