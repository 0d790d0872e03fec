//! Identifiers: nodes, shards, stripes, placement groups, epochs.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// A node's number on chain: issued by a counter, never changed, never used again.
pub type NodeIndex = u32;
/// A version of the cluster map, counted from 1; 0 means "no map yet".
pub type Epoch = u32;
/// A placement group, `0..pg_num`.
pub type Pg = u32;

macro_rules! id32 {
	($(#[$doc:meta])* $name:ident) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
			Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
		)]
		pub struct $name(pub [u8; 32]);

		impl $name {
			/// The id's bytes.
			pub const fn as_bytes(&self) -> &[u8; 32] {
				&self.0
			}

			/// Reads 64 hexadecimal digits, with or without `0x`.
			pub fn from_hex(text: &str) -> Option<Self> {
				let digits = text.strip_prefix("0x").unwrap_or(text);
				let mut bytes = [0u8; 32];
				hex::decode_to_slice(digits, &mut bytes).ok()?;
				Some(Self(bytes))
			}
		}

		impl fmt::Display for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
			}
		}

		impl fmt::Debug for $name {
			fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				write!(f, "{}({})", stringify!($name), self)
			}
		}

		impl From<[u8; 32]> for $name {
			fn from(bytes: [u8; 32]) -> Self {
				Self(bytes)
			}
		}

		impl AsRef<[u8]> for $name {
			fn as_ref(&self) -> &[u8] {
				&self.0
			}
		}

		#[cfg(feature = "serde")]
		impl serde::Serialize for $name {
			fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
				serializer.collect_str(self)
			}
		}

		#[cfg(feature = "serde")]
		impl<'de> serde::Deserialize<'de> for $name {
			fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
				let text = <alloc::string::String as serde::Deserialize>::deserialize(deserializer)?;
				Self::from_hex(&text)
					.ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))
			}
		}
	};
}

id32! {
	/// A daemon's Ed25519 public key: its identity on the wire.
	NodeKey
}
id32! {
	/// BLAKE3 of a shard's bytes.
	ShardId
}
id32! {
	/// Root over the 30 shard ids of a stripe, see [`crate::tree`].
	StripeId
}

pub use crate::tree::stripe_id;

/// BLAKE3 of a shard's bytes.
pub fn shard_id(bytes: &[u8]) -> ShardId {
	ShardId(*blake3::hash(bytes).as_bytes())
}

impl StripeId {
	/// The number the stripe's placement group is taken from: its first four bytes, little endian.
	pub fn pg_seed(&self) -> u32 {
		let [a, b, c, d, ..] = self.0;
		u32::from_le_bytes([a, b, c, d])
	}

	/// The id with the bits of [`Self::pg_seed`] in reverse order. In the order of these keys the
	/// stripes of a placement group stand together, however many groups there are: a group is made of
	/// the stripes whose seeds have the same lowest bits.
	pub fn group_key(&self) -> [u8; 32] {
		let mut key = self.0;
		key[..4]
			.iter_mut()
			.for_each(|byte| *byte = byte.reverse_bits());
		key
	}

	/// The stripe of a [`Self::group_key`].
	pub fn from_group_key(key: [u8; 32]) -> Self {
		Self(Self(key).group_key())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::string::ToString;

	#[test]
	fn group_keys_sort_by_the_lowest_bits_first() {
		let stripe = |seed: u32| {
			let mut id = [7; 32];
			id[..4].copy_from_slice(&seed.to_le_bytes());
			StripeId(id)
		};
		for seed in [0, 1, 2, 0x8000_0001, u32::MAX, 0x1234_5678] {
			let key = stripe(seed).group_key();
			assert_eq!(key[..4], seed.reverse_bits().to_be_bytes());
			assert_eq!(StripeId::from_group_key(key), stripe(seed));
		}
		assert!(stripe(0xf0).group_key() < stripe(1).group_key());
	}

	#[test]
	fn ids_print_and_parse() {
		let id = shard_id(b"hippius");
		assert_eq!(ShardId::from_hex(&id.to_string()), Some(id));
		assert_eq!(ShardId::from_hex("0x12"), None);
		assert_eq!(ShardId::from_hex(&"zz".repeat(32)), None);
	}
}
