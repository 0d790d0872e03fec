//! Pushing the shards of one stripe to the miners.

use crate::{
	cluster::{ClusterError, ClusterSource, Node},
	config::PutConfig,
	error::{Part, PutError},
	metrics::Metrics,
	peers::{Peers, Standing},
};
use arion_grid::{GridError, PutAck};
use arion_object::{EncodedStripe, StripeRef};
use bytes::Bytes;
use hippius_primitives::{coding::WRITE_QUORUM, NodeKey, ShardMeta};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};
use tokio_util::task::TaskTracker;

/// Reasons kept for an error message.
const MOST_FAILURES: usize = 3;

/// Pushes shards.
pub(crate) struct Pusher {
	cluster: Arc<dyn ClusterSource>,
	peers: Arc<Peers>,
	metrics: Arc<Metrics>,
	shard_timeout: Duration,
	/// Pushes that go on after their stripe was acknowledged.
	background: TaskTracker,
}

/// A shard and where it goes.
struct Parcel {
	node: Node,
	meta: ShardMeta,
	bytes: Bytes,
}

/// How one push ended.
struct Outcome {
	key: NodeKey,
	result: Result<PutAck, GridError>,
}

/// Acknowledgements so far.
#[derive(Default)]
struct Tally {
	acks: HashSet<NodeKey>,
	tried: usize,
	failures: Vec<String>,
}

impl Pusher {
	pub(crate) fn new(
		cluster: Arc<dyn ClusterSource>,
		peers: Arc<Peers>,
		metrics: Arc<Metrics>,
		config: &PutConfig,
		background: TaskTracker,
	) -> Self {
		let shard_timeout = Duration::from_millis(config.shard_timeout_ms);
		Self {
			cluster,
			peers,
			metrics,
			shard_timeout,
			background,
		}
	}

	/// Pushes a stripe to the nodes of its placement group and returns once at least
	/// [`WRITE_QUORUM`] distinct nodes said their shard is on disk; the others go on in the
	/// background, counted in `tail`. `memory` is held until the last shard is gone.
	///
	/// Nodes that could not be reached a moment ago are asked only if the others are too few.
	pub(crate) async fn push(
		self: &Arc<Self>,
		part: Part,
		stripe: EncodedStripe,
		memory: OwnedSemaphorePermit,
		tail: &TaskTracker,
	) -> Result<StripeRef, PutError> {
		let layout = self.cluster.current().ok_or(ClusterError::NoMap)?;
		let reference = stripe.reference(layout.epoch());
		let id = stripe.stripe;
		let slots = layout.slots(&id)?;
		let (mut ready, mut doubtful) = (Vec::new(), Vec::new());
		let mut unplaced = 0usize;
		for (slot, bytes) in (0u8..).zip(stripe.shards) {
			let node = slots
				.get(usize::from(slot))
				.copied()
				.flatten()
				.and_then(|index| self.cluster.node(index));
			let (Some(node), Some(meta)) = (node, reference.meta(slot)) else {
				unplaced += 1;
				continue;
			};
			let standing = self.peers.standing(&node.key);
			let parcel = Parcel {
				node,
				meta,
				bytes: bytes.into(),
			};
			match standing {
				Standing::Good | Standing::Slow => ready.push(parcel),
				Standing::Down | Standing::Quarantined => doubtful.push(parcel),
			}
		}
		let mut tally = Tally::default();
		let mut running = JoinSet::new();
		self.send(ready, &mut running, &mut tally);
		self.await_quorum(&mut running, &mut tally).await;
		let skipped = if tally.acks.len() < WRITE_QUORUM {
			self.send(doubtful, &mut running, &mut tally);
			self.await_quorum(&mut running, &mut tally).await;
			0
		} else {
			doubtful.len()
		};
		if tally.acks.len() < WRITE_QUORUM {
			let Tally {
				acks,
				tried,
				failures,
			} = tally;
			return Err(PutError::NotEnoughAcks {
				part,
				stripe: id,
				acks: acks.len(),
				tried,
				unplaced,
				failures,
			});
		}
		self.metrics.shards_unplaced.add(unplaced + skipped);
		self.finish_in_background(running, tally, memory, tail);
		Ok(reference)
	}

	fn send(
		self: &Arc<Self>,
		parcels: Vec<Parcel>,
		running: &mut JoinSet<Outcome>,
		tally: &mut Tally,
	) {
		tally.tried += parcels.len();
		for Parcel { node, meta, bytes } in parcels {
			let peer = self.peers.peer(&node);
			let limit = self.shard_timeout;
			running.spawn(async move {
				let result = match tokio::time::timeout(limit, peer.put(&meta, bytes)).await {
					Ok(result) => result,
					Err(_) => Err(GridError::Timeout {
						peer: node.key,
						address: node
							.addresses
							.first()
							.copied()
							.unwrap_or_else(|| ([0, 0, 0, 0], 0).into()),
						what: "store a shard",
						after: limit,
					}),
				};
				Outcome {
					key: node.key,
					result,
				}
			});
		}
	}

	/// Until the quorum is reached or nothing runs any more.
	async fn await_quorum(&self, running: &mut JoinSet<Outcome>, tally: &mut Tally) {
		while tally.acks.len() < WRITE_QUORUM {
			match running.join_next().await {
				Some(Ok(outcome)) => self.count(outcome, tally),
				Some(Err(crashed)) => tally.note(crashed.to_string()),
				None => return,
			}
		}
	}

	fn count(&self, outcome: Outcome, tally: &mut Tally) {
		match outcome.result {
			Ok(_) => {
				self.peers.worked(&outcome.key);
				self.metrics.shards_stored.add(1);
				tally.acks.insert(outcome.key);
			}
			Err(error) => {
				tracing::debug!(%error, "shard not stored");
				self.peers.failed(&outcome.key, &error);
				tally.note(error.to_string());
			}
		}
	}

	fn finish_in_background(
		self: &Arc<Self>,
		mut running: JoinSet<Outcome>,
		mut tally: Tally,
		memory: OwnedSemaphorePermit,
		tail: &TaskTracker,
	) {
		let this = self.clone();
		self.background.spawn(tail.track_future(async move {
			while let Some(outcome) = running.join_next().await {
				match outcome {
					Ok(outcome) => this.count(outcome, &mut tally),
					Err(crashed) => tally.note(crashed.to_string()),
				}
			}
			this.metrics
				.shards_unplaced
				.add(tally.tried.saturating_sub(tally.acks.len()));
			drop(memory);
		}));
	}
}

impl Tally {
	fn note(&mut self, failure: String) {
		if self.failures.len() < MOST_FAILURES {
			self.failures.push(failure);
		}
	}
}
