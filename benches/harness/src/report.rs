//! Tables and JSON.

use crate::{BenchError, Figure, Options};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// What the values of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
	/// As printed.
	pub label: &'static str,
	/// Whether more is better.
	pub more_is_better: bool,
}

impl Unit {
	/// 1e9 bytes per CPU second.
	pub const GB_PER_S: Self = Self {
		label: "GB/s",
		more_is_better: true,
	};
	/// CPU seconds per 1e9 bytes.
	pub const S_PER_GB: Self = Self {
		label: "s/GB",
		more_is_better: false,
	};
	/// Microseconds of CPU.
	pub const US: Self = Self {
		label: "us",
		more_is_better: false,
	};
	/// Seconds on the wall.
	pub const WALL_S: Self = Self {
		label: "s (wall)",
		more_is_better: false,
	};
	/// Bytes.
	pub const BYTES: Self = Self {
		label: "B",
		more_is_better: false,
	};

	/// The value of an operation of `seconds` on `bytes` bytes.
	pub fn value(self, seconds: f64, bytes: usize) -> f64 {
		match self {
			Self::GB_PER_S => bytes as f64 / 1e9 / seconds,
			Self::S_PER_GB => seconds * 1e9 / bytes as f64,
			Self::US => seconds * 1e6,
			_ => seconds,
		}
	}
}

/// A line of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
	/// What is measured.
	pub case: String,
	/// What the values are.
	pub unit: &'static str,
	/// Our value.
	pub ours: f64,
	/// The rivals' values.
	pub rivals: BTreeMap<String, f64>,
	/// Ours against the best rival: more than 1 means that ours is better. `null` without rivals.
	pub ratio_to_best: Option<f64>,
	/// Greatest minus least sample as a share of the median, ours and the rivals'.
	#[serde(skip_serializing_if = "BTreeMap::is_empty")]
	pub spread: BTreeMap<String, f64>,
	/// Samples of each.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub samples: Option<usize>,
	/// What the reader should know.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub note: Option<String>,
	#[serde(skip)]
	more_is_better: bool,
}

impl Case {
	/// A case of values, without rivals.
	pub fn new(case: impl Into<String>, unit: Unit, ours: f64) -> Self {
		Self {
			case: case.into(),
			unit: unit.label,
			ours: significant(ours),
			rivals: BTreeMap::new(),
			ratio_to_best: None,
			spread: BTreeMap::new(),
			samples: None,
			note: None,
			more_is_better: unit.more_is_better,
		}
	}

	/// A case of figures: ours and the rivals', each an operation on `bytes` bytes.
	pub fn measured(
		case: impl Into<String>,
		unit: Unit,
		bytes: usize,
		ours: &Figure,
		rivals: &[&Figure],
	) -> Self {
		let mut this = Self::new(case, unit, unit.value(ours.seconds, bytes));
		this.samples = Some(ours.samples);
		this.spread.insert("ours".into(), significant(ours.spread));
		for rival in rivals {
			this = this.rival(&rival.name, unit.value(rival.seconds, bytes));
			this.spread
				.insert(rival.name.clone(), significant(rival.spread));
		}
		this
	}

	/// With a rival's value.
	#[must_use]
	pub fn rival(mut self, name: &str, value: f64) -> Self {
		self.rivals.insert(name.into(), significant(value));
		let values = self.rivals.values().copied();
		let ratio = if self.more_is_better {
			self.ours / values.fold(f64::MIN_POSITIVE, f64::max)
		} else {
			values.fold(f64::MAX, f64::min) / self.ours
		};
		self.ratio_to_best = Some(significant(ratio));
		self
	}

	/// With a note.
	#[must_use]
	pub fn note(mut self, note: impl Into<String>) -> Self {
		self.note = Some(note.into());
		self
	}
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
	/// The processor, as the system calls it.
	pub cpu: String,
	/// Cores of the machine.
	pub cores: usize,
	/// Target architecture and system.
	pub target: String,
	/// The core the bench was pinned to.
	pub pinned_to: Option<usize>,
}

impl Machine {
	/// This machine.
	pub fn this(pinned_to: Option<usize>) -> Self {
		let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
		let field = |name: &str| {
			let line = info.lines().find(|line| line.starts_with(name))?;
			Some(line.split_once(':')?.1.trim().to_owned())
		};
		let cpu = field("model name").unwrap_or_else(|| "unknown".into());
		let family = field("cpu family")
			.zip(field("model\t"))
			.zip(field("stepping"));
		let cpu = match family {
			Some(((family, model), step)) => {
				format!("{cpu} (family {family}, model {model}, stepping {step})")
			}
			None => cpu,
		};
		Self {
			cpu,
			cores: cores(&info),
			target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
			pinned_to,
		}
	}
}

/// A bench's results.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// The lines.
	pub cases: Vec<Case>,
	/// Where they were measured.
	pub machine: Machine,
	/// How they were measured, and what was left out and why.
	pub notes: Vec<String>,
	/// A short run, whose figures are rough.
	pub quick: bool,
}

impl Report {
	/// An empty report.
	pub fn new(options: &Options, pinned_to: Option<usize>) -> Self {
		Self {
			cases: Vec::new(),
			machine: Machine::this(pinned_to),
			notes: Vec::new(),
			quick: options.quick,
		}
	}

