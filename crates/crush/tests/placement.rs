//! Properties of cluster maps and their placements.

#![allow(clippy::unwrap_used)]

use arion_crush::{
	cluster::{MAX_BLOB_LEN, MAX_DRAWS, MAX_PG_NUM},
	map::{Item, Reweights, Rule, Step, MAX_DEVICE_ID, WEIGHT_ONE},
	mapper::do_rule,
	Bucket, ClusterMap, CrushMap, DrawMeter, FailureDomain, FamilyBucket, HostBucket, MapError,
	MapNode, MapperError, PlaceError, PlacementRule, ZoneBucket,
};
use codec::{Decode, Encode};
use hippius_primitives::StripeId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// `zones` zones with `families` families of `hosts` hosts of `nodes` nodes; numbers count up.
fn cluster(
	rule: PlacementRule,
	zones: u8,
	families: usize,
	hosts: usize,
	nodes: usize,
) -> ClusterMap {
	let mut index = 0;
	let mut id = 0;
	let mut next_id = || {
		id -= 1;
		id
	};
	let mut map = ClusterMap::plain(7, 64, 3, rule, Vec::new());
	for zone in 0..zones {
		let mut bucket = ZoneBucket {
			zone,
			id: next_id(),
			families: Vec::new(),
		};
		for _ in 0..families {
			let mut family = FamilyBucket {
				id: next_id(),
				hosts: Vec::new(),
			};
			for _ in 0..hosts {
				let mut host = HostBucket {
					id: next_id(),
					nodes: Vec::new(),
				};
				for _ in 0..nodes {
					host.nodes.push(MapNode {
						index,
						weight: WEIGHT_ONE,
						reweight: WEIGHT_ONE,
					});
					index += 1;
				}
				family.hosts.push(host);
			}
			bucket.families.push(family);
		}
		map.zones.push(bucket);
	}
	map
}

fn local() -> ClusterMap {
	cluster(PlacementRule::new(5, FailureDomain::Host), 6, 5, 1, 1)
}

fn each_node(map: &mut ClusterMap, mut change: impl FnMut(&mut MapNode)) {
	for zone in &mut map.zones {
		for host in zone
			.families
			.iter_mut()
			.flat_map(|family| &mut family.hosts)
		{
			host.nodes.iter_mut().for_each(&mut change);
		}
	}
}

#[test]
fn thirty_nodes_fill_thirty_slots_zone_by_zone() {
	let map = local();
	let placement = map.placement().unwrap();
	assert_eq!(
		placement.nodes().collect::<Vec<_>>(),
		(0..30).collect::<Vec<_>>()
	);
	assert_eq!((placement.epoch(), placement.pg_num()), (7, 64));
	for pg in 0..64 {
		let slots = placement.up(pg).unwrap();
		assert_eq!(slots.len(), 30);
		let distinct: BTreeSet<_> = slots.iter().flatten().collect();
		assert_eq!(distinct.len(), 30, "pg {pg}");
		for (slot, node) in slots.iter().enumerate() {
			assert_eq!(node.unwrap() as usize / 5, slot / 5);
		}
	}
	assert_eq!(
		placement.up(64),
		Err(PlaceError::UnknownPg { pg: 64, pg_num: 64 })
	);
}

/// Fixed for ever: whoever changes what these bytes or slots are moves all data.
#[test]
fn encoding_and_slots_stay_what_they_are() {
	let mut map = cluster(PlacementRule::new(30, FailureDomain::Family), 1, 2, 1, 1);
	map.zones[0].families[1].hosts[0].nodes[0].reweight = 0;
	let expected = concat!(
		"01", "1c", "0101", "0c", "1e", "02", "9101", "14", "82380100", "04", "00", "ffffffff",
		"08", "feffffff", "04", "fdffffff", "04", "00", "02000400", "02000400", "fcffffff", "04",
		"fbffffff", "04", "04", "02000400", "00",
	);
	assert_eq!(hex::encode(map.encode()), expected);
	assert_eq!(ClusterMap::decode_checked(&map.encode()).unwrap(), map);

	let placement = local().placement().unwrap();
	let slots: Vec<_> = placement.up(5).unwrap().into_iter().flatten().collect();
	assert_eq!(slots, SLOTS_OF_PG_5);
}

const SLOTS_OF_PG_5: [u32; 30] = [
	2, 4, 1, 3, 0, 5, 9, 8, 7, 6, 13, 12, 10, 14, 11, 15, 17, 18, 16, 19, 20, 24, 23, 21, 22, 25,
	29, 26, 27, 28,
];

