//! What is told while it happens: one line per event, with the seconds since the start.

use std::{fmt::Display, io::Write as _, time::Instant};

/// The teller.
#[derive(Clone, Debug)]
pub struct Story {
	started: Instant,
	to_stderr: bool,
}

impl Story {
	/// Tells on standard output, or on standard error where standard output is for JSON.
	pub fn new(to_stderr: bool) -> Self {
		Self {
			started: Instant::now(),
			to_stderr,
		}
	}

	/// Tells one event.
	pub fn say(&self, what: impl Display) {
		let seconds = self.started.elapsed().as_secs_f64();
		self.line(&format!("[{seconds:7.1} s] {what}"));
	}

	/// Tells without a time.
	pub fn plain(&self, what: impl Display) {
		self.line(&what.to_string());
	}

	/// A closed pipe is no reason to leave a network half torn down, so it is not an error.
	fn line(&self, text: &str) {
		let _ = match self.to_stderr {
			true => writeln!(std::io::stderr(), "{text}"),
			false => writeln!(std::io::stdout(), "{text}"),
		};
	}
}

/// Bytes for people.
pub fn bytes(count: u64) -> String {
	match count {
		0..=9_999 => format!("{count} bytes"),
		10_000..=9_999_999 => format!("{:.1} kB", count as f64 / 1e3),
		_ => format!("{:.1} MB", count as f64 / 1e6),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn bytes_are_short() {
		assert_eq!(bytes(0), "0 bytes");
		assert_eq!(bytes(12_345), "12.3 kB");
		assert_eq!(bytes(104_857_600), "104.9 MB");
	}
}
