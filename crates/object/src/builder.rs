//! Collecting the references of an object's stripes into its manifest.

use crate::{
	envelope::seal_root,
	manifest::{check_text, level_layout, MAX_CONTENT_TYPE, MAX_LEVEL, MAX_NAME, MAX_ROOT_REFS},
	Manifest, ManifestError, ObjectKey, Salt, SealedStripe, StreamKind, StripeRef, StripeSealer,
	Suite, STRIPE_PLAIN,
};
use codec::{DecodeAll, Encode};
use hippius_primitives::coding::STRIPE_LEN;

/// Builds the manifest of one object while its stripes are being stored.
///
/// 1. [`push`](Self::push) the reference of each data stripe in order.
/// 2. Whenever convenient, at the latest after [`close`](Self::close), store what
///    [`next_index`](Self::next_index) hands out and give its reference to
///    [`push_index`](Self::push_index), until it hands out nothing.
/// 3. [`seal_root`](Self::seal_root).
///
/// Doing step 2 after every push bounds the memory used to about one stripe per level.
pub struct ManifestBuilder {
	suite: Suite,
	key: ObjectKey,
	name: String,
	content_type: String,
	root_refs: usize,
	/// Size of the object, once closed.
	size: Option<u64>,
	levels: Vec<Level>,
	/// Level, number and length of the stripe that was handed out and has not come back.
	awaited: Option<(u8, u32, usize)>,
}

/// A stripe of references, to be stored like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexStripe {
	/// The level the stripe belongs to, from 1.
	pub level: u8,
	/// The stripe.
	pub sealed: SealedStripe,
}

/// The stripes of one level.
struct Level {
	/// Salt of the stream these stripes make up.
	salt: Salt,
	/// Stripes so far.
	count: u64,
	/// Sealed length of the last one.
	last_len: u32,
	/// Encoded references that have not gone into a stripe of the next level.
	buffer: Vec<u8>,
	/// Seals the next level, once there is one.
	above: Option<StripeSealer>,
}

impl Level {
	fn new(salt: Salt) -> Self {
		Self {
			salt,
			count: 0,
			last_len: 0,
			buffer: Vec::new(),
			above: None,
		}
	}

	fn push(&mut self, level: u8, reference: &StripeRef) -> Result<(), ManifestError> {
		// A stripe that another follows is full.
		if self.count > 0 && self.last_len as usize != STRIPE_LEN {
			let stripe = u32::try_from(self.count - 1).unwrap_or(u32::MAX);
			let len = self.last_len;
			return Err(ManifestError::WrongLength {
				level,
				stripe,
				len,
				need: STRIPE_LEN,
			});
		}
		reference.encode_to(&mut self.buffer);
		self.count += 1;
		self.last_len = reference.len;
		Ok(())
	}
}

impl ManifestBuilder {
	/// A builder for the object whose data `sealer` seals with `key`. Name and content type may be
	/// empty.
	///
	/// # Errors
	/// [`ManifestError::TooLong`] if a text is too long.
	pub fn new(
		sealer: &StripeSealer,
		key: &ObjectKey,
		name: &str,
		content_type: &str,
	) -> Result<Self, ManifestError> {
		check_text("name", name.as_bytes(), MAX_NAME)?;
		check_text("content type", content_type.as_bytes(), MAX_CONTENT_TYPE)?;
		Ok(Self {
			suite: sealer.suite(),
			key: key.clone(),
			name: name.into(),
			content_type: content_type.into(),
			root_refs: MAX_ROOT_REFS,
			size: None,
			levels: vec![Level::new(sealer.salt())],
			awaited: None,
		})
	}

	/// Keeps at most `refs` references in the root stripe (1 to [`MAX_ROOT_REFS`], the default).
	/// A smaller root is quicker to fetch, at the price of one more stripe to read.
	pub fn with_root_refs(mut self, refs: usize) -> Self {
		self.root_refs = refs.clamp(1, MAX_ROOT_REFS);
		self
	}

	/// Adds the next data stripe.
	///
	/// # Errors
	/// [`ManifestError::WrongLength`] if the stripe before was not full,
	/// [`ManifestError::OutOfOrder`] after [`Self::close`].
	pub fn push(&mut self, reference: StripeRef) -> Result<(), ManifestError> {
		if self.size.is_some() {
			return Err(ManifestError::OutOfOrder(
				"a data stripe was pushed after close",
			));
		}
		self.levels[0].push(0, &reference)
	}

	/// Adds the stripe that [`Self::next_index`] handed out for this level.
	///
	/// # Errors
	/// [`ManifestError::OutOfOrder`] if none is awaited at this level,
	/// [`ManifestError::WrongLength`] if it is another stripe's.
	pub fn push_index(&mut self, level: u8, reference: StripeRef) -> Result<(), ManifestError> {
		let awaited = self.awaited.filter(|(awaited, ..)| *awaited == level);
		let entry = self.levels.get_mut(usize::from(level));
		let (Some((_, stripe, need)), Some(entry)) = (awaited, entry) else {
			return Err(ManifestError::OutOfOrder(
				"no index stripe of this level is awaited",
			));
		};
		let len = reference.len;
		if len as usize != need {
			return Err(ManifestError::WrongLength {
				level,
				stripe,
				len,
				need,
			});
		}
		entry.push(level, &reference)?;
		self.awaited = None;
		Ok(())
	}

