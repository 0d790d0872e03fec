//! What is signed about the ledgers of placement groups, and what an append brings to the chain.

use crate::{
	receipt::{BatchRef, Receipt, ReceiptBody},
	Epoch, NodeIndex, Pg,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Signature context of a report that groups are clean.
pub const CLEAN_CONTEXT: &[u8] = b"hippius/groups-clean/v1";
/// Signature context of an owner's permission to release stripes.
pub const RELEASE_CONTEXT: &[u8] = b"hippius/release-stripes/v1";
/// Most groups of one clean report.
pub const MAX_CLEAN_GROUPS: u32 = 16;
/// Most owners of one batch.
pub const MAX_BATCH_OWNERS: u32 = 64;
/// Most stripes of one release.
pub const MAX_RELEASE_STRIPES: u32 = 64;

/// What one owner has of a batch.
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
pub struct OwnerShare {
	/// The account that pays.
	pub owner: [u8; 32],
	/// The bytes one slot holds for it: the sum of its entries' shard lengths.
	pub bytes: u64,
}

/// The digest of what each owner has of a batch, by ascending owner: blake3 of the SCALE encoding.
pub fn owners_hash(shares: &[OwnerShare]) -> [u8; 32] {
	*blake3::hash(&shares.encode()).as_bytes()
}

/// Which stripes of a batch a receipt is for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Held {
	/// Every one.
	#[codec(index = 0)]
	All,
	/// Those whose bit is set, as in [`ReceiptBody::held`].
	#[codec(index = 1)]
	Some(Vec<u8>),
}

/// A [`Receipt`] without what the append says already: the batch, most of the time also the bitmap.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CompactReceipt {
	/// The node.
	#[codec(compact)]
	pub node: NodeIndex,
	/// The placement group it signed for.
	#[codec(compact)]
	pub pg: Pg,
	/// The epoch it signed for.
	#[codec(compact)]
	pub epoch: Epoch,
	/// First bytes of the root it signed for. Only the signature binds the root; these tell a
	/// receipt of another batch from a forged one.
	pub root: [u8; 4],
	/// What the node holds.
	pub held: Held,
	/// Ed25519 by the node's key over [`ReceiptBody::payload`].
	pub signature: [u8; 64],
}

impl CompactReceipt {
	/// Leaves out what the batch says.
	pub fn new(receipt: &Receipt) -> Self {
		let body = &receipt.body;
		let [a, b, c, d, ..] = body.batch.root;
		let all = body.is_sound() && body.count() == body.batch.stripes;
		Self {
			node: body.node,
			pg: body.batch.pg,
			epoch: body.batch.epoch,
			root: [a, b, c, d],
			held: match all {
				true => Held::All,
				false => Held::Some(body.held.clone()),
			},
			signature: receipt.signature,
		}
	}

	/// What the node signed if it signed for `batch`, whose stripes must be few enough for a bitmap.
	pub fn body(&self, batch: &BatchRef) -> ReceiptBody {
		ReceiptBody {
			batch: *batch,
			held: match &self.held {
				Held::All => full(batch.stripes),
				Held::Some(held) => held.clone(),
			},
			node: self.node,
		}
	}
}

/// A bitmap of `stripes` ones.
pub fn full(stripes: u32) -> Vec<u8> {
	let mut bits = alloc::vec![0xff; stripes.div_ceil(8) as usize];
	if let (Some(last), used @ 1..) = (bits.last_mut(), stripes % 8) {
		*last = 0xff >> (8 - used);
	}
	bits
}

/// What a node says of groups it is a member of: by the map of `epoch` it holds all that the first
/// `batches` batches of the group's ledger put into its slot.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CleanReport {
	/// The node.
	pub node: NodeIndex,
	/// The current epoch.
	pub epoch: Epoch,
	/// Group and number of batches, by ascending group, at most [`MAX_CLEAN_GROUPS`].
	pub groups: Vec<(Pg, u64)>,
}

