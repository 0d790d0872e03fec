//! A part of validators and nodes fails for some hours: what it costs those that did not, and those
//! that did.

use crate::table::{decimal, percent, table};
use fastrand::Rng;
use hippius_primitives::heartbeat::collectors_of;
use hippius_score::{quorum, Inputs, Ratio};
use pallet_heartbeats::HeartbeatConfig;

/// Validators.
const VALIDATORS: u32 = 100;
/// Pages of nodes.
const PAGES: u32 = 40;

/// What an outage did.
struct Outage {
	/// Pages' windows without quorum, of those during the outage.
	uncounted: f64,
	/// Score of a node that was there all the time, after the 30 days the outage lies in.
	honest: u32,
	/// Score of one that was away.
	away: u32,
}

/// Validators with numbers below `silent` post nothing for `hours`.
fn outage(rng: &mut Rng, silent: u32, hours: u32) -> Outage {
	let config = HeartbeatConfig::default();
	let keys: Vec<[u8; 32]> = (0..VALIDATORS)
		.map(|_| std::array::from_fn(|_| rng.u8(..)))
		.collect();
	let windows = hours * 600 / config.window_blocks;
	let mut uncounted = 0u32;
	let mut seed = [0; 32];
	for window in 0..windows {
		if window % config.rotation_windows == 0 {
			seed = std::array::from_fn(|_| rng.u8(..));
		}
		for page in 0..PAGES {
			let drawn = collectors_of(&seed, page, &keys);
			let mut reports: Vec<u8> = drawn
				.iter()
				.filter(|place| **place >= silent)
				.map(|_| config.beats_per_window)
				.collect();
			let settled = quorum::settle(&mut reports, drawn.len() as u32);
			uncounted += u32::from(settled.is_none());
		}
	}
	let of_outage = f64::from(uncounted) / f64::from(windows * PAGES);
	let all = 30 * config.day_windows;
	let lost = (f64::from(windows) * of_outage) as u32;
	let score = |good| {
		Inputs {
			uptime: Ratio {
				good,
				counted: all - lost,
			},
			active_days: 180,
			reputation: hippius_score::Reputation {
				alpha: 512 << 20,
				beta: 0,
			},
			..Inputs::new(1, 1)
		}
		.score()
	};
	Outage {
		uncounted: of_outage,
		honest: score(all - lost),
		away: score(all - windows),
	}
}

/// The table.
pub(crate) fn run(rng: &mut Rng) -> String {
	let mut rows = Vec::new();
	for (silent, hours) in [(0, 6), (20, 6), (20, 24), (33, 6), (50, 6), (60, 6)] {
		let found = outage(rng, silent, hours);
		rows.push(vec![
			format!("{silent} of {VALIDATORS}"),
			format!("{hours} h"),
			percent(found.uncounted),
			format!("{:.3}", decimal(found.honest)),
			format!("{:.3}", decimal(found.away)),
		]);
	}
	let columns = [
		"validators silent",
		"for",
		"windows without quorum",
		"score of a node that was there",
		"score of one that was away",
	];
	let table = table("An outage of validators and nodes", &columns, &rows);
	format!(
		"{table}\nA map takes at most a quarter of its nodes out for their health: of 20 % that are gone for \
		 a day all, of 40 % not all.\n"
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn who_was_there_loses_nothing() {
		for silent in [0, 20, 60] {
			let found = outage(&mut Rng::with_seed(1), silent, 6);
			assert_eq!(found.honest, hippius_score::ONE);
			assert!(found.away <= found.honest);
		}
		// A fifth of the validators hardly ever are five of nine.
		assert!(outage(&mut Rng::with_seed(1), 20, 6).uncounted < 0.03);
	}
}
