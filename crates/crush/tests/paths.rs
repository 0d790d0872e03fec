//! The daemons' way to draw against the runtime's: same items, same draws, same errors.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{
	map::{ChooseArgs, Item, Reweights, Rule, Step, MAX_DEVICE_WEIGHT},
	mapper::{do_rule, do_rule_compact},
	samples, Bucket, CrushMap, DrawMeter, MapperError, WEIGHT_ONE,
};
use common::check;
use proptest::prelude::*;

/// Weights where a division could go wrong: tiny beside huge ones, around powers of two, zero.
fn weight() -> impl Strategy<Value = u32> {
	prop_oneof![
		Just(0),
		1u32..10,
		(0u32..23).prop_map(|bits| (1 << bits) + 1),
		(0u32..23).prop_map(|bits| 1 << bits),
		(0u32..23).prop_map(|bits| (1 << bits) - 1),
		0..=MAX_DEVICE_WEIGHT,
		Just(WEIGHT_ONE),
	]
}

prop_compose! {
	/// A root over hosts over devices, with every kind of rule; some buckets with replacement weights.
	fn any_map()(
		hosts in prop::collection::vec(
			(prop::collection::vec(weight(), 0..20), weight(), prop::option::of(weight())),
			1..30,
		),
		leaf_tries in 0u32..4,
		tries in 0u32..30,
	) -> CrushMap {
		let mut device = 0;
		let mut items = Vec::new();
		let mut buckets = Vec::new();
		for ((devices, weight, args), id) in hosts.into_iter().zip((-1000..-1).rev()) {
			let mut bucket = Bucket::new(id, 1, Vec::new());
			for weight in devices {
				bucket.items.push(Item { id: device, weight });
				device += 3;
			}
			bucket.args = args.map(|other| ChooseArgs {
				ids: Vec::new(),
				weight_sets: vec![vec![other; bucket.items.len()]],
			});
			items.push(Item { id, weight });
			buckets.push(bucket);
		}
		buckets.push(Bucket::new(-1, 2, items));
		let choose = |leaf, indep, kind| Step::Choose { leaf, indep, count: 0, kind };
		let kinds = [
			choose(true, true, 1),
			choose(false, true, 0),
			choose(true, false, 1),
			choose(true, true, 0),
		];
		let rules = kinds.into_iter().zip(0..).map(|(choose, id)| Rule {
			id,
			steps: vec![
				Step::SetChooseTries(tries),
				Step::SetChooseleafTries(leaf_tries),
				Step::Take(-1),
				choose,
				Step::Emit,
			],
		});
		CrushMap::new(buckets, rules.collect()).unwrap()
	}
}

/// Result and draws spent, by both ways.
type Outcome = (Result<Vec<i32>, MapperError>, u64);

fn both(map: &CrushMap, rule: u32, x: u32, out: &Reweights, cap: u64) -> [Outcome; 2] {
	[do_rule, do_rule_compact].map(|run| {
		let mut meter = DrawMeter::new(cap);
		let result = run(map, rule, x, 30, out, &mut meter);
		(result, meter.spent())
	})
}

#[test]
fn both_ways_agree_on_any_map() {
	check(
		200,
		(
			any_map(),
			any::<u32>(),
			prop_oneof![Just(1_000_000u64), 0u64..2_000],
			prop::collection::vec(0u32..=WEIGHT_ONE, 1..8),
		),
		|(map, first, cap, health)| {
			let mut health = health.into_iter().cycle();
			let out = Reweights::new(
				map.devices()
					.map(|device| (device, health.next().unwrap_or(WEIGHT_ONE))),
			);
			for rule in 0..4 {
				for x in 0..4 {
					let [native, runtime] = both(&map, rule, first.wrapping_add(x), &out, cap);
					prop_assert_eq!(native, runtime);
				}
			}
			Ok(())
		},
	)
}

#[test]
fn both_ways_agree_on_the_sample_maps() {
	for cluster in [samples::small(), samples::large()] {
		let (map, all_in) = samples::one_root(&cluster).unwrap();
		for rule in samples::RULE_BY_HOST..=samples::RULE_TAKES {
			for x in 0..50 {
				let [native, runtime] = both(&map, rule, x, &all_in, 20_000);
				assert_eq!(native, runtime, "rule {rule} x {x}");
				assert!(native.0.is_ok(), "rule {rule} x {x}");
			}
		}
	}
}

