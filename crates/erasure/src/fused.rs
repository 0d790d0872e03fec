//! Encoding a stripe and hashing its thirty shards in one pass.
//!
//! Hashing thirty shards costs several times as much as computing twenty of them, and both read the
//! same bytes. So a column is cut into tiles, and each tile is hashed while it is still in cache.

use crate::{Codec, CodecError, Stores, StripeCodec, DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS};
use blake3::Hasher;
use hippius_primitives::ShardId;

/// Bytes of each shard that are encoded, then hashed, at a time: thirty of them fit the second-level
/// cache, and one keeps all lanes of a hash kernel busy.
const TILE: usize = 32 * 1024;

/// The length of every column but a stripe's last is a multiple of this, in bytes: the hash needs
/// sixteen chunks of 1 KiB at a time to run at full speed.
pub const COLUMN_ALIGN: usize = 16 * 1024;

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
		end: u64,
	},
	/// The buffers have different lengths.
	#[error(transparent)]
	Codec(#[from] CodecError),
}

/// Computes the parity shards of a stripe and the ids of all thirty, column by column: what is
/// encoded is hashed while it is in cache. One allocation per stripe, none per column.
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
#[derive(Clone)]
pub struct HashingEncoder {
	codec: Codec,
	hashers: Box<[Hasher; TOTAL_SHARDS]>,
	/// Bytes of each shard so far.
	end: u64,
}

impl HashingEncoder {
	/// An encoder of one stripe.
	pub fn new(codec: &Codec) -> Self {
		Self {
			codec: codec.clone(),
			hashers: Box::new(std::array::from_fn(|_| Hasher::new())),
			end: 0,
		}
	}

	/// Encodes and hashes the next column: the following bytes of each data shard and the place of
	/// the same bytes of each parity shard, all of one length. That is any multiple of
	/// [`COLUMN_ALIGN`], or any length at all for the last column. 64 KiB make good use of the
	/// caches if the data has just been written.
	///
	/// # Errors
	/// [`FusedError::AfterLast`] if the column before was the last one, [`FusedError::Codec`] if
	/// the lengths differ; nothing was written or hashed then.
	pub fn push(
		&mut self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
	) -> Result<(), FusedError> {
		let len = data[0].len();
		check_lengths(data, parity, len)?;
		if !self.end.is_multiple_of(COLUMN_ALIGN as u64) {
			let end = self.end;
			return Err(FusedError::AfterLast { len, end });
		}
		for start in (0..len).step_by(TILE) {
			let tile = start..len.min(start + TILE);
			let inputs = data.map(|shard| &shard[tile.clone()]);
			let mut outputs = parity.each_mut().map(|shard| &mut shard[tile.clone()]);
			self.codec
				.encode_with(&inputs, &mut outputs, Stores::Cached)?;
			let (data_hashers, parity_hashers) = self.hashers.split_at_mut(DATA_SHARDS);
			for (hasher, input) in data_hashers.iter_mut().zip(inputs) {
				hasher.update(input);
			}
			for (hasher, output) in parity_hashers.iter_mut().zip(outputs) {
				hasher.update(output);
			}
		}
		self.end += len as u64;
		Ok(())
	}

	/// Bytes of each shard pushed so far.
	pub fn shard_len(&self) -> u64 {
		self.end
	}

	/// The ids of the thirty shards: BLAKE3 of all that was pushed of each, in slot order.
	pub fn finish(self) -> [ShardId; TOTAL_SHARDS] {
		std::array::from_fn(|slot| ShardId(*self.hashers[slot].finalize().as_bytes()))
	}
}

impl core::fmt::Debug for HashingEncoder {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.debug_struct("HashingEncoder")
			.field("kernel", &self.codec.kernel())
			.field("end", &self.end)
			.finish_non_exhaustive()
	}
}

/// Checked for the whole column, so that a refused one leaves no tile behind.
fn check_lengths(data: &[&[u8]], parity: &[&mut [u8]], expected: usize) -> Result<(), CodecError> {
	let data = data.iter().map(|shard| shard.len());
	let lengths = data.chain(parity.iter().map(|shard| shard.len()));
	match lengths.enumerate().find(|(_, len)| *len != expected) {
		Some((index, len)) => Err(CodecError::LengthMismatch {
			index,
			len,
			expected,
		}),
		None => Ok(()),
	}
}
