//! Placement exceptions that the map carries.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{
	samples::{self, Shape},
	upmap::{apply_items, MAX_EXCEPTIONS, MAX_PER_FAMILY},
	BalanceOptions, ClusterMap, ExceptionsError, FailureDomain, MapError, MapNode, Placement,
	Slots, UpmapItem, WEIGHT_ONE,
};
use codec::{Decode, Encode};
use common::check;
use proptest::prelude::*;
use std::{
	cell::Cell,
	collections::{BTreeMap, BTreeSet},
};

const PGS: u32 = 32;

/// 6 zones of 8 families of one host of two nodes.
fn pairs() -> ClusterMap {
	samples::cluster(Shape {
		zones: 6,
		families: 8,
		hosts: 48,
		nodes: 96,
		pg_num: PGS,
		even: true,
	})
}

fn item((pg, from, to): (u32, u32, u32)) -> UpmapItem {
	UpmapItem { pg, from, to }
}

fn with(map: &ClusterMap, exceptions: Vec<UpmapItem>) -> ClusterMap {
	ClusterMap {
		exceptions,
		..map.clone()
	}
}

/// Moves that bring the even map nearer to even.
fn balanced(map: &ClusterMap) -> Vec<UpmapItem> {
	let placement = map.placement().unwrap();
	let table = placement.raw_table(1).unwrap();
	let options = BalanceOptions {
		max_misplaced_ppm: 1_000_000,
		..BalanceOptions::default()
	};
	placement.balance(&table, &[], &options).unwrap().items
}

#[test]
fn each_fault_of_the_exceptions_is_named() {
	let map = pairs();
	let many = |pg: u32, count: u32| (0..count).map(move |node| item((pg, node, node + 48)));
	let twice = |pg, node| ExceptionsError::NodeTwice { pg, node };
	let faults = [
		(
			vec![item((1, 2, 4)); MAX_EXCEPTIONS + 1],
			ExceptionsError::TooMany(MAX_EXCEPTIONS + 1),
		),
		(
			vec![item((3, 0, 2)), item((PGS, 1, 2))],
			ExceptionsError::UnknownPg {
				pg: PGS,
				pg_num: PGS,
			},
		),
		(
			vec![item((u32::MAX, 1, 2))],
			ExceptionsError::UnknownPg {
				pg: u32::MAX,
				pg_num: PGS,
			},
		),
		(
			vec![item((3, 0, 2)), item((2, 0, 2))],
			ExceptionsError::NotAscending { at: 1 },
		),
		(
			vec![item((3, 0, 2)), item((3, 4, 6)), item((3, 1, 8))],
			ExceptionsError::NotAscending { at: 2 },
		),
		(
			many(7, 31).collect(),
			ExceptionsError::TooManyOfPg { pg: 7, count: 31 },
		),
		(vec![item((3, 0, 2)), item((3, 0, 4))], twice(3, 0)),
		(vec![item((3, 0, 2)); 2], twice(3, 0)),
		(vec![item((3, 0, 2)), item((3, 4, 2))], twice(3, 2)),
		(vec![item((3, 0, 2)), item((3, 2, 4))], twice(3, 2)),
		(vec![item((3, 5, 5))], twice(3, 5)),
		(
			vec![item((3, 0, 96))],
			ExceptionsError::UnknownNode { pg: 3, node: 96 },
		),
		(
			vec![item((3, 0, 2)), item((4, 100, 2))],
			ExceptionsError::UnknownNode { pg: 4, node: 100 },
		),
		(
			vec![item((3, 0, u32::MAX))],
			ExceptionsError::UnknownNode {
				pg: 3,
				node: u32::MAX,
			},
		),
	];
	for (items, error) in faults {
		assert!(!error.to_string().is_empty());
		let map = with(&map, items);
		let expected = MapError::Exceptions(error);
		assert_eq!(expected.to_string(), error.to_string());
		assert_eq!(map.validate(), Err(expected.clone()));
		assert_eq!(map.placement().unwrap_err(), expected);
		let bytes = map.encode();
		assert_eq!(ClusterMap::decode_checked(&bytes), Err(expected.clone()));
		let decoded = ClusterMap::decode_placement(&bytes);
		assert_eq!(decoded.unwrap_err(), expected);
	}
	// What is not allowed is no fault of the map's: it depends on the mappings.
	assert_eq!(with(&map, many(7, 30).collect()).validate(), Ok(()));
}

