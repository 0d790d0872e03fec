//! Orders that wait.

use crate::{
	mock::*, Ended, Error, NextOrder, Orders, Parked, State, Waiting, MAX_ATTEMPTS, MAX_NEW,
	MAX_WAITING, RETRY_BLOCKS,
};
use frame_support::{assert_noop, assert_ok};
use std::collections::BTreeMap;

fn waits(id: u64) -> bool {
	matches!(state(id), Some(State::Requested { .. }))
}

fn since() -> BTreeMap<u64, u32> {
	let waiting = Orders::<Test>::iter().filter_map(|(id, order)| match order.state {
		State::Requested { since } => Some((id, since)),
		_ => None,
	});
	waiting.collect()
}

/// Three accounts without a credit filled the queue.
#[test]
fn who_cannot_pay_does_not_wait() {
	run(|| {
		World::change(|facts| facts.broke.insert([1; 32]));
		assert_noop!(
			OrdersPallet::request(signed(1), wanted(1)),
			Error::<Test>::NotPaid
		);
		assert_eq!(used(1), 0);
		assert_ok!(OrdersPallet::request(signed(2), wanted(1)));
		assert_eq!(used(2), 0, "asked for, not yet metered");
	});
}

#[test]
fn a_queue_full_of_new_orders_ends_none_that_runs() {
	run(|| {
		node(0, 1_000);
		let ids = served_by_zero(MAX_NEW + 20);
		for _ in 0..MAX_NEW {
			order(1);
		}
		assert_noop!(
			OrdersPallet::request(signed(2), wanted(1)),
			Error::<Test>::QueueFull
		);
		node(1, 1_000);
		for id in &ids {
			assert_ok!(OrdersPallet::decline(family(0), *id));
			assert!(waits(*id));
		}
		check();
		// Half of it was left to them; the last came too late.
		assert_eq!(Waiting::<Test>::get().len(), MAX_WAITING as usize);
		assert_eq!(Parked::<Test>::iter().count(), 20);
		// Four a block.
		for _ in 0..(MAX_WAITING + 20) / 4 {
			pass(1);
			accept_all();
		}
		for id in &ids {
			assert_eq!(holder(*id), 1, "not asked for again of who gave it back");
		}
		assert!(since().is_empty());
		assert_ok!(OrdersPallet::request(signed(2), wanted(1)));
	});
}

/// Sixteen blocks without a node were the end.
#[test]
fn an_outage_ends_no_order() {
	run(|| {
		node(0, 10);
		node(1, 10);
		let id = order(8);
		pass(1);
		let first = holder(id);
		assert_ok!(OrdersPallet::accept(family(first), id));
		outage(true);
		pass(500);
		assert_eq!(ended(id), None);
		assert!(waits(id));
		assert_eq!(Orders::<Test>::get(id).unwrap().attempts, 0);
		assert_eq!(used(1), 0, "nor is it charged for");
		outage(false);
		pass(RETRY_BLOCKS);
		assert_ok!(OrdersPallet::accept(family(holder(id)), id));
		assert_eq!(used(1), 8);
	});
}

#[test]
fn an_order_that_nobody_can_take_waits_until_its_term_is_over() {
	run(|| {
		node(0, 10);
		let (small, large) = (order(11), order(12));
		pass(999);
		assert!(waits(small) && waits(large));
		assert!(Waiting::<Test>::get().is_empty(), "not in others' way");
		node(1, 11);
		// The next turn comes before the end, if only just.
		assert_ok!(OrdersPallet::renew(signed(1), small, RETRY_BLOCKS));
		pass(1);
		assert_eq!((ended(large), now()), (Some(Ended::TermOver), 1_001));
		pass(RETRY_BLOCKS - 1);
		assert_eq!(holder(small), 1);
		assert_ok!(OrdersPallet::cancel(signed(1), small));
		assert_eq!(Parked::<Test>::iter().count(), 0);
	});
}

#[test]
fn who_waits_alone_is_not_drawn_for_each_block() {
	run(|| {
		let id = order(1);
		let mut drawn = Vec::new();
		for _ in 0..4 * RETRY_BLOCKS {
			pass(1);
			drawn.push(since()[&id]);
		}
		drawn.dedup();
		let expected: Vec<u32> = (0..4).map(|turn| 2 + turn * RETRY_BLOCKS).collect();
		assert_eq!(drawn, expected);
	});
}

#[test]
fn who_finds_nobody_is_not_drawn_for_each_block_nor_in_the_way_of_others() {
	run(|| {
		MaxOrders::set(u32::MAX);
		node(0, 10);
		for _ in 0..300 {
			let id = order(11);
			pass(1);
			assert!(waits(id));
		}
		assert_eq!(Parked::<Test>::iter().count(), 300);
		let mut last = since();
		for _ in 0..100 {
			pass(1);
			let next = since();
			let drawn = next.iter().filter(|(id, block)| last[id] != **block);
			assert!(drawn.clone().count() <= 4, "bounded by block");
			for (id, block) in drawn {
				assert!(block - last[id] >= RETRY_BLOCKS, "not each block");
			}
			last = next;
		}
		// One after the other.
		let (oldest, newest) = (last.values().min().unwrap(), last.values().max().unwrap());
		assert!(newest - oldest <= 300 / 4 + RETRY_BLOCKS);
		let id = order(8);
		pass(1);
		assert_eq!(holder(id), 0);
		assert_ok!(OrdersPallet::accept(family(0), id));
		// New ones do not keep the old waiting either: they find a node while the queue is never empty.
		node(1, 11 * 300);
		let before = last.len();
		for _ in 0..50 {
			for _ in 0..8 {
				if OrdersPallet::request(signed(2), wanted(4_000)).is_err() {
					break;
				}
			}
			pass(1);
			accept_all();
		}
		assert!(!Waiting::<Test>::get().is_empty());
		let old = |(id, _): &(u64, u32)| *id < 300;
		assert!(since().into_iter().filter(old).count() <= before - 40);
	});
}

#[test]
fn an_order_given_in_vain_often_enough_ends() {
	run(|| {
		node(0, 10);
		let id = order(8);
		for attempt in 1..=MAX_ATTEMPTS {
			// Nobody else is there: it is asked again.
			pass(1 + RETRY_BLOCKS);
			assert_eq!(Orders::<Test>::get(id).unwrap().attempts, attempt);
			assert_ok!(OrdersPallet::decline(family(0), id));
		}
		assert_eq!(ended(id), Some(Ended::NoNode));
		assert_eq!(taken(0), 0);
		assert_eq!(state(id), None);
	});
}

#[test]
fn who_waits_can_be_cancelled_wherever_it_waits() {
	run(|| {
		let id = order(8);
		assert_ok!(OrdersPallet::cancel(signed(1), id));
		let id = order(8);
		pass(1);
		assert_eq!(Parked::<Test>::iter().count(), 1);
		assert_ok!(OrdersPallet::cancel(signed(1), id));
		assert_eq!(Parked::<Test>::iter().count(), 0);
		assert_eq!(NextOrder::<Test>::get(), 2);
	});
}
