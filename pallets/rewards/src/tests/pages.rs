//! I6: whoever pays which page when, and whatever happens in between, a miner gets the same.

use crate::{mock::*, Earned, Error, Pots};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::{money::Service, traits::NodeEarnings};
use std::collections::BTreeMap;

const NODES: u32 = 300;
/// Slashed, withdraws, is short of a bond, leaves: of different pages, the last of the second one.
const SLASHED: u32 = 5;
const PAID: u32 = 130;
const SHORT: u32 = 290;
const LEAVES: u32 = 200;

/// What each miner has got in all, and what is left in the pool.
type Got = (BTreeMap<u32, u128>, u128);

/// Two eras of 300 nodes; of the second the pages are paid in `order`, with everything happening after the
/// `after`-th of them.
fn paid_in(order: [u32; 3], after: usize) -> Got {
	let mut got = Got::default();
	run(|| {
		World::nodes(NODES);
		World::era(Service::Arion, 0, (0..NODES).map(|node| (node, 1)));
		charge(ARION, 1_000_000);
		assert_ok!(Rewards::freeze(signed(5), Service::Arion));
		for page in 0..3 {
			assert_ok!(Rewards::payout_page(signed(5), ARION, 0, page));
		}
		let weights = (0..NODES).map(|node| (node, u128::from(node) * 7 + 1));
		World::era(Service::Arion, 1, weights);
		charge(ARION, 10u128.pow(12) + 1);
		assert_ok!(Rewards::freeze(signed(5), Service::Arion));
		let mut slashed = 0;
		for (turn, page) in order.into_iter().enumerate() {
			if turn == after {
				slashed = happens();
			}
			assert_ok!(Rewards::payout_page(signed(6), ARION, 1, page));
			let again = match turn {
				2 => Error::<Test>::UnknownEra,
				_ => Error::<Test>::PageAlreadyPaid,
			};
			assert_noop!(Rewards::payout_page(signed(7), ARION, 1, page), again);
		}
		for node in 0..=NODES {
			let earned = Earned::<Test>::get(node).map_or(0, |e| e.accrued + e.withheld);
			let withdrawn = Balances::free_balance(family(node));
			got.0.insert(node, earned + withdrawn);
		}
		*got.0.get_mut(&SLASHED).unwrap() += slashed;
		got.1 = Pots::<Test>::get(ARION);
	});
	got
}

/// A node registers, one leaves, one is slashed, a family withdraws, a bond is short, more is charged.
fn happens() -> u128 {
	World::change(|facts| {
		facts.nodes.insert(NODES, family(NODES));
		facts.nodes.remove(&LEAVES);
		facts.bonds.insert(SHORT, (10, 10_000));
	});
	let slashed = Rewards::slash(SLASHED, 777, Some([60; 32]));
	assert_ok!(Rewards::withdraw(RuntimeOrigin::signed(family(PAID)), PAID));
	charge(ARION, 1_000);
	slashed
}

#[test]
fn pages_in_any_order_with_anything_in_between_pay_the_same() {
	let (first, pot) = paid_in([0, 1, 2], 1);
	assert!((0..NODES).all(|node| first[&node] >= 2_000));
	assert_eq!(first[&NODES], 0, "it was not there");
	for order in [
		[0, 1, 2],
		[0, 2, 1],
		[1, 0, 2],
		[1, 2, 0],
		[2, 0, 1],
		[2, 1, 0],
	] {
		for after in [1, 2] {
			let (other, left) = paid_in(order, after);
			for node in (0..=NODES).filter(|node| *node != LEAVES) {
				assert_eq!(other[&node], first[&node], "{node} by {order:?}, {after}");
			}
			// Who leaves before its page leaves its share of it to the next era, to the rao.
			let before = order.iter().position(|page| *page == LEAVES / 128) < Some(after);
			assert_eq!(other[&LEAVES] == 2_000, !before, "{order:?}, {after}");
			assert_eq!(other[&LEAVES] + left, first[&LEAVES] + pot);
		}
	}
}