#[test]
fn a_map_has_one_encoding() {
	let map = pairs();
	let plain = map.encode();
	assert_eq!(plain[0], 1);
	let moved = with(&map, vec![item((3, 0, 2)), item((9, 4, 90))]);
	let bytes = moved.encode();
	assert_eq!(bytes[0], 2);
	// The plain map's bytes, the number of exceptions, and three compact numbers each.
	assert_eq!(bytes[1..plain.len()], plain[1..]);
	assert_eq!(
		bytes[plain.len()..],
		[2 << 2, 3 << 2, 0, 2 << 2, 9 << 2, 4 << 2, 105, 1]
	);
	assert_eq!(ClusterMap::decode_checked(&bytes), Ok(moved.clone()));
	assert_eq!(ClusterMap::decode(&mut &bytes[..]), Ok(moved));

	let malformed = |bytes: &[u8]| {
		let decoded = ClusterMap::decode_checked(bytes);
		assert!(
			matches!(decoded, Err(MapError::Malformed(_))),
			"{decoded:?}"
		);
	};
	// Version 2 of a plain map, version 1 with exceptions, and every cut of them.
	let mut relabelled = plain.clone();
	relabelled[0] = 2;
	malformed(&relabelled);
	relabelled.push(0);
	malformed(&relabelled);
	let mut relabelled = bytes.clone();
	relabelled[0] = 1;
	malformed(&relabelled);
	for len in 1..bytes.len() {
		malformed(&bytes[..len]);
	}
	malformed(&[&bytes[..], &[0]].concat());
	// A count that no memory holds.
	let mut absurd = bytes[..plain.len()].to_vec();
	absurd.extend_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
	malformed(&absurd);
	relabelled[0] = 3;
	assert_eq!(
		ClusterMap::decode_checked(&relabelled),
		Err(MapError::UnknownVersion(3))
	);
}

#[test]
fn all_ways_to_ask_give_the_exceptions() {
	let plain = pairs();
	let items = balanced(&plain);
	assert!(items.len() > 20, "{}", items.len());
	let map = with(&plain, items.clone());
	let (old, new) = (plain.placement().unwrap(), map.placement().unwrap());
	assert_eq!(new.exceptions(), items);
	let raw = old.table(1).unwrap();
	assert_eq!(new.raw_table(2).unwrap(), raw);
	let mut expected = raw.clone();
	expected.apply_items(&items);
	let all: Vec<_> = (0..PGS).collect();
	let rows = new.map_all(&all, 2).unwrap();
	for threads in [1, 3] {
		assert_eq!(new.table(threads).unwrap(), expected);
	}
	let mut held = BTreeMap::<u32, Vec<(u32, u8)>>::new();
	for (pg, slots) in expected.iter() {
		assert_eq!(new.up(pg).unwrap(), slots);
		assert_eq!(new.up_counted(pg).unwrap().0, slots);
		assert_eq!(new.raw(pg).unwrap(), raw.slots(pg).unwrap());
		assert_eq!(rows[pg as usize], slots);
		assert_eq!(new.table_of(pg..pg + 1, 1).unwrap().slots(pg), Some(slots));
		for (slot, node) in (0..).zip(slots) {
			held.entry(node.unwrap()).or_default().push((pg, slot));
		}
	}
	for node in new.nodes() {
		let slots = held.remove(&node).unwrap_or_default();
		assert_eq!(new.slots_of(node).unwrap(), slots, "{node}");
	}
	// Moving them is copying one shard each, from who gave it.
	let plan = new.repair_from(&old, 1).unwrap();
	assert_eq!(plan.moves().len(), items.len());
	for change in plan.moves() {
		let known = items.iter().any(|item| {
			(item.pg, Some(item.from), Some(item.to)) == (change.pg, change.from, change.to)
		});
		assert!(known, "{change:?}");
	}
}

/// What everybody must compute: the items in order, each judged by the raw mapping and those before.
fn model(placement: &Placement, pg: u32, items: &[UpmapItem]) -> (Slots, usize) {
	let raw = placement.raw(pg).unwrap();
	let mut allowed = Vec::new();
	for item in items.iter().filter(|item| item.pg == pg) {
		if placement.verify_item(&raw, &allowed, item).is_ok() {
			allowed.push(*item);
		}
	}
	let mut slots = raw;
	apply_items(&mut slots, &allowed);
	(slots, allowed.len())
}

