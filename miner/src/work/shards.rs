//! Where proofs take their bytes from.

use crate::repair::{index::Mark, Repair};
use arion_shard_store::{Slice, StoreError, StoreSet};
use arion_storage_proof::StripeEntry;
use hippius_primitives::{Pg, ShardId, ShardMeta, StripeId};
use std::sync::Arc;

/// What is known of a shard that should be in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
	/// It is here.
	Here(Box<ShardMeta>),
	/// It was never here, or its owner had it deleted: the stripe may have been released.
	Never,
	/// It was here and is gone.
	Lost,
}

/// What the list of shards says of one that the ledger has in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
	/// It is here, or need not be because its owner had it deleted.
	Here,
	/// It was here and is gone.
	Gone,
	/// It was never here, as far as is known, or was given to another node since.
	Unknown,
}

/// The shards of this node. Its calls block.
pub trait Shards: Send + Sync + 'static {
	/// The shard of a stripe's slot.
	///
	/// # Errors
	/// [`StoreError`] if it cannot be told now.
	fn find(&self, entry: &StripeEntry, slot: u8) -> Result<Found, StoreError>;

	/// What is known of these stripes' shards of a slot without asking the disks.
	///
	/// # Errors
	/// [`StoreError`] if it cannot be told now.
	fn listed(&self, stripes: &[StripeId], slot: u8) -> Result<Vec<Listed>, StoreError>;

	/// Has the repair look through this node's slot of a group: it compares it with what the other
	/// members hold, and gets what is missing.
	fn compare(&self, pg: Pg);

	/// Unix seconds at which the repair last found the slot to be complete by what the other members
	/// hold; `None` if it has not by the present map, since start.
	fn compared(&self, pg: Pg, slot: u8) -> Option<u64>;

	/// A group of 16 KiB of a shard, unchecked; `None` if the shard is not here.
	///
	/// # Errors
	/// [`StoreError`] if it cannot be read now.
	fn group(&self, shard: &ShardId, group: u64) -> Result<Option<Slice>, StoreError>;

	/// A shard's bytes are wrong: it is to be looked at and repaired.
	fn damaged(&self, shard: &ShardId);

	/// This node's shard of a stripe is not here though it should be, and is to be repaired: at once if
	/// the chain asks for it, else unless the repair is looking through slots anyway.
	fn lost(&self, stripe: StripeId, asked: bool);
}

/// The store, and the repair that knows what was in it.
pub struct Disks {
	/// The shards.
	pub store: Arc<StoreSet>,
	/// What mends them.
	pub repair: Arc<Repair>,
}

impl Shards for Disks {
	fn find(&self, entry: &StripeEntry, slot: u8) -> Result<Found, StoreError> {
		let holdings = self.store.holdings(&entry.stripe, false)?;
		let here = holdings.into_iter().find(|held| held.meta.slot == slot);
		if let Some(held) = here {
			return Ok(Found::Here(Box::new(held.meta)));
		}
		let known = self.repair.known(&[entry.stripe], slot);
		Ok(match known.map(|known| known.first().copied().flatten()) {
			Ok(Some((_, Mark::Live | Mark::Released))) => Found::Lost,
			Ok(Some((_, Mark::Deleted)) | None) => Found::Never,
			Err(error) => {
				tracing::error!(%error, "the list of shards");
				Found::Lost
			}
		})
	}

	fn listed(&self, stripes: &[StripeId], slot: u8) -> Result<Vec<Listed>, StoreError> {
		let known = match self.repair.known(stripes, slot) {
			Ok(known) => known,
			Err(error) => {
				tracing::error!(%error, "the list of shards");
				vec![None; stripes.len()]
			}
		};
		let listed = known.into_iter().map(|row| match row {
			Some((_, Mark::Deleted)) => Listed::Here,
			Some((shard, _)) if self.store.has(&shard) => Listed::Here,
			Some((_, Mark::Live)) => Listed::Gone,
			Some((_, Mark::Released)) | None => Listed::Unknown,
		});
		Ok(listed.collect())
	}

	fn compare(&self, pg: Pg) {
		self.repair.look_through(pg);
	}

	fn compared(&self, pg: Pg, slot: u8) -> Option<u64> {
		self.repair.completed(pg, slot)
	}

	fn group(&self, shard: &ShardId, group: u64) -> Result<Option<Slice>, StoreError> {
		let groups = group..group.saturating_add(1);
		self.store.read_slice(&(*shard).into(), Some(groups))
	}

	fn damaged(&self, shard: &ShardId) {
		// Reading it whole has the store put it aside and tell the repair.
		match self.store.get(shard) {
			Ok(_) => {
				tracing::warn!(%shard, "a shard that could not be proved reads well, or is gone")
			}
			Err(error) => tracing::warn!(%shard, %error, "a shard that could not be proved"),
		}
		self.repair.wake();
	}

	fn lost(&self, stripe: StripeId, asked: bool) {
		if asked || self.repair.progress().borrow().open == 0 {
			self.repair.lost(stripe);
		}
	}
}
