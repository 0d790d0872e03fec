//! The seam to what placement groups hold by the ledger.

use crate::Peaks;
use alloc::vec::Vec;
use hippius_primitives::{NodeIndex, Pg};

/// What placement groups hold by the ledger. Implemented by `placement-groups`, used by audits and
/// ranking. Sums and peaks are those of the last snapshot, so that new data is drawn only after one
/// period.
pub trait PgLedger {
	/// Sum over all groups of the bytes one slot holds, challengeable.
	fn total_bytes() -> u64;
	/// A byte of the total: its group and the offset in that group's ledger.
	fn locate(offset: u64) -> Option<(Pg, u64)>;
	/// The peaks against which answers are checked.
	fn peaks(pg: Pg) -> Option<Peaks>;
	/// The bytes one slot holds of a group, without what was released.
	fn live_bytes(pg: Pg) -> u64;
	/// Who must answer for a slot now (acting set); `None` for a hole or a slot whose shards are
	/// still being filled.
	fn holder(pg: Pg, slot: u8) -> Option<NodeIndex>;
	/// Who must answer for each of many slots. An implementation that maps a group as a whole, or
	/// reads the map once for all, does better than asking slot by slot.
	fn holders(places: &[(Pg, u8)]) -> Vec<Option<NodeIndex>> {
		places
			.iter()
			.map(|(pg, slot)| Self::holder(*pg, *slot))
			.collect()
	}
	/// Whether the stripe at this place of the ledger was released, so that nobody need hold it.
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
