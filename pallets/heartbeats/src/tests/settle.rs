//! From reports to liveness and uptime.

use crate::{mock::*, Days, Event, Next, OutRevision, Pages, Reports, Windows, MAX_OPEN};
use hippius_primitives::traits::{Liveness, LivenessState};

fn state(node: u32) -> LivenessState {
	Heartbeats::liveness(node)
}

fn uptime(node: u32) -> Option<(u32, u32)> {
	Heartbeats::uptime(node)
}

#[test]
fn a_window_is_settled_by_the_third_largest_of_nine() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		// The first window only makes the nodes known.
		assert_eq!(state(0), LivenessState::Unknown);
		pass(2, &[6, 4, 0]);
		assert_eq!((state(0), uptime(0)), (LivenessState::Up, Some((6, 6))));
		assert_eq!((state(1), uptime(1)), (LivenessState::Up, Some((4, 6))));
		assert_eq!((state(2), uptime(2)), (LivenessState::Silent, Some((0, 6))));
		assert_eq!(state(3), LivenessState::Unknown);
		assert_eq!(state(u32::MAX), LivenessState::Unknown);
		assert_eq!(Reports::<Test>::iter().count(), 0);
	});
}

#[test]
fn what_is_judged_is_told() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		assert_eq!(Heartbeats::judged_until(0), start(2) as u32);
		reportable(2);
		assert_eq!(Heartbeats::judged_until(0), start(2) as u32);
		// Without a report, too: nothing more is to come of the window.
		settled(2);
		assert_eq!(Heartbeats::judged_until(0), start(3) as u32);
	});
}

#[test]
fn nodes_nobody_registered_are_not_judged() {
	ExtBuilder::nodes([1, 200]).build_and_execute(|| {
		for window in 1..4 {
			pass(window, &[6; 256]);
		}
		assert_eq!(uptime(1), Some((12, 12)));
		assert_eq!(uptime(200), Some((12, 12)));
		for node in [0, 2, 199, 201, 255] {
			assert_eq!(uptime(node), None);
		}
	});
}

#[test]
fn colluders_need_seven_of_nine_to_press_and_three_to_lift() {
	ExtBuilder::default().build_and_execute(|| {
		let seen: &[u8] = &[6, 6, 6];
		let lie: &[u8] = &[0, 0, 0];
		pass(1, seen);
		let mut window = 2;
		let mut play = |liars: usize, lie, honest| {
			reportable(window);
			let mut reports = vec![lie; liars];
			reports.resize(9, honest);
			let before = uptime(0).map_or(0, |(seen, _)| seen);
			post_ranked(window, 0, &reports);
			settled(window);
			window += 1;
			uptime(0).unwrap().0 - before
		};
		for liars in 0..=6 {
			assert_eq!(play(liars, lie, seen), 6, "{liars} of nine press");
		}
		assert_eq!(play(7, lie, seen), 0);
		for liars in 0..=2 {
			assert_eq!(play(liars, seen, lie), 0, "{liars} of nine lift");
		}
		assert_eq!(play(3, seen, lie), 6);
	});
}

#[test]
fn colluders_below_quorum_settle_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		reportable(2);
		// Four agree on a lie while the five others are cut off.
		post_ranked(2, 0, &[[0u8; 3].as_slice(); 4]);
		settled(2);
		assert_eq!(
			events(),
			[Event::NoQuorum {
				window: 2,
				page: 0,
				reports: 4,
				needed: 5
			}]
		);
		assert_eq!((state(0), uptime(0)), (LivenessState::Unknown, None));
		// Just at quorum, with the two liars there may be: the honest ones decide.
		reportable(3);
		post_ranked(3, 0, &[&[0], &[0], &[6], &[6], &[6]]);
		settled(3);
		assert_eq!(uptime(0), Some((6, 6)));
		reportable(4);
		post_ranked(4, 0, &[&[6], &[6], &[0], &[0], &[0]]);
		settled(4);
		assert_eq!(uptime(0), Some((6, 12)));
	});
}

#[test]
fn few_validators_settle_too() {
	for (validators, needed) in [(1u8, 1usize), (2, 2), (3, 2), (4, 3), (7, 5)] {
		ExtBuilder::validators(validators).build_and_execute(|| {
			pass(1, &[6, 6, 6]);
			reportable(2);
			post_ranked(2, 0, &vec![[6u8; 3].as_slice(); needed]);
			settled(2);
			assert_eq!(uptime(0), Some((6, 6)), "{needed} of {validators}");
			reportable(3);
			post_ranked(3, 0, &vec![[6u8; 3].as_slice(); needed - 1]);
			settled(3);
			assert_eq!(uptime(0), Some((6, 6)), "{needed} of {validators}");
		});
	}
	ExtBuilder::validators(0).build_and_execute(|| {
		settled(2);
		assert_eq!(uptime(0), None);
	});
}

