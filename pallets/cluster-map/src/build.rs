//! Which nodes get into a map, and with which weight. Pure functions.

use crate::PlacementConfig;
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
pub(crate) use arion_crush::map::{MAX_BUCKET_WEIGHT, MAX_DEVICE_WEIGHT, MAX_FAN_OUT};
use arion_crush::FailureDomain;
use hippius_primitives::registration::NodeRecord;

/// Most shards of a stripe one family may hold: under family domains it gets at most this many
/// zones, under host domains at most this many nodes.
pub(crate) const FAMILY_SHARES: usize = 3;

/// Bits of capacity below the unit of weight: 1 (that is 1/65536 in 16.16) stands for 16 GiB.
const WEIGHT_SHIFT: u32 = 34;

/// A node's crush weight: its capacity in units of 16 GiB, rounded down, at least 1. Capped at what a
/// device may weigh, and so that `max_nodes` nodes never outweigh what a bucket may.
pub(crate) fn node_weight(capacity: u64, max_nodes: u32) -> u32 {
	let cap = MAX_DEVICE_WEIGHT
		.min(MAX_BUCKET_WEIGHT / max_nodes.max(1))
		.max(1);
	u32::try_from(capacity >> WEIGHT_SHIFT)
		.unwrap_or(u32::MAX)
		.clamp(1, cap)
}

/// How much of the map a family has taken.
#[derive(Default)]
struct Share {
	nodes: usize,
	zones: BTreeSet<u8>,
}

/// Decides node by node who gets into the map.
struct Selection<'a> {
	config: &'a PlacementConfig,
	shares: BTreeMap<[u8; 32], Share>,
	/// Families of each zone.
	zones: BTreeMap<u8, usize>,
	/// Hosts of each family in each zone.
	families: BTreeMap<(u8, [u8; 32]), usize>,
	/// Nodes of each host.
	hosts: BTreeMap<(u8, [u8; 32], Vec<u8>), usize>,
}

impl<'a> Selection<'a> {
	fn new(config: &'a PlacementConfig) -> Self {
		Self {
			config,
			shares: BTreeMap::new(),
			zones: BTreeMap::new(),
			families: BTreeMap::new(),
			hosts: BTreeMap::new(),
		}
	}

	/// Takes the node in, or leaves it on standby.
	fn take(&mut self, node: &NodeRecord) -> bool {
		let zone = node.params.zone;
		if !node.status.in_map() || zone >= self.config.zones {
			return false;
		}
		let share = self.shares.entry(node.family).or_default();
		let has_share_left = match self.config.failure_domain {
			FailureDomain::Host => share.nodes < FAMILY_SHARES,
			FailureDomain::Family => {
				share.zones.contains(&zone) || share.zones.len() < FAMILY_SHARES
			}
		};
		if !has_share_left {
			return false;
		}
		// Missing entries mean that this node would be the first below the bucket above.
		let family = (zone, node.family);
		let host = (zone, node.family, node.params.host.clone());
		let nodes = self.hosts.get(&host).copied();
		let hosts = self.families.get(&family).copied();
		let families = self.zones.get(&zone).copied().unwrap_or(0);
		let fits = nodes.unwrap_or(0) < MAX_FAN_OUT
			&& (nodes.is_some() || hosts.unwrap_or(0) < MAX_FAN_OUT)
			&& (hosts.is_some() || families < MAX_FAN_OUT);
		if !fits {
			return false;
		}
		if hosts.is_none() {
			self.zones.insert(zone, families.saturating_add(1));
		}
		if nodes.is_none() {
			self.families
				.insert(family, hosts.unwrap_or(0).saturating_add(1));
		}
		self.hosts
			.insert(host, nodes.unwrap_or(0).saturating_add(1));
		share.nodes = share.nodes.saturating_add(1);
		share.zones.insert(zone);
		true
	}
}

/// The nodes that get into the map, of `nodes` in ascending order: those that are active and in a
/// zone that exists, the lowest numbers first where a family's share or a bucket's fan-out runs
/// out. The others stay on standby.
pub(crate) fn select(config: &PlacementConfig, mut nodes: Vec<NodeRecord>) -> Vec<NodeRecord> {
	let mut selection = Selection::new(config);
	nodes.retain(|node| selection.take(node));
	nodes
}

/// Failure domains of each zone, in order.
pub(crate) fn domains(config: &PlacementConfig, nodes: &[NodeRecord]) -> Vec<(u8, u32)> {
	let mut seen = BTreeSet::new();
	for node in nodes {
		let host = match config.failure_domain {
			FailureDomain::Host => node.params.host.as_slice(),
			FailureDomain::Family => &[],
		};
		seen.insert((node.params.zone, node.family, host));
	}
	(0..config.zones)
		.map(|zone| {
			(
				zone,
				seen.iter().filter(|domain| domain.0 == zone).count() as u32,
			)
		})
		.collect()
}
