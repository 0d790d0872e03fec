//! The command line that every bench understands.

use crate::BenchError;
use std::{path::PathBuf, time::Duration};

/// Options of a run.
#[derive(Clone, Debug)]
pub struct Options {
	/// A short run: fewer and shorter samples, and the benches leave out what takes long.
	pub quick: bool,
	/// The folder reports are written to.
	pub out: PathBuf,
	/// Only cases whose name contains this.
	pub only: Option<String>,
	/// What is given to one bench alone, as `--set NAME=VALUE`.
	pub set: Vec<(String, String)>,
}

impl Options {
	/// The options of this process.
	///
	/// # Errors
	/// [`BenchError::Usage`] for anything else than `--quick`, `--out FOLDER`, `--only TEXT` and
	/// `--set NAME=VALUE`.
	pub fn from_env() -> Result<Self, BenchError> {
		let mut options = Self {
			quick: false,
			out: PathBuf::from("benches/out"),
			only: None,
			set: Vec::new(),
		};
		let mut args = std::env::args().skip(1);
		while let Some(arg) = args.next() {
			let mut value = || {
				args.next()
					.ok_or_else(|| BenchError::Usage(format!("{arg} needs a value")))
			};
			match arg.as_str() {
				"--quick" => options.quick = true,
				"--out" => options.out = PathBuf::from(value()?),
				"--only" => options.only = Some(value()?),
				"--set" => {
					let pair = value()?;
					let (name, value) = pair
						.split_once('=')
						.ok_or_else(|| BenchError::Usage(format!("no NAME=VALUE: {pair}")))?;
					options.set.push((name.into(), value.into()));
				}
				_ => return Err(BenchError::Usage(format!("unknown option {arg}"))),
			}
		}
		Ok(options)
	}

	/// The value given as `--set NAME=VALUE`; empty counts as none.
	pub fn get(&self, name: &str) -> Option<&str> {
		let mut values = self
			.set
			.iter()
			.filter(|(key, value)| key == name && !value.is_empty());
		values.next_back().map(|(_, value)| value.as_str())
	}

	/// Whether this case is wanted.
	pub fn wants(&self, case: &str) -> bool {
		self.only
			.as_ref()
			.is_none_or(|text| case.contains(text.as_str()))
	}

	/// Samples per contestant.
	pub fn rounds(&self) -> usize {
		if self.quick {
			3
		} else {
			7
		}
	}

	/// CPU time of one sample.
	pub fn sample_time(&self) -> Duration {
		Duration::from_millis(if self.quick { 15 } else { 60 })
	}
}
