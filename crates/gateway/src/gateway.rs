//! The gateway itself: what storing and fetching share.

use crate::{
	catalog::{Catalog, CatalogError, Entry},
	cluster::ClusterSource,
	config::{Config, PutConfig},
	fetch::{Fetcher, PeerEstimate},
	metrics::Metrics,
	payers::Payers,
	peers::Peers,
	push::Pusher,
};
use arion_grid::Grid;
use arion_object::{Link, LinkError, ObjectId, ObjectIdError, ShardBuffers, LINK_PREFIX};
use hippius_primitives::TOTAL_SHARDS;
use std::{str::FromStr, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// How long [`Gateway::close`] waits for shards still on their way.
const DRAIN: Duration = Duration::from_secs(10);

/// Stores and fetches objects. Share it in an [`Arc`].
pub struct Gateway {
	pub(crate) cluster: Arc<dyn ClusterSource>,
	pub(crate) peers: Arc<Peers>,
	pub(crate) metrics: Arc<Metrics>,
	pub(crate) catalog: Arc<Catalog>,
	pub(crate) fetcher: Fetcher,
	pub(crate) pusher: Arc<Pusher>,
	pub(crate) put: PutConfig,
	pub(crate) prefetch: usize,
	pub(crate) max_object: u64,
	/// Who pays for what is stored.
	pub(crate) payers: Payers,
	/// Whether stripes wait to be appended to the ledgers on chain.
	pub(crate) ledger: bool,
	/// Memory of shards on their way out, kept for the stripes after.
	pub(crate) buffers: ShardBuffers,
	/// One permit per shard on its way out; a stripe begins with 30.
	pub(crate) put_memory: Arc<Semaphore>,
	/// One permit per stripe on its way in.
	pub(crate) get_memory: Arc<Semaphore>,
	/// One permit per core, for sealing and coding.
	cpu: Arc<Semaphore>,
	background: TaskTracker,
}

/// How a user names an object.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
	/// By id; the key must be in the catalog.
	Id(ObjectId),
	/// By link, which has the key.
	Link(Link),
}

