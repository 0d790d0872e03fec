//! Sealing a stream stripe by stripe.

use crate::{
	cipher::ChunkCipher, layout::sealed_len, ObjectKey, Salt, SealError, StreamKind, Suite,
	CHUNK_PLAIN, MAX_STRIPES, STRIPE_CHUNKS, STRIPE_PLAIN,
};

/// Seals the stripes of one stream in order.
pub struct StripeSealer {
	cipher: ChunkCipher,
	suite: Suite,
	salt: Salt,
	stripes: u32,
	size: u64,
	ended: bool,
}

/// A stripe ready to be coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedStripe {
	/// Its place in the stream, from 0.
	pub index: u32,
	/// The sealed bytes, at most 10 MiB.
	pub bytes: Vec<u8>,
}

impl StripeSealer {
	/// A sealer of an object's data, with a fresh salt.
	///
	/// # Errors
	/// [`SealError::Random`] if the system gives no random bytes.
	pub fn new(suite: Suite, key: &ObjectKey) -> Result<Self, SealError> {
		Self::for_stream(suite, key, StreamKind::Data)
	}

	pub(crate) fn for_stream(
		suite: Suite,
		key: &ObjectKey,
		kind: StreamKind,
	) -> Result<Self, SealError> {
		let salt = Salt::generate()?;
		let cipher = ChunkCipher::new(suite, key, kind, &salt).map_err(|_| SealError::Cipher)?;
		Ok(Self {
			cipher,
			suite,
			salt,
			stripes: 0,
			size: 0,
			ended: false,
		})
	}

	/// Seals the next stripe. All but the last hold exactly [`STRIPE_PLAIN`] bytes; the last holds
	/// at least one, unless the whole stream is empty.
	///
	/// # Errors
	/// [`SealError::NotFull`], [`SealError::TooLong`], [`SealError::Empty`] for a wrong length,
	/// [`SealError::Ended`] after the last stripe, [`SealError::TooManyStripes`] beyond
	/// [`crate::MAX_SIZE`]. The sealer stays as it was.
	pub fn seal_next(&mut self, plain: &[u8], last: bool) -> Result<SealedStripe, SealError> {
		let (stripe, len) = (self.stripes, plain.len());
		if self.ended {
			return Err(SealError::Ended {
				stripe: stripe.saturating_sub(1),
			});
		}
		if len > STRIPE_PLAIN {
			return Err(SealError::TooLong { stripe, len });
		}
		if !last && len < STRIPE_PLAIN {
			return Err(SealError::NotFull { stripe, len });
		}
		if len == 0 && stripe > 0 {
			return Err(SealError::Empty { stripe });
		}
		if stripe >= MAX_STRIPES {
			return Err(SealError::TooManyStripes);
		}
		let bytes = seal_stripe(&self.cipher, stripe, plain, last)?;
		self.stripes += 1;
		self.size += len as u64;
		self.ended = last;
		Ok(SealedStripe {
			index: stripe,
			bytes,
		})
	}

	/// Source bytes sealed so far.
	pub fn size(&self) -> u64 {
		self.size
	}

	/// Stripes sealed so far.
	pub fn stripes(&self) -> u32 {
		self.stripes
	}

	/// Whether the last stripe has been sealed.
	pub fn is_ended(&self) -> bool {
		self.ended
	}

	/// The stream's suite.
	pub fn suite(&self) -> Suite {
		self.suite
	}

	/// The stream's salt.
	pub fn salt(&self) -> Salt {
		self.salt
	}
}

/// Seals all chunks of one stripe.
pub(crate) fn seal_stripe(
	cipher: &ChunkCipher,
	stripe: u32,
	plain: &[u8],
	last: bool,
) -> Result<Vec<u8>, SealError> {
	let mut bytes = Vec::with_capacity(sealed_len(plain.len()));
	let mut counter = stripe * STRIPE_CHUNKS as u32;
	let mut rest = plain;
	loop {
		let (chunk, after) = rest.split_at(rest.len().min(CHUNK_PLAIN));
		cipher
			.seal(counter, last && after.is_empty(), chunk, &mut bytes)
			.map_err(|_| SealError::Cipher)?;
		if after.is_empty() {
			return Ok(bytes);
		}
		counter += 1;
		rest = after;
	}
}
