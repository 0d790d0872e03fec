//! Audits draw bytes uniformly, so each finds a node out with the probability of the part it lost.

use crate::table::{days, table};
use fastrand::Rng;
use hippius_score::{fixed::share, Reputation};

/// Runs per cell.
const RUNS: usize = 4_000;
/// Draws per day: lane A of small to large nodes, with lane B, with lane D.
const RATES: [u32; 5] = [8, 16, 39, 64, 255];
/// Parts of the data that are gone.
const LOST: [f64; 4] = [0.001, 0.01, 0.05, 0.10];

/// Draws until the first that hits what is gone.
fn first_miss(rng: &mut Rng, lost: f64) -> u32 {
	let mut draws = 1;
	while rng.f64() >= lost {
		draws += 1;
	}
	draws
}

/// The value below which 99 of 100 lie.
fn ninety_nine(mut values: Vec<u32>) -> u32 {
	values.sort_unstable();
	values[values.len() * 99 / 100]
}

/// What becomes of a node that lost a part: draws until it is jailed (3 missed of the last 8) and
/// evicted (share below 0.96 after at least 100 draws); `None` when not within `limit`.
fn fate(rng: &mut Rng, lost: f64, limit: u32) -> (Option<u32>, Option<u32>) {
	let (mut reputation, mut last, mut jailed, mut evicted) = (Reputation::NEW, 0u8, None, None);
	for draw in 1..=limit {
		let passed = rng.f64() >= lost;
		reputation = reputation.audited(passed);
		last = last << 1 | u8::from(!passed);
		if jailed.is_none() && last.count_ones() >= 3 {
			jailed = Some(draw);
		}
		if draw >= 100 && reputation.share() < share(96, 100) {
			evicted = Some(draw);
			break;
		}
	}
	(jailed, evicted)
}

fn median(mut values: Vec<Option<u32>>) -> String {
	values.sort_unstable_by_key(|value| value.unwrap_or(u32::MAX));
	values[values.len() / 2].map_or("never".into(), |draws| draws.to_string())
}

fn share_of(values: &[Option<u32>]) -> String {
	let found = values.iter().flatten().count();
	format!("{:.0} %", 100.0 * found as f64 / values.len() as f64)
}

/// The tables.
pub(crate) fn run(rng: &mut Rng) -> String {
	let mut rows = Vec::new();
	for lost in LOST {
		let draws = ninety_nine((0..RUNS).map(|_| first_miss(rng, lost)).collect());
		let calculated = (0.01f64.ln() / (1.0 - lost).ln()).ceil();
		let mut row = vec![
			format!("{:.1} %", lost * 100.0),
			draws.to_string(),
			format!("{calculated:.0}"),
		];
		row.extend(RATES.map(|rate| days(f64::from(draws) / f64::from(rate))));
		rows.push(row);
	}
	let columns = [
		"lost",
		"draws",
		"calculated",
		"8/day",
		"16",
		"39",
		"64",
		"255",
	];
	let first = table("Time until 99 of 100 are found out", &columns, &rows);

	let mut rows = Vec::new();
	for lost in [0.01, 0.02, 0.03, 0.04, 0.05, 0.10, 0.50, 1.0] {
		let (jailed, evicted): (Vec<_>, Vec<_>) = (0..400).map(|_| fate(rng, lost, 6_000)).unzip();
		rows.push(vec![
			format!("{:.0} %", lost * 100.0),
			share_of(&jailed),
			median(jailed),
			share_of(&evicted),
			median(evicted),
		]);
	}
	let columns = [
		"lost",
		"jailed within 6,000 draws",
		"median draws",
		"evicted",
		"median draws",
	];
	let second = table("What becomes of a node that lost a part", &columns, &rows);
	format!("{first}\n{second}")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn detection_takes_as_long_as_calculated() {
		let mut rng = Rng::with_seed(1);
		for (lost, calculated) in [(0.001, 4_603.0), (0.01, 458.0), (0.05, 90.0), (0.1, 44.0)] {
			let draws = ninety_nine((0..RUNS).map(|_| first_miss(&mut rng, lost)).collect());
			let error = (f64::from(draws) - calculated).abs() / calculated;
			assert!(error < 0.1, "{lost}: {draws} for {calculated}");
		}
	}

	#[test]
	fn who_loses_everything_is_jailed_at_the_third_draw() {
		assert_eq!(fate(&mut Rng::with_seed(1), 1.0, 200), (Some(3), Some(100)));
	}
}
