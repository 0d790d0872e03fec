#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_placement_groups;
use arion_crush::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
	WEIGHT_ONE,
};
use codec::Encode;
use frame_support::derive_impl;
use hippius_primitives::{
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{ClusterMaps, NodeRegistry},
	Epoch, NodeIndex, NodeKey,
};
use sp_runtime::BuildStorage;
use std::{cell::RefCell, collections::BTreeMap};

type Block = frame_system::mocking::MockBlock<Test>;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeHoldReason,
		RuntimeFreezeReason,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Groups = pallet_placement_groups;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
}

impl crate::Config for Test {
	type Maps = Maps;
	type Registry = Nodes;
}

thread_local! {
	static MAPS: RefCell<(Epoch, BTreeMap<Epoch, Vec<u8>>)> = RefCell::default();
}

/// A history that tests write by hand.
pub struct Maps;

impl Maps {
	/// Puts a map of `nodes` nodes in force.
	pub(crate) fn publish(epoch: Epoch, nodes: u32) -> ClusterMap {
		let map = map(epoch, nodes);
		Self::publish_blob(epoch, map.encode());
		map
	}

	pub(crate) fn publish_blob(epoch: Epoch, blob: Vec<u8>) {
		MAPS.with_borrow_mut(|(current, maps)| {
			*current = epoch;
			maps.insert(epoch, blob);
		});
	}

	pub(crate) fn expire(epoch: Epoch) {
		MAPS.with_borrow_mut(|(_, maps)| maps.remove(&epoch).map(drop))
			.unwrap()
	}
}

impl ClusterMaps for Maps {
	fn current_epoch() -> Epoch {
		MAPS.with_borrow(|(current, _)| *current)
	}
	fn map_blob(epoch: Epoch) -> Option<Vec<u8>> {
		MAPS.with_borrow(|(_, maps)| maps.get(&epoch).cloned())
	}
	fn map_hash(epoch: Epoch) -> Option<[u8; 32]> {
		Self::map_blob(epoch).map(|blob| sp_io::hashing::blake2_256(&blob))
	}
}

/// A thousand nodes.
pub struct Nodes;

impl NodeRegistry for Nodes {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		(index < 1_000).then(|| NodeRecord {
			index,
			family: [0; 32],
			key: NodeKey([0; 32]),
			next_key: None,
			params: NodeParams {
				zone: 0,
				host: Vec::new(),
				capacity: 0,
				addresses: Vec::new(),
			},
			status: NodeStatus::Active,
		})
	}
	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		(from..1_000)
			.take(limit as usize)
			.filter_map(Self::node)
			.collect()
	}
	fn revision() -> u64 {
		0
	}
}

/// `nodes` nodes over six zones, each of its own family and host.
pub(crate) fn map(epoch: Epoch, nodes: u32) -> ClusterMap {
	let family = |index: u32| FamilyBucket {
		id: -10 - 2 * index as i32,
		hosts: vec![HostBucket {
			id: -11 - 2 * index as i32,
			nodes: vec![MapNode {
				index,
				weight: 64,
				reweight: WEIGHT_ONE,
			}],
		}],
	};
	let zone = |zone: u8| ZoneBucket {
		zone,
		id: -1 - i32::from(zone),
		families: (0..nodes)
			.filter(|index| index % 6 == u32::from(zone))
			.map(family)
			.collect(),
	};
	ClusterMap {
		epoch,
		pg_num: 64,
		pool: 1,
		rule: PlacementRule::new(5, FailureDomain::Family),
		zones: (0..6).map(zone).collect(),
	}
}

pub(crate) fn build_and_execute(test: impl FnOnce()) {
	MAPS.with_borrow_mut(|state| *state = Default::default());
	let storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	sp_io::TestExternalities::new(storage).execute_with(|| {
		test();
		Groups::do_try_state().unwrap();
	});
}
