//! Splitting one node into several: pay is linear in bytes times score, so the parts earn no more, and
//! new ones less.

use crate::table::{decimal, percent, table};
use fastrand::Rng;
use hippius_score::{pay_weight, Inputs, Ratio, Reputation};

/// Audits per day of a node, whatever it holds: lane B alone.
const AUDITS: u32 = 16;

/// A node after so many honest days.
fn after(days: u32) -> Inputs {
	let audits = days * AUDITS;
	Inputs {
		reputation: (0..audits).fold(Reputation::NEW, |reputation, _| reputation.audited(true)),
		uptime: Ratio {
			good: 1,
			counted: 1,
		},
		active_days: days,
		..Inputs::new(1, 1)
	}
}

/// What `parts` nodes of `days` earn by `bytes` together, of what one node of `whole_days` earns.
fn gain(bytes: u128, parts: u32, days: u32, whole_days: u32) -> f64 {
	let score = after(days).score();
	let each = bytes / u128::from(parts);
	let rest = bytes % u128::from(parts);
	let split: u128 = (0..parts)
		.map(|part| pay_weight(each + u128::from(u128::from(part) < rest), score))
		.sum();
	split as f64 / pay_weight(bytes, after(whole_days).score()) as f64
}

/// The table.
pub(crate) fn run(rng: &mut Rng) -> String {
	// Any amount will do; an odd one shows the rounding.
	let bytes = 10_000_000_000_000_000 + u128::from(rng.u32(..));
	let mut rows = Vec::new();
	for parts in [1, 2, 10, 100, 1_000] {
		let mut row = vec![parts.to_string()];
		row.extend(
			[(180, 180), (0, 180), (7, 180), (30, 180)]
				.map(|(days, whole)| percent(gain(bytes, parts, days, whole))),
		);
		rows.push(row);
	}
	let columns = [
		"nodes",
		"all as old as the one",
		"all new",
		"after 7 days",
		"after 30 days",
	];
	let table = table(
		"Pay of one node's bytes split among several, of what the one earns after 180 days",
		&columns,
		&rows,
	);
	let scores =
		[0, 7, 30, 90, 180].map(|days| format!("{days} d: {:.3}", decimal(after(days).score())));
	format!(
		"{table}\nScore of an honest node by age: {}.\n",
		scores.join(", ")
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn splitting_never_pays() {
		for parts in [2, 3, 1_000] {
			assert!(gain(1_000_003, parts, 180, 180) <= 1.0);
			assert!(gain(1_000_003, parts, 0, 180) < 0.5);
		}
	}
}
