//! One buffer for the shards of a stripe.

use crate::{DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS};

/// What shards start at multiples of, in bytes: a cache line.
const LINE: usize = 64;
/// Beyond a power of two: a page, and a line on top.
const SPACE: usize = 4096 + LINE;

/// Thirty shards in one allocation that can be used again for the next stripe.
///
/// Each shard starts at a cache line, so that parity can be written past the caches, and the
/// distance between shards is no large power of two: columns of shards that are, compete for the same
/// few lines of a cache, which can halve the speed of a codec.
///
/// ```
/// use arion_erasure::{Codec, StripeBuffer, StripeCodec};
///
/// let mut stripe = StripeBuffer::new(64 * 1024);
/// let (mut data, mut parity) = stripe.split_mut();
/// for shard in &mut data {
///     shard.fill(7);
/// }
/// Codec::shared().encode(&data.each_ref().map(|shard| &**shard), &mut parity)?;
/// # Ok::<(), arion_erasure::CodecError>(())
/// ```
#[derive(Debug)]
pub struct StripeBuffer {
	bytes: Vec<u8>,
	/// Where the first shard starts.
	start: usize,
	/// Bytes of a shard.
	len: usize,
}

impl StripeBuffer {
	/// A buffer for shards of `len` bytes, all zero.
	pub fn new(len: usize) -> Self {
		let mut buffer = Self {
			bytes: Vec::new(),
			start: 0,
			len: 0,
		};
		buffer.resize(len);
		buffer
	}

	/// Makes the shards `len` bytes long. What they hold then is left over from before, or zero;
	/// memory is allocated only if there is not yet enough.
	pub fn resize(&mut self, len: usize) {
		let need = TOTAL_SHARDS * stride(len) + LINE;
		if self.bytes.len() < need {
			self.bytes = vec![0; need];
			self.start = (LINE - self.bytes.as_ptr().addr() % LINE) % LINE;
		}
		self.len = len;
	}

	/// Bytes of each shard.
	pub fn shard_len(&self) -> usize {
		self.len
	}

	/// The shard in a slot; `None` if there is no such slot.
	pub fn shard(&self, slot: usize) -> Option<&[u8]> {
		let shards = self.bytes[self.start..].chunks(stride(self.len));
		let slot = shards.take(TOTAL_SHARDS).nth(slot)?;
		slot.get(..self.len)
	}

	/// All shards to be written, data and parity.
	pub fn split_mut(&mut self) -> ([&mut [u8]; DATA_SHARDS], [&mut [u8]; PARITY_SHARDS]) {
		let len = self.len;
		let mut shards = self.bytes[self.start..]
			.chunks_mut(stride(len))
			.map(|slot| slot.split_at_mut(len).0);
		let mut next = || shards.next().unwrap_or_default();
		(
			core::array::from_fn(|_| next()),
			core::array::from_fn(|_| next()),
		)
	}
}

/// Distance between the starts of shards of `len` bytes.
fn stride(len: usize) -> usize {
	len.next_multiple_of(LINE) + SPACE
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn shards_are_apart_and_aligned() {
		for len in [0, 1, 64, 1000, 4096, 65_536] {
			let mut stripe = StripeBuffer::new(len);
			let (mut data, mut parity) = stripe.split_mut();
			for (slot, shard) in data.iter_mut().chain(&mut parity).enumerate() {
				assert_eq!(shard.len(), len);
				assert_eq!(shard.as_ptr().addr() % LINE, 0);
				shard.fill(slot as u8);
			}
			for slot in 0..TOTAL_SHARDS {
				assert_eq!(stripe.shard(slot), Some(&vec![slot as u8; len][..]));
			}
			assert_eq!(stripe.shard(TOTAL_SHARDS), None);
			assert_eq!(stripe.shard(usize::MAX), None);
		}
	}

	#[test]
	fn memory_is_used_again() {
		let mut stripe = StripeBuffer::new(1000);
		let start = stripe.shard(0).unwrap().as_ptr();
		stripe.resize(10);
		stripe.resize(1000);
		assert_eq!(stripe.shard(0).unwrap().as_ptr(), start);
		assert_eq!(stripe.shard_len(), 1000);
		stripe.resize(5000);
		assert_eq!(stripe.shard(29).unwrap().len(), 5000);
	}
}
