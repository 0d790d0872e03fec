//! What nodes are paid by.

use crate::{mock::*, EraServed};
use frame_support::assert_ok;
use hippius_primitives::{money::Service, traits::PayWeights, NodeIndex};

const COMPUTE: Service = Service::Compute;

fn at(block: u32) {
	System::set_block_number(block.into());
}

fn weights(era: u32) -> Vec<(NodeIndex, u128)> {
	<OrdersPallet as PayWeights>::page(COMPUTE, era, 0)
}

fn total(era: u32) -> Option<u128> {
	<OrdersPallet as PayWeights>::total(COMPUTE, era)
}

#[test]
fn units_times_blocks_by_era_without_any_sweep() {
	run(|| {
		node(0, 10);
		node(1, 10);
		let (a, b) = (order(8), order(8));
		pass(1);
		let (first, second) = (holder(a), holder(b));
		assert_ne!(first, second);
		assert_eq!(<OrdersPallet as PayWeights>::settled(COMPUTE), None);
		at(10);
		assert_ok!(OrdersPallet::accept(family(first), a));
		at(12);
		assert_ok!(OrdersPallet::accept(family(second), b));
		at(100);
		assert_eq!(<OrdersPallet as PayWeights>::settled(COMPUTE), Some(0));
		assert_eq!(total(0), Some(8 * 90 + 8 * 88));
		assert_eq!(total(1), None, "not over");
		// Stopped in the middle of the second era, for the rest of it and two more.
		at(150);
		assert_ok!(OrdersPallet::set_running(signed(1), a, false));
		assert_eq!(total(0), Some(8 * 90 + 8 * 88));
		at(420);
		let (of_a, of_b) = (8 * 50 + 2 * 50, 8 * 100);
		assert_eq!(total(1), Some(of_a + of_b));
		assert!(weights(1).contains(&(first, of_a)));
		assert_eq!(total(2), Some(200 + 800));
		assert_ok!(OrdersPallet::cancel(signed(1), a));
		for era in 0..4 {
			let sum: u128 = weights(era).iter().map(|(_, weight)| weight).sum();
			assert_eq!(total(era), Some(sum), "era {era}");
		}
		at(500);
		assert_eq!(
			weights(4),
			[(first, 2 * 20), (second, 800)]
				.into_iter()
				.collect::<std::collections::BTreeMap<_, _>>()
				.into_iter()
				.collect::<Vec<_>>()
		);
		assert_eq!(total(0), None, "too old");
	});
}

#[test]
fn records_of_old_eras_go() {
	run(|| {
		node(0, 10);
		let id = order(8);
		pass(1);
		assert_ok!(OrdersPallet::accept(family(0), id));
		assert_ok!(OrdersPallet::renew(signed(1), id, 3_900));
		for era in 1..45u32 {
			at(era * ERA + 50);
			let run = era % 2 == 0;
			assert_ok!(OrdersPallet::set_running(signed(1), id, run));
			if era >= crate::KEPT_ERAS {
				assert!(EraServed::<Test>::iter().count() <= 2 * crate::KEPT_ERAS as usize);
			}
		}
		assert!(EraServed::<Test>::iter().all(|((_, era), _, _)| era >= 40));
	});
}

#[test]
fn eras_without_orders_weigh_nothing() {
	run(|| {
		at(250);
		assert_eq!((total(0), total(1)), (Some(0), Some(0)));
		assert!(weights(1).is_empty());
	});
}
