//! What the doctor found.

use serde::Serialize;
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
	/// As it should be.
	Ok,
	/// Could not be looked at here; says nothing.
	Skipped,
	/// Works, and will cost something.
	Warning,
	/// Does not work.
	Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
	/// Name of the check; stable, for scripts.
	pub check: &'static str,
	/// How bad it is.
	pub level: Level,
	/// What was found.
	pub text: String,
	/// What to do about it; with every warning and error.
	pub mend: Option<String>,
}

impl Finding {
	fn new(check: &'static str, level: Level, text: impl Into<String>) -> Self {
		Self {
			check,
			level,
			text: text.into(),
			mend: None,
		}
	}

	/// As it should be.
	pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
		Self::new(check, Level::Ok, text)
	}

	/// Not looked at, and why.
	pub fn skipped(check: &'static str, text: impl Into<String>) -> Self {
		Self::new(check, Level::Skipped, text)
	}

	/// Works, and will cost something.
	pub fn warning(check: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
		Self {
			mend: Some(mend.into()),
			..Self::new(check, Level::Warning, text)
		}
	}

	/// Does not work.
	pub fn error(check: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
		Self {
			mend: Some(mend.into()),
			..Self::new(check, Level::Error, text)
		}
	}

	/// An error whose text says the mend too.
	pub fn failed(check: &'static str, error: impl fmt::Display) -> Self {
		Self::new(check, Level::Error, error.to_string())
	}
}

/// Everything that was looked at, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
	/// The findings.
	pub findings: Vec<Finding>,
}

impl Report {
	/// The worst level.
	pub fn level(&self) -> Level {
		let levels = self.findings.iter().map(|finding| finding.level);
		levels.max().unwrap_or(Level::Ok)
	}

	/// 0 if nothing is wrong, 1 with warnings, 2 with errors.
	pub fn exit_code(&self) -> u8 {
		match self.level() {
			Level::Ok | Level::Skipped => 0,
			Level::Warning => 1,
			Level::Error => 2,
		}
	}
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let mut counts = [0usize; 2];
		for finding in &self.findings {
			let word = match finding.level {
				Level::Ok => "ok",
				Level::Skipped => "-",
				Level::Warning => "WARN",
				Level::Error => "ERROR",
			};
			writeln!(f, "{word:<6} {:<16} {}", finding.check, finding.text)?;
			if let Some(mend) = &finding.mend {
				writeln!(f, "       {:<16} -> {mend}", "")?;
			}
			match finding.level {
				Level::Warning => counts[0] += 1,
				Level::Error => counts[1] += 1,
				_ => {}
			}
		}
		write!(f, "{} warnings, {} errors", counts[0], counts[1])
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_worst_finding_decides() {
		let mut report = Report::default();
		assert_eq!(report.exit_code(), 0);
		for (finding, code) in [
			(Finding::ok("a", "x"), 0),
			(Finding::skipped("b", "x"), 0),
			(Finding::warning("c", "slow", "a faster one"), 1),
			(Finding::failed("d", "broken"), 2),
			(Finding::ok("e", "x"), 2),
		] {
			report.findings.push(finding);
			assert_eq!(report.exit_code(), code);
		}
		let text = report.to_string();
		assert!(text.contains("-> a faster one"), "{text}");
		assert!(text.ends_with("1 warnings, 1 errors"), "{text}");
	}
}
