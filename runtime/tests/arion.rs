//! Miners register with their own keys, the map comes, placement answers.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
	account, externalities,
	nodes::{node_key, register, thirty_nodes},
	pair, signed, Chain,
};
use frame_support::traits::{fungible::InspectHold, Get};
use hippius_primitives::{NodeKey, StripeId, TOTAL_SHARDS};
use hippius_runtime::*;
use pallet_placement_groups::runtime_api::runtime_decl_for_placement_groups_api::PlacementGroupsApiV1 as Api;
use std::collections::HashSet;

#[test]
fn a_node_registers_and_its_stake_is_held() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		chain.blocks(1);
		let family = pair("Ferdie");
		let call = register(&family, 1, 2);
		chain.block_of(vec![signed(&family, call.clone())]);
		let key = NodeKey(node_key(1).verifying_key().to_bytes());
		let index = pallet_registry::NodeByKey::<Runtime>::get(key).unwrap();
		assert_eq!(Registry::node(index).unwrap().params.zone, 2);
		let held = Balances::total_balance_on_hold(&account("Ferdie"));
		assert!(held > dynamic_params::registry::Deposit::get());

		// The same proof again, and a proof for another family.
		let again = chain.block(vec![signed(&family, call.clone())]).remove(0);
		assert!(again.unwrap().is_err());
		let other = chain
			.block(vec![signed(&pair("Eve"), register(&family, 2, 2))])
			.remove(0);
		assert!(other.unwrap().is_err());
	});
}

#[test]
fn thirty_nodes_make_a_map_that_places_every_stripe() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		assert_eq!(Runtime::cluster_map(None), None);
		thirty_nodes(&mut chain);

		chain.until(20, || Runtime::cluster_map(None).is_some());
		let blob = Runtime::cluster_map(None).unwrap();
		let map = arion_crush::cluster::ClusterMap::decode_checked(&blob).unwrap();
		assert_eq!(map.nodes().count(), 30);
		assert_eq!(map.pg_num, 128);
		let placement = map.placement().unwrap();
		for pg in [0, 1, 63, 127] {
			let acting = Runtime::acting_set(pg).unwrap();
			assert_eq!(acting.len(), TOTAL_SHARDS);
			// Anyone who has the map computes the same.
			assert_eq!(acting, placement.up(pg).unwrap());
			assert_eq!(acting, Runtime::up_set(pg).unwrap());
			let nodes: Vec<_> = acting.into_iter().flatten().collect();
			assert_eq!(nodes.iter().collect::<HashSet<_>>().len(), nodes.len());
		}
		assert!(Runtime::acting_set(128).is_err());
		let stripe = StripeId([9; 32]);
		assert_eq!(Runtime::pg_of(stripe), Some(map.pg_of(&stripe)));
		assert_eq!(Runtime::nodes_from(0, 100).len(), 30);
		assert_eq!(Runtime::nodes_from(28, 100).len(), 2);
	});
}
