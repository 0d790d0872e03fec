//! How shards come from miners: the network, or a simulation of it in tests.

use super::estimate::PathKind;
use crate::{cluster::Node, peers::Peers};
use arion_grid::{GridError, Progress};
use bytes::Bytes;
use futures_util::{future::BoxFuture, FutureExt};
use hippius_primitives::{coding::SHARD_LEN, ShardId};
use std::{
	ops::Range,
	sync::Arc,
	time::{Duration, Instant},
};

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

/// A transfer over the network.
struct Seen {
	progress: Progress,
	started: Instant,
}

impl Watch for Seen {
	fn received(&self) -> u64 {
		self.progress.bytes()
	}

	fn first_byte(&self) -> Option<Duration> {
		let first = self.progress.first()?;
		Some(first.saturating_duration_since(self.started))
	}
}

impl Source for GridSource {
	fn fetch(&self, node: &Node, ask: &Ask) -> Transfer {
		let peer = self.0.peer(node);
		let Ask { shard, part } = ask.clone();
		let progress = Progress::default();
		let watch = Arc::new(Seen {
			progress: progress.clone(),
			started: Instant::now(),
		});
		let done = async move {
			let Some((len, range)) = part else {
				return peer.get(shard, SHARD_LEN).await;
			};
			let number = |at: usize| {
				u32::try_from(at).map_err(|_| GridError::BadRequest {
					what: "a shard has at most 1 MiB",
				})
			};
			let range = number(range.start)?..number(range.end)?;
			peer.get_range(shard, number(len)?, range, &progress).await
		};
		Transfer {
			watch,
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
		let peer = self.0.peer(node);
		let relayed = peer
			.path()
			.map_or(node.relayed(), |path| path == arion_grid::PathKind::Relayed);
		let path = match relayed {
			true => PathKind::Relayed,
			false => PathKind::Direct,
		};
		(path, peer.rtt())
	}
}
