//! Filling, coding and hashing a stripe column by column.

use crate::{
	buffers::{ShardPair, SHARDS_PER_ALLOCATION},
	EncodedStripe, ShardBuffers, StripeError, CHUNK_LEN,
};
use arion_erasure::CodecError;
use core::ops::Range;
use hippius_primitives::{
	coding::{shard_len, DATA_SHARDS, PARITY_SHARDS, SHARD_LEN, STRIPE_LEN, TOTAL_SHARDS},
	id::stripe_id,
	ShardId,
};

/// Bytes of each shard handled at a time, so that the data is in cache when it is encoded.
const COLUMN: usize = CHUNK_LEN;

/// Memory of the shards from slot `first` on, in pairs.
type Pairs<const COUNT: usize> = [ShardPair; COUNT];
const DATA_PAIRS: usize = DATA_SHARDS / SHARDS_PER_ALLOCATION;
const PARITY_PAIRS: usize = PARITY_SHARDS / SHARDS_PER_ALLOCATION;

fn take<const COUNT: usize>(buffers: &ShardBuffers, first: usize, len: usize) -> Pairs<COUNT> {
	core::array::from_fn(|pair| buffers.take(first + pair * SHARDS_PER_ALLOCATION, len))
}

/// The bytes `range` of each shard.
fn column<'a, const SHARDS: usize>(
	pairs: &'a [ShardPair],
	range: &Range<usize>,
) -> [&'a [u8]; SHARDS] {
	let mut shards = pairs.iter().flat_map(ShardPair::shards);
	core::array::from_fn(|_| match shards.next() {
		Some(shard) => &shard[range.clone()],
		None => unreachable!("there are as many shards as asked for"),
	})
}

/// The bytes `range` of each shard.
fn column_mut<'a, const SHARDS: usize>(
	pairs: &'a mut [ShardPair],
	range: &Range<usize>,
) -> [&'a mut [u8]; SHARDS] {
	let mut shards = pairs.iter_mut().flat_map(ShardPair::shards_mut);
	core::array::from_fn(|_| match shards.next() {
		Some(shard) => &mut shard[range.clone()],
		None => unreachable!("there are as many shards as asked for"),
	})
}

/// The data shards of a stripe while they are being filled, seen as the sealed bytes that lie in
/// them one after the other.
pub(crate) struct Stage {
	pairs: Pairs<DATA_PAIRS>,
	shard_len: usize,
}

impl Stage {
	fn shards(&mut self) -> impl Iterator<Item = &mut [u8]> {
		self.pairs.iter_mut().flat_map(ShardPair::shards_mut)
	}

	/// The place of these sealed bytes, if they lie in one shard.
	pub(crate) fn place(&mut self, range: &Range<usize>) -> Option<&mut [u8]> {
		let (slot, start) = (range.start / self.shard_len, range.start % self.shard_len);
		let shard = self.shards().nth(slot)?;
		shard.get_mut(start..start + range.len())
	}

	/// Writes sealed bytes that may lie in several shards; what reaches beyond the last is left out.
	pub(crate) fn write(&mut self, at: usize, mut bytes: &[u8]) {
		let (first, mut start) = (at / self.shard_len, at % self.shard_len);
		for shard in self.shards().skip(first) {
			let place = &mut shard[start..];
			let (piece, rest) = bytes.split_at(place.len().min(bytes.len()));
			place[..piece.len()].copy_from_slice(piece);
			(bytes, start) = (rest, 0);
			if bytes.is_empty() {
				return;
			}
		}
	}

	/// Zeros where the column `column` lies beyond the sealed bytes.
	fn pad(&mut self, column: &Range<usize>, len: usize) {
		let shard_len = self.shard_len;
		for (slot, shard) in self.shards().enumerate() {
			let from = column.start.max(len.saturating_sub(slot * shard_len));
			if let Some(padding) = shard.get_mut(from..column.end) {
				padding.fill(0);
			}
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
		pairs: take(buffers, 0, shard_len),
		shard_len,
	};
	let mut parity: Pairs<PARITY_PAIRS> = take(buffers, DATA_SHARDS, shard_len);
	let ids = buffers.with_bench(|bench| {
		for start in (0..shard_len).step_by(COLUMN) {
			let range = start..shard_len.min(start + COLUMN);
			for slot in 0..DATA_SHARDS {
				let base = slot * shard_len;
				let wanted = base + range.start..len.min(base + range.end);
				if !wanted.is_empty() {
					fill(&mut stage, wanted)?;
				}
			}
			stage.pad(&range, len);
			let data = column(&stage.pairs, &range);
			bench
				.encoder
				.push(&data, &mut column_mut(&mut parity, &range))?;
		}
		Ok::<_, StripeError>(bench.encoder.finish())
	})?;
	let pairs = stage.pairs.into_iter().chain(parity);
	Ok(finish(len, ids, pairs))
}

/// Makes a full stripe, of which `fill` makes one chunk at a time, given its number, in a place that
/// stays in cache, out of its `source`. That is faster than [`encode`]: nothing is read that is to be
/// overwritten, and the source is fetched while other chunks are hashed.
pub(crate) fn encode_full<'a>(
	buffers: &ShardBuffers,
	source: impl Fn(usize) -> &'a [u8],
	mut fill: impl FnMut(usize, &mut [u8]) -> Result<(), StripeError>,
) -> Result<EncodedStripe, StripeError> {
	const CHUNKS: usize = SHARD_LEN / CHUNK_LEN;
	let mut pairs: Pairs<{ DATA_PAIRS + PARITY_PAIRS }> = take(buffers, 0, SHARD_LEN);
	let ids = buffers.with_bench(|bench| {
		let (encoder, mut chunks) = bench.column();
		for at in 0..CHUNKS {
			for (slot, place) in chunks.iter_mut().enumerate() {
				fill(slot * CHUNKS + at, place)?;
			}
			let range = at * CHUNK_LEN..(at + 1) * CHUNK_LEN;
			let data = chunks.each_ref().map(|chunk| &**chunk);
			let next = core::array::from_fn(|slot| match at + 1 {
				CHUNKS => &[],
				next => source(slot * CHUNKS + next),
			});
			encoder.push_copy(&data, &mut column_mut(&mut pairs, &range), &next)?;
		}
		Ok::<_, StripeError>(encoder.finish())
	})?;
	Ok(finish(STRIPE_LEN, ids, pairs))
}

fn finish(
	len: usize,
	ids: [ShardId; TOTAL_SHARDS],
	pairs: impl IntoIterator<Item = ShardPair>,
) -> EncodedStripe {
	let shards = pairs.into_iter().flat_map(ShardPair::into_bytes);
	EncodedStripe {
		stripe: stripe_id(&ids),
		// At most ten shards.
		len: len as u32,
		ids,
		shards: shards.collect(),
	}
}