#[test]
fn slots_of_inverts_up() {
	let map = cluster(PlacementRule::new(5, FailureDomain::Family), 6, 8, 2, 2);
	let placement = map.placement().unwrap();
	let mut held: BTreeMap<u32, Vec<(u32, u8)>> = BTreeMap::new();
	for pg in 0..map.pg_num {
		for (slot, node) in placement.up(pg).unwrap().into_iter().enumerate() {
			held.entry(node.unwrap())
				.or_default()
				.push((pg, slot as u8));
		}
	}
	for node in placement.nodes() {
		assert!(placement.contains(node));
		let slots = placement.slots_of(node).unwrap();
		assert_eq!(slots, held.remove(&node).unwrap_or_default());
	}
	assert_eq!(placement.slots_of(4_000_000_000), Ok(vec![]));
	assert!(!placement.contains(4_000_000_000));
}

#[test]
fn a_zone_without_nodes_has_holes_and_leaves_the_others_alone() {
	let full = local();
	let mut less = full.clone();
	less.zones[2].families.clear();
	let mut out = full.clone();
	for family in &mut out.zones[2].families {
		family.hosts[0].nodes[0].reweight = 0;
	}
	let [full, less, out] = [full, less, out].map(|map| map.placement().unwrap());
	for pg in 0..64 {
		let before = full.up(pg).unwrap();
		for after in [less.up(pg).unwrap(), out.up(pg).unwrap()] {
			assert_eq!(after[10..15], [None; 5]);
			assert_eq!(after[..10], before[..10]);
			assert_eq!(after[15..], before[15..]);
		}
	}
}

#[test]
fn the_pg_of_a_stripe_is_its_seed_modulo_their_number() {
	let map = local();
	let mut bytes = [9; 32];
	bytes[..4].copy_from_slice(&1_000_003u32.to_le_bytes());
	assert_eq!(map.pg_of(&StripeId(bytes)), 1_000_003 % 64);
	for pg_num in [0, 1, 3, 12, u32::MAX] {
		let map = ClusterMap {
			pg_num,
			..map.clone()
		};
		let pg = map.pg_of(&StripeId([0xff; 32]));
		assert!(pg < pg_num.max(1), "{pg_num}");
	}
}

