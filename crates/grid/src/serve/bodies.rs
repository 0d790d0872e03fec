//! Memory for the shards that peers send, used again: the system's own is slow to come by.

use crate::stream::{read_into, Pace, StreamError};
use bytes::Bytes;
use hippius_primitives::coding::SHARD_LEN;
use quinn::RecvStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shorter bodies get memory of their own.
const KEPT_FROM: usize = SHARD_LEN / 16;
/// Most shards whose memory is kept while it is not in use.
const MOST_IDLE: usize = 8;

/// Memory not in use, of a shard each.
#[derive(Clone, Default)]
pub(super) struct Bodies(Arc<Mutex<Vec<Vec<u8>>>>);

impl Bodies {
	fn idle(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// As [`crate::stream::read_body`], for at most a shard.
	pub(super) async fn read(
		&self,
		recv: &mut RecvStream,
		len: usize,
		pace: Pace,
	) -> Result<(Bytes, [u8; 32]), StreamError> {
		let mut body = self.take(len);
		let hash = read_into(recv, &mut body.bytes, len, pace).await?;
		Ok((Bytes::from_owner(body), hash))
	}

	fn take(&self, len: usize) -> Body {
		if !(KEPT_FROM..=SHARD_LEN).contains(&len) {
			return Body {
				bytes: Vec::with_capacity(len),
				home: None,
			};
		}
		let kept = self.idle().pop();
		Body {
			bytes: kept.unwrap_or_else(|| Vec::with_capacity(SHARD_LEN)),
			home: Some(self.clone()),
		}
	}
}

/// A body; its memory goes back when the last who holds it lets go.
struct Body {
	bytes: Vec<u8>,
	home: Option<Bodies>,
}

impl AsRef<[u8]> for Body {
	fn as_ref(&self) -> &[u8] {
		&self.bytes
	}
}

impl Drop for Body {
	fn drop(&mut self) {
		if let Some(home) = self.home.take() {
			let mut idle = home.idle();
			if idle.len() < MOST_IDLE {
				self.bytes.clear();
				idle.push(std::mem::take(&mut self.bytes));
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn memory_is_used_again_and_bounded() {
		let bodies = Bodies::default();
		let many: Vec<_> = (0..3 * MOST_IDLE)
			.map(|_| Bytes::from_owner(bodies.take(SHARD_LEN)))
			.collect();
		let shared = many[0].clone();
		drop(many);
		assert_eq!(bodies.idle().len(), MOST_IDLE);
		drop(shared);
		assert_eq!(bodies.idle().len(), MOST_IDLE);
		let body = bodies.take(SHARD_LEN);
		assert_eq!((body.bytes.len(), bodies.idle().len()), (0, MOST_IDLE - 1));
		drop(bodies.take(1));
		assert_eq!(bodies.idle().len(), MOST_IDLE - 1);
	}
}
