//! The chain's state at one block.

use crate::{
	client::Config,
	contract::{runtime_api, storage, view_function},
	error::{request, ChainError, MapProblem},
};
use arion_crush::cluster::ClusterMap;
use codec::{Decode, DecodeAll, Encode};
use hippius_primitives::{
	registration::NodeRecord, traits::LivenessState, Epoch, NodeIndex, NodeKey,
};
use subxt::{
	client::OnlineClientAtBlock,
	metadata::ArcMetadata,
	utils::{AccountId32, Static},
};

/// Nodes asked for at a time.
const PAGE: u32 = 256;

/// Which block to read at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
	/// The newest block; may still be replaced by another.
	Best,
	/// The newest finalised block.
	Finalized,
}

/// A cluster map together with the bytes the chain's hash covers.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedMap {
	/// The map.
	pub map: ClusterMap,
	/// Its SCALE encoding as kept on chain.
	pub blob: Vec<u8>,
	/// blake2-256 of `blob`, equal to the one on chain.
	pub hash: [u8; 32],
}

/// The chain at one block: everything read through one view is of the same moment.
pub struct ChainView {
	at: OnlineClientAtBlock<Config>,
}

/// `frame_system`'s account entry, with the balance's data.
#[derive(Decode)]
struct AccountEntry {
	nonce: u32,
	_consumers: u32,
	_providers: u32,
	_sufficients: u32,
	free: u128,
	_reserved: u128,
	_frozen: u128,
	_flags: u128,
}

impl ChainView {
	pub(crate) fn new(at: OnlineClientAtBlock<Config>) -> Self {
		Self { at }
	}

	pub(crate) fn metadata(&self) -> ArcMetadata {
		self.at.metadata()
	}

	/// The block's number.
	pub fn number(&self) -> u32 {
		// Block numbers are u32 on this chain.
		u32::try_from(self.at.block_number()).unwrap_or(u32::MAX)
	}

	/// The block's hash.
	pub fn hash(&self) -> [u8; 32] {
		self.at.block_hash().0
	}

	/// The newest map epoch, 0 before the first.
	pub async fn current_epoch(&self) -> Result<Epoch, ChainError> {
		Ok(self
			.read(&storage::CURRENT_EPOCH, Vec::new())
			.await?
			.unwrap_or(0))
	}

	/// The map of an epoch (`None`: the newest), checked against the hash on chain. `None` if
	/// there is no such map or it is no longer kept.
	pub async fn verified_map(
		&self,
		epoch: Option<Epoch>,
	) -> Result<Option<VerifiedMap>, ChainError> {
		let blob: Option<Vec<u8>> = self
			.call(&runtime_api::CLUSTER_MAP, &epoch.encode())
			.await?;
		let Some(blob) = blob else { return Ok(None) };
		let wrong = |problem| ChainError::Map {
			epoch: epoch.unwrap_or(0),
			problem,
		};
		let map = ClusterMap::decode_checked(&blob).map_err(|cause| wrong(cause.into()))?;
		if epoch.is_some_and(|epoch| epoch != map.epoch) {
			return Err(wrong(MapProblem::Epoch(map.epoch)));
		}
		let recorded: Option<[u8; 32]> = self.entry(&storage::MAP_HASH, map.epoch).await?;
		let hash = sp_crypto_hashing::blake2_256(&blob);
		match recorded {
			None => Err(wrong(MapProblem::Unrecorded)),
			Some(recorded) if recorded != hash => Err(wrong(MapProblem::Hash)),
			Some(_) => Ok(Some(VerifiedMap { map, blob, hash })),
		}
	}

	/// As [`Self::verified_map`], the map only.
	pub async fn cluster_map(
		&self,
		epoch: Option<Epoch>,
	) -> Result<Option<ClusterMap>, ChainError> {
		Ok(self.verified_map(epoch).await?.map(|verified| verified.map))
	}

	/// Every registered node, in ascending order of index.
	pub async fn nodes(&self) -> Result<Vec<NodeRecord>, ChainError> {
		let mut nodes: Vec<NodeRecord> = Vec::new();
		let mut from: NodeIndex = 0;
		loop {
			let page = self.nodes_from(from, PAGE).await?;
			let Some(last) = page.last().map(|node| node.index) else {
				return Ok(nodes);
			};
			// A page may be shorter than asked for; only an empty one is the end. One that does
			// not advance would make this loop run for ever.
			if page.iter().any(|node| node.index < from) {
				return Err(ChainError::Decode {
					action: runtime_api::NODES_FROM.name,
					cause: "a page starts before the node asked for".into(),
				});
			}
			nodes.extend(page);
			match last.checked_add(1) {
				Some(next) => from = next,
				None => return Ok(nodes),
			}
		}
	}

	/// At most `limit` nodes with indices of at least `from`.
	pub async fn nodes_from(
		&self,
		from: NodeIndex,
		limit: u32,
	) -> Result<Vec<NodeRecord>, ChainError> {
		self.call(&runtime_api::NODES_FROM, &(from, limit).encode())
			.await
	}

	/// How a node is doing by its heartbeats, and beats seen and due in the last 30 days.
	pub async fn standing(
		&self,
		node: NodeIndex,
	) -> Result<(LivenessState, Option<(u32, u32)>), ChainError> {
		self.call(&runtime_api::STANDING, &node.encode()).await
	}

	/// The node with this key (current or next).
	pub async fn node_by_key(&self, key: NodeKey) -> Result<Option<NodeRecord>, ChainError> {
		let Some(index) = self.entry::<NodeIndex>(&storage::NODE_BY_KEY, key).await? else {
			return Ok(None);
		};
		let page = self.nodes_from(index, 1).await?;
		Ok(page.into_iter().find(|node| node.index == index))
	}

