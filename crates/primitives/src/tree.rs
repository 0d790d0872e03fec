//! The shard list tree: a stripe id is its root, so five hashes show that a shard stands in a slot.
//!
//! 32 leaves in slot order: the 30 shard ids, then [`EMPTY_LEAF`] twice. A node is BLAKE3's own
//! parent compression of its two children in key-derivation mode with [`STRIPE_CONTEXT`], the root
//! with BLAKE3's root flag; so it costs one compression. Every path has [`STRIPE_DEPTH`] steps,
//! hence a node can never be taken for a leaf, and the mode keeps both apart from shard ids.

use crate::{
	coding::TOTAL_SHARDS,
	id::{ShardId, StripeId},
};
use blake3::hazmat::{merge_subtrees_non_root, merge_subtrees_root, ContextKey, Mode};

/// Leaves of the tree.
pub const STRIPE_LEAVES: usize = 32;
/// Steps from a leaf to the root.
pub const STRIPE_DEPTH: usize = 5;
/// BLAKE3 key-derivation context of the tree's nodes.
pub const STRIPE_CONTEXT: &str = "hippius arion 2026 stripe tree v2";
/// What stands in the leaves behind the last slot: no shard has it as its id.
pub const EMPTY_LEAF: [u8; 32] = [
	0x30, 0x76, 0x5a, 0x52, 0xae, 0xb9, 0x9e, 0xfb, 0xdb, 0xd8, 0x85, 0x52, 0xef, 0x62, 0x60, 0xbf,
	0xa5, 0x6d, 0x01, 0xee, 0xa8, 0xb6, 0xb5, 0xa0, 0x63, 0x4e, 0xcc, 0x5a, 0x7a, 0x62, 0xd6, 0x34,
];
/// The context that [`EMPTY_LEAF`] is derived with, from no bytes.
pub const EMPTY_LEAF_CONTEXT: &str = "hippius arion 2026 stripe tree empty leaf v2";

/// BLAKE3's hash of [`STRIPE_CONTEXT`], kept so that a node costs one compression.
const CONTEXT_KEY: ContextKey = [
	0x3d, 0x3f, 0xcb, 0x57, 0x96, 0xa2, 0x68, 0x8b, 0xdb, 0x56, 0x54, 0x6c, 0xba, 0xd3, 0x6a, 0x60,
	0x68, 0xbe, 0xa2, 0xd1, 0x27, 0x3b, 0x6d, 0xc7, 0xcd, 0x67, 0xa2, 0x0d, 0x31, 0xf7, 0xb8, 0x28,
];

/// A node below the root.
pub fn stripe_node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
	merge_subtrees_non_root(left, right, Mode::DeriveKeyMaterial(&CONTEXT_KEY))
}

/// The root of the two nodes below it.
pub fn stripe_root(left: &[u8; 32], right: &[u8; 32]) -> StripeId {
	StripeId(*merge_subtrees_root(left, right, Mode::DeriveKeyMaterial(&CONTEXT_KEY)).as_bytes())
}

/// The leaves of the stripe made of these shards.
pub fn stripe_leaves(shards: &[ShardId; TOTAL_SHARDS]) -> [[u8; 32]; STRIPE_LEAVES] {
	core::array::from_fn(|slot| shards.get(slot).map_or(EMPTY_LEAF, |shard| shard.0))
}

/// The id of the stripe made of these shards, in slot order: the root of their shard list tree.
pub fn stripe_id(shards: &[ShardId; TOTAL_SHARDS]) -> StripeId {
	let mut nodes = stripe_leaves(shards);
	let mut width = STRIPE_LEAVES;
	while width > 2 {
		width /= 2;
		for i in 0..width {
			nodes[i] = stripe_node(&nodes[2 * i], &nodes[2 * i + 1]);
		}
	}
	stripe_root(&nodes[0], &nodes[1])
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::id::shard_id;
	use hex_literal::hex;

	fn ids() -> [ShardId; TOTAL_SHARDS] {
		core::array::from_fn(|i| shard_id(&[i as u8]))
	}

	#[test]
	fn constants_are_derived_from_their_contexts() {
		assert_eq!(
			CONTEXT_KEY,
			blake3::hazmat::hash_derive_key_context(STRIPE_CONTEXT)
		);
		assert_eq!(EMPTY_LEAF, blake3::derive_key(EMPTY_LEAF_CONTEXT, &[]));
	}

	#[test]
	fn stripe_id_depends_on_every_slot_and_their_order() {
		let ids = ids();
		let root = stripe_id(&ids);
		for slot in 0..TOTAL_SHARDS {
			let mut changed = ids;
			changed[slot].0[31] ^= 1;
			assert_ne!(stripe_id(&changed), root);
		}
		let mut swapped = ids;
		swapped.swap(3, 4);
		assert_ne!(stripe_id(&swapped), root);
	}

	#[test]
	fn stripe_id_is_as_published() {
		assert_eq!(
			stripe_id(&ids()).0,
			hex!("833140cf4ac9c5e8b5f302837cc6133e630da04ca059370f425a1e0068ecec92")
		);
	}

	/// The tree is nothing but BLAKE3's own: with leaves that are chunks' chaining values of the
	/// same mode, the root is the hash of the whole input.
	#[test]
	fn nodes_are_the_parents_of_blake3() {
		use blake3::hazmat::HasherExt;
		let input: alloc::vec::Vec<u8> = (0..4096u32).map(|i| (i % 251) as u8).collect();
		let leaf = |i: usize| {
			blake3::Hasher::new_derive_key(STRIPE_CONTEXT)
				.set_input_offset(1024 * i as u64)
				.update(&input[1024 * i..1024 * (i + 1)])
				.finalize_non_root()
		};
		let left = stripe_node(&leaf(0), &leaf(1));
		let right = stripe_node(&leaf(2), &leaf(3));
		assert_eq!(
			stripe_root(&left, &right).0,
			blake3::derive_key(STRIPE_CONTEXT, &input)
		);
	}
}
