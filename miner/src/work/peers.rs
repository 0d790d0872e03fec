//! The other members of groups, and asking them.

use crate::epochs::{Epochs, Held};
use arion_grid::{BoxFuture, Grid, GridError, Reach, MAX_BATCHES};
use arion_storage_proof::{Batch, StripeEntry};
use hippius_primitives::{registration::NodeRecord, NodeIndex, Pg};
use std::{
	collections::BTreeSet,
	future::Future,
	sync::{Arc, Weak},
	time::Duration,
};
use tokio::time::timeout;

/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Why a member gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
	/// It is in no map.
	#[error("node {0} is not known")]
	Unknown(NodeIndex),
	/// This node is stopping.
	#[error("this node is stopping")]
	Stopping,
	/// It took too long.
	#[error("node {0} did not answer within {PATIENCE:?}")]
	Late(NodeIndex),
	/// It could not be reached, or refused.
	#[error("node {0}: {1}")]
	Failed(NodeIndex, #[source] GridError),
}

/// The other members of groups.
pub trait Peers: Send + Sync + 'static {
	/// Who may know something of a group, this node not among them: members by the newest map first.
	/// Blocks for a moment.
	fn members(&self, pg: Pg) -> Vec<NodeIndex>;

	/// A batch's entries as a member has them.
	fn leaves(
		&self,
		node: NodeIndex,
		pg: Pg,
		batch: Batch,
	) -> BoxFuture<'_, Result<Vec<StripeEntry>, Silent>>;

	/// The batches from number `first` on as a member has them.
	fn batches(
		&self,
		node: NodeIndex,
		pg: Pg,
		first: u64,
	) -> BoxFuture<'_, Result<Vec<Batch>, Silent>>;
}

/// Members by the maps, reached through the grid.
pub struct Members {
	/// The daemon keeps the grid.
	grid: Weak<Grid>,
	epochs: Arc<Epochs>,
}

impl Members {
	/// Those of the maps in `epochs`.
	pub fn new(grid: &Arc<Grid>, epochs: Arc<Epochs>) -> Self {
		Self {
			grid: Arc::downgrade(grid),
			epochs,
		}
	}

	async fn ask<T, F: Future<Output = Result<T, GridError>>>(
		&self,
		node: NodeIndex,
		question: impl FnOnce(arion_grid::Peer) -> F,
	) -> Result<T, Silent> {
		let grid = self.grid.upgrade().ok_or(Silent::Stopping)?;
		let maps = self.epochs.kept();
		let record = maps.iter().find_map(|held| record(held, node));
		let record = record.ok_or(Silent::Unknown(node))?;
		let reach: Reach = record.params.addresses.iter().collect();
		let peer = grid.peer(record.key, reach).or_key(record.next_key);
		match timeout(PATIENCE, question(peer.clone())).await {
			Ok(answer) => answer.map_err(|error| Silent::Failed(node, error)),
			Err(_) => {
				peer.disconnect();
				Err(Silent::Late(node))
			}
		}
	}
}

fn record(held: &Held, node: NodeIndex) -> Option<&NodeRecord> {
	held.update.nodes.iter().find(|record| record.index == node)
}

impl Peers for Members {
	fn members(&self, pg: Pg) -> Vec<NodeIndex> {
		let maps = self.epochs.kept();
		let me = maps.iter().find_map(|held| held.index);
		let mut seen: BTreeSet<NodeIndex> = me.into_iter().collect();
		let mut members = Vec::new();
		for held in &maps {
			let up = match held.placement().map(|placement| placement.up(pg)) {
				Ok(Ok(up)) => up,
				// A group the map does not have, or an old map that cannot place it.
				Ok(Err(_)) | Err(_) => continue,
			};
			members.extend(up.into_iter().flatten().filter(|node| seen.insert(*node)));
		}
		members
	}

	fn leaves(
		&self,
		node: NodeIndex,
		pg: Pg,
		batch: Batch,
	) -> BoxFuture<'_, Result<Vec<StripeEntry>, Silent>> {
		Box::pin(self.ask(
			node,
			move |peer| async move { peer.leaves(pg, &batch).await },
		))
	}

	fn batches(
		&self,
		node: NodeIndex,
		pg: Pg,
		first: u64,
	) -> BoxFuture<'_, Result<Vec<Batch>, Silent>> {
		let ask =
			move |peer: arion_grid::Peer| async move { peer.batches(pg, first, MAX_BATCHES).await };
		Box::pin(self.ask(node, ask))
	}
}
