//! What ends when.

use crate::{mock::*, Agenda, Ended, Error, NextOrder, Orders, Request, State};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};

fn for_blocks(term: u32) -> u64 {
	let id = NextOrder::<Test>::get();
	let request = Request { term, ..wanted(1) };
	assert_ok!(OrdersPallet::request(signed(1), request));
	id
}

fn count() -> usize {
	Orders::<Test>::iter().count()
}

#[test]
fn an_order_whose_term_is_over_is_neither_accepted_nor_switched() {
	run(|| {
		node(0, 10);
		let id = for_blocks(6);
		let other = for_blocks(20);
		pass(1);
		// It may not be accepted for longer than it is wanted.
		assert_eq!(state(id), Some(State::Assigned { node: 0, until: 6 }));
		assert_ok!(OrdersPallet::accept(family(0), other));
		System::set_block_number(7);
		assert_noop!(OrdersPallet::accept(family(0), id), Error::<Test>::TooLate);
		System::set_block_number(21);
		for run in [true, false] {
			assert!(OrdersPallet::set_running(signed(1), other, run).is_err());
		}
		assert_noop!(
			OrdersPallet::set_running(signed(1), other, false),
			Error::<Test>::TooLate
		);
		assert_ok!(OrdersPallet::advance(signed(9), id));
		assert_eq!(ended(id), Some(Ended::TermOver));
		assert_ok!(OrdersPallet::cancel(signed(1), other));
	});
}

/// Blocks went from order to order, a few in each: with many, terms ended hours late.
#[test]
fn an_order_ends_in_its_block_however_many_there_are() {
	run(|| {
		node(0, 1_000);
		let others = served_by_zero(200);
		for term in [7, 30, 31, 32, 90] {
			let id = for_blocks(term);
			let until = now() + term;
			pass(1);
			assert_ok!(OrdersPallet::accept(family(0), id));
			while now() < until - 1 {
				pass(1);
			}
			assert!(matches!(state(id), Some(State::Active { .. })));
			pass(1);
			assert_eq!(ended(id), Some(Ended::TermOver));
			assert_eq!(used(1), 200);
		}
		// Nor has who sleeps longer to accept.
		let id = for_blocks(100);
		pass(1 + ACCEPT);
		assert_eq!(holder(id), 0);
		pass(1);
		assert_eq!(state(id), Some(State::Requested { since: now() }));
		assert_eq!(others.len(), 200);
	});
}

#[test]
fn more_than_a_block_can_end_spill_to_the_next() {
	run(|| {
		node(0, 1_000);
		MaxOrders::set(u32::MAX);
		for _ in 0..10 {
			for_blocks(50);
		}
		pass(3);
		for id in 0..10 {
			assert_ok!(OrdersPallet::accept(family(0), id));
		}
		// One is renewed: it stays.
		assert_ok!(OrdersPallet::renew(signed(1), 3, 5));
		pass(46);
		assert_eq!((now(), count()), (50, 10));
		let mut left = Vec::new();
		for _ in 0..7 {
			pass(1);
			left.push(count());
		}
		// Four are due; one more is looked at.
		assert_eq!(left, [5, 1, 1, 1, 1, 0, 0]);
		assert_eq!(Agenda::<Test>::iter().count(), 0);
		assert_eq!(used(1), 0);
	});
}

#[test]
fn what_is_due_waits_for_a_block_with_room() {
	run(|| {
		node(0, 10);
		let id = for_blocks(6);
		pass(1);
		assert_ok!(OrdersPallet::accept(family(0), id));
		System::set_block_number(8);
		assert_eq!(OrdersPallet::on_idle(8, Weight::zero()), Weight::zero());
		assert!(state(id).is_some());
		OrdersPallet::on_idle(9, Weight::MAX);
		assert_eq!(ended(id), Some(Ended::TermOver));
	});
}
