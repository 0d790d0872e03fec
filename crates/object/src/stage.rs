//! Filling, coding and hashing a stripe column by column.

use crate::{buffers::ShardBuffer, EncodedStripe, ShardBuffers, StripeError, CHUNK_LEN};
use arion_erasure::CodecError;
use core::ops::Range;
use hippius_primitives::{
	coding::{shard_len, DATA_SHARDS, SHARD_LEN, STRIPE_LEN, TOTAL_SHARDS},
	id::stripe_id,
	ShardId,
};

/// Bytes of each shard handled at a time, so that the data is in cache when it is encoded.
const COLUMN: usize = CHUNK_LEN;

/// The data shards of a stripe while they are being filled, seen as the sealed bytes that lie in
/// them one after the other.
pub(crate) struct Stage {
	shards: [ShardBuffer; DATA_SHARDS],
	shard_len: usize,
}

impl Stage {
	/// The place of these sealed bytes, if they lie in one shard.
	pub(crate) fn place(&mut self, range: &Range<usize>) -> Option<&mut [u8]> {
		let (slot, start) = (range.start / self.shard_len, range.start % self.shard_len);
		let shard = self.shards.get_mut(slot)?.as_mut();
		shard.get_mut(start..start + range.len())
	}

	/// Writes sealed bytes that may lie in several shards; what reaches beyond the last is left out.
	pub(crate) fn write(&mut self, at: usize, mut bytes: &[u8]) {
		let (first, mut start) = (at / self.shard_len, at % self.shard_len);
		for shard in self.shards.iter_mut().skip(first) {
			let place = &mut shard.as_mut()[start..];
			let (piece, rest) = bytes.split_at(place.len().min(bytes.len()));
			place[..piece.len()].copy_from_slice(piece);
			(bytes, start) = (rest, 0);
			if bytes.is_empty() {
				return;
			}
		}
	}

	/// Zeros where the column `column` of shard `slot` lies beyond the sealed bytes.
	fn pad(&mut self, slot: usize, column: &Range<usize>, len: usize) {
		let end = len.saturating_sub(slot * self.shard_len);
		let from = column.start.max(end);
		if let Some(padding) = self.shards[slot].as_mut().get_mut(from..column.end) {
			padding.fill(0);
		}
	}
}

/// Makes a stripe of `len` sealed bytes, which `fill` puts in place: at least those of the range it
/// is given, each time.
pub(crate) fn encode(
	len: usize,
	buffers: &ShardBuffers,
	mut fill: impl FnMut(&mut Stage, Range<usize>) -> Result<(), StripeError>,
) -> Result<EncodedStripe, StripeError> {
	let shard_len = shard_len(len).ok_or(CodecError::StripeLength { len })?;
	let mut stage = Stage {
		shards: core::array::from_fn(|slot| buffers.take(slot, shard_len)),
		shard_len,
	};
	let mut parity = core::array::from_fn(|row| buffers.take(DATA_SHARDS + row, shard_len));
	let ids = buffers.with_bench(|bench| {
		for start in (0..shard_len).step_by(COLUMN) {
			let column = start..shard_len.min(start + COLUMN);
			for slot in 0..DATA_SHARDS {
				let base = slot * shard_len;
				let wanted = base + column.start..len.min(base + column.end);
				if !wanted.is_empty() {
					fill(&mut stage, wanted)?;
				}
				stage.pad(slot, &column, len);
			}
			let data = stage.shards.each_ref();
			let data = data.map(|shard| &shard.as_ref()[column.clone()]);
			let outputs = parity.each_mut();
			let mut outputs = outputs.map(|shard| &mut shard.as_mut()[column.clone()]);
			bench.encoder.push(&data, &mut outputs)?;
		}
		Ok::<_, StripeError>(bench.encoder.finish())
	})?;
	let shards = stage.shards.into_iter().chain(parity);
	Ok(finish(len, ids, shards))
}

/// Makes a full stripe, of which `fill` makes one chunk at a time, given its number, in a place that
/// stays in cache. That is faster than [`encode`]: nothing is read that is to be overwritten.
pub(crate) fn encode_full(
	buffers: &ShardBuffers,
	mut fill: impl FnMut(usize, &mut [u8]) -> Result<(), StripeError>,
) -> Result<EncodedStripe, StripeError> {
	let mut shards: [ShardBuffer; TOTAL_SHARDS] =
		core::array::from_fn(|slot| buffers.take(slot, SHARD_LEN));
	let ids = buffers.with_bench(|bench| {
		let (encoder, mut column) = bench.column();
		for at in 0..SHARD_LEN / CHUNK_LEN {
			for (slot, place) in column.iter_mut().enumerate() {
				fill(slot * (SHARD_LEN / CHUNK_LEN) + at, place)?;
			}
			let range = at * CHUNK_LEN..(at + 1) * CHUNK_LEN;
			let places = shards.each_mut();
			let mut places = places.map(|shard| &mut shard.as_mut()[range.clone()]);
			encoder.push_copy(&column.each_ref().map(|chunk| &**chunk), &mut places)?;
		}
		Ok::<_, StripeError>(encoder.finish())
	})?;
	Ok(finish(STRIPE_LEN, ids, shards))
}

fn finish(
	len: usize,
	ids: [ShardId; TOTAL_SHARDS],
	shards: impl IntoIterator<Item = ShardBuffer>,
) -> EncodedStripe {
	let shards = shards.into_iter().map(ShardBuffer::into_bytes);
	EncodedStripe {
		stripe: stripe_id(&ids),
		// At most ten shards.
		len: len as u32,
		ids,
		shards: shards.collect(),
	}
}
