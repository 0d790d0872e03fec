use crate::{mock::*, Error, Event, FamilyNodes, NodeByKey, Nodes};
use frame_support::{
	assert_noop, assert_ok, dispatch::DispatchResult, traits::fungible::InspectHold,
};
use hippius_primitives::registration::NodeStatus;

fn start(who: u8, node: u32) -> DispatchResult {
	Registry::start_exit(RuntimeOrigin::signed(account(who)), node)
}

fn claim(who: u8, node: u32) -> DispatchResult {
	Registry::claim_exit(RuntimeOrigin::signed(account(who)), node)
}

#[test]
fn a_node_drains_unbonds_and_is_gone() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		register(&account(1), 11);
		assert_noop!(claim(1, 0), Error::<Test>::NotDraining);
		assert_ok!(start(1, 0));
		let event = Event::ExitStarted {
			node: 0,
			claimable: 1 + UNBONDING,
		};
		assert_eq!(last_event(), event.into());
		assert_eq!(Registry::node(0).unwrap().status, NodeStatus::Draining);
		assert_noop!(start(1, 0), Error::<Test>::NodeDraining);

		System::set_block_number(UNBONDING);
		assert_noop!(claim(1, 0), Error::<Test>::StillBonded);
		System::set_block_number(1 + UNBONDING);
		assert_noop!(claim(2, 0), Error::<Test>::NotYourNode);
		assert_ok!(claim(1, 0));
		let event = Event::NodeRemoved {
			node: 0,
			family: account(1),
			released: 2_100,
		};
		assert_eq!(last_event(), event.into());
		assert_eq!(Nodes::<Test>::get(0), None);
		assert_eq!(NodeByKey::<Test>::get(key(10)), None);
		assert_eq!(FamilyNodes::<Test>::get(account(1)), 1);
		assert_eq!(Balances::total_balance_on_hold(&account(1)), 2_100);
		assert_noop!(claim(1, 0), Error::<Test>::UnknownNode);
	});
}

#[test]
fn the_key_comes_back_with_the_next_sequence_and_another_number() {
	ExtBuilder::default().build_and_execute(|| {
		let old = proof(&account(1), 10, &params(), 0);
		register(&account(1), 10);
		assert_ok!(start(1, 0));
		System::set_block_number(1 + UNBONDING);
		assert_ok!(claim(1, 0));
		assert!(!FamilyNodes::<Test>::contains_key(account(1)));
		assert_eq!(crate::LiveNodes::<Test>::iter().count(), 0);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(1)), key(10), params(), old),
			Error::<Test>::ProofReplayed
		);
		assert_eq!(register(&account(2), 10), 1);
	});
}

#[test]
fn an_announced_key_is_freed_too() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		let proof = rotation(&account(1), 0, 11, 0);
		assert_ok!(start(1, 0));
		assert_ok!(Registry::announce_key(
			RuntimeOrigin::signed(account(1)),
			0,
			key(11),
			proof
		));
		System::set_block_number(1 + UNBONDING);
		assert_ok!(claim(1, 0));
		assert_eq!(NodeByKey::<Test>::iter().count(), 0);
	});
}

#[test]
fn only_the_family_may_leave() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		assert_noop!(start(2, 0), Error::<Test>::NotYourNode);
		assert_noop!(start(1, 7), Error::<Test>::UnknownNode);
	});
}

#[test]
fn a_node_for_which_nothing_is_held_leaves_like_any_other() {
	ExtBuilder::default().build_and_execute(|| {
		Deposit::set(0);
		StakePerTerabyte::set(0);
		register(&account(9), 10);
		assert_ok!(start(9, 0));
		System::set_block_number(1 + UNBONDING);
		assert_ok!(claim(9, 0));
	});
}
