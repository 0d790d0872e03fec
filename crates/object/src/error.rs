//! What can go wrong.

use crate::{RandomError, MAX_SIZE, STRIPE_PLAIN};
use arion_erasure::{CodecError, FusedError};
use hippius_primitives::{StripeId, TOTAL_SHARDS};

/// Why a stripe could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
	/// No random bytes.
	#[error(transparent)]
	Random(#[from] RandomError),
	/// Every stripe but the last is full.
	#[error("stripe {stripe} holds {len} bytes; every stripe but the last holds {STRIPE_PLAIN}")]
	NotFull {
		/// The stripe.
		stripe: u32,
		/// Its source bytes.
		len: usize,
	},
	/// A stripe holds more than fits.
	#[error("stripe {stripe} holds {len} bytes, at most {STRIPE_PLAIN} fit")]
	TooLong {
		/// The stripe.
		stripe: u32,
		/// Its source bytes.
		len: usize,
	},
	/// The last stripe of a stream that is not empty holds at least one byte.
	#[error("stripe {stripe} is empty; mark the stripe before it as the last one")]
	Empty {
		/// The stripe.
		stripe: u32,
	},
	/// The last stripe has been sealed.
	#[error("the stream ended with stripe {stripe}: start a new sealer")]
	Ended {
		/// The last stripe.
		stripe: u32,
	},
	/// The stream has as many stripes as the chunk counter allows.
	#[error("an object holds at most {MAX_SIZE} bytes: store it as several objects")]
	TooManyStripes,
	/// The cipher library refused a key or a chunk.
	#[error("the cipher refused to seal a chunk")]
	Cipher,
}

/// Why sealed bytes could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
	/// The stream has no such stripe.
	#[error("stripe {stripe} does not exist: the stream has {stripes}")]
	NoSuchStripe {
		/// The stripe asked for.
		stripe: u32,
		/// Stripes of the stream.
		stripes: u32,
	},
	/// The range is not within the stripe.
	#[error("bytes {start}..{end} are not within the {len} bytes of stripe {stripe}")]
	BadRange {
		/// The stripe.
		stripe: u32,
		/// First byte asked for.
		start: usize,
		/// The byte after the last one asked for.
		end: usize,
		/// Source bytes of the stripe.
		len: usize,
	},
	/// The sealed bytes are too few or too many.
	#[error("{len} sealed bytes of stripe {stripe} were given, expected {expected}")]
	WrongLength {
		/// The stripe.
		stripe: u32,
		/// Bytes given.
		len: usize,
		/// Bytes expected.
		expected: usize,
	},
	/// The bytes are not what was sealed at this place with this key.
	#[error(
		"chunk {chunk} of stripe {stripe} is not authentic: it was altered, belongs elsewhere, or \
		 the key is wrong"
	)]
	NotAuthentic {
		/// The stripe.
		stripe: u32,
		/// The chunk within the stripe.
		chunk: usize,
	},
	/// The cipher library refused a key.
	#[error("the cipher refused the key")]
	Cipher,
}

/// Why a stripe could not be coded or put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StripeError {
	/// Too few shards with the right hash.
	#[error(
		"stripe {stripe}: {have} of {TOTAL_SHARDS} shards are usable and {need} are needed, {} are \
		 missing ({rejected} of those given did not match their hash or length)", need - have
	)]
	NotEnoughShards {
		/// The stripe.
		stripe: StripeId,
		/// Shards that can be used.
		have: usize,
		/// Shards needed.
		need: usize,
		/// Shards given that are not what their id says.
		rejected: usize,
	},
	/// Not one entry per slot was given.
	#[error("{have} shards were given; give one entry for each of {TOTAL_SHARDS} slots")]
	WrongCount {
		/// Entries given.
		have: usize,
	},
	/// The stripe's length is impossible, or the codec refused the shards.
	#[error(transparent)]
	Codec(#[from] CodecError),
	/// The encoder refused a column of the stripe.
	#[error(transparent)]
	Encode(#[from] FusedError),
	/// Sealing failed.
	#[error(transparent)]
	Seal(#[from] SealError),
}

/// Why a manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
	/// The bytes are not SCALE of a manifest.
	#[error("the manifest cannot be decoded: {0}")]
	Malformed(String),
	/// A version this program does not know.
	#[error("manifest version {0} is not known: use a newer program")]
	Version(u8),
	/// A text is too long.
	#[error("the {field} has {len} bytes, at most {max} are allowed")]
	TooLong {
		/// `name` or `content type`.
		field: &'static str,
		/// Its length.
		len: usize,
		/// The most allowed.
		max: usize,
	},
	/// The object is larger than any can be.
	#[error(
		"the object has {0} bytes, at most {MAX_SIZE} are possible: store it as several objects"
	)]
	TooLarge(u64),
	/// There are too many levels of references.
	#[error("{0} levels of references are more than any object needs")]
	TooManyLevels(usize),
	/// The number of references does not follow from the size.
	#[error("level {level} has {have} stripe references, its size calls for {need}")]
	WrongCount {
		/// The level.
		level: u8,
		/// References found.
		have: u64,
		/// References that the size calls for.
		need: u64,
	},
	/// A stripe's length does not follow from the size.
	#[error("stripe {stripe} of level {level} has {len} sealed bytes, its size calls for {need}")]
	WrongLength {
		/// The level.
		level: u8,
		/// The stripe.
		stripe: u32,
		/// Length found.
		len: u32,
		/// Length that the size calls for.
		need: usize,
	},
	/// There is no such level.
	#[error("level {level} does not exist: the highest is {highest}")]
	NoSuchLevel {
		/// The level asked for.
		level: u8,
		/// The highest level.
		highest: u8,
	},
	/// The builder was used out of order.
	#[error("the manifest builder was used out of order: {0}")]
	OutOfOrder(&'static str),
	/// Sealing failed.
	#[error(transparent)]
	Seal(#[from] SealError),
	/// The cipher library refused a key.
	#[error(transparent)]
	Open(#[from] OpenError),
}

/// Why a root stripe was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
	/// The bytes do not begin as a root stripe does.
	#[error("this is not the root stripe of an object: check the id")]
	NotARoot,
	/// A version this program does not know.
	#[error("root version {0} is not known: use a newer program")]
	Version(u8),
	/// A cipher suite this program does not know.
	#[error("cipher suite {0} is not known: use a newer program")]
	Suite(u8),
	/// The key is not the one the object was sealed with.
	#[error("the key does not open this object: check that link and object belong together")]
	WrongKey,
	/// The length in the header does not fit the bytes.
	#[error("the root has {have} bytes, its header calls for {need}")]
	Length {
		/// Bytes given.
		have: usize,
		/// Bytes the header calls for.
		need: usize,
	},
	/// Bytes after the sealed manifest are not zero.
	#[error("the padding of the root is not zero")]
	Padding,
	/// The sealed manifest was altered.
	#[error("the manifest cannot be opened: {0}")]
	Open(#[from] OpenError),
	/// The manifest is authentic and yet invalid.
	#[error(transparent)]
	Manifest(#[from] ManifestError),
}
