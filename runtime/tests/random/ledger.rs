//! Ledgers with the bytes of all their shards, so that whoever is asked for any can show it.

use arion_storage_proof::{
	answer::Shown, mmr::prove_with, sample, AuditProof, Blake2, ChunkProof, EntryProof, Mmr,
	PgLedger, ShardLen, ShardPath, StripeEntry, SumTree, CHUNK_LEN,
};
use codec::Encode;
use fastrand::Rng;
use hippius_primitives::{id::shard_id, tree::stripe_id, Pg, ShardId, TOTAL_SHARDS};
use hippius_runtime::*;

/// A stripe's bytes: what they are made from, and its shards' ids.
struct Bytes {
	seed: u64,
	len: u64,
	ids: [ShardId; TOTAL_SHARDS],
}

impl Bytes {
	fn new(seed: u64, len: u64) -> Self {
		let ids = core::array::from_fn(|slot| shard_id(&shard(seed, len, slot as u8)));
		Self { seed, len, ids }
	}
}

/// The bytes of a stripe in a slot.
fn shard(seed: u64, len: u64, slot: u8) -> Vec<u8> {
	sample::bytes(len as usize, seed.wrapping_add(slot.into()))
}

/// A batch, and the bytes of its stripes.
pub(crate) struct Batch {
	pub(crate) tree: SumTree,
	stripes: Vec<Bytes>,
}

impl Batch {
	/// A few stripes of `owner`, most of them small, some of several groups of chunks.
	pub(crate) fn new(rng: &mut Rng, owner: &AccountId) -> Self {
		let stripes: Vec<_> = (0..rng.u32(1..4))
			.map(|_| {
				let most = if rng.u8(..24) == 0 { 1_024 } else { 48 };
				Bytes::new(rng.u64(..), 64 * rng.u64(1..=most))
			})
			.collect();
		let entries = stripes.iter().map(|stripe| StripeEntry {
			stripe: stripe_id(&stripe.ids),
			owner: owner.clone().into(),
			shard_len: ShardLen::new(stripe.len).unwrap(),
		});
		let tree = SumTree::build::<Blake2>(entries.collect()).unwrap();
		Self { tree, stripes }
	}
}

/// A group's ledger.
#[derive(Default)]
pub(crate) struct Ledger {
	mmr: Mmr,
	batches: Vec<Batch>,
}

impl Ledger {
	pub(crate) fn append(&mut self, batch: Batch) {
		self.mmr.append::<Blake2>(&batch.tree.batch()).unwrap();
		self.batches.push(batch);
	}

	pub(crate) fn mmr(&self) -> &Mmr {
		&self.mmr
	}

	pub(crate) fn batches(&self) -> &[Batch] {
		&self.batches
	}

	/// What a node in `slot` shows for byte `offset`, by the ledger as the chain checks it now.
	pub(crate) fn show(&self, pg: Pg, slot: u8, offset: u64) -> Shown {
		let peaks = <PlacementGroups as PgLedger>::peaks(pg).unwrap();
		let (number, start) = self.mmr.locate(offset).unwrap();
		let batch = &self.batches[number as usize];
		let (stripe, inside) = batch.tree.locate(offset - start).unwrap();
		let node = |height, index| self.mmr.node(height, index);
		let path = prove_with(peaks.leaves(), number, node).unwrap();
		if <PlacementGroups as PgLedger>::released(pg, number, stripe) {
			let proof = EntryProof::assemble(&batch.tree, stripe, number, &path).unwrap();
			return Shown::Released(proof.encode().try_into().unwrap());
		}
		let bytes = &batch.stripes[stripe as usize];
		let chunk = (offset - start - inside) / CHUNK_LEN as u64;
		let proof = AuditProof::assemble(
			ChunkProof::make(&shard(bytes.seed, bytes.len, slot), chunk).unwrap(),
			ShardPath::make(&bytes.ids, slot).unwrap(),
			&batch.tree,
			stripe,
			number,
			&path,
		)
		.unwrap();
		Shown::Bytes(proof.encode().try_into().unwrap())
	}
}
