//! The manifest: what an object is and where its stripes are.

use crate::{Layout, ManifestError, ObjectKey, Salt, StreamKind, StripeOpener, StripeRef, Suite};
use codec::{Decode, DecodeAll, Encode};
use core::ops::Range;

/// The manifest version written.
pub(crate) const VERSION: u8 = 1;
/// Longest object name, in bytes.
pub const MAX_NAME: usize = 1024;
/// Longest content type, in bytes.
pub const MAX_CONTENT_TYPE: usize = 256;
/// Most stripe references in a root stripe; beyond it they are stored a level deeper.
pub const MAX_ROOT_REFS: usize = 10_000;
/// Highest level of references. One level holds more stripes than an object can have; the rest is
/// for builders with a smaller limit.
pub const MAX_LEVEL: u8 = 3;

/// What an object is and where its stripes are.
///
/// The stripes of *level 0* hold the object's bytes. If their references fit the root stripe, they
/// are here. Otherwise level 1 is the stream of the encoded references of level 0, one after the
/// other, stored in stripes of its own, and so on; the references of the highest level are here.
/// The size of every level and the length of every stripe follow from the object's size, and are
/// checked when decoding.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Manifest {
	version: u8,
	suite: Suite,
	size: u64,
	name: Vec<u8>,
	content_type: Vec<u8>,
	/// Salt of each level, so one more than the highest level.
	salts: Vec<Salt>,
	/// The stripes of the highest level.
	stripes: Vec<StripeRef>,
}

impl Manifest {
	/// Puts the parts together and checks that they fit each other.
	pub(crate) fn new(
		suite: Suite,
		size: u64,
		name: &str,
		content_type: &str,
		salts: Vec<Salt>,
		stripes: Vec<StripeRef>,
	) -> Result<Self, ManifestError> {
		let (name, content_type) = (name.as_bytes().to_vec(), content_type.as_bytes().to_vec());
		let manifest = Self {
			version: VERSION,
			suite,
			size,
			name,
			content_type,
			salts,
			stripes,
		};
		manifest.validate()?;
		Ok(manifest)
	}

	/// Reads and checks an encoded manifest.
	pub(crate) fn decode_checked(bytes: &[u8]) -> Result<Self, ManifestError> {
		match bytes.first() {
			Some(&VERSION) => {}
			Some(&version) => return Err(ManifestError::Version(version)),
			None => return Err(ManifestError::Malformed("it is empty".into())),
		}
		// Counts are bounded by the bytes there are, and these fit one stripe.
		let manifest = Self::decode_all(&mut &bytes[..])
			.map_err(|error| ManifestError::Malformed(error.to_string()))?;
		manifest.validate()?;
		Ok(manifest)
	}

	/// The cipher suite of all streams.
	pub fn suite(&self) -> Suite {
		self.suite
	}

	/// The object's bytes.
	pub fn size(&self) -> u64 {
		self.size
	}

	/// The object's name; empty if it has none.
	pub fn name(&self) -> &str {
		// Checked when the manifest was made.
		std::str::from_utf8(&self.name).unwrap_or_default()
	}

	/// The object's MIME type; empty if unknown.
	pub fn content_type(&self) -> &str {
		std::str::from_utf8(&self.content_type).unwrap_or_default()
	}

	/// Stripes of the object's data.
	pub fn stripe_count(&self) -> u32 {
		self.layout(0).map_or(0, |layout| layout.stripes())
	}

	/// The highest level; 0 if [`Self::stripes`] are the object's own.
	pub fn level(&self) -> u8 {
		self.salts.len().saturating_sub(1) as u8
	}

	/// The stripes of the highest level.
	pub fn stripes(&self) -> &[StripeRef] {
		&self.stripes
	}

	/// How the stream of a level lies in stripes.
	///
	/// # Errors
	/// [`ManifestError::NoSuchLevel`].
	pub fn layout(&self, level: u8) -> Result<Layout, ManifestError> {
		self.salt(level)?;
		level_layout(self.size, level).ok_or(ManifestError::TooLarge(self.size))
	}

