//! Disks that do not answer. The system cannot be made to give up a read or write, so whoever waits
//! gives up, and nobody else is sent after them: threads and memory stay bounded.

use std::{
	collections::BTreeMap,
	sync::{Condvar, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};

/// What the disk is doing, since when.
#[derive(Default)]
pub(crate) struct Pending {
	state: Mutex<State>,
	/// A request was taken from the queue.
	taken: Condvar,
}

#[derive(Default)]
struct State {
	/// Calls that have not come back, oldest first.
	calls: BTreeMap<u64, Instant>,
	next: u64,
	/// Requests in the writer's queue.
	queued: usize,
	/// Whether it was said that the disk does not answer.
	reported: bool,
}

impl State {
	fn oldest(&self) -> Option<Duration> {
		self.calls.first_key_value().map(|(_, at)| at.elapsed())
	}
}

/// A call that the disk has to answer.
pub(crate) struct Call<'a> {
	pending: &'a Pending,
	id: u64,
}

impl Drop for Call<'_> {
	fn drop(&mut self) {
		let mut state = self.pending.state();
		state.calls.remove(&self.id);
		if state.calls.is_empty() && std::mem::take(&mut state.reported) {
			tracing::warn!("a disk answers again");
		}
	}
}

impl Pending {
	fn state(&self) -> MutexGuard<'_, State> {
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Notes that a call begins.
	pub(crate) fn begin(&self) -> Call<'_> {
		let mut state = self.state();
		let id = state.next;
		state.next += 1;
		state.calls.insert(id, Instant::now());
		Call { pending: self, id }
	}

	/// Whether a call has not come back for so long.
	pub(crate) fn is_stalled(&self, limit: Duration) -> bool {
		self.state().oldest().is_some_and(|age| age >= limit)
	}

	/// The same; true the first time it is so.
	pub(crate) fn is_news(&self) -> bool {
		!std::mem::replace(&mut self.state().reported, true)
	}

	/// Waits at most `limit` for one of `most` places in the queue; whether there was one.
	pub(crate) fn enqueue(&self, most: usize, limit: Duration) -> bool {
		let full = |state: &mut State| state.queued >= most;
		let waited = self.taken.wait_timeout_while(self.state(), limit, full);
		let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
		let free = state.queued < most;
		state.queued += usize::from(free);
		free
	}

	/// A request has left the queue.
	pub(crate) fn dequeue(&self) {
		let mut state = self.state();
		state.queued = state.queued.saturating_sub(1);
		drop(state);
		self.taken.notify_one();
	}

	/// Requests in the queue.
	pub(crate) fn queued(&self) -> usize {
		self.state().queued
	}
}
