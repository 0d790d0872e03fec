//! Where a byte of a ledger is, and the ways that show it.

use super::{Leaves, LeavesError};
use arion_storage_proof::{Batch, Blake2, Mmr, Peaks, ProofError, Sibling, SumTree};
use hippius_primitives::Pg;

/// Where a byte of a ledger is, with the ways that show it.
#[derive(Clone, Debug)]
pub struct Place {
	/// The number of its batch in the ledger.
	pub batch: u64,
	/// The way of the batch to its peak.
	pub path: Vec<Sibling>,
	/// The batch's stripes.
	pub tree: SumTree,
	/// The number of the byte's stripe in the batch.
	pub stripe: u32,
	/// The byte's place in the slot's shard.
	pub byte: u64,
}

/// The order of a group's batches, as certain peaks have it.
#[derive(Clone, Debug)]
pub struct KnownLedger {
	pg: Pg,
	batches: Vec<Batch>,
	mmr: Mmr,
}

impl KnownLedger {
	/// Where byte `offset` is. Blocks.
	///
	/// # Errors
	/// [`LeavesError::NoEntries`] if the batch's entries must be fetched first,
	/// [`LeavesError::Proof`] for an offset behind the end.
	pub fn place(&self, leaves: &Leaves, offset: u64) -> Result<Place, LeavesError> {
		let pg = self.pg;
		let total = self.mmr.peaks().total()?;
		let behind = ProofError::Offset { offset, total };
		let (number, start) = self.mmr.locate(offset).ok_or(behind)?;
		let batch = usize::try_from(number).ok();
		let batch = batch.and_then(|at| self.batches.get(at)).ok_or(behind)?;
		let entries = leaves.entries(pg, &batch.root)?;
		let entries = entries.ok_or(LeavesError::NoEntries { pg, number })?;
		let tree = SumTree::build::<Blake2>(entries)?;
		let inside = offset.saturating_sub(start);
		let (stripe, first) = tree.locate(inside).ok_or(behind)?;
		Ok(Place {
			batch: number,
			path: self.mmr.prove(number)?,
			tree,
			stripe,
			byte: inside.saturating_sub(first),
		})
	}
}

impl Leaves {
	/// The order of a group's batches by the peaks that the chain checks against. Blocks.
	///
	/// # Errors
	/// [`LeavesError::OtherLedger`] if the order known here does not lead to these peaks.
	pub fn ledger(&self, pg: Pg, peaks: &Peaks) -> Result<KnownLedger, LeavesError> {
		let mut batches = self.batches(pg)?;
		let (known, leaves) = (batches.len() as u64, peaks.leaves());
		batches.truncate(usize::try_from(leaves).unwrap_or(usize::MAX));
		let mut mmr = Mmr::new();
		for batch in &batches {
			mmr.append::<Blake2>(batch)?;
		}
		if mmr.peaks() != peaks {
			return Err(LeavesError::OtherLedger { pg, known, leaves });
		}
		Ok(KnownLedger { pg, batches, mmr })
	}

	/// [`KnownLedger::place`] of one byte.
	///
	/// # Errors
	/// Those of [`Self::ledger`] and [`KnownLedger::place`].
	pub fn place(&self, pg: Pg, peaks: &Peaks, offset: u64) -> Result<Place, LeavesError> {
		self.ledger(pg, peaks)?.place(self, offset)
	}
}
