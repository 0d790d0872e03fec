//! What a new epoch asks of its nodes: the difference of two tables of slots.

use crate::error::{DiffError, PlaceError};
use crate::placement::{Placement, SLOTS};
use crate::table::{PgTable, Slots};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use hippius_primitives::{Epoch, NodeIndex, Pg};

/// A slot that gets another holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotMove {
	/// The placement group.
	pub pg: Pg,
	/// The slot, 0 to 29.
	pub slot: u8,
	/// The old holder; `None` for a hole.
	pub from: Option<NodeIndex>,
	/// The new holder, who must fetch the slot's shards; `None` if the slot becomes a hole.
	pub to: Option<NodeIndex>,
	/// Whether the old holder still has the shards to copy; otherwise each must be rebuilt from 10
	/// others.
	pub copy: bool,
}

/// A placement group some slots of which move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgDanger {
	/// The placement group.
	pub pg: Pg,
	/// Slots, moved or not, whose shards no old holder has: it is gone, or there was none. Above 20 a
	/// stripe cannot be read from its old holders any more.
	pub lost: u8,
	/// Slots that get another holder.
	pub moved: u8,
}

/// Sums of a [`RepairPlan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairTotals {
	/// Slots of all placement groups compared.
	pub slots: u64,
	/// Slots that get another holder, or become holes.
	pub moved: u64,
	/// Of those, slots the new holder can copy from the old one.
	pub copied: u64,
	/// Of those, slots the new holder must rebuild.
	pub rebuilt: u64,
	/// Of those, slots that become holes.
	pub dropped: u64,
	/// The fewest moves that any plan between tables with these numbers of slots per node needs: what
	/// nodes, and holes, have more afterwards.
	pub minimum: u64,
}

impl RepairTotals {
	/// Moved slots of a million.
	pub fn moved_ppm(&self) -> u64 {
		self.moved.saturating_mul(1_000_000) / self.slots.max(1)
	}
}

/// Who must fetch what to get from one table to another. 24 bytes for each move and 8 for each
/// placement group touched; where a table is too large for that, compare ranges of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairPlan {
	old_epoch: Epoch,
	new_epoch: Epoch,
	/// By new holder, holes first, then as in `pgs`, then by slot.
	moves: Vec<SlotMove>,
	/// Most dangerous first.
	pgs: Vec<PgDanger>,
	totals: RepairTotals,
}

/// The plan that turns table `old` into table `new`, both of the same placement groups. `gone` tells
/// which old holders have nothing to copy any more.
pub fn diff(
	old: &PgTable,
	new: &PgTable,
	gone: impl Fn(NodeIndex) -> bool,
) -> Result<RepairPlan, DiffError> {
	if old.pgs() != new.pgs() {
		return Err(DiffError::OtherGroups {
			old: old.pgs(),
			new: new.pgs(),
		});
	}
	let mut pgs = Vec::new();
	for ((pg, before), (_, after)) in old.iter().zip(new.iter()) {
		let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
		if moved > 0 {
			let lost = before.iter().filter(|from| from.is_none_or(&gone)).count();
			pgs.push(PgDanger {
				pg,
				lost: lost as u8,
				moved: moved as u8,
			});
		}
	}
	pgs.sort_unstable_by_key(|danger| (Reverse((danger.lost, danger.moved)), danger.pg));

	let mut moves = Vec::with_capacity(pgs.iter().map(|danger| usize::from(danger.moved)).sum());
	for danger in &pgs {
		// Both tables have the group: it came from them.
		if let (Some(before), Some(after)) = (old.slots(danger.pg), new.slots(danger.pg)) {
			moves.extend(changes(danger.pg, &before, &after, &gone));
		}
	}
	// Stable, so that the most dangerous groups stay first for every holder.
	moves.sort_by_key(|change| change.to);

	let count = |wanted: fn(&SlotMove) -> bool| moves.iter().filter(|m| wanted(m)).count() as u64;
	let totals = RepairTotals {
		slots: old.pgs().len() as u64 * SLOTS as u64,
		moved: moves.len() as u64,
		copied: count(|change| change.to.is_some() && change.copy),
		rebuilt: count(|change| change.to.is_some() && !change.copy),
		dropped: count(|change| change.to.is_none()),
		minimum: forced(&old.loads(), &new.loads()),
	};
	Ok(RepairPlan {
		old_epoch: old.epoch(),
		new_epoch: new.epoch(),
		moves,
		pgs,
		totals,
	})
}

