//! From what is asked to what is shown.

use super::shards::{Found, Shards};
use crate::leaves::{KnownLedger, Leaves, LeavesError, Place};
use arion_shard_store::StoreError;
use arion_storage_proof::{
	answer::{Item, ProofBytes, Shown},
	AuditProof, Blake2, Challenge, ChunkProof, EntryProof, Peaks, ProofError, ShardPath, CHUNK_LEN,
	GROUP_LEN,
};
use codec::Encode;
use hippius_primitives::{audit::AskedOf, ShardId, StripeId};

/// Why something asked cannot be shown now.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
	/// What the ledger is made of is not known here.
	#[error(transparent)]
	Leaves(#[from] LeavesError),
	/// The shard was here and is gone.
	#[error("the shard of slot {slot} of stripe {stripe} is gone; it is to be repaired")]
	Lost {
		/// The stripe.
		stripe: StripeId,
		/// The slot.
		slot: u8,
	},
	/// The shard's bytes are not what its id says.
	#[error("the bytes of shard {shard} are wrong ({cause}); it is to be repaired")]
	Damaged {
		/// The shard.
		shard: ShardId,
		/// What does not fit.
		cause: ProofError,
	},
	/// The store cannot read it now.
	#[error(transparent)]
	Store(#[from] StoreError),
	/// The proof does not hold, or is too long.
	#[error("no proof that holds: {0}")]
	Proof(#[from] ProofError),
}

/// Kinds of failure, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Cause {
	/// The order of the group's batches is not known.
	Order,
	/// The batch's entries are not here yet.
	Entries,
	/// The shard is gone.
	Lost,
	/// The shard is damaged.
	Damaged,
	/// The disk cannot be read, or something else broke.
	Broken,
}

impl Cause {
	/// All kinds.
	pub const ALL: [Self; 5] = [
		Self::Order,
		Self::Entries,
		Self::Lost,
		Self::Damaged,
		Self::Broken,
	];

	/// In one word.
	pub fn name(self) -> &'static str {
		match self {
			Self::Order => "order",
			Self::Entries => "entries",
			Self::Lost => "lost",
			Self::Damaged => "damaged",
			Self::Broken => "broken",
		}
	}
}

impl ProveError {
	/// How it is counted.
	pub fn cause(&self) -> Cause {
		match self {
			Self::Leaves(LeavesError::OtherLedger { .. }) => Cause::Order,
			Self::Leaves(LeavesError::NoEntries { .. }) => Cause::Entries,
			Self::Lost { .. } => Cause::Lost,
			Self::Damaged { .. } => Cause::Damaged,
			Self::Leaves(_) | Self::Store(_) | Self::Proof(_) => Cause::Broken,
		}
	}
}

/// What is shown for one thing asked.
#[derive(Clone, Debug)]
pub struct Proved {
	/// As it goes into an answer.
	pub item: Item,
	/// Whether some of it is said to be released, which the chain may see otherwise.
	pub released: bool,
}

/// Shows every byte asked for, by peaks that the chain checks against. What is returned was checked as
/// the chain checks it. Blocks.
///
/// # Errors
/// [`ProveError`] if one of the bytes cannot be shown.
pub fn prove(
	leaves: &Leaves,
	shards: &dyn Shards,
	asked: &AskedOf,
	peaks: &Peaks,
) -> Result<Proved, ProveError> {
	let ledger = leaves.ledger(asked.pg, peaks)?;
	let mut released = false;
	let mut shown = Vec::with_capacity(asked.offsets.len());
	for offset in &asked.offsets {
		let challenge = Challenge {
			offset: *offset,
			slot: asked.slot,
		};
		let one = show(leaves, shards, &ledger, peaks, &challenge)?;
		released |= matches!(one, Shown::Released(_));
		shown.push(one);
	}
	let given = shown.len();
	let shown = shown
		.try_into()
		.map_err(|_| ProofError::TooLong { given, max: 4 })?;
	let item = Item {
		ask: asked.ask,
		shown,
	};
	Ok(Proved { item, released })
}

fn show(
	leaves: &Leaves,
	shards: &dyn Shards,
	ledger: &KnownLedger,
	peaks: &Peaks,
	challenge: &Challenge,
) -> Result<Shown, ProveError> {
	let place = ledger.place(leaves, challenge.offset)?;
	let entry = place.tree.entries().get(place.stripe as usize).copied();
	let entry = entry.ok_or(ProofError::Malformed)?;
	let slot = challenge.slot;
	let lost = ProveError::Lost {
		stripe: entry.stripe,
		slot,
	};
	let meta = match shards.find(&entry, slot)? {
		Found::Here(meta) => meta,
		Found::Lost => {
			shards.lost(entry.stripe, true);
			return Err(lost);
		}
		Found::Never => {
			let proof = EntryProof::assemble(&place.tree, place.stripe, place.batch, &place.path)?;
			proof.verify::<Blake2>(peaks, challenge.offset)?;
			return Ok(Shown::Released(bytes(&proof)?));
		}
	};
	let Some(shard) = meta.shard() else {
		return Err(lost);
	};
	let group = place.byte / GROUP_LEN as u64;
	let Some(slice) = shards.group(&shard, group)? else {
		shards.lost(entry.stripe, true);
		return Err(lost);
	};
	let damaged = |cause| {
		shards.damaged(&shard);
		ProveError::Damaged { shard, cause }
	};
	let chunk = ChunkProof::from_group(&slice.outboard, &slice.data, place.byte / CHUNK_LEN as u64)
		.map_err(damaged)?;
	let path = ShardPath::make(&meta.shards, slot)?;
	let Place {
		tree,
		stripe,
		batch,
		path: way,
		..
	} = &place;
	let proof = AuditProof::assemble(chunk, path, tree, *stripe, *batch, way)?;
	// As the chain does: what would not count is not signed.
	proof.verify::<Blake2>(peaks, challenge).map_err(damaged)?;
	Ok(Shown::Bytes(bytes(&proof)?))
}

fn bytes(proof: &impl Encode) -> Result<ProofBytes, ProofError> {
	let bytes = proof.encode();
	let given = bytes.len();
	let max = arion_storage_proof::answer::MAX_PROOF as usize;
	bytes
		.try_into()
		.map_err(|_| ProofError::TooLong { given, max })
}
