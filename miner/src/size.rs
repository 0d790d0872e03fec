//! Byte counts as people write them.

use serde::{de::Error, Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A number of bytes; written `10GiB`, `500MB` or `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 9] = [
	("TiB", 1 << 40),
	("GiB", 1 << 30),
	("MiB", 1 << 20),
	("KiB", 1 << 10),
	("TB", 1_000_000_000_000),
	("GB", 1_000_000_000),
	("MB", 1_000_000),
	("kB", 1_000),
	("B", 1),
];

/// The text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a whole number and a unit, as in 10GiB, 500MB or 4096")]
pub struct BadSize(String);

impl FromStr for ByteSize {
	type Err = BadSize;

	fn from_str(text: &str) -> Result<Self, BadSize> {
		let bad = || BadSize(text.to_owned());
		let trimmed = text.trim();
		let digits = trimmed
			.find(|c: char| !c.is_ascii_digit())
			.unwrap_or(trimmed.len());
		let (number, unit) = trimmed.split_at(digits);
		let number: u64 = number.parse().map_err(|_| bad())?;
		let unit = unit.trim();
		let factor = match unit {
			"" => 1,
			_ => UNITS
				.iter()
				.find(|(name, _)| name.eq_ignore_ascii_case(unit))
				.map(|(_, factor)| *factor)
				.ok_or_else(bad)?,
		};
		number.checked_mul(factor).map(Self).ok_or_else(bad)
	}
}

impl fmt::Display for ByteSize {
	/// In the largest binary unit that leaves no rest.
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let exact = UNITS[..4]
			.iter()
			.find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
		match exact {
			Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
			None => write!(f, "{}B", self.0),
		}
	}
}

impl Serialize for ByteSize {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(self)
	}
}

impl<'de> Deserialize<'de> for ByteSize {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		#[derive(Deserialize)]
		#[serde(untagged)]
		enum Text {
			Number(u64),
			Text(String),
		}
		match Text::deserialize(deserializer)? {
			Text::Number(bytes) => Ok(Self(bytes)),
			Text::Text(text) => text.parse().map_err(D::Error::custom),
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn sizes_read_and_print() {
		for (text, bytes) in [
			("10GiB", 10 << 30),
			("10 gib", 10 << 30),
			("500MB", 500_000_000),
			("4096", 4096),
			(" 1 KiB ", 1024),
			("0", 0),
		] {
			let size: ByteSize = text.parse().unwrap();
			assert_eq!(size.0, bytes, "{text}");
			assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
		}
		assert_eq!(ByteSize(160 << 20).to_string(), "160MiB");
		for bad in [
			"",
			"GiB",
			"-1",
			"1.5GiB",
			"10 elephants",
			"99999999999TiB",
			"1e3",
		] {
			assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
		}
	}
}
