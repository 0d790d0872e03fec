//! Ledgers of any size with one stripe that can be proved, for tests, benches and fuzzing.

use crate::{
	chunk::CHUNK_BYTES, outboard::GROUP_BYTES, AuditProof, Batch, Challenge, ChunkProof, Hash, Mmr,
	Outboard, ProofError, ShardLen, ShardPath, StripeEntry, SumHasher, SumTree, GROUP_LEN,
};
use alloc::vec::Vec;
use hippius_primitives::{id::shard_id, tree::stripe_id, ShardId, StripeId, TOTAL_SHARDS};

/// `len` bytes that look random and are the same for the same seed.
pub fn bytes(len: usize, seed: u64) -> Vec<u8> {
	let mut bytes = alloc::vec![0u8; len];
	blake3::Hasher::new_derive_key("arion storage-proof 2026 sample bytes v1")
		.update(&seed.to_le_bytes())
		.finalize_xof()
		.fill(&mut bytes);
	bytes
}

/// 32 bytes that look random.
pub fn hash(seed: u64) -> Hash {
	bytes(32, seed).try_into().unwrap_or_default()
}

/// What a sample ledger holds and which of its stripes is real.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
	/// Batches of the ledger.
	pub batches: u64,
	/// Stripes of every batch.
	pub stripes: u32,
	/// Shard length of every stripe but the real one, in bytes.
	pub shard_len: u64,
	/// Shard length of the real stripe, in bytes.
	pub real_len: u64,
	/// The batch the real stripe is in.
	pub batch: u64,
	/// The real stripe's number in that batch.
	pub stripe: u32,
	/// The slot whose bytes are there.
	pub slot: u8,
}

impl Shape {
	/// 10^8 full stripes in one ledger, the real one in the middle of its highest mountain.
	pub const HUNDRED_MILLION: Self = Self {
		batches: 97_657,
		stripes: 1024,
		shard_len: 1 << 20,
		real_len: 1 << 20,
		batch: 54_321,
		stripe: 345,
		slot: 17,
	};
}

/// A ledger, one of its batches, and one shard in it.
#[derive(Clone, Debug)]
pub struct Sample {
	/// What it was made from.
	pub shape: Shape,
	/// The ledger.
	pub mmr: Mmr,
	/// The real stripe's batch.
	pub tree: SumTree,
	/// The real stripe's shard ids.
	pub shards: [ShardId; TOTAL_SHARDS],
	/// The bytes of the shard in the slot.
	pub shard: Vec<u8>,
	/// Its outboard.
	pub outboard: Outboard,
}

impl Sample {
	/// Makes the ledger; `seed` changes all ids and bytes.
	///
	/// # Errors
	/// [`ProofError`] for a shape with bad lengths or numbers.
	pub fn new<H: SumHasher>(shape: Shape, seed: u64) -> Result<Self, ProofError> {
		let shard = bytes(shape.real_len as usize, seed);
		let mut shards: [ShardId; TOTAL_SHARDS] = core::array::from_fn(|slot| {
			ShardId(hash(seed.wrapping_mul(31).wrapping_add(slot as u64)))
		});
		*shards
			.get_mut(usize::from(shape.slot))
			.ok_or(ProofError::Slot(shape.slot))? = shard_id(&shard);
		let mut entries = Vec::with_capacity(shape.stripes as usize);
		for index in 0..shape.stripes {
			let real = index == shape.stripe;
			let other = StripeId(hash(seed.wrapping_add(u64::from(index) << 8)));
			let len = if real {
				shape.real_len
			} else {
				shape.shard_len
			};
			entries.push(StripeEntry {
				stripe: if real { stripe_id(&shards) } else { other },
				owner: hash(seed.wrapping_add(u64::from(index % 3))),
				shard_len: ShardLen::new(len)?,
			});
		}
		let tree = SumTree::build::<H>(entries)?;
		let mut mmr = Mmr::new();
		for index in 0..shape.batches {
			let batch = if index == shape.batch {
				tree.batch()
			} else {
				Batch {
					root: hash(seed.wrapping_sub(index)),
					bytes: shape.shard_len.saturating_mul(shape.stripes.into()),
					stripes: shape.stripes,
				}
			};
			mmr.append::<H>(&batch)?;
		}
		Ok(Self {
			shape,
			mmr,
			tree,
			shards,
			outboard: Outboard::build(&shard),
			shard,
		})
	}

	/// The byte of the ledger at which the real stripe begins.
	pub fn start(&self) -> u64 {
		let full = self.shape.shard_len;
		let batch = full.saturating_mul(self.shape.stripes.into());
		batch
			.saturating_mul(self.shape.batch)
			.saturating_add(full.saturating_mul(self.shape.stripe.into()))
	}

	/// The challenge for byte `byte` of the real shard.
	pub fn challenge(&self, byte: u64) -> Challenge {
		Challenge {
			offset: self.start().saturating_add(byte),
			slot: self.shape.slot,
		}
	}

	/// The answer to [`Self::challenge`], made as a node makes it: from the 16 KiB group around the
	/// byte and the outboard.
	///
	/// # Errors
	/// [`ProofError`] if the shard has no such byte.
	pub fn answer(&self, byte: u64) -> Result<AuditProof, ProofError> {
		let group = (byte / GROUP_BYTES).saturating_mul(GROUP_BYTES) as usize;
		let end = group.saturating_add(GROUP_LEN).min(self.shard.len());
		let group = self.shard.get(group..end).unwrap_or_default();
		AuditProof::assemble(
			ChunkProof::from_group(&self.outboard, group, byte / CHUNK_BYTES)?,
			ShardPath::make(&self.shards, self.shape.slot)?,
			&self.tree,
			self.shape.stripe,
			self.shape.batch,
			&self.mmr.prove(self.shape.batch)?,
		)
	}
}
