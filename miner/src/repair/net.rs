//! Asking other nodes, and remembering which of them do not answer.

use super::eras::{reach, Eras};
use arion_grid::{Grid, GridError, Listing, Peer};
use bytes::Bytes;
use hippius_primitives::{coding::SHARD_LEN, NodeIndex, Pg, ShardId, ShardMeta, StripeId};
use std::{
	collections::HashMap,
	future::Future,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		Arc, Mutex, MutexGuard, PoisonError, Weak,
	},
	time::Duration,
};
use tokio::time::{timeout, Instant};

/// A node that sent wrong bytes or broke the protocol is not asked for this long.
const LIAR_PAUSE: Duration = Duration::from_secs(600);
/// Nodes remembered as not answering.
const MAX_DOWN: usize = 65_536;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
	/// The node is in no map that is kept.
	#[error("node {0} is not known")]
	Unknown(NodeIndex),
	/// It did not answer a moment ago.
	#[error("node {0} did not answer a moment ago")]
	Down(NodeIndex),
	/// It did not answer in time.
	#[error("node {0} did not answer within {1:?}")]
	Late(NodeIndex, Duration),
	/// The daemon stops.
	#[error("this node is stopping")]
	Stopping,
	/// It could not be reached, or refused.
	#[error("node {0}: {1}")]
	Failed(NodeIndex, #[source] GridError),
}

/// The other nodes.
pub(super) struct Net {
	/// The grid's service holds this: the daemon keeps the grid.
	grid: Weak<Grid>,
	/// How long a small question may take; a shard may take four times that.
	patience: Duration,
	/// Until when not to ask.
	down: Mutex<HashMap<NodeIndex, Instant>>,
	/// Counts changes of `down`.
	changes: AtomicU64,
}

impl Net {
	/// The nodes reached through `grid`.
	pub(super) fn new(grid: &Arc<Grid>, patience: Duration) -> Self {
		Self {
			grid: Arc::downgrade(grid),
			patience,
			down: Mutex::default(),
			changes: AtomicU64::new(0),
		}
	}

	fn down(&self) -> MutexGuard<'_, HashMap<NodeIndex, Instant>> {
		self.down.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Whether the node answers, as far as is known.
	pub(super) fn serves(&self, node: NodeIndex) -> bool {
		let until = self.down().get(&node).copied();
		until.is_none_or(|until| until <= Instant::now())
	}

	/// A number that changes when what is known of the nodes does.
	pub(super) fn changes(&self) -> u64 {
		self.changes.load(Relaxed)
	}

	fn note(&self, node: NodeIndex, pause: Option<Duration>) {
		let now = Instant::now();
		let mut down = self.down();
		let changed = match pause {
			Some(pause) => {
				if down.len() >= MAX_DOWN {
					down.retain(|_, until| *until > now);
				}
				down.insert(node, now + pause).is_none()
			}
			None => down.remove(&node).is_some(),
		};
		if changed {
			self.changes.fetch_add(1, Relaxed);
		}
	}

	async fn ask<T, F: Future<Output = Result<T, GridError>>>(
		&self,
		eras: &Eras,
		node: NodeIndex,
		patience: Duration,
		question: impl FnOnce(Peer) -> F,
	) -> Result<T, Unanswered> {
		let grid = self.grid.upgrade().ok_or(Unanswered::Stopping)?;
		let record = eras.record(node).ok_or(Unanswered::Unknown(node))?;
		if !self.serves(node) {
			return Err(Unanswered::Down(node));
		}
		let peer = grid.peer(record.key, reach(record)).or_key(record.next_key);
		match timeout(patience, question(peer.clone())).await {
			Ok(Ok(answer)) => {
				self.note(node, None);
				Ok(answer)
			}
			Ok(Err(error)) => {
				if error.is_misbehaviour() {
					tracing::warn!(node, %error, "a node is not asked for a while");
					self.note(node, Some(LIAR_PAUSE));
				} else if error.status().is_none() {
					self.note(node, Some(self.patience * 3));
				}
				Err(Unanswered::Failed(node, error))
			}
			Err(_) => {
				peer.disconnect();
				self.note(node, Some(self.patience * 3));
				Err(Unanswered::Late(node, patience))
			}
		}
	}

	/// A page of what the node holds of a placement group.
	pub(super) async fn inventory(
		&self,
		eras: &Eras,
		node: NodeIndex,
		pg: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> Result<Listing, Unanswered> {
		let ask = |peer: Peer| async move { peer.inventory(pg, after, limit).await };
		self.ask(eras, node, self.patience, ask).await
	}

	/// The description of a stripe.
	pub(super) async fn stripe(
		&self,
		eras: &Eras,
		node: NodeIndex,
		stripe: StripeId,
	) -> Result<Option<ShardMeta>, Unanswered> {
		let ask = |peer: Peer| async move { peer.stripe(stripe).await };
		self.ask(eras, node, self.patience, ask).await
	}

	/// A shard, checked; `None` if the node does not hold it.
	pub(super) async fn get(
		&self,
		eras: &Eras,
		node: NodeIndex,
		shard: ShardId,
	) -> Result<Option<Bytes>, Unanswered> {
		let ask = |peer: Peer| async move { peer.get(shard, SHARD_LEN).await };
		match self.ask(eras, node, self.patience * 4, ask).await {
			Ok(bytes) => Ok(Some(bytes)),
			Err(Unanswered::Failed(_, error)) if error.is_not_found() => Ok(None),
			Err(error) => Err(error),
		}
	}

	/// Which of these shards the node says it holds.
	pub(super) async fn has(
		&self,
		eras: &Eras,
		node: NodeIndex,
		shards: Vec<ShardId>,
	) -> Result<Vec<bool>, Unanswered> {
		let ask = |peer: Peer| async move { peer.has(shards).await };
		self.ask(eras, node, self.patience, ask).await
	}

	/// Tells the node to fetch the shard of its slot from here.
	pub(super) async fn offer(
		&self,
		eras: &Eras,
		node: NodeIndex,
		stripe: StripeId,
	) -> Result<bool, Unanswered> {
		let ask = |peer: Peer| async move { peer.offer(stripe).await };
		self.ask(eras, node, self.patience, ask).await
	}
}
