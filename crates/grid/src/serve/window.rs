//! What a connection may send: a little at any time, and each body that memory was set aside for.

use quinn::Connection;
use std::sync::{
	atomic::{AtomicUsize, Ordering},
	Arc, Mutex, PoisonError,
};

/// Bytes of bodies that were let in and did not come, on all connections: each of them may still be
/// sent on another stream and lie there unread.
#[derive(Clone, Debug)]
pub(super) struct Owed {
	bytes: Arc<AtomicUsize>,
	most: usize,
}

impl Owed {
	/// At most so many bytes are granted that nobody has set memory aside for any more.
	pub(super) fn new(most: usize) -> Self {
		Self {
			bytes: Arc::default(),
			most,
		}
	}
}

/// The receive window of one connection.
pub(super) struct Window {
	connection: Connection,
	base: u32,
	/// Held while the window is raised and lowered.
	turn: Mutex<()>,
	/// Its part of what is owed; given back when the connection ends.
	part: AtomicUsize,
	owed: Owed,
}

impl Window {
	/// That of a connection whose window is `base` bytes.
	pub(super) fn new(connection: Connection, base: u32, owed: Owed) -> Self {
		Self {
			connection,
			base,
			turn: Mutex::default(),
			part: AtomicUsize::new(0),
			owed,
		}
	}

	/// Lets the other side send `len` bytes more, once. Raising the window gives credit at once; when
	/// it is lowered again, as much of what is read next gives none.
	pub(super) fn let_in(&self, len: usize) {
		let raised = u32::try_from(len).unwrap_or(u32::MAX);
		let raised = self.base.saturating_add(raised);
		let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
		self.connection.set_receive_window(raised.into());
		self.connection.set_receive_window(self.base.into());
	}

	/// A body that was let in did not come. Whether as much may stay granted; otherwise the connection
	/// has to end.
	pub(super) fn did_not_come(&self, len: usize) -> bool {
		self.part.fetch_add(len, Ordering::Relaxed);
		let before = self.owed.bytes.fetch_add(len, Ordering::Relaxed);
		before.saturating_add(len) <= self.owed.most
	}
}

impl Drop for Window {
	fn drop(&mut self) {
		let part = self.part.load(Ordering::Relaxed);
		self.owed.bytes.fetch_sub(part, Ordering::Relaxed);
	}
}
