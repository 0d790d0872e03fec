//! Encoding a stripe and hashing its thirty shards in one pass.
//!
//! Hashing thirty shards costs several times as much as computing twenty of them, and writing 30 MiB
//! that are in no cache costs as much again: each line is first read, then evicted. So a column is
//! cut into tiles. A tile of parity is computed into a buffer that never leaves the cache, is hashed
//! there, and goes from there past the caches to its place while the hash computes.

use crate::{
	hash::{ShardHashes, GROUP_LEN},
	Codec, CodecError, Stores, StripeCodec, DATA_SHARDS, PARITY_SHARDS, SHARD_LEN, TOTAL_SHARDS,
};
use hippius_primitives::ShardId;

/// Bytes of each shard that are encoded, then hashed, at a time.
const TILE: usize = GROUP_LEN;
/// Distance of the shards in the buffer: no power of two, or they compete for the same cache lines.
#[cfg(target_arch = "x86_64")]
const STRIDE: usize = TILE + 64;

/// The length of every column but a stripe's last is a multiple of this, in bytes: the hash needs
/// sixteen chunks of 1 KiB at a time to run at full speed.
pub const COLUMN_ALIGN: usize = TILE;

/// Why a column was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FusedError {
	/// A column followed one whose length is not a multiple of [`COLUMN_ALIGN`].
	#[error(
		"a column of {len} bytes follows one that ended at byte {end} of the shards: all columns \
		 but the last are multiples of {COLUMN_ALIGN} bytes"
	)]
	AfterLast {
		/// Bytes of the column refused.
		len: usize,
		/// Bytes of each shard before it.
		end: usize,
	},
	/// The shards would be too long.
	#[error("a column of {len} bytes after {end}: shards hold at most {SHARD_LEN} bytes")]
	TooLong {
		/// Bytes of the column refused.
		len: usize,
		/// Bytes of each shard before it.
		end: usize,
	},
	/// The buffers have different lengths.
	#[error(transparent)]
	Codec(#[from] CodecError),
}

/// Computes the parity shards of a stripe and the ids of all thirty, column by column: what is
/// encoded is hashed while it is in cache. Used for one stripe after the other, it allocates nothing.
///
/// The thirty shards are computed and hashed as by [`Codec`] and `blake3::hash`. With the kernel
/// [`Kernel::Avx512Gfni`](crate::Kernel::Avx512Gfni) the results are written past the caches, if they
/// begin at a cache line (64 bytes).
///
/// ```
/// use arion_erasure::{Codec, HashingEncoder, COLUMN_ALIGN};
///
/// let data = vec![vec![7u8; COLUMN_ALIGN + 64]; 10];
/// let mut parity = vec![vec![0u8; COLUMN_ALIGN + 64]; 20];
/// let mut encoder = HashingEncoder::new(Codec::shared());
/// for column in [0..COLUMN_ALIGN, COLUMN_ALIGN..COLUMN_ALIGN + 64] {
///     let inputs = std::array::from_fn(|slot| &data[slot][column.clone()]);
///     let mut outputs = parity.iter_mut().map(|shard| &mut shard[column.clone()]);
///     let mut outputs = std::array::from_fn(|_| outputs.next().unwrap_or_default());
///     encoder.push(&inputs, &mut outputs)?;
/// }
/// let ids = encoder.finish();
/// assert_eq!(ids[0].0, *blake3::hash(&data[0]).as_bytes());
/// assert_eq!(ids[29].0, *blake3::hash(&parity[19]).as_bytes());
/// # Ok::<(), arion_erasure::FusedError>(())
/// ```
pub struct HashingEncoder {
	codec: Codec,
	hashes: ShardHashes,
	/// One tile of each parity shard, if tiles go through a buffer.
	#[cfg(target_arch = "x86_64")]
	tiles: Vec<u8>,
	/// Bytes of each shard so far.
	end: usize,
}

impl HashingEncoder {
	/// An encoder that is at the start of a stripe.
	pub fn new(codec: &Codec) -> Self {
		let hashes = ShardHashes::new(codec.kernel());
		#[cfg(target_arch = "x86_64")]
		let tiles = match hashes {
			ShardHashes::Each(_) => 0,
			ShardHashes::Trees(_) => PARITY_SHARDS * STRIDE + 64,
		};
		Self {
			codec: codec.clone(),
			hashes,
			#[cfg(target_arch = "x86_64")]
			tiles: vec![0; tiles],
			end: 0,
		}
	}

