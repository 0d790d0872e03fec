//! Where shards belong and how their holders are reached.

use arion_crush::{
	cluster::ClusterMap,
	error::{MapError, PlaceError},
	placement::Placement,
};
use arion_grid::Reach;
use futures_util::future::BoxFuture;
use hippius_primitives::{
	registration::{NodeRecord, NodeStatus},
	Epoch, NodeIndex, NodeKey, Pg, RelayAddress, StripeId, TOTAL_SHARDS,
};
use std::{
	collections::{BTreeMap, HashMap},
	net::SocketAddr,
	sync::{Arc, PoisonError, RwLock},
};

/// Why the cluster cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
	/// There is no map yet.
	#[error("no cluster map is known yet; wait for the chain's first epoch, and check that the gateway reaches its node")]
	NoMap,
	/// A map breaks a rule.
	#[error("cluster map of epoch {epoch}: {cause}")]
	Map {
		/// The epoch.
		epoch: Epoch,
		/// What is wrong.
		cause: MapError,
	},
	/// A placement group cannot be computed.
	#[error("placement of group {pg} in epoch {epoch}: {cause}")]
	Place {
		/// The placement group.
		pg: Pg,
		/// The epoch.
		epoch: Epoch,
		/// Why.
		cause: PlaceError,
	},
	/// The chain could not be asked.
	#[error(transparent)]
	Chain(#[from] hippius_chain_client::ChainError),
	/// Maps kept on disk could not be read or written.
	#[error("maps on disk: {action} {path}: {cause}")]
	Disk {
		/// What was tried.
		action: &'static str,
		/// The file.
		path: String,
		/// Why it failed.
		cause: std::io::Error,
	},
	/// The folder belongs to a gateway of another chain.
	#[error("this base path was used with chain {ours}, the node is of chain {theirs}; use another --base-path or another node")]
	OtherChain {
		/// Genesis hash the folder is bound to.
		ours: String,
		/// Genesis hash of the node.
		theirs: String,
	},
}

/// A node as it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
	/// Its number.
	pub index: NodeIndex,
	/// The key it proves on the wire.
	pub key: NodeKey,
	/// The key it may prove as well, while its key is being replaced.
	pub next_key: Option<NodeKey>,
	/// Where it serves over UDP, best first.
	pub addresses: Vec<SocketAddr>,
	/// The relays it can be reached through.
	pub relays: Vec<RelayAddress>,
	/// Whether it missed so many audits that it gets no new data.
	pub jailed: bool,
}

impl Node {
	/// Whether it is reached through relays only, which is slow: such nodes are asked last.
	pub fn relayed(&self) -> bool {
		self.addresses.is_empty() && !self.relays.is_empty()
	}

	/// Where it is looked for.
	pub fn reach(&self) -> Reach {
		Reach {
			direct: self.addresses.clone(),
			relays: self.relays.clone(),
		}
	}
}

impl From<&NodeRecord> for Node {
	fn from(record: &NodeRecord) -> Self {
		let Reach { direct, relays } = record.params.addresses.iter().collect();
		Self {
			index: record.index,
			key: record.key,
			next_key: record.next_key,
			addresses: direct,
			relays,
			jailed: record.status == NodeStatus::Jailed,
		}
	}
}

/// One epoch's map, ready to place.
pub struct Layout {
	map: ClusterMap,
	placement: Placement,
}

impl Layout {
	/// Prepares a map.
	pub fn new(map: ClusterMap) -> Result<Self, ClusterError> {
		let epoch = map.epoch;
		let placement = map
			.placement()
			.map_err(|cause| ClusterError::Map { epoch, cause })?;
		Ok(Self { map, placement })
	}

	/// The map.
	pub fn map(&self) -> &ClusterMap {
		&self.map
	}

	/// The map's epoch.
	pub fn epoch(&self) -> Epoch {
		self.map.epoch
	}

	/// The node of each of a stripe's 30 slots; `None` where the map has none to give.
	pub fn slots(
		&self,
		stripe: &StripeId,
	) -> Result<[Option<NodeIndex>; TOTAL_SHARDS], ClusterError> {
		self.members(self.map.pg_of(stripe))
	}

	/// The node of each of a placement group's 30 slots; `None` where the map has none to give.
	pub fn members(&self, pg: Pg) -> Result<[Option<NodeIndex>; TOTAL_SHARDS], ClusterError> {
		let up = self.placement.up(pg).map_err(|cause| ClusterError::Place {
			pg,
			epoch: self.map.epoch,
			cause,
		})?;
		let mut slots = [None; TOTAL_SHARDS];
		for (slot, node) in slots.iter_mut().zip(up) {
			*slot = node;
		}
		Ok(slots)
	}

