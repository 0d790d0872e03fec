//! Pushing the shards of one stripe to the miners.

use crate::{
	cluster::{ClusterError, ClusterSource, Node},
	config::PutConfig,
	error::{Part, PutError},
	metrics::Metrics,
	peers::Peers,
};
use arion_grid::{Grid, GridError, PutAck, Status};
use arion_object::{EncodedStripe, StripeRef, SHARDS_PER_ALLOCATION};
use bytes::Bytes;
use hippius_primitives::{
	coding::WRITE_QUORUM,
	permit::{SignedPermit, StorePermit},
	NodeKey, ShardMeta, TOTAL_SHARDS,
};
use std::{
	collections::HashSet,
	sync::Arc,
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};
use tokio_util::task::TaskTracker;

/// Wait before a node that failed is asked again; longer than the transport refuses to dial it.
const RETRY_PAUSE: Duration = Duration::from_millis(1500);
/// How long a permit counts: enough for the push and what is asked again in the background.
const PERMIT_LIFE: Duration = Duration::from_secs(300);
/// Reasons kept for an error message.
const MOST_FAILURES: usize = 3;

/// The nodes that get their shards. Jailed ones get no new data, as long as there are enough others for a
/// write to count; those who are let out fill their slots as others do that missed a push.
fn spare_jailed(mut nodes: Vec<Option<Node>>) -> Vec<Option<Node>> {
	let free = nodes.iter().flatten().filter(|node| !node.jailed).count();
	if free >= WRITE_QUORUM {
		for node in &mut nodes {
			node.take_if(|node| node.jailed);
		}
	}
	nodes
}

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

/// Signs permits for the shards of one stripe.
struct Permits {
	grid: Arc<Grid>,
	/// Without its times and nonce.
	permit: StorePermit,
}

impl Permits {
	fn sign(&self) -> Result<SignedPermit, GridError> {
		let mut nonce = [0; 8];
		getrandom::fill(&mut nonce).map_err(|_| GridError::BadRequest {
			what: "the system gives no random bytes for a permit",
		})?;
		let since = SystemTime::now().duration_since(UNIX_EPOCH);
		let now = u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
		let life = u64::try_from(PERMIT_LIFE.as_millis()).unwrap_or(u64::MAX);
		Ok(self.grid.identity().permit(StorePermit {
			issued: now,
			expires: now.saturating_add(life),
			nonce: u64::from_le_bytes(nonce),
			..self.permit.clone()
		}))
	}
}

/// How one push ended.
struct Outcome {
	parcel: Parcel,
	result: Result<PutAck, GridError>,
}

/// The state of one stripe.
struct Push {
	permits: Arc<Permits>,
	/// One for all shards of the stripe; each is good at its own node.
	permit: Arc<SignedPermit>,
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

	/// Pushes a stripe, paid by `owner`, to the nodes of its placement group and returns once at least
	/// [`WRITE_QUORUM`] distinct nodes said their shard is on disk; the others go on in the
	/// background, counted in `tail`. Shards keep their share of `memory` until they are gone.
	///
	/// While they are too few, those that failed are asked again for a while.
	pub(crate) async fn push(
		self: &Arc<Self>,
		part: Part,
		stripe: EncodedStripe,
		owner: [u8; 32],
		mut memory: OwnedSemaphorePermit,
		tail: &TaskTracker,
	) -> Result<StripeRef, PutError> {
		let layout = self.cluster.current().ok_or(ClusterError::NoMap)?;
		let reference = stripe.reference(layout.epoch());
		let slots = layout.slots(&stripe.stripe)?;
		let shard_len = stripe.shards.iter().map(Bytes::len).max().unwrap_or(0);
		let permits = Arc::new(Permits {
			grid: self.peers.grid().clone(),
			permit: StorePermit {
				genesis: self.cluster.genesis().unwrap_or_default(),
				epoch: layout.epoch(),
				stripe: stripe.stripe,
				shard_len: u32::try_from(shard_len).unwrap_or(u32::MAX),
				owner,
				issued: 0,
				expires: 0,
				nonce: 0,
			},
		});
		let permit = permits.sign().map_err(|cause| PutError::Permit {
			part,
			cause: cause.to_string(),
		})?;
		let mut push = Push {
			permits,
			permit: Arc::new(permit),
			running: JoinSet::new(),
			tried: HashSet::new(),
			acks: HashSet::new(),
			again: Vec::new(),
			failures: Vec::new(),
		};
		let nodes = slots
			.into_iter()
			.map(|index| index.and_then(|index| self.cluster.node(index)));
		let nodes = spare_jailed(nodes.collect());
		let mut parcels = Vec::new();
		// Shards of one allocation share its permits, which are free when its memory is.
		let mut share = None;
		for ((slot, bytes), node) in (0u8..).zip(stripe.shards).zip(nodes) {
			if usize::from(slot) % SHARDS_PER_ALLOCATION == 0 {
				share = memory.split(SHARDS_PER_ALLOCATION).map(Arc::new);
			}
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
			let (permit, permits) = (push.permit.clone(), push.permits.clone());
			push.running.spawn(async move {
				let put = async {
					let bytes = &parcel.bytes;
					match peer.put(&permit, &parcel.meta, bytes.clone()).await {
						// The node was started after the permit was signed, or it took long.
						Err(error) if error.status() == Some(Status::StalePermit) => {
							let fresh = permits.sign()?;
							peer.put(&fresh, &parcel.meta, bytes.clone()).await
						}
						done => done,
					}
				};
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
					// An answer is final, but for those that pass; silence is not.
					let stale = error.status() == Some(Status::StalePermit);
					if error.status().is_none() || error.is_passing() || stale {
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_jailed_get_no_new_data_while_enough_others_do() {
		let node = |index, jailed| {
			Some(Node {
				index,
				key: NodeKey([1; 32]),
				next_key: None,
				addresses: Vec::new(),
				relays: Vec::new(),
				jailed,
			})
		};
		let group =
			|jailed| -> Vec<_> { (0..30).map(|index| node(index, index < jailed)).collect() };
		assert_eq!(spare_jailed(group(0)), group(0));
		let spared = spare_jailed(group(10));
		assert!(spared[..10].iter().all(Option::is_none));
		assert_eq!(spared[10..], group(10)[10..]);
		// With them or not at all.
		assert_eq!(spare_jailed(group(11)), group(11));
	}
}
