//! Who is there, and actions with sound proofs, which chance alone would never find.

use super::market::Market;
use crate::common::pair;
use ed25519_dalek::{Signer, SigningKey};
use fastrand::Rng;
use hippius_primitives::{
	registration::{registration_payload, rotation_payload, KeyProof, NodeParams, NodeRecord},
	traits::NodeRegistry,
	NodeAddress, NodeIndex, NodeKey,
};
use hippius_runtime::*;
use sp_core::{sr25519, Pair as _};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes of a family: three that get into maps, and some on standby.
const NODES: usize = 5;

/// Accounts that send: the well-known ones, and some that begin with nothing.
/// As many as it takes to have maps most of the time.
const NAMES: [&str; 20] = [
	"Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "George", "Harry", "Ivy", "Judy", "Kim",
	"Leo", "Mia", "Nina", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tina",
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
	/// The nodes as the block found them.
	pub(crate) nodes: Vec<NodeRecord>,
	/// The audits' rules at genesis.
	pub(crate) rules: pallet_audits::Rules,
	/// What buyers and nodes of ordered services do.
	pub(crate) market: Market,
}

impl Known {
	/// Brings all up to date with the block that was opened.
	pub(crate) fn refresh(&mut self) {
		self.next_node = pallet_registry::NextNodeIndex::<Runtime>::get() + 1;
		// All of them: the view function of this name gives 256.
		self.nodes = <Registry as NodeRegistry>::nodes_from(0, u32::MAX);
		// Keys of nodes that are gone, or were never taken, would only pile up.
		let keys = |node: &NodeRecord| core::iter::once(node.key).chain(node.next_key);
		let live: BTreeSet<_> = self.nodes.iter().flat_map(keys).map(|key| key.0).collect();
		self.keys.retain(|key, _| live.contains(key));
		self.market.refresh();
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
		let mine = self.nodes_of(family);
		let node = match mine.len() {
			0 => rng.u32(..=self.next_node),
			len => mine[rng.usize(..len)].index,
		};
		let leaving = mine.iter().find(|node| node.status.is_leaving());
		let leaving = leaving.map_or(node, |node| node.index);
		let is_full = mine.len() >= NODES;
		let call = match rng.u8(..40) {
			0..=15 if !is_full => self.register(rng, family),
			// Its zone is fixed: most of these would be refused otherwise.
			0..=11 => self.update(rng, node),
			12..=23 => pallet_registry::Call::update_node {
				node,
				params: params(rng),
			},
			24..=27 => self.announce(rng, family, node),
			28..=31 => pallet_registry::Call::activate_key { node },
			// Numbers of nodes are never used again, and the work of heartbeats grows with them.
			32 if rng.u8(..4) == 0 => pallet_registry::Call::start_exit { node },
			33..=36 => pallet_registry::Call::claim_exit { node: leaving },
			_ => pallet_registry::Call::claim_exit { node },
		};
		call.into()
	}

	/// Something that a buyer, a gateway, a node of an ordered service or somebody who is paid does.
	pub(crate) fn trade(&mut self, rng: &mut Rng, who: &AccountId) -> RuntimeCall {
		self.market.call(rng, who, &self.nodes)
	}

	/// Appends a batch of somebody's with receipts of all its members, if the map has enough of them.
	pub(crate) fn append(&mut self, rng: &mut Rng, who: &AccountId) -> Option<RuntimeCall> {
		self.market.append(rng, who, &self.keys, &self.nodes)
	}

	fn nodes_of(&self, family: &sr25519::Pair) -> Vec<&NodeRecord> {
		let family = family.public().0;
		let of_family = |node: &&NodeRecord| node.family == family;
		self.nodes.iter().filter(of_family).collect()
	}

	/// One of the three zones with the fewest nodes: each must have enough, or there is no map.
	fn wanting_zone(&self, rng: &mut Rng) -> u8 {
		let nodes_in = |zone: u8| {
			let here = |node: &&NodeRecord| node.status.in_map() && node.params.zone == zone;
			self.nodes.iter().filter(here).count()
		};
		let mut zones: [u8; 6] = [0, 1, 2, 3, 4, 5];
		zones.sort_by_key(|zone| nodes_in(*zone));
		zones[rng.usize(..3)]
	}

	/// A new declaration of a node that keeps its zone.
	fn update(&self, rng: &mut Rng, node: NodeIndex) -> pallet_registry::Call<Runtime> {
		let mut params = params(rng);
		if let Some(record) = self.nodes.iter().find(|record| record.index == node) {
			params.zone = record.params.zone;
		}
		pallet_registry::Call::update_node { node, params }
	}

	fn register(
		&mut self,
		rng: &mut Rng,
		family: &sr25519::Pair,
	) -> pallet_registry::Call<Runtime> {
		let key = self.new_key(rng);
		let node_key = NodeKey(key.verifying_key().to_bytes());
		let mut params = params(rng);
		if rng.u8(..8) > 0 {
			params.zone = self.wanting_zone(rng);
		}
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
		host: format!("host-{}", rng.u8(..32)).into_bytes(),
		capacity: rng.u64(1 << 28..1 << 42),
		addresses: vec![NodeAddress::V4 {
			ip: [10, 0, 0, rng.u8(..)],
			port: rng.u16(1..),
		}],
	}
}
