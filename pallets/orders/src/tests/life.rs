//! An order's life.

use crate::{mock::*, Ended, Error, Event, Moved, Orders, Request, State, RETRY_BLOCKS};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use hippius_primitives::{money::Service, registration::NodeStatus, traits::LivenessState};

fn reassigned(id: u64) -> Vec<Moved> {
	let of = |event| match event {
		Event::Reassigned { id: of, why, .. } if of == id => Some(why),
		_ => None,
	};
	events().into_iter().filter_map(of).collect()
}

#[test]
fn requested_assigned_accepted_switched_renewed_cancelled() {
	run(|| {
		node(0, 10);
		let id = order(8);
		// Not in the block it was made in.
		OrdersPallet::on_initialize(1);
		assert_eq!(state(id), Some(State::Requested { since: 1 }));
		pass(1);
		let until = 2 + ACCEPT;
		assert_eq!(state(id), Some(State::Assigned { node: 0, until }));
		assert_eq!((taken(0), used(1)), (8, 0));
		assert_ok!(OrdersPallet::accept(family(0), id));
		assert_eq!(used(1), 8);
		assert_noop!(
			OrdersPallet::set_running(signed(1), id, true),
			Error::<Test>::NothingChanges
		);
		assert_ok!(OrdersPallet::set_running(signed(1), id, false));
		assert_eq!((used(1), taken(0)), (2, 8));
		assert_ok!(OrdersPallet::set_running(signed(1), id, true));
		assert_eq!(used(1), 8);
		assert_ok!(OrdersPallet::renew(signed(1), id, 500));
		assert_eq!(Orders::<Test>::get(id).unwrap().until, 1 + 1_000 + 500);
		assert_ok!(OrdersPallet::cancel(signed(1), id));
		assert_eq!((used(1), taken(0)), (0, 0));
		assert_eq!(ended(id), Some(Ended::Cancelled));
		assert_noop!(
			OrdersPallet::cancel(signed(1), id),
			Error::<Test>::UnknownOrder
		);
	});
}

#[test]
fn a_term_ends_and_is_not_renewed_later() {
	run(|| {
		node(0, 10);
		let id = order(8);
		pass(1);
		assert_ok!(OrdersPallet::accept(family(0), id));
		assert_noop!(
			OrdersPallet::advance(signed(9), id),
			Error::<Test>::NothingDue
		);
		System::set_block_number(1_001);
		assert_noop!(
			OrdersPallet::renew(signed(1), id, 5),
			Error::<Test>::TooLate
		);
		assert_ok!(OrdersPallet::advance(signed(9), id));
		assert_eq!(ended(id), Some(Ended::TermOver));
		assert_eq!(used(1), 0);
	});
}

#[test]
fn who_rejects_or_sleeps_is_not_asked_again_while_there_are_others() {
	run(|| {
		for number in 0..3 {
			node(number, 10);
		}
		let id = order(8);
		pass(1);
		let first = holder(id);
		assert_ok!(OrdersPallet::decline(family(first), id));
		assert_eq!(taken(first), 0);
		pass(1);
		let second = holder(id);
		assert_ne!(second, first);
		// It sleeps; the blocks notice.
		pass(ACCEPT);
		assert_eq!(holder(id), second);
		assert_noop!(
			OrdersPallet::advance(signed(9), id),
			Error::<Test>::NothingDue
		);
		pass(3);
		let third = holder(id);
		assert!(third != first && third != second);
		assert_eq!(reassigned(id), [Moved::Rejected, Moved::TimedOut]);
		assert_ok!(OrdersPallet::decline(family(third), id));
		// Nobody else is there: they are asked again.
		pass(1 + RETRY_BLOCKS);
		assert!(matches!(state(id), Some(State::Assigned { .. })));
	});
}

#[test]
fn a_late_node_cannot_accept() {
	run(|| {
		node(0, 10);
		let id = order(8);
		pass(1);
		System::set_block_number(2 + u64::from(ACCEPT) + 1);
		assert_noop!(OrdersPallet::accept(family(0), id), Error::<Test>::TooLate);
		assert_ok!(OrdersPallet::advance(signed(9), id));
		assert_noop!(
			OrdersPallet::accept(family(0), id),
			Error::<Test>::NotAssigned
		);
	});
}

