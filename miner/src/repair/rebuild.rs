//! One shard: copied from whoever has it, or computed from ten others of its stripe.

use super::{
	eras::{Eras, Group},
	gather::Claims,
	index::Mark,
	Shared,
};
use crate::MinerError;
use arion_erasure::{Codec, CodecError};
use arion_shard_store::StoreError;
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hippius_primitives::{
	id::shard_id, NodeIndex, ShardId, ShardMeta, StripeId, DATA_SHARDS, TOTAL_SHARDS,
};
use std::sync::Arc;

/// Members asked for a stripe's description before it is given up.
const MAX_ASKED: usize = 12;

/// Who may have each slot's shard, best first.
#[derive(Clone, Debug)]
pub(super) struct Sources([Vec<NodeIndex>; TOTAL_SHARDS]);

impl Sources {
	/// By what the members say.
	pub(super) fn claimed(claims: &Claims) -> Self {
		let holders = |slot: usize| {
			let by = claims.by.iter();
			let by = by.filter(|(_, slots)| slots >> slot & 1 == 1);
			by.map(|(node, _)| *node).collect()
		};
		Self(std::array::from_fn(holders))
	}

	/// By the maps alone.
	pub(super) fn placed(group: &Group) -> Self {
		Self(std::array::from_fn(|slot| {
			group.holders(slot as u8).collect()
		}))
	}

	/// Asks `node` first for a slot.
	pub(super) fn prefer(&mut self, slot: u8, node: NodeIndex) {
		if let Some(holders) = self.0.get_mut(usize::from(slot)) {
			holders.retain(|other| *other != node);
			holders.insert(0, node);
		}
	}

	fn of(&self, slot: usize) -> &[NodeIndex] {
		self.0.get(slot).map_or(&[], Vec::as_slice)
	}

	/// All nodes, each once, holders of different slots in turn.
	fn nodes(&self) -> Vec<NodeIndex> {
		let mut nodes: Vec<NodeIndex> = Vec::new();
		let most = self.0.iter().map(Vec::len).max().unwrap_or(0);
		for rank in 0..most {
			for node in self.0.iter().filter_map(|holders| holders.get(rank)) {
				if !nodes.contains(node) {
					nodes.push(*node);
				}
			}
		}
		nodes
	}
}

/// How a shard got here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
	/// It was here.
	Held,
	/// Its owner had it deleted.
	Deleted,
	/// It was copied.
	Copied {
		/// Bytes fetched.
		fetched: u64,
	},
	/// It was computed.
	Rebuilt {
		/// Bytes fetched.
		fetched: u64,
	},
}

/// Why a shard could not be brought here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
	/// Nobody describes the stripe.
	#[error("nobody describes the stripe")]
	NoMeta,
	/// Too few shards were served.
	#[error("{have} of the ten shards needed were served")]
	TooFew {
		/// Shards served.
		have: usize,
	},
	/// The stripe's shards do not fit each other: it was never coded right.
	#[error("the stripe's shards do not fit each other: {0}")]
	Unfit(String),
	/// The own store refused.
	#[error(transparent)]
	Store(#[from] StoreError),
	/// Something broke in the daemon.
	#[error(transparent)]
	Own(#[from] MinerError),
}

/// What is to be brought here.
pub(super) struct Order<'a> {
	/// The maps.
	pub(super) eras: &'a Eras,
	/// The stripe.
	pub(super) stripe: StripeId,
	/// The slot.
	pub(super) slot: u8,
	/// Who may have what.
	pub(super) sources: Sources,
	/// Store it even if it seems to be here: the disk refused to read it.
	pub(super) again: bool,
	/// Go ahead of the rate.
	pub(super) urgent: bool,
}