	/// An opener of the stream of a level.
	///
	/// # Errors
	/// [`ManifestError::NoSuchLevel`].
	pub fn opener(&self, key: &ObjectKey, level: u8) -> Result<StripeOpener, ManifestError> {
		let kind = match level {
			0 => StreamKind::Data,
			level => StreamKind::Index(level),
		};
		let salt = self.salt(level)?;
		Ok(StripeOpener::new(
			self.suite,
			key,
			kind,
			salt,
			self.layout(level)?,
		)?)
	}

	/// Which bytes of the stream of `level + 1` are the references of these stripes of `level`.
	pub fn refs_range(stripes: Range<u32>) -> Range<u64> {
		let len = StripeRef::ENCODED_LEN as u64;
		u64::from(stripes.start) * len..u64::from(stripes.end) * len
	}

	/// Reads the references of the stripes of `level` from stripe `first` on, as they lie in the
	/// stream of `level + 1`, and checks that each has the length that the size calls for.
	///
	/// # Errors
	/// [`ManifestError::Malformed`] if the bytes are not whole references, [`ManifestError`] as
	/// named if they do not fit the size.
	pub fn parse_refs(
		&self,
		level: u8,
		first: u32,
		mut bytes: &[u8],
	) -> Result<Vec<StripeRef>, ManifestError> {
		let layout = self.layout(level)?;
		let mut refs = Vec::with_capacity(bytes.len() / StripeRef::ENCODED_LEN);
		while !bytes.is_empty() {
			let reference = StripeRef::decode(&mut bytes)
				.map_err(|error| ManifestError::Malformed(error.to_string()))?;
			refs.push(reference);
		}
		check_lengths(level, &layout, first, &refs)?;
		Ok(refs)
	}

	fn salt(&self, level: u8) -> Result<&Salt, ManifestError> {
		let missing = ManifestError::NoSuchLevel {
			level,
			highest: self.level(),
		};
		self.salts.get(usize::from(level)).ok_or(missing)
	}

	fn validate(&self) -> Result<(), ManifestError> {
		check_text("name", &self.name, MAX_NAME)?;
		check_text("content type", &self.content_type, MAX_CONTENT_TYPE)?;
		if self.salts.is_empty() {
			return Err(ManifestError::Malformed("it has no salt".into()));
		}
		if self.salts.len() > usize::from(MAX_LEVEL) + 1 {
			return Err(ManifestError::TooManyLevels(self.salts.len() - 1));
		}
		let level = self.level();
		let layout = self.layout(level)?;
		let (have, need) = (self.stripes.len() as u64, u64::from(layout.stripes()));
		if have != need {
			return Err(ManifestError::WrongCount { level, have, need });
		}
		check_lengths(level, &layout, 0, &self.stripes)
	}
}

pub(crate) fn check_text(
	field: &'static str,
	text: &[u8],
	max: usize,
) -> Result<(), ManifestError> {
	if text.len() > max {
		return Err(ManifestError::TooLong {
			field,
			len: text.len(),
			max,
		});
	}
	std::str::from_utf8(text)
		.map(|_| ())
		.map_err(|error| ManifestError::Malformed(format!("the {field} is not UTF-8: {error}")))
}

/// The layout of a level of an object of `size` bytes; `None` if the size is impossible.
pub(crate) fn level_layout(size: u64, level: u8) -> Option<Layout> {
	let data = Layout::new(size)?;
	(0..level).try_fold(data, |below, _| {
		Layout::new(u64::from(below.stripes()) * StripeRef::ENCODED_LEN as u64)
	})
}

/// Whether each reference has the length its place calls for.
pub(crate) fn check_lengths(
	level: u8,
	layout: &Layout,
	first: u32,
	refs: &[StripeRef],
) -> Result<(), ManifestError> {
	for (stripe, reference) in (u64::from(first)..).zip(refs) {
		let stripe = u32::try_from(stripe).unwrap_or(u32::MAX);
		let need = layout.sealed_len(stripe).unwrap_or_default();
		if reference.len as usize != need {
			return Err(ManifestError::WrongLength {
				level,
				stripe,
				len: reference.len,
				need,
			});
		}
	}
	Ok(())
}