#[test]
fn each_fault_of_a_cluster_map_is_named() {
	type Change = fn(&mut ClusterMap);
	fn first(map: &mut ClusterMap) -> &mut MapNode {
		&mut map.zones[0].families[0].hosts[0].nodes[0]
	}
	let cases: Vec<(Change, MapError)> = vec![
		(|m| m.pg_num = 0, MapError::PgNum(0)),
		(|m| m.pg_num = 48, MapError::PgNum(48)),
		(
			|m| m.pg_num = MAX_PG_NUM * 2,
			MapError::PgNum(MAX_PG_NUM * 2),
		),
		(
			|m| m.rule.per_zone = 4,
			MapError::Slots {
				zones: 6,
				per_zone: 4,
			},
		),
		(
			|m| m.rule.per_zone = 0,
			MapError::Slots {
				zones: 6,
				per_zone: 0,
			},
		),
		(
			|m| drop(m.zones.pop()),
			MapError::Slots {
				zones: 5,
				per_zone: 5,
			},
		),
		(|m| m.zones[3].zone = 1, MapError::ZoneTwice(1)),
		(
			|m| m.rule.choose_tries = 0,
			MapError::PlacementLimit {
				field: "choose_tries",
				value: 0,
				max: 1000,
			},
		),
		(
			|m| m.rule.chooseleaf_tries = 1001,
			MapError::PlacementLimit {
				field: "chooseleaf_tries",
				value: 1001,
				max: 1000,
			},
		),
		(
			|m| m.rule.max_draws = MAX_DRAWS + 1,
			MapError::PlacementLimit {
				field: "max_draws",
				value: MAX_DRAWS + 1,
				max: MAX_DRAWS,
			},
		),
		(|m| m.zones[1].id = 5, MapError::BucketIdNotNegative(5)),
		(|m| m.zones[1].id = -1, MapError::DuplicateBucket(-1)),
		(
			|m| m.zones[1].families[0].id = i32::MAX,
			MapError::BucketIdNotNegative(i32::MAX),
		),
		(
			|m| first(m).index = 29,
			MapError::ItemTwice {
				bucket: -3,
				item: 29,
			},
		),
		(
			|m| first(m).index = MAX_DEVICE_ID as u32 + 1,
			MapError::DeviceId {
				bucket: -3,
				device: MAX_DEVICE_ID as u32 + 1,
			},
		),
		(
			|m| first(m).index = u32::MAX,
			MapError::DeviceId {
				bucket: -3,
				device: u32::MAX,
			},
		),
		(
			|m| first(m).weight = 100 * WEIGHT_ONE + 1,
			MapError::ItemWeight {
				bucket: -3,
				item: 0,
				weight: 100 * WEIGHT_ONE + 1,
			},
		),
		(
			|m| first(m).reweight = 65_537,
			MapError::Reweight {
				node: 0,
				reweight: 65_537,
			},
		),
		(
			|m| {
				let host = &mut m.zones[0].families[0].hosts[0];
				host.nodes.extend((100..356).map(|index| MapNode {
					index,
					weight: 1,
					reweight: 1,
				}));
			},
			MapError::FanOut {
				bucket: -3,
				items: 257,
			},
		),
		(
			|m| {
				let host = &mut m.zones[0].families[0].hosts[0];
				for index in [100, 101] {
					host.nodes.push(MapNode {
						index,
						weight: u32::MAX,
						reweight: 1,
					});
				}
			},
			MapError::BucketWeight(-3),
		),
	];
	for (change, expected) in cases {
		let mut map = local();
		change(&mut map);
		let error = map.validate().unwrap_err();
		// An item that stands twice may be reported at either place.
		match (&error, &expected) {
			(MapError::ItemTwice { item, .. }, MapError::ItemTwice { item: other, .. }) => {
				assert_eq!(item, other);
			}
			_ => assert_eq!(error, expected),
		}
		assert!(!error.to_string().is_empty());
		assert_eq!(
			ClusterMap::decode_checked(&map.encode()),
			Err(error.clone())
		);
		assert_eq!(map.placement().unwrap_err(), error);
		let decoded = ClusterMap::decode_placement(&map.encode());
		assert_eq!(decoded.unwrap_err(), error);
	}
}

#[test]
fn bytes_that_are_no_map_are_refused() {
	let blob = local().encode();
	assert!(matches!(
		ClusterMap::decode_checked(&[]),
		Err(MapError::Malformed(_))
	));
	for end in 0..blob.len() {
		assert!(ClusterMap::decode_checked(&blob[..end]).is_err(), "{end}");
	}
	let longer = [&blob[..], &[0]].concat();
	assert!(matches!(
		ClusterMap::decode_checked(&longer),
		Err(MapError::Malformed(_))
	));
	let mut newer = blob.clone();
	newer[0] = 3;
	assert_eq!(
		ClusterMap::decode_checked(&newer),
		Err(MapError::UnknownVersion(3))
	);
	assert!(ClusterMap::decode(&mut &newer[..]).is_err());
	let long = vec![1; MAX_BLOB_LEN + 1];
	let error = MapError::TooLong {
		len: MAX_BLOB_LEN + 1,
		max: MAX_BLOB_LEN,
	};
	assert_eq!(ClusterMap::decode_checked(&long), Err(error));
	// A vector that claims 2^30 - 1 zones.
	let mut absurd = ClusterMap {
		zones: vec![],
		..local()
	}
	.encode();
	absurd.pop();
	absurd.extend_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
	assert!(matches!(
		ClusterMap::decode_checked(&absurd),
		Err(MapError::Malformed(_))
	));
}

/// 2000 nodes, all but 20 out: the rule searches in vain, the cap ends it.
#[test]
fn the_draw_cap_ends_a_search_in_vain() {
	let mut map = cluster(PlacementRule::new(3, FailureDomain::Family), 10, 20, 5, 2);
	let mut calm = map.placement().unwrap();
	assert!(calm.up_counted(1).unwrap().1 < 3_000);
	each_node(&mut map, |node| {
		if node.index % 100 != 0 {
			node.reweight = 0;
		}
	});
	let pg = (0..64).find(|pg| {
		let error = map.placement().unwrap().up(*pg);
		error
			== Err(PlaceError::Mapper {
				pg: *pg,
				error: MapperError::DrawCap(20_000),
			})
	});
	assert!(pg.is_some(), "no placement group hit the cap");

	map.rule.max_draws = MAX_DRAWS;
	calm = map.placement().unwrap();
	let (slots, draws) = calm.up_counted(pg.unwrap()).unwrap();
	assert!(draws > 20_000);
	assert!(slots.iter().flatten().all(|node| node % 100 == 0));
}

