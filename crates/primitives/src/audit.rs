//! What a node signs to answer an audit, and what it is told of the draws that ask it.

use crate::{NodeIndex, Pg};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Signature context of an answer to audits.
pub const ANSWER_CONTEXT: &[u8] = b"hippius/audit-answer/v1";

/// Most draws one answer may be for.
pub const MAX_ANSWERED: u32 = 8;
/// Most chunks one draw asks for.
pub const MAX_CHUNKS: u32 = 4;
/// Most answers of one node that wait in a transaction pool: each takes a place `0..8`.
pub const PENDING_PLACES: u8 = 8;

/// What is asked of a node.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Ask {
	/// Draw `draw` of block `block`.
	#[codec(index = 0)]
	Draw {
		/// The block.
		block: u32,
		/// The draw's place among the block's.
		draw: u8,
	},
	/// A task of the node's own: a draw asked again, a fresh one in jail, a challenge.
	#[codec(index = 1)]
	Task {
		/// Its number, never used again.
		id: u64,
	},
}

/// One thing asked of a node, as its daemon gets it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AskedOf {
	/// What the answer names.
	pub ask: Ask,
	/// The node.
	pub node: NodeIndex,
	/// The placement group.
	pub pg: Pg,
	/// The slot the node holds there.
	pub slot: u8,
	/// The bytes of the group's ledger to show, at most [`MAX_CHUNKS`].
	pub offsets: Vec<u64>,
	/// The randomness it was drawn with; signed with the answer.
	pub seed: [u8; 32],
	/// Last deadline tick at which an answer counts; `None` while none is set.
	pub due: Option<u32>,
}

/// What a signature says of one answered draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct AnsweredItem {
	/// What was asked.
	pub ask: Ask,
	/// The randomness it was drawn with.
	pub seed: [u8; 32],
	/// blake3 of the SCALE encoding of the chunks' proofs.
	pub proofs: [u8; 32],
}

/// The bytes a node signs to answer: the context, then blake3 of the SCALE encoding of
/// `(genesis, node, place, items)`. `place`, below [`PENDING_PLACES`], is where the answer waits in a
/// pool; it is signed, so that nobody can copy an answer into the node's other places.
pub fn answer_payload(
	genesis: &[u8; 32],
	node: NodeIndex,
	place: u8,
	items: &[AnsweredItem],
) -> Vec<u8> {
	let mut payload = ANSWER_CONTEXT.to_vec();
	let body = (genesis, node, place, items).encode();
	payload.extend_from_slice(blake3::hash(&body).as_bytes());
	payload
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_field_of_an_answer_is_signed() {
		let item = AnsweredItem {
			ask: Ask::Draw { block: 5, draw: 1 },
			seed: [2; 32],
			proofs: [3; 32],
		};
		let base = answer_payload(&[1; 32], 7, 0, &[item]);
		let ask = |ask| AnsweredItem { ask, ..item };
		let others = [
			answer_payload(&[9; 32], 7, 0, &[item]),
			answer_payload(&[1; 32], 8, 0, &[item]),
			answer_payload(&[1; 32], 7, 1, &[item]),
			answer_payload(&[1; 32], 7, 0, &[item, item]),
			answer_payload(&[1; 32], 7, 0, &[ask(Ask::Draw { block: 6, draw: 1 })]),
			answer_payload(&[1; 32], 7, 0, &[ask(Ask::Draw { block: 5, draw: 2 })]),
			answer_payload(&[1; 32], 7, 0, &[ask(Ask::Task { id: 5 })]),
			answer_payload(
				&[1; 32],
				7,
				0,
				&[AnsweredItem {
					seed: [9; 32],
					..item
				}],
			),
			answer_payload(
				&[1; 32],
				7,
				0,
				&[AnsweredItem {
					proofs: [9; 32],
					..item
				}],
			),
		];
		assert!(others.iter().all(|other| *other != base));
		assert!(base.starts_with(ANSWER_CONTEXT));
	}
}
