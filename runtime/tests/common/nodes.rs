//! Nodes of a test network.

use super::{signed_all, transfer, Chain};
use ed25519_dalek::{Signer, SigningKey};
use hippius_primitives::{
	registration::{registration_payload, KeyProof, NodeParams},
	NodeAddress, NodeKey,
};
use hippius_runtime::*;
use sp_core::{sr25519, Pair as _};

/// The key of node number `number`.
pub fn node_key(number: u32) -> SigningKey {
	let mut seed = [7; 32];
	seed[..4].copy_from_slice(&number.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

/// A registration of node `number` by `family`, signed by the node's key.
pub fn register(family: &sr25519::Pair, number: u32, zone: u8) -> pallet_registry::Call<Runtime> {
	register_of(family, number, zone, 10 << 30)
}

/// The same of another capacity.
pub fn register_of(
	family: &sr25519::Pair,
	number: u32,
	zone: u8,
	capacity: u64,
) -> pallet_registry::Call<Runtime> {
	let key = node_key(number);
	let node_key = NodeKey(key.verifying_key().to_bytes());
	let params = NodeParams {
		zone,
		host: format!("host-{number}").into_bytes(),
		capacity,
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

/// Registers thirty nodes of ten families, five in each zone; number and key of each are the same.
pub fn thirty_nodes(chain: &mut Chain) {
	let families: Vec<_> = (0..10)
		.map(|family| super::pair(&format!("Family{family}")))
		.collect();
	let funding = families
		.iter()
		.map(|family| transfer(&family.public().into(), 10_000 * units::ALPHA))
		.collect();
	chain.block_of(signed_all(&super::pair("Alice"), funding));
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
}
