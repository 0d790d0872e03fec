//! Cluster maps of known size for benches, examples and tests; never for a network.
//!
//! [`small`] and [`large`] have the sizes of the maps that the placement figures of the project were
//! first measured on: 300 nodes in 6 zones of 8 families on 181 hosts, and 2000 nodes in 10 zones of
//! 20 families on 704 hosts, unevenly spread and weighted. Only those sizes are recorded, so weights
//! and spread are this module's own.
//!
//! ```
//! use arion_crush::samples;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = samples::small();
//! let placement = cluster.placement()?;
//! // One placement group, then all of them on two threads.
//! let slots = placement.up(7)?;
//! let table = placement.table(2)?;
//! assert_eq!(table.slots(7), Some(slots.as_slice().try_into()?));
//! // The same nodes as one tree with the rules that are compared with ours.
//! let (map, reweights) = samples::one_root(&cluster)?;
//! let mut meter = arion_crush::DrawMeter::new(20_000);
//! let rule = samples::RULE_BY_FAMILY;
//! let found = arion_crush::mapper::do_rule(&map, rule, 7, 30, &reweights, &mut meter)?;
//! assert_eq!(found.len(), 30);
//! # Ok(())
//! # }
//! ```

use crate::cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
	FAMILY, HOST, ZONE,
};
use crate::error::MapError;
use crate::map::{Bucket, CrushMap, Item, Reweights, Rule, Step, WEIGHT_ONE};
use crate::placement::{kind, SLOTS};
use alloc::vec::Vec;

/// Rule of [`one_root`]: 30 hosts anywhere.
pub const RULE_BY_HOST: u32 = 0;
/// Rule of [`one_root`]: 30 families anywhere.
pub const RULE_BY_FAMILY: u32 = 1;
/// Rule of [`one_root`]: all zones in drawn order, then failure domains in each.
pub const RULE_TWO_STEPS: u32 = 2;
/// Rule of [`one_root`]: one take per zone, as [`ClusterMap`] does it.
pub const RULE_TAKES: u32 = 3;

/// Type of the root above the zones in [`one_root`].
const ROOT: u16 = 4;

/// What a sample map has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
	/// Zones; must divide 30.
	pub zones: u8,
	/// Families of each zone.
	pub families: usize,
	/// Hosts in all, at least one per family.
	pub hosts: usize,
	/// Nodes in all, at least one per host.
	pub nodes: usize,
	/// Placement groups.
	pub pg_num: u32,
	/// Whether all weigh 1.0 and hosts and nodes are dealt out in turn, instead of by chance.
	pub even: bool,
}

/// 300 nodes, 1024 placement groups, by family.
pub fn small() -> ClusterMap {
	cluster(Shape {
		zones: 6,
		families: 8,
		hosts: 181,
		nodes: 300,
		pg_num: 1024,
		even: false,
	})
}

/// 2000 nodes, 8192 placement groups, by family.
pub fn large() -> ClusterMap {
	cluster(Shape {
		zones: 10,
		families: 20,
		hosts: 704,
		nodes: 2000,
		pg_num: 8192,
		even: false,
	})
}

/// A map of a shape, always the same; every node is in. Ids and node numbers count up as the chain
/// hands them out.
pub fn cluster(shape: Shape) -> ClusterMap {
	let mut chance = Chance(0x4849_5050_4955_5321);
	let families = usize::from(shape.zones) * shape.families;
	let hosts_of = chance.deal(shape.hosts, families, shape.even);
	let hosts: usize = hosts_of.iter().sum();
	let mut nodes_of = chance.deal(shape.nodes, hosts, shape.even).into_iter();
	let mut bucket_id = 0;
	let mut next_id = || {
		bucket_id -= 1;
		bucket_id
	};
	let mut index = 0;
	let mut node = |chance: &mut Chance| {
		index += 1;
		let weight = if shape.even { 2 } else { chance.weight() };
		MapNode {
			index: index - 1,
			weight: weight * WEIGHT_ONE / 2,
			reweight: WEIGHT_ONE,
		}
	};
	let zones = (0..shape.zones)
		.zip(hosts_of.chunks(shape.families.max(1)))
		.map(|(zone, families)| ZoneBucket {
			zone,
			id: next_id(),
			families: families
				.iter()
				.map(|hosts| FamilyBucket {
					id: next_id(),
					hosts: (0..*hosts)
						.map(|_| HostBucket {
							id: next_id(),
							nodes: (0..nodes_of.next().unwrap_or(0))
								.map(|_| node(&mut chance))
								.collect(),
						})
						.collect(),
				})
				.collect(),
		})
		.collect();
	let per_zone = SLOTS as u8 / shape.zones.max(1);
	ClusterMap::plain(
		1,
		shape.pg_num,
		1,
		PlacementRule::new(per_zone, FailureDomain::Family),
		zones,
	)
}