impl Order<'_> {
	/// Brings the shard here and stores it.
	pub(super) async fn run(&self, shared: &Arc<Shared>) -> Result<Done, Failure> {
		if let Some(done) = self.known(shared).await? {
			return Ok(done);
		}
		let meta = self.meta(shared).await?;
		let Some(shard) = meta.shard() else {
			return Err(Failure::NoMeta);
		};
		if !self.urgent {
			shared.bucket.ready().await;
		}
		let copied = self.copy(shared, shard).await;
		let (bytes, done) = match copied {
			Some(bytes) => {
				let fetched = bytes.len() as u64;
				(bytes, Done::Copied { fetched })
			}
			None => self.rebuild(shared, &meta, shard).await?,
		};
		shared
			.blocking(move |shared| {
				let stored = shared.store.put(&meta, &bytes)?;
				shared.index.stored(&meta);
				Ok::<_, StoreError>(stored)
			})
			.await??;
		Ok(done)
	}

	/// Whether there is nothing to do.
	async fn known(&self, shared: &Arc<Shared>) -> Result<Option<Done>, Failure> {
		let (stripe, slot, again) = (self.stripe, self.slot, self.again);
		let known = shared.blocking(move |shared| {
			let row = shared.index.row(&stripe, slot).map_err(MinerError::from)?;
			if row.is_some_and(|row| row.mark == Mark::Deleted) {
				return Ok(Some(Done::Deleted));
			}
			if again || shared.index.is_whole() {
				let held = |row: &super::index::Row| {
					row.mark == Mark::Live && shared.store.has(&row.shard)
				};
				return Ok((!again && row.is_some_and(|row| held(&row))).then_some(Done::Held));
			}
			// The list may lack it although the store has it.
			let metas = shared.store.stripe(&stripe)?;
			let Some(meta) = metas.iter().find(|meta| meta.slot == slot) else {
				return Ok(None);
			};
			shared.index.stored(meta);
			Ok(Some(Done::Held))
		});
		known.await?
	}

	/// The stripe's description, with this slot.
	async fn meta(&self, shared: &Arc<Shared>) -> Result<ShardMeta, Failure> {
		let (stripe, slot) = (self.stripe, self.slot);
		let own = shared.blocking(move |shared| shared.store.stripe(&stripe));
		let found = match own.await? {
			Ok(metas) => metas.into_iter().next(),
			Err(error) => {
				tracing::debug!(%stripe, %error, "the store does not describe the stripe");
				None
			}
		};
		let with_slot = |meta: ShardMeta| ShardMeta { slot, ..meta };
		if let Some(meta) = found {
			return Ok(with_slot(meta));
		}
		let me = self.eras.me();
		let nodes = self.sources.nodes().into_iter();
		let nodes = nodes.filter(|node| Some(*node) != me && shared.net.serves(*node));
		for node in nodes.take(MAX_ASKED) {
			match shared.net.stripe(self.eras, node, stripe).await {
				Ok(Some(meta)) => return Ok(with_slot(meta)),
				Ok(None) => {}
				Err(error) => tracing::debug!(%stripe, %error, "no description"),
			}
		}
		Err(Failure::NoMeta)
	}

	/// The shard itself, from whoever has it.
	async fn copy(&self, shared: &Arc<Shared>, shard: ShardId) -> Option<Bytes> {
		let me = self.eras.me();
		for node in self.sources.of(self.slot.into()) {
			if Some(*node) != me {
				if let Some(bytes) = self.fetch(shared, *node, shard).await {
					return Some(bytes);
				}
			}
		}
		None
	}

	/// A shard from another node or the own store.
	async fn fetch(&self, shared: &Arc<Shared>, node: NodeIndex, shard: ShardId) -> Option<Bytes> {
		if Some(node) == self.eras.me() {
			let read = shared.blocking(move |shared| shared.store.get(&shard));
			return match read.await {
				Ok(Ok(found)) => found.map(|(_, bytes)| bytes.into()),
				Ok(Err(error)) => {
					tracing::debug!(%shard, %error, "the store does not give a shard");
					None
				}
				Err(error) => {
					tracing::warn!(%error, "repair");
					None
				}
			};
		}
		match shared.net.get(self.eras, node, shard).await {
			Ok(Some(bytes)) => {
				shared.bucket.take(bytes.len() as u64);
				shared.stats.add(|s| &s.fetched_bytes, bytes.len() as u64);
				Some(bytes)
			}
			Ok(None) => None,
			Err(error) => {
				tracing::debug!(%shard, %error, "no shard");
				None
			}
		}
	}

	/// Ten other shards, decoded.
	async fn rebuild(
		&self,
		shared: &Arc<Shared>,
		meta: &ShardMeta,
		shard: ShardId,
	) -> Result<(Bytes, Done), Failure> {
		let slots = self.slots_to_read();
		let mut rest = slots.iter().copied();
		let read = |slot: usize| async move {
			let id = meta.shards[slot];
			for node in self.sources.of(slot) {
				if let Some(bytes) = self.fetch(shared, *node, id).await {
					return (slot, Some(bytes));
				}
			}
			(slot, None)
		};
		let mut reads: FuturesUnordered<_> = rest.by_ref().take(DATA_SHARDS).map(read).collect();
		let mut shards: Vec<Option<Bytes>> = vec![None; TOTAL_SHARDS];
		let mut have = 0;
		while let Some((slot, bytes)) = reads.next().await {
			match bytes {
				Some(bytes) => {
					shards[slot] = Some(bytes);
					have += 1;
				}
				None => reads.extend(rest.next().map(read)),
			}
		}
		drop(reads);
		if have < DATA_SHARDS {
			return Err(Failure::TooFew { have });
		}
		let fetched = shards
			.iter()
			.flatten()
			.map(|bytes| bytes.len() as u64)
			.sum();
		let slot = usize::from(self.slot);
		let decoded = shared
			.blocking(move |_| {
				let bytes = Codec::shared().reconstruct_shard(slot, &shards)?;
				let id = shard_id(&bytes);
				Ok::<_, CodecError>((Bytes::from(bytes), id))
			})
			.await?;
		match decoded {
			Ok((bytes, id)) if id == shard => Ok((bytes, Done::Rebuilt { fetched })),
			Ok((_, id)) => Err(Failure::Unfit(format!("slot {slot} decodes to {id}"))),
			Err(error) => Err(Failure::Unfit(error.to_string())),
		}
	}

	/// The slots to try, own shards first. The others begin at a place that depends on the stripe, so
	/// that the work is spread over the group.
	fn slots_to_read(&self) -> Vec<usize> {
		let start = usize::from(self.stripe.0[31]).wrapping_add(self.slot.into());
		let mut slots: Vec<usize> = (0..TOTAL_SHARDS)
			.map(|at| (start + at) % TOTAL_SHARDS)
			.filter(|slot| *slot != usize::from(self.slot) && !self.sources.of(*slot).is_empty())
			.collect();
		let me = self.eras.me();
		slots.sort_by_key(|slot| !self.sources.of(*slot).iter().any(|node| Some(*node) == me));
		slots
	}
}
