//! Who is there, and actions with sound proofs, which chance alone would never find.

use super::market::Market;
use crate::common::pair;
use ed25519_dalek::{Signer, SigningKey};
use fastrand::Rng;
use hippius_primitives::{
	registration::{registration_payload, rotation_payload, KeyProof, NodeParams},
	NodeAddress, NodeIndex, NodeKey,
};
use hippius_runtime::*;
use sp_core::{sr25519, Pair as _};
use std::collections::BTreeMap;

/// Accounts that send: the well-known ones, and some that begin with nothing.
const NAMES: [&str; 14] = [
	"Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "George", "Harry", "Ivy", "Judy", "Kim",
	"Leo", "Mia", "Nina",
];

/// The key pairs of all accounts.
pub(crate) fn pairs() -> Vec<sr25519::Pair> {
	NAMES.into_iter().map(pair).collect()
}

/// All accounts.
pub(crate) fn accounts() -> Vec<AccountId> {
	pairs().iter().map(|pair| pair.public().into()).collect()
}

/// What has been done so far, as far as later actions need it.
#[derive(Default)]
pub(crate) struct Known {
	/// The secret keys of nodes, by their public keys.
	pub(crate) keys: BTreeMap<[u8; 32], SigningKey>,
	/// The number the next node will get, as a bound for guesses.
	pub(crate) next_node: NodeIndex,
	/// What buyers and nodes of ordered services do.
	pub(crate) market: Market,
}

impl Known {
	/// Brings the guesses up to date.
	pub(crate) fn refresh(&mut self) {
		self.next_node = pallet_registry::NextNodeIndex::<Runtime>::get() + 1;
	}

	fn new_key(&mut self, rng: &mut Rng) -> SigningKey {
		let mut seed = [0; 32];
		rng.fill(&mut seed);
		let key = SigningKey::from_bytes(&seed);
		self.keys
			.insert(key.verifying_key().to_bytes(), key.clone());
		key
	}

	/// Something an operator does, most often in order. `family` sends it.
	pub(crate) fn operator(&mut self, rng: &mut Rng, family: &sr25519::Pair) -> RuntimeCall {
		let mine: Vec<_> = self.nodes_of(family);
		let node = match mine.len() {
			0 => rng.u32(..=self.next_node),
			len => mine[rng.usize(..len)],
		};
		let call = match rng.u8(..10) {
			0..=3 => self.register(rng, family),
			4 | 5 => pallet_registry::Call::update_node {
				node,
				params: params(rng),
			},
			6 => self.announce(rng, family, node),
			7 => pallet_registry::Call::activate_key { node },
			8 => pallet_registry::Call::start_exit { node },
			_ => pallet_registry::Call::claim_exit { node },
		};
		call.into()
	}

	/// Appends a batch of somebody's with receipts of all its members, if the map has enough of them.
	pub(crate) fn append(&mut self, rng: &mut Rng, who: &AccountId) -> Option<RuntimeCall> {
		self.market.append(rng, who, &self.keys)
	}

	fn nodes_of(&self, family: &sr25519::Pair) -> Vec<NodeIndex> {
		Registry::nodes_from(0, 256)
			.into_iter()
			.filter(|node| node.family == family.public().0)
			.map(|node| node.index)
			.collect()
	}

	fn register(
		&mut self,
		rng: &mut Rng,
		family: &sr25519::Pair,
	) -> pallet_registry::Call<Runtime> {
		let key = self.new_key(rng);
		let node_key = NodeKey(key.verifying_key().to_bytes());
		let params = params(rng);
		let proof = proof(&key, |genesis, valid_until| {
			let family = family.public().0;
			registration_payload(genesis, &family, &node_key, &params, 0, valid_until)
		});
		pallet_registry::Call::register_node {
			node_key,
			params,
			proof,
		}
	}

	fn announce(
		&mut self,
		rng: &mut Rng,
		family: &sr25519::Pair,
		node: NodeIndex,
	) -> pallet_registry::Call<Runtime> {
		let key = self.new_key(rng);
		let new_key = NodeKey(key.verifying_key().to_bytes());
		let proof = proof(&key, |genesis, valid_until| {
			let family = family.public().0;
			rotation_payload(genesis, &family, node, &new_key, 0, valid_until)
		});
		pallet_registry::Call::announce_key {
			node,
			new_key,
			proof,
		}
	}
}

fn proof(key: &SigningKey, payload: impl FnOnce(&[u8; 32], u32) -> Vec<u8>) -> KeyProof {
	let genesis = System::block_hash(0).0;
	let valid_until = System::block_number() + 50;
	KeyProof {
		genesis,
		sequence: 0,
		valid_until,
		signature: key.sign(&payload(&genesis, valid_until)).to_bytes(),
	}
}

fn params(rng: &mut Rng) -> NodeParams {
	NodeParams {
		zone: rng.u8(..7),
		host: format!("host-{}", rng.u8(..)).into_bytes(),
		capacity: rng.u64(1 << 28..1 << 42),
		addresses: vec![NodeAddress::V4 {
			ip: [10, 0, 0, rng.u8(..)],
			port: rng.u16(1..),
		}],
	}
}