/// The nodes of a cluster map as one tree, with the rules `RULE_*`, and their reweights.
pub fn one_root(cluster: &ClusterMap) -> Result<(CrushMap, Reweights), MapError> {
	let mut buckets: Vec<Bucket> = cluster.crush()?.buckets().collect();
	let mut zones = Vec::new();
	for zone in &cluster.zones {
		let bucket = buckets.iter().find(|bucket| bucket.id == zone.id);
		let weight = bucket
			.and_then(Bucket::weight)
			.ok_or(MapError::BucketWeight(zone.id))?;
		zones.push(Item {
			id: zone.id,
			weight,
		});
	}
	let root = buckets.iter().map(|bucket| bucket.id).min().unwrap_or(0) - 1;
	buckets.push(Bucket::new(root, ROOT, zones));
	let per_zone = i32::from(cluster.rule.per_zone);
	let domain = kind(cluster.rule.failure_domain);
	let choose = |leaf, count, kind| Step::Choose {
		leaf,
		indep: true,
		count,
		kind,
	};
	let from_root = |steps: &[Step]| [&[Step::Take(root)], steps, &[Step::Emit]].concat();
	let takes = cluster.zones.iter().flat_map(|zone| {
		[
			Step::Take(zone.id),
			choose(true, per_zone, domain),
			Step::Emit,
		]
	});
	let tries = [
		Step::SetChooseleafTries(cluster.rule.chooseleaf_tries),
		Step::SetChooseTries(cluster.rule.choose_tries),
	];
	let rules = [
		(RULE_BY_HOST, from_root(&[choose(true, 0, HOST)])),
		(RULE_BY_FAMILY, from_root(&[choose(true, 0, FAMILY)])),
		(
			RULE_TWO_STEPS,
			from_root(&[
				choose(false, cluster.zones.len() as i32, ZONE),
				choose(true, per_zone, domain),
			]),
		),
		(RULE_TAKES, takes.collect()),
	];
	let rules = rules.into_iter().map(|(id, steps)| Rule {
		id,
		steps: [&tries[..], &steps].concat(),
	});
	let map = CrushMap::new(buckets, rules.collect())?;
	let nodes = cluster.nodes();
	let reweights = Reweights::new(nodes.map(|node| (node.index as i32, node.reweight)));
	Ok((map, reweights))
}

/// Numbers that look random and are always the same (splitmix64).
struct Chance(u64);

impl Chance {
	fn next(&mut self, below: usize) -> usize {
		self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mut z = self.0;
		z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		((z ^ (z >> 31)) % below.max(1) as u64) as usize
	}

	/// Deals `things` to `places`, one to each first. Every place can be favoured: the rest falls by
	/// chance, to a place of the first half of its group of eight twice as often.
	fn deal(&mut self, things: usize, places: usize, even: bool) -> Vec<usize> {
		let mut dealt = alloc::vec![1; places];
		for at in 0..things.saturating_sub(places) {
			let place = if even {
				at % places.max(1)
			} else {
				self.next(places)
			};
			let place = if !even && place % 8 >= 4 && self.next(2) == 0 {
				place - 4
			} else {
				place
			};
			if let Some(count) = dealt.get_mut(place) {
				*count += 1;
			}
		}
		dealt
	}

	/// In halves: most nodes weigh 1.0, some half, two or four times as much.
	fn weight(&mut self) -> u32 {
		[1, 2, 2, 2, 2, 4, 4, 8][self.next(8)]
	}
}
