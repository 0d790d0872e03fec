//! Slots of placement groups, computed from a cluster map.

use crate::cluster::{ClusterMap, FailureDomain, FamilyBucket, HostBucket, FAMILY, HOST};
use crate::error::{MapperError, PlaceError};
use crate::hash::hash2;
use crate::map::{CrushMap, Reweights, Rule, Step};
use crate::mapper::{do_rule_on, is_out, Devices, DrawMeter, Live, Workspace, NONE};
use crate::table::Slots;
use crate::upmap::UpmapItem;
use alloc::vec::Vec;
use hippius_primitives::{Epoch, NodeIndex, Pg, TOTAL_SHARDS};

/// Slots of a placement group, one per shard of a stripe.
pub const SLOTS: usize = TOTAL_SHARDS;

/// The rule that fills all slots; the rules of single zones follow it.
const RULE_ALL: u32 = 0;

/// A cluster map ready for computing slots.
#[derive(Clone, Debug)]
pub struct Placement {
	epoch: Epoch,
	pg_num: u32,
	pool: u32,
	per_zone: u8,
	max_draws: u64,
	map: CrushMap,
	reweights: Reweights,
	/// Failure domains with a node that is not out, for every zone.
	live: Live,
	/// By ascending node.
	nodes: Vec<NodePlace>,
	/// Those of the map, ascending.
	pub(crate) exceptions: Vec<UpmapItem>,
}

/// Where a node stands in the map. Families and failure domains are numbered through the whole map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodePlace {
	pub(crate) node: NodeIndex,
	/// Position of the zone, not its number.
	pub(crate) zone: u8,
	pub(crate) family: u32,
	pub(crate) domain: u32,
	/// Crush weight.
	pub(crate) weight: u32,
}

/// All nodes of a map, ascending.
fn places(cluster: &ClusterMap) -> Vec<NodePlace> {
	let mut places = Vec::new();
	let (mut family, mut host) = (0, 0);
	for (bucket, zone) in cluster.zones.iter().zip(0u8..) {
		for bucket in &bucket.families {
			for bucket in &bucket.hosts {
				let domain = match cluster.rule.failure_domain {
					FailureDomain::Host => host,
					FailureDomain::Family => family,
				};
				places.extend(bucket.nodes.iter().map(|node| NodePlace {
					node: node.index,
					zone,
					family,
					domain,
					weight: node.weight,
				}));
				host += 1;
			}
			family += 1;
		}
	}
	places.sort_unstable_by_key(|place| place.node);
	places
}

/// Type of the buckets that are failure domains.
pub(crate) fn kind(domain: FailureDomain) -> u16 {
	match domain {
		FailureDomain::Host => HOST,
		FailureDomain::Family => FAMILY,
	}
}

/// Failure domains of each zone that have a node with a reweight above 0.
fn live(cluster: &ClusterMap, map: &CrushMap) -> Live {
	let host_lives = |host: &HostBucket| host.nodes.iter().any(|node| node.reweight > 0);
	let mut counts = alloc::vec![u32::MAX; map.buckets_len()];
	for zone in &cluster.zones {
		let live = match cluster.rule.failure_domain {
			FailureDomain::Host => {
				let hosts = zone.families.iter().flat_map(|family| &family.hosts);
				hosts.filter(|host| host_lives(host)).count()
			}
			FailureDomain::Family => {
				let lives = |family: &&FamilyBucket| family.hosts.iter().any(host_lives);
				zone.families.iter().filter(lives).count()
			}
		};
		if let Some(count) = map.entry(zone.id).and_then(|at| counts.get_mut(at)) {
			*count = live as u32;
		}
	}
	Live {
		kind: kind(cluster.rule.failure_domain),
		counts,
	}
}

