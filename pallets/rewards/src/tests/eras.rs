//! Revenue, eras, pages, withdrawals.

use crate::{mock::*, Earned, Earnings, EgressTotal, EraPools, Error, OpenEras, Pots, WeightInfo};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use hippius_primitives::{
	money::{Pool, Service},
	traits::{EgressWeights, NotTaken, RevenueSink},
};
use hippius_score::{pay_weight, ONE};

fn accrued(node: u32) -> u128 {
	Earned::<Test>::get(node).map_or(0, |earned| earned.accrued)
}

fn freeze() {
	assert_ok!(Rewards::freeze(signed(5), Service::Arion));
}

fn pay_all(pool: Pool, era: u32) {
	while let Some(page) = EraPools::<Test>::get(pool, era).and_then(|era| era.first_unpaid()) {
		assert_ok!(Rewards::payout_page(signed(5), pool, era, page));
	}
}

#[test]
fn a_charge_is_split_at_once_and_adds_up() {
	run(|| {
		for rao in [1, 5, 6, 16, 1_000, 10u128.pow(30)] {
			let before = crate::Sums::<Test>::get();
			charge(ARION, rao);
			let after = crate::Sums::<Test>::get();
			assert_eq!(after.miners - before.miners, rao * 60 / 100);
			assert_eq!(after.validators - before.validators, rao * 30 / 100);
			assert_eq!(after.revenue - before.revenue, rao);
		}
		assert_eq!(
			Balances::free_balance(Rewards::account()) - LEAST,
			crate::Sums::<Test>::get().revenue
		);
		// Six: 3 + 1 + 2, not 4 + 2 + 1.
		charge(Service::S3.egress(), 6);
		assert_eq!(Pots::<Test>::get(Service::S3.egress()), 3);
	});
}

#[test]
fn a_charge_that_is_not_there_is_refused_whole() {
	run(|| {
		assert_eq!(
			<Rewards as RevenueSink<AccountId>>::charge(&account(50), ARION, 10),
			Err(NotTaken)
		);
		assert_eq!(crate::Sums::<Test>::get().revenue, 0);
	});
}

#[test]
fn an_era_pays_by_weight_and_carries_the_rest() {
	run(|| {
		World::nodes(3);
		World::era(Service::Arion, 0, [(0, 1), (1, 1), (2, 1)]);
		charge(ARION, 1_000);
		freeze();
		assert_eq!(Pots::<Test>::get(ARION), 0);
		pay_all(ARION, 0);
		assert_eq!([0, 1, 2].map(accrued), [200, 200, 200]);
		assert_eq!(Pots::<Test>::get(ARION), 0);
		assert!(OpenEras::<Test>::get().is_empty());
		// 0.6 * 1001 = 600: a third of it is 200.
		charge(ARION, 1_003);
		World::era(Service::Arion, 1, [(0, 1), (1, 1), (2, 1)]);
		charge(ARION, 2);
		freeze();
		pay_all(ARION, 1);
		assert_eq!(accrued(0), 400);
		assert_eq!(Pots::<Test>::get(ARION), 2, "602 / 3 = 200 and 2 over");
		charge(ARION, 10);
		World::era(Service::Arion, 2, [(0, 1)]);
		freeze();
		pay_all(ARION, 2);
		assert_eq!(accrued(0), 408);
	});
}

