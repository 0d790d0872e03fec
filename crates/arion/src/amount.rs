//! Amounts as people write and read them.

use serde_json::Value;

/// Rao of an alpha.
pub const ALPHA: u128 = 1_000_000_000;
/// Credits of a dollar.
pub const DOLLAR: u128 = 1_000_000;

/// A decimal number with at most `places` places, in units of the last.
fn parse(text: &str, places: u32) -> Result<u128, String> {
	let (whole, part) = text.split_once('.').unwrap_or((text, ""));
	let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
	if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
		return Err("expected a number, as in 12.5".into());
	}
	if part.len() > places as usize {
		return Err(format!("at most {places} decimal places count"));
	}
	let padded = format!("{whole}{part:0<width$}", width = places as usize);
	let value: Result<u128, _> = padded.parse();
	value.map_err(|_| "the number is too large".into())
}

/// Alpha, as in `12.5`, in rao.
pub fn parse_alpha(text: &str) -> Result<u128, String> {
	parse(text, 9)
}

/// Dollars, as in `12.5` or `$12.5`, in credits.
pub fn parse_dollars(text: &str) -> Result<u128, String> {
	parse(text.strip_prefix('$').unwrap_or(text), 6)
}

/// An amount in JSON: a number, or its digits in a string where readers of JSON cannot hold the number.
pub fn number(value: u128) -> Value {
	u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from)
}

/// Bytes, as in `500GB`, `2TiB` or `1000`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
	let split = text.find(|c: char| !c.is_ascii_digit());
	let (number, unit) = text.split_at(split.unwrap_or(text.len()));
	let factor: u64 = match unit {
		"" | "B" => 1,
		"kB" | "KB" => 1_000,
		"MB" => 1_000_000,
		"GB" => 1_000_000_000,
		"TB" => 1_000_000_000_000,
		"PB" => 1_000_000_000_000_000,
		"KiB" => 1 << 10,
		"MiB" => 1 << 20,
		"GiB" => 1 << 30,
		"TiB" => 1 << 40,
		"PiB" => 1 << 50,
		_ => return Err("expected bytes, as in 500GB or 2TiB".into()),
	};
	let number: u64 = number
		.parse()
		.map_err(|_| "expected bytes, as in 500GB or 2TiB")?;
	number
		.checked_mul(factor)
		.ok_or_else(|| "that is more than 2^64 bytes".into())
}

/// Days, as in `30` or `0.5`.
pub fn parse_days(text: &str) -> Result<f64, String> {
	match text.parse::<f64>() {
		Ok(days) if days > 0.0 && days <= 3_650.0 => Ok(days),
		_ => Err("expected days, from above 0 to 3650".into()),
	}
}

/// `value` in units of 10^-places, without needless zeros.
fn decimal(value: u128, places: u32, least: usize) -> String {
	let unit = 10u128.pow(places);
	let part = format!("{:0width$}", value % unit, width = places as usize);
	let mut part = part.trim_end_matches('0').to_owned();
	while part.len() < least {
		part.push('0');
	}
	match part.is_empty() {
		true => (value / unit).to_string(),
		false => format!("{}.{part}", value / unit),
	}
}

/// Rao as alpha.
pub fn alpha(rao: u128) -> String {
	decimal(rao, 9, 0)
}

/// Credits as dollars.
pub fn dollars(credits: u128) -> String {
	format!("${}", decimal(credits, 6, 2))
}

/// A price with 32 binary places as dollars: of GB-hours and GBs.
pub fn price(price: u128) -> String {
	// Ten-thousandths of credits: what rounds to nothing in credits may still be a price.
	let fine = price.saturating_mul(10_000) >> 32;
	format!("${}", decimal(fine, 10, 2))
}

/// Bytes for people.
pub fn bytes(count: u64) -> String {
	match count {
		0..=9_999 => format!("{count} B"),
		10_000..=9_999_999 => format!("{:.1} kB", count as f64 / 1e3),
		10_000_000..=9_999_999_999 => format!("{:.1} MB", count as f64 / 1e6),
		10_000_000_000..=9_999_999_999_999 => format!("{:.1} GB", count as f64 / 1e9),
		_ => format!("{:.1} TB", count as f64 / 1e12),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn amounts_of_any_size_are_json() {
		assert_eq!(number(0), 0);
		assert_eq!(number(u128::from(u64::MAX)), u64::MAX);
		assert_eq!(number(u128::MAX), u128::MAX.to_string());
	}

	#[test]
	fn amounts_are_exact() {
		for (text, rao) in [
			("1", ALPHA),
			("0.000000001", 1),
			(".5", ALPHA / 2),
			("12.", 12 * ALPHA),
			("18446744073.709551615", u128::from(u64::MAX)),
		] {
			assert_eq!(parse_alpha(text).unwrap(), rao, "{text}");
		}
		for bad in [
			"",
			".",
			"-1",
			"+1",
			"1e9",
			"1,5",
			"0.0000000001",
			"1.2.3",
			" 1",
			"\u{0661}",
			"999999999999999999999999999999999999999",
		] {
			assert!(parse_alpha(bad).is_err(), "{bad:?}");
		}
		assert_eq!(parse_dollars("$2.5").unwrap(), 2_500_000);
		assert!(parse_dollars("0.0000001").is_err());
		assert_eq!(parse_bytes("500GB").unwrap(), 500_000_000_000);
		assert_eq!(parse_bytes("2TiB").unwrap(), 2 << 40);
		for bad in [
			"",
			"GB",
			"1.5GB",
			"-1",
			"1gb",
			"99999PB",
			"18446744073709551616",
		] {
			assert!(parse_bytes(bad).is_err(), "{bad:?}");
		}
		for bad in ["0", "-1", "NaN", "inf", "3651", "x"] {
			assert!(parse_days(bad).is_err(), "{bad:?}");
		}
	}

	#[test]
	fn amounts_are_read_as_written() {
		assert_eq!(alpha(12_500_000_000), "12.5");
		assert_eq!(alpha(1), "0.000000001");
		assert_eq!(alpha(0), "0");
		assert_eq!(dollars(2_500_000), "$2.50");
		assert_eq!(dollars(1), "$0.000001");
		assert_eq!(price(8 << 32), "$0.000008");
		assert_eq!(price(1 << 31), "$0.0000005");
		assert_eq!(bytes(123), "123 B");
		assert_eq!(bytes(33_554_433), "33.6 MB");
		for rao in [0, 1, ALPHA - 1, ALPHA, u128::from(u64::MAX)] {
			assert_eq!(parse_alpha(&alpha(rao)).unwrap(), rao);
		}
	}
}
