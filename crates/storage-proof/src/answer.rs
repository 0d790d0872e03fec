//! An answer to audits as it travels: what a node shows for each draw, signed once.

use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::{
	audit::{answer_payload, AnsweredItem, Ask, MAX_ANSWERED, MAX_CHUNKS},
	NodeIndex,
};
use scale_info::TypeInfo;

/// Longest encoding of a proof that is looked at, in bytes.
pub const MAX_PROOF: u32 = 8_192;

/// The encoding of a proof.
pub type ProofBytes = BoundedVec<u8, ConstU32<MAX_PROOF>>;

/// What a node shows for one byte it is asked for.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Shown {
	/// The bytes: SCALE of an [`AuditProof`](crate::AuditProof).
	#[codec(index = 0)]
	Bytes(ProofBytes),
	/// That the ledger has a released stripe there, which nobody need hold: SCALE of an
	/// [`EntryProof`](crate::EntryProof).
	#[codec(index = 1)]
	Released(ProofBytes),
}

/// The answer to one thing asked.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Item {
	/// What was asked.
	pub ask: Ask,
	/// What is shown, one for each offset asked for, in their order.
	pub shown: BoundedVec<Shown, ConstU32<MAX_CHUNKS>>,
}

/// A node's answer to some of what it is asked.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Answer {
	/// The node.
	pub node: NodeIndex,
	/// Where the answer waits in a transaction pool, below
	/// [`PENDING_PLACES`](hippius_primitives::audit::PENDING_PLACES): of two answers of a node in one
	/// place a pool keeps one.
	pub place: u8,
	/// The answers, by what was asked, ascending.
	pub items: BoundedVec<Item, ConstU32<MAX_ANSWERED>>,
	/// Ed25519 by the node's key over [`Self::payload`].
	pub signature: [u8; 64],
}

impl Answer {
	/// What the node signs. `seeds` has the randomness of each item's draw, in their order.
	pub fn payload(&self, genesis: &[u8; 32], seeds: &[[u8; 32]]) -> Vec<u8> {
		let items: Vec<AnsweredItem> = self
			.items
			.iter()
			.zip(seeds)
			.map(|(item, seed)| AnsweredItem {
				ask: item.ask,
				seed: *seed,
				proofs: *blake3::hash(&item.shown.encode()).as_bytes(),
			})
			.collect();
		answer_payload(genesis, self.node, self.place, &items)
	}
}