/// The rules of [`ClusterMap::crush`].
pub(crate) fn rules(cluster: &ClusterMap) -> Vec<Rule> {
	let rule = &cluster.rule;
	let tries = [
		Step::SetChooseleafTries(rule.chooseleaf_tries),
		Step::SetChooseTries(rule.choose_tries),
	];
	let kind = kind(rule.failure_domain);
	let count = i32::from(rule.per_zone);
	let zones: Vec<[Step; 3]> = cluster
		.zones
		.iter()
		.map(|zone| {
			[
				Step::Take(zone.id),
				Step::Choose {
					leaf: true,
					indep: true,
					count,
					kind,
				},
				Step::Emit,
			]
		})
		.collect();
	let all = Rule {
		id: RULE_ALL,
		steps: tries.into_iter().chain(zones.concat()).collect(),
	};
	let single = zones
		.into_iter()
		.zip(RULE_ALL + 1..)
		.map(|(zone, id)| Rule {
			id,
			steps: tries.into_iter().chain(zone).collect(),
		});
	core::iter::once(all).chain(single).collect()
}

impl Placement {
	/// From a map and what it validated to.
	pub(crate) fn new(cluster: &ClusterMap, map: CrushMap) -> Self {
		let pairs = cluster
			.nodes()
			.map(|node| (node.index as i32, node.reweight));
		let reweights = Reweights::new(pairs);
		Self {
			epoch: cluster.epoch,
			pg_num: cluster.pg_num,
			pool: cluster.pool,
			per_zone: cluster.rule.per_zone,
			max_draws: cluster.rule.max_draws.into(),
			live: live(cluster, &map),
			map,
			reweights,
			nodes: places(cluster),
			exceptions: cluster.exceptions.clone(),
		}
	}

	/// The epoch of the map.
	pub fn epoch(&self) -> Epoch {
		self.epoch
	}

	/// Number of placement groups.
	pub fn pg_num(&self) -> u32 {
		self.pg_num
	}

	/// All nodes of the map, ascending.
	pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeIndex> + '_ {
		self.nodes.iter().map(|place| place.node)
	}

	/// Whether the map has the node.
	pub fn contains(&self, node: NodeIndex) -> bool {
		self.place(node).is_some()
	}

	/// The node's health, 16.16 ([`MapNode::reweight`](crate::MapNode)); 0 if it is not in the map.
	pub fn reweight(&self, node: NodeIndex) -> u32 {
		i32::try_from(node).map_or(0, |node| self.reweights.get(node))
	}

	/// The nodes of a placement group, one entry per slot; `None` where no node was found. As all that
	/// follows, with the exceptions of the map that it allows.
	pub fn up(&self, pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlaceError> {
		self.up_counted(pg).map(|(slots, _)| slots)
	}

	/// As [`Self::up`], with the number of draws it took.
	pub fn up_counted(&self, pg: Pg) -> Result<(Vec<Option<NodeIndex>>, u64), PlaceError> {
		let (slots, draws) = self.up_in(pg, &mut Workspace::default())?;
		Ok((slots.to_vec(), draws))
	}

	/// As [`Self::up_counted`], with memory that is used again.
	pub(crate) fn up_in(&self, pg: Pg, work: &mut Workspace) -> Result<(Slots, u64), PlaceError> {
		let (mut slots, draws) = self.raw_in(pg, work)?;
		self.except(pg, &mut slots);
		Ok((slots, draws))
	}

	/// As [`Self::up_in`], without the map's exceptions.
	pub(crate) fn raw_in(&self, pg: Pg, work: &mut Workspace) -> Result<(Slots, u64), PlaceError> {
		self.map_pg(pg, RULE_ALL, SLOTS, work)
	}

	pub(crate) fn check_pg(&self, pg: Pg) -> Result<(), PlaceError> {
		let pg_num = self.pg_num;
		if pg < pg_num {
			Ok(())
		} else {
			Err(PlaceError::UnknownPg { pg, pg_num })
		}
	}

	/// The slots the node holds, by ascending placement group. A node that is not in the map holds
	/// none. Only the node's own zone is computed, each with the whole cap of draws.
	pub fn slots_of(&self, node: NodeIndex) -> Result<Vec<(Pg, u8)>, PlaceError> {
		let Some(zone) = self.place(node).map(|place| place.zone) else {
			return Ok(Vec::new());
		};
		let first = zone * self.per_zone;
		let rule = RULE_ALL + 1 + u32::from(zone);
		let mut work = Workspace::default();
		let mut held = Vec::new();
		for pg in 0..self.pg_num {
			let (mut slots, _) = self.map_pg(pg, rule, usize::from(self.per_zone), &mut work)?;
			self.except(pg, &mut slots);
			if let Some(at) = slots.iter().position(|slot| *slot == Some(node)) {
				held.push((pg, first + at as u8));
			}
		}
		Ok(held)
	}

	pub(crate) fn places(&self) -> &[NodePlace] {
		&self.nodes
	}

	pub(crate) fn reweights(&self) -> &Reweights {
		&self.reweights
	}

	/// Slots of each zone.
	pub(crate) fn per_zone(&self) -> usize {
		usize::from(self.per_zone).max(1)
	}

	/// Most draws of one mapping.
	pub(crate) fn max_draws(&self) -> u64 {
		self.max_draws
	}

	/// What the placement group is mapped by.
	pub(crate) fn input(&self, pg: Pg) -> u32 {
		hash2(pg, self.pool)
	}

	/// The first `count` slots of the result are those of the rule.
	fn map_pg(
		&self,
		pg: Pg,
		rule: u32,
		count: usize,
		work: &mut Workspace,
	) -> Result<(Slots, u64), PlaceError> {
		self.check_pg(pg)?;
		let x = self.input(pg);
		let mut meter = DrawMeter::new(self.max_draws);
		let devices = Devices {
			map: &self.map,
			reweights: &self.reweights,
			live: Some(&self.live),
		};
		let items = do_rule_on(devices, rule, x, count as u32, &mut meter, work)
			.map_err(|error: MapperError| PlaceError::Mapper { pg, error })?;
		let slots = check(pg, items, count, |node| is_out(&self.reweights, node, x))?;
		Ok((slots, meter.spent()))
	}
}

