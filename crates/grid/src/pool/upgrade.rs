//! From a relayed connection to a direct one, and back.

use super::{lock, Dialer, Entry, Hole, Live, State};
use crate::{
	path::{PathKind, Reach},
	punch::{
		stats::Outcome,
		upgrade::{attempt, jittered, pause, success},
	},
};
use std::{sync::Arc, time::Instant};

/// How it stands with attempts to find a direct way to a peer.
#[derive(Default)]
pub(super) struct Punching {
	running: bool,
	/// Attempts in a row that failed.
	failures: u32,
	/// No attempt before.
	not_before: Option<Instant>,
}

impl Punching {
	/// Whether an attempt may begin; if so it has begun.
	fn begin(&mut self, now: Instant) -> bool {
		let may = !self.running && self.not_before.is_none_or(|at| now >= at);
		self.running |= may;
		may
	}

	/// An attempt ended.
	fn ended(&mut self, dialer: &Dialer, outcome: Outcome, now: Instant) {
		self.running = false;
		match outcome {
			Outcome::Punched | Outcome::Reversed => self.failures = 0,
			_ => self.failed(dialer, outcome, now),
		}
	}

	fn failed(&mut self, dialer: &Dialer, outcome: Outcome, now: Instant) {
		self.failures = self.failures.saturating_add(1);
		let wait = pause(dialer.config.punch_retry, self.failures, outcome);
		self.not_before = Some(now + jittered(wait));
	}

	/// Circumstances have changed.
	pub(super) fn reset(&mut self) {
		self.failures = 0;
		self.not_before = None;
	}
}

impl State {
	/// Where a new connection is tried: a way that is open is kept.
	pub(super) fn where_to_dial(&self) -> (Reach, Option<Hole>) {
		let mut reach = self.reach.clone();
		let hole = self
			.live
			.as_ref()
			.filter(|live| live.path.is_opened())
			.map(|live| (live.connection.remote_address(), live.path));
		if let Some((address, _)) = hole {
			reach.direct.insert(0, address);
		}
		(reach, hole)
	}
}

impl Entry {
	/// The connection is gone; if it was a direct one that was found over a relayed one, that one
	/// takes over.
	pub(super) fn fall_back(&self, dialer: &Dialer, state: &mut State, now: Instant) {
		let dead = state.live.take();
		let fallback = state.fallback.take();
		// Callers who waited in vain let go of the connection before.
		let broken = fallback.is_some() || dead.is_some_and(|live| live.path.is_opened());
		if let Some(fallback) = fallback.filter(|live| live.is_open() && now < live.expires) {
			dialer.puncher.counts.fallback();
			tracing::info!(peer = %self.key, "the direct way is gone; back to the relay");
			state.live = Some(fallback);
		}
		if broken {
			state.punching.failed(dialer, Outcome::Silent, now);
		}
		self.tell(state);
	}

	/// Looks for a direct way if the peer is reached through a relay and it is time to.
	pub(super) fn consider_punch(
		self: &Arc<Self>,
		dialer: &Arc<Dialer>,
		state: &mut State,
		now: Instant,
	) {
		let relayed = state.live.as_ref();
		let relayed = relayed.filter(|live| live.path == PathKind::Relayed && dialer.config.punch);
		let Some(relayed) = relayed.cloned() else {
			return;
		};
		if !state.punching.begin(now) {
			return;
		}
		let (entry, dialer) = (self.clone(), dialer.clone());
		dialer.runtime.clone().spawn(async move {
			let outcome = match attempt(&dialer, &entry, relayed).await {
				Ok(live) => entry.upgrade(live),
				Err(outcome) => outcome,
			};
			tracing::debug!(peer = %entry.key, %outcome, "attempt to do without the relay");
			dialer.puncher.counts.outcome(outcome);
			let mut state = lock(&entry.state);
			state.punching.ended(&dialer, outcome, Instant::now());
		});
	}

	/// A direct connection is up: new requests go there, the relayed one is kept.
	fn upgrade(&self, direct: Live) -> Outcome {
		let path = direct.path;
		let mut state = lock(&self.state);
		let relayed = match &state.live {
			Some(live) if live.is_open() => live.path == PathKind::Relayed,
			_ => true,
		};
		// Another direct one may have come up meanwhile; then this one is dropped, which closes it.
		if relayed {
			tracing::info!(peer = %self.key, %path, "direct way found");
			state.fallback = state.live.replace(direct).filter(Live::is_open);
			self.tell(&state);
		}
		success(path)
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use std::time::Duration;

	#[test]
	fn waits_grow_and_end_and_hopeless_ones_are_longest_at_once() {
		let first = Duration::from_secs(10);
		let waits = |outcome| [1, 2, 3, 4, 50].map(|n| pause(first, n, outcome).as_secs());
		assert_eq!(waits(Outcome::Silent), [10, 40, 160, 640, 900]);
		assert_eq!(waits(Outcome::NoAddress), [10, 40, 160, 640, 900]);
		assert_eq!(waits(Outcome::Hard), [900; 5]);
		assert_eq!(waits(Outcome::Refused), [900; 5]);
		for _ in 0..50 {
			let wait = jittered(Duration::from_secs(8)).as_secs_f64();
			assert!((6.0..=10.1).contains(&wait), "{wait}");
		}
	}

	#[test]
	fn one_attempt_at_a_time_and_none_too_early() {
		let now = Instant::now();
		let mut punching = Punching::default();
		assert!(punching.begin(now));
		assert!(!punching.begin(now));
		punching.running = false;
		punching.not_before = Some(now + Duration::from_secs(9));
		assert!(!punching.begin(now + Duration::from_secs(8)));
		assert!(punching.begin(now + Duration::from_secs(9)));
		punching.running = false;
		punching.reset();
		assert!(punching.begin(now));
	}
}
