//! A shard's slot in its stripe.

use crate::{shape::Climb, Hash, ProofError};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::{
	tree::{stripe_leaves, stripe_node, stripe_root, STRIPE_DEPTH, STRIPE_LEAVES},
	ShardId, StripeId, TOTAL_SHARDS,
};
use scale_info::TypeInfo;

/// The siblings on the way from a slot to the stripe id, lowest first.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct ShardPath(pub [Hash; STRIPE_DEPTH]);

impl ShardPath {
	/// The path of slot `slot` in the stripe made of `shards`.
	///
	/// # Errors
	/// [`ProofError::Slot`].
	pub fn make(shards: &[ShardId; TOTAL_SHARDS], slot: u8) -> Result<Self, ProofError> {
		if usize::from(slot) >= TOTAL_SHARDS {
			return Err(ProofError::Slot(slot));
		}
		let mut nodes = stripe_leaves(shards).to_vec();
		let mut path = [Hash::default(); STRIPE_DEPTH];
		let steps = Climb::new(slot.into(), STRIPE_LEAVES as u64);
		for (step, sibling) in steps.zip(path.iter_mut()) {
			*sibling = usize::try_from(step.sibling)
				.ok()
				.and_then(|index| nodes.get(index))
				.copied()
				.ok_or(ProofError::Slot(slot))?;
			nodes = nodes
				.chunks_exact(2)
				.filter_map(|pair| match pair {
					[left, right] => Some(stripe_node(left, right)),
					_ => None,
				})
				.collect();
		}
		Ok(Self(path))
	}

	/// The id of the stripe that has `shard` in slot `slot`.
	///
	/// # Errors
	/// [`ProofError::Slot`].
	pub fn root(&self, shard: &ShardId, slot: u8) -> Result<StripeId, ProofError> {
		if usize::from(slot) >= TOTAL_SHARDS {
			return Err(ProofError::Slot(slot));
		}
		let [lower @ .., top] = &self.0;
		let mut node = shard.0;
		let mut index = slot;
		for sibling in lower {
			node = if index & 1 == 1 {
				stripe_node(sibling, &node)
			} else {
				stripe_node(&node, sibling)
			};
			index >>= 1;
		}
		Ok(if index & 1 == 1 {
			stripe_root(top, &node)
		} else {
			stripe_root(&node, top)
		})
	}

	/// Checks that slot `slot` of `stripe` is `shard`.
	///
	/// # Errors
	/// [`ProofError::Slot`], [`ProofError::RootMismatch`].
	pub fn verify(&self, stripe: &StripeId, shard: &ShardId, slot: u8) -> Result<(), ProofError> {
		if self.root(shard, slot)? != *stripe {
			return Err(ProofError::RootMismatch);
		}
		Ok(())
	}
}