	/// How many proofs of this key the chain has accepted.
	pub async fn proof_sequence(&self, key: NodeKey) -> Result<u32, ChainError> {
		Ok(self
			.entry(&storage::PROOF_SEQUENCE, key)
			.await?
			.unwrap_or(0))
	}

	/// Free balance of an account in rao.
	pub async fn free_balance(&self, account: [u8; 32]) -> Result<u128, ChainError> {
		let entry: Option<AccountEntry> =
			self.entry(&storage::ACCOUNT, AccountId32(account)).await?;
		Ok(entry.map_or(0, |entry| entry.free))
	}

	/// The number of an account's next transaction.
	pub(crate) async fn nonce(&self, account: &AccountId32) -> Result<u64, ChainError> {
		let entry: Option<AccountEntry> = self.entry(&storage::ACCOUNT, *account).await?;
		Ok(entry.map_or(0, |entry| entry.nonce.into()))
	}

	/// The number calls and errors of a pallet begin with.
	pub(crate) fn pallet_index(&self, pallet: &str) -> Option<u8> {
		Some(self.at.metadata_ref().pallet_by_name(pallet)?.call_index())
	}

	/// A constant of the runtime.
	pub(crate) fn constant<V: Decode>(&self, pallet: &str, name: &str) -> Option<V> {
		let metadata = self.at.metadata_ref();
		let constant = metadata.pallet_by_name(pallet)?.constant_by_name(name)?;
		V::decode_all(&mut constant.value()).ok()
	}

	/// Calls a runtime API and decodes the answer, to its last byte.
	pub(crate) async fn call<R: Decode>(
		&self,
		function: &runtime_api::Function,
		arguments: &[u8],
	) -> Result<R, ChainError> {
		let action = function.name;
		let bytes = self
			.at
			.runtime_apis()
			.call_raw(action, Some(arguments))
			.await
			.map_err(request(action))?;
		R::decode_all(&mut bytes.as_slice()).map_err(|cause| ChainError::Decode { action, cause })
	}

	/// Reads one entry of a storage map.
	pub(crate) async fn entry<V: Decode>(
		&self,
		entry: &storage::Entry,
		key: impl Encode,
	) -> Result<Option<V>, ChainError> {
		self.read(entry, vec![Static(Encoded(key.encode()))]).await
	}

	/// The entries of a storage map with one key, at most `most`.
	pub(crate) async fn entries<K: Decode, V: Decode>(
		&self,
		entry: &storage::Entry,
		most: usize,
	) -> Result<Vec<(K, V)>, ChainError> {
		let address = subxt::storage::dynamic::<(Static<Encoded>,), Static<Encoded>>(
			entry.pallet,
			entry.name,
		);
		let action = entry.action;
		let wrong = |cause| ChainError::Decode { action, cause };
		let storage = self.at.storage();
		let mut found = storage.iter(address, ()).await.map_err(request(action))?;
		let mut entries = Vec::new();
		while let Some(next) = found.next().await {
			let next = next.map_err(request(action))?;
			let key = next.key().map_err(request(action))?;
			let key = key.part(0).map(|part| part.value_bytes().to_vec());
			let key = K::decode_all(&mut key.unwrap_or_default().as_slice()).map_err(wrong)?;
			let value = V::decode_all(&mut next.value().bytes()).map_err(wrong)?;
			entries.push((key, value));
			if entries.len() >= most {
				break;
			}
		}
		Ok(entries)
	}

	/// The events of this block.
	pub(crate) fn events(
		&self,
	) -> subxt::events::EventsClient<'_, Config, subxt::client::OnlineClientAtBlockImpl<Config>> {
		self.at.events()
	}

	/// By what the node knows a view function.
	pub(crate) fn view_function_id(&self, function: &view_function::Function) -> Option<[u8; 32]> {
		let pallet = self.at.metadata_ref().pallet_by_name(function.pallet)?;
		Some(*pallet.view_function_by_name(function.name)?.query_id())
	}

	/// Runs a view function.
	pub(crate) async fn view_function(
		&self,
		action: &'static str,
		asked: &[u8],
	) -> Result<Vec<u8>, ChainError> {
		let functions = self.at.view_functions();
		functions
			.call_raw(Some(asked))
			.await
			.map_err(request(action))
	}

	pub(crate) async fn read<V: Decode>(
		&self,
		entry: &storage::Entry,
		keys: Vec<Static<Encoded>>,
	) -> Result<Option<V>, ChainError> {
		let address = subxt::storage::dynamic::<Vec<Static<Encoded>>, Static<Encoded>>(
			entry.pallet,
			entry.name,
		);
		let value = self
			.at
			.storage()
			.try_fetch(address, keys)
			.await
			.map_err(request(entry.action))?;
		value
			.map(|value| V::decode_all(&mut value.bytes()))
			.transpose()
			.map_err(|cause| ChainError::Decode {
				action: entry.action,
				cause,
			})
	}
}

/// Bytes that are SCALE already.
pub(crate) struct Encoded(pub(crate) Vec<u8>);

impl Encode for Encoded {
	fn encode_to<T: codec::Output + ?Sized>(&self, dest: &mut T) {
		dest.write(&self.0);
	}
}

impl Decode for Encoded {
	fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
		let len = input.remaining_len()?.ok_or("unknown length")?;
		let mut bytes = vec![0; len];
		input.read(&mut bytes)?;
		Ok(Self(bytes))
	}
}
