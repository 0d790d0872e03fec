//! Ledgers of several batches with all their bytes, and proofs from them.

use crate::common::{
	account, pair, signed,
	stored::{ids, receipt},
};
use arion_storage_proof::{
	answer::Shown, sample, AuditProof, Blake2, ChunkProof, EntryProof, Mmr, Outboard, PgLedger,
	ShardLen, ShardPath, StripeEntry, SumTree, GROUP_LEN,
};
use codec::Encode;
use hippius_primitives::{
	audit::AskedOf,
	ledger::{owners_hash, OwnerShare},
	receipt::BatchRef,
	tree::stripe_id,
	Pg, TOTAL_SHARDS,
};
use hippius_runtime::*;
use pallet_placement_groups::{ledger::StripeProofs, Call as Groups, Permission, StripeProof};

/// A batch with all its bytes.
pub(crate) struct Batch {
	owner: &'static str,
	/// Of each stripe its 30 shards.
	stripes: Vec<Vec<Vec<u8>>>,
	tree: SumTree,
}

impl Batch {
	/// Stripes with shards of these lengths; another seed gives other bytes.
	pub(crate) fn new(owner: &'static str, seed: u64, lens: &[usize]) -> Self {
		let stripe = |number: u64, len: usize| -> Vec<Vec<u8>> {
			(0..TOTAL_SHARDS as u64)
				.map(|slot| sample::bytes(len, seed * 10_000 + number * 100 + slot))
				.collect()
		};
		let stripes: Vec<_> = (0..).zip(lens).map(|(at, len)| stripe(at, *len)).collect();
		let entries = stripes.iter().zip(lens).map(|(shards, len)| StripeEntry {
			stripe: stripe_id(&ids(shards)),
			owner: account(owner).into(),
			shard_len: ShardLen::new(*len as u64).unwrap(),
		});
		let tree = SumTree::build::<Blake2>(entries.collect()).unwrap();
		Self {
			owner,
			stripes,
			tree,
		}
	}

	/// The transaction that appends it with the receipts of `count` members.
	pub(crate) fn appended(&self, pg: Pg, count: usize) -> UncheckedExtrinsic {
		let epoch = ClusterMap::epoch();
		let batch = self.tree.batch();
		let owners = vec![OwnerShare {
			owner: account(self.owner).into(),
			bytes: batch.bytes,
		}];
		let reference = BatchRef {
			genesis: System::block_hash(0).0,
			pg,
			epoch,
			root: batch.root,
			bytes: batch.bytes,
			stripes: batch.stripes,
			owners: owners_hash(&owners),
		};
		let members = PlacementGroups::mapping_at(epoch, pg).unwrap();
		let receipts: Vec<_> = members
			.into_iter()
			.flatten()
			.take(count)
			.map(|node| receipt(reference, node, node))
			.collect();
		let call = Groups::append {
			pg,
			epoch,
			batch,
			owners: owners.try_into().unwrap(),
			receipts: receipts.try_into().unwrap(),
		};
		signed(&pair(self.owner), call)
	}
}

/// Where a byte of a ledger lies.
struct Found {
	batch: usize,
	stripe: u32,
	/// The byte of the shard.
	byte: u64,
}

/// A group's ledger.
pub(crate) struct Ledger {
	pub(crate) pg: Pg,
	pub(crate) batches: Vec<Batch>,
}

impl Ledger {
	/// The first batches, so many as there are.
	fn mmr(&self, batches: usize) -> Mmr {
		let mut mmr = Mmr::new();
		for batch in &self.batches[..batches] {
			mmr.append::<Blake2>(&batch.tree.batch()).unwrap();
		}
		mmr
	}

	/// What audits are checked against now.
	fn seen(&self) -> Mmr {
		let (seen, _) = PlacementGroups::peaks_of(self.pg).unwrap();
		let mmr = self.mmr(seen.leaves() as usize);
		assert_eq!(mmr.peaks(), &seen);
		mmr
	}

	fn find(&self, mmr: &Mmr, offset: u64) -> Found {
		let (batch, start) = mmr.locate(offset).unwrap();
		let batch = batch as usize;
		let tree = &self.batches[batch].tree;
		let (stripe, within) = tree.locate(offset - start).unwrap();
		Found {
			batch,
			stripe,
			byte: offset - start - within,
		}
	}

	/// The bytes at an offset, in the place of any slot.
	pub(crate) fn bytes(&self, slot: u8, offset: u64) -> Shown {
		let mmr = self.seen();
		let found = self.find(&mmr, offset);
		let batch = &self.batches[found.batch];
		let shards = &batch.stripes[found.stripe as usize];
		let shard = &shards[usize::from(slot)];
		let group = found.byte as usize / GROUP_LEN * GROUP_LEN;
		let end = (group + GROUP_LEN).min(shard.len());
		let outboard = Outboard::build(shard);
		let proof = AuditProof::assemble(
			ChunkProof::from_group(&outboard, &shard[group..end], found.byte / 1_024).unwrap(),
			ShardPath::make(&ids(shards), slot).unwrap(),
			&batch.tree,
			found.stripe,
			found.batch as u64,
			&mmr.prove(found.batch as u64).unwrap(),
		);
		Shown::Bytes(proof.unwrap().encode().try_into().unwrap())
	}

	/// That there is a stripe at an offset, without its bytes.
	pub(crate) fn entry(&self, offset: u64) -> Shown {
		let mmr = self.seen();
		let found = self.find(&mmr, offset);
		let path = mmr.prove(found.batch as u64).unwrap();
		let tree = &self.batches[found.batch].tree;
		let proof = EntryProof::assemble(tree, found.stripe, found.batch as u64, &path);
		Shown::Released(proof.unwrap().encode().try_into().unwrap())
	}

	/// A byte of another stripe than the one at an offset.
	pub(crate) fn elsewhere(&self, offset: u64) -> u64 {
		let mmr = self.seen();
		let place = |offset| {
			let found = self.find(&mmr, offset);
			(found.batch, found.stripe)
		};
		let total = mmr.peaks().total().unwrap();
		(0..total)
			.step_by(64)
			.find(|other| place(*other) != place(offset))
			.unwrap()
	}

	/// Whether the stripe at an offset was released.
	pub(crate) fn is_released(&self, offset: u64) -> bool {
		let found = self.find(&self.seen(), offset);
		<PlacementGroups as PgLedger>::released(self.pg, found.batch as u64, found.stripe)
	}

	/// What an honest node shows, that keeps nothing that was released.
	pub(crate) fn shown(&self, asked: &AskedOf) -> Vec<Shown> {
		let show = |offset: &u64| match self.is_released(*offset) {
			true => self.entry(*offset),
			false => self.bytes(asked.slot, *offset),
		};
		asked.offsets.iter().map(show).collect()
	}

	/// The transaction by which its owner releases a stripe.
	pub(crate) fn release(&self, number: usize, index: u32) -> UncheckedExtrinsic {
		let batch = &self.batches[number];
		let proof = StripeProof {
			index,
			entry: batch.tree.entries()[index as usize],
			path: batch.tree.prove(index).unwrap().try_into().unwrap(),
		};
		let path = self.mmr(self.batches.len()).prove(number as u64).unwrap();
		let call = Groups::release {
			pg: self.pg,
			number: number as u64,
			batch: batch.tree.batch(),
			path: path.try_into().unwrap(),
			stripes: StripeProofs::truncate_from(vec![proof]),
			permission: Permission::Account,
		};
		signed(&pair(batch.owner), call)
	}
}
