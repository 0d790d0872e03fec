//! Nodes that hold nothing and fetch what they are asked for just in time, from the other nodes of the
//! stripe: what that costs, and how many of these must help.

use crate::table::{percent, table};
use arion_storage_proof::GROUP_LEN;
use fastrand::Rng;
use hippius_primitives::{DATA_SHARDS, TOTAL_SHARDS};
use pallet_audits::Rules;

/// Simulated cheaters.
const RUNS: usize = 400;
/// Draws a cheater is watched for.
const WATCHED: u32 = 100;

/// Whether enough of the stripe's other nodes serve the cheater, of whom each does with `serving`.
fn rebuilt(rng: &mut Rng, serving: f64) -> bool {
	let helping = (1..TOTAL_SHARDS).filter(|_| rng.f64() < serving).count();
	helping >= DATA_SHARDS
}

/// Draws until the third miss of the last eight.
fn jailed_after(rng: &mut Rng, serving: f64, rules: &Rules) -> Option<u32> {
	let mut last = 0u8;
	(1..=WATCHED).find(|_| {
		last = last << 1 | u8::from(!rebuilt(rng, serving));
		last.count_ones() >= u32::from(rules.jail_misses)
	})
}

/// The probability that of the 29 others at least ten serve, when each does with `serving`.
fn calculated(serving: f64) -> f64 {
	let others = TOTAL_SHARDS as i32 - 1;
	let mut choose = 1.0;
	let mut sum = 0.0;
	for helping in 0..=others {
		if helping >= DATA_SHARDS as i32 {
			sum += choose * serving.powi(helping) * (1.0 - serving).powi(others - helping);
		}
		choose *= f64::from(others - helping) / f64::from(helping + 1);
	}
	sum
}

/// Bytes to fetch for one draw: a group of each of ten shards.
const PER_DRAW: u64 = (DATA_SHARDS * GROUP_LEN) as u64;

/// The tables.
pub(crate) fn run(rng: &mut Rng) -> String {
	let rules = Rules::default();
	let mut rows = Vec::new();
	for serving in [1.0, 0.5, 0.4, 0.33, 0.25, 0.2, 0.1, 0.0] {
		let passed = (0..20_000).filter(|_| rebuilt(rng, serving)).count() as f64 / 20_000.0;
		let mut jailed: Vec<_> = (0..RUNS)
			.map(|_| jailed_after(rng, serving, &rules))
			.collect();
		jailed.sort_unstable_by_key(|draws| draws.unwrap_or(u32::MAX));
		let found = jailed.iter().flatten().count();
		let median = jailed.get(RUNS / 2).copied().flatten();
		rows.push(vec![
			format!("{:.0} %", serving * 100.0),
			percent(passed),
			percent(calculated(serving)),
			percent(found as f64 / RUNS as f64),
			median.map_or("not within 100".into(), |draws| draws.to_string()),
		]);
	}
	let columns = [
		"other nodes that serve him",
		"draws answered",
		"calculated",
		"jailed within 100 draws",
		"median draws",
	];
	let first = table(
		"A node that holds nothing and fetches what it is asked for",
		&columns,
		&rows,
	);

	let mut rows = Vec::new();
	for terabytes in [1u32, 10, 100] {
		// An average node of 10 TB.
		let draws = f64::from(rules.samples_per_node) * f64::from(terabytes) / 10.0
			+ f64::from(rules.floor_chunks);
		let daily = draws * PER_DRAW as f64;
		rows.push(vec![
			format!("{terabytes} TB"),
			format!("{draws:.0}"),
			format!("{:.1} MB", daily / 1e6),
			format!("{:.5} %", daily / (f64::from(terabytes) * 1e12) * 100.0),
		]);
	}
	let columns = [
		"should hold",
		"bytes asked a day",
		"traffic a day",
		"of what it should hold",
	];
	let second = table(
		"What the fetching costs among 10,000 nodes of 10 TB on average",
		&columns,
		&rows,
	);
	format!("{first}\n{second}")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn as_many_draws_pass_as_calculated() {
		let mut rng = Rng::with_seed(1);
		for serving in [0.5, 0.33, 0.2] {
			let passed = (0..20_000).filter(|_| rebuilt(&mut rng, serving)).count() as f64;
			assert!((passed / 20_000.0 - calculated(serving)).abs() < 0.01);
		}
		assert!((calculated(1.0) - 1.0).abs() < 1e-9);
		assert_eq!(calculated(0.0), 0.0);
	}

	#[test]
	fn who_is_served_by_nobody_is_jailed_at_the_third_draw() {
		let rules = Rules::default();
		assert_eq!(jailed_after(&mut Rng::with_seed(1), 0.0, &rules), Some(3));
		assert_eq!(jailed_after(&mut Rng::with_seed(1), 1.0, &rules), None);
	}
}
