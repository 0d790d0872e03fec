//! How shards come from miners: the network, or a simulation of it in tests.

use super::estimate::PathKind;
use crate::{cluster::Node, peers::Peers};
use arion_grid::GridError;
use bytes::Bytes;
use futures_util::{future::BoxFuture, FutureExt};
use hippius_primitives::{coding::SHARD_LEN, ShardId};
use std::{ops::Range, sync::Arc, time::Duration};

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
	/// The shard.
	pub(crate) shard: ShardId,
	/// Its length and which of its bytes; a whole shard of unknown length otherwise.
	pub(crate) part: Option<(usize, Range<usize>)>,
}

/// Looks into a transfer while it runs.
pub(crate) trait Watch: Send + Sync {
	/// Verified bytes here.
	fn received(&self) -> u64;
	/// Time from the request to the first byte.
	fn first_byte(&self) -> Option<Duration>;
}

/// A transfer: nothing happens before `done` is polled, and dropping it stops the stream.
pub(crate) struct Transfer {
	pub(crate) watch: Arc<dyn Watch>,
	pub(crate) done: BoxFuture<'static, Result<Bytes, GridError>>,
}

/// Reaches nodes.
pub(crate) trait Source: Send + Sync + 'static {
	/// Asks for bytes of a shard, which are right if they come.
	fn fetch(&self, node: &Node, ask: &Ask) -> Transfer;
	/// Asks which of these shards a node says it has.
	fn has(
		&self,
		node: &Node,
		shards: Vec<ShardId>,
	) -> BoxFuture<'static, Result<Vec<bool>, GridError>>;
	/// By which kind of path a node is reached, and the round-trip time if it is known.
	fn path(&self, node: &Node) -> (PathKind, Option<Duration>);
}

/// The network.
pub(crate) struct GridSource(pub(crate) Arc<Peers>);

/// Of a transfer that cannot be looked into.
struct Unseen;

impl Watch for Unseen {
	fn received(&self) -> u64 {
		0
	}

	fn first_byte(&self) -> Option<Duration> {
		None
	}
}

impl Source for GridSource {
	fn fetch(&self, node: &Node, ask: &Ask) -> Transfer {
		let peer = self.0.peer(node);
		let Ask { shard, part } = ask.clone();
		let done = async move {
			let max_len = part.as_ref().map_or(SHARD_LEN, |(len, _)| *len);
			let bytes = peer.get(shard, max_len).await?;
			Ok(match part {
				Some((_, range)) => {
					let end = range.end.min(bytes.len());
					bytes.slice(range.start.min(end)..end)
				}
				None => bytes,
			})
		};
		Transfer {
			watch: Arc::new(Unseen),
			done: done.boxed(),
		}
	}

	fn has(
		&self,
		node: &Node,
		shards: Vec<ShardId>,
	) -> BoxFuture<'static, Result<Vec<bool>, GridError>> {
		let peer = self.0.peer(node);
		async move { peer.has(shards).await }.boxed()
	}

	fn path(&self, node: &Node) -> (PathKind, Option<Duration>) {
		(PathKind::Direct, self.0.peer(node).rtt())
	}
}
