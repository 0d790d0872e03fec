//! From measurements to a formula.

use crate::Error;
use frame_benchmarking::{Analysis, BenchmarkResult, BenchmarkSelector};
use std::{collections::BTreeMap, fmt};

/// A quantity that grows linearly with a benchmark's parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
	/// At zero.
	pub(crate) base: u128,
	/// What each parameter adds for each unit, by name.
	pub(crate) slopes: Vec<(String, u128)>,
}

impl Line {
	fn of(results: &[BenchmarkResult], selector: BenchmarkSelector) -> Result<Self, String> {
		let results = results.to_vec();
		let fitted =
			Analysis::min_squares_iqr(&results, selector).map_err(|error| error.to_string())?;
		// The fit may fall below what was measured at the lower end; then the least measured counts.
		let base = match fitted.base {
			0 if selector_is_time(selector) => fitted.minimum,
			base => base,
		};
		Ok(Self {
			base,
			slopes: fitted.names.into_iter().zip(fitted.slopes).collect(),
		})
	}
}

fn selector_is_time(selector: BenchmarkSelector) -> bool {
	matches!(selector, BenchmarkSelector::ExtrinsicTime)
}

/// Of the measurements of each setting the faster half: in the slower one the machine did other things,
/// too.
pub(crate) fn faster_half(results: Vec<BenchmarkResult>) -> Vec<BenchmarkResult> {
	let mut by_setting: BTreeMap<Vec<u32>, Vec<BenchmarkResult>> = BTreeMap::new();
	for result in results {
		let setting = result.components.iter().map(|(_, value)| *value).collect();
		by_setting.entry(setting).or_default().push(result);
	}
	for results in by_setting.values_mut() {
		results.sort_by_key(|result| result.extrinsic_time);
		results.truncate(results.len().div_ceil(2));
	}
	by_setting.into_values().flatten().collect()
}

/// What a step costs.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
	/// The benchmark's name.
	pub(crate) name: String,
	/// Picoseconds.
	pub(crate) time: Line,
	/// Storage items read.
	pub(crate) reads: Line,
	/// Storage items written.
	pub(crate) writes: Line,
	/// Bytes of the recorded proof.
	pub(crate) proof: Line,
}

impl Cost {
	/// Fits what was measured.
	pub(crate) fn new(
		name: &str,
		times: &[BenchmarkResult],
		storage: &[BenchmarkResult],
	) -> Result<Self, Error> {
		let fitted = |results: &[BenchmarkResult], selector| {
			Line::of(results, selector).map_err(|error| Error::Fit(name.into(), error))
		};
		Ok(Self {
			name: name.into(),
			time: fitted(times, BenchmarkSelector::ExtrinsicTime)?,
			reads: fitted(storage, BenchmarkSelector::Reads)?,
			writes: fitted(storage, BenchmarkSelector::Writes)?,
			proof: fitted(storage, BenchmarkSelector::ProofSize)?,
		})
	}

	/// The names of the parameters.
	pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
		self.time.slopes.iter().map(|(name, _)| name.as_str())
	}
}

impl fmt::Display for Cost {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let line = |line: &Line, unit: f64| {
			let slopes = line
				.slopes
				.iter()
				.map(|(name, slope)| format!(" + {:.2} {name}", *slope as f64 / unit));
			format!(
				"{:.2}{}",
				line.base as f64 / unit,
				slopes.collect::<String>()
			)
		};
		write!(
			f,
			"{}: {} us, reads {}, writes {}, proof {} B",
			self.name,
			line(&self.time, 1e6),
			line(&self.reads, 1.0),
			line(&self.writes, 1.0),
			line(&self.proof, 1.0)
		)
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use frame_benchmarking::BenchmarkParameter;

	#[test]
	fn a_line_is_found_again() {
		let results: Vec<_> = (0..10u32)
			.flat_map(|n| [n, n, n])
			.map(|n| BenchmarkResult {
				components: vec![(BenchmarkParameter::n, n)],
				extrinsic_time: 5_000 + 300 * u128::from(n),
				reads: 3 + 2 * n,
				writes: 1,
				proof_size: 100 + n,
				..Default::default()
			})
			.collect();
		let cost = Cost::new("step", &results, &results).unwrap();
		let close = |found: u128, expected: u128| found.abs_diff(expected) * 1_000 <= expected;
		assert!(close(cost.time.base, 5_000_000) && close(cost.time.slopes[0].1, 300_000));
		assert_eq!((cost.reads.base, cost.reads.slopes[0].1), (3, 2));
		assert_eq!((cost.writes.base, cost.writes.slopes[0].1), (1, 0));
		assert_eq!(cost.parameters().collect::<Vec<_>>(), ["n"]);
	}

	#[test]
	fn of_each_setting_the_faster_half_counts() {
		let result = |n, time| BenchmarkResult {
			components: vec![(BenchmarkParameter::n, n)],
			extrinsic_time: time,
			..Default::default()
		};
		let kept = faster_half(vec![result(1, 9), result(2, 5), result(1, 3), result(1, 4)]);
		let times: Vec<_> = kept.iter().map(|result| result.extrinsic_time).collect();
		assert_eq!(times, [3, 4, 5]);
	}

	#[test]
	fn without_parameters_the_median_counts() {
		let results: Vec<_> = [9, 1, 4]
			.map(|time| BenchmarkResult {
				extrinsic_time: time,
				..Default::default()
			})
			.into();
		let cost = Cost::new("step", &results, &results).unwrap();
		assert_eq!((cost.time.base, cost.time.slopes.len()), (4_000, 0));
	}
}
