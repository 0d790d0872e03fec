//! Repair plans: what they contain, and that they lead where they say.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{
	diff, samples, ClusterMap, DiffError, MapperError, PgTable, PlaceError, RepairPlan, Slots,
};
use common::check;
use proptest::prelude::*;
use std::collections::BTreeSet;

const HOLE: Slots = [None; 30];

fn rows(list: &[&[(usize, u32)]]) -> Vec<Slots> {
	let row = |held: &&[(usize, u32)]| {
		let mut row = HOLE;
		for (slot, node) in *held {
			row[*slot] = Some(*node);
		}
		row
	};
	list.iter().map(row).collect()
}

#[test]
fn a_plan_says_who_fetches_what_most_dangerous_first() {
	// Group 10 loses node 1 and shifts 2 to 5; group 11 gets its hole filled by 5; group 12 stays.
	let old = rows(&[&[(0, 1), (1, 2)], &[(0, 3)], &[(0, 4)]]);
	let new = rows(&[&[(0, 5), (1, 5)], &[(0, 3), (7, 5)], &[(0, 4)]]);
	let (old, new) = (PgTable::new(1, 10, &old), PgTable::new(2, 10, &new));
	let plan = diff(&old, &new, |node| node == 1).unwrap();
	assert_eq!(plan.epochs(), (1, 2));
	let pgs: Vec<_> = plan.pgs().iter().map(|d| (d.pg, d.lost, d.moved)).collect();
	assert_eq!(pgs, [(10, 29, 2), (11, 29, 1)]);
	let fetches: Vec<_> = plan
		.fetches_of(5)
		.iter()
		.map(|change| (change.pg, change.slot, change.from, change.copy))
		.collect();
	let expected = [
		(10, 0, Some(1), false),
		(10, 1, Some(2), true),
		(11, 7, None, false),
	];
	assert_eq!(fetches, expected);
	assert_eq!(plan.by_holder().count(), 1);
	assert_eq!(plan.fetches_of(3), []);
	let totals = plan.totals();
	assert_eq!((totals.slots, totals.moved), (90, 3));
	assert_eq!((totals.copied, totals.rebuilt, totals.dropped), (1, 2, 0));
	assert_eq!(totals.minimum, 3);
	assert_eq!(totals.moved_ppm(), 33_333);
}

#[test]
fn tables_and_plans_that_do_not_fit_are_refused() {
	let a = PgTable::new(1, 0, &[HOLE, HOLE]);
	let b = PgTable::new(2, 1, &[HOLE, HOLE]);
	let error = diff(&a, &b, |_| false).unwrap_err();
	assert_eq!(
		error,
		DiffError::OtherGroups {
			old: 0..2,
			new: 1..3
		}
	);
	let filled = PgTable::new(2, 0, &rows(&[&[(3, 9)], &[]]));
	let plan = diff(&a, &filled, |_| false).unwrap();
	let mut other = PgTable::new(3, 0, &[HOLE, HOLE]);
	assert_eq!(
		plan.apply(&mut other),
		Err(DiffError::OtherEpoch { table: 3, plan: 1 })
	);
	for mut other in [
		PgTable::new(1, 0, &rows(&[&[(3, 8)], &[]])),
		PgTable::new(1, 5, &[HOLE]),
	] {
		let before = other.clone();
		assert_eq!(
			plan.apply(&mut other),
			Err(DiffError::OtherHolder { pg: 0, slot: 3 })
		);
		assert_eq!(other, before);
	}
}

fn change(map: &ClusterMap, change: impl FnOnce(&mut ClusterMap)) -> ClusterMap {
	let mut map = map.clone();
	map.epoch += 1;
	change(&mut map);
	map
}

fn plan(old: &ClusterMap, new: &ClusterMap) -> RepairPlan {
	let new = new.placement().unwrap();
	new.repair_from(&old.placement().unwrap(), 2).unwrap()
}

#[test]
fn marking_a_node_out_rebuilds_its_slots_and_moves_few_others() {
	let old = samples::small();
	let node = old.nodes().nth(150).unwrap().index;
	let new = change(&old, |map| {
		for family in map.zones.iter_mut().flat_map(|zone| &mut zone.families) {
			for other in family.hosts.iter_mut().flat_map(|host| &mut host.nodes) {
				if other.index == node {
					other.reweight = 0;
				}
			}
		}
	});
	let held = old.placement().unwrap().slots_of(node).unwrap().len() as u64;
	let plan = plan(&old, &new);
	let totals = plan.totals();
	assert_eq!(plan.fetches_of(node), []);
	assert_eq!(totals.rebuilt + totals.dropped, held);
	assert!(totals.minimum >= held && totals.moved < 2 * held);
	assert!(plan.pgs().iter().all(|danger| danger.lost == 1));
}

