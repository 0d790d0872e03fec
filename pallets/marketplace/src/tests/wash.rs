//! What is sent is paid by what went to revenue for it: whose traffic costs nothing, or is paid with what is
//! charged back, earns nothing; and nobody earns more than a part of what its own traffic cost.

use super::gateways::*;
use crate::{mock::*, Grant, Receipts, SignedReceipt};
use frame_support::assert_ok;
use hippius_primitives::money::{EgressReceipt, Service};
use sp_core::{sr25519, Pair};
use sp_runtime::MultiSignature;

fn earned(node: u32) -> u128 {
	pallet_rewards::Earned::<Test>::get(node).map_or(0, |earned| earned.accrued + earned.withheld)
}

/// The next era ends: what was sent in it is paid.
fn pay_era(era: u32) {
	World::change(|facts| facts.eras.insert(era, 1));
	assert_ok!(Rewards::freeze(signed(1), Service::Arion));
	if pallet_rewards::EraPools::<Test>::contains_key(EGRESS, era) {
		assert_ok!(Rewards::payout_page(signed(1), EGRESS, era, 0));
	}
}

/// Another client, with alpha of its own, receives bytes of node 2 by the same gateway.
fn others(alpha: u128, bytes: u64) {
	let pair = sr25519::Pair::from_seed(&[8; 32]);
	let who = AccountId::new(pair.public().0);
	assert_ok!(Balances::transfer_allow_death(
		signed(1),
		who.clone(),
		alpha + LEAST
	));
	let by = || RuntimeOrigin::signed(who.clone());
	assert_ok!(Market::deposit(by(), alpha, 0));
	let grant = Grant {
		units: 0,
		credits: u128::MAX,
		until: u32::MAX,
	};
	assert_ok!(Market::authorize_gateway(by(), account(GATEWAY), grant));
	let receipt = EgressReceipt {
		client: who.clone().into(),
		node: 2,
		..receipt(bytes)
	};
	let signature = MultiSignature::Sr25519(pair.sign(&receipt.payload()));
	let receipts = vec![SignedReceipt { receipt, signature }];
	assert_ok!(Market::post_egress(
		signed(GATEWAY),
		Receipts::truncate_from(receipts)
	));
}

/// A client, a gateway and a node of one hand send each other bytes, while others' money is in the pool:
/// it pays all and gets back at most what the miners' part of its own is.
#[test]
fn wash_traffic_costs_more_than_it_earns() {
	run(|| {
		funded(10 * ALPHA, 100 * DOLLAR);
		others(20 * ALPHA, 100_000 * GB);
		assert_ok!(post(&[receipt(50_000 * GB)]));
		assert_eq!(left(), 0);
		pay_era(0);
		assert_eq!(earned(1), 6 * ALPHA);
		assert_eq!(earned(2), 12 * ALPHA);
	});
}

/// Bytes that cost nothing weigh nothing, however many they are: not in this era, nor in the first in
/// which others pay.
#[test]
fn bytes_without_a_price_buy_no_part_of_a_later_pool() {
	run(|| {
		crate::Prices::<Test>::remove(EGRESS);
		funded(ALPHA, 0);
		for bytes in [GB, u64::MAX] {
			assert_ok!(post(&[receipt(bytes)]));
		}
		assert_eq!(left(), 10 * DOLLAR);
		pay_era(0);
		let price = hippius_economy::index::whole(EGRESS_PRICE);
		assert_ok!(Market::set_price(
			RuntimeOrigin::root(),
			EGRESS,
			price,
			now()
		));
		others(10 * ALPHA, 50_000 * GB);
		pay_era(1);
		assert_eq!((earned(1), earned(2)), (0, 6 * ALPHA));
	});
}

/// Traffic paid by a stolen card takes nothing of what others paid: not while it is frozen, nor when it is
/// charged back.
#[test]
fn wash_traffic_with_a_stolen_card_earns_nothing() {
	run(|| {
		let card = hippius_primitives::money::Voucher {
			user: client().into(),
			..voucher(1, 0, 1_000 * DOLLAR)
		};
		assert_ok!(redeem(card));
		authorise(0, u128::MAX);
		let float = free(&Market::float());
		assert_ok!(post(&[receipt(500_000 * GB)]));
		assert_eq!(left(), 0);
		others(10 * ALPHA, 50_000 * GB);
		pay_era(0);
		assert_eq!((earned(1), earned(2)), (0, 6 * ALPHA));
		assert_ok!(chargeback(1));
		assert_eq!(free(&Market::float()) - float, 100 * ALPHA);
	});
}

/// What a card paid for when it matured comes without a weight: little wash traffic must not earn it. It
/// goes to those who hold.
#[test]
fn what_matures_is_not_for_whoever_sends_a_little_then() {
	run(|| {
		let card = hippius_primitives::money::Voucher {
			user: client().into(),
			..voucher(1, 0, 1_000 * DOLLAR)
		};
		assert_ok!(redeem(card));
		authorise(0, u128::MAX);
		assert_ok!(post(&[receipt(500_000 * GB)]));
		pass(30 * DAY);
		assert_ok!(Market::mature(signed(9), [1; 32]));
		let pot = pallet_rewards::Pots::<Test>::get;
		assert_eq!((pot(EGRESS), pot(HELD)), (0, 60 * ALPHA));
		others(ALPHA, GB);
		pay_era(0);
		// Two thousand credits, a hundred rao each, 60 % of it.
		assert_eq!(earned(2), 120_000);
	});
}

/// Nor is what nobody can be paid for.
#[test]
fn bytes_of_a_node_that_does_not_exist_are_paid_to_those_who_hold() {
	run(|| {
		funded(ALPHA, DOLLAR);
		let nowhere = EgressReceipt {
			node: 99,
			..receipt(GB)
		};
		assert_ok!(post(&[nowhere]));
		let pot = pallet_rewards::Pots::<Test>::get;
		assert_eq!((pot(EGRESS), pot(HELD)), (0, 120_000));
		assert_eq!(pallet_rewards::EgressTotal::<Test>::get(Service::Arion), 0);
	});
}
