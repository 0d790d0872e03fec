//! Who gets orders, and what becomes of offers.

use crate::{mock::*, Error, OfferOf, Offering, Request, MAX_WEIGHED, RETRY_BLOCKS};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::{
	money::Service, registration::NodeStatus, traits::LivenessState, NodeIndex,
};

const COMPUTE: Service = Service::Compute;

/// How many of so many orders each of the nodes wins.
fn won<const N: usize>(orders: u32) -> [u32; N] {
	MaxOrders::set(u32::MAX);
	let mut won = [0; N];
	for _ in 0..orders {
		let id = order(1);
		pass(1);
		won[holder(id) as usize] += 1;
		assert_ok!(OrdersPallet::cancel(signed(1), id));
	}
	won
}

fn set_status(node: NodeIndex, status: NodeStatus) {
	World::change(|facts| facts.nodes.get_mut(&node).unwrap().1 = status);
}

fn offered(node: NodeIndex) -> bool {
	let offer = OfferOf::<Test>::contains_key(COMPUTE, node);
	assert_eq!(Offering::<Test>::get(COMPUTE).contains(&node), offer);
	offer
}

#[test]
fn lots_fall_by_score_and_room() {
	run(|| {
		MaxOrders::set(u32::MAX);
		node(0, 1_000_000);
		node(1, 1_000_000);
		node(2, 500_000);
		node(3, 1_000_000);
		node(4, 1_000_000);
		World::change(|facts| {
			facts.scores = [(0, 1 << 30), (1, 1 << 29), (2, 1 << 30), (3, 0)].into();
			facts.nodes.get_mut(&4).unwrap().1 = NodeStatus::Jailed;
		});
		let mut won = [0u32; 5];
		for _ in 0..1_000 {
			let id = order(1);
			pass(1);
			won[holder(id) as usize] += 1;
			assert_ok!(OrdersPallet::cancel(signed(1), id));
		}
		// Two to one to one; nothing for the worthless and the jailed.
		assert!((440..560).contains(&won[0]), "{won:?}");
		assert!((200..300).contains(&won[1]), "{won:?}");
		assert!((200..300).contains(&won[2]), "{won:?}");
		assert_eq!(won[3..], [0, 0]);
	});
}

#[test]
fn a_giant_does_not_keep_dwarfs_from_being_found() {
	run(|| {
		node(0, u64::MAX);
		node(1, 10);
		World::change(|facts| facts.nodes.get_mut(&0).unwrap().1 = NodeStatus::Draining);
		let id = order(5);
		pass(1);
		assert_eq!(holder(id), 1);
	});
}

/// Once one had offered more than all others together, lots fell evenly for ever.
#[test]
fn a_false_offer_neither_wins_nor_spoils_the_lots() {
	run(|| {
		node(0, MAX_WEIGHED);
		node(1, MAX_WEIGHED);
		node(2, MAX_WEIGHED / 4);
		node(3, u64::MAX);
		let all: [u32; 4] = won(1_000);
		// Four to four to one to four, of thirteen.
		for at in [0, 1, 3] {
			assert!((250..370).contains(&all[at]), "{all:?}");
		}
		assert!((50..110).contains(&all[2]), "{all:?}");
		assert_ok!(OrdersPallet::offer(family(3), 3, COMPUTE, 0));
		node(2, MAX_WEIGHED / 8);
		let all: [u32; 3] = won(1_000);
		assert!((400..540).contains(&all[0]), "{all:?}");
		assert!((400..540).contains(&all[1]), "{all:?}");
		assert!((30..90).contains(&all[2]), "{all:?}");
	});
}

#[test]
fn bytes_count_up_to_what_a_node_has_registered() {
	run(|| {
		MaxOrders::set(u32::MAX);
		for (number, bytes) in [(0, 1_000), (1, 3_000)] {
			node(number, 1);
			World::change(|facts| facts.registered.insert(number, bytes));
			assert_ok!(OrdersPallet::offer(
				family(number),
				number,
				Service::S3,
				u64::MAX
			));
		}
		let ask = |units| {
			let id = crate::NextOrder::<Test>::get();
			let request = Request {
				service: Service::S3,
				..wanted(units)
			};
			assert_ok!(OrdersPallet::request(signed(1), request));
			pass(1);
			id
		};
		let mut won = [0; 2];
		for _ in 0..400 {
			let id = ask(1);
			won[holder(id) as usize] += 1;
			assert_ok!(OrdersPallet::cancel(signed(1), id));
		}
		assert!((70..130).contains(&won[0]), "one to three: {won:?}");
		assert_eq!(state(ask(3_001)).unwrap().node(), None);
		assert_eq!(holder(ask(3_000)), 1);
		assert_eq!(holder(ask(1_000)), 0);
		// Both are full now, whatever they say.
		assert_eq!(state(ask(1)).unwrap().node(), None);
	});
}

#[test]
fn the_only_offer_with_room_is_found_among_many() {
	run(|| {
		for number in 0..150 {
			node(number, if number == 77 { 9 } else { 1 });
		}
		let id = order(9);
		let mut found = None;
		for _ in 0..40 * RETRY_BLOCKS {
			pass(1);
			found = state(id).unwrap().node();
			if found.is_some() {
				break;
			}
		}
		assert_eq!(found, Some(77));
	});
}

/// After a claimed exit nobody could, so that the list filled up.
#[test]
fn anyone_may_end_the_offer_of_a_node_that_is_gone() {
	run(|| {
		for number in 0..3 {
			node(number, 10);
		}
		let end = |who, node| OrdersPallet::offer(signed(who), node, COMPUTE, 0);
		assert_noop!(end(9, 0), Error::<Test>::NotYourNode);
		World::change(|facts| facts.nodes.remove(&0));
		assert_ok!(end(9, 0));
		assert!(!offered(0));
		assert_noop!(end(9, 0), Error::<Test>::UnknownNode);
		for status in [NodeStatus::Draining, NodeStatus::Evicted] {
			node(1, 10);
			set_status(1, status);
			let again = OrdersPallet::offer(family(1), 1, COMPUTE, 20);
			assert_eq!(again, Err(Error::<Test>::NodeLeaving.into()));
			assert_ok!(end(9, 1));
			assert!(!offered(1));
			assert_noop!(end(9, 1), Error::<Test>::NotYourNode);
		}
		// One that is jailed, or down, comes back.
		set_status(2, NodeStatus::Jailed);
		World::change(|facts| facts.liveness.insert(2, LivenessState::Down { since: 1 }));
		assert_noop!(end(9, 2), Error::<Test>::NotYourNode);
		pass(10);
		assert!(offered(2));
	});
}

#[test]
fn blocks_end_the_offers_of_nodes_that_are_gone_once_nothing_is_taken_of_them() {
	run(|| {
		for number in 0..20 {
			node(number, 10);
		}
		let id = order(8);
		pass(1);
		let holder = holder(id);
		assert_ok!(OrdersPallet::accept(family(holder), id));
		World::change(|facts| {
			facts
				.nodes
				.retain(|number, _| *number >= 19 && *number != holder)
		});
		let end = OrdersPallet::offer(signed(9), holder, COMPUTE, 0);
		assert_eq!(end, Err(Error::<Test>::CapacityTaken.into()));
		// Each is looked at: some in a block, and all once more, for the one that had an order at first.
		pass(2 * 20 / crate::OFFERS_PER_BLOCK + 4);
		let left: Vec<_> = Offering::<Test>::get(COMPUTE).into_inner();
		assert_eq!(
			left,
			World::change(|facts| facts.nodes.keys().copied().collect::<Vec<_>>())
		);
	});
}
