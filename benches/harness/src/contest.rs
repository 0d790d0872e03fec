//! Contestants measured side by side.

use crate::{clock::thread_cpu_time, stats, BenchError, Options};
use std::time::Duration;

/// One run of a contestant's operation.
type Run<'a> = Box<dyn FnMut() -> Result<(), BenchError> + 'a>;

/// Something that does the operation of a case.
pub struct Contestant<'a> {
	name: String,
	run: Run<'a>,
}

impl<'a> Contestant<'a> {
	/// `run` does the operation once.
	pub fn new(name: impl Into<String>, run: impl FnMut() -> Result<(), BenchError> + 'a) -> Self {
		Self {
			name: name.into(),
			run: Box::new(run),
		}
	}
}

/// CPU seconds of one operation.
#[derive(Clone, Debug)]
pub struct Figure {
	/// The contestant.
	pub name: String,
	/// Median of the samples, in seconds.
	pub seconds: f64,
	/// Greatest minus least sample, as a share of the median.
	pub spread: f64,
	/// Operations per sample.
	pub runs: u32,
	/// Samples taken.
	pub samples: usize,
}

/// How contestants are measured.
#[derive(Clone, Copy, Debug)]
pub struct Contest {
	/// Samples of each.
	pub rounds: usize,
	/// CPU time of one sample; an operation that takes longer is done once per sample.
	pub sample_time: Duration,
}

impl From<&Options> for Contest {
	fn from(options: &Options) -> Self {
		Self {
			rounds: options.rounds(),
			sample_time: options.sample_time(),
		}
	}
}

impl Contest {
	/// Measures all contestants, interleaved; figures come in their order.
	///
	/// # Errors
	/// Whatever a contestant fails with.
	pub fn measure(&self, contestants: &mut [Contestant<'_>]) -> Result<Vec<Figure>, BenchError> {
		let count = contestants.len();
		let mut runs = vec![1u32; count];
		for (contestant, runs) in contestants.iter_mut().zip(&mut runs) {
			*runs = self.calibrate(contestant)?;
		}
		let mut samples = vec![Vec::with_capacity(self.rounds); count];
		for round in 0..self.rounds {
			for place in 0..count {
				// Nobody always follows the same one.
				let index = (place + round) % count;
				let run = &mut contestants[index].run;
				// The caches are the previous one's.
				run()?;
				samples[index].push(sample(run, runs[index])?);
			}
		}
		let figures = contestants.iter().zip(&samples).zip(&runs);
		Ok(figures
			.map(|((contestant, samples), runs)| Figure {
				name: contestant.name.clone(),
				seconds: stats::median(samples),
				spread: stats::spread(samples),
				runs: *runs,
				samples: samples.len(),
			})
			.collect())
	}

	/// How many runs make a sample; also warms up.
	fn calibrate(&self, contestant: &mut Contestant<'_>) -> Result<u32, BenchError> {
		(contestant.run)()?;
		let mut runs = 1u32;
		loop {
			let took = sample(&mut contestant.run, runs)? * f64::from(runs);
			let goal = self.sample_time.as_secs_f64();
			if took >= goal / 4.0 || runs >= 1 << 28 {
				let exact = f64::from(runs) * goal / took.max(1e-9);
				return Ok(exact.clamp(1.0, f64::from(1u32 << 30)) as u32);
			}
			runs *= 4;
		}
	}
}

/// CPU seconds per run.
fn sample(run: &mut Run<'_>, runs: u32) -> Result<f64, BenchError> {
	let began = thread_cpu_time();
	for _ in 0..runs {
		run()?;
	}
	Ok((thread_cpu_time() - began).as_secs_f64() / f64::from(runs))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use std::cell::{Cell, RefCell};

	/// Samples of one run each.
	const SHORTEST: Contest = Contest {
		rounds: 3,
		sample_time: Duration::ZERO,
	};

	#[test]
	fn all_take_turns_and_nobody_always_follows_the_same_one() {
		let log = RefCell::new(String::new());
		let contestant = |name: &'static str| {
			let log = &log;
			Contestant::new(name, move || {
				log.borrow_mut().push_str(name);
				Ok(())
			})
		};
		let mut all = ["a", "b", "c"].map(contestant);
		let figures = SHORTEST.measure(&mut all).unwrap();
		// A warm-up and a measured run, each time.
		assert_eq!(*log.borrow(), "aabbccaabbccbbccaaccaabb");
		let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
		assert_eq!(names, ["a", "b", "c"]);
		assert!(figures
			.iter()
			.all(|figure| (figure.samples, figure.runs) == (3, 1)));
	}

	#[test]
	fn a_failure_ends_the_contest() {
		let calls = Cell::new(0);
		let mut failing = [Contestant::new("x", || {
			calls.set(calls.get() + 1);
			Err(BenchError::failed("x", "no"))
		})];
		assert!(SHORTEST.measure(&mut failing).is_err());
		drop(failing);
		assert_eq!(calls.get(), 1);
	}
}
