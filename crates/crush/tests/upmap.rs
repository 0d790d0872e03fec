//! Placement exceptions and the balancer that proposes them.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{
	samples::{self, Shape},
	upmap::{apply_items, MAX_PER_FAMILY},
	BalanceOptions, ClusterMap, FailureDomain, MapNode, PgTable, PlaceError, Placement, Slots,
	UpmapError, UpmapItem, WEIGHT_ONE,
};
use codec::{Decode, Encode};
use common::check;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// 6 zones of 8 families of one host of two nodes; node numbers count up in that order.
fn pairs() -> ClusterMap {
	samples::cluster(Shape {
		zones: 6,
		families: 8,
		hosts: 48,
		nodes: 96,
		pg_num: 64,
		even: true,
	})
}

fn each_node(map: &mut ClusterMap, change: impl FnMut(&mut MapNode)) {
	let families = map.zones.iter_mut().flat_map(|zone| &mut zone.families);
	let hosts = families.flat_map(|family| &mut family.hosts);
	hosts.flat_map(|host| &mut host.nodes).for_each(change);
}

fn raw(placement: &Placement, pg: u32) -> Slots {
	placement.up(pg).unwrap().try_into().unwrap()
}

/// A group, its raw mapping, a holder of the first zone, a node of that zone the failure domain of
/// which is unused, and another such node.
fn free(placement: &Placement) -> (u32, Slots, u32, u32, u32) {
	let raw = raw(placement, 9);
	let families: BTreeSet<_> = raw[..5].iter().flatten().map(|node| node / 2).collect();
	let mut unused = (0..8)
		.filter(|family| !families.contains(family))
		.map(|family| family * 2);
	(
		9,
		raw,
		raw[0].unwrap(),
		unused.next().unwrap(),
		unused.next().unwrap(),
	)
}

#[test]
fn what_an_exception_must_keep_is_named() {
	let map = pairs();
	let placement = map.placement().unwrap();
	let (pg, raw, from, to, other) = free(&placement);
	let verify = |placement: &Placement, existing: &[UpmapItem], pg, from, to| {
		placement.verify_item(&raw, existing, &UpmapItem { pg, from, to })
	};
	assert_eq!(verify(&placement, &[], pg, from, to), Ok(()));
	// The other node of the giver's own family is free too.
	assert_eq!(verify(&placement, &[], pg, from, from ^ 1), Ok(()));
	let refused = [
		(
			(64, from, to),
			UpmapError::Place(PlaceError::UnknownPg { pg: 64, pg_num: 64 }),
		),
		((pg, to, other), UpmapError::NotHeld { pg, node: to }),
		((pg, 5000, to), UpmapError::UnknownNode { node: 5000 }),
		((pg, from, 5000), UpmapError::UnknownNode { node: 5000 }),
		(
			(pg, from, u32::MAX),
			UpmapError::UnknownNode { node: u32::MAX },
		),
		((pg, from, 90), UpmapError::OtherZone { from, to: 90 }),
		(
			(pg, from, from),
			UpmapError::AlreadyHolds { pg, node: from },
		),
		(
			(pg, from, raw[1].unwrap()),
			UpmapError::AlreadyHolds {
				pg,
				node: raw[1].unwrap(),
			},
		),
		(
			(pg, from, raw[1].unwrap() ^ 1),
			UpmapError::DomainUsed {
				pg,
				to: raw[1].unwrap() ^ 1,
				by: raw[1].unwrap(),
			},
		),
	];
	for ((pg, from, to), error) in refused {
		assert_eq!(verify(&placement, &[], pg, from, to), Err(error.clone()));
		assert!(!error.to_string().is_empty());
	}

	let existing = [UpmapItem { pg, from, to }];
	let second = raw[1].unwrap();
	assert_eq!(verify(&placement, &existing, pg, second, other), Ok(()));
	let refused = [
		((from, other), UpmapError::MovedTwice { pg, node: from }),
		((second, to), UpmapError::AlreadyHolds { pg, node: to }),
		(
			(second, to ^ 1),
			UpmapError::DomainUsed {
				pg,
				to: to ^ 1,
				by: to,
			},
		),
		// What the first exception freed still counts as used, so that it can be dropped again.
		(
			(second, from ^ 1),
			UpmapError::DomainUsed {
				pg,
				to: from ^ 1,
				by: from,
			},
		),
	];
	for ((from, to), error) in refused {
		assert_eq!(verify(&placement, &existing, pg, from, to), Err(error));
	}
	// Exceptions of other groups do not count.
	let elsewhere = [UpmapItem {
		pg: pg + 1,
		from,
		to,
	}];
	assert_eq!(verify(&placement, &elsewhere, pg, from, to), Ok(()));

	for (weight, reweight, error) in [
		(0, WEIGHT_ONE, UpmapError::NoWeight { node: to }),
		(WEIGHT_ONE, 0, UpmapError::Out { pg, node: to }),
		(WEIGHT_ONE, 1, UpmapError::Out { pg, node: to }),
	] {
		let mut map = map.clone();
		each_node(&mut map, |node| {
			if node.index == to {
				(node.weight, node.reweight) = (weight, reweight);
			}
		});
		let placement = map.placement().unwrap();
		assert_eq!(verify(&placement, &[], pg, from, to), Err(error));
	}
}

