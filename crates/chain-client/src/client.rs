//! The connection.

use crate::{
	contract,
	error::{request, ChainError},
	view::{At, ChainView},
};
use arion_crush::cluster::ClusterMap;
use hippius_primitives::{registration::NodeRecord, Epoch, NodeKey};
use std::{sync::Arc, time::Duration};
use subxt::{
	backend::LegacyBackend,
	client::OnlineClient,
	config::{substrate::SubstrateConfig, RpcConfigFor},
	rpcs::{methods::legacy::LegacyRpcMethods, utils::url_is_secure, RpcClient},
};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) type Config = SubstrateConfig;
pub(crate) type Api = OnlineClient<Config>;

/// A connection to a node. Cheap to clone; all clones share one WebSocket. It does not reconnect:
/// when [`ChainError::is_disconnected`] says so, connect again.
#[derive(Clone)]
pub struct ChainClient {
	pub(crate) api: Api,
	pub(crate) rpc: LegacyRpcMethods<RpcConfigFor<Config>>,
	pub(crate) raw: RpcClient,
	url: Arc<str>,
	/// Held from the choice of a number for a transaction until the pool has it, so that
	/// transactions submitted at the same time get different ones.
	pub(crate) numbering: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for ChainClient {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("ChainClient")
			.field("url", &self.url)
			.finish_non_exhaustive()
	}
}

impl ChainClient {
	/// Connects to the node at `url` (`ws://` or `http://` on loopback, `wss://` anywhere) and
	/// checks that its runtime is the one this client was built for.
	pub async fn connect(url: &str) -> Result<Self, ChainError> {
		let socket_url = websocket_url(url)?;
		let no_answer = |cause: String| ChainError::Connect {
			url: url.to_owned(),
			cause,
		};
		let rpc = tokio::time::timeout(CONNECT_TIMEOUT, RpcClient::from_insecure_url(&socket_url))
			.await
			.map_err(|_| no_answer(format!("no connection within {CONNECT_TIMEOUT:?}")))?
			.map_err(|cause| no_answer(cause.to_string()))?;
		let backend = LegacyBackend::<Config>::builder().build(rpc.clone());
		let api = OnlineClient::from_backend(Arc::new(backend))
			.await
			.map_err(|cause| no_answer(cause.to_string()))?;
		let client = Self {
			api,
			rpc: LegacyRpcMethods::new(rpc.clone()),
			raw: rpc,
			url: url.into(),
			numbering: Arc::default(),
		};
		contract::check(&client.at(At::Best).await?.metadata())?;
		Ok(client)
	}

	/// The address this client is connected to.
	pub fn url(&self) -> &str {
		&self.url
	}

	/// Hash of block 0.
	pub fn genesis_hash(&self) -> [u8; 32] {
		self.api.genesis_hash().0
	}

	/// The state at the newest or the newest finalised block.
	pub async fn at(&self, at: At) -> Result<ChainView, ChainError> {
		let action = "reading the newest block";
		let at_block = match at {
			At::Finalized => self.api.at_current_block().await,
			At::Best => {
				let head = self
					.rpc
					.chain_get_block_hash(None)
					.await
					.map_err(request(action))?;
				self.api.at_block(head.ok_or(ChainError::Closed)?).await
			}
		};
		Ok(ChainView::new(at_block.map_err(request(action))?))
	}

	/// Number of the newest block.
	pub async fn best_block_number(&self) -> Result<u32, ChainError> {
		Ok(self.at(At::Best).await?.number())
	}

	/// Number of the newest finalised block.
	pub async fn finalized_number(&self) -> Result<u32, ChainError> {
		Ok(self.at(At::Finalized).await?.number())
	}

	/// The newest finalised cluster map; `None` before the first epoch.
	pub async fn cluster_map(&self) -> Result<Option<ClusterMap>, ChainError> {
		self.at(At::Finalized).await?.cluster_map(None).await
	}

	/// The cluster map of a finalised epoch; `None` if there is none or it is no longer kept.
	pub async fn cluster_map_at(&self, epoch: Epoch) -> Result<Option<ClusterMap>, ChainError> {
		self.at(At::Finalized).await?.cluster_map(Some(epoch)).await
	}

	/// Every node registered in the finalised state, in ascending order of index.
	pub async fn nodes(&self) -> Result<Vec<NodeRecord>, ChainError> {
		self.at(At::Finalized).await?.nodes().await
	}

	/// The node with this key, in the newest block.
	pub async fn node_by_key(&self, key: NodeKey) -> Result<Option<NodeRecord>, ChainError> {
		self.at(At::Best).await?.node_by_key(key).await
	}

	/// How many proofs of this key the chain has accepted: the `sequence` the next one must carry.
	pub async fn proof_sequence(&self, key: NodeKey) -> Result<u32, ChainError> {
		self.at(At::Best).await?.proof_sequence(key).await
	}

	/// Free balance of an account in rao, in the newest block; 0 if it does not exist.
	pub async fn free_balance(&self, account: [u8; 32]) -> Result<u128, ChainError> {
		self.at(At::Best).await?.free_balance(account).await
	}
}

/// Nodes serve HTTP and WebSocket on one port, and subscriptions need the latter.
fn websocket_url(url: &str) -> Result<String, ChainError> {
	let bad = |cause: &str| ChainError::Url {
		url: url.to_owned(),
		cause: cause.to_owned(),
	};
	let socket = match url.split_once("://") {
		Some(("ws" | "wss", _)) => url.to_owned(),
		Some(("http", rest)) => format!("ws://{rest}"),
		Some(("https", rest)) => format!("wss://{rest}"),
		Some(_) => return Err(bad("unknown scheme")),
		None => return Err(bad("no scheme")),
	};
	match url_is_secure(&socket) {
		Ok(true) => Ok(socket),
		Ok(false) => Err(bad("unencrypted and not on this machine")),
		Err(cause) => Err(bad(&cause.to_string())),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn addresses() {
		assert_eq!(
			websocket_url("http://127.0.0.1:9944").unwrap(),
			"ws://127.0.0.1:9944"
		);
		assert_eq!(websocket_url("ws://[::1]:9944").unwrap(), "ws://[::1]:9944");
		assert!(websocket_url("wss://rpc.example").is_ok());
		for bad in [
			"ws://10.0.0.1:9944",
			"http://example.com",
			"ftp://127.0.0.1",
			"127.0.0.1:9944",
			"ws://",
		] {
			assert!(
				matches!(websocket_url(bad), Err(ChainError::Url { .. })),
				"{bad}"
			);
		}
	}

	#[tokio::test]
	async fn no_node_is_a_typed_error() {
		// Bound and dropped: nobody listens there now.
		let port = std::net::TcpListener::bind("127.0.0.1:0")
			.unwrap()
			.local_addr()
			.unwrap()
			.port();
		let error = ChainClient::connect(&format!("ws://127.0.0.1:{port}"))
			.await
			.unwrap_err();
		assert!(matches!(error, ChainError::Connect { .. }), "{error}");
	}
}
