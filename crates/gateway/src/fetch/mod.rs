//! Gathering the shards of one stripe from the miners.
//!
//! A read starts with as many requests as it needs, to the miners that should be done first. When
//! one is late for its kind, or falls behind its siblings, another miner is asked besides, which a
//! [budget] of extra bytes pays for; what fails is replaced at once. As soon as enough is here,
//! the rest is cancelled by dropping it.

mod budget;
mod choose;
mod estimate;
mod gathering;
mod search;
mod sketch;
mod source;
#[cfg(test)]
mod tests;

use crate::{
	cluster::{ClusterError, ClusterSource, Layout},
	config::GetConfig,
	error::{GetError, Part},
	metrics::Metrics,
	peers::Peers,
};
use budget::Budget;
use bytes::Bytes;
use estimate::Estimates;
use fastrand::Rng;
use gathering::{Gathering, Place};
use hippius_primitives::{Epoch, ShardId, StripeId, TOTAL_SHARDS};
use source::{GridSource, Source};
use std::{
	ops::Range,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};

pub use estimate::{PathKind, PeerEstimate};

/// What is wanted of a stripe.
pub(crate) struct Wanted {
	/// Which stripe of the object, for messages.
	pub(crate) part: Part,
	/// Its id.
	pub(crate) stripe: StripeId,
	/// Its shards.
	pub(crate) shards: [ShardId; TOTAL_SHARDS],
	/// Length of its shards, where it is known.
	pub(crate) shard_len: Option<usize>,
	/// Epoch it was placed at, if known.
	pub(crate) epoch: Option<Epoch>,
	/// Which bytes of which shards; none stands for any ten whole shards.
	pub(crate) parts: Vec<SlotRange>,
}

/// Bytes of the shard of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRange {
	pub(crate) slot: usize,
	pub(crate) range: Range<usize>,
}

/// Bytes of a shard that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
	/// Where the bytes begin in the shard.
	pub(crate) start: usize,
	/// The bytes.
	pub(crate) bytes: Bytes,
}

impl Piece {
	/// These bytes of the shard, if they are all here.
	pub(crate) fn get(&self, range: &Range<usize>) -> Option<Bytes> {
		let from = range.start.checked_sub(self.start)?;
		let to = range.end.checked_sub(self.start)?;
		(from <= to && to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
	}
}

/// What arrived, in slot order: all parts that were wanted, or [`Gathered::columns`] of ten shards.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
	/// By slot.
	pub(crate) pieces: Vec<Option<Piece>>,
	/// Columns that ten shards are enough of to compute any other.
	pub(crate) columns: Range<usize>,
}

impl Gathered {
	/// These bytes of the shard of a slot, if they are here.
	pub(crate) fn get(&self, slot: usize, range: &Range<usize>) -> Option<Bytes> {
		self.pieces.get(slot)?.as_ref()?.get(range)
	}
}

/// Gathers shards.
pub(crate) struct Fetcher {
	cluster: Arc<dyn ClusterSource>,
	source: Arc<dyn Source>,
	peers: Arc<Peers>,
	metrics: Arc<Metrics>,
	/// Least time before a transfer that does not move counts as stalled.
	patience: Duration,
	deadline: Duration,
	turbo: bool,
	shared: Mutex<Shared>,
}

/// What gatherings learn from each other.
struct Shared {
	estimates: Estimates,
	budget: Budget,
	rng: Rng,
}

impl Fetcher {
	pub(crate) fn new(
		cluster: Arc<dyn ClusterSource>,
		peers: Arc<Peers>,
		metrics: Arc<Metrics>,
		config: &GetConfig,
	) -> Self {
		let source = Arc::new(GridSource(peers.clone()));
		Self::with_source(cluster, source, peers, metrics, config, Rng::new())
	}

	fn with_source(
		cluster: Arc<dyn ClusterSource>,
		source: Arc<dyn Source>,
		peers: Arc<Peers>,
		metrics: Arc<Metrics>,
		config: &GetConfig,
		rng: Rng,
	) -> Self {
		let patience = Duration::from_millis(config.hedge_ms);
		Self {
			cluster,
			source,
			peers,
			metrics,
			patience,
			deadline: Duration::from_millis(config.stripe_timeout_ms),
			turbo: config.turbo,
			shared: Mutex::new(Shared {
				estimates: Estimates::new(patience),
				budget: Budget::new(config.hedge_percent),
				rng,
			}),
		}
	}

	fn shared(&self) -> MutexGuard<'_, Shared> {
		self.shared.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Bytes that hedging may spend now.
	pub(crate) fn budget_left(&self) -> u64 {
		self.shared().budget.left()
	}

	/// What is known of miners' speed, slowest first, and by how much deadlines are stretched.
	pub(crate) fn estimates(&self, most: usize) -> (Vec<PeerEstimate>, f64) {
		let shared = self.shared();
		(shared.estimates.show(most), shared.estimates.caution())
	}

	/// Gathers the wanted parts, or the same columns of any ten shards. All bytes are of the shards
	/// asked for. When the map's nodes are exhausted, every node of the map is asked what it has.
	pub(crate) async fn gather(&self, wanted: &Wanted) -> Result<Gathered, GetError> {
		let places = self.places(wanted).await?;
		let mut gathering = Gathering::new(self, wanted, places);
		let outcome = tokio::time::timeout(self.deadline, gathering.run()).await;
		let have = gathering.have();
		let (part, stripe, missing) = (wanted.part, wanted.stripe, TOTAL_SHARDS - have);
		match outcome {
			Ok(true) => Ok(gathering.take()),
			Ok(false) => Err(GetError::NotEnoughShards {
				part,
				stripe,
				have,
				missing,
				silent: gathering.silent(),
			}),
			Err(_) => Err(GetError::TooSlow {
				part,
				stripe,
				have,
				missing,
				after: self.deadline,
			}),
		}
	}

	/// Layouts in which a stripe may lie: the one it was placed at, then the newest.
	pub(crate) async fn layouts(&self, epoch: Option<Epoch>) -> Result<Vec<Arc<Layout>>, GetError> {
		let mut layouts = Vec::new();
		if let Some(epoch) = epoch {
			match self.cluster.layout(epoch).await {
				Ok(layout) => layouts.extend(layout),
				// The newest map may still lead to the shards.
				Err(error) => tracing::warn!(epoch, %error, "cannot load an old map"),
			}
		}
		if let Some(current) = self.cluster.current() {
			if layouts
				.iter()
				.all(|layout| layout.epoch() != current.epoch())
			{
				layouts.push(current);
			}
		}
		if layouts.is_empty() {
			return Err(ClusterError::NoMap.into());
		}
		Ok(layouts)
	}

	/// Where the shards of a stripe should be.
	async fn places(&self, wanted: &Wanted) -> Result<Vec<Place>, GetError> {
		let mut places: Vec<Place> = Vec::new();
		for (rank, layout) in self.layouts(wanted.epoch).await?.iter().enumerate() {
			for (slot, index) in layout.slots(&wanted.stripe)?.into_iter().enumerate() {
				let Some(node) = index.and_then(|index| self.cluster.node(index)) else {
					continue;
				};
				let known = places
					.iter()
					.any(|place| place.slot == slot && place.node.key == node.key);
				if !known {
					places.push(Place { slot, node, rank });
				}
			}
		}
		Ok(places)
	}
}
