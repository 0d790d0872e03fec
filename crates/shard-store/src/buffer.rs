//! Memory of records on their way to disk: aligned as direct I/O wants it, and used again, because
//! memory the system hands out anew costs more than what is done with it.

use crate::frame::BLOCK;
use std::sync::{Arc, Mutex, PoisonError};

/// Records shorter than this get memory of their own.
const KEPT_FROM: usize = 64 << 10;
/// Most records whose memory is kept.
const MOST_IDLE: usize = 8;

/// Memory that is not in use: at most that of eight records.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
	fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// An empty buffer with room for `len` bytes.
	pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
		if len < KEPT_FROM {
			return Buffer::new(Vec::with_capacity(len + BLOCK), None);
		}
		let kept = self.idle().pop();
		let mut bytes = kept.unwrap_or_default();
		bytes.clear();
		bytes.reserve_exact(len + BLOCK);
		Buffer::new(bytes, Some(self.clone()))
	}

	#[cfg(test)]
	fn kept(&self) -> usize {
		self.idle().len()
	}
}

/// Bytes that begin at a multiple of [`BLOCK`] in memory. Returns to its [`Buffers`] when dropped.
pub(crate) struct Buffer {
	bytes: Vec<u8>,
	start: usize,
	home: Option<Arc<Buffers>>,
}

impl Buffer {
	fn new(mut bytes: Vec<u8>, home: Option<Arc<Buffers>>) -> Self {
		// Where this cannot be told, the start is as good as any: alignment is only a matter of speed.
		let start = bytes.as_ptr().align_offset(BLOCK);
		let start = if start < BLOCK { start } else { 0 };
		bytes.resize(start, 0);
		Self { bytes, start, home }
	}

	/// An empty buffer with room for `len` bytes, of its own.
	pub(crate) fn alone(len: usize) -> Self {
		Self::new(Vec::with_capacity(len + BLOCK), None)
	}

	/// Appends. The room asked for must do, or the alignment is lost.
	pub(crate) fn push(&mut self, bytes: &[u8]) {
		self.bytes.extend_from_slice(bytes);
	}

	/// Appends zeros up to this length.
	pub(crate) fn pad(&mut self, len: usize) {
		self.bytes.resize(self.start + len, 0);
	}
}

impl std::ops::Deref for Buffer {
	type Target = [u8];

	fn deref(&self) -> &[u8] {
		self.bytes.get(self.start..).unwrap_or_default()
	}
}

impl std::ops::DerefMut for Buffer {
	fn deref_mut(&mut self) -> &mut [u8] {
		self.bytes.get_mut(self.start..).unwrap_or_default()
	}
}

impl Drop for Buffer {
	fn drop(&mut self) {
		if let Some(home) = self.home.take() {
			let mut idle = home.idle();
			if idle.len() < MOST_IDLE {
				idle.push(std::mem::take(&mut self.bytes));
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn memory_is_aligned_used_again_and_bounded() {
		let buffers = Arc::new(Buffers::default());
		for len in [1, BLOCK, KEPT_FROM, 1 << 20] {
			let mut buffer = buffers.take(len);
			buffer.push(&[7]);
			buffer.pad(len);
			assert_eq!(buffer.as_ptr().align_offset(BLOCK), 0);
			assert_eq!((buffer.len(), buffer[0]), (len, 7));
			assert!(buffer[1..].iter().all(|byte| *byte == 0));
		}
		assert_eq!(buffers.kept(), 1, "only large ones are kept");
		let many: Vec<_> = (0..3 * MOST_IDLE)
			.map(|_| buffers.take(KEPT_FROM))
			.collect();
		assert_eq!(buffers.kept(), 0);
		drop(many);
		assert_eq!(buffers.kept(), MOST_IDLE);
		// What was in it before does not show.
		let mut again = buffers.take(KEPT_FROM);
		again.pad(KEPT_FROM);
		assert!(again.iter().all(|byte| *byte == 0));
	}
}
