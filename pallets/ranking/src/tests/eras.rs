//! Eras and their pages.

use crate::{mock::*, CurrentEra, EraPages, Eras, Event, Held, Places, Records, Revision};
use hippius_primitives::traits::{AuditOutcomes, NodeScores};
use hippius_score::pay_weight;
use proptest::prelude::*;

fn one_group(bytes: u64, holders: &[u32]) {
	World::change(|facts| {
		facts.groups = vec![Some((bytes, holders.iter().copied().map(Some).collect()))];
	});
}

#[test]
fn an_era_is_settled_with_what_was_held_times_the_score() {
	execute([0, 1], || {
		one_group(1_000, &[0, 1]);
		(0..1_000).for_each(|_| Ranking::audited(0, true));
		run_to(20);
		assert_eq!(CurrentEra::<Test>::get().index, 1);
		assert!(Eras::<Test>::get(0).is_none());
		run_to(21);
		let totals = Eras::<Test>::get(0).unwrap();
		assert!(totals.complete);
		assert_eq!((totals.blocks, totals.nodes), (20, 2));
		// Sweeps at blocks 6, 11, 16 and, before the page, none at 21.
		assert_eq!(totals.byte_blocks, 2 * 15_000);
		let page = EraPages::<Test>::get(0, 0);
		assert_eq!(page[0].byte_blocks, 15_000);
		assert_eq!(page[0].weight, pay_weight(15_000, page[0].score));
		assert!(page[0].weight > page[1].weight);
		assert_eq!(totals.weight, page[0].weight + page[1].weight);
		assert_eq!(
			events(),
			[Event::EraSettled {
				era: 0,
				nodes: 2,
				byte_blocks: 30_000,
				weight: totals.weight
			}]
		);
		assert_eq!(Revision::<Test>::get(), 1);
		assert_eq!(Ranking::explain(0).unwrap().bytes, 750);
		// The better one first.
		let ranked: Vec<_> = Ranking::ranked(0).iter().map(|node| node.node).collect();
		assert_eq!(ranked, [0, 1]);
		// What block 21 swept belongs to the next era.
		assert_eq!(Held::<Test>::get(0), Some(5_000));
	});
}

#[test]
fn nothing_held_is_lost_between_eras() {
	execute([0], || {
		one_group(3, &[0]);
		run_to(200);
		let settled: u128 = (0..10)
			.filter_map(Eras::<Test>::get)
			.map(|era| era.byte_blocks)
			.sum();
		let kept: Vec<u32> = (0..10)
			.filter(|era| Eras::<Test>::contains_key(era))
			.collect();
		assert_eq!(kept.len() as u32, KEPT_ERAS);
		let running = Held::<Test>::get(0).unwrap_or(0);
		// The last three eras' sweeps, five blocks of three bytes each.
		assert_eq!((settled + running) % 15, 0);
		assert!(settled >= 3 * 3 * 15);
	});
}

#[test]
fn old_eras_are_dropped_with_all_their_pages() {
	execute([0, 300, 600], || {
		one_group(1, &[0, 300, 600]);
		run_to(410);
		let current = CurrentEra::<Test>::get().index;
		assert!(current > 10);
		let mut eras: Vec<u32> = EraPages::<Test>::iter_keys().map(|(era, _)| era).collect();
		eras.sort_unstable();
		eras.dedup();
		assert_eq!(eras.len() as u32, KEPT_ERAS);
		assert_eq!(*eras.last().unwrap(), current - 1);
		assert_eq!(EraPages::<Test>::iter().count(), 3 * KEPT_ERAS as usize);
	});
}

#[test]
fn a_page_is_settled_per_block() {
	execute([0, 256, 512], || {
		run_to(21);
		let is_placed = |node: u32| !Ranking::ranked(node / 256).is_empty();
		assert!(is_placed(0) && !is_placed(256));
		run_to(22);
		assert!(is_placed(256) && !is_placed(512));
		assert_eq!(Revision::<Test>::get(), 0);
		run_to(23);
		assert!(is_placed(512));
		assert_eq!(Revision::<Test>::get(), 1);
	});
}

#[test]
fn more_pages_than_blocks_lengthen_the_era() {
	execute((0..30).map(|page| page * 256), || {
		run_to(200);
		let era = CurrentEra::<Test>::get();
		// 30 pages take 30 blocks, then the next era is over at once.
		assert!((5..=7).contains(&era.index), "{era:?}");
	});
}

#[test]
fn active_days_need_data_and_freedom() {
	execute([0, 1, 2], || {
		one_group(5, &[0, 1]);
		World::jail(1, true);
		run_to(200);
		// Days of 50 blocks, eras of 20.
		assert_eq!(Records::<Test>::get(0).unwrap().active_days, 4);
		assert_eq!(Records::<Test>::get(1), None);
		assert_eq!(Records::<Test>::get(2), None);
		let page = EraPages::<Test>::get(8, 0);
		assert_eq!((page[1].score, page[1].weight), (0, 0));
	});
}

#[test]
fn who_leaves_is_forgotten_and_unpaid() {
	execute([0, 1], || {
		one_group(5, &[0, 1]);
		Ranking::audited(1, true);
		run_to(21);
		World::remove(1);
		run_to(42);
		assert_eq!(Ranking::score(1), None);
		assert_eq!(Records::<Test>::get(1), None);
		let page = EraPages::<Test>::get(1, 0);
		assert_eq!((page[1].node, page[1].weight), (1, 0));
		World::change(|facts| facts.groups.clear());
		World::remove(0);
		run_to(90);
		assert_eq!(Places::<Test>::iter().count(), 0);
		assert_eq!(Held::<Test>::iter().count(), 0);
		assert_eq!(Records::<Test>::iter().count(), 0);
	});
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

	/// Splitting a node's bytes among several with the same record gains nothing.
	#[test]
	fn splitting_gains_nothing(bytes in proptest::collection::vec(1..u64::MAX / 8, 1..6), passes in 0..800u32) {
		let parts = bytes.len() as u32;
		let whole = bytes.iter().sum::<u64>();
		let mut weights = Vec::new();
		let split: Vec<(u64, u32)> = bytes.into_iter().zip(0..).collect();
		for held in [vec![(whole, 0)], split] {
			execute(0..parts, || {
				(0..parts).for_each(|node| (0..passes).for_each(|_| Ranking::audited(node, true)));
				World::change(|facts| {
					facts.groups = held.iter().map(|(bytes, node)| Some((*bytes, vec![Some(*node)]))).collect();
				});
				GroupsPerBlock::set(8);
				run_to(21);
				weights.push(Eras::<Test>::get(0).unwrap().weight);
			});
		}
		prop_assert!(weights[1] <= weights[0]);
		prop_assert!(weights[0] - weights[1] < parts.into());
	}

	/// Whatever happens, the invariants hold; `run_to` checks them after every block.
	#[test]
	fn nothing_breaks(acts in proptest::collection::vec((0..7u8, 0..600u32, any::<u64>()), 1..120)) {
		execute([0, 1, 299], || {
			for (act, node, amount) in acts {
				let known = World::change(|facts| facts.nodes.contains_key(&node));
				match act {
					0 if !known => World::register(node),
					1 if known => World::remove(node),
					2 => Ranking::audited(node, amount % 3 > 0),
					3 => Ranking::forget(node),
					4 if known => World::jail(node, amount % 2 == 0),
					5 => World::change(|facts| facts.groups.push(Some((amount, vec![Some(node), None, Some(1)])))),
					_ => run_to(frame_system::Pallet::<Test>::block_number() + amount % 30),
				}
				Ranking::do_try_state().unwrap();
			}
		});
	}
}