#[test]
fn a_family_never_gets_more_than_its_most() {
	// One family per zone but the domain is the host: five hosts of it hold all slots.
	let mut map = samples::cluster(Shape {
		zones: 6,
		families: 1,
		hosts: 48,
		nodes: 48,
		pg_num: 64,
		even: true,
	});
	map.rule.failure_domain = FailureDomain::Host;
	let placement = map.placement().unwrap();
	let raw = raw(&placement, 3);
	let from = raw[0].unwrap();
	let to = (0..8).find(|node| !raw.contains(&Some(*node))).unwrap();
	assert!(raw[..5].len() > MAX_PER_FAMILY);
	assert_eq!(
		placement.verify_item(&raw, &[], &UpmapItem { pg: 3, from, to }),
		Err(UpmapError::FamilyFull { pg: 3, to })
	);
	let table = placement.table(1).unwrap();
	let balance = placement
		.balance(&table, &[], &BalanceOptions::default())
		.unwrap();
	assert_eq!(balance.items, []);
}

#[test]
fn exceptions_go_where_they_say() {
	let placement = pairs().placement().unwrap();
	let (pg, raw, from, to, _) = free(&placement);
	let item = UpmapItem { pg, from, to };
	let elsewhere = UpmapItem {
		pg: pg + 1,
		from,
		to,
	};
	let mut expected = raw;
	expected[0] = Some(to);
	assert_eq!(placement.up_with(pg, &[elsewhere, item]), Ok(expected));
	let mut table = placement.table(1).unwrap();
	table.apply_items(&[UpmapItem { pg: 4000, from, to }, item]);
	assert_eq!(table.slots(pg), Some(expected));
	// What does not fit is left out, nothing is doubled.
	let mut slots = raw;
	apply_items(
		&mut slots,
		&[UpmapItem {
			pg,
			from,
			to: raw[1].unwrap(),
		}],
	);
	apply_items(
		&mut slots,
		&[UpmapItem {
			pg,
			from: to,
			to: 77,
		}],
	);
	assert_eq!(slots, raw);
	assert_eq!(UpmapItem::decode(&mut &item.encode()[..]).unwrap(), item);
}

#[test]
fn stale_exceptions_are_dropped_with_the_reason() {
	let map = pairs();
	let placement = map.placement().unwrap();
	let (pg, _, from, to, _) = free(&placement);
	let item = UpmapItem { pg, from, to };
	let unknown = UpmapItem { pg: 99, from, to };
	let mut items = vec![unknown, item, item];
	let dropped = placement.retain_valid(&mut items);
	assert_eq!(items, [item]);
	let place = PlaceError::UnknownPg { pg: 99, pg_num: 64 };
	let expected = [
		(item, UpmapError::MovedTwice { pg, node: from }),
		(unknown, UpmapError::Place(place)),
	];
	assert_eq!(dropped, expected);

	let mut out = map.clone();
	each_node(&mut out, |node| {
		if node.index == to {
			node.reweight = 0;
		}
	});
	let dropped = out.placement().unwrap().retain_valid(&mut items);
	assert_eq!(dropped, [(item, UpmapError::Out { pg, node: to })]);
	assert_eq!(items, []);
}