prop_compose! {
	/// A map of uneven shape, weights and health.
	fn any_cluster()(
		shape in (0usize..4),
		domain in any::<bool>(),
		families in 1usize..12,
		hosts in 1usize..3,
		nodes in 1usize..4,
		pool in any::<u32>(),
		numbers in prop::collection::vec((0u32..=100 * WEIGHT_ONE, 0u32..4, 0u32..WEIGHT_ONE), 1..40),
	) -> ClusterMap {
		let (zones, per_zone) = [(6, 5), (5, 6), (10, 3), (1, 30)][shape];
		let domain = if domain { FailureDomain::Host } else { FailureDomain::Family };
		let rule = PlacementRule { max_draws: MAX_DRAWS, ..PlacementRule::new(per_zone, domain) };
		let mut map = cluster(rule, zones, families, hosts, nodes);
		map.pool = pool;
		let mut numbers = numbers.into_iter().cycle();
		each_node(&mut map, |node| {
			if let Some((weight, health, fraction)) = numbers.next() {
				node.weight = weight;
				node.reweight = [0, fraction, WEIGHT_ONE, WEIGHT_ONE][health as usize];
			}
		});
		map
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	/// Distinct nodes in distinct failure domains of the right zone, none of them out; the same again
	/// from the encoding.
	#[test]
	fn placements_keep_their_promises(map in any_cluster(), pg in 0u32..64) {
		let placement = map.placement().unwrap();
		let slots = placement.up(pg).unwrap();
		prop_assert_eq!(slots.len(), 30);
		let mut domains = BTreeSet::new();
		let mut found = 0;
		for (slot, node) in slots.iter().enumerate() {
			let Some(node) = node else { continue };
			found += 1;
			let zone = &map.zones[slot / usize::from(map.rule.per_zone)];
			let (family, host, node) = zone
				.families
				.iter()
				.flat_map(|family| family.hosts.iter().map(move |host| (family, host)))
				.flat_map(|(family, host)| host.nodes.iter().map(move |node| (family, host, node)))
				.find(|(_, _, other)| other.index == *node)
				.unwrap();
			prop_assert!(node.reweight > 0);
			domains.insert(match map.rule.failure_domain {
				FailureDomain::Host => host.id,
				FailureDomain::Family => family.id,
			});
		}
		prop_assert_eq!(domains.len(), found);
		let again = ClusterMap::decode_checked(&map.encode()).unwrap();
		prop_assert_eq!(&again, &map);
		let (again, prepared) = ClusterMap::decode_placement(&map.encode()).unwrap();
		prop_assert_eq!(&again, &map);
		prop_assert_eq!(prepared.up(pg).unwrap(), slots.clone());
		prop_assert_eq!(again.placement().unwrap().up(pg).unwrap(), slots);
	}

	#[test]
	fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
		let _ = ClusterMap::decode_checked(&bytes);
		let _ = CrushMap::decode(&mut &bytes[..]);
		if let Some(first) = bytes.first_mut() {
			*first = 1;
		}
		let _ = ClusterMap::decode_checked(&bytes);
	}

	#[test]
	fn a_damaged_map_never_panics(
		map in any_cluster(),
		at in any::<prop::sample::Index>(),
		to in any::<u8>(),
		pg in 0u32..64,
	) {
		let mut blob = map.encode();
		let at = at.index(blob.len());
		blob[at] = to;
		if let Ok(map) = ClusterMap::decode_checked(&blob) {
			prop_assert_eq!(map.encode(), blob);
			let _ = map.placement().unwrap().up(pg);
		}
		let crush = CrushMap::new(
			vec![Bucket::new(-1, 1, (0..5).map(|id| Item { id, weight: 9 }).collect())],
			vec![Rule { id: 0, steps: vec![Step::Take(-1), Step::Emit] }],
		);
		let mut blob = crush.unwrap().encode();
		let at = at % blob.len();
		blob[at] = to;
		if let Ok(map) = CrushMap::decode(&mut &blob[..]) {
			let mut meter = DrawMeter::new(10_000);
			let _ = do_rule(&map, 0, pg, 30, &Reweights::all_in(&map), &mut meter);
		}
	}
}
