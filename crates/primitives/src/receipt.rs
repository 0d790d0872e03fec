//! What a node signs to say that it holds its shards of a batch: one receipt per node and batch.

use crate::{Epoch, NodeIndex, NodeKey, Pg};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;
use scale_info::TypeInfo;

/// Signature context of a receipt.
pub const RECEIPT_CONTEXT: &[u8] = b"hippius/batch-receipt/v1";
/// Most stripes of a batch that receipts are given for.
pub const MAX_RECEIPT_STRIPES: u32 = 1024;

/// A batch as its receipts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct BatchRef {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// The placement group all of the batch's stripes belong to.
	pub pg: Pg,
	/// The map by which the node's slot was found.
	pub epoch: Epoch,
	/// Root of the sum tree over the batch's entries.
	pub root: [u8; 32],
	/// Bytes one slot holds of the batch, the root's sum.
	pub bytes: u64,
	/// Stripes of the batch, at most [`MAX_RECEIPT_STRIPES`].
	pub stripes: u32,
	/// What each owner has of it, by [`owners_hash`](crate::ledger::owners_hash). The chain sees the sums
	/// only; whoever signs has the entries and vouches that they add up to these.
	pub owners: [u8; 32],
}

/// What a node says of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ReceiptBody {
	/// The batch.
	pub batch: BatchRef,
	/// One bit per stripe, least significant first: the node holds its slot's shard on stable
	/// storage, of the length the batch says. Bits beyond the last stripe are zero.
	pub held: Vec<u8>,
	/// The node.
	pub node: NodeIndex,
}

impl ReceiptBody {
	/// The bytes the node signs: the context, then blake3 of the SCALE encoding.
	pub fn payload(&self) -> Vec<u8> {
		let mut payload = RECEIPT_CONTEXT.to_vec();
		payload.extend_from_slice(blake3::hash(&self.encode()).as_bytes());
		payload
	}

	/// Whether stripe `index` of the batch is held.
	pub fn holds(&self, index: u32) -> bool {
		index < self.batch.stripes
			&& self
				.held
				.get((index / 8) as usize)
				.is_some_and(|byte| byte >> (index % 8) & 1 == 1)
	}

	/// How many of the batch's stripes are held.
	pub fn count(&self) -> u32 {
		self.held.iter().map(|byte| byte.count_ones()).sum()
	}

	/// Whether bitmap and batch fit each other.
	pub fn is_sound(&self) -> bool {
		let stripes = self.batch.stripes;
		let used = stripes % 8;
		let spare = match self.held.last() {
			Some(last) if used > 0 => last >> used,
			_ => 0,
		};
		stripes > 0
			&& stripes <= MAX_RECEIPT_STRIPES
			&& self.held.len() == stripes.div_ceil(8) as usize
			&& spare == 0
	}
}

/// A receipt with its node's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Receipt {
	/// What is said.
	pub body: ReceiptBody,
	/// Ed25519 by the node's key over [`ReceiptBody::payload`].
	pub signature: [u8; 64],
}

/// Why a receipt does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptError {
	/// It is of another batch.
	OtherBatch,
	/// It is of another node.
	OtherNode,
	/// Its bitmap does not fit the batch.
	Bitmap,
	/// The signature is not the node's.
	Signature,
}

impl fmt::Display for ReceiptError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::OtherBatch => "the receipt is of another batch",
			Self::OtherNode => "the receipt is of another node",
			Self::Bitmap => "the receipt's bitmap does not fit the batch",
			Self::Signature => "the receipt's signature is not the node's",
		})
	}
}

impl core::error::Error for ReceiptError {}

/// Checks a receipt of node `node`, which has the key `key`, for `batch`. `verify` checks an
/// Ed25519 signature: key, message, signature.
pub fn verify_receipt(
	receipt: &Receipt,
	batch: &BatchRef,
	node: NodeIndex,
	key: &NodeKey,
	verify: impl FnOnce(&NodeKey, &[u8], &[u8; 64]) -> bool,
) -> Result<(), ReceiptError> {
	if receipt.body.batch != *batch {
		return Err(ReceiptError::OtherBatch);
	}
	if receipt.body.node != node {
		return Err(ReceiptError::OtherNode);
	}
	if !receipt.body.is_sound() {
		return Err(ReceiptError::Bitmap);
	}
	match verify(key, &receipt.body.payload(), &receipt.signature) {
		true => Ok(()),
		false => Err(ReceiptError::Signature),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::vec;

	fn receipt() -> Receipt {
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
				held: vec![0b1000_0001, 0b10],
				node: 5,
			},
			signature: [6; 64],
		}
	}

	#[test]
	fn a_receipt_counts_for_its_batch_and_node_only() {
		let good = receipt();
		let key = NodeKey([7; 32]);
		let batch = good.body.batch;
		let yes = |_: &NodeKey, _: &[u8], _: &[u8; 64]| true;
		assert_eq!(verify_receipt(&good, &batch, 5, &key, yes), Ok(()));
		let signed = |k: &NodeKey, message: &[u8], signature: &[u8; 64]| {
			*k == key && message == receipt().body.payload() && *signature == [6; 64]
		};
		assert_eq!(verify_receipt(&good, &batch, 5, &key, signed), Ok(()));
		let verdict = verify_receipt(&good, &batch, 5, &key, |_, _, _| false);
		assert_eq!(verdict, Err(ReceiptError::Signature));
		let verdict = verify_receipt(&good, &batch, 6, &key, yes);
		assert_eq!(verdict, Err(ReceiptError::OtherNode));
		for edit in [
			(|b| b.genesis[0] ^= 1) as fn(&mut BatchRef),
			|b| b.pg += 1,
			|b| b.epoch += 1,
			|b| b.root[0] ^= 1,
			|b| b.bytes += 64,
			|b| b.stripes += 1,
			|b| b.owners[31] ^= 1,
		] {
			let mut other = batch;
			edit(&mut other);
			let verdict = verify_receipt(&good, &other, 5, &key, yes);
			assert_eq!(verdict, Err(ReceiptError::OtherBatch));
		}
	}

	#[test]
	fn bitmaps_fit_their_batch() {
		let good = receipt().body;
		assert!(good.is_sound() && good.count() == 3);
		let held: Vec<u32> = (0..20).filter(|index| good.holds(*index)).collect();
		assert_eq!(held, [0, 7, 9]);
		for bad in [vec![], vec![1], vec![1, 1, 0], vec![1, 0b100]] {
			let body = ReceiptBody {
				held: bad,
				..good.clone()
			};
			assert!(!body.is_sound());
		}
		for stripes in [0, MAX_RECEIPT_STRIPES + 1, u32::MAX] {
			let mut body = good.clone();
			body.batch.stripes = stripes;
			body.held = vec![0; 129];
			assert!(!body.is_sound());
		}
		assert!(good.payload().starts_with(RECEIPT_CONTEXT));
	}
}
