//! CPU time and the core it is spent on.

use rustix::time::{clock_gettime, ClockId};
use std::time::Duration;

/// CPU time this thread has used. Time in which other processes had the core is not in it; what they
/// do to caches and memory is.
pub fn thread_cpu_time() -> Duration {
	let now = clock_gettime(ClockId::ThreadCPUTime);
	Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Keeps this thread on one core, the last that it may use; which one, or `None` if the system does
/// not do that.
#[cfg(target_os = "linux")]
pub fn pin() -> Option<usize> {
	use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};
	let allowed = sched_getaffinity(None).ok()?;
	let core = (0..CpuSet::MAX_CPU)
		.rev()
		.find(|core| allowed.is_set(*core))?;
	let mut only = CpuSet::new();
	only.set(core);
	sched_setaffinity(None, &only).ok()?;
	Some(core)
}

/// Lets this thread use every core again.
#[cfg(target_os = "linux")]
pub fn unpin() {
	use rustix::thread::{sched_setaffinity, CpuSet};
	let mut all = CpuSet::new();
	for core in 0..CpuSet::MAX_CPU {
		all.set(core);
	}
	// Not allowed everywhere; the thread then stays where it is, which only costs time.
	if sched_setaffinity(None, &all).is_err() {
		eprintln!("cannot leave the core this bench was pinned to");
	}
}

/// Keeps this thread where it is, which this system cannot.
#[cfg(not(target_os = "linux"))]
pub fn pin() -> Option<usize> {
	None
}

/// Nothing, as [`pin`] did nothing.
#[cfg(not(target_os = "linux"))]
pub fn unpin() {}
