//! Finding an object by its id alone: any holder of a shard of the root stripe tells the stripe's
//! other shards, and the id vouches for what it says.

use crate::{
	cluster::Node,
	error::{GetError, Part},
	fetch::Wanted,
	gateway::Gateway,
};
use arion_object::{decode_root, read_root, Manifest, ObjectId, ObjectKey};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hippius_primitives::{Epoch, ShardMeta, StripeId, DATA_SHARDS, TOTAL_SHARDS};
use std::{collections::HashSet, time::Duration};

/// How long a node may take to describe a stripe.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Epochs tried, newest first.
const MOST_EPOCHS: usize = 64;

/// An object whose manifest was read.
pub struct Object {
	/// Its id.
	pub id: ObjectId,
	/// Where its stripes are.
	pub manifest: Manifest,
	pub(crate) key: ObjectKey,
}

/// What nodes said.
#[derive(Default)]
struct Poll {
	asked: HashSet<u32>,
	/// Nodes that hold no shard of it.
	denied: usize,
	/// Nodes that did not answer.
	silent: usize,
}

impl Gateway {
	/// Reads an object's manifest from the network.
	pub async fn open(&self, id: ObjectId, key: ObjectKey) -> Result<Object, GetError> {
		let (meta, epoch) = self.describe_root(id).await?;
		let _memory = self
			.get_memory
			.clone()
			.acquire_owned()
			.await
			.map_err(|_| GetError::Stopping)?;
		let wanted = Wanted {
			part: Part::Root,
			stripe: id.0,
			shards: meta.shards,
			shard_len: None,
			epoch: Some(epoch),
			parts: Vec::new(),
		};
		let gathered = self.fetcher.gather(&wanted).await?;
		let shards: Vec<Option<Bytes>> = gathered
			.pieces
			.into_iter()
			.map(|piece| piece.map(|piece| piece.bytes))
			.collect();
		let manifest = self
			.compute({
				let key = key.clone();
				move || {
					let bytes =
						decode_root(&meta.shards, &shards).map_err(|cause| GetError::Stripe {
							part: Part::Root,
							cause,
						})?;
					Ok::<_, GetError>(read_root(&bytes, &key)?)
				}
			})
			.await
			.ok_or(GetError::Stopping)??;
		Ok(Object { id, manifest, key })
	}

	/// Asks the nodes that should hold the root, at the newest epoch and then at older ones.
	async fn describe_root(&self, id: ObjectId) -> Result<(ShardMeta, Epoch), GetError> {
		let mut poll = Poll::default();
		let newest = self.fetcher.layouts(None).await?;
		for layout in &newest {
			if let Some(meta) = self.ask(layout.slots(&id.0)?, id.0, &mut poll).await {
				return Ok((meta, layout.epoch()));
			}
		}
		for epoch in self.cluster.epochs().into_iter().take(MOST_EPOCHS) {
			if newest.iter().any(|layout| layout.epoch() == epoch) {
				continue;
			}
			let Some(layout) = self.cluster.layout(epoch).await? else {
				continue;
			};
			if let Some(meta) = self.ask(layout.slots(&id.0)?, id.0, &mut poll).await {
				return Ok((meta, epoch));
			}
		}
		// An acknowledged object is with at least 20 of 30 nodes. If more than 10 of them deny it,
		// it never was; if not, its holders may just be away.
		if poll.denied > TOTAL_SHARDS - 2 * DATA_SHARDS {
			return Err(GetError::NotFound(id));
		}
		Err(GetError::NotEnoughShards {
			part: Part::Root,
			stripe: id.0,
			have: 0,
			missing: TOTAL_SHARDS,
			silent: poll.silent,
		})
	}

	/// The first description any of these nodes gives.
	async fn ask(
		&self,
		slots: [Option<u32>; TOTAL_SHARDS],
		stripe: StripeId,
		poll: &mut Poll,
	) -> Option<ShardMeta> {
		let fresh = slots
			.into_iter()
			.flatten()
			.filter(|index| poll.asked.insert(*index));
		let nodes: Vec<Node> = fresh.filter_map(|index| self.cluster.node(index)).collect();
		let mut answers: FuturesUnordered<_> = nodes
			.into_iter()
			.map(|node| async move {
				let peer = self.peers.peer(&node);
				(
					node.key,
					tokio::time::timeout(ANSWER_TIMEOUT, peer.stripe(stripe)).await,
				)
			})
			.collect();
		while let Some((key, answer)) = answers.next().await {
			match answer {
				Ok(Ok(Some(meta))) => {
					self.peers.worked(&key);
					return Some(meta);
				}
				Ok(Ok(None)) => poll.denied += 1,
				Ok(Err(error)) => {
					self.peers.failed(&key, &error);
					poll.silent += 1;
				}
				Err(_) => {
					self.peers.stalled(&key);
					poll.silent += 1;
				}
			}
		}
		None
	}
}