	/// Every node of the map.
	pub fn nodes(&self) -> Vec<NodeIndex> {
		self.map.nodes().map(|node| node.index).collect()
	}
}

/// What the data path asks of the cluster.
pub trait ClusterSource: Send + Sync + 'static {
	/// The newest map.
	fn current(&self) -> Option<Arc<Layout>>;
	/// The map of an epoch; `None` if nobody has it any more.
	fn layout(&self, epoch: Epoch) -> BoxFuture<'_, Result<Option<Arc<Layout>>, ClusterError>>;
	/// Epochs whose maps are at hand, newest first.
	fn epochs(&self) -> Vec<Epoch>;
	/// How a node is reached.
	fn node(&self, index: NodeIndex) -> Option<Node>;
	/// Hash of the chain's block 0, if it is known.
	fn genesis(&self) -> Option<[u8; 32]> {
		let mut genesis = [0; 32];
		hex::decode_to_slice(self.describe().genesis?, &mut genesis).ok()?;
		Some(genesis)
	}
	/// Where this knowledge comes from and how fresh it is, for status pages.
	fn describe(&self) -> ClusterStatus;
}

/// How the gateway stands with the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ClusterStatus {
	/// Newest epoch known, 0 if none.
	pub epoch: Epoch,
	/// Nodes known.
	pub nodes: usize,
	/// Whether the chain is being followed right now.
	pub following: bool,
	/// Newest finalised block seen.
	pub block: Option<u32>,
	/// Hash of the chain's block 0, hexadecimal.
	pub genesis: Option<String>,
	/// What went wrong last, while it lasts.
	pub problem: Option<String>,
}

#[derive(Default)]
struct Known {
	layouts: BTreeMap<Epoch, Arc<Layout>>,
	nodes: HashMap<NodeIndex, Node>,
	status: ClusterStatus,
}

/// Maps and nodes in memory. On its own a source for fixed clusters; the follower of the chain
/// fills one too.
#[derive(Default)]
pub struct Cluster {
	known: RwLock<Known>,
}

/// Epochs kept ready in memory; older ones are loaded again when asked for.
const READY_EPOCHS: usize = 64;

impl Cluster {
	/// A cluster that never changes.
	pub fn fixed(
		maps: impl IntoIterator<Item = ClusterMap>,
		nodes: Vec<Node>,
	) -> Result<Self, ClusterError> {
		let cluster = Self::default();
		for map in maps {
			cluster.add(Arc::new(Layout::new(map)?));
		}
		cluster.set_nodes(nodes);
		Ok(cluster)
	}

	/// Says of which chain the maps are.
	pub fn set_genesis(&self, genesis: &[u8; 32]) {
		self.set_status(|status| status.genesis = Some(hex::encode(genesis)));
	}

	/// Adds a map.
	pub fn add(&self, layout: Arc<Layout>) {
		let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
		known.layouts.insert(layout.epoch(), layout);
		while known.layouts.len() > READY_EPOCHS {
			known.layouts.pop_first();
		}
		known.status.epoch = known
			.layouts
			.last_key_value()
			.map_or(0, |(epoch, _)| *epoch);
	}

	/// Replaces the table of nodes.
	pub fn set_nodes(&self, nodes: Vec<Node>) {
		let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
		known.nodes = nodes.into_iter().map(|node| (node.index, node)).collect();
		known.status.nodes = known.nodes.len();
	}

	/// Changes what [`ClusterSource::describe`] tells.
	pub(crate) fn set_status(&self, change: impl FnOnce(&mut ClusterStatus)) {
		change(
			&mut self
				.known
				.write()
				.unwrap_or_else(PoisonError::into_inner)
				.status,
		);
	}

	/// The map of an epoch, if it is in memory.
	pub(crate) fn ready(&self, epoch: Epoch) -> Option<Arc<Layout>> {
		self.known
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.layouts
			.get(&epoch)
			.cloned()
	}
}

impl ClusterSource for Cluster {
	fn current(&self) -> Option<Arc<Layout>> {
		let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
		known
			.layouts
			.last_key_value()
			.map(|(_, layout)| layout.clone())
	}

	fn layout(&self, epoch: Epoch) -> BoxFuture<'_, Result<Option<Arc<Layout>>, ClusterError>> {
		Box::pin(async move { Ok(self.ready(epoch)) })
	}

	fn epochs(&self) -> Vec<Epoch> {
		let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
		known.layouts.keys().rev().copied().collect()
	}

	fn node(&self, index: NodeIndex) -> Option<Node> {
		self.known
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.nodes
			.get(&index)
			.cloned()
	}

	fn describe(&self) -> ClusterStatus {
		self.known
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.status
			.clone()
	}
}
