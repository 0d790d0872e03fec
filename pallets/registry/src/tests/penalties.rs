use crate::{mock::*, Error, Event, Nodes};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{Inspect, InspectHold},
};
use hippius_primitives::{
	registration::NodeStatus,
	traits::{NodePenalties, NodeRegistry},
	NodeIndex,
};

fn status(node: NodeIndex) -> NodeStatus {
	Registry::standing(node).unwrap().status
}

fn free(seed: u8) -> u64 {
	Balances::balance(&account(seed))
}

fn held(seed: u8) -> u64 {
	Balances::total_balance_on_hold(&account(seed))
}

#[test]
fn a_slash_is_a_share_of_what_is_required_and_is_split() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		let other = register(&account(1), 11);
		// 2 TB at 1000, and a deposit of 100.
		let before = Registry::standing(node).unwrap();
		assert_eq!((before.held, before.required), (2_100, 2_100));
		let issuance = Balances::total_issuance();

		assert_eq!(Registry::slash(node, 100_000, Some([2; 32])), 210);
		assert_eq!((free(90), free(91)), (105, 63));
		assert_eq!(free(2), 1_000_000 + 42);
		assert_eq!(
			last_event(),
			RuntimeEvent::Registry(Event::NodeSlashed {
				node,
				amount: 210,
				reporter: Some(account(2)),
			})
		);
		// Without a reporter the treasury has his part.
		assert_eq!(Registry::slash(node, 1_000, None), 2);
		assert_eq!((free(90), free(91)), (106, 64));
		// 2100 / 1000 = 2.1, rounded down: 1 for repair, 0 and 1 for the others.
		assert_eq!(Registry::standing(node).unwrap().held, 1_888);
		assert_eq!(Registry::standing(node).unwrap().required, 2_100);
		// The family's other node has lost nothing.
		assert_eq!(Registry::standing(other).unwrap().held, 2_100);
		assert_eq!(held(1), 1_888 + 2_100);
		assert_eq!(Balances::total_issuance(), issuance);
		Registry::do_try_state().unwrap();
	});
}

#[test]
fn what_was_earned_goes_before_what_is_bonded() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		EarnedLeft::set(250);
		// A tenth of 2100 is all of it earned: nothing is touched that is bonded.
		assert_eq!(Registry::slash(node, 100_000, Some([2; 32])), 210);
		assert_eq!(EarnedLeft::get(), 40);
		assert_eq!(Registry::standing(node).unwrap().held, 2_100);
		// Of the next tenth the rest is bonded.
		assert_eq!(Registry::slash(node, 100_000, None), 210);
		assert_eq!(EarnedLeft::get(), 0);
		assert_eq!(Registry::standing(node).unwrap().held, 2_100 - 170);
		assert_eq!((free(90), free(91)), (85, 85));
		assert_eq!(
			last_event(),
			RuntimeEvent::Registry(Event::NodeSlashed {
				node,
				amount: 170,
				reporter: None,
			})
		);
	});
}

#[test]
fn stake_goes_before_the_deposit_and_no_more_than_there_is() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		assert_eq!(Registry::slash(node, 500_000, None), 1_050);
		assert_eq!(Registry::slash(node, 500_000, None), 1_050);
		let info = Nodes::<Test>::get(node).unwrap();
		assert_eq!((info.stake, info.deposit), (0, 0));
		assert_eq!(Registry::slash(node, 1_000_000, None), 0);
		assert_eq!(Registry::slash(node, u32::MAX, None), 0);
		assert_eq!(held(1), 0);
		assert_eq!(Registry::slash(99, 1_000_000, None), 0);
	});
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		assert_eq!(Registry::slash(node, 960_000, None), 2_016);
		let info = Nodes::<Test>::get(node).unwrap();
		assert_eq!((info.stake, info.deposit), (0, 84));
	});
}

#[test]
fn a_reporter_too_poor_to_be_paid_leaves_his_part_to_the_treasury() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		// 1 ppm of 2100 rounds to nothing, so nothing happens and nothing is told.
		let events = System::events().len();
		assert_eq!(Registry::slash(node, 1, Some([77; 32])), 0);
		assert_eq!(System::events().len(), events);
		// A slash of 4 would pay the reporter 0.
		assert_eq!(Registry::slash(node, 2_000, Some([77; 32])), 4);
		assert_eq!((free(90), free(91), free(77)), (2, 2, 0));
	});
}

#[test]
fn jail_and_release() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		let revision = <Registry as NodeRegistry>::revision();
		assert!(!Registry::release(node));
		assert!(Registry::jail(node));
		assert!(!Registry::jail(node));
		assert_eq!(status(node), NodeStatus::Jailed);
		assert!(status(node).in_map());
		assert!(<Registry as NodeRegistry>::revision() > revision);
		assert_eq!(
			last_event(),
			RuntimeEvent::Registry(Event::NodeJailed { node })
		);

		// It can move, but neither grow nor leave.
		let owner = || RuntimeOrigin::signed(account(1));
		assert_ok!(Registry::update_node(owner(), node, params()));
		let mut grown = params();
		grown.capacity += 1;
		assert_noop!(
			Registry::update_node(owner(), node, grown),
			Error::<Test>::NodeJailed
		);
		assert_noop!(
			Registry::start_exit(owner(), node),
			Error::<Test>::NodeJailed
		);
		assert_noop!(
			Registry::claim_exit(owner(), node),
			Error::<Test>::NotDraining
		);

		assert!(Registry::release(node));
		assert_eq!(status(node), NodeStatus::Active);
		assert_ok!(Registry::start_exit(owner(), node));
		// Nobody on the way out is jailed.
		assert!(!Registry::jail(node));
		assert!(!Registry::jail(99) && !Registry::release(99) && !Registry::evict(99));
	});
}

#[test]
fn what_is_left_of_an_evicted_node_is_claimed_after_unbonding() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		assert!(Registry::jail(node));
		assert_eq!(Registry::slash(node, 100_000, None), 210);
		assert!(Registry::evict(node));
		assert!(!Registry::evict(node) && !Registry::release(node) && !Registry::jail(node));
		assert_eq!(
			last_event(),
			RuntimeEvent::Registry(Event::NodeEvicted {
				node,
				claimable: 1 + UNBONDING,
			})
		);
		assert!(!status(node).in_map());
		Registry::do_try_state().unwrap();

		let owner = || RuntimeOrigin::signed(account(1));
		assert_noop!(
			Registry::start_exit(owner(), node),
			Error::<Test>::NodeDraining
		);
		assert_noop!(
			Registry::claim_exit(owner(), node),
			Error::<Test>::StillBonded
		);
		System::set_block_number(1 + UNBONDING);
		let before = free(1);
		assert_ok!(Registry::claim_exit(owner(), node));
		assert_eq!(free(1), before + 1_890);
		assert_eq!(Registry::standing(node), None);
	});
}

#[test]
fn an_evicted_leaving_node_keeps_its_day() {
	ExtBuilder::default().build_and_execute(|| {
		let node = register(&account(1), 10);
		assert_ok!(Registry::start_exit(
			RuntimeOrigin::signed(account(1)),
			node
		));
		System::set_block_number(5);
		assert!(Registry::evict(node));
		assert_eq!(Nodes::<Test>::get(node).unwrap().claimable_at, Some(21));
	});
}