#[test]
fn a_silent_node_is_down_then_out_then_back() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		pass(2, &[6, 6, 6]);
		pass(3, &[0, 6, 6]);
		assert_eq!(state(0), LivenessState::Silent);
		pass(4, &[0, 6, 6]);
		let since = start(3) as u32;
		assert_eq!(state(0), LivenessState::Down { since });
		assert_eq!(events(), [Event::NodeDown { node: 0, since }]);
		// A window without quorum says nothing.
		settled(5);
		assert_eq!(state(0), LivenessState::Down { since });
		pass(6, &[0, 6, 6]);
		assert!(!Heartbeats::is_out(0));
		pass(7, &[0, 6, 6]);
		assert_eq!(events(), [Event::NodeOut { node: 0 }]);
		assert!(Heartbeats::is_out(0) && !Heartbeats::is_out(1));
		assert_eq!(OutRevision::<Test>::get(), 1);
		pass(8, &[1, 6, 6]);
		assert_eq!(events(), [Event::NodeBack { node: 0 }]);
		assert_eq!((state(0), uptime(0)), (LivenessState::Up, Some((7, 36))));
		assert_eq!(OutRevision::<Test>::get(), 2);
		assert_eq!(uptime(1), Some((36, 36)));
		// It was heard in window 8; the others, without a break since they were heard first.
		assert_eq!(Heartbeats::up_since(0), start(9) as u32);
		assert_eq!(Heartbeats::up_since(1), start(3) as u32);
		pass(9, &[6, 6, 6]);
		assert_eq!(Heartbeats::up_since(0), start(9) as u32);
	});
}

#[test]
fn uptime_forgets_after_thirty_days() {
	ExtBuilder::nodes([0]).build_and_execute(|| {
		pass(4, &[6]);
		// The first day judged is day 1: half of its windows are missed.
		for window in 5..10 {
			pass(window, &[if window % 2 == 0 { 6 } else { 0 }]);
		}
		let bad = uptime(0).unwrap();
		assert_eq!(bad, (12, 30));
		for window in 10..31 * 5 {
			pass(window, &[6]);
		}
		assert_eq!(uptime(0), Some((12 + 29 * 30, 900)));
		// Day 31 takes the place of day 1.
		pass(31 * 5, &[6]);
		assert_eq!(uptime(0), Some((29 * 30 + 6, 29 * 30 + 6)));
		assert_eq!(Days::<Test>::iter().count(), 30);
	});
}

#[test]
fn days_without_any_quorum_are_forgotten_as_well() {
	ExtBuilder::nodes([0]).build_and_execute(|| {
		for window in 1..11 {
			pass(window, &[6]);
		}
		assert_eq!(uptime(0), Some((54, 54)));
		settled(32 * 5 + 1);
		assert_eq!(uptime(0), None);
		assert_eq!(Days::<Test>::iter().count(), 0);
		assert_eq!(state(0), LivenessState::Unknown);
	});
}

#[test]
fn who_leaves_is_forgotten() {
	ExtBuilder::default().build_and_execute(|| {
		for window in 1..7 {
			pass(window, &[0, 6, 6]);
		}
		assert!(Heartbeats::is_out(0));
		Nodes::remove(0);
		pass(7, &[0, 6, 6]);
		assert_eq!((state(0), uptime(0)), (LivenessState::Unknown, None));
		assert_eq!(OutRevision::<Test>::get(), 2);
		assert_eq!(uptime(1), Some((36, 36)));
	});
}

#[test]
fn pages_are_settled_a_few_per_block() {
	ExtBuilder::nodes([0, 256, 512, 1_300]).build_and_execute(|| {
		PagesPerBlock::set(1);
		reportable(1);
		for page in [0, 1, 2, 5] {
			post_all(1, page, &[6; 256]);
		}
		assert_eq!(Reports::<Test>::iter().count(), 36);
		for (block, left) in [(3, 36), (4, 27), (5, 18), (6, 9), (8, 9), (9, 0)] {
			run_to(start(2) + block);
			assert_eq!(Reports::<Test>::iter().count(), left);
			Heartbeats::do_try_state().unwrap();
		}
		assert_eq!(Pages::<Test>::iter().count(), 4);
		assert_eq!(Next::<Test>::get().window, 2);
		// Pages of gaps take no room.
		assert!(Pages::<Test>::get(3).is_none());
	});
}

#[test]
fn where_settling_falls_behind_windows_are_skipped_not_piled_up() {
	// Twenty pages at one a block take two windows.
	ExtBuilder::nodes((0..20).map(|page| page * 256)).build_and_execute(|| {
		PagesPerBlock::set(1);
		let mut skipped = 0;
		for window in 1..20 {
			run_to(start(window));
			skipped += events()
				.iter()
				.filter(|event| matches!(event, Event::WindowSkipped { .. }))
				.count();
			assert!(Windows::<Test>::iter().count() <= MAX_OPEN as usize);
			Heartbeats::do_try_state().unwrap();
		}
		assert!(skipped > 4, "{skipped}");
		// It goes on.
		assert!(Next::<Test>::get().window > 8);
	});
}

#[test]
fn a_chain_that_starts_the_pallet_late_does_not_count_the_past() {
	ExtBuilder::default().build_and_execute(|| {
		frame_system::Pallet::<Test>::set_block_number(start(1_000) - 1);
		pass(1_000, &[6, 6, 6]);
		pass(1_001, &[6, 6, 6]);
		assert_eq!(uptime(0), Some((6, 6)));
	});
}
