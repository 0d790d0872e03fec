//! The collector on the network: it takes beats, and nothing else.

use crate::{BeatError, Book, ChainView};
use arion_grid::{ServiceError, ShardService, Status};
use hippius_primitives::{heartbeat::SignedBeat, NodeKey};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A [`Book`] that nodes can reach.
pub struct Collector<C> {
	book: Mutex<Book>,
	chain: C,
}

impl<C: ChainView> Collector<C> {
	/// Counts in `book`, by what `chain` says.
	pub fn new(book: Book, chain: C) -> Self {
		Self {
			book: Mutex::new(book),
			chain,
		}
	}

	/// The book; whoever panicked over it left it sound, as each beat is counted in one step.
	fn book(&self) -> MutexGuard<'_, Book> {
		self.book.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Looks at the counts.
	pub fn with_book<R>(&self, look: impl FnOnce(&Book) -> R) -> R {
		look(&self.book())
	}
}

/// How a node is told.
fn told(error: BeatError) -> ServiceError {
	let status = match error {
		BeatError::OtherChain | BeatError::UnknownNode(_) | BeatError::BadSignature(_) => {
			Status::Refused
		}
		// Sending the same again would not help.
		BeatError::NotFresh { .. }
		| BeatError::OtherFork(_)
		| BeatError::NotMyPage(_)
		| BeatError::Replayed { .. } => Status::BadRequest,
	};
	ServiceError::new(status, error.to_string())
}

impl<C: ChainView + Send + Sync + 'static> ShardService for Collector<C> {
	fn beat(&self, peer: NodeKey, beat: SignedBeat) -> Result<(), ServiceError> {
		let node = beat.beat.node;
		match self.book().take(beat, &self.chain) {
			Ok(_) => Ok(()),
			Err(error) => {
				tracing::debug!(%peer, node, %error, "a heartbeat does not count");
				Err(told(error))
			}
		}
	}
}