#[test]
fn a_page_is_paid_once_in_any_order_by_anyone() {
	run(|| {
		World::nodes(300);
		World::era(Service::Arion, 4, (0..300).map(|node| (node, 1)));
		charge(ARION, 1_000_000);
		freeze();
		assert_eq!(EraPools::<Test>::get(ARION, 4).unwrap().pages, 3);
		assert_ok!(Rewards::payout_page(signed(9), ARION, 4, 2));
		assert_noop!(
			Rewards::payout_page(signed(9), ARION, 4, 2),
			Error::<Test>::PageAlreadyPaid
		);
		assert_noop!(
			Rewards::payout_page(signed(9), ARION, 4, 3),
			Error::<Test>::UnknownPage
		);
		assert_noop!(
			Rewards::payout_page(signed(9), ARION, 3, 0),
			Error::<Test>::UnknownEra
		);
		assert_ok!(Rewards::payout_page(signed(8), ARION, 4, 0));
		assert_ok!(Rewards::payout_page(signed(7), ARION, 4, 1));
		assert_noop!(
			Rewards::payout_page(signed(9), ARION, 4, 1),
			Error::<Test>::UnknownEra
		);
		assert!((0..300).all(|node| accrued(node) == 2_000));
		assert_noop!(
			Rewards::freeze(signed(5), Service::Arion),
			Error::<Test>::NothingToFreeze
		);
	});
}

#[test]
fn nobody_earned_so_the_pool_is_carried_over() {
	run(|| {
		World::nodes(1);
		charge(ARION, 100);
		World::era(Service::Arion, 0, []);
		freeze();
		assert_eq!(Pots::<Test>::get(ARION), 60);
		World::era(Service::Arion, 1, [(0, 0)]);
		freeze();
		assert_eq!(Pots::<Test>::get(ARION), 60);
		World::era(Service::Arion, 2, [(0, 7)]);
		freeze();
		pay_all(ARION, 2);
		assert_eq!(accrued(0), 60);
	});
}

#[test]
fn a_node_that_left_before_its_page_leaves_its_share_to_the_others() {
	run(|| {
		World::nodes(2);
		World::era(Service::Arion, 0, [(0, 1), (1, 1)]);
		charge(ARION, 100);
		freeze();
		World::change(|facts| facts.nodes.remove(&1));
		pay_all(ARION, 0);
		assert_eq!((accrued(0), Pots::<Test>::get(ARION)), (30, 30));
	});
}

#[test]
fn weights_that_do_not_add_up_pay_no_more_than_there_is() {
	run(|| {
		World::nodes(2);
		World::era(Service::Arion, 0, [(0, 10)]);
		charge(ARION, 100);
		freeze();
		World::era(Service::Arion, 0, [(0, u128::MAX / 4), (1, u128::MAX / 4)]);
		pay_all(ARION, 0);
		assert_eq!((accrued(0), accrued(1)), (60, 0));
	});
}

#[test]
fn an_era_whose_weights_are_forgotten_is_closed_not_lost() {
	run(|| {
		World::nodes(1);
		World::era(Service::Arion, 0, [(0, 1)]);
		charge(ARION, 100);
		freeze();
		assert_noop!(
			Rewards::close_era(signed(5), ARION, 0),
			Error::<Test>::EraIsKept
		);
		World::change(|facts| facts.eras.clear());
		assert_noop!(
			Rewards::payout_page(signed(5), ARION, 0, 0),
			Error::<Test>::EraNotKept
		);
		assert_ok!(Rewards::close_era(signed(5), ARION, 0));
		assert_eq!(Pots::<Test>::get(ARION), 60);
	});
}

#[test]
fn a_block_with_room_pays_by_itself() {
	run(|| {
		World::nodes(200);
		World::era(Service::Arion, 0, (0..200).map(|node| (node, 1)));
		charge(ARION, 1_000_000);
		charge(Service::Arion.egress(), 1_000);
		Rewards::sent(Service::Arion, 7, 5);
		assert_eq!(Rewards::on_idle(2, Weight::zero()), Weight::zero());
		for block in 2..6 {
			let used = Rewards::on_idle(block, Weight::MAX);
			assert!(
				used.ref_time() < 100_000_000_000,
				"a twentieth of a block: {used:?}"
			);
		}
		assert_eq!(accrued(199), 3_000);
		assert_eq!(accrued(7), 3_600);
		assert!(OpenEras::<Test>::get().is_empty());
		// Forgotten before it was paid.
		charge(ARION, 1_000_000);
		World::era(Service::Arion, 1, [(0, 1)]);
		freeze();
		World::change(|facts| facts.eras.clear());
		Rewards::on_idle(7, Weight::MAX);
		assert_eq!(Pots::<Test>::get(ARION), 600_000);
	});
}

