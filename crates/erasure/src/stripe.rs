//! Conveniences over whole stripes.

use crate::{
	shard_len, Codec, CodecError, ShardSet, StripeCodec, DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS,
};

impl Codec {
	/// Cuts `data` into ten shards of [`shard_len`] bytes, zero padded at the end of the stripe, and
	/// adds the twenty parity shards: 30 shards in slot order.
	///
	/// # Errors
	/// [`CodecError::StripeLength`] if `data` is empty or longer than a stripe.
	pub fn encode_stripe(&self, data: &[u8]) -> Result<Vec<Vec<u8>>, CodecError> {
		let len = stripe_shard_len(data.len())?;
		let mut shards = Vec::with_capacity(TOTAL_SHARDS);
		let mut rest = data;
		for _ in 0..DATA_SHARDS {
			let (piece, after) = rest.split_at(len.min(rest.len()));
			let mut shard = Vec::with_capacity(len);
			shard.extend_from_slice(piece);
			shard.resize(len, 0);
			shards.push(shard);
			rest = after;
		}
		let mut parity: [Vec<u8>; PARITY_SHARDS] = std::array::from_fn(|_| vec![0; len]);
		let inputs: [&[u8]; DATA_SHARDS] = std::array::from_fn(|slot| &shards[slot][..]);
		self.encode(&inputs, &mut parity.each_mut().map(Vec::as_mut_slice))?;
		shards.extend(parity);
		Ok(shards)
	}

	/// Gives back the `len` bytes of a stripe from any ten of its shards, in slot order. Shards are
	/// trusted: check their hashes first.
	///
	/// # Errors
	/// [`CodecError::CountMismatch`] if there are not 30 entries, [`CodecError::StripeLength`] if
	/// no stripe has `len` bytes, [`CodecError::LengthMismatch`] if a shard's length does not fit
	/// `len`, [`CodecError::NotEnoughShards`] if fewer than ten are present.
	pub fn reconstruct_data<T: AsRef<[u8]>>(
		&self,
		shards: &[Option<T>],
		len: usize,
	) -> Result<Vec<u8>, CodecError> {
		let shard_len = stripe_shard_len(len)?;
		let present = check_shards(shards, shard_len)?;
		let lost = ShardSet::DATA.without(present);
		let mut recovered = self
			.recover_slots(shards, present, lost, shard_len)?
			.into_iter();
		let mut data = Vec::with_capacity(len);
		for shard in &shards[..DATA_SHARDS] {
			let rest = len - data.len();
			match shard {
				Some(shard) => data.extend(shard.as_ref().iter().take(rest)),
				None => data.extend(recovered.next().iter().flatten().take(rest)),
			}
		}
		Ok(data)
	}

	/// Computes one shard from any ten shards of its stripe, given in slot order.
	///
	/// # Errors
	/// [`CodecError::BadSlot`] if there is no such slot, [`CodecError::CountMismatch`] if there are
	/// not 30 entries, [`CodecError::LengthMismatch`] if their lengths differ,
	/// [`CodecError::NotEnoughShards`] if fewer than ten are present.
	pub fn reconstruct_shard<T: AsRef<[u8]>>(
		&self,
		slot: usize,
		shards: &[Option<T>],
	) -> Result<Vec<u8>, CodecError> {
		let wanted = ShardSet::EMPTY.with(slot)?;
		let len = shards
			.iter()
			.flatten()
			.next()
			.map_or(0, |shard| shard.as_ref().len());
		let present = check_shards(shards, len)?;
		let mut recovered = self.recover_slots(shards, present, wanted, len)?;
		Ok(recovered.swap_remove(0))
	}

	fn recover_slots<T: AsRef<[u8]>>(
		&self,
		shards: &[Option<T>],
		present: ShardSet,
		wanted: ShardSet,
		len: usize,
	) -> Result<Vec<Vec<u8>>, CodecError> {
		let plan = self.plan(present, wanted)?;
		let sources = plan
			.sources()
			.map(|slot| shards[slot].as_ref().map_or(&[][..], T::as_ref));
		let mut recovered = vec![vec![0; len]; wanted.len()];
		let mut outputs: Vec<&mut [u8]> = recovered.iter_mut().map(Vec::as_mut_slice).collect();
		self.recover(&plan, &sources, &mut outputs)?;
		Ok(recovered)
	}
}

fn stripe_shard_len(len: usize) -> Result<usize, CodecError> {
	shard_len(len).ok_or(CodecError::StripeLength { len })
}

/// The slots present, once all are known to have `len` bytes.
fn check_shards<T: AsRef<[u8]>>(shards: &[Option<T>], len: usize) -> Result<ShardSet, CodecError> {
	if shards.len() != TOTAL_SHARDS {
		return Err(CodecError::CountMismatch {
			have: shards.len(),
			need: TOTAL_SHARDS,
		});
	}
	let mut present = ShardSet::EMPTY;
	for (index, shard) in shards.iter().enumerate() {
		let Some(shard) = shard else { continue };
		let found = shard.as_ref().len();
		if found != len {
			return Err(CodecError::LengthMismatch {
				index,
				len: found,
				expected: len,
			});
		}
		present = present.with(index)?;
	}
	Ok(present)
}
