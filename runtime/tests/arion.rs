//! Miners register with their own keys, the map comes, placement answers.
#![allow(clippy::unwrap_used)]

mod common;

use common::{account, externalities, pair, signed, signed_all, transfer, Chain};
use ed25519_dalek::{Signer, SigningKey};
use frame_support::traits::{fungible::InspectHold, Get};
use hippius_primitives::{
	registration::{registration_payload, KeyProof, NodeParams},
	NodeAddress, NodeKey, StripeId, TOTAL_SHARDS,
};
use hippius_runtime::*;
use pallet_placement_groups::runtime_api::runtime_decl_for_placement_groups_api::PlacementGroupsApiV1 as Api;
use sp_core::{sr25519, Pair as _};
use std::collections::HashSet;

/// The key of node number `number`.
fn node_key(number: u32) -> SigningKey {
	let mut seed = [7; 32];
	seed[..4].copy_from_slice(&number.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

/// A registration of node `number` by `family`, signed by the node's key.
fn register(family: &sr25519::Pair, number: u32, zone: u8) -> pallet_registry::Call<Runtime> {
	let key = node_key(number);
	let node_key = NodeKey(key.verifying_key().to_bytes());
	let params = NodeParams {
		zone,
		host: format!("host-{number}").into_bytes(),
		capacity: 10 << 30,
		addresses: vec![NodeAddress::V4 {
			ip: [127, 0, 0, 1],
			port: 4000 + number as u16,
		}],
	};
	let genesis = System::block_hash(0).0;
	let valid_until = System::block_number() + 50;
	let family = family.public().0;
	let payload = registration_payload(&genesis, &family, &node_key, &params, 0, valid_until);
	let proof = KeyProof {
		genesis,
		sequence: 0,
		valid_until,
		signature: key.sign(&payload).to_bytes(),
	};
	pallet_registry::Call::register_node {
		node_key,
		params,
		proof,
	}
}

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
		let families: Vec<_> = (0..10)
			.map(|family| sr25519::Pair::from_string(&format!("//Family{family}"), None).unwrap())
			.collect();
		let funding = families
			.iter()
			.map(|family| transfer(&family.public().into(), 10_000 * units::ALPHA))
			.collect();
		chain.block_of(signed_all(&pair("Alice"), funding));
		assert_eq!(Runtime::cluster_map(None), None);

		let mut transactions = Vec::new();
		for (family, number) in families.iter().zip(0..) {
			let nodes = (0..3u32).map(|node| {
				let zone = ((number + 2 * node) % 6) as u8;
				register(family, number * 3 + node, zone).into()
			});
			transactions.extend(signed_all(family, nodes.collect()));
		}
		chain.block_of(transactions);
		assert_eq!(pallet_registry::Nodes::<Runtime>::count(), 30);

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
