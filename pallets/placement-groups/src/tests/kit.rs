//! Batches and receipts for tests.

use crate::{
	ledger::{Owners, Receipts, StripeProof, StripeProofs},
	mock::*,
};
use arion_storage_proof::{
	stripes::owner_shares, Batch, Blake2, Mmr, ShardLen, StripeEntry, SumTree,
};
use ed25519_dalek::Signer;
use frame_support::pallet_prelude::DispatchResult;
use hippius_primitives::{
	ledger::{full, owners_hash, CompactReceipt},
	receipt::{BatchRef, Receipt, ReceiptBody},
	Epoch, NodeIndex, Pg, StripeId,
};
use sp_runtime::AccountId32;
use std::{cell::RefCell, collections::BTreeMap};

pub(crate) fn gateway() -> AccountId32 {
	AccountId32::new([9; 32])
}

thread_local! {
	/// What the owners have of each batch that [`tree`] made.
	static OWNERS: RefCell<BTreeMap<[u8; 32], [u8; 32]>> = RefCell::default();
}

/// `stripes` stripes of differing lengths, of owners 1 and, in every third place, 2.
pub(crate) fn tree(seed: u8, stripes: u32) -> SumTree {
	let entry = |at: u32| {
		let mut id = [seed; 32];
		id[..4].copy_from_slice(&at.to_le_bytes());
		StripeEntry {
			stripe: StripeId(id),
			owner: [1 + u8::from(at % 3 == 2); 32],
			shard_len: ShardLen::new(64 * (1 + u64::from(at % 5))).unwrap(),
		}
	};
	let tree = SumTree::build::<Blake2>((0..stripes).map(entry).collect()).unwrap();
	remember(&tree);
	tree
}

/// Lets [`reference`] know what the owners have of the tree's batch.
fn remember(tree: &SumTree) {
	let hash = owners_hash(&owners(tree));
	OWNERS.with_borrow_mut(|known| known.insert(tree.batch().root, hash));
}

pub(crate) fn owners(tree: &SumTree) -> Owners {
	owner_shares(tree.entries()).unwrap().try_into().unwrap()
}

pub(crate) fn reference(pg: Pg, epoch: Epoch, batch: &Batch) -> BatchRef {
	BatchRef {
		genesis: GENESIS,
		pg,
		epoch,
		root: batch.root,
		bytes: batch.bytes,
		stripes: batch.stripes,
		owners: OWNERS.with_borrow(|known| known.get(&batch.root).copied().unwrap_or_default()),
	}
}

/// What a node signs.
pub(crate) fn receipt(batch: BatchRef, node: NodeIndex, held: Vec<u8>) -> CompactReceipt {
	let body = ReceiptBody { batch, held, node };
	let signature = signer(node).sign(&body.payload()).to_bytes();
	CompactReceipt::new(&Receipt { body, signature })
}

/// Receipts of the members in the first `count` slots, for everything.
pub(crate) fn receipts(pg: Pg, epoch: Epoch, batch: &Batch, count: usize) -> Receipts {
	let members = Groups::mapping_at(epoch, pg).unwrap();
	let made = members
		.into_iter()
		.flatten()
		.take(count)
		.map(|node| receipt(reference(pg, epoch, batch), node, full(batch.stripes)));
	made.collect::<Vec<_>>().try_into().unwrap()
}

pub(crate) fn append(
	pg: Pg,
	epoch: Epoch,
	batch: &Batch,
	owners: Owners,
	receipts: Receipts,
) -> DispatchResult {
	Groups::append(
		RuntimeOrigin::signed(gateway()),
		pg,
		epoch,
		*batch,
		owners,
		receipts,
	)
}

/// Appends a batch that the members of the first `count` slots hold.
pub(crate) fn append_held_by(pg: Pg, epoch: Epoch, tree: &SumTree, count: usize) -> DispatchResult {
	let batch = tree.batch();
	remember(tree);
	let receipts = receipts(pg, epoch, &batch, count);
	append(pg, epoch, &batch, owners(tree), receipts)
}

/// Shows these stripes.
pub(crate) fn proofs(tree: &SumTree, stripes: &[u32]) -> StripeProofs {
	let proof = |index: &u32| StripeProof {
		index: *index,
		entry: tree.entries()[*index as usize],
		path: tree.prove(*index).unwrap().try_into().unwrap(),
	};
	stripes
		.iter()
		.map(proof)
		.collect::<Vec<_>>()
		.try_into()
		.unwrap()
}

/// A ledger of these batches.
pub(crate) fn mmr(batches: &[Batch]) -> Mmr {
	let mut mmr = Mmr::new();
	for batch in batches {
		mmr.append::<Blake2>(batch).unwrap();
	}
	mmr
}