#[test]
fn sample_maps_have_the_recorded_sizes() {
	for (cluster, families, hosts, nodes) in [
		(samples::small(), 48, 181, 300),
		(samples::large(), 200, 704, 2000),
	] {
		let all: Vec<_> = cluster
			.zones
			.iter()
			.flat_map(|zone| &zone.families)
			.collect();
		assert_eq!(all.len(), families);
		let all: Vec<_> = all.into_iter().flat_map(|family| &family.hosts).collect();
		assert_eq!(all.len(), hosts);
		assert_eq!(cluster.nodes().count(), nodes);
		let (map, _) = samples::one_root(&cluster).unwrap();
		assert_eq!(map.devices().count(), nodes);
	}
}

/// 2000 nodes, all but 20 out: both ways stop at the cap, and without one need the same draws.
#[test]
fn the_cap_is_met_at_the_same_draw() {
	let mut cluster = samples::large();
	let mut kept = 0;
	for zone in &mut cluster.zones {
		for (at, family) in zone.families.iter_mut().enumerate() {
			for node in family.hosts.iter_mut().flat_map(|host| &mut host.nodes) {
				node.reweight = 0;
			}
			if at < 2 {
				family.hosts[0].nodes[0].reweight = WEIGHT_ONE;
				kept += 1;
			}
		}
	}
	assert_eq!(kept, 20);
	let (map, out) = samples::one_root(&cluster).unwrap();
	for rule in [samples::RULE_BY_FAMILY, samples::RULE_TAKES] {
		let [native, runtime] = both(&map, rule, 3, &out, 20_000);
		assert_eq!(native, runtime);
		assert_eq!(native.0, Err(MapperError::DrawCap(20_000)));
		assert!(native.1 <= 20_000);
		let [native, runtime] = both(&map, rule, 3, &out, 1_000_000);
		assert_eq!(native, runtime);
		assert!(native.1 > 20_000);
		let found = native.0.unwrap();
		let found = found.iter().filter(|item| **item != arion_crush::NONE);
		assert!(found.clone().count() <= 20);
		assert!(found.copied().all(|node| out.get(node) > 0));
	}
}

/// A placement stops looking once nothing more can be found; the slots are those of the rule run to
/// its bitter end.
#[test]
fn an_early_end_changes_no_slot() {
	check(
		24,
		(
			any::<u64>(),
			prop::collection::vec(
				prop_oneof![Just(0u32), Just(0), Just(0), 1..=WEIGHT_ONE],
				1..40,
			),
			any::<bool>(),
			0u32..1000,
		),
		|(seed, health, by_host, first)| {
			let mut cluster = samples::small();
			if by_host {
				cluster.rule.failure_domain = arion_crush::FailureDomain::Host;
			}
			cluster.rule.max_draws = arion_crush::cluster::MAX_DRAWS;
			let mut health = health.into_iter().cycle().skip((seed % 40) as usize);
			for zone in &mut cluster.zones {
				for family in &mut zone.families {
					// All nodes of most families are alike, so that domains die too.
					let alike = health.next().unwrap_or(0);
					let mixed = health.next() == Some(0);
					for node in family.hosts.iter_mut().flat_map(|host| &mut host.nodes) {
						node.reweight = if mixed {
							alike
						} else {
							health.next().unwrap_or(0)
						};
					}
				}
			}
			let placement = cluster.placement().unwrap();
			let (map, out) = samples::one_root(&cluster).unwrap();
			for pg in first..first + 4 {
				let x = arion_crush::hash::hash2(pg, cluster.pool);
				let (slots, draws) = placement.up_counted(pg).unwrap();
				let mut meter = DrawMeter::new(10_000_000);
				let rule = samples::RULE_TAKES;
				let items = do_rule(&map, rule, x, 30, &out, &mut meter).unwrap();
				let items: Vec<_> = items
					.into_iter()
					.map(|item| (item != arion_crush::NONE).then_some(item as u32))
					.collect();
				prop_assert_eq!(slots, items);
				prop_assert!(draws <= meter.spent());
			}
			Ok(())
		},
	)
}