	/// Says that all data stripes were pushed and how many source bytes they hold.
	///
	/// # Errors
	/// [`ManifestError::WrongCount`] or [`ManifestError::WrongLength`] if the size does not fit the
	/// stripes, [`ManifestError::TooLarge`] if it is impossible, [`ManifestError::OutOfOrder`] the
	/// second time.
	pub fn close(&mut self, size: u64) -> Result<(), ManifestError> {
		if self.size.is_some() {
			return Err(ManifestError::OutOfOrder("the builder was closed twice"));
		}
		self.check_level(0, size)?;
		self.size = Some(size);
		Ok(())
	}

	/// The next stripe of references to store, if one is ready.
	///
	/// # Errors
	/// [`ManifestError::OutOfOrder`] if the reference of the one before has not come back,
	/// [`ManifestError::TooManyLevels`], [`ManifestError::Seal`].
	pub fn next_index(&mut self) -> Result<Option<IndexStripe>, ManifestError> {
		if self.awaited.is_some() {
			return Err(ManifestError::OutOfOrder(
				"the index stripe handed out was not pushed",
			));
		}
		let mut complete = self.size.is_some();
		let mut below = 0;
		while let Some(level) = self.levels.get_mut(below) {
			if level.above.as_ref().is_some_and(StripeSealer::is_ended) {
				below += 1;
				continue;
			}
			let spills = level.count > self.root_refs as u64;
			let full = level.buffer.len() > STRIPE_PLAIN;
			if spills && (full || complete) {
				return self.seal_index(below, !full).map(Some);
			}
			// What is above grows further, so only full stripes may leave it.
			complete = false;
			below += 1;
		}
		Ok(None)
	}

	/// The bytes of the root stripe, to be stored like any other; its stripe id is the object's id.
	///
	/// # Errors
	/// [`ManifestError::OutOfOrder`] if the builder is not closed or an index stripe is missing.
	pub fn seal_root(mut self) -> Result<Vec<u8>, ManifestError> {
		let size = self
			.size
			.ok_or(ManifestError::OutOfOrder("the builder was not closed"))?;
		if self.next_index()?.is_some() {
			return Err(ManifestError::OutOfOrder(
				"an index stripe has not been stored",
			));
		}
		let salts: Vec<Salt> = self.levels.iter().map(|level| level.salt).collect();
		let Some(top) = self.levels.last() else {
			return Err(ManifestError::OutOfOrder("there is no level"));
		};
		self.check_level(salts.len() as u8 - 1, size)?;
		let stripes = top
			.buffer
			.chunks(StripeRef::ENCODED_LEN)
			.map(|mut bytes| StripeRef::decode_all(&mut bytes))
			.collect::<Result<Vec<_>, _>>()
			.map_err(|error| ManifestError::Malformed(error.to_string()))?;
		let (name, content_type) = (&self.name, &self.content_type);
		let manifest = Manifest::new(self.suite, size, name, content_type, salts, stripes)?;
		seal_root(&manifest, &self.key)
	}

	/// Seals the next stripe of level `below + 1`.
	fn seal_index(&mut self, below: usize, last: bool) -> Result<IndexStripe, ManifestError> {
		let level = below + 1;
		if level > usize::from(MAX_LEVEL) {
			return Err(ManifestError::TooManyLevels(level));
		}
		if self.levels[below].above.is_none() {
			let kind = StreamKind::Index(level as u8);
			let sealer = StripeSealer::for_stream(self.suite, &self.key, kind)?;
			self.levels.push(Level::new(sealer.salt()));
			self.levels[below].above = Some(sealer);
		}
		let Level { buffer, above, .. } = &mut self.levels[below];
		let Some(sealer) = above else {
			return Err(ManifestError::OutOfOrder("there is no sealer"));
		};
		let len = buffer.len().min(STRIPE_PLAIN);
		let sealed = sealer.seal_next(&buffer[..len], last)?;
		buffer.drain(..len);
		self.awaited = Some((level as u8, sealed.index, sealed.bytes.len()));
		Ok(IndexStripe {
			level: level as u8,
			sealed,
		})
	}

	/// Whether number and last length of a level's stripes follow from the object's size.
	fn check_level(&self, level: u8, size: u64) -> Result<(), ManifestError> {
		let layout = level_layout(size, level).ok_or(ManifestError::TooLarge(size))?;
		let entry = &self.levels[usize::from(level)];
		let need = u64::from(layout.stripes());
		if entry.count != need {
			return Err(ManifestError::WrongCount {
				level,
				have: entry.count,
				need,
			});
		}
		let (stripe, len) = (layout.stripes() - 1, entry.last_len);
		let expected = layout.sealed_len(stripe).unwrap_or_default();
		if len as usize != expected {
			return Err(ManifestError::WrongLength {
				level,
				stripe,
				len,
				need: expected,
			});
		}
		Ok(())
	}
}