impl CleanReport {
	/// The bytes the node's key signs: the context, then blake3 of the SCALE encoding of
	/// `(genesis, report)`.
	pub fn payload(&self, genesis: &[u8; 32]) -> Vec<u8> {
		prefixed(CLEAN_CONTEXT, &(genesis, self).encode())
	}
}

/// The bytes an owner signs to let stripes go: the context, then blake3 of the SCALE encoding of
/// `(genesis, pg, batch, stripes)`, where `batch` is the batch's number in its ledger and `stripes`
/// are numbers within the batch. A stripe can be released once only, so nothing can be replayed.
pub fn release_payload(genesis: &[u8; 32], pg: Pg, batch: u64, stripes: &[u32]) -> Vec<u8> {
	prefixed(RELEASE_CONTEXT, &(genesis, pg, batch, stripes).encode())
}

fn prefixed(context: &[u8], body: &[u8]) -> Vec<u8> {
	let mut payload = context.to_vec();
	payload.extend_from_slice(blake3::hash(body).as_bytes());
	payload
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::vec;

	fn receipt(held: Vec<u8>) -> Receipt {
		Receipt {
			body: ReceiptBody {
				batch: BatchRef {
					genesis: [1; 32],
					pg: 2,
					epoch: 3,
					root: [4; 32],
					bytes: 640,
					stripes: 10,
					owners: [8; 32],
				},
				held,
				node: 5,
			},
			signature: [6; 64],
		}
	}

	#[test]
	fn a_compact_receipt_is_the_receipt() {
		for held in [vec![0xff, 0b11], vec![0xff, 1], vec![0, 0], vec![7]] {
			let receipt = receipt(held.clone());
			let compact = CompactReceipt::new(&receipt);
			assert_eq!(compact.held == Held::All, held == [0xff, 0b11]);
			assert_eq!(compact.body(&receipt.body.batch), receipt.body);
		}
		assert!(CompactReceipt::new(&receipt(vec![0xff, 0b11])).encoded_size() < 75);
	}

	#[test]
	fn owners_hashes_tell_shares_apart() {
		let share = |owner, bytes| OwnerShare {
			owner: [owner; 32],
			bytes,
		};
		let one = owners_hash(&[share(1, 64), share(2, 128)]);
		for other in [
			&[share(1, 128), share(2, 64)][..],
			&[share(1, 64), share(3, 128)],
			&[share(1, 192)],
			&[],
		] {
			assert_ne!(owners_hash(other), one);
		}
	}

	#[test]
	fn full_bitmaps_are_sound() {
		for stripes in [1, 7, 8, 9, 1023, 1024] {
			let mut body = receipt(full(stripes)).body;
			body.batch.stripes = stripes;
			assert!(body.is_sound() && body.count() == stripes);
		}
		assert!(full(0).is_empty());
	}

	#[test]
	fn every_field_is_signed() {
		let report = CleanReport {
			node: 1,
			epoch: 2,
			groups: vec![(3, 4)],
		};
		let payload = report.payload(&[0; 32]);
		assert!(payload.starts_with(CLEAN_CONTEXT));
		assert_ne!(report.payload(&[1; 32]), payload);
		for edit in [
			(|r| r.node += 1) as fn(&mut CleanReport),
			|r| r.epoch += 1,
			|r| r.groups[0].0 += 1,
			|r| r.groups[0].1 += 1,
			|r| r.groups.clear(),
		] {
			let mut other = report.clone();
			edit(&mut other);
			assert_ne!(other.payload(&[0; 32]), payload);
		}
		let release = release_payload(&[0; 32], 1, 2, &[3]);
		assert!(release.starts_with(RELEASE_CONTEXT));
		for other in [
			release_payload(&[1; 32], 1, 2, &[3]),
			release_payload(&[0; 32], 2, 2, &[3]),
			release_payload(&[0; 32], 1, 3, &[3]),
			release_payload(&[0; 32], 1, 2, &[4]),
		] {
			assert_ne!(other, release);
		}
	}
}