#[test]
fn tables_that_are_not_of_the_placement_are_refused() {
	let map = pairs();
	let placement = map.placement().unwrap();
	let table = placement.table(1).unwrap();
	let balance = |placement: &Placement, table: &PgTable, existing: &[UpmapItem]| {
		placement.balance(table, existing, &BalanceOptions::default())
	};
	let other = ClusterMap {
		epoch: 5,
		..map.clone()
	}
	.placement()
	.unwrap();
	assert_eq!(
		balance(&other, &table, &[]),
		Err(UpmapError::OtherEpoch {
			table: 1,
			placement: 5
		})
	);
	let long = PgTable::new(1, 60, &[[None; 30]; 5]);
	assert_eq!(
		balance(&placement, &long, &[]),
		Err(UpmapError::OtherGroups {
			table: 60..65,
			pg_num: 64
		})
	);
	for node in [95, 5000] {
		let mut row = [None; 30];
		row[2] = Some(node);
		let wrong = PgTable::new(1, 7, &[row]);
		assert_eq!(
			balance(&placement, &wrong, &[]),
			Err(UpmapError::NotRaw { pg: 7, slot: 2 })
		);
	}
	let stale = UpmapItem {
		pg: 3,
		from: 0,
		to: 95,
	};
	assert_eq!(
		balance(&placement, &table, &[stale]),
		Err(UpmapError::Stale(stale))
	);
}

/// 960 groups of 30 over 288 equal nodes, 100 slots each, from 22 slots too many to 1. No plan can do
/// with fewer exceptions than there are slots beyond the bounds; this one needs hardly more.
#[test]
fn equal_nodes_end_within_one_slot() {
	let map = samples::cluster(Shape {
		zones: 6,
		families: 8,
		hosts: 144,
		nodes: 288,
		pg_num: 1024,
		even: true,
	});
	let placement = map.placement().unwrap();
	let table = placement.table_of(0..960, 2).unwrap();
	let balance = placement
		.balance(&table, &[], &BalanceOptions::default())
		.unwrap();
	assert!(balance.before.max_excess > 15);
	assert!(balance.after.max_excess <= 1 && balance.after.max_lack <= 1);
	let loads = table.loads();
	let above: u32 = loads.values().map(|load| load.saturating_sub(101)).sum();
	let below: u32 = loads.values().map(|load| 99u32.saturating_sub(*load)).sum();
	let least = above.max(below) as usize;
	let found = balance.items.len();
	assert!(
		found >= least && found <= least + least / 100,
		"{found} of {least}"
	);
	let mut table = table;
	table.apply_items(&balance.items);
	let loads = table.loads();
	assert!(loads.values().all(|load| (99..=101).contains(load)));
	assert_eq!(loads.len(), 288);

	// Nothing is left to do, and what was done is taken into account.
	let raw = placement.table_of(0..960, 2).unwrap();
	let again = placement
		.balance(&raw, &balance.items, &BalanceOptions::default())
		.unwrap();
	assert_eq!(again.items, []);
	assert_eq!(again.before, balance.after);
	let five = BalanceOptions {
		max_deviation: 5,
		..Default::default()
	};
	let five = placement.balance(&raw, &[], &five).unwrap();
	assert!(five.items.len() < balance.items.len());
	assert_eq!((five.after.max_excess, five.after.max_lack), (5, 5));
}

prop_compose! {
	fn any_cluster()(
		hosts in 48usize..100,
		more in 0usize..100,
		by_host in any::<bool>(),
		pool in any::<u32>(),
		numbers in prop::collection::vec((0u32..=4 * WEIGHT_ONE, 0u32..6, 0u32..WEIGHT_ONE), 1..40),
	) -> ClusterMap {
		let mut map = samples::cluster(Shape {
			zones: 6,
			families: 8,
			hosts,
			nodes: hosts + more,
			pg_num: 128,
			even: false,
		});
		map.pool = pool;
		// Many nodes out, few domains alive: some groups take more than the usual cap.
		map.rule.max_draws = arion_crush::cluster::MAX_DRAWS;
		if by_host {
			map.rule.failure_domain = FailureDomain::Host;
		}
		let mut numbers = numbers.into_iter().cycle();
		each_node(&mut map, |node| {
			if let Some((weight, health, fraction)) = numbers.next() {
				node.weight = weight;
				node.reweight = match health {
					0 => 0,
					1 => fraction,
					_ => WEIGHT_ONE,
				};
			}
		});
		map
	}
}

/// Family and failure domain of every node, and its zone.
fn places(map: &ClusterMap) -> BTreeMap<u32, (u8, i32, i32)> {
	let mut places = BTreeMap::new();
	for zone in &map.zones {
		for family in &zone.families {
			for host in &family.hosts {
				let domain = match map.rule.failure_domain {
					FailureDomain::Host => host.id,
					FailureDomain::Family => family.id,
				};
				for node in &host.nodes {
					places.insert(node.index, (zone.zone, family.id, domain));
				}
			}
		}
	}
	places
}