#[test]
fn an_order_of_a_node_that_failed_moves_and_is_not_charged_meanwhile() {
	run(|| {
		node(0, 10);
		let id = order(8);
		pass(1);
		assert_ok!(OrdersPallet::accept(family(0), id));
		node(1, 10);
		World::change(|facts| facts.liveness.insert(0, LivenessState::Silent));
		assert_noop!(
			OrdersPallet::advance(signed(9), id),
			Error::<Test>::NothingDue
		);
		World::change(|facts| facts.liveness.insert(0, LivenessState::Down { since: 1 }));
		assert_ok!(OrdersPallet::advance(signed(9), id));
		assert_eq!((used(1), taken(0)), (0, 0));
		pass(1);
		assert_eq!(holder(id), 1);
		assert_ok!(OrdersPallet::accept(family(1), id));
		assert_eq!((used(1), taken(1)), (8, 8));
		// It leaves.
		World::change(|facts| {
			facts.liveness.clear();
			facts.nodes.get_mut(&1).unwrap().1 = NodeStatus::Draining;
		});
		pass(2);
		assert_eq!(reassigned(id), [Moved::NodeFailed, Moved::NodeFailed]);
		// And the other gives it back when it has it again.
		pass(RETRY_BLOCKS);
		assert_eq!(holder(id), 0);
		assert_ok!(OrdersPallet::accept(family(0), id));
		assert_ok!(OrdersPallet::decline(family(0), id));
		assert_eq!(reassigned(id).last(), Some(&Moved::GivenBack));
	});
}

#[test]
fn who_cannot_pay_gets_nothing() {
	run(|| {
		node(0, 10);
		let id = order(8);
		pass(1);
		World::change(|facts| facts.broke.insert([1; 32]));
		assert_ok!(OrdersPallet::accept(family(0), id));
		assert_eq!(ended(id), Some(Ended::Unpaid));
		assert_eq!((used(1), taken(0)), (0, 0));
		World::change(|facts| facts.broke.clear());
		let id = order(8);
		pass(1);
		assert_ok!(OrdersPallet::accept(family(0), id));
		assert_ok!(OrdersPallet::set_running(signed(1), id, false));
		World::change(|facts| facts.broke.insert([1; 32]));
		assert_noop!(
			OrdersPallet::set_running(signed(1), id, true),
			Error::<Test>::NotPaid
		);
		World::change(|facts| facts.expired.insert([1; 32]));
		pass(2);
		assert_eq!(ended(id), Some(Ended::Unpaid));
		assert_noop!(
			OrdersPallet::request(signed(1), wanted(1)),
			Error::<Test>::NotPaid
		);
	});
}

#[test]
fn a_node_gets_no_more_than_it_offers() {
	run(|| {
		node(0, 10);
		let (first, second) = (order(8), order(8));
		pass(1);
		assert_eq!(holder(first), 0);
		assert!(matches!(state(second), Some(State::Requested { .. })));
		assert_noop!(
			OrdersPallet::offer(family(0), 0, Service::Compute, 7),
			Error::<Test>::CapacityTaken
		);
		assert_noop!(
			OrdersPallet::offer(family(0), 0, Service::Compute, 0),
			Error::<Test>::CapacityTaken
		);
		assert_ok!(OrdersPallet::offer(family(0), 0, Service::Compute, 16));
		pass(RETRY_BLOCKS);
		assert_eq!(holder(second), 0);
		assert_ok!(OrdersPallet::cancel(signed(1), first));
		assert_ok!(OrdersPallet::cancel(signed(1), second));
		assert_ok!(OrdersPallet::offer(family(0), 0, Service::Compute, 0));
		assert_noop!(
			OrdersPallet::offer(family(0), 0, Service::Compute, 0),
			Error::<Test>::NoOffer
		);
	});
}