/// The calculator promises distinct nodes that are in; a stripe's safety rests on it, so it is checked
/// and not assumed.
fn check(
	pg: Pg,
	items: &[i32],
	count: usize,
	is_out: impl Fn(i32) -> bool,
) -> Result<Slots, PlaceError> {
	let mut slots = [None; SLOTS];
	if items.len() != count || count > SLOTS {
		return Err(PlaceError::Slots {
			pg,
			given: items.len(),
		});
	}
	for (at, (slot, &item)) in slots.iter_mut().zip(items).enumerate() {
		if item == NONE {
			continue;
		}
		let node = NodeIndex::try_from(item).map_err(|_| PlaceError::NotANode { pg, item })?;
		if items[..at].contains(&item) {
			return Err(PlaceError::NodeTwice { pg, node });
		}
		if is_out(item) {
			return Err(PlaceError::NodeOut { pg, node });
		}
		*slot = Some(node);
	}
	Ok(slots)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_wrong_mapping_is_an_error() {
		let never = |_| false;
		let mut slots = [None; SLOTS];
		slots[0] = Some(4);
		slots[2] = Some(5);
		assert_eq!(check(1, &[4, NONE, 5], 3, never), Ok(slots));
		assert_eq!(
			check(1, &[4, 5], 3, never),
			Err(PlaceError::Slots { pg: 1, given: 2 })
		);
		assert_eq!(
			check(1, &[4, 5, 4], 3, never),
			Err(PlaceError::NodeTwice { pg: 1, node: 4 })
		);
		assert_eq!(
			check(1, &[4, -5], 2, never),
			Err(PlaceError::NotANode { pg: 1, item: -5 })
		);
		let out = |node| node == 5;
		assert_eq!(
			check(1, &[4, 5], 2, out),
			Err(PlaceError::NodeOut { pg: 1, node: 5 })
		);
	}
}
