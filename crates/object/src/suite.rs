//! What streams are sealed with, and what for.

use codec::{Decode, Encode};

/// The authenticated cipher of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Suite {
	/// AES-256-GCM, for machines with AES instructions.
	#[default]
	#[codec(index = 1)]
	Aes256Gcm,
	/// XChaCha20-Poly1305, for machines without.
	#[codec(index = 2)]
	XChaCha20Poly1305,
}

impl Suite {
	/// The number that stands for the suite in headers.
	pub const fn id(self) -> u8 {
		match self {
			Self::Aes256Gcm => 1,
			Self::XChaCha20Poly1305 => 2,
		}
	}

	/// The suite a number stands for.
	pub const fn from_id(id: u8) -> Option<Self> {
		match id {
			1 => Some(Self::Aes256Gcm),
			2 => Some(Self::XChaCha20Poly1305),
			_ => None,
		}
	}
}

/// What a sealed stream holds. Streams of different kinds have unrelated keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
	/// The object's bytes.
	Data,
	/// References to the stripes of the level below; levels count from 1.
	Index(u8),
	/// The manifest in the root stripe.
	Manifest,
}

impl StreamKind {
	/// The two bytes that stand for the kind: purpose and level.
	pub(crate) const fn code(self) -> [u8; 2] {
		match self {
			Self::Data => [0, 0],
			Self::Index(level) => [1, level],
			Self::Manifest => [2, 0],
		}
	}
}
