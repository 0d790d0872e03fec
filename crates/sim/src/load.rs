//! What heartbeats and ranking cost the chain, by the pallets' weights.

use crate::table::{percent, table};
use fastrand::Rng;
use frame_support::weights::constants::WEIGHT_REF_TIME_PER_SECOND;
use pallet_heartbeats::{HeartbeatConfig, WeightInfo as Heartbeats};
use pallet_ranking::{EraConfig, WeightInfo as Ranking};

/// Picoseconds a block may take.
const BLOCK: f64 = 2.0 * WEIGHT_REF_TIME_PER_SECOND as f64;
/// Blocks of a day.
const DAY: f64 = 14_400.0;
/// Bytes of a posted page but for its counts: extrinsic, extensions, report, signature.
const REPORT: f64 = 170.0;

/// Mean share of block weight and bytes per day of the heartbeats of so many nodes.
fn heartbeats(nodes: u32, config: &HeartbeatConfig) -> (f64, f64) {
	let pages = f64::from(nodes.div_ceil(256));
	let posted = <() as Heartbeats>::post_page().ref_time()
		+ <() as Heartbeats>::authorize_post_page().ref_time();
	let page = 9.0 * posted as f64 + <() as Heartbeats>::settle_page(100).ref_time() as f64;
	let window = pages * page + <() as Heartbeats>::open_window(100).ref_time() as f64;
	let blocks = f64::from(config.window_blocks);
	let share = window / blocks / BLOCK + <() as Heartbeats>::idle().ref_time() as f64 / BLOCK;
	(share, pages * 9.0 * (256.0 + REPORT) * DAY / blocks)
}

/// Mean share of block weight of the ranking of so many nodes.
fn ranking(nodes: u32, groups: u32, config: &EraConfig) -> f64 {
	let pages = f64::from(nodes.div_ceil(256));
	let era = pages * <() as Ranking>::settle_page().ref_time() as f64;
	let sweep = <() as Ranking>::sweep(groups).ref_time() as f64;
	let each = era / f64::from(config.era_blocks) + sweep / f64::from(config.sweep_blocks);
	(each + <() as Ranking>::idle().ref_time() as f64) / BLOCK
}

/// The table.
pub(crate) fn run(_: &mut Rng) -> String {
	let short = HeartbeatConfig::default();
	let hourly = HeartbeatConfig {
		window_blocks: 600,
		report_blocks: 300,
		beats_per_window: 120,
		..short
	};
	let mut rows = Vec::new();
	for (nodes, groups) in [(1_000, 1_024), (10_000, 8_192), (100_000, 65_536)] {
		let (share, bytes) = heartbeats(nodes, &short);
		let (hourly_share, hourly_bytes) = heartbeats(nodes, &hourly);
		let config = EraConfig {
			// Four groups per block: large networks take longer for a sweep.
			sweep_blocks: (groups / 4).max(600),
			..EraConfig::default()
		};
		rows.push(vec![
			nodes.to_string(),
			percent(share),
			format!("{:.1} MB", bytes / 1e6),
			percent(hourly_share),
			format!("{:.1} MB", hourly_bytes / 1e6),
			percent(ranking(nodes, groups, &config)),
		]);
	}
	let columns = [
		"nodes",
		"heartbeats, windows of 10 min",
		"per day",
		"windows of 1 h",
		"per day",
		"ranking",
	];
	let table = table(
		"Share of block weight, and bytes of blocks",
		&columns,
		&rows,
	);
	format!("{table}\nBy the pallets' weights, which are upper bounds derived by hand.\n")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn heartbeats_of_100k_nodes_fit_with_hourly_windows() {
		let hourly = HeartbeatConfig {
			window_blocks: 600,
			..HeartbeatConfig::default()
		};
		assert!(heartbeats(100_000, &hourly).0 < 0.05);
		assert!(heartbeats(1_000, &HeartbeatConfig::default()).0 < 0.01);
	}
}
