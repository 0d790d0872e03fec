//! Pushing the shards of one stripe to the miners.

use crate::{
	cluster::{ClusterError, ClusterSource, Node},
	config::PutConfig,
	error::{Part, PutError},
	metrics::Metrics,
	peers::Peers,
};
use arion_grid::{GridError, PutAck, Status};
use arion_object::{EncodedStripe, StripeRef, SHARDS_PER_ALLOCATION};
use bytes::Bytes;
use hippius_primitives::{coding::WRITE_QUORUM, NodeKey, ShardMeta, TOTAL_SHARDS};
use std::{
	collections::HashSet,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};
use tokio_util::task::TaskTracker;

/// Wait before a node that failed is asked again; longer than the transport refuses to dial it.
const RETRY_PAUSE: Duration = Duration::from_millis(1500);
/// Reasons kept for an error message.
const MOST_FAILURES: usize = 3;

/// Pushes shards.
pub(crate) struct Pusher {
	cluster: Arc<dyn ClusterSource>,
	peers: Arc<Peers>,
	metrics: Arc<Metrics>,
	shard_timeout: Duration,
	quorum_timeout: Duration,
	/// Pushes that go on after their stripe was acknowledged.
	background: TaskTracker,
}

/// A shard and where it goes.
struct Parcel {
	node: Node,
	meta: ShardMeta,
	bytes: Bytes,
	/// The allocation's part of the memory uploads may take.
	_memory: Arc<OwnedSemaphorePermit>,
}

/// How one push ended.
struct Outcome {
	parcel: Parcel,
	result: Result<PutAck, GridError>,
}

/// The state of one stripe.
struct Push {
	running: JoinSet<Outcome>,
	tried: HashSet<NodeKey>,
	acks: HashSet<NodeKey>,
	/// Those that may succeed another time.
	again: Vec<Parcel>,
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
			quorum_timeout: Duration::from_millis(config.quorum_timeout_ms),
			background,
		}
	}

	/// Pushes a stripe to the nodes of its placement group and returns once at least
	/// [`WRITE_QUORUM`] distinct nodes said their shard is on disk; the others go on in the
	/// background, counted in `tail`. Shards keep their share of `memory` until they are gone.
	///
	/// While they are too few, those that failed are asked again for a while.
	pub(crate) async fn push(
		self: &Arc<Self>,
		part: Part,
		stripe: EncodedStripe,
		mut memory: OwnedSemaphorePermit,
		tail: &TaskTracker,
	) -> Result<StripeRef, PutError> {
		let layout = self.cluster.current().ok_or(ClusterError::NoMap)?;
		let reference = stripe.reference(layout.epoch());
		let slots = layout.slots(&stripe.stripe)?;
		let mut push = Push {
			running: JoinSet::new(),
			tried: HashSet::new(),
			acks: HashSet::new(),
			again: Vec::new(),
			failures: Vec::new(),
		};
		let mut parcels = Vec::new();
		// Shards of one allocation share its permits, which are free when its memory is.
		let mut share = None;
		for ((slot, bytes), index) in (0u8..).zip(stripe.shards).zip(slots) {
			if usize::from(slot) % SHARDS_PER_ALLOCATION == 0 {
				share = memory.split(SHARDS_PER_ALLOCATION).map(Arc::new);
			}
			let node = index.and_then(|index| self.cluster.node(index));
			if let (Some(node), Some(meta), Some(memory)) =
				(node, reference.meta(slot), share.clone())
			{
				parcels.push(Parcel {
					node,
					meta,
					bytes,
					_memory: memory,
				});
			}
		}
		drop((memory, share));
		let unplaced = TOTAL_SHARDS - parcels.len();
		let started = Instant::now();
		loop {
			self.send(parcels, &mut push);
			self.collect(&mut push, WRITE_QUORUM).await;
			if push.acks.len() >= WRITE_QUORUM {
				break;
			}
			parcels = std::mem::take(&mut push.again);
			if parcels.is_empty() || started.elapsed() >= self.quorum_timeout {
				return Err(PutError::NotEnoughAcks {
					part,
					stripe: stripe.stripe,
					acks: push.acks.len(),
					tried: push.tried.len(),
					unplaced,
					failures: push.failures,
				});
			}
			tokio::time::sleep(RETRY_PAUSE).await;
		}
		self.metrics.shards_unplaced.add(unplaced);
		self.finish_in_background(push, tail);
		Ok(reference)
	}

	fn send(&self, parcels: Vec<Parcel>, push: &mut Push) {
		for parcel in parcels {
			push.tried.insert(parcel.node.key);
			let peer = self.peers.peer(&parcel.node);
			let limit = self.shard_timeout;
			push.running.spawn(async move {
				let put = peer.put(&parcel.meta, parcel.bytes.clone());
				let result = match tokio::time::timeout(limit, put).await {
					Ok(result) => result,
					Err(_) => Err(too_slow(&parcel.node, limit)),
				};
				Outcome { parcel, result }
			});
		}
	}

	/// Until so many nodes have acknowledged or nothing runs any more.
	async fn collect(&self, push: &mut Push, enough: usize) {
		while push.acks.len() < enough {
			match push.running.join_next().await {
				Some(Ok(Outcome {
					parcel,
					result: Ok(_),
				})) => {
					self.peers.worked(&parcel.node.key);
					self.metrics.shards_stored.add(1);
					push.acks.insert(parcel.node.key);
				}
				Some(Ok(Outcome {
					parcel,
					result: Err(error),
				})) => {
					tracing::debug!(%error, "shard not stored");
					self.peers.failed(&parcel.node.key, &error);
					push.note(error.to_string());
					// An answer is final, but for "busy"; silence is not.
					if error.status().is_none_or(|status| status == Status::Busy) {
						push.again.push(parcel);
					}
				}
				Some(Err(crashed)) => push.note(crashed.to_string()),
				None => return,
			}
		}
	}

	/// Lets the rest arrive, and gives those that failed one more chance.
	fn finish_in_background(self: &Arc<Self>, mut push: Push, tail: &TaskTracker) {
		let this = self.clone();
		self.background.spawn(tail.track_future(async move {
			this.collect(&mut push, usize::MAX).await;
			if !push.again.is_empty() {
				tokio::time::sleep(RETRY_PAUSE).await;
				let again = std::mem::take(&mut push.again);
				this.send(again, &mut push);
				this.collect(&mut push, usize::MAX).await;
			}
			let missing = push.tried.len().saturating_sub(push.acks.len());
			this.metrics.shards_unplaced.add(missing);
		}));
	}
}

impl Push {
	fn note(&mut self, failure: String) {
		if self.failures.len() < MOST_FAILURES {
			self.failures.push(failure);
		}
	}
}

fn too_slow(node: &Node, after: Duration) -> GridError {
	let nowhere = ([0, 0, 0, 0], 0).into();
	let address = node.addresses.first().copied().unwrap_or(nowhere);
	GridError::Timeout {
		peer: node.key,
		address,
		what: "store a shard",
		after,
	}
}
