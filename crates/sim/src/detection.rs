//! Audits draw bytes uniformly, so each finds a node out with the probability of the part it lost.

use crate::table::{days, table};
use fastrand::Rng;
use hippius_score::{fixed::share, Reputation};

/// Runs per part lost: so many that the 99th of 100 is known to 1.1 % (one standard deviation).
const RUNS: usize = 40_000;
/// Nodes followed per part lost.
const FATES: usize = 2_000;
/// Draws per day: lane A of small to large nodes, with lane B, with lane D.
const RATES: [u32; 5] = [8, 16, 39, 64, 255];
/// Parts of the data that are gone.
const LOST: [f64; 5] = [0.001, 0.01, 0.05, 0.10, 0.50];

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

/// How long it takes until 99 of 100 nodes that lost a part are found out.
struct Found {
	lost: f64,
	draws: u32,
	calculated: f64,
	/// At each of the [`RATES`].
	days: [f64; 5],
}

fn found(rng: &mut Rng) -> Vec<Found> {
	let of = |lost: f64| {
		let draws = ninety_nine((0..RUNS).map(|_| first_miss(rng, lost)).collect());
		Found {
			lost,
			draws,
			calculated: (0.01f64.ln() / (1.0 - lost).ln()).ceil(),
			days: RATES.map(|rate| f64::from(draws) / f64::from(rate)),
		}
	};
	LOST.into_iter().map(of).collect()
}

/// The tables.
pub(crate) fn run(rng: &mut Rng) -> String {
	let mut rows = Vec::new();
	for found in found(rng) {
		let mut row = vec![
			format!("{:.1} %", found.lost * 100.0),
			found.draws.to_string(),
			format!("{:.0}", found.calculated),
		];
		row.extend(found.days.map(days));
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
		let (jailed, evicted): (Vec<_>, Vec<_>) =
			(0..FATES).map(|_| fate(rng, lost, 6_000)).unzip();
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

	/// What may lie between the simulation and the design: three standard deviations.
	const ERROR: f64 = 0.034;
	const HOUR: f64 = 1.0 / 24.0;

	/// Days at each rate, and by how much each is rounded.
	type Days = [(f64, f64); 5];

	/// The design's table: part lost, draws, days.
	#[rustfmt::skip]
	const DESIGN: [(f64, f64, Option<Days>); 5] = [
		(0.001, 4_603.0, Some([(575.0, 0.5), (288.0, 0.5), (118.0, 0.5), (72.0, 0.5), (18.0, 0.5)])),
		(0.01, 458.0, Some([(57.0, 0.5), (29.0, 0.5), (11.7, 0.05), (7.2, 0.05), (1.8, 0.05)])),
		(0.05, 90.0, Some([(11.0, 0.5), (5.6, 0.05), (2.3, 0.05), (1.4, 0.05), (8.5 * HOUR, 0.05 * HOUR)])),
		(0.10, 44.0, Some([(5.5, 0.05), (2.7, 0.05), (1.1, 0.05), (17.0 * HOUR, 0.5 * HOUR), (4.1 * HOUR, 0.05 * HOUR)])),
		(0.50, 7.0, None),
	];

	/// Each figure of the tables in the document, which are those of seed 1.
	#[test]
	fn detection_takes_as_long_as_designed() {
		let found = found(&mut Rng::with_seed(1));
		assert_eq!(found.len(), DESIGN.len());
		for (found, (lost, draws, days)) in found.iter().zip(DESIGN) {
			assert_eq!(found.lost, lost);
			// Draws are whole, and the design rounds 458.2 down.
			assert!((found.calculated - draws).abs() <= 1.0, "{lost}");
			let error = (f64::from(found.draws) - draws).abs();
			assert!(error <= (draws * ERROR).max(1.0), "{lost}: {}", found.draws);
			// A draw more or less is a day's part more or less.
			for ((ours, rate), (days, rounded)) in found
				.days
				.into_iter()
				.zip(RATES)
				.zip(days.into_iter().flatten())
			{
				let most = (days * ERROR).max(1.0 / f64::from(rate)) + rounded;
				assert!(
					(ours - days).abs() <= most,
					"{lost}: {ours} for {days} at {rate}"
				);
			}
		}
	}

	/// What a cheat saves until it is found out does not depend on how much it lost: the part, times the
	/// draws until the first that hits it, is one draw's worth on average.
	#[test]
	fn losing_little_saves_no_more_than_losing_much() {
		let mut rng = Rng::with_seed(1);
		for lost in LOST {
			let draws: u32 = (0..FATES).map(|_| first_miss(&mut rng, lost)).sum();
			let saved = lost * f64::from(draws) / FATES as f64;
			assert!((saved - 1.0).abs() < 0.07, "{lost}: {saved}");
		}
	}

	#[test]
	fn who_loses_everything_is_jailed_at_the_third_draw() {
		assert_eq!(fate(&mut Rng::with_seed(1), 1.0, 200), (Some(3), Some(100)));
	}
}
