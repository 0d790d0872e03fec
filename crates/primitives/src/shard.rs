//! What a miner knows of a shard besides its bytes.

use crate::{coding::TOTAL_SHARDS, id::stripe_id, ShardId, StripeId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A shard's place: stored beside its bytes, so that a stripe can be found, checked and rebuilt
/// from any one of its shards.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ShardMeta {
	/// The stripe, root over `shards`.
	pub stripe: StripeId,
	/// Which of the 30 shards this is.
	pub slot: u8,
	/// All shards of the stripe, in slot order.
	pub shards: [ShardId; TOTAL_SHARDS],
}

impl ShardMeta {
	/// The place of slot `slot` in the stripe made of `shards`.
	pub fn new(shards: [ShardId; TOTAL_SHARDS], slot: u8) -> Option<Self> {
		(usize::from(slot) < TOTAL_SHARDS).then(|| Self {
			stripe: stripe_id(&shards),
			slot,
			shards,
		})
	}

	/// Whether the parts fit each other: the slot exists and the stripe is the root of the shards.
	/// Everything that comes from a peer or a disk is checked with this.
	pub fn is_consistent(&self) -> bool {
		usize::from(self.slot) < TOTAL_SHARDS && stripe_id(&self.shards) == self.stripe
	}

	/// The id of this shard; `None` if the slot does not exist.
	pub fn shard(&self) -> Option<ShardId> {
		self.shards.get(usize::from(self.slot)).copied()
	}
}
