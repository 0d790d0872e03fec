//! Opening a stream: whole stripes, or only the chunks a range touches.

use crate::{
	cipher::ChunkCipher,
	layout::{chunks_of, sealed_len},
	Layout, ObjectKey, OpenError, Salt, StreamKind, Suite, CHUNK_LEN, CHUNK_PLAIN, STRIPE_CHUNKS,
};
use core::ops::Range;
use hippius_primitives::coding::shard_len;

/// Opens the stripes of one stream in any order.
pub struct StripeOpener {
	cipher: ChunkCipher,
	layout: Layout,
}

/// What a range read needs of one stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePlan {
	/// The stripe.
	pub stripe: u32,
	/// The sealed bytes needed, as offsets in the stripe: whole chunks.
	pub sealed: Range<usize>,
	chunks: Range<usize>,
	/// Source bytes before the range in the first chunk.
	skip: usize,
	/// Source bytes of the range.
	take: usize,
	/// Bytes of a shard of this stripe.
	shard_len: usize,
}

/// A part of one data shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardPart {
	/// The data shard's slot.
	pub slot: u8,
	/// Which of its bytes.
	pub range: Range<usize>,
}

impl RangePlan {
	/// The parts of data shards that, one after the other, are the sealed bytes needed. In a full
	/// stripe a chunk never straddles two shards.
	pub fn shard_parts(&self) -> Vec<ShardPart> {
		let Range { start, end } = self.sealed.clone();
		if start >= end {
			return Vec::new();
		}
		let slots = start / self.shard_len..end.div_ceil(self.shard_len);
		slots
			.map(|slot| {
				let base = slot * self.shard_len;
				let range = start.saturating_sub(base)..(end - base).min(self.shard_len);
				ShardPart {
					slot: slot as u8,
					range,
				}
			})
			.collect()
	}
}

impl StripeOpener {
	/// An opener of the stream that was sealed with these parameters. Use
	/// [`crate::Manifest::opener`] where there is a manifest.
	///
	/// # Errors
	/// [`OpenError::Cipher`] if the cipher library refuses the key.
	pub fn new(
		suite: Suite,
		key: &ObjectKey,
		kind: StreamKind,
		salt: &Salt,
		layout: Layout,
	) -> Result<Self, OpenError> {
		let cipher = ChunkCipher::new(suite, key, kind, salt).map_err(|_| OpenError::Cipher)?;
		Ok(Self { cipher, layout })
	}

	/// Where the stream's bytes lie.
	pub fn layout(&self) -> Layout {
		self.layout
	}

	/// Opens a whole stripe.
	///
	/// # Errors
	/// [`OpenError::NoSuchStripe`], [`OpenError::WrongLength`] or [`OpenError::NotAuthentic`].
	pub fn open_stripe(&self, stripe: u32, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
		let len = self.plain_len(stripe)?;
		self.open_part(&self.plan_range(stripe, 0..len)?, sealed)
	}

	/// Opens some bytes of a stripe of which all sealed bytes are at hand.
	///
	/// # Errors
	/// [`OpenError::NoSuchStripe`], [`OpenError::BadRange`], [`OpenError::WrongLength`] or
	/// [`OpenError::NotAuthentic`].
	pub fn open_range(
		&self,
		stripe: u32,
		sealed: &[u8],
		range: Range<usize>,
	) -> Result<Vec<u8>, OpenError> {
		let expected = sealed_len(self.plain_len(stripe)?);
		let wrong = OpenError::WrongLength {
			stripe,
			len: sealed.len(),
			expected,
		};
		if sealed.len() != expected {
			return Err(wrong);
		}
		let plan = self.plan_range(stripe, range)?;
		self.open_part(&plan, sealed.get(plan.sealed.clone()).ok_or(wrong)?)
	}

	/// Says which sealed bytes a range of a stripe needs.
	///
	/// # Errors
	/// [`OpenError::NoSuchStripe`] or [`OpenError::BadRange`].
	pub fn plan_range(&self, stripe: u32, range: Range<usize>) -> Result<RangePlan, OpenError> {
		let len = self.plain_len(stripe)?;
		let Range { start, end } = range;
		if start > end || end > len {
			return Err(OpenError::BadRange {
				stripe,
				start,
				end,
				len,
			});
		}
		let stripe_len = sealed_len(len);
		let chunks = if len == 0 {
			// Emptiness is authentic too.
			0..1
		} else if start == end {
			0..0
		} else {
			start / CHUNK_PLAIN..end.div_ceil(CHUNK_PLAIN)
		};
		Ok(RangePlan {
			stripe,
			sealed: (chunks.start * CHUNK_LEN)..(chunks.end * CHUNK_LEN).min(stripe_len),
			skip: start - chunks.start * CHUNK_PLAIN,
			take: end - start,
			chunks,
			// The sealed length of a stripe is never 0 nor above the longest.
			shard_len: shard_len(stripe_len).unwrap_or(CHUNK_LEN),
		})
	}

	/// Opens the bytes a plan asked for, given the sealed bytes it named.
	///
	/// # Errors
	/// [`OpenError::NoSuchStripe`] if the plan is another stream's, [`OpenError::WrongLength`] or
	/// [`OpenError::NotAuthentic`].
	pub fn open_part(&self, plan: &RangePlan, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
		self.open_pieces(plan, &[sealed])
	}

	/// As [`StripeOpener::open_part`], of sealed bytes in several pieces, one after the other. Only
	/// a chunk that lies in two of them is copied first.
	///
	/// # Errors
	/// As there.
	pub fn open_pieces<T: AsRef<[u8]>>(
		&self,
		plan: &RangePlan,
		sealed: &[T],
	) -> Result<Vec<u8>, OpenError> {
		let stripe = plan.stripe;
		let len = self.plain_len(stripe)?;
		let mut left = sealed.iter().map(|piece| piece.as_ref().len()).sum();
		if left != plan.sealed.len() {
			let expected = plan.sealed.len();
			return Err(OpenError::WrongLength {
				stripe,
				len: left,
				expected,
			});
		}
		let last_chunk = self.layout.is_last(stripe).then(|| chunks_of(len) - 1);
		let mut plain = Vec::with_capacity(left);
		let mut pieces = sealed.iter().map(AsRef::as_ref);
		let (mut piece, mut joined): (&[u8], Vec<u8>) = (&[], Vec::new());
		for chunk in plan.chunks.clone() {
			let needed = left.min(CHUNK_LEN);
			left -= needed;
			joined.clear();
			let bytes = loop {
				let missing = needed - joined.len();
				if let Some((start, rest)) = piece.split_at_checked(missing) {
					piece = rest;
					if joined.is_empty() {
						break start;
					}
					joined.extend_from_slice(start);
					break &joined;
				}
				joined.extend_from_slice(piece);
				// There are as many bytes as the plan names: checked above.
				piece = pieces.next().unwrap_or_default();
			};
			let counter = stripe * STRIPE_CHUNKS as u32 + chunk as u32;
			self.cipher
				.open(counter, last_chunk == Some(chunk), bytes, &mut plain)
				.map_err(|_| OpenError::NotAuthentic { stripe, chunk })?;
		}
		plain.drain(..plan.skip.min(plain.len()));
		plain.truncate(plan.take);
		Ok(plain)
	}

	fn plain_len(&self, stripe: u32) -> Result<usize, OpenError> {
		let stripes = self.layout.stripes();
		self.layout
			.plain_len(stripe)
			.ok_or(OpenError::NoSuchStripe { stripe, stripes })
	}
}
