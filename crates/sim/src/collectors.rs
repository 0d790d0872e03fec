//! Collectors that lie: how often they are enough of a page to lift a dead node or press a live one.

use crate::table::{percent, table};
use fastrand::Rng;
use hippius_primitives::heartbeat::collectors_of;
use hippius_score::{fixed::share, quorum, Inputs, Ratio};

/// Validators.
const VALIDATORS: u32 = 100;
/// Draws of collectors looked at.
const PAGES: u32 = 20_000;

/// How often liars settle a page's value: lifted, pressed.
pub(crate) fn taken(rng: &mut Rng, liars: u32, pages: u32) -> (f64, f64) {
	let keys: Vec<[u8; 32]> = (0..VALIDATORS)
		.map(|_| std::array::from_fn(|_| rng.u8(..)))
		.collect();
	let (mut lifted, mut pressed) = (0u32, 0u32);
	for page in 0..pages {
		let seed: [u8; 32] = std::array::from_fn(|_| rng.u8(..));
		let drawn = collectors_of(&seed, page, &keys);
		let settled = |lie: u8, truth: u8| {
			let mut values: Vec<u8> = drawn
				.iter()
				.map(|place| if *place < liars { lie } else { truth })
				.collect();
			quorum::settle(&mut values, drawn.len() as u32)
		};
		lifted += u32::from(settled(20, 0) == Some(20));
		pressed += u32::from(settled(0, 20) == Some(0));
	}
	(
		f64::from(lifted) / f64::from(pages),
		f64::from(pressed) / f64::from(pages),
	)
}

/// The probability that at least `least` of nine drawn without repetition are among `liars` of
/// [`VALIDATORS`].
fn hypergeometric(liars: u32, least: u32) -> f64 {
	let choose = |from: u32, take: u32| -> f64 {
		(0..take).fold(1.0, |product, i| {
			product * f64::from(from.saturating_sub(i)) / f64::from(i + 1)
		})
	};
	(least..=9)
		.map(|bad| choose(liars, bad) * choose(VALIDATORS - liars, 9 - bad) / choose(VALIDATORS, 9))
		.sum()
}

/// The table.
pub(crate) fn run(rng: &mut Rng) -> String {
	let mut rows = Vec::new();
	for liars in [10, 20, 33, 50] {
		let (lifted, pressed) = taken(rng, liars, PAGES);
		// A live node whose collectors change hourly loses this part of its uptime.
		let uptime = Ratio {
			good: ((1.0 - pressed) * 1e6) as u32,
			counted: 1_000_000,
		};
		let honest = Inputs {
			active_days: 180,
			..Inputs::new(1, 1)
		};
		let with = Inputs { uptime, ..honest };
		let kept = f64::from(with.score()) / f64::from(honest.score());
		rows.push(vec![
			format!("{liars} of {VALIDATORS}"),
			percent(lifted),
			percent(hypergeometric(liars, 3)),
			percent(pressed),
			percent(hypergeometric(liars, 7)),
			percent(kept),
		]);
	}
	let columns = [
		"liars",
		"dead node shown alive",
		"calculated",
		"live node shown dead",
		"calculated",
		"score a live node keeps",
	];
	let table = table("Windows in which lying collectors decide", &columns, &rows);
	format!(
		"{table}\nA dead node shown alive earns nothing by it: its audits fail. Full uptime begins at {:.3}.\n",
		f64::from(share(995, 1_000)) / f64::from(hippius_score::ONE)
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn liars_decide_as_often_as_calculated() {
		let (lifted, pressed) = taken(&mut Rng::with_seed(1), 33, 4_000);
		assert!((lifted - hypergeometric(33, 3)).abs() < 0.03, "{lifted}");
		assert!((pressed - hypergeometric(33, 7)).abs() < 0.005, "{pressed}");
		assert!(pressed < 0.012);
	}

	#[test]
	fn the_probabilities_are_right_at_the_ends() {
		assert!((hypergeometric(33, 0) - 1.0).abs() < 1e-9);
		assert_eq!(hypergeometric(6, 7), 0.0);
	}
}
