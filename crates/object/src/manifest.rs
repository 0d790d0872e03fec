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

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::{MAX_SIZE, MAX_STRIPES, STRIPE_PLAIN};
	use codec::Compact;
	use hippius_primitives::{coding::STRIPE_LEN, ShardId, TOTAL_SHARDS};
	use proptest::prelude::*;

	fn reference(len: usize) -> StripeRef {
		StripeRef {
			len: len as u32,
			epoch: 1,
			shards: [ShardId([3; 32]); TOTAL_SHARDS],
		}
	}

	/// A manifest of 20 bytes.
	fn manifest() -> Manifest {
		let (suite, salts) = (Suite::Aes256Gcm, vec![Salt([1; 16])]);
		Manifest::new(suite, 20, "name", "text/plain", salts, vec![reference(36)]).unwrap()
	}

	fn decode(change: impl FnOnce(&mut Manifest)) -> Result<Manifest, ManifestError> {
		let mut manifest = manifest();
		change(&mut manifest);
		Manifest::decode_checked(&manifest.encode())
	}

	#[test]
	fn a_reference_has_the_length_promised() {
		assert_eq!(reference(1).encode().len(), StripeRef::ENCODED_LEN);
		assert_eq!(decode(|_| {}), Ok(manifest()));
	}

	#[test]
	fn inconsistent_manifests_are_refused() {
		use ManifestError::*;
		assert_eq!(decode(|m| m.version = 2), Err(Version(2)));
		assert_eq!(
			Manifest::decode_checked(&[]),
			Err(Malformed("it is empty".into()))
		);
		let wrong_length = |need| WrongLength {
			level: 0,
			stripe: 0,
			len: 36,
			need,
		};
		assert_eq!(decode(|m| m.size = 21), Err(wrong_length(37)));
		assert_eq!(decode(|m| m.size = 0), Err(wrong_length(16)));
		let too_few = WrongCount {
			level: 0,
			have: 1,
			need: 2,
		};
		assert_eq!(decode(|m| m.size = STRIPE_PLAIN as u64 + 1), Err(too_few));
		let too_few = WrongCount {
			level: 0,
			have: 1,
			need: u64::from(MAX_STRIPES),
		};
		assert_eq!(decode(|m| m.size = MAX_SIZE), Err(too_few));
		assert_eq!(decode(|m| m.size = u64::MAX), Err(TooLarge(u64::MAX)));
		assert_eq!(
			decode(|m| m.size = MAX_SIZE + 1),
			Err(TooLarge(MAX_SIZE + 1))
		);
		let too_many = WrongCount {
			level: 0,
			have: 2,
			need: 1,
		};
		assert_eq!(decode(|m| m.stripes.push(reference(1))), Err(too_many));
		let none = WrongCount {
			level: 0,
			have: 0,
			need: 1,
		};
		assert_eq!(decode(|m| m.stripes.clear()), Err(none));
		// A level deeper, the one stripe holds one reference.
		let wrong = WrongLength {
			level: 1,
			stripe: 0,
			len: 36,
			need: StripeRef::ENCODED_LEN + 16,
		};
		assert_eq!(decode(|m| m.salts.push(Salt([2; 16]))), Err(wrong));
		assert_eq!(
			decode(|m| m.salts = vec![Salt([2; 16]); 5]),
			Err(TooManyLevels(4))
		);
		assert_eq!(
			decode(|m| m.salts = vec![Salt([2; 16]); 500]),
			Err(TooManyLevels(499))
		);
		assert_eq!(
			decode(|m| m.salts.clear()),
			Err(Malformed("it has no salt".into()))
		);
		let long = TooLong {
			field: "name",
			len: MAX_NAME + 1,
			max: MAX_NAME,
		};
		assert_eq!(decode(|m| m.name = vec![b'n'; MAX_NAME + 1]), Err(long));
		assert!(matches!(
			decode(|m| m.content_type = vec![0xFF]),
			Err(Malformed(_))
		));
	}

	#[test]
	fn bytes_cut_off_or_left_over_are_refused() {
		let bytes = manifest().encode();
		for len in 0..bytes.len() {
			assert!(Manifest::decode_checked(&bytes[..len]).is_err(), "{len}");
		}
		let longer = [&bytes[..], &[0]].concat();
		assert!(matches!(
			Manifest::decode_checked(&longer),
			Err(ManifestError::Malformed(_))
		));
	}

	#[test]
	fn a_count_beyond_the_bytes_takes_no_memory() {
		let manifest = manifest();
		let mut bytes = manifest.encode();
		bytes.truncate(bytes.len() - manifest.stripes.encode().len());
		Compact(u32::MAX).encode_to(&mut bytes);
		bytes.extend(reference(STRIPE_LEN).encode());
		assert!(matches!(
			Manifest::decode_checked(&bytes),
			Err(ManifestError::Malformed(_))
		));
	}

	proptest! {
		#[test]
		fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
			let _ = Manifest::decode_checked(&bytes);
			bytes[0] = VERSION;
			let _ = Manifest::decode_checked(&bytes);
		}

		#[test]
		fn no_altered_manifest_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
			let mut bytes = manifest().encode();
			let at = at.index(bytes.len());
			bytes[at] = byte;
			let _ = Manifest::decode_checked(&bytes);
		}
	}
}
