//! Follows the chain: every new map and the table of nodes.

use crate::{
	cluster::{Cluster, ClusterError, ClusterSource, ClusterStatus, Layout, Node},
	maps::MapStore,
};
use arion_crush::cluster::ClusterMap;
use futures_util::future::BoxFuture;
use hippius_chain_client::{At, ChainClient, ChainView};
use hippius_primitives::{Epoch, NodeIndex};
use std::{
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Wait before the first new connection; doubled up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(15);
/// The table of nodes is read again at least every so many blocks: addresses may change within an
/// epoch.
const NODES_EVERY: u32 = 10;

/// A [`ClusterSource`] fed by a node of the chain.
pub struct ChainCluster {
	cluster: Cluster,
	maps: MapStore,
	/// The connection, while there is one.
	chain: Mutex<Option<ChainClient>>,
}

impl ChainCluster {
	/// Starts from what the disk knows; nothing is asked of the chain yet.
	pub fn open(maps: MapStore) -> Result<Self, ClusterError> {
		let cluster = Cluster::default();
		let genesis = maps.genesis()?;
		cluster.set_status(|status| status.genesis = genesis);
		cluster.set_nodes(maps.nodes()?.iter().map(Node::from).collect());
		let this = Self {
			cluster,
			maps,
			chain: Mutex::new(None),
		};
		for epoch in this.maps.epochs()?.into_iter().take(2) {
			this.load(epoch)?;
		}
		Ok(this)
	}

	/// Follows the node at `url` until `stop`, connecting anew whenever the connection breaks.
	/// Returns early only when the node is of another chain.
	pub async fn follow(
		self: Arc<Self>,
		url: String,
		stop: CancellationToken,
	) -> Result<(), ClusterError> {
		let mut wait = RETRY_FIRST;
		loop {
			let outcome = tokio::select! {
				outcome = self.session(&url, &mut wait) => outcome,
				() = stop.cancelled() => return Ok(()),
			};
			*self.chain.lock().unwrap_or_else(PoisonError::into_inner) = None;
			let Err(error) = outcome;
			self.cluster.set_status(|status| {
				status.following = false;
				status.problem = Some(error.to_string());
			});
			if matches!(error, ClusterError::OtherChain { .. }) {
				return Err(error);
			}
			tracing::warn!(%error, retry_in = ?wait, "lost the chain");
			tokio::select! {
				() = tokio::time::sleep(wait) => {},
				() = stop.cancelled() => return Ok(()),
			}
			wait = (wait * 2).min(RETRY_MOST);
		}
	}

	/// One connection, until it breaks.
	async fn session(
		&self,
		url: &str,
		wait: &mut Duration,
	) -> Result<std::convert::Infallible, ClusterError> {
		let chain = ChainClient::connect(url).await?;
		self.maps.bind(&chain.genesis_hash())?;
		// Subscribed before the first look, so that no epoch slips between.
		let mut blocks = chain.follow(At::Finalized).await?;
		*self.chain.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain.clone());
		let genesis = hex::encode(chain.genesis_hash());
		self.cluster.set_status(|status| {
			status.following = true;
			status.genesis = Some(genesis);
			status.problem = None;
		});
		tracing::info!(url, "following the chain");
		let mut nodes_read_at = None;
		loop {
			let view = chain.at(At::Finalized).await?;
			let new_epoch = self.refresh_map(&view).await?;
			let stale = nodes_read_at
				.is_none_or(|block| view.number().saturating_sub(block) >= NODES_EVERY);
			if new_epoch || stale {
				self.refresh_nodes(&view).await?;
				nodes_read_at = Some(view.number());
			}
			self.cluster
				.set_status(|status| status.block = Some(view.number()));
			*wait = RETRY_FIRST;
			blocks.next().await?;
		}
	}

	/// Takes the newest map if it is new to us.
	async fn refresh_map(&self, view: &ChainView) -> Result<bool, ClusterError> {
		let epoch = view.current_epoch().await?;
		if epoch == 0 || self.cluster.describe().epoch >= epoch {
			return Ok(false);
		}
		let Some(verified) = view.verified_map(Some(epoch)).await? else {
			return Ok(false);
		};
		let layout = Layout::new(verified.map)?;
		self.maps.put(layout.epoch(), &verified.blob)?;
		tracing::info!(
			epoch = layout.epoch(),
			nodes = layout.nodes().len(),
			"new cluster map"
		);
		// Nodes first: a map whose nodes are unknown is of no use.
		self.refresh_nodes(view).await?;
		self.cluster.add(Arc::new(layout));
		Ok(true)
	}

	async fn refresh_nodes(&self, view: &ChainView) -> Result<(), ClusterError> {
		let nodes = view.nodes().await?;
		self.maps.put_nodes(&nodes)?;
		self.cluster
			.set_nodes(nodes.iter().map(Node::from).collect());
		Ok(())
	}

	/// Loads a map from disk into memory.
	fn load(&self, epoch: Epoch) -> Result<Option<Arc<Layout>>, ClusterError> {
		let Some(blob) = self.maps.get(epoch)? else {
			return Ok(None);
		};
		let map = ClusterMap::decode_checked(&blob)
			.map_err(|cause| ClusterError::Map { epoch, cause })?;
		let layout = Arc::new(Layout::new(map)?);
		self.cluster.add(layout.clone());
		Ok(Some(layout))
	}
}

impl ClusterSource for ChainCluster {
	fn current(&self) -> Option<Arc<Layout>> {
		self.cluster.current()
	}

	fn layout(&self, epoch: Epoch) -> BoxFuture<'_, Result<Option<Arc<Layout>>, ClusterError>> {
		Box::pin(async move {
			if let Some(layout) = self.cluster.ready(epoch) {
				return Ok(Some(layout));
			}
			if let Some(layout) = self.load(epoch)? {
				return Ok(Some(layout));
			}
			// An epoch from before this gateway: the chain may still keep it.
			let chain = self
				.chain
				.lock()
				.unwrap_or_else(PoisonError::into_inner)
				.clone();
			let Some(chain) = chain else { return Ok(None) };
			let Some(verified) = chain
				.at(At::Finalized)
				.await?
				.verified_map(Some(epoch))
				.await?
			else {
				return Ok(None);
			};
			self.maps.put(epoch, &verified.blob)?;
			let layout = Arc::new(Layout::new(verified.map)?);
			self.cluster.add(layout.clone());
			Ok(Some(layout))
		})
	}

	fn epochs(&self) -> Vec<Epoch> {
		match self.maps.epochs() {
			Ok(epochs) => epochs,
			Err(error) => {
				tracing::warn!(%error, "cannot list the maps on disk");
				self.cluster.epochs()
			}
		}
	}

	fn node(&self, index: NodeIndex) -> Option<Node> {
		self.cluster.node(index)
	}

	fn describe(&self) -> ClusterStatus {
		self.cluster.describe()
	}
}