#[test]
fn egress_is_paid_apart_by_what_was_paid_for_it() {
	run(|| {
		World::nodes(4);
		World::era(Service::Arion, 0, [(0, 1)]);
		let egress = Service::Arion.egress();
		charge(egress, 1_000);
		Rewards::sent(Service::Arion, 1, 3);
		Rewards::sent(Service::Arion, 2, 1);
		// There is no such node, so it takes nothing from others.
		Rewards::sent(Service::Arion, 99, u128::MAX);
		freeze();
		// Of the next era.
		Rewards::sent(Service::Arion, 3, 100);
		pay_all(egress, 0);
		assert_eq!([0, 1, 2, 3].map(accrued), [0, 450, 150, 0]);
		assert_eq!(EgressTotal::<Test>::get(Service::Arion), 100);
		charge(egress, 100);
		World::era(Service::Arion, 1, [(0, 1)]);
		freeze();
		pay_all(egress, 1);
		assert_eq!(accrued(3), 60);
	});
}

/// A share of egress that nobody can have any more is no prize for who sends a little in the next era: those
/// who hold get it.
#[test]
fn what_is_left_of_egress_goes_to_those_who_hold() {
	run(|| {
		World::nodes(3);
		World::era(Service::Arion, 0, [(0, 1)]);
		let egress = Service::Arion.egress();
		charge(egress, 1_000);
		Rewards::sent(Service::Arion, 1, 600);
		Rewards::sent(Service::Arion, 2, 400);
		// Nothing came in for this.
		Rewards::sent(Service::Arion, 0, 0);
		freeze();
		World::change(|facts| facts.nodes.remove(&2));
		pay_all(egress, 0);
		assert_eq!([0, 1].map(accrued), [0, 360]);
		assert_eq!(
			(Pots::<Test>::get(egress), Pots::<Test>::get(ARION)),
			(0, 240)
		);
	});
}

#[test]
fn a_family_withdraws_what_its_node_earned() {
	run(|| {
		World::nodes(1);
		World::era(Service::Arion, 0, [(0, 1)]);
		charge(ARION, 1_000);
		freeze();
		pay_all(ARION, 0);
		assert_noop!(Rewards::withdraw(signed(5), 0), Error::<Test>::NotYourNode);
		assert_noop!(Rewards::withdraw(signed(5), 1), Error::<Test>::NothingToPay);
		let mine = RuntimeOrigin::signed(family(0));
		assert_ok!(Rewards::withdraw(mine.clone(), 0));
		assert_eq!(Balances::free_balance(family(0)), 600);
		assert_noop!(Rewards::withdraw(mine, 0), Error::<Test>::NothingToPay);
		assert!(Earned::<Test>::get(0).is_none());
	});
}

#[test]
fn too_little_to_keep_an_account_alive_stays_credited() {
	run(|| {
		World::nodes(1);
		World::era(Service::Arion, 0, [(0, 1)]);
		charge(ARION, 100);
		freeze();
		pay_all(ARION, 0);
		assert!(Rewards::withdraw(RuntimeOrigin::signed(family(0)), 0).is_err());
		assert_eq!(accrued(0), 60);
	});
}