#[test]
fn others_can_do_nothing() {
	run(|| {
		node(0, 10);
		let id = order(8);
		assert_noop!(
			OrdersPallet::accept(family(0), id),
			Error::<Test>::NotAssigned
		);
		assert_noop!(
			OrdersPallet::decline(family(0), id),
			Error::<Test>::NotAssigned
		);
		assert_noop!(
			OrdersPallet::set_running(signed(1), id, false),
			Error::<Test>::NotActive
		);
		pass(1);
		assert_noop!(
			OrdersPallet::accept(signed(1), id),
			Error::<Test>::NotYourNode
		);
		assert_noop!(
			OrdersPallet::decline(signed(1), id),
			Error::<Test>::NotYourNode
		);
		assert_noop!(
			OrdersPallet::cancel(signed(2), id),
			Error::<Test>::NotYourOrder
		);
		assert_noop!(
			OrdersPallet::renew(signed(2), id, 5),
			Error::<Test>::NotYourOrder
		);
		assert_noop!(
			OrdersPallet::offer(signed(2), 0, Service::Compute, 5),
			Error::<Test>::NotYourNode
		);
		assert_noop!(
			OrdersPallet::offer(signed(2), 7, Service::Compute, 5),
			Error::<Test>::UnknownNode
		);
	});
}

#[test]
fn what_cannot_be_ordered_is_refused() {
	run(|| {
		let refused = |request: Request, error: Error<Test>| {
			assert_noop!(OrdersPallet::request(signed(1), request), error);
		};
		let base = wanted(4);
		let shards = Request {
			service: Service::Arion,
			..base.clone()
		};
		refused(shards, Error::<Test>::NotOrdered);
		let nothing = Request {
			units: 0,
			idle_units: 0,
			..base.clone()
		};
		refused(nothing, Error::<Test>::UnitsUnsound);
		// It would hold them for nothing, or for less than a tenth.
		for (units, idle_units) in [(4, 5), (4, 0), (1, 0), (10, 0), (11, 1), (u64::MAX, 1)] {
			let idle = Request {
				units,
				idle_units,
				..base.clone()
			};
			refused(idle, Error::<Test>::UnitsUnsound);
		}
		for term in [4, MAX_TERM + 1] {
			let wrong = Request {
				term,
				..base.clone()
			};
			refused(wrong, Error::<Test>::TermUnsound);
		}
		MaxOrders::set(1);
		let id = order(1);
		refused(base.clone(), Error::<Test>::TooManyOrders);
		for blocks in [0, MAX_TERM, u32::MAX] {
			assert_noop!(
				OrdersPallet::renew(signed(1), id, blocks),
				Error::<Test>::TermUnsound
			);
		}
		MaxOrders::set(1_000);
		let tenth = Request {
			units: 11,
			idle_units: 2,
			..base.clone()
		};
		assert_ok!(OrdersPallet::request(signed(1), tenth));
		for _ in 2..crate::MAX_NEW {
			order(1);
		}
		refused(base, Error::<Test>::QueueFull);
	});
}

#[test]
fn a_lot_that_could_be_known_is_not_drawn() {
	run(|| {
		// The author of block `b` knows the lot of block `b + 3`.
		World::change(|facts| facts.known_before = 3);
		node(0, 10);
		let id = order(1);
		pass(3);
		assert_eq!((now(), state(id)), (4, Some(State::Requested { since: 1 })));
		pass(1);
		assert_eq!(holder(id), 0);
		// Nor when it waits again.
		assert_ok!(OrdersPallet::decline(family(0), id));
		pass(3);
		assert_eq!(state(id), Some(State::Requested { since: 5 }));
		pass(1);
		assert_eq!(state(id).unwrap().node(), None);
	});
}

#[test]
fn a_block_without_room_does_nothing() {
	run(|| {
		node(0, 10);
		let id = order(1);
		System::set_block_number(2);
		assert_eq!(OrdersPallet::on_idle(2, Weight::zero()), Weight::zero());
		assert_eq!(state(id), Some(State::Requested { since: 1 }));
		let used = OrdersPallet::on_initialize(2) + OrdersPallet::on_idle(2, Weight::MAX);
		assert!(
			used.ref_time() < 400_000_000_000,
			"a fifth of a block: {used:?}"
		);
		assert_eq!(now(), 2);
	});
}
