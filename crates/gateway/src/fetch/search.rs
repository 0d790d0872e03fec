//! Looking for shards that are not where the maps say.

use super::{gathering::Place, Fetcher, Wanted};
use hippius_primitives::{NodeKey, ShardId};
use std::{collections::HashSet, time::Duration};

use futures_util::stream::StreamExt;

/// Nodes asked at a time.
const WIDTH: usize = 32;
/// How long a node may take to say what it holds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where missing shards are, and which nodes did not say.
pub(crate) struct Found {
	pub(crate) places: Vec<Place>,
	pub(crate) silent: Vec<NodeKey>,
}

impl Fetcher {
	/// Asks every node of the maps which of the missing slots' shards it has.
	pub(super) async fn search(&self, wanted: &Wanted, missing: Vec<usize>) -> Found {
		self.metrics.shard_searches.add(1);
		let mut indices = HashSet::new();
		for layout in self.layouts(wanted.epoch).await.unwrap_or_default() {
			indices.extend(layout.nodes());
		}
		let ids: Vec<ShardId> = missing.iter().map(|slot| wanted.shards[*slot]).collect();
		let nodes = indices
			.into_iter()
			.filter_map(|index| self.cluster.node(index));
		let questions = nodes.map(|node| {
			let answer = self.source.has(&node, ids.clone());
			async move { (node, tokio::time::timeout(TIMEOUT, answer).await) }
		});
		let mut answers = futures_util::stream::iter(questions).buffer_unordered(WIDTH);
		let mut found = Found {
			places: Vec::new(),
			silent: Vec::new(),
		};
		while let Some((node, answer)) = answers.next().await {
			match answer {
				Ok(Ok(held)) => {
					let slots = missing
						.iter()
						.zip(held)
						.filter_map(|(slot, held)| held.then_some(*slot));
					found.places.extend(slots.map(|slot| Place {
						slot,
						node: node.clone(),
						rank: 0,
					}));
				}
				Ok(Err(error)) => {
					self.peers.failed(&node.key, &error);
					found.silent.push(node.key);
				}
				Err(_) => {
					self.peers.stalled(&node.key);
					found.silent.push(node.key);
				}
			}
		}
		found
	}
}
