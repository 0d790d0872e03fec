#![allow(clippy::unwrap_used)]

mod absence;
mod endpoints;
mod life;
mod offchain;
mod report;
mod settle;
mod walk;

use crate::HeartbeatConfig;

#[test]
fn a_configuration_that_judges_wrongly_is_named() {
	let good = HeartbeatConfig::default();
	assert_eq!(good.check(), Ok(()));
	#[rustfmt::skip]
	let bad = [
		HeartbeatConfig { window_blocks: 0, ..good },
		HeartbeatConfig { report_blocks: 0, ..good },
		HeartbeatConfig { report_blocks: good.window_blocks + 1, ..good },
		HeartbeatConfig { beats_per_window: 0, ..good },
		HeartbeatConfig { rotation_windows: 0, ..good },
		HeartbeatConfig { day_windows: 0, ..good },
		HeartbeatConfig { day_windows: 4_000, ..good },
		HeartbeatConfig { down_windows: 0, ..good },
		HeartbeatConfig { out_windows: good.down_windows - 1, ..good },
		HeartbeatConfig { absent_percent: 101, ..good },
	];
	for config in bad {
		assert!(config.check().is_err(), "{config:?}");
	}
}

#[test]
fn the_main_networks_thresholds_are_those_of_the_design() {
	let main = HeartbeatConfig::default();
	let hours = |windows: u16| u32::from(windows) * main.window_blocks / 600;
	assert_eq!(hours(main.down_windows), 4);
	assert_eq!(hours(main.out_windows), 24);
	assert_eq!(main.day_windows * main.window_blocks, 14_400);
	// A beat every 30 seconds.
	assert_eq!(u32::from(main.beats_per_window) * 5, main.window_blocks);
}