/// Takes: a zone that goes out leaves holes and moves nothing else, and the search for nodes in it
/// does not eat up the draws.
#[test]
fn a_zone_that_goes_out_moves_nothing() {
	let old = samples::small();
	let new = change(&old, |map| {
		for family in &mut map.zones[2].families {
			for node in family.hosts.iter_mut().flat_map(|host| &mut host.nodes) {
				node.reweight = 0;
			}
		}
	});
	let totals = plan(&old, &new).totals();
	assert_eq!((totals.dropped, totals.moved), (5 * 1024, 5 * 1024));
	assert_eq!(totals.minimum, totals.moved);
}

#[test]
fn the_table_does_not_depend_on_threads() {
	let placement = samples::small().placement().unwrap();
	let one = placement.table(1).unwrap();
	for threads in [0, 2, 3, 1000] {
		assert_eq!(placement.table(threads).unwrap(), one);
	}
	assert_eq!(one.pgs(), 0..1024);
	let part = placement.table_of(100..300, 2).unwrap();
	assert_eq!(part.pgs(), 100..300);
	let all: Vec<_> = one.iter().skip(100).take(200).collect();
	assert_eq!(part.iter().collect::<Vec<_>>(), all);
	let pgs = [5, 900, 5, 0];
	let mapped = placement.map_all(&pgs, 2).unwrap();
	for (pg, slots) in pgs.iter().zip(mapped) {
		assert_eq!(slots.to_vec(), placement.up(*pg).unwrap());
		assert_eq!(one.slots(*pg), Some(slots));
	}
	assert_eq!(one.slots(1024), None);
	assert_eq!(part.slots(99), None);
	assert_eq!(placement.map_all(&[], 2), Ok(vec![]));
	let error = PlaceError::UnknownPg {
		pg: 1024,
		pg_num: 1024,
	};
	assert_eq!(placement.table_of(1000..1025, 2), Err(error));
	assert_eq!(placement.map_all(&[3, 1024, 2000], 2), Err(error));
	let held: u32 = one.loads().values().sum();
	assert_eq!(held, 1024 * 30);
}

/// Of several groups beyond the cap the lowest is named, whatever the threads do.
#[test]
fn the_lowest_error_is_reported() {
	let mut map = samples::small();
	// Between the easiest and the hardest group.
	map.rule.max_draws = 640;
	let placement = map.placement().unwrap();
	let first = (0..1024).find_map(|pg| placement.up(pg).err()).unwrap();
	assert!(matches!(
		first,
		PlaceError::Mapper { pg, error: MapperError::DrawCap(640) } if pg > 0
	));
	for threads in [1, 2, 7] {
		assert_eq!(placement.table(threads), Err(first));
	}
}

fn any_rows(count: usize) -> impl Strategy<Value = Vec<Slots>> {
	let node = prop::option::weighted(0.9, 0u32..12);
	let row = prop::collection::vec(node, 30).prop_map(|row| row.try_into().unwrap());
	prop::collection::vec(row, count)
}

#[test]
fn a_plan_leads_from_one_table_to_the_other() {
	check(
		256,
		(
			(0usize..8).prop_flat_map(|count| (any_rows(count), any_rows(count))),
			0u32..1000,
			prop::collection::btree_set(0u32..12, 0..6),
		),
		|((old, new), first, gone)| {
			let (old, new) = (PgTable::new(4, first, &old), PgTable::new(9, first, &new));
			let plan = diff(&old, &new, |node| gone.contains(&node)).unwrap();
			let mut table = old.clone();
			plan.apply(&mut table).unwrap();
			prop_assert_eq!(&table, &new);

			let totals = plan.totals();
			prop_assert!(totals.minimum <= totals.moved && totals.moved <= totals.slots);
			prop_assert_eq!(
				totals.copied + totals.rebuilt + totals.dropped,
				totals.moved
			);
			let moved: u64 = plan
				.pgs()
				.iter()
				.map(|danger| u64::from(danger.moved))
				.sum();
			prop_assert_eq!(moved, totals.moved);
			prop_assert!(plan
				.pgs()
				.is_sorted_by(|a, b| (a.lost, a.moved) >= (b.lost, b.moved)));
			let fetched: usize = plan.by_holder().map(|(_, moves)| moves.len()).sum();
			prop_assert_eq!(fetched as u64, totals.copied + totals.rebuilt);
			let mut seen = BTreeSet::new();
			for (node, moves) in plan.by_holder() {
				prop_assert!(seen.insert(node));
				prop_assert_eq!(plan.fetches_of(node), moves);
			}
			for change in plan.moves() {
				prop_assert!(change.from != change.to);
				let alive = change.from.is_some_and(|node| !gone.contains(&node));
				prop_assert_eq!(change.copy, alive);
			}
			let back = diff(&new, &old, |_| false).unwrap().totals();
			prop_assert_eq!(back.minimum, totals.minimum);
			prop_assert_eq!(diff(&new, &new, |_| false).unwrap().totals().moved, 0);
			Ok(())
		},
	)
}