#[test]
fn what_a_bond_lacks_is_withheld_and_given_when_it_is_whole() {
	run(|| {
		World::nodes(1);
		World::change(|facts| facts.bonds.insert(0, (100, 350)));
		World::era(Service::Arion, 0, [(0, 1)]);
		charge(ARION, 1_000);
		freeze();
		pay_all(ARION, 0);
		// Half of 600 would be 300, but only 250 are missing.
		let earned = Earnings {
			family: family(0).into(),
			accrued: 350,
			withheld: 250,
		};
		assert_eq!(Earned::<Test>::get(0), Some(earned));
		charge(ARION, 1_000);
		World::era(Service::Arion, 1, [(0, 1)]);
		freeze();
		pay_all(ARION, 1);
		assert_eq!(Earned::<Test>::get(0).unwrap().withheld, 250);
		let mine = RuntimeOrigin::signed(family(0));
		assert_ok!(Rewards::withdraw(mine.clone(), 0));
		assert_eq!(Balances::free_balance(family(0)), 950);
		assert_noop!(
			Rewards::withdraw(mine.clone(), 0),
			Error::<Test>::NothingToPay
		);
		// It bonds 50 more: so much is free.
		World::change(|facts| facts.bonds.insert(0, (150, 350)));
		assert_ok!(Rewards::withdraw(mine.clone(), 0));
		assert_eq!(Balances::free_balance(family(0)), 1_000);
		// It left: all is.
		World::change(|facts| facts.nodes.clear());
		assert_ok!(Rewards::withdraw(mine, 0));
		assert_eq!(Balances::free_balance(family(0)), 1_200);
	});
}

#[test]
fn the_treasury_gets_its_part() {
	run(|| {
		assert_noop!(
			Rewards::pay_treasury(signed(5)),
			Error::<Test>::NothingToPay
		);
		charge(ARION, 1_006);
		assert_ok!(Rewards::pay_treasury(signed(5)));
		assert_eq!(Balances::free_balance(account(91)), LEAST + 102);
	});
}

/// Upstream paid by a logarithm: a dust node out-earned a large one.
#[test]
fn dust_nodes_do_not_out_earn_a_large_one() {
	run(|| {
		World::nodes(101);
		let large = (100, pay_weight(10u128.pow(12) * 600, ONE));
		let dust = (0..100).map(|node| (node, pay_weight(10u128.pow(6) * 600, ONE)));
		World::era(Service::Arion, 0, dust.chain([large]));
		charge(ARION, 10u128.pow(12));
		freeze();
		pay_all(ARION, 0);
		let dust: u128 = (0..100).map(accrued).sum();
		assert!(dust * 9_999 <= accrued(100), "{dust} of {}", accrued(100));
	});
}

/// Upstream, ten nodes earned more than one with the same bytes.
#[test]
fn ten_nodes_earn_what_one_with_the_same_bytes_does() {
	run(|| {
		World::nodes(12);
		let bytes = 10u128.pow(12) * 600;
		let parts = (0..10).map(|node| (node, pay_weight(bytes / 10, ONE)));
		World::era(
			Service::Arion,
			0,
			parts.chain([
				(10, pay_weight(bytes, ONE)),
				(11, pay_weight(bytes, ONE / 2)),
			]),
		);
		charge(ARION, 10u128.pow(12));
		freeze();
		pay_all(ARION, 0);
		let ten: u128 = (0..10).map(accrued).sum();
		assert!(ten <= accrued(10) && accrued(10) - ten < 10);
		assert_eq!(accrued(11), accrued(10) / 2, "half the score, half the pay");
	});
}

#[test]
fn every_call_fits_a_block_with_room() {
	// A block has two seconds.
	let percent = 20_000_000_000;
	assert!(<() as WeightInfo>::payout_page().ref_time() < 5 * percent);
	assert!(<() as WeightInfo>::payout_validator().ref_time() < 5 * percent);
	assert!(<() as WeightInfo>::close_staker_era().ref_time() < 2 * percent);
	assert!(<() as WeightInfo>::freeze().ref_time() < percent);
}

/// Whatever a page is paid by: of each node its record, what stands behind it, what it earned; what it sent
/// is read and removed, of what it served two items are read.
#[test]
fn a_page_is_declared_with_the_dearest_kind_of_weights() {
	let db = frame_support::weights::constants::ParityDbWeight::get();
	let nodes = u64::from(crate::PAGE);
	let page = <() as WeightInfo>::payout_page();
	let egress = db.reads_writes(3 * nodes, 2 * nodes);
	let ordered = db.reads_writes(4 * nodes, nodes);
	assert!(page.ref_time() >= egress.ref_time() && page.ref_time() >= ordered.ref_time());
}
