//! What can be wrong with a text map, and where.

use crate::error::MapError;
use std::string::String;
use thiserror::Error;

/// An error and the line it is in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {kind}")]
pub struct TextError {
	/// The line, counted from 1.
	pub line: usize,
	/// What is wrong.
	pub kind: TextErrorKind,
}

/// What is wrong with a text map.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextErrorKind {
	/// The text is longer than any map.
	#[error("the text has {len} bytes, more than the {max} allowed")]
	TooLong {
		/// Bytes given.
		len: usize,
		/// Most bytes accepted.
		max: usize,
	},
	/// A character that no map has.
	#[error("character {0:?} has no meaning in a map")]
	Character(char),
	/// Something else stands there.
	#[error("expected {expected}, found `{found}`")]
	Expected {
		/// What should stand there.
		expected: &'static str,
		/// What does.
		found: String,
	},
	/// The text ends too early.
	#[error("the map ends where {0} should follow")]
	End(&'static str),
	/// A name or number is taken.
	#[error("{what} `{name}` is defined twice")]
	Twice {
		/// A kind of thing.
		what: &'static str,
		/// Its name or number.
		name: String,
	},
	/// A name is not known at this line.
	#[error("{what} `{name}` is not defined above this line")]
	Unknown {
		/// A kind of thing.
		what: &'static str,
		/// Its name or number.
		name: String,
	},
	/// A weight that is not from 0 to 65535.99998.
	#[error("`{0}` is not a weight")]
	Weight(String),
	/// A bucket's algorithm.
	#[error("bucket algorithm `{0}` is not supported, only straw2")]
	Algorithm(String),
	/// A bucket's hash.
	#[error("bucket hash `{0}` is not supported, only 0 (rjenkins1)")]
	Hash(String),
	/// A bucket has no `alg` line.
	#[error("bucket `{0}` names no algorithm; it needs `alg straw2`")]
	NoAlgorithm(String),
	/// An item's position is not free or not within the bucket.
	#[error("item position {0} is taken or beyond the bucket's items")]
	Position(u32),
	/// A tunable that is none.
	#[error("tunable `{0}` is not known")]
	UnknownTunable(String),
	/// A tunable, or a rule step in its place, that differs from the profile.
	#[error("`{name}` is {value}; only {needed}, as in the jewel profile, is supported")]
	Tunable {
		/// Its name.
		name: &'static str,
		/// The value given, or the one it has when not given.
		value: u32,
		/// The value of the profile.
		needed: u32,
	},
	/// A combination that is not computed.
	#[error("{0} is not supported")]
	Unsupported(&'static str),
	/// The map is not valid as a whole.
	#[error(transparent)]
	Map(#[from] MapError),
}
