//! When to replace the traffic keys of a connection.

use std::{
	sync::Mutex,
	time::{Duration, Instant},
};

/// Remembers the last replacement. Asked on every request, so keys are replaced only on
/// connections in use.
pub(crate) struct KeyClock {
	bytes: u64,
	interval: Duration,
	last: Mutex<(u64, Instant)>,
}

impl KeyClock {
	pub(crate) fn new(bytes: u64, interval: Duration, now: Instant) -> Self {
		Self {
			bytes,
			interval,
			last: Mutex::new((0, now)),
		}
	}

	/// Whether the keys are due, given all bytes moved so far. Says so once, then starts over.
	fn due(&self, moved: u64, now: Instant) -> bool {
		let mut last = self
			.last
			.lock()
			.unwrap_or_else(|poisoned| poisoned.into_inner());
		let due = moved.saturating_sub(last.0) >= self.bytes
			|| now.saturating_duration_since(last.1) >= self.interval;
		if due {
			*last = (moved, now);
		}
		due
	}

	/// Replaces the keys of `connection` if they are due.
	pub(crate) fn tick(&self, connection: &quinn::Connection) {
		let stats = connection.stats();
		if self.due(stats.udp_tx.bytes + stats.udp_rx.bytes, Instant::now()) {
			tracing::debug!(peer = %connection.remote_address(), "replacing traffic keys");
			connection.force_key_update();
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn due_by_bytes_or_by_time_then_not_again() {
		let start = Instant::now();
		let clock = KeyClock::new(100, Duration::from_secs(10), start);
		assert!(!clock.due(99, start));
		assert!(clock.due(100, start));
		assert!(!clock.due(199, start));
		assert!(clock.due(200, start));
		let later = start + Duration::from_secs(10);
		assert!(clock.due(200, later));
		assert!(!clock.due(200, later));
	}
}
