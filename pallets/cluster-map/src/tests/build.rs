use crate::{
	build::{domains, node_weight, select, MAX_BUCKET_WEIGHT, MAX_DEVICE_WEIGHT},
	mock::*,
	PlacementConfig,
};
use arion_crush::FailureDomain;
use hippius_primitives::registration::{NodeRecord, NodeStatus};

fn config(failure_domain: FailureDomain) -> PlacementConfig {
	PlacementConfig {
		failure_domain,
		..Default::default()
	}
}

fn selected(config: &PlacementConfig, nodes: Vec<NodeRecord>) -> Vec<u32> {
	select(config, nodes)
		.iter()
		.map(|node| node.index)
		.collect()
}

#[test]
fn weight_is_capacity_in_steps_with_a_floor_and_caps() {
	let gib = 1u64 << 30;
	assert_eq!(node_weight(0, 1_000), 1);
	assert_eq!(node_weight(16 * gib, 1_000), 1);
	assert_eq!(node_weight(32 * gib - 1, 1_000), 1);
	assert_eq!(node_weight(32 * gib, 1_000), 2);
	assert_eq!(node_weight(1 << 40, 1_000), 64);
	assert_eq!(node_weight(u64::MAX, 1), MAX_DEVICE_WEIGHT);
	assert_eq!(node_weight(u64::MAX, u32::MAX), 1);
	for max_nodes in [1, 656, 1_000, 65_536] {
		let sum = u64::from(node_weight(u64::MAX, max_nodes)) * u64::from(max_nodes);
		assert!(sum <= u64::from(MAX_BUCKET_WEIGHT));
	}
}

#[test]
fn only_active_nodes_in_known_zones_are_taken() {
	let config = config(FailureDomain::Host);
	let mut leaving = node(1, 0, 1);
	leaving.status = NodeStatus::Draining;
	let nodes = vec![node(0, 0, 0), leaving, node(2, 6, 2), node(3, 5, 3)];
	assert_eq!(selected(&config, nodes), [0, 3]);
}

#[test]
fn a_family_gets_three_nodes_under_host_domains() {
	let config = config(FailureDomain::Host);
	let nodes = (0..6)
		.map(|index| node(index, 0, 1))
		.chain([node(6, 0, 2)])
		.collect();
	assert_eq!(selected(&config, nodes), [0, 1, 2, 6]);
}

#[test]
fn a_family_gets_three_zones_under_family_domains() {
	let config = config(FailureDomain::Family);
	let nodes = vec![
		node(0, 5, 1),
		node(1, 2, 1),
		node(2, 5, 1),
		node(3, 0, 1),
		node(4, 1, 1),
		node(5, 0, 1),
		node(6, 1, 2),
	];
	assert_eq!(selected(&config, nodes), [0, 1, 2, 3, 5, 6]);
}

#[test]
fn a_leaving_node_makes_room_for_the_familys_next() {
	let config = config(FailureDomain::Host);
	let mut nodes: Vec<_> = (0..4).map(|index| node(index, 0, 1)).collect();
	nodes[1].status = NodeStatus::Draining;
	assert_eq!(selected(&config, nodes), [0, 2, 3]);
}

#[test]
fn no_bucket_gets_more_children_than_crush_allows() {
	let config = config(FailureDomain::Family);
	let numbered = |index: u32, family: u32, host: u32| {
		let mut node = node(index, 0, 0);
		node.family[..4].copy_from_slice(&family.to_le_bytes());
		node.params.host = host.to_le_bytes().to_vec();
		node
	};
	let families = (0..300).map(|index| numbered(index, index, 0)).collect();
	assert_eq!(selected(&config, families).len(), 256);
	let hosts = (0..300).map(|index| numbered(index, 0, index)).collect();
	assert_eq!(selected(&config, hosts).len(), 256);
	let nodes = (0..300).map(|index| numbered(index, 0, 0)).collect();
	assert_eq!(selected(&config, nodes).len(), 256);
}

#[test]
fn domains_are_families_or_their_hosts() {
	let mut twin = node(3, 0, 2);
	twin.params.host = node(2, 0, 2).params.host;
	let nodes = [
		node(0, 0, 1),
		node(1, 0, 1),
		node(2, 0, 2),
		twin,
		node(4, 3, 2),
	];
	let count = |domain, zone: usize| domains(&config(domain), &nodes)[zone].1;
	assert_eq!(count(FailureDomain::Family, 0), 2);
	assert_eq!(count(FailureDomain::Host, 0), 3);
	assert_eq!(count(FailureDomain::Host, 1), 0);
	assert_eq!(count(FailureDomain::Family, 3), 1);
}

#[test]
fn equal_host_names_of_different_families_are_different_hosts() {
	let mut other = node(1, 0, 2);
	other.params.host = node(0, 0, 1).params.host;
	let nodes = [node(0, 0, 1), other];
	assert_eq!(domains(&config(FailureDomain::Host), &nodes)[0].1, 2);
}

#[test]
fn a_placement_that_cannot_work_is_named() {
	let good = PlacementConfig::default();
	assert_eq!(good.check(), Ok(()));
	let bad = [
		PlacementConfig {
			zones: 5,
			..good.clone()
		},
		PlacementConfig {
			zones: 0,
			per_zone: 0,
			..good.clone()
		},
		PlacementConfig {
			per_zone: 255,
			..good.clone()
		},
		PlacementConfig {
			pg_num: 1_000,
			..good.clone()
		},
		PlacementConfig {
			pg_num: 0,
			..good.clone()
		},
		PlacementConfig {
			choose_tries: 0,
			..good.clone()
		},
		PlacementConfig {
			max_draws: 0,
			..good.clone()
		},
		PlacementConfig {
			epoch_blocks: 0,
			..good.clone()
		},
		PlacementConfig {
			growth_blocks: 0,
			..good
		},
	];
	for placement in bad {
		assert!(placement.check().is_err(), "{placement:?}");
	}
}
