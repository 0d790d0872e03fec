//! One registered node: all the chain keeps of it, and the calls of its life after registration.

use crate::{
	client::ChainClient,
	contract::{call, storage},
	error::ChainError,
	submit::{payload, Call, Included},
	view::ChainView,
};
use codec::{Decode, Encode};
use hippius_primitives::{
	registration::{KeyProof, NodeParams, NodeStatus},
	NodeAddress, NodeIndex, NodeKey,
};
use std::time::Duration;
use subxt::utils::AccountId32;
use subxt_signer::sr25519::Keypair;

/// All the registry keeps of a node. Amounts are in rao.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NodeDetails {
	/// The operator's account.
	pub family: [u8; 32],
	/// The key the node is addressed by.
	pub key: NodeKey,
	/// The key that replaces it, and the block from which on anyone may make it do so.
	pub next_key: Option<(NodeKey, u32)>,
	/// Placement zone.
	pub zone: u8,
	/// Name of the machine.
	pub host: Vec<u8>,
	/// Bytes committed.
	pub capacity: u64,
	/// Where the node serves, best first.
	pub addresses: Vec<NodeAddress>,
	/// Where the node is in its life.
	pub status: NodeStatus,
	/// Block of its registration.
	pub registered_at: u32,
	/// Deposit it was taken in with.
	pub deposit: u128,
	/// Stake it was taken in with.
	pub stake: u128,
	/// Set with the start of the exit: from this block on it can be claimed.
	pub claimable_at: Option<u32>,
}

impl NodeDetails {
	/// What was declared, as `update_node` takes it.
	pub fn params(&self) -> NodeParams {
		NodeParams {
			zone: self.zone,
			host: self.host.clone(),
			capacity: self.capacity,
			addresses: self.addresses.clone(),
		}
	}
}

/// The registry's hold on stake, by its number in the pallet.
const CAPACITY_STAKE: u8 = 1;

pub(crate) fn update_node(node: NodeIndex, params: &NodeParams) -> Call {
	payload(&call::UPDATE_NODE, vec![node.encode(), params.encode()])
}

pub(crate) fn announce_key(node: NodeIndex, key: NodeKey, proof: &KeyProof) -> Call {
	let arguments = vec![node.encode(), key.encode(), proof.encode()];
	payload(&call::ANNOUNCE_KEY, arguments)
}

pub(crate) fn of_node(call: &'static call::Call, node: NodeIndex) -> Call {
	payload(call, vec![node.encode()])
}

impl ChainView {
	/// All the chain keeps of a node; `None` if it is not registered.
	pub async fn node_details(&self, node: NodeIndex) -> Result<Option<NodeDetails>, ChainError> {
		self.entry(&storage::NODES, node).await
	}

	/// The chain's clock: Unix time of the block.
	pub async fn timestamp(&self) -> Result<Duration, ChainError> {
		let millis: Option<u64> = self.read(&storage::TIMESTAMP, Vec::new()).await?;
		Ok(Duration::from_millis(millis.unwrap_or(0)))
	}

	/// What is held of an account as stake for its nodes' capacity, in rao.
	pub async fn held_stake(&self, family: [u8; 32]) -> Result<u128, ChainError> {
		// A reason is two numbers: the pallet's, and the reason's in the pallet.
		let holds: Option<Vec<((u8, u8), u128)>> =
			self.entry(&storage::HOLDS, AccountId32(family)).await?;
		let registry = self.pallet_index(call::REGISTER_NODE.pallet);
		let ours = holds
			.into_iter()
			.flatten()
			.filter(|((pallet, reason), _)| Some(*pallet) == registry && *reason == CAPACITY_STAKE);
		Ok(ours.map(|(_, amount)| amount).fold(0, u128::saturating_add))
	}

	/// Time the chain means to take for a block, if its runtime says.
	pub fn block_time(&self) -> Option<Duration> {
		let millis = self.constant::<u64>("Babe", "ExpectedBlockTime")?;
		Some(Duration::from_millis(millis))
	}
}

impl ChainClient {
	/// Declares a node anew and returns what the chain keeps of it then; done when finalised.
	pub async fn update_node(
		&self,
		signer: &Keypair,
		node: NodeIndex,
		params: &NodeParams,
	) -> Result<NodeDetails, ChainError> {
		self.change(signer, &update_node(node, params), node).await
	}

	/// Gives a node a second key; done when finalised. `proof` is signed by the new key.
	pub async fn announce_key(
		&self,
		signer: &Keypair,
		node: NodeIndex,
		key: NodeKey,
		proof: &KeyProof,
	) -> Result<NodeDetails, ChainError> {
		self.change(signer, &announce_key(node, key, proof), node)
			.await
	}

	/// Makes the announced key a node's only one; done when finalised.
	pub async fn activate_key(
		&self,
		signer: &Keypair,
		node: NodeIndex,
	) -> Result<NodeDetails, ChainError> {
		self.change(signer, &of_node(&call::ACTIVATE_KEY, node), node)
			.await
	}

	/// Starts a node's exit; done when finalised. `claimable_at` of the answer says from which
	/// block on it can be ended.
	pub async fn start_exit(
		&self,
		signer: &Keypair,
		node: NodeIndex,
	) -> Result<NodeDetails, ChainError> {
		self.change(signer, &of_node(&call::START_EXIT, node), node)
			.await
	}

	/// Ends a node's exit: deposit and stake are given back and the node is gone; done when
	/// finalised.
	pub async fn claim_exit(&self, signer: &Keypair, node: NodeIndex) -> Result<(), ChainError> {
		let call = of_node(&call::CLAIM_EXIT, node);
		self.submit(signer, &call, Included::Finalized)
			.await
			.map(drop)
	}

	async fn change(
		&self,
		signer: &Keypair,
		call: &Call,
		node: NodeIndex,
	) -> Result<NodeDetails, ChainError> {
		let view = self.submit(signer, call, Included::Finalized).await?;
		let gone = || ChainError::NotIncluded("the call left no node behind".into());
		view.node_details(node).await?.ok_or_else(gone)
	}
}
