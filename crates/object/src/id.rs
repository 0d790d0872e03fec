//! Object ids and links.

use crate::ObjectKey;
use core::{fmt, str::FromStr};
use hippius_primitives::StripeId;
use zeroize::Zeroizing;

/// What a link begins with.
pub const LINK_PREFIX: &str = "arion1";
const CHECKSUM_CONTEXT: &str = "hippius arion 2026 object link checksum v1";
const BODY_LEN: usize = 64;
const LINK_LEN: usize = BODY_LEN + 4;
/// Longest text that can be a link: 68 bytes are at most 93 digits in base 58.
const MAX_DIGITS: usize = 96;

/// An object's id: the id of its root stripe. Finds the object, does not open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub StripeId);

impl fmt::Display for ObjectId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		self.0.fmt(f)
	}
}

/// The text is not an object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an object id is 64 hexadecimal digits")]
pub struct ObjectIdError;

impl FromStr for ObjectId {
	type Err = ObjectIdError;

	fn from_str(text: &str) -> Result<Self, Self::Err> {
		StripeId::from_hex(text).map(Self).ok_or(ObjectIdError)
	}
}

/// An object's id and key: whoever has a link can read the object. `Display` shows it on purpose as
/// `arion1` and base 58 of id, key and checksum; `Debug` never shows the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
	/// The object.
	pub id: ObjectId,
	/// Its key.
	pub key: ObjectKey,
}

impl fmt::Display for Link {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let mut bytes = Zeroizing::new([0; LINK_LEN]);
		bytes[..32].copy_from_slice(self.id.0.as_bytes());
		bytes[32..BODY_LEN].copy_from_slice(self.key.expose());
		let checksum = checksum(&bytes[..BODY_LEN]);
		bytes[BODY_LEN..].copy_from_slice(&checksum);
		let digits = Zeroizing::new(bs58::encode(&bytes[..]).into_string());
		write!(f, "{LINK_PREFIX}{}", *digits)
	}
}

impl fmt::Debug for Link {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Link")
			.field("id", &self.id)
			.field("key", &self.key)
			.finish()
	}
}

/// Why a text is not a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
	/// It does not begin with the prefix.
	#[error("a link begins with `{LINK_PREFIX}`")]
	Prefix,
	/// A character is not a digit in base 58.
	#[error("character {position} of the link is not one of base 58: copy the link again")]
	Digit {
		/// Its place in the text, from 0.
		position: usize,
	},
	/// It is too short or too long.
	#[error("the link is too short or too long: copy all of it")]
	Length,
	/// The checksum does not fit.
	#[error("the link has a typing error: its checksum does not fit")]
	Checksum,
}

impl FromStr for Link {
	type Err = LinkError;

	fn from_str(text: &str) -> Result<Self, Self::Err> {
		let digits = text.strip_prefix(LINK_PREFIX).ok_or(LinkError::Prefix)?;
		if digits.len() > MAX_DIGITS {
			return Err(LinkError::Length);
		}
		let mut bytes = Zeroizing::new([0; LINK_LEN]);
		let len = bs58::decode(digits)
			.onto(&mut bytes[..])
			.map_err(|error| match error {
				bs58::decode::Error::InvalidCharacter { index, .. }
				| bs58::decode::Error::NonAsciiCharacter { index } => LinkError::Digit {
					position: LINK_PREFIX.len() + index,
				},
				_ => LinkError::Length,
			})?;
		if len != LINK_LEN {
			return Err(LinkError::Length);
		}
		let (body, sum) = bytes.split_at(BODY_LEN);
		if sum != checksum(body) {
			return Err(LinkError::Checksum);
		}
		let (mut id, mut key) = ([0; 32], Zeroizing::new([0; 32]));
		id.copy_from_slice(&body[..32]);
		key.copy_from_slice(&body[32..]);
		Ok(Self {
			id: ObjectId(StripeId(id)),
			key: ObjectKey::from_bytes(*key),
		})
	}
}

fn checksum(body: &[u8]) -> [u8; 4] {
	let [a, b, c, d, ..] = blake3::derive_key(CHECKSUM_CONTEXT, body);
	[a, b, c, d]
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use proptest::prelude::*;

	fn link(id: [u8; 32], key: [u8; 32]) -> Link {
		Link {
			id: ObjectId(StripeId(id)),
			key: ObjectKey::from_bytes(key),
		}
	}

	#[test]
	fn debug_hides_the_key() {
		let link = link([1; 32], [0xAB; 32]);
		let shown = format!("{link:?}").to_lowercase();
		assert!(
			shown.contains("objectkey(..)") && !shown.contains("abab"),
			"{shown}"
		);
	}

	#[test]
	fn ids_parse() {
		let id = ObjectId(StripeId([0xC4; 32]));
		assert_eq!(id.to_string(), "c4".repeat(32));
		assert_eq!(id.to_string().parse(), Ok(id));
		for text in ["", "12", "0x", &"zz".repeat(32), &"c4".repeat(33)] {
			assert_eq!(text.parse::<ObjectId>(), Err(ObjectIdError), "{text}");
		}
	}

	#[test]
	fn every_typing_error_is_caught() {
		let text = link([7; 32], [9; 32]).to_string();
		for position in 0..text.len() {
			for digit in ['2', '3'] {
				let mut typo = text.clone();
				typo.replace_range(position..=position, digit.encode_utf8(&mut [0; 4]));
				assert!(typo == text || typo.parse::<Link>().is_err(), "{position}");
			}
			assert!(text[..position].parse::<Link>().is_err());
		}
	}

	#[test]
	fn errors_name_the_cause() {
		let text = link([7; 32], [9; 32]).to_string();
		let parse = |text: &str| text.parse::<Link>().unwrap_err();
		assert_eq!(parse(""), LinkError::Prefix);
		assert_eq!(parse("arion2abc"), LinkError::Prefix);
		assert_eq!(parse("arion1"), LinkError::Length);
		assert_eq!(parse(&format!("{text}1")), LinkError::Length);
		assert_eq!(parse(&"arion1".repeat(100_000)), LinkError::Length);
		assert_eq!(parse("arion10OIl"), LinkError::Digit { position: 6 });
		assert_eq!(parse("arion1é"), LinkError::Digit { position: 6 });
		let last = text.len() - 1;
		let digit = if text.ends_with('2') { '3' } else { '2' };
		assert_eq!(
			parse(&format!("{}{digit}", &text[..last])),
			LinkError::Checksum
		);
	}

	proptest! {
		#[test]
		fn links_come_back(id in any::<[u8; 32]>(), key in any::<[u8; 32]>()) {
			let link = link(id, key);
			let text = link.to_string();
			prop_assert!(text.len() <= LINK_PREFIX.len() + MAX_DIGITS);
			prop_assert_eq!(text.parse::<Link>(), Ok(link));
		}

		#[test]
		fn no_text_panics(text in ".{0,150}", digits in "[1-9A-Za-z]{0,100}") {
			let _ = text.parse::<Link>();
			let _ = format!("arion1{digits}").parse::<Link>();
			let _ = text.parse::<ObjectId>();
		}
	}
}