	/// Encodes and hashes the next column: the following bytes of each data shard and the place of
	/// the same bytes of each parity shard, all of one length. That is any multiple of
	/// [`COLUMN_ALIGN`], or any length at all for the last column.
	///
	/// # Errors
	/// [`FusedError::AfterLast`] if the column before was the last one, [`FusedError::TooLong`] if
	/// shards would exceed [`SHARD_LEN`], [`FusedError::Codec`] if the lengths differ; nothing was
	/// written or hashed then.
	pub fn push(
		&mut self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
	) -> Result<(), FusedError> {
		let len = data[0].len();
		let lengths = parity.iter().map(|shard| shard.len());
		self.check(data, lengths, len)?;
		self.encode(data, &mut [], parity, &[&[]; DATA_SHARDS])
	}

	/// As [`push`](Self::push), and copies the data to the first ten of the `shards`, the parity to
	/// the others. Best if the data lies in a buffer that stays in cache and is used again for the
	/// next column, 64 KiB of each shard or less: no line is read that is to be overwritten.
	///
	/// What is `next` read by the caller, say to make the next column, is fetched into cache
	/// meanwhile, if it is about as long as the column. It may be of any lengths, and empty.
	///
	/// # Errors
	/// As [`push`](Self::push).
	pub fn push_copy(
		&mut self,
		data: &[&[u8]; DATA_SHARDS],
		shards: &mut [&mut [u8]; TOTAL_SHARDS],
		next: &[&[u8]; DATA_SHARDS],
	) -> Result<(), FusedError> {
		let len = data[0].len();
		let lengths = shards.iter().map(|shard| shard.len());
		self.check(data, lengths, len)?;
		let (copies, parity) = shards.split_at_mut(DATA_SHARDS);
		self.encode(data, copies, parity, next)
	}

	/// Bytes of each shard pushed so far.
	pub fn shard_len(&self) -> usize {
		self.end
	}

	/// The ids of the thirty shards: BLAKE3 of all that was pushed of each, in slot order. The
	/// encoder is then at the start of the next stripe.
	pub fn finish(&mut self) -> [ShardId; TOTAL_SHARDS] {
		self.end = 0;
		self.hashes.finish()
	}

	/// Leaves out what was pushed: the encoder is then at the start of a stripe.
	pub fn reset(&mut self) {
		self.finish();
	}

	/// Checked for the whole column, so that a refused one leaves no tile behind.
	fn check(
		&self,
		data: &[&[u8]],
		outputs: impl Iterator<Item = usize>,
		expected: usize,
	) -> Result<(), FusedError> {
		let lengths = data.iter().map(|shard| shard.len()).chain(outputs);
		if let Some((index, len)) = lengths.enumerate().find(|(_, len)| *len != expected) {
			let mismatch = CodecError::LengthMismatch {
				index,
				len,
				expected,
			};
			return Err(mismatch.into());
		}
		let (len, end) = (expected, self.end);
		if !end.is_multiple_of(COLUMN_ALIGN) {
			return Err(FusedError::AfterLast { len, end });
		}
		if len > SHARD_LEN - end {
			return Err(FusedError::TooLong { len, end });
		}
		Ok(())
	}

	/// A column whose lengths were checked. `copies` are ten places or none.
	fn encode(
		&mut self,
		data: &[&[u8]; DATA_SHARDS],
		copies: &mut [&mut [u8]],
		parity: &mut [&mut [u8]],
		next: &[&[u8]; DATA_SHARDS],
	) -> Result<(), FusedError> {
		let len = data[0].len();
		#[cfg(target_arch = "x86_64")]
		let start = self.whole_tiles(data, copies, parity, next)?;
		#[cfg(not(target_arch = "x86_64"))]
		let (start, _) = (0, next);
		self.in_place(data, copies, parity, start)?;
		self.end += len;
		Ok(())
	}

	/// All whole tiles of a column, if they go through a buffer. Returns where the rest starts.
	#[cfg(target_arch = "x86_64")]
	fn whole_tiles(
		&mut self,
		data: &[&[u8]; DATA_SHARDS],
		copies: &mut [&mut [u8]],
		parity: &mut [&mut [u8]],
		next: &[&[u8]; DATA_SHARDS],
	) -> Result<usize, FusedError> {
		let ShardHashes::Trees(trees) = &mut self.hashes else {
			return Ok(0);
		};
		let of = data[0].len() / TILE;
		for start in (0..of * TILE).step_by(TILE) {
			let tile = start..start + TILE;
			let turn = Turn { tile, of, next };
			let buffer = &mut self.tiles;
			through_buffer(&self.codec, trees, buffer, data, copies, parity, turn)?;
		}
		Ok(of * TILE)
	}

