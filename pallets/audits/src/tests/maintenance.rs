use crate::{mock::*, Error, Event, MaintenanceOf, MaintenanceSlots};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::{registration::NodeStatus, traits::MaintenancePlans, NodeIndex};

fn announce(family: u8, node: NodeIndex, from: u32, blocks: u32) -> sp_runtime::DispatchResult {
	let origin = RuntimeOrigin::signed(account(family));
	Audits::announce_maintenance(origin, node, from, blocks)
}

fn end(family: u8, node: NodeIndex) -> sp_runtime::DispatchResult {
	Audits::end_maintenance(RuntimeOrigin::signed(account(family)), node)
}

#[test]
fn a_node_away_as_announced_is_not_expected_to_answer() {
	ExtBuilder::default().build_and_execute(|| {
		// Node 5 is of family 105.
		assert_ok!(announce(105, 5, 11, 50));
		let (from, until) = (11, 61);
		assert!(events().contains(&Event::MaintenanceAnnounced {
			node: 5,
			from,
			until
		}));
		assert_eq!(Audits::away_until(5), None);
		quiet_blocks(10);
		assert_eq!(Audits::away_until(5), Some(61));
		for _ in 0..49 {
			next_block();
		}
		assert_eq!(Audits::away_until(5), Some(61));
		assert_eq!(World::outcomes(5), (0, 0));
		let waiting = tasks(5).len();
		assert!(waiting > 0);
		quiet_blocks(1);
		assert_eq!(Audits::away_until(5), None);
		quiet_blocks(3);
		assert!(tasks(5).iter().all(|asked| asked.due.is_some()));
		for asked in asked(5) {
			submit(answer_to(&[asked])).unwrap();
		}
		assert!(World::outcomes(5).0 >= waiting && World::outcomes(5).1 == 0);
		// Pieces of time that are past are not kept.
		quiet_blocks(30);
		assert_eq!(MaintenanceSlots::<Test>::iter().count(), 0);
	});
}

#[test]
fn maintenance_has_bounds() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(announce(105, 99, 11, 5), Error::<Test>::UnknownNode);
		assert_noop!(announce(106, 5, 11, 5), Error::<Test>::NotYourNode);
		assert_noop!(announce(105, 5, 10, 5), Error::<Test>::MaintenanceTooSoon);
		assert_noop!(
			announce(105, 5, 302, 5),
			Error::<Test>::MaintenanceTooFarAhead
		);
		assert_noop!(
			announce(105, 5, u32::MAX, 5),
			Error::<Test>::MaintenanceTooFarAhead
		);
		assert_noop!(announce(105, 5, 11, 0), Error::<Test>::MaintenanceTooLong);
		assert_noop!(announce(105, 5, 11, 51), Error::<Test>::MaintenanceTooLong);
		assert_noop!(
			announce(105, 5, 11, u32::MAX),
			Error::<Test>::MaintenanceTooLong
		);
		assert_ok!(announce(105, 5, 11, 30));
		assert_noop!(announce(105, 5, 100, 5), Error::<Test>::MaintenancePlanned);
		quiet_blocks(45);
		assert_noop!(announce(105, 5, 60, 21), Error::<Test>::MaintenanceUsedUp);
		assert_ok!(announce(105, 5, 60, 20));
		quiet_blocks(45);
		assert_noop!(announce(105, 5, 110, 1), Error::<Test>::MaintenanceUsedUp);
		// Counted from when it would begin: the first is past by then.
		assert_ok!(announce(105, 5, 341, 30));
		for status in [NodeStatus::Jailed, NodeStatus::Evicted] {
			World::node_mut(6, |node| node.status = status);
			assert_noop!(announce(106, 6, 200, 5), Error::<Test>::NodeInTrouble);
		}
	});
}

#[test]
fn not_too_many_at_one_time() {
	ExtBuilder::default().nodes(60).build_and_execute(|| {
		// 5 % of 60.
		for node in 0..3u32 {
			assert_ok!(announce(node as u8 + 100, node, 25, 10));
		}
		// Pieces are ten blocks long: 20 to 29 and 30 to 39 are full.
		assert_noop!(announce(110, 10, 15, 6), Error::<Test>::TooManyAway);
		assert_noop!(announce(110, 10, 39, 30), Error::<Test>::TooManyAway);
		assert_ok!(announce(110, 10, 40, 30));
		assert_ok!(announce(111, 11, 15, 5));
		// One takes his back.
		assert_ok!(end(100, 0));
		assert_ok!(announce(112, 12, 15, 6));
		assert_noop!(end(100, 0), Error::<Test>::NoMaintenance);
	});
	// Of few nodes one may always be away.
	ExtBuilder::default().nodes(3).build_and_execute(|| {
		assert_ok!(announce(100, 0, 25, 10));
		assert_noop!(announce(101, 1, 25, 10), Error::<Test>::TooManyAway);
	});
}

#[test]
fn maintenance_may_end_early() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(announce(105, 5, 11, 50));
		quiet_blocks(24);
		assert_noop!(end(106, 5), Error::<Test>::NotYourNode);
		assert_ok!(end(105, 5));
		Audits::do_try_state().unwrap();
		assert_eq!(Audits::away_until(5), Some(26));
		quiet_blocks(1);
		assert_eq!(Audits::away_until(5), None);
		assert_noop!(end(105, 5), Error::<Test>::NoMaintenance);
		// What was used is all that counts.
		assert_ok!(announce(105, 5, 60, 35));
		assert!(events().contains(&Event::MaintenanceEnded { node: 5 }));
	});
}

#[test]
fn anyone_clears_up_after_a_node_that_is_gone() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(announce(105, 5, 31, 20));
		quiet_blocks(5);
		World::with(|world| world.nodes.remove(&5));
		assert_ok!(end(1, 5));
		assert!(!MaintenanceOf::<Test>::contains_key(5));
		assert_eq!(MaintenanceSlots::<Test>::iter().count(), 0);
		assert_noop!(end(1, 5), Error::<Test>::NoMaintenance);
	});
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(announce(105, 5, 11, 30));
		quiet_blocks(14);
		World::with(|world| world.nodes.remove(&5));
		assert_ok!(end(1, 5));
		assert!(!MaintenanceOf::<Test>::contains_key(5));
		assert_eq!(MaintenanceSlots::<Test>::iter().count(), 0);
	});
}
