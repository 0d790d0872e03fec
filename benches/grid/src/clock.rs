//! Wall clock and CPU time of a phase, by process.

use crate::{failed, miners::Miners};
use bench_harness::BenchError;
use rustix::time::{clock_gettime, ClockId};
use std::time::{Duration, Instant};

/// The beginning of a phase.
pub(crate) struct Phase {
	began: Instant,
	own: Duration,
	theirs: Duration,
}

/// What a phase took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
	pub(crate) wall: f64,
	/// CPU seconds of this process: the gateway.
	pub(crate) gateway: f64,
	/// CPU seconds of the miners together.
	pub(crate) miners: f64,
}

impl Phase {
	pub(crate) fn begin(miners: Option<&Miners>) -> Result<Self, BenchError> {
		Ok(Self {
			began: Instant::now(),
			own: own_cpu()?,
			theirs: miners.map_or(Ok(Duration::ZERO), Miners::cpu)?,
		})
	}

	pub(crate) fn elapsed(&self) -> Duration {
		self.began.elapsed()
	}

	pub(crate) fn end(&self, miners: Option<&Miners>) -> Result<Spent, BenchError> {
		let theirs = miners.map_or(Ok(Duration::ZERO), Miners::cpu)?;
		Ok(Spent {
			wall: self.elapsed().as_secs_f64(),
			gateway: (own_cpu()? - self.own).as_secs_f64(),
			miners: (theirs - self.theirs).as_secs_f64(),
		})
	}
}

/// CPU time of all threads of this process.
fn own_cpu() -> Result<Duration, BenchError> {
	let now = clock_gettime(ClockId::ProcessCPUTime);
	let seconds = u64::try_from(now.tv_sec).map_err(failed("clock"))?;
	let nanos = u32::try_from(now.tv_nsec).map_err(failed("clock"))?;
	Ok(Duration::new(seconds, nanos))
}