	/// The rest of a column, from `start`: all of it for hashers of one shard each, less than a tile
	/// for others.
	fn in_place(
		&mut self,
		data: &[&[u8]; DATA_SHARDS],
		copies: &mut [&mut [u8]],
		parity: &mut [&mut [u8]],
		start: usize,
	) -> Result<(), FusedError> {
		let len = data[0].len();
		for (copy, data) in copies.iter_mut().zip(data) {
			copy[start..].copy_from_slice(&data[start..]);
		}
		for start in (start..len).step_by(2 * TILE) {
			let tile = start..len.min(start + 2 * TILE);
			let inputs = data.map(|shard| &shard[tile.clone()]);
			let mut outputs = parity.iter_mut().map(|shard| &mut shard[tile.clone()]);
			let mut outputs = core::array::from_fn(|_| outputs.next().unwrap_or_default());
			self.codec
				.encode_with(&inputs, &mut outputs, Stores::Cached)?;
			let shards = inputs.into_iter().chain(outputs.into_iter().map(|o| &*o));
			match &mut self.hashes {
				ShardHashes::Each(hashers) => {
					for (hasher, shard) in hashers.iter_mut().zip(shards) {
						hasher.update(shard);
					}
				}
				#[cfg(target_arch = "x86_64")]
				ShardHashes::Trees(trees) => {
					let mut shards = shards;
					trees.push_tails(core::array::from_fn(|_| shards.next().unwrap_or_default()));
				}
			}
		}
		Ok(())
	}
}

/// Which tile of how many, and what to fetch while all of them are hashed.
#[cfg(target_arch = "x86_64")]
struct Turn<'a> {
	tile: core::ops::Range<usize>,
	of: usize,
	next: &'a [&'a [u8]; DATA_SHARDS],
}

#[cfg(target_arch = "x86_64")]
impl<'a> Turn<'a> {
	/// What to fetch while the shard in `slot` is hashed: an equal part of all there is.
	fn fetch(&self, slot: usize) -> &'a [u8] {
		let parts = self.of * TOTAL_SHARDS / DATA_SHARDS;
		let at = self.tile.start / TILE * TOTAL_SHARDS + slot;
		let next = self.next[(at / parts).min(DATA_SHARDS - 1)];
		let part = next.len().div_ceil(parts);
		let start = next.len().min(at % parts * part);
		&next[start..next.len().min(start + part)]
	}
}

/// One tile, of which parity is computed in `buffer` and copied from there.
#[cfg(target_arch = "x86_64")]
fn through_buffer(
	codec: &Codec,
	trees: &mut crate::hash::Trees,
	buffer: &mut [u8],
	data: &[&[u8]; DATA_SHARDS],
	copies: &mut [&mut [u8]],
	parity: &mut [&mut [u8]],
	turn: Turn<'_>,
) -> Result<(), FusedError> {
	use crate::hash::GroupJob;

	let tile = turn.tile.clone();
	let aligned = buffer.as_ptr().align_offset(64).min(64);
	let mut rows = buffer[aligned..].chunks_mut(STRIDE);
	let mut rows = core::array::from_fn(|_| match rows.next() {
		Some(row) => &mut row[..TILE],
		None => unreachable!("the buffer has a row for each parity shard"),
	});
	let inputs = data.map(|shard| &shard[tile.clone()]);
	codec.encode_with(&inputs, &mut rows, Stores::Cached)?;
	let rows = rows.map(|row| &*row);
	let mut inputs = inputs.into_iter().chain(rows);
	let copies = copies.iter_mut().map(|copy| Some(&mut copy[tile.clone()]));
	let copies = copies.chain(core::iter::repeat_with(|| None));
	let parity = parity.iter_mut().map(|copy| Some(&mut copy[tile.clone()]));
	let mut places = copies.take(DATA_SHARDS).chain(parity);
	trees.push(core::array::from_fn(|slot| {
		let group = inputs.next().and_then(|input| input.first_chunk());
		let (Some(input), Some(copy)) = (group, places.next()) else {
			unreachable!("thirty shards of a tile each")
		};
		let fetch = turn.fetch(slot);
		GroupJob { input, copy, fetch }
	}));
	Ok(())
}

impl core::fmt::Debug for HashingEncoder {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.debug_struct("HashingEncoder")
			.field("kernel", &self.codec.kernel())
			.field("end", &self.end)
			.finish_non_exhaustive()
	}
}
