//! Cutting a source of unknown length.

use crate::STRIPE_PLAIN;

/// A source that has given so many bytes is likely to fill a stripe.
const GROWN: usize = 1 << 20;

/// Cuts a source that arrives in pieces of any size into stripes. A stripe is handed out only once
/// more bytes have arrived, because only then is it known not to be the last.
///
/// ```
/// # use arion_object::Cutter;
/// let mut cutter = Cutter::new();
/// for mut piece in [&b"one, "[..], b"two"] {
///     while let Some(stripe) = cutter.push(&mut piece) {
///         // seal_next(&stripe, false)
///     }
/// }
/// // seal_next(&last, true)
/// assert_eq!(cutter.finish(), b"one, two");
/// ```
#[derive(Debug, Default)]
pub struct Cutter {
	buffer: Vec<u8>,
}

impl Cutter {
	/// An empty cutter.
	pub fn new() -> Self {
		Self::default()
	}

	/// Takes bytes from the front of `piece`. Returns a full stripe that is not the last, or `None`
	/// once all of `piece` is taken: call until then.
	pub fn push(&mut self, piece: &mut &[u8]) -> Option<Vec<u8>> {
		if piece.is_empty() {
			return None;
		}
		if self.buffer.len() == STRIPE_PLAIN {
			return Some(std::mem::take(&mut self.buffer));
		}
		let room = STRIPE_PLAIN - self.buffer.len();
		let (taken, rest) = piece.split_at(room.min(piece.len()));
		if self.buffer.len() + taken.len() > self.buffer.capacity() && self.buffer.len() >= GROWN {
			// Doubling would copy a large stripe again and again, into ever more memory.
			self.buffer.reserve_exact(room);
		}
		self.buffer.extend_from_slice(taken);
		*piece = rest;
		// The buffer may be full now; it goes out with the next byte.
		if rest.is_empty() {
			return None;
		}
		Some(std::mem::take(&mut self.buffer))
	}

	/// The last stripe: what is left, perhaps nothing if the source was empty.
	pub fn finish(self) -> Vec<u8> {
		self.buffer
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Lengths of the stripes of `len` bytes that arrive `step` at a time.
	fn cut(len: usize, step: usize) -> Vec<usize> {
		let source: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
		let mut cutter = Cutter::new();
		let mut stripes = Vec::new();
		for mut piece in source.chunks(step) {
			while let Some(stripe) = cutter.push(&mut piece) {
				stripes.push(stripe);
			}
		}
		stripes.push(cutter.finish());
		assert!(stripes.concat() == source);
		stripes.iter().map(Vec::len).collect()
	}

	#[test]
	fn only_the_last_stripe_is_short() {
		for step in [100_001, STRIPE_PLAIN, 3 * STRIPE_PLAIN] {
			assert_eq!(cut(0, step), [0]);
			assert_eq!(cut(1, step), [1]);
			assert_eq!(cut(STRIPE_PLAIN, step), [STRIPE_PLAIN]);
			assert_eq!(cut(STRIPE_PLAIN + 1, step), [STRIPE_PLAIN, 1]);
			assert_eq!(cut(2 * STRIPE_PLAIN, step), [STRIPE_PLAIN; 2]);
			assert_eq!(
				cut(2 * STRIPE_PLAIN + 9, step),
				[STRIPE_PLAIN, STRIPE_PLAIN, 9]
			);
		}
	}
}
