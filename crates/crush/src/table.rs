//! The slots of many placement groups at once, and where they are kept.

use crate::error::PlaceError;
use crate::mapper::Workspace;
use crate::placement::{Placement, SLOTS};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use hippius_primitives::{Epoch, NodeIndex, Pg};

/// The holders of a placement group's slots; `None` is a hole.
pub type Slots = [Option<NodeIndex>; SLOTS];

/// A hole in [`PgTable`]: above every valid node number.
const HOLE: NodeIndex = NodeIndex::MAX;

/// The slots of consecutive placement groups at one epoch.
///
/// Kept as plain numbers: 120 bytes for each group, so 1 MB for 8192 of them and 126 MB for the most a
/// map may have ([`MAX_PG_NUM`](crate::cluster::MAX_PG_NUM)); twice that while it is computed. Where
/// that is too much, work on ranges ([`Placement::table_of`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgTable {
	epoch: Epoch,
	first: Pg,
	rows: Vec<[NodeIndex; SLOTS]>,
}

impl PgTable {
	/// From rows that begin with placement group `first`.
	pub fn new(epoch: Epoch, first: Pg, rows: &[Slots]) -> Self {
		let rows = rows.iter().map(pack).collect();
		Self { epoch, first, rows }
	}

	/// The epoch the slots are of.
	pub fn epoch(&self) -> Epoch {
		self.epoch
	}

	pub(crate) fn set_epoch(&mut self, epoch: Epoch) {
		self.epoch = epoch;
	}

	/// The placement groups in the table.
	pub fn pgs(&self) -> Range<Pg> {
		self.first..self.first.saturating_add(self.rows.len() as u32)
	}

	/// The slots of a placement group; `None` if it is not in the table.
	pub fn slots(&self, pg: Pg) -> Option<Slots> {
		self.row(pg).map(|row| row.map(holder))
	}

	/// All placement groups and their slots, ascending.
	pub fn iter(&self) -> impl ExactSizeIterator<Item = (Pg, Slots)> + '_ {
		let rows = self.rows.iter().enumerate();
		rows.map(|(at, row)| (self.first + at as u32, row.map(holder)))
	}

	/// Replaces the holder of a slot and gives the former one; `None` if the table has no such slot.
	pub fn replace(
		&mut self,
		pg: Pg,
		slot: u8,
		node: Option<NodeIndex>,
	) -> Option<Option<NodeIndex>> {
		let at = pg.checked_sub(self.first)? as usize;
		let held = self.rows.get_mut(at)?.get_mut(usize::from(slot))?;
		Some(holder(core::mem::replace(held, node.unwrap_or(HOLE))))
	}

	/// How many slots each node holds; holes under `None`. Nodes that hold none are left out.
	pub fn loads(&self) -> BTreeMap<Option<NodeIndex>, u32> {
		let mut loads = BTreeMap::new();
		for node in self.rows.iter().flatten() {
			*loads.entry(holder(*node)).or_insert(0) += 1;
		}
		loads
	}

	fn row(&self, pg: Pg) -> Option<&[NodeIndex; SLOTS]> {
		self.rows.get(pg.checked_sub(self.first)? as usize)
	}
}

fn pack(slots: &Slots) -> [NodeIndex; SLOTS] {
	slots.map(|slot| slot.unwrap_or(HOLE))
}

fn holder(node: NodeIndex) -> Option<NodeIndex> {
	(node != HOLE).then_some(node)
}

impl Placement {
	/// The slots of all placement groups, computed on up to `threads` threads (one without `std`).
	/// The result does not depend on their number; of several errors it is the one of the lowest group.
	pub fn table(&self, threads: usize) -> Result<PgTable, PlaceError> {
		self.table_of(0..self.pg_num(), threads)
	}

	/// As [`Self::table`], for some placement groups only.
	pub fn table_of(&self, pgs: Range<Pg>, threads: usize) -> Result<PgTable, PlaceError> {
		if let Some(last) = pgs.clone().last() {
			self.check_pg(last)?;
		}
		let rows = each(pgs.len(), threads, |at, work| {
			Ok(pack(&self.up_in(pgs.start + at as u32, work)?.0))
		})?;
		Ok(PgTable {
			epoch: self.epoch(),
			first: pgs.start,
			rows,
		})
	}

	/// As [`Self::table`], without the map's exceptions.
	pub fn raw_table(&self, threads: usize) -> Result<PgTable, PlaceError> {
		let rows = each(self.pg_num() as usize, threads, |at, work| {
			Ok(pack(&self.raw_in(at as u32, work)?.0))
		})?;
		Ok(PgTable {
			epoch: self.epoch(),
			first: 0,
			rows,
		})
	}

	/// The slots of these placement groups, in their order; threads and errors as with [`Self::table`],
	/// where the first in order is the lowest.
	pub fn map_all(&self, pgs: &[Pg], threads: usize) -> Result<Vec<Slots>, PlaceError> {
		each(pgs.len(), threads, |at, work| {
			Ok(self.up_in(pgs[at], work)?.0)
		})
	}
}

/// `compute` of 0 up to `count`, in order.
#[cfg(not(feature = "std"))]
fn each<T>(
	count: usize,
	_threads: usize,
	compute: impl Fn(usize, &mut Workspace) -> Result<T, PlaceError>,
) -> Result<Vec<T>, PlaceError> {
	let mut work = Workspace::default();
	(0..count).map(|at| compute(at, &mut work)).collect()
}

/// `compute` of 0 up to `count`, in order. Threads take blocks in turn, because some groups take many
/// times the draws of others.
#[cfg(feature = "std")]
fn each<T: Send>(
	count: usize,
	threads: usize,
	compute: impl Fn(usize, &mut Workspace) -> Result<T, PlaceError> + Sync,
) -> Result<Vec<T>, PlaceError> {
	use std::sync::atomic::{AtomicUsize, Ordering};

	/// Large enough that taking one costs nothing beside computing it.
	const BLOCK: usize = 32;

	let blocks = count.div_ceil(BLOCK);
	let next = AtomicUsize::new(0);
	// An error ends its block and lets no further one begin; the lower ones have all been begun, so
	// the lowest error is always met.
	let run = || {
		let mut work = Workspace::default();
		let mut done = Vec::new();
		loop {
			let block = next.fetch_add(1, Ordering::Relaxed);
			if block >= blocks {
				return done;
			}
			let range = block * BLOCK..count.min((block + 1) * BLOCK);
			let computed: Result<Vec<T>, PlaceError> =
				range.map(|at| compute(at, &mut work)).collect();
			if computed.is_err() {
				next.store(blocks, Ordering::Relaxed);
			}
			done.push((block, computed));
		}
	};
	let mut done = std::thread::scope(|scope| {
		let others: Vec<_> = (1..threads.min(blocks)).map(|_| scope.spawn(run)).collect();
		let mut done = run();
		for other in others {
			match other.join() {
				Ok(theirs) => done.extend(theirs),
				Err(panic) => std::panic::resume_unwind(panic),
			}
		}
		done
	});
	done.sort_unstable_by_key(|(block, _)| *block);
	let mut all = Vec::with_capacity(count);
	for (_, computed) in done {
		all.extend(computed?);
	}
	Ok(all)
}