fn changes<'a>(
	pg: Pg,
	before: &'a Slots,
	after: &'a Slots,
	gone: &'a impl Fn(NodeIndex) -> bool,
) -> impl Iterator<Item = SlotMove> + 'a {
	let pairs = (0u8..).zip(before.iter().zip(after));
	let changed = pairs.filter(|(_, (from, to))| from != to);
	changed.map(move |(slot, (&from, &to))| SlotMove {
		pg,
		slot,
		from,
		to,
		copy: from.is_some_and(|node| !gone(node)),
	})
}

/// What the holders of the new table have more than before.
fn forced(old: &BTreeMap<Option<NodeIndex>, u32>, new: &BTreeMap<Option<NodeIndex>, u32>) -> u64 {
	new.iter()
		.map(|(node, load)| load.saturating_sub(old.get(node).copied().unwrap_or(0)))
		.map(u64::from)
		.sum()
}

impl RepairPlan {
	/// The epochs the plan leads from and to.
	pub fn epochs(&self) -> (Epoch, Epoch) {
		(self.old_epoch, self.new_epoch)
	}

	/// Its sums.
	pub fn totals(&self) -> RepairTotals {
		self.totals
	}

	/// Every move. By new holder, those that become holes first; for each holder the most dangerous
	/// placement groups first.
	pub fn moves(&self) -> &[SlotMove] {
		&self.moves
	}

	/// The placement groups touched: most slots lost first, among those most slots moved, then by
	/// number.
	pub fn pgs(&self) -> &[PgDanger] {
		&self.pgs
	}

	/// What each new holder must fetch, by ascending node, most dangerous placement groups first.
	pub fn by_holder(&self) -> impl Iterator<Item = (NodeIndex, &[SlotMove])> {
		let holders = self.moves.chunk_by(|a, b| a.to == b.to);
		holders.filter_map(|moves| Some((moves.first()?.to?, moves)))
	}

	/// What one node must fetch.
	pub fn fetches_of(&self, node: NodeIndex) -> &[SlotMove] {
		let start = self.moves.partition_point(|change| change.to < Some(node));
		let end = self.moves.partition_point(|change| change.to <= Some(node));
		&self.moves[start..end]
	}

	/// Carries the plan out on the table it was made from. On an error the table is as before.
	pub fn apply(&self, table: &mut PgTable) -> Result<(), DiffError> {
		if table.epoch() != self.old_epoch {
			return Err(DiffError::OtherEpoch {
				table: table.epoch(),
				plan: self.old_epoch,
			});
		}
		for change in &self.moves {
			let SlotMove { pg, slot, from, .. } = *change;
			let slots = table.slots(pg);
			if slots.and_then(|slots| slots.get(usize::from(slot)).copied()) != Some(from) {
				return Err(DiffError::OtherHolder { pg, slot });
			}
		}
		for change in &self.moves {
			table.replace(change.pg, change.slot, change.to);
		}
		table.set_epoch(self.new_epoch);
		Ok(())
	}
}

impl Placement {
	/// The plan from the placement of an older epoch to this one's, computed on up to `threads`
	/// threads. An old holder counts as gone if it is no longer in the map or is out for good
	/// (reweight 0).
	pub fn repair_from(&self, old: &Self, threads: usize) -> Result<RepairPlan, DiffError> {
		let place = |epoch| move |error: PlaceError| DiffError::Place { epoch, error };
		let before = old.table(threads).map_err(place(old.epoch()))?;
		let after = self.table(threads).map_err(place(self.epoch()))?;
		diff(&before, &after, |node| self.reweight(node) == 0)
	}
}
