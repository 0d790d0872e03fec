//! Sealed bytes to thirty shards and back.

use crate::{stage, ShardBuffers, StripeError, CHUNK_LEN};
use arion_erasure::{Codec, CodecError};
use bytes::Bytes;
use codec::{Decode, Encode};
use hippius_primitives::{
	coding::{shard_len, DATA_SHARDS, SHARD_LEN, STRIPE_LEN, TOTAL_SHARDS},
	id::{shard_id, stripe_id},
	Epoch, ShardId, ShardMeta, StripeId,
};

/// Where a stripe is and how long it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StripeRef {
	/// Sealed bytes, without the padding of the last shards.
	pub len: u32,
	/// The map epoch the stripe was placed at: a hint for where to look first.
	pub epoch: Epoch,
	/// The shards in slot order.
	pub shards: [ShardId; TOTAL_SHARDS],
}

impl StripeRef {
	/// Bytes of an encoded reference.
	pub const ENCODED_LEN: usize = 4 + 4 + 32 * TOTAL_SHARDS;

	/// The stripe's id.
	pub fn id(&self) -> StripeId {
		stripe_id(&self.shards)
	}

	/// What is kept beside the shard in `slot`; `None` if there is no such slot.
	pub fn meta(&self, slot: u8) -> Option<ShardMeta> {
		ShardMeta::new(self.shards, slot)
	}
}

/// A stripe as it goes to the miners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedStripe {
	/// The stripe's id, which gives its placement group.
	pub stripe: StripeId,
	/// Sealed bytes, without padding.
	pub len: u32,
	/// The shards' ids in slot order.
	pub ids: [ShardId; TOTAL_SHARDS],
	/// The shards' bytes in slot order: 30, all of one length. Cloning one does not copy it.
	pub shards: Vec<Bytes>,
}

impl EncodedStripe {
	/// The reference kept in the manifest, for a stripe placed at `epoch`.
	pub fn reference(&self, epoch: Epoch) -> StripeRef {
		StripeRef {
			len: self.len,
			epoch,
			shards: self.ids,
		}
	}

	/// What is kept beside the shard in `slot`; `None` if there is no such slot.
	pub fn meta(&self, slot: u8) -> Option<ShardMeta> {
		let exists = usize::from(slot) < TOTAL_SHARDS;
		exists.then_some(ShardMeta {
			stripe: self.stripe,
			slot,
			shards: self.ids,
		})
	}
}

/// Codes sealed bytes, 1 to 10 MiB of them, into 30 shards and hashes them. Of a stripe that is not
/// sealed yet, [`PlainStripe::encode`](crate::PlainStripe::encode) makes the same faster.
///
/// # Errors
/// [`StripeError::Codec`] if there are no bytes or too many.
pub fn encode_stripe(sealed: &[u8]) -> Result<EncodedStripe, StripeError> {
	encode_stripe_in(&ShardBuffers::default(), sealed)
}

/// As [`encode_stripe`], in memory from `buffers`.
///
/// # Errors
/// As [`encode_stripe`].
pub fn encode_stripe_in(
	buffers: &ShardBuffers,
	sealed: &[u8],
) -> Result<EncodedStripe, StripeError> {
	if sealed.len() == STRIPE_LEN {
		let source = |chunk| &sealed[chunk * CHUNK_LEN..(chunk + 1) * CHUNK_LEN];
		return stage::encode_full(buffers, source, |chunk, place| {
			place.copy_from_slice(source(chunk));
			Ok(())
		});
	}
	stage::encode(sealed.len(), buffers, |stage, range| {
		stage.write(range.start, &sealed[range]);
		Ok(())
	})
}

/// Puts the sealed bytes of a stripe together from any ten of its shards, given in slot order with
/// `None` for those not at hand. Every shard's length and hash is checked before it is used; a
/// wrong one counts as missing.
///
/// # Errors
/// [`StripeError::NotEnoughShards`] if fewer than ten can be used, [`StripeError::WrongCount`] if
/// there are not 30 entries, [`StripeError::Codec`] if the reference's length is impossible.
pub fn decode_stripe<T: AsRef<[u8]>>(
	reference: &StripeRef,
	shards: &[Option<T>],
) -> Result<Vec<u8>, StripeError> {
	let len = reference.len as usize;
	let expected = shard_len(len).ok_or(CodecError::StripeLength { len })?;
	let (shards, _) = usable(&reference.shards, shards, Some(expected))?;
	Ok(Codec::shared().reconstruct_data(&shards, len)?)
}

/// Puts a root stripe together, whose length is not known beforehand: the result is padded with
/// zeros to ten shards, which [`crate::read_root`] takes as it is.
///
/// # Errors
/// As [`decode_stripe`].
pub fn decode_root<T: AsRef<[u8]>>(
	ids: &[ShardId; TOTAL_SHARDS],
	shards: &[Option<T>],
) -> Result<Vec<u8>, StripeError> {
	let (shards, shard_len) = usable(ids, shards, None)?;
	Ok(Codec::shared().reconstruct_data(&shards, shard_len * DATA_SHARDS)?)
}

/// The first ten shards that have the right hash and length, and that length. If none is expected,
/// the first authentic shard of a possible length decides.
#[allow(clippy::type_complexity)]
fn usable<'a, T: AsRef<[u8]>>(
	ids: &[ShardId; TOTAL_SHARDS],
	shards: &'a [Option<T>],
	mut expected: Option<usize>,
) -> Result<([Option<&'a [u8]>; TOTAL_SHARDS], usize), StripeError> {
	if shards.len() != TOTAL_SHARDS {
		return Err(StripeError::WrongCount { have: shards.len() });
	}
	let mut usable = [None; TOTAL_SHARDS];
	let (mut have, mut rejected) = (0, 0);
	for ((slot, id), shard) in usable.iter_mut().zip(ids).zip(shards) {
		let Some(shard) = shard else { continue };
		let bytes = shard.as_ref();
		if fits(bytes.len(), expected) && shard_id(bytes) == *id {
			expected = Some(bytes.len());
			*slot = Some(bytes);
			have += 1;
			if have == DATA_SHARDS {
				break;
			}
		} else {
			rejected += 1;
		}
	}
	match expected {
		Some(len) if have == DATA_SHARDS => Ok((usable, len)),
		_ => Err(StripeError::NotEnoughShards {
			stripe: stripe_id(ids),
			have,
			need: DATA_SHARDS,
			rejected,
		}),
	}
}

/// Whether a shard may have `len` bytes.
fn fits(len: usize, expected: Option<usize>) -> bool {
	match expected {
		Some(expected) => len == expected,
		None => len <= SHARD_LEN && shard_len(len * DATA_SHARDS) == Some(len),
	}
}
