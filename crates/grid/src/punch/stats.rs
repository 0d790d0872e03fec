//! What came of attempts.

use std::{
	fmt,
	sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What has come of attempts to do without a relay, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PunchStats {
	/// Attempts of this node.
	pub attempts: u64,
	/// Ended with a direct connection through NAT.
	pub punched: u64,
	/// Ended with a direct connection that the hidden node opened.
	pub reversed: u64,
	/// Given up: both NATs give every destination a port of its own.
	pub hard: u64,
	/// Given up: no address of either side is known that could be tried.
	pub no_address: u64,
	/// No probe was answered.
	pub silent: u64,
	/// The peer would not, or does not know how.
	pub refused: u64,
	/// Probes passed, but no connection came up.
	pub dial_failed: u64,
	/// Direct connections that broke while there was a relayed one to go on with.
	pub fallbacks: u64,
	/// Attempts of peers that were answered.
	pub answered: u64,
	/// Attempts of peers that were refused: too many.
	pub limited: u64,
	/// Probes sent, and answers to probes.
	pub probes_sent: u64,
	/// Probes received, and answers to probes.
	pub probes_received: u64,
	/// Packets that looked like probes: forged, too early or late, or seen before.
	pub probes_bad: u64,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
	Punched,
	Reversed,
	Hard,
	NoAddress,
	Silent,
	Refused,
	DialFailed,
}

impl fmt::Display for Outcome {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Punched => "a way was punched",
			Self::Reversed => "the peer opened the way",
			Self::Hard => "both NATs give every destination a port of its own",
			Self::NoAddress => "no address of either side is known",
			Self::Silent => "no probe was answered",
			Self::Refused => "the peer refused",
			Self::DialFailed => "probes passed, but no connection came up",
		})
	}
}

/// The same, being counted.
#[derive(Default)]
pub(crate) struct Counts {
	attempts: AtomicU64,
	outcomes: [AtomicU64; 7],
	fallbacks: AtomicU64,
	answered: AtomicU64,
	limited: AtomicU64,
	sent: AtomicU64,
	received: AtomicU64,
	bad: AtomicU64,
}

impl Counts {
	pub(crate) fn attempt(&self) {
		self.attempts.fetch_add(1, Relaxed);
	}

	pub(crate) fn outcome(&self, outcome: Outcome) {
		if let Some(count) = self.outcomes.get(outcome as usize) {
			count.fetch_add(1, Relaxed);
		}
	}

	pub(crate) fn fallback(&self) {
		self.fallbacks.fetch_add(1, Relaxed);
	}

	pub(super) fn answered(&self) {
		self.answered.fetch_add(1, Relaxed);
	}

	pub(super) fn limited(&self) {
		self.limited.fetch_add(1, Relaxed);
	}

	pub(super) fn sent(&self) {
		self.sent.fetch_add(1, Relaxed);
	}

	pub(super) fn received(&self) {
		self.received.fetch_add(1, Relaxed);
	}

	pub(super) fn bad(&self) {
		self.bad.fetch_add(1, Relaxed);
	}

	pub(crate) fn stats(&self) -> PunchStats {
		let [punched, reversed, hard, no_address, silent, refused, dial_failed] = &self.outcomes;
		let read = |count: &AtomicU64| count.load(Relaxed);
		PunchStats {
			attempts: read(&self.attempts),
			punched: read(punched),
			reversed: read(reversed),
			hard: read(hard),
			no_address: read(no_address),
			silent: read(silent),
			refused: read(refused),
			dial_failed: read(dial_failed),
			fallbacks: read(&self.fallbacks),
			answered: read(&self.answered),
			limited: read(&self.limited),
			probes_sent: read(&self.sent),
			probes_received: read(&self.received),
			probes_bad: read(&self.bad),
		}
	}
}
