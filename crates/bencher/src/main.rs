//! `hippius-bencher`: measures the benchmarks of the runtime's pallets in the runtime's wasm and writes
//! what they cost as Rust files that the pallets' `weights.rs` are made of.
//!
//! It does what the SDK's own benchmark command does, with the SDK's parts: the wasm is compiled and run
//! as a node does it, on the SDK's benchmarking state (a trie in memory that counts reads and writes and
//! records proofs), and results are fitted by the SDK's analysis. It is a tool of its own because that
//! command brings a second database, several chains' clients and an RPC client with it.
//!
//! `scripts/weights.sh` builds the wasm and runs this for all pallets.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod chain;
mod fit;
mod write;

use chain::{Chain, Measure};
use clap::Parser;
use frame_benchmarking::{BenchmarkParameter, BenchmarkResult};
use std::{fs, path::PathBuf};

/// Measures the benchmarks of the runtime's pallets.
#[derive(Parser)]
#[command(version)]
struct Arguments {
	/// The runtime's wasm, built with the feature `runtime-benchmarks`.
	#[arg(long)]
	runtime: PathBuf,
	/// The genesis preset the benchmarks start from.
	#[arg(long, default_value = "main")]
	preset: String,
	/// Pallets to measure, as `pallet_audits=pallets/audits/src/measured.rs`; without a file the results
	/// are only printed.
	#[arg(required = true)]
	pallets: Vec<String>,
	/// Only benchmarks whose name contains this; nothing is written then.
	#[arg(long)]
	only: Option<String>,
	/// Values of each parameter.
	#[arg(long, default_value_t = 10)]
	steps: u32,
	/// Measurements of each value.
	#[arg(long, default_value_t = 10)]
	repeat: u32,
}

/// What stops a run.
#[derive(Debug, thiserror::Error)]
enum Error {
	/// A file cannot be read or written.
	#[error("{0}: {1}; check the path and its rights")]
	File(PathBuf, std::io::Error),
	/// The wasm did not do what was asked.
	#[error("{0}; is the wasm built with the feature runtime-benchmarks?")]
	Runtime(String),
	/// The runtime's answer is not what this tool understands.
	#[error("the runtime's answer to {0} does not decode; build wasm and tool from one source")]
	Answer(&'static str),
	/// A benchmark failed.
	#[error("benchmark {0} failed: {1}; mend the pallet's benchmarking.rs")]
	Benchmark(String, String),
	/// There is no such pallet.
	#[error("the runtime has no benchmarks of {0}; see `define_benchmarks` in the runtime")]
	NoPallet(String),
	/// The results could not be fitted.
	#[error("benchmark {0} cannot be fitted: {1}; measure more steps")]
	Fit(String, String),
}

/// The parameters' values at which a benchmark is measured: each goes from its least to its greatest
/// value while the others are at their greatest.
fn settings(
	components: &[(BenchmarkParameter, u32, u32)],
	steps: u32,
) -> Vec<Vec<(BenchmarkParameter, u32)>> {
	let most = || components.iter().map(|(name, _, high)| (*name, *high));
	if components.is_empty() {
		return vec![Vec::new()];
	}
	let mut all = Vec::new();
	for (at, (_, low, high)) in components.iter().enumerate() {
		let range = high.saturating_sub(*low);
		let steps = steps.clamp(2, range.saturating_add(1).max(2)) - 1;
		for step in 0..=steps {
			let value = low + (u64::from(range) * u64::from(step) / u64::from(steps)) as u32;
			let mut setting: Vec<_> = most().collect();
			setting[at].1 = value;
			if !all.contains(&setting) {
				all.push(setting);
			}
		}
	}
	all
}

fn measure(chain: &Chain, arguments: &Arguments, pallet: &str) -> Result<Vec<fit::Cost>, Error> {
	let mut costs = Vec::new();
	for benchmark in chain.benchmarks(pallet)? {
		if !(arguments.only.as_ref()).is_none_or(|only| benchmark.name.contains(only)) {
			continue;
		}
		let settings = settings(&benchmark.components, arguments.steps);
		let run = |measure, repeat: u32| -> Result<Vec<BenchmarkResult>, Error> {
			let mut results = Vec::new();
			for setting in &settings {
				for _ in 0..repeat {
					results.extend(chain.run(pallet, &benchmark, setting, measure)?);
				}
			}
			Ok(results)
		};
		let storage = run(Measure::Storage, 1)?;
		// Once more than counted: the first runs warm the machine's caches.
		run(Measure::Time, 1)?;
		let times = fit::faster_half(run(Measure::Time, arguments.repeat)?);
		let cost = fit::Cost::new(&benchmark.name, &times, &storage)?;
		println!("{pallet} {cost}");
		costs.push(cost);
	}
	Ok(costs)
}

fn run(arguments: &Arguments) -> Result<(), Error> {
	let code = fs::read(&arguments.runtime)
		.map_err(|error| Error::File(arguments.runtime.clone(), error))?;
	let chain = Chain::new(code, &arguments.preset)?;
	for pallet in &arguments.pallets {
		let (pallet, file) = match pallet.split_once('=') {
			Some((pallet, file)) => (pallet, Some(PathBuf::from(file))),
			None => (pallet.as_str(), None),
		};
		let costs = measure(&chain, arguments, pallet)?;
		if let (Some(file), None) = (file, &arguments.only) {
			let text = write::module(pallet, &costs, arguments.steps, arguments.repeat);
			fs::write(&file, text).map_err(|error| Error::File(file, error))?;
		}
	}
	Ok(())
}

fn main() -> std::process::ExitCode {
	match run(&Arguments::parse()) {
		Ok(()) => std::process::ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			std::process::ExitCode::FAILURE
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn each_parameter_goes_from_end_to_end_while_the_others_are_at_their_greatest() {
		use BenchmarkParameter::{a, b};
		assert_eq!(settings(&[], 5), [vec![]]);
		let found = settings(&[(a, 0, 4), (b, 7, 8)], 3);
		let expected = [[0, 8], [2, 8], [4, 8], [4, 7]];
		let expected: Vec<_> = expected.map(|[x, y]| vec![(a, x), (b, y)]).into();
		assert_eq!(found, expected);
		assert_eq!(settings(&[(a, 3, 3)], 9), [vec![(a, 3)]]);
	}
}
