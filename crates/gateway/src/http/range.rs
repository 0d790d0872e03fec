//! The `Range` header.

use std::ops::Range;

/// What a `Range` header asks of `size` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
	/// Everything: there is no header, or one we need not understand.
	All,
	/// These bytes.
	Part(Range<u64>),
	/// Bytes that are not there.
	Unsatisfiable,
}

/// Reads a header of the form `bytes=A-B`, `bytes=A-` or `bytes=-N`. Anything else, several ranges
/// included, is answered with everything, as HTTP permits.
pub(crate) fn parse(header: Option<&str>, size: u64) -> Asked {
	let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
		return Asked::All;
	};
	let Some((first, last)) = spec.split_once('-') else {
		return Asked::All;
	};
	let number = |digits: &str| {
		digits
			.bytes()
			.all(|byte| byte.is_ascii_digit())
			.then(|| digits.parse::<u64>())
	};
	match (first, last) {
		("", "") => Asked::All,
		("", tail) => match number(tail) {
			Some(Ok(0)) => Asked::Unsatisfiable,
			Some(Ok(_)) if size == 0 => Asked::Unsatisfiable,
			Some(Ok(tail)) => Asked::Part(size.saturating_sub(tail)..size),
			_ => Asked::All,
		},
		(first, last) => {
			let (Some(Ok(start)), Some(end)) = (number(first), number(last)) else {
				return Asked::All;
			};
			let end = match end {
				Ok(end) => end.saturating_add(1).min(size),
				// Empty (to the end) or beyond any size.
				Err(_) => size,
			};
			if start >= size {
				Asked::Unsatisfiable
			} else if end <= start {
				Asked::All
			} else {
				Asked::Part(start..end)
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ranges() {
		let cases = [
			(None, Asked::All),
			(Some("bytes=0-0"), Asked::Part(0..1)),
			(Some("bytes=5-"), Asked::Part(5..10)),
			(Some("bytes=5-99999999999999999999999"), Asked::Part(5..10)),
			(Some("bytes=-3"), Asked::Part(7..10)),
			(Some("bytes=-30"), Asked::Part(0..10)),
			(Some("bytes=9-9"), Asked::Part(9..10)),
			(Some("bytes=10-"), Asked::Unsatisfiable),
			(Some("bytes=-0"), Asked::Unsatisfiable),
			(Some("bytes=3-2"), Asked::All),
			(Some("bytes=0-1,3-4"), Asked::All),
			(Some("bytes=+1-2"), Asked::All),
			(Some("bytes=-"), Asked::All),
			(Some("lines=0-1"), Asked::All),
			(Some("bytes=a-b"), Asked::All),
		];
		for (header, expected) in cases {
			assert_eq!(parse(header, 10), expected, "{header:?}");
		}
		assert_eq!(parse(Some("bytes=0-"), 0), Asked::Unsatisfiable);
		assert_eq!(parse(Some("bytes=-5"), 0), Asked::Unsatisfiable);
	}
}