#[test]
fn proposals_are_valid_and_never_make_it_worse() {
	check(
		32,
		(
			any_cluster(),
			0u32..4,
			prop_oneof![Just(1_000_000u32), 0u32..60_000],
			prop_oneof![Just(usize::MAX), 0usize..50],
			any::<u64>(),
		),
		|(map, max_deviation, ppm, max_items, order)| {
			let placement = map.placement().unwrap();
			let table = placement.table(2).unwrap();
			let options = BalanceOptions {
				max_deviation,
				max_misplaced_ppm: ppm,
				max_items,
			};
			let balance = placement.balance(&table, &[], &options).unwrap();
			let again = placement.balance(&table, &[], &options).unwrap();
			prop_assert_eq!(&again, &balance);
			let cap = (128 * 30 * ppm as usize / 1_000_000).min(max_items);
			prop_assert!(balance.items.len() <= cap);
			let (before, after) = (balance.before, balance.after);
			prop_assert!(after.max_excess <= before.max_excess);
			prop_assert!(after.max_lack <= before.max_lack);
			prop_assert!(after.squares <= before.squares);
			prop_assert_eq!(balance.items.is_empty(), after == before);

			// One by one, in any order, beside any part of the others.
			let mut items = balance.items.clone();
			let key = |item: &UpmapItem| {
				(u64::from(item.pg) << 40 ^ u64::from(item.from) << 20 ^ u64::from(item.to))
					.wrapping_add(order)
					.wrapping_mul(0x9e37_79b9_7f4a_7c15)
			};
			items.sort_by_key(key);
			let mut made = Vec::new();
			for item in &items {
				let slots = table.slots(item.pg).unwrap();
				prop_assert_eq!(placement.verify_item(&slots, &[], item), Ok(()));
				prop_assert_eq!(placement.verify_item(&slots, &made, item), Ok(()));
				made.push(*item);
			}
			prop_assert_eq!(placement.retain_valid(&mut made), []);
			prop_assert_eq!(&made, &balance.items);

			let mut moved = table.clone();
			moved.apply_items(&balance.items);
			let places = places(&map);
			let mut changed = 0;
			for ((pg, raw), (_, slots)) in table.iter().zip(moved.iter()) {
				prop_assert_eq!(placement.up_with(pg, &balance.items).unwrap(), slots);
				let mut domains = BTreeSet::new();
				for (slot, (before, after)) in raw.iter().zip(slots).enumerate() {
					prop_assert_eq!(before.is_some(), after.is_some());
					let Some(node) = after else { continue };
					let (zone, _, domain) = places[&node];
					prop_assert_eq!(usize::from(zone), slot / 5);
					prop_assert!(domains.insert(domain));
					prop_assert!(placement.reweight(node) > 0);
					changed += usize::from(*before != after);
				}
			}
			prop_assert_eq!(changed, balance.items.len());
			Ok(())
		},
	)
}

/// Whatever is asked for, an accepted exception keeps the rules and nothing panics.
#[test]
fn any_exception_is_refused_or_keeps_the_rules() {
	check(
		32,
		(
			any_cluster(),
			prop::collection::vec((0u32..140, 0usize..30, any::<bool>(), 0u32..220), 0..40),
		),
		|(map, wishes)| {
			let placement = map.placement().unwrap();
			let places = places(&map);
			let mut made: Vec<UpmapItem> = Vec::new();
			for (pg, slot, held, to) in wishes {
				// Few groups, so that exceptions meet.
				let pg = if pg < 128 { pg % 3 } else { pg };
				let Ok(up) = placement.up(pg) else {
					let item = UpmapItem { pg, from: 1, to };
					let refused = placement.verify_item(&[None; 30], &made, &item).is_err();
					prop_assert!(refused);
					continue;
				};
				let raw: Slots = up.try_into().unwrap();
				let from = if held {
					raw[slot].unwrap_or(to)
				} else {
					to ^ 7
				};
				let item = UpmapItem { pg, from, to };
				if placement.verify_item(&raw, &made, &item).is_ok() {
					made.push(item);
					let slots = placement.up_with(pg, &made).unwrap();
					let here: Vec<_> = slots.iter().flatten().map(|node| places[node]).collect();
					let domains: BTreeSet<_> = here.iter().map(|place| place.2).collect();
					prop_assert_eq!(domains.len(), here.len());
					prop_assert!(slots.contains(&Some(to)) && !slots.contains(&Some(from)));
					let family = here.iter().filter(|place| place.1 == places[&to].1).count();
					prop_assert!(family <= MAX_PER_FAMILY);
				}
			}
			Ok(())
		},
	)
}
