//! Where the store gets the time from.

use std::{
	sync::atomic::{AtomicU64, Ordering::Relaxed},
	time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A source of time. Times stand in records (when a shard was stored, when it was deleted) and pace
/// background work; whether an acknowledged shard is kept never depends on them.
pub trait Clock: Send + Sync + 'static {
	/// Time since the Unix epoch.
	fn now(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
	fn now(&self) -> Duration {
		SystemTime::now()
			.duration_since(UNIX_EPOCH)
			.unwrap_or_default()
	}
}

/// A clock that stands still until it is told otherwise, for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
	/// A clock that shows so much time since the epoch.
	pub fn new(now: Duration) -> Self {
		Self(AtomicU64::new(millis(now)))
	}

	/// Moves the clock.
	pub fn advance(&self, by: Duration) {
		self.0.fetch_add(millis(by), Relaxed);
	}
}

fn millis(time: Duration) -> u64 {
	u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Clock for ManualClock {
	fn now(&self) -> Duration {
		Duration::from_millis(self.0.load(Relaxed))
	}
}