prop_compose! {
	/// A map with nodes out, half out and without weight, and exceptions of good form: some move a
	/// holder within its zone, some are anything.
	fn any_map()(
		nodes in 80usize..160,
		by_host in any::<bool>(),
		pool in any::<u32>(),
		numbers in prop::collection::vec((0u32..4 * WEIGHT_ONE, 0u32..8, 0u32..WEIGHT_ONE), 12..30),
		wishes in prop::collection::vec((0u32..4, 0usize..30, 0u32..160, any::<bool>()), 0..60),
	) -> ClusterMap {
		let mut map = samples::cluster(Shape {
			zones: 6,
			families: 8,
			hosts: 56,
			nodes,
			pg_num: PGS,
			even: false,
		});
		map.pool = pool;
		map.rule.max_draws = arion_crush::cluster::MAX_DRAWS;
		if by_host {
			map.rule.failure_domain = FailureDomain::Host;
		}
		let mut numbers = numbers.into_iter().cycle();
		let families = map.zones.iter_mut().flat_map(|zone| &mut zone.families);
		for node in families.flat_map(|family| &mut family.hosts).flat_map(|host| &mut host.nodes) {
			let (weight, health, fraction) = numbers.next().unwrap();
			*node = MapNode {
				index: node.index,
				weight: if health == 7 { 0 } else { weight },
				reweight: match health { 0 => 0, 1 => fraction, _ => WEIGHT_ONE },
			};
		}
		let placement = map.placement().unwrap();
		let mut items = BTreeMap::new();
		let mut named = BTreeSet::new();
		for (pg, slot, to, holder) in wishes {
			let to = to % nodes as u32;
			let from = match placement.raw(pg).unwrap()[slot] {
				Some(node) if holder => node,
				_ => (to + 7) % nodes as u32,
			};
			// Within a zone, where there is a chance that it is allowed.
			let zone = |zone: usize| map.zones[zone].families.iter()
				.flat_map(|family| &family.hosts).flat_map(|host| &host.nodes)
				.map(|node| node.index).collect::<Vec<_>>();
			let near = zone(slot / 5);
			let to = if holder { near[to as usize % near.len()] } else { to };
			if from != to && !named.contains(&(pg, from)) && !named.contains(&(pg, to)) {
				named.extend([(pg, from), (pg, to)]);
				items.insert((pg, from), to);
			}
		}
		map.exceptions = items.into_iter().map(|((pg, from), to)| item((pg, from, to))).collect();
		map
	}
}

#[test]
fn whatever_the_exceptions_the_rules_hold() {
	let moved = Cell::new(0);
	check(24, any_map(), |map| {
		let placement = map.placement().unwrap();
		let again = ClusterMap::decode_placement(&map.encode()).unwrap();
		prop_assert_eq!(&again.0, &map);
		let mut kept = map.exceptions.clone();
		let dropped = placement.retain_valid(&mut kept);
		prop_assert_eq!(kept.len() + dropped.len(), map.exceptions.len());
		// Without those that are not allowed, the map says the same.
		let clean = with(&map, kept.clone()).placement().unwrap();
		let mut places = BTreeMap::new();
		for (zone, bucket) in map.zones.iter().enumerate() {
			for family in &bucket.families {
				for host in &family.hosts {
					let domain = match map.rule.failure_domain {
						FailureDomain::Host => host.id,
						FailureDomain::Family => family.id,
					};
					let place = (zone, family.id, domain);
					places.extend(host.nodes.iter().map(|node| (node.index, place)));
				}
			}
		}
		for pg in 0..PGS {
			let (expected, changes) = model(&placement, pg, &map.exceptions);
			let slots: Slots = placement.up(pg).unwrap().try_into().unwrap();
			prop_assert_eq!(slots, expected);
			prop_assert_eq!(again.1.up(pg).unwrap(), expected.to_vec());
			prop_assert_eq!(clean.up(pg).unwrap(), expected.to_vec());
			prop_assert_eq!(placement.up_with(pg, &kept).unwrap(), expected);
			let raw = placement.raw(pg).unwrap();
			let differ = raw.iter().zip(&slots).filter(|(raw, slot)| raw != slot);
			prop_assert_eq!(differ.count(), changes);
			let (mut nodes, mut domains) = (BTreeSet::new(), BTreeSet::new());
			let mut families = BTreeMap::<i32, usize>::new();
			for (at, (slot, raw)) in slots.iter().zip(raw).enumerate() {
				prop_assert_eq!(slot.is_some(), raw.is_some());
				let Some(node) = slot else { continue };
				let (zone, family, domain) = places[node];
				prop_assert_eq!(zone, at / 5);
				prop_assert!(nodes.insert(*node), "a node twice");
				prop_assert!(domains.insert(domain), "a failure domain twice");
				prop_assert!(placement.reweight(*node) > 0);
				*families.entry(family).or_default() += 1;
				if *slot != raw {
					prop_assert!(families[&family] <= MAX_PER_FAMILY);
				}
			}
			moved.set(moved.get() + changes);
		}
		for node in placement.nodes().step_by(5) {
			let mut held = Vec::new();
			for pg in 0..PGS {
				let up = placement.up(pg).unwrap();
				let slot = up.iter().position(|slot| *slot == Some(node));
				held.extend(slot.map(|slot| (pg, slot as u8)));
			}
			prop_assert_eq!(placement.slots_of(node).unwrap(), held);
		}
		Ok(())
	});
	assert!(moved.get() > 50, "{} exceptions count", moved.get());
}
