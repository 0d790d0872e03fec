//! Sealing a stream stripe by stripe.

use crate::{
	cipher::ChunkCipher,
	layout::{chunks_of, sealed_len},
	stage, EncodedStripe, ObjectKey, Salt, SealError, ShardBuffers, StreamKind, StripeError, Suite,
	CHUNK_LEN, CHUNK_PLAIN, MAX_STRIPES, STRIPE_CHUNKS, STRIPE_PLAIN, TAG_LEN,
};
use bytes::Bytes;
use core::fmt;
use std::sync::Arc;

/// Seals the stripes of one stream in order.
pub struct StripeSealer {
	cipher: Arc<ChunkCipher>,
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
			cipher: Arc::new(cipher),
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
		let index = self.check_next(plain.len(), last)?;
		let bytes = seal_stripe(&self.cipher, index, plain, last)?;
		self.advance(plain.len(), last);
		Ok(SealedStripe { index, bytes })
	}

	/// Takes the next stripe, of the same length as in [`Self::seal_next`]. It can be encoded on any
	/// thread, while the stripes after it are prepared.
	///
	/// # Errors
	/// As [`Self::seal_next`].
	pub fn prepare_next(
		&mut self,
		plain: impl Into<Bytes>,
		last: bool,
	) -> Result<PlainStripe, SealError> {
		let plain = plain.into();
		let index = self.check_next(plain.len(), last)?;
		self.advance(plain.len(), last);
		Ok(PlainStripe {
			cipher: self.cipher.clone(),
			index,
			last,
			plain,
		})
	}

	/// The next stripe's place, if it may have this length.
	fn check_next(&self, len: usize, last: bool) -> Result<u32, SealError> {
		let stripe = self.stripes;
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
		Ok(stripe)
	}

	fn advance(&mut self, len: usize, last: bool) {
		self.stripes += 1;
		self.size += len as u64;
		self.ended = last;
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

/// A stripe that has its place in the stream and is not sealed yet. Used up by
/// [`encode`](Self::encode), because its nonces must never seal anything else.
pub struct PlainStripe {
	cipher: Arc<ChunkCipher>,
	index: u32,
	last: bool,
	plain: Bytes,
}

impl PlainStripe {
	/// Its place in the stream, from 0.
	pub fn index(&self) -> u32 {
		self.index
	}

	/// Its source bytes.
	pub fn plain_len(&self) -> usize {
		self.plain.len()
	}

	/// Seals the stripe, codes it into 30 shards in memory from `buffers` and hashes them: the same
	/// as [`StripeSealer::seal_next`] and [`crate::encode_stripe`] one after the other, in one pass
	/// over bytes that stay in cache. Each source byte is read once and its ciphertext written once,
	/// to where it stays.
	///
	/// Takes about 5 ms of one core for a full stripe: not for an async thread.
	///
	/// # Errors
	/// [`StripeError::Seal`] if the cipher library refuses.
	pub fn encode(self, buffers: &ShardBuffers) -> Result<EncodedStripe, StripeError> {
		if self.plain.len() == STRIPE_PLAIN {
			let source = |chunk| self.chunk_plain(chunk);
			return stage::encode_full(buffers, source, |chunk, place| {
				Ok(self.seal_chunk(chunk, place)?)
			});
		}
		let mut done = [false; STRIPE_CHUNKS];
		let mut straddling = Vec::new();
		stage::encode(sealed_len(self.plain.len()), buffers, |stage, range| {
			let chunks = range.start / CHUNK_LEN..range.end.div_ceil(CHUNK_LEN);
			for (done, chunk) in done[chunks.clone()].iter_mut().zip(chunks) {
				if std::mem::replace(done, true) {
					continue;
				}
				let at = chunk * CHUNK_LEN;
				let sealed = at..at + self.chunk_plain(chunk).len() + TAG_LEN;
				if let Some(place) = stage.place(&sealed) {
					self.seal_chunk(chunk, place)?;
				} else {
					straddling.resize(sealed.len(), 0);
					self.seal_chunk(chunk, &mut straddling)?;
					stage.write(at, &straddling);
				}
			}
			Ok(())
		})
	}

	/// The source bytes of a chunk: none if there is no such chunk.
	fn chunk_plain(&self, chunk: usize) -> &[u8] {
		let len = self.plain.len();
		let start = len.min(chunk * CHUNK_PLAIN);
		&self.plain[start..len.min(start + CHUNK_PLAIN)]
	}

	/// Seals a chunk into a place of its sealed length.
	fn seal_chunk(&self, chunk: usize, place: &mut [u8]) -> Result<(), SealError> {
		let counter = self.index * STRIPE_CHUNKS as u32 + chunk as u32;
		let last = self.last && chunk + 1 == chunks_of(self.plain.len());
		self.cipher
			.seal(counter, last, self.chunk_plain(chunk), place)
			.map_err(|_| SealError::Cipher)
	}
}

impl fmt::Debug for PlainStripe {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("PlainStripe")
			.field("index", &self.index)
			.field("last", &self.last)
			.field("plain_len", &self.plain_len())
			.finish_non_exhaustive()
	}
}

/// Seals all chunks of one stripe.
pub(crate) fn seal_stripe(
	cipher: &ChunkCipher,
	stripe: u32,
	plain: &[u8],
	last: bool,
) -> Result<Vec<u8>, SealError> {
	let mut bytes = vec![0; sealed_len(plain.len())];
	let first = stripe * STRIPE_CHUNKS as u32;
	let chunks = chunks_of(plain.len());
	// An empty stripe has one chunk, too.
	for (chunk, sealed) in (0..chunks).zip(bytes.chunks_mut(CHUNK_LEN)) {
		let start = chunk * CHUNK_PLAIN;
		let plain = &plain[start..plain.len().min(start + CHUNK_PLAIN)];
		cipher
			.seal(
				first + chunk as u32,
				last && chunk + 1 == chunks,
				plain,
				sealed,
			)
			.map_err(|_| SealError::Cipher)?;
	}
	Ok(bytes)
}
