//! The seam between those who keep the ledgers and those who ask for proofs.

use crate::Peaks;
use alloc::vec::Vec;
use hippius_primitives::{NodeIndex, Pg};

/// What placement groups hold by their ledgers.
///
/// Peaks and sums are those of a snapshot that is at least one and at most two snapshot periods old,
/// so that whoever is asked has had a whole period to learn the ledger's leaves. All of them change
/// at the same moment: within one block, `locate` and `peaks` fit `total_bytes`.
pub trait PgLedger {
	/// The bytes one slot holds, over all groups, released ones included.
	fn total_bytes() -> u64;
	/// The group that byte `offset` of the total belongs to, and the byte's offset in the group's
	/// ledger; `None` behind the end.
	fn locate(offset: u64) -> Option<(Pg, u64)>;
	/// What answers are checked against; `None` for a group with nothing to ask for.
	fn peaks(pg: Pg) -> Option<Peaks>;
	/// The bytes one slot of the group holds, without batches that were released as a whole.
	fn live_bytes(pg: Pg) -> u64;
	/// Who must answer for a slot now. `None` for a hole, and for a slot whose node still has time
	/// to fill it.
	fn holder(pg: Pg, slot: u8) -> Option<NodeIndex>;
	/// Who must answer for each of many slots. An implementation that maps a group as a whole, or
	/// reads the map once for all, does better than asking slot by slot.
	fn holders(places: &[(Pg, u8)]) -> Vec<Option<NodeIndex>> {
		places
			.iter()
			.map(|(pg, slot)| Self::holder(*pg, *slot))
			.collect()
	}
	/// Whether stripe `stripe` of batch `batch` was released, so that nobody need hold it.
	fn released(pg: Pg, batch: u64, stripe: u32) -> bool;
}

impl PgLedger for () {
	fn total_bytes() -> u64 {
		0
	}
	fn locate(_: u64) -> Option<(Pg, u64)> {
		None
	}
	fn peaks(_: Pg) -> Option<Peaks> {
		None
	}
	fn live_bytes(_: Pg) -> u64 {
		0
	}
	fn holder(_: Pg, _: u8) -> Option<NodeIndex> {
		None
	}
	fn released(_: Pg, _: u64, _: u32) -> bool {
		false
	}
}