	/// Prints and keeps a note.
	pub fn note(&mut self, note: impl Into<String>) {
		let note = note.into();
		println!("note: {note}");
		self.notes.push(note);
	}

	/// Prints and keeps a case.
	pub fn push(&mut self, case: Case) {
		if self.cases.is_empty() {
			println!(
				"{:<28}{:>9} {:<8}{:>8}  rivals",
				"case", "ours", "unit", "ratio"
			);
		}
		let ratio = case
			.ratio_to_best
			.map_or(String::new(), |ratio| format!("{ratio:.2}x"));
		let mut rivals: Vec<_> = case.rivals.iter().collect();
		rivals.sort_by(|a, b| match case.more_is_better {
			true => b.1.total_cmp(a.1),
			false => a.1.total_cmp(b.1),
		});
		let rivals: Vec<_> = rivals
			.iter()
			.map(|(name, value)| format!("{name} {value}"))
			.collect();
		println!(
			"{:<28}{:>9} {:<8}{:>8}  {}",
			case.case,
			case.ours,
			case.unit,
			ratio,
			rivals.join(", ")
		);
		self.cases.push(case);
	}

	/// Writes `NAME.json`.
	///
	/// # Errors
	/// [`BenchError::Write`] if it cannot be written.
	pub fn write(&self, options: &Options, name: &str) -> Result<(), BenchError> {
		write(options, name, &serde_json::to_value(self)?)
	}

	/// Adds the cases and notes to a `NAME.json` written before.
	///
	/// # Errors
	/// [`BenchError::Write`] if it cannot be read or written.
	pub fn append(&self, options: &Options, name: &str) -> Result<(), BenchError> {
		let path = options.out.join(format!("{name}.json"));
		let text = fs::read_to_string(&path).map_err(failed(&path))?;
		let mut report: Value = serde_json::from_str(&text)?;
		let mut more = serde_json::to_value(self)?;
		for list in ["cases", "notes"] {
			let new = more.get_mut(list).and_then(Value::as_array_mut);
			let old = report.get_mut(list).and_then(Value::as_array_mut);
			if let (Some(new), Some(old)) = (new, old) {
				old.append(new);
			}
		}
		write(options, name, &report)
	}
}

/// Cores by /proc/cpuinfo, which does not mind that this process is pinned to one.
fn cores(info: &str) -> usize {
	let listed = info.lines().filter(|line| line.starts_with("processor"));
	match listed.count() {
		0 => std::thread::available_parallelism().map_or(1, usize::from),
		count => count,
	}
}

fn write(options: &Options, name: &str, report: &Value) -> Result<(), BenchError> {
	let path = options.out.join(format!("{name}.json"));
	fs::create_dir_all(&options.out).map_err(failed(&path))?;
	let mut text = serde_json::to_string_pretty(report)?;
	text.push('\n');
	fs::write(&path, text).map_err(failed(&path))?;
	println!("{}", path.display());
	Ok(())
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> BenchError + '_ {
	|cause| BenchError::Write {
		path: path.display().to_string(),
		cause,
	}
}

/// Four significant digits: more than a timing has.
fn significant(value: f64) -> f64 {
	if value == 0.0 || !value.is_finite() {
		return 0.0;
	}
	let digits = 3 - value.abs().log10().floor() as i32;
	let scale = 10f64.powi(digits.clamp(-300, 300));
	let rounded = (value * scale).round() / scale;
	// 10^-n is not exact; the shortest text is.
	format!("{rounded:.*}", digits.clamp(0, 17) as usize)
		.parse()
		.unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn figure(name: &str, seconds: f64) -> Figure {
		Figure {
			name: name.into(),
			seconds,
			spread: 0.1,
			runs: 1,
			samples: 7,
		}
	}

	#[test]
	fn a_ratio_above_one_means_that_ours_is_better() {
		let (ours, slow, slower) = (figure("we", 1.0), figure("a", 2.0), figure("b", 4.0));
		for unit in [Unit::GB_PER_S, Unit::S_PER_GB, Unit::US] {
			let case = Case::measured("x", unit, 1_000_000_000, &ours, &[&slow, &slower]);
			assert_eq!(case.ratio_to_best, Some(2.0), "{unit:?}");
			let case = Case::measured("x", unit, 1_000_000_000, &slow, &[&ours, &slower]);
			assert_eq!(case.ratio_to_best, Some(0.5), "{unit:?}");
		}
	}

	#[test]
	fn json_has_the_agreed_form() {
		let case = Case::measured("x", Unit::US, 1, &figure("we", 1e-6), &[&figure("a", 3e-6)]);
		let json = serde_json::to_value(&case).unwrap();
		assert_eq!(json["case"], "x");
		assert_eq!(json["unit"], "us");
		assert_eq!(json["ours"], 1.0);
		assert_eq!(json["rivals"]["a"], 3.0);
		assert_eq!(json["ratio_to_best"], 3.0);
		let alone = serde_json::to_value(Case::new("y", Unit::BYTES, 2500.0)).unwrap();
		assert_eq!(alone["rivals"], serde_json::json!({}));
		assert!(alone["ratio_to_best"].is_null());
	}

	#[test]
	fn four_digits() {
		assert_eq!(significant(17.123_456), 17.12);
		assert_eq!(significant(0.000_012_345_6), 0.000_012_35);
		assert_eq!(significant(123_456.0), 123_500.0);
		assert_eq!(significant(f64::NAN), 0.0);
	}
}
