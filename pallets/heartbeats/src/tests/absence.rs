//! Announced absences.

use crate::{mock::*, Absences, Error, Event};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::traits::{Liveness, LivenessState};

fn announce(family: u8, node: u32, from: u64, until: u64) -> sp_runtime::DispatchResult {
	let origin = RuntimeOrigin::signed(account(family));
	Heartbeats::announce_absence(origin, node, from as u32, until as u32)
}

fn end(family: u8, node: u32) -> sp_runtime::DispatchResult {
	Heartbeats::end_absence(RuntimeOrigin::signed(account(family)), node)
}

#[test]
fn an_absence_costs_no_uptime() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		pass(2, &[6, 6, 6]);
		assert_ok!(announce(1, 0, start(5), start(8)));
		assert_eq!(Absences::<Test>::get(), 1);
		pass(3, &[6, 6, 6]);
		pass(4, &[6, 6, 6]);
		run_to(start(5));
		let until = start(8) as u32;
		assert_eq!(
			Heartbeats::liveness(0),
			LivenessState::Maintenance { until }
		);
		for window in 5..8 {
			pass(window, &[0, 6, 6]);
		}
		// Over by now, so it counts as there again, but not for the time before.
		assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
		assert_eq!(Heartbeats::up_since(0), until);
		assert!(Heartbeats::up_since(1) < start(5) as u32);
		assert_eq!(Heartbeats::uptime(0), Some((18, 18)));
		assert_eq!(Heartbeats::uptime(1), Some((36, 36)));
		// Not back in time: now it counts.
		pass(8, &[0, 6, 6]);
		assert_eq!(Absences::<Test>::get(), 0);
		assert_eq!(Heartbeats::liveness(0), LivenessState::Silent);
		assert_eq!(Heartbeats::uptime(0), Some((18, 24)));
	});
}

#[test]
fn an_absence_has_its_limits() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		let now = frame_system::Pallet::<Test>::block_number();
		assert_noop!(
			announce(1, 0, now + 9, now + 12),
			Error::<Test>::NoticeTooShort
		);
		assert_noop!(
			announce(1, 0, now + 10, now + 10),
			Error::<Test>::AbsenceTooLong
		);
		assert_noop!(announce(1, 0, now + 20, now), Error::<Test>::AbsenceTooLong);
		assert_noop!(
			announce(1, 0, now + 10, now + 51),
			Error::<Test>::AbsenceTooLong
		);
		assert_noop!(
			announce(1, 0, now + 10, u32::MAX.into()),
			Error::<Test>::AbsenceTooLong
		);
		assert_noop!(
			announce(2, 0, now + 10, now + 20),
			Error::<Test>::NotYourNode
		);
		assert_noop!(
			announce(1, 9, now + 10, now + 20),
			Error::<Test>::UnknownNode
		);
		assert_ok!(announce(1, 0, now + 10, now + 50));
		assert_eq!(
			events(),
			[Event::AbsenceAnnounced {
				node: 0,
				from: now as u32 + 10,
				until: now as u32 + 50
			}]
		);
		assert_noop!(
			announce(1, 0, now + 60, now + 61),
			Error::<Test>::AbsenceNotFree
		);
		// Half of three nodes is one.
		assert_noop!(
			announce(1, 1, now + 10, now + 20),
			Error::<Test>::TooManyAbsent
		);
		Nodes::register(300);
		assert_noop!(
			announce(1, 300, now + 10, now + 20),
			Error::<Test>::NotJudged
		);
	});
}

#[test]
fn what_is_used_is_remembered_for_the_period() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		assert_ok!(announce(1, 0, start(4), start(7)));
		for window in 2..8 {
			pass(window, &[6, 6, 6]);
		}
		let now = frame_system::Pallet::<Test>::block_number();
		assert_noop!(
			announce(1, 0, now + 10, now + 21),
			Error::<Test>::AbsenceTooLong
		);
		assert_ok!(announce(1, 0, now + 10, now + 20));
		// Called off, it was not used.
		assert_ok!(end(1, 0));
		assert_eq!(Absences::<Test>::get(), 0);
		assert_noop!(end(1, 0), Error::<Test>::NotAbsent);
		assert_noop!(end(2, 0), Error::<Test>::NotYourNode);
		// The next 30 days are another account.
		let next = 30 * 5 * 10;
		assert_ok!(announce(1, 0, next, next + 40));
	});
}

#[test]
fn an_absence_ended_early_gives_the_rest_back() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		assert_ok!(announce(1, 0, start(4), start(8)));
		pass(2, &[6, 6, 6]);
		pass(3, &[6, 6, 6]);
		run_to(start(5));
		assert_ok!(end(1, 0));
		assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
		post_all(4, 0, &[0, 6, 6]);
		settled(4);
		assert_eq!(Heartbeats::uptime(0), Some((12, 12)));
		pass(5, &[6, 6, 6]);
		assert_eq!(Heartbeats::uptime(0), Some((18, 18)));
		assert_eq!(Absences::<Test>::get(), 0);
		let now = frame_system::Pallet::<Test>::block_number();
		assert_ok!(announce(1, 0, now + 10, now + 40));
	});
}

#[test]
fn beats_during_an_absence_bring_a_node_back_but_do_not_count() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		assert_ok!(announce(1, 0, start(4), start(6)));
		pass(2, &[0, 6, 6]);
		pass(3, &[0, 6, 6]);
		pass(4, &[3, 6, 6]);
		assert_eq!(Heartbeats::uptime(0), Some((0, 12)));
		settled(5);
		assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
	});
}

#[test]
fn who_leaves_takes_its_absence_along() {
	ExtBuilder::default().build_and_execute(|| {
		pass(1, &[6, 6, 6]);
		assert_ok!(announce(1, 0, start(4), start(6)));
		Nodes::remove(0);
		pass(2, &[6, 6, 6]);
		assert_eq!(Absences::<Test>::get(), 0);
		assert_noop!(end(1, 0), Error::<Test>::UnknownNode);
	});
}
