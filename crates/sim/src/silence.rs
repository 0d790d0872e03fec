//! An honest node loses power: until its collectors' word is settled it counts as up, and draws it does
//! not answer are misses. How long the windows of heartbeats are decides what that costs it.

use crate::table::{percent, table};
use fastrand::Rng;
use pallet_audits::Rules;
use pallet_heartbeats::HeartbeatConfig;

/// Simulated failures.
const RUNS: u32 = 20_000;

/// Draws missed while up, of a node of `daily` draws that goes silent at a random moment and has four
/// chunks of lane B in one draw.
fn missed(rng: &mut Rng, config: &HeartbeatConfig, rules: &Rules, daily: f64) -> u32 {
	let window = config.window_blocks;
	// Silent from this block of a window on; beats before it make this window count as seen, so that the
	// next one is the first that is missed. That is known when its reports are settled.
	let silent = rng.u32(0..window);
	let known = 2 * window + config.report_blocks;
	let each = daily / f64::from(rules.blocks_per_day);
	// A draw goes unanswered if its deadline is later, and is booked some time after that.
	let first = silent.saturating_sub(rules.deadline);
	let last = known.saturating_sub(rules.deadline.saturating_add(rules.patience));
	(first..last).filter(|_| rng.f64() < each).count() as u32
}

/// Shares of failures with at least one, two and three misses.
fn shares(rng: &mut Rng, config: &HeartbeatConfig, daily: f64) -> [f64; 3] {
	let rules = Rules::default();
	let mut found = [0u32; 3];
	for _ in 0..RUNS {
		let misses = missed(rng, config, &rules, daily);
		for (least, count) in (1..).zip(&mut found) {
			*count += u32::from(misses >= least);
		}
	}
	found.map(|count| f64::from(count) / f64::from(RUNS))
}

/// Heartbeats with windows of so many blocks.
pub(crate) fn windows_of(blocks: u32) -> HeartbeatConfig {
	let main = HeartbeatConfig::default();
	HeartbeatConfig {
		window_blocks: blocks,
		report_blocks: blocks / 2,
		beats_per_window: (blocks / 5) as u8,
		..main
	}
}

/// The table.
pub(crate) fn run(rng: &mut Rng) -> String {
	let mut rows = Vec::new();
	for (name, blocks) in [
		("5 min", 50),
		("10 min", 100),
		("30 min", 300),
		("1 h", 600),
	] {
		let [one, two, three] = shares(rng, &windows_of(blocks), 36.0);
		rows.push(vec![
			name.into(),
			percent(one),
			percent(two),
			percent(three),
		]);
	}
	let columns = [
		"windows of",
		"a miss",
		"two: 0.1 % of the collateral",
		"three: jail",
	];
	table(
		"What losing power costs an honest average node before it counts as silent",
		&columns,
		&rows,
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn short_windows_spare_the_honest() {
		let mut rng = Rng::with_seed(1);
		let [_, _, short] = shares(&mut rng, &windows_of(100), 36.0);
		let [_, _, long] = shares(&mut rng, &windows_of(600), 36.0);
		assert!(short < 0.02 && long > 0.3, "{short} {long}");
	}
}