/// The text names no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
	/// It looks like a link.
	#[error(transparent)]
	Link(#[from] LinkError),
	/// It does not.
	#[error("neither an id (64 hexadecimal digits) nor a link (arion1...)")]
	Id(#[from] ObjectIdError),
}

impl FromStr for Address {
	type Err = AddressError;

	fn from_str(text: &str) -> Result<Self, Self::Err> {
		if text.starts_with(LINK_PREFIX) {
			return Ok(Self::Link(text.parse()?));
		}
		Ok(Self::Id(text.parse()?))
	}
}

impl Address {
	/// The object's id.
	pub fn id(&self) -> ObjectId {
		match self {
			Self::Id(id) => *id,
			Self::Link(link) => link.id,
		}
	}
}

impl Gateway {
	/// A gateway that dials miners from `grid` and finds them through `cluster`. Nobody pays: what it
	/// stores is its node key's.
	pub fn new(
		config: &Config,
		grid: Arc<Grid>,
		cluster: Arc<dyn ClusterSource>,
		catalog: Catalog,
	) -> Arc<Self> {
		let payers = Payers::one(grid.node_key().0);
		Self::paid_by(config, grid, cluster, catalog, payers)
	}

	/// As [`Self::new`]; what it stores is paid by `payers`.
	pub fn paid_by(
		config: &Config,
		grid: Arc<Grid>,
		cluster: Arc<dyn ClusterSource>,
		catalog: Catalog,
		payers: Payers,
	) -> Arc<Self> {
		let peers = Arc::new(Peers::new(grid, &config.grid));
		let metrics = Arc::new(Metrics::default());
		let background = TaskTracker::new();
		let cores = std::thread::available_parallelism().map_or(1, usize::from);
		Arc::new(Self {
			fetcher: Fetcher::new(cluster.clone(), peers.clone(), metrics.clone(), &config.get),
			pusher: Arc::new(Pusher::new(
				cluster.clone(),
				peers.clone(),
				metrics.clone(),
				&config.put,
				background.clone(),
			)),
			cluster,
			peers,
			metrics,
			catalog: Arc::new(catalog),
			put: config.put.clone(),
			prefetch: config.get.prefetch,
			max_object: config.http.max_object,
			payers,
			ledger: config.ledger.is_on(),
			buffers: ShardBuffers::new(config.put.parallel_stripes * TOTAL_SHARDS),
			put_memory: Arc::new(Semaphore::new(config.put.stripes_in_memory * TOTAL_SHARDS)),
			get_memory: Arc::new(Semaphore::new(config.get.stripes_in_memory)),
			cpu: Arc::new(Semaphore::new(cores)),
			background,
		})
	}

	/// Counters.
	pub fn metrics(&self) -> &Metrics {
		&self.metrics
	}

	/// The cluster as this gateway knows it.
	pub fn cluster(&self) -> &dyn ClusterSource {
		self.cluster.as_ref()
	}

	/// The account that is charged on chain for what uploads do not pay for themselves; `None` if
	/// nothing is appended to the ledgers.
	pub fn account(&self) -> Option<&[u8; 32]> {
		self.ledger.then(|| self.payers.own())
	}

	/// What is remembered of miners.
	pub fn peers(&self) -> &Peers {
		&self.peers
	}

	/// Bytes that may be fetched now beyond those needed.
	pub fn hedge_budget(&self) -> u64 {
		self.fetcher.budget_left()
	}

	/// What is known of the miners' speed, slowest first, at most `most` of them; and by how much
	/// waits are stretched at present because requests were sent in vain, from 1.
	pub fn estimates(&self, most: usize) -> (Vec<PeerEstimate>, f64) {
		self.fetcher.estimates(most)
	}

	/// At most `limit` catalog entries in order of id, after the one given.
	pub async fn list(
		&self,
		after: Option<ObjectId>,
		limit: usize,
	) -> Result<Vec<(ObjectId, Entry)>, CatalogError> {
		let catalog = self.catalog.clone();
		disk(move || catalog.page(after, limit)).await
	}

	/// A catalog entry.
	pub async fn entry(&self, id: ObjectId) -> Result<Option<Entry>, CatalogError> {
		let catalog = self.catalog.clone();
		disk(move || catalog.get(id)).await
	}

	/// Number of catalog entries.
	pub async fn count(&self) -> Result<u64, CatalogError> {
		let catalog = self.catalog.clone();
		disk(move || catalog.count()).await
	}

	/// Waits until no shard of any upload is on its way, not even beyond the quorum.
	pub async fn settled(&self) {
		let all = self.put.stripes_in_memory * TOTAL_SHARDS;
		let all = u32::try_from(all).unwrap_or(u32::MAX);
		// An error says that the gateway is closing; that waits by itself.
		drop(self.put_memory.acquire_many(all).await);
	}

	/// Waits for shards still on their way, a while, and closes the connections.
	pub async fn close(&self) {
		self.put_memory.close();
		self.get_memory.close();
		self.background.close();
		if tokio::time::timeout(DRAIN, self.background.wait())
			.await
			.is_err()
		{
			tracing::warn!("some shards beyond the quorum were still on their way");
		}
		self.peers.grid().close().await;
	}

	/// Runs heavy work off the async threads, at most one piece per core at a time. `None` when
	/// the program is going down.
	pub(crate) async fn compute<T: Send + 'static>(
		&self,
		work: impl FnOnce() -> T + Send + 'static,
	) -> Option<T> {
		let permit = self.cpu.clone().acquire_owned().await.ok()?;
		let task = tokio::task::spawn_blocking(move || {
			let result = work();
			drop(permit);
			result
		});
		finish(task.await)
	}
}

pub(crate) async fn disk<T: Send + 'static>(
	work: impl FnOnce() -> Result<T, CatalogError> + Send + 'static,
) -> Result<T, CatalogError> {
	match finish(tokio::task::spawn_blocking(work).await) {
		Some(result) => result,
		// Only while the runtime shuts down; nobody is left to see it.
		None => std::future::pending().await,
	}
}

/// A task's result; its panic goes on here, where it would have happened without the task.
fn finish<T>(joined: Result<T, tokio::task::JoinError>) -> Option<T> {
	match joined {
		Ok(value) => Some(value),
		Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
		Err(_) => None,
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use arion_object::ObjectKey;
	use hippius_primitives::StripeId;

	#[test]
	fn addresses_parse_or_say_why_not() {
		let id = ObjectId(StripeId([5; 32]));
		let link = Link {
			id,
			key: ObjectKey::from_bytes([6; 32]),
		};
		assert!(id.to_string().parse() == Ok(Address::Id(id)));
		assert!(link.to_string().parse() == Ok(Address::Link(link.clone())));
		assert!(matches!(
			"arion1xyz".parse::<Address>(),
			Err(AddressError::Link(_))
		));
		for bad in ["", "5", "zz", &"0".repeat(63), "../../x"] {
			assert!(
				matches!(bad.parse::<Address>(), Err(AddressError::Id(_))),
				"{bad}"
			);
		}
	}
}
