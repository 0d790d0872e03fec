//! One value from the reports of several collectors, some of whom may lie or be silent.

use alloc::vec::Vec;

/// Most collectors of a page.
pub const MAX_COLLECTORS: u32 = 9;
/// Nodes of a page.
pub const PAGE: usize = 256;

/// How many of `collectors` may lie without any effect: the greatest number below a third.
pub const fn tolerated(collectors: u32) -> u32 {
	collectors.saturating_sub(1) / 3
}

/// Which of the reports, from the largest down and counted from 1, settles: one more than may lie.
pub const fn rank(collectors: u32) -> u32 {
	tolerated(collectors) + 1
}

/// How many of `collectors` must have reported. More than half; and so many that the settling report
/// lies between honest ones even if all liars report and all silent ones are honest. None would be
/// no quorum, so at least 1.
pub const fn quorum(collectors: u32) -> u32 {
	let half = collectors / 2 + 1;
	let safe = 2 * tolerated(collectors) + 1;
	if half > safe {
		half
	} else {
		safe
	}
}

/// The settled value of the reported ones; `None` without quorum. Sorts the values.
pub fn settle(values: &mut [u8], collectors: u32) -> Option<u8> {
	if (values.len() as u64) < u64::from(quorum(collectors)) {
		return None;
	}
	values.sort_unstable_by(|a, b| b.cmp(a));
	values.get(rank(collectors) as usize - 1).copied()
}

/// Settles each node of a page: a report has one value per node, what it leaves out at its end is 0.
/// `None` without quorum.
pub fn settle_page<R: AsRef<[u8]>>(reports: &[R], collectors: u32) -> Option<[u8; PAGE]> {
	if (reports.len() as u64) < u64::from(quorum(collectors)) {
		return None;
	}
	let mut settled = [0; PAGE];
	let mut values = Vec::with_capacity(reports.len());
	for (node, value) in settled.iter_mut().enumerate() {
		values.clear();
		values.extend(
			reports
				.iter()
				.map(|report| report.as_ref().get(node).copied().unwrap_or(0)),
		);
		*value = settle(&mut values, collectors)?;
	}
	Some(settled)
}
