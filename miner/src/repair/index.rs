//! Which shards this node holds, by placement group.
//!
//! The store finds a shard by its id; repair asks for the shards of a placement group. So every
//! stored shard has a row here, 70 bytes in a B-tree on disk: about 1 GB for ten million shards, of
//! which at most 16 MiB are kept in memory. Rows are in the order of [`StripeId::group_key`], in which
//! the stripes of a group stand together whatever the number of groups.
//!
//! Rows are noted when a shard is stored and written in batches. What a crash loses of them is found
//! again by reading the headers of the store's records once, in the background; until that is done
//! lists say that they are not whole. A row is no promise: whoever reads it asks the store.

use super::state::{State, StateError};
use arion_grid::{Listed, Listing};
use hippius_primitives::{Pg, ShardId, ShardMeta, StripeId, TOTAL_SHARDS};
use redb::TableDefinition;
use std::{
	ops::Bound,
	sync::{
		atomic::{AtomicBool, Ordering::Relaxed},
		Arc, Mutex, MutexGuard, PoisonError,
	},
};

/// Group key and slot: shard id, mark, Unix seconds of the mark (u32, little endian).
pub(super) const SHARDS: TableDefinition<'_, &[u8; 33], &[u8; 37]> = TableDefinition::new("shards");
/// `whole` is 1 while the table is known to have every shard of the store.
pub(super) const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
const WHOLE: &str = "whole";

/// Rows not yet written, at most; beyond it the table has to be filled anew.
const MAX_PENDING: usize = 1 << 16;
/// Rows read for one page, beside those it lists.
const MAX_SCAN: usize = 8192;

/// What is known of a shard this node holds or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
	/// It is to be here.
	Live,
	/// It was given up because its slot's new holder has it.
	Released,
	/// Its owner had it deleted: it must not be brought back.
	Deleted,
}

/// A shard this node holds or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
	/// The stripe.
	pub stripe: StripeId,
	/// The slot.
	pub slot: u8,
	/// The shard.
	pub shard: ShardId,
	/// What is known of it.
	pub mark: Mark,
	/// Unix seconds at which that was noted.
	pub since: u32,
}

impl Row {
	fn key(&self) -> [u8; 33] {
		key(&self.stripe, self.slot)
	}

	fn value(&self) -> [u8; 37] {
		let mut value = [0; 37];
		value[..32].copy_from_slice(&self.shard.0);
		value[32] = self.mark as u8;
		value[33..].copy_from_slice(&self.since.to_le_bytes());
		value
	}

	fn read(key: &[u8; 33], value: &[u8; 37]) -> Self {
		let (mut group, mut shard, mut since) = ([0; 32], [0; 32], [0; 4]);
		group.copy_from_slice(&key[..32]);
		shard.copy_from_slice(&value[..32]);
		since.copy_from_slice(&value[33..]);
		Self {
			stripe: StripeId::from_group_key(group),
			slot: key[32],
			shard: ShardId(shard),
			mark: match value[32] {
				0 => Mark::Live,
				1 => Mark::Released,
				_ => Mark::Deleted,
			},
			since: u32::from_le_bytes(since),
		}
	}
}

fn key(stripe: &StripeId, slot: u8) -> [u8; 33] {
	let mut key = [slot; 33];
	key[..32].copy_from_slice(&stripe.group_key());
	key
}

/// Where the rows of a placement group are: its first four key bytes lie within these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
	first: u32,
	last: u32,
}

impl Span {
	/// All rows.
	pub const ALL: Self = Self {
		first: 0,
		last: u32::MAX,
	};

	/// The rows of a group; the counterpart of `ClusterMap::pg_of`. `None` if there is no such group.
	pub fn of(pg: Pg, pg_num: u32) -> Option<Self> {
		if pg >= pg_num {
			return None;
		}
		let bits = pg_num.checked_next_power_of_two()?.trailing_zeros();
		// A group whose upper twin does not exist has the twin's stripes as well.
		let half = pg_num.checked_next_power_of_two()? / 2;
		let bits = if pg < half && pg + half >= pg_num {
			bits - 1
		} else {
			bits
		};
		let first = pg.reverse_bits();
		let last = first | u32::MAX.checked_shr(bits).unwrap_or(0);
		Some(Self { first, last })
	}

	/// Whether the stripe is of the group.
	pub fn contains(&self, stripe: &StripeId) -> bool {
		(self.first..=self.last).contains(&stripe.pg_seed().reverse_bits())
	}

	fn start(&self) -> [u8; 33] {
		let mut key = [0; 33];
		key[..4].copy_from_slice(&self.first.to_be_bytes());
		key
	}

	fn end(&self) -> [u8; 33] {
		let mut key = [0xff; 33];
		key[..4].copy_from_slice(&self.last.to_be_bytes());
		key
	}
}

/// The table of shards.
pub struct Index {
	state: Arc<State>,
	pending: Mutex<Vec<Row>>,
	/// Held while pending rows are written, so that they are in order.
	writing: Mutex<()>,
	whole: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix seconds.
pub(super) fn now() -> u64 {
	let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
	since.map_or(0, |since| since.as_secs())
}

impl Index {
	/// The table in `state`. It counts as whole if the last stop was orderly.
	pub fn open(state: Arc<State>) -> Result<Self, StateError> {
		let whole = state.write(true, |write| {
			let mut marks = write.open_table(MARKS)?;
			let whole = marks.remove(WHOLE)?.is_some();
			Ok(whole)
		})?;
		Ok(Self {
			state,
			pending: Mutex::default(),
			writing: Mutex::default(),
			whole: whole.into(),
		})
	}

	/// Whether every shard of the store has its row.
	pub fn is_whole(&self) -> bool {
		self.whole.load(Relaxed)
	}

	pub(super) fn set_whole(&self, whole: bool) {
		self.whole.store(whole, Relaxed);
	}

	/// Notes a shard that was stored.
	pub fn stored(&self, meta: &ShardMeta) {
		if let Some(shard) = meta.shard() {
			self.note(meta.stripe, meta.slot, shard, Mark::Live);
		}
	}

	/// Notes what became of a shard.
	pub fn note(&self, stripe: StripeId, slot: u8, shard: ShardId, mark: Mark) {
		let row = Row {
			stripe,
			slot,
			shard,
			mark,
			since: u32::try_from(now()).unwrap_or(u32::MAX),
		};
		let mut pending = locked(&self.pending);
		if pending.len() < MAX_PENDING {
			pending.push(row);
		} else {
			self.set_whole(false);
		}
	}

	/// Notes that the owner had a stripe deleted. Blocks.
	pub fn deleted(&self, stripe: &StripeId) -> Result<(), StateError> {
		for row in self.of_stripe(stripe)? {
			self.note(*stripe, row.slot, row.shard, Mark::Deleted);
		}
		Ok(())
	}

	/// Writes pending rows. Blocks.
	pub fn flush(&self, durable: bool) -> Result<(), StateError> {
		let _writing = locked(&self.writing);
		let rows = std::mem::take(&mut *locked(&self.pending));
		if rows.is_empty() && !durable {
			return Ok(());
		}
		let written = self.state.write(durable, |write| {
			let mut table = write.open_table(SHARDS)?;
			for row in &rows {
				table.insert(&row.key(), &row.value())?;
			}
			Ok(())
		});
		if written.is_err() {
			self.set_whole(false);
		}
		written
	}

	/// Rows that wait to be written.
	pub fn pending(&self) -> usize {
		locked(&self.pending).len()
	}

	/// Writes everything and notes whether the table is whole. Blocks.
	pub fn close(&self) -> Result<(), StateError> {
		self.flush(true)?;
		let whole = self.is_whole();
		self.state.write(true, |write| {
			if whole {
				write.open_table(MARKS)?.insert(WHOLE, 1)?;
			}
			Ok(())
		})
	}

	/// Up to `limit` rows of a span behind `after`, with where to go on. Blocks.
	pub fn rows(
		&self,
		span: &Span,
		after: Option<(StripeId, u8)>,
		limit: usize,
	) -> Result<Vec<Row>, StateError> {
		self.flush(false)?;
		self.state.read(|read| {
			let table = read.open_table(SHARDS)?;
			let (start, end) = (span.start(), span.end());
			let after = after.map(|(stripe, slot)| key(&stripe, slot));
			let from = match &after {
				Some(after) if *after >= start => Bound::Excluded(after),
				_ => Bound::Included(&start),
			};
			if after.is_some_and(|after| after >= end) {
				return Ok(Vec::new());
			}
			let mut rows = Vec::new();
			let range = table.range::<&[u8; 33]>((from, Bound::Included(&end)))?;
			for item in range.take(limit) {
				let (key, value) = item?;
				rows.push(Row::read(key.value(), value.value()));
			}
			Ok(rows)
		})
	}

	/// The rows of a stripe. Blocks.
	pub fn of_stripe(&self, stripe: &StripeId) -> Result<Vec<Row>, StateError> {
		self.flush(false)?;
		self.state.read(|read| {
			let table = read.open_table(SHARDS)?;
			let (first, last) = (key(stripe, 0), key(stripe, u8::MAX));
			let mut rows = Vec::new();
			for item in table.range::<&[u8; 33]>(&first..=&last)? {
				let (key, value) = item?;
				rows.push(Row::read(key.value(), value.value()));
			}
			Ok(rows)
		})
	}

	/// What is known of one slot of many stripes. Blocks.
	pub fn known(
		&self,
		stripes: &[StripeId],
		slot: u8,
	) -> Result<Vec<Option<(ShardId, Mark)>>, StateError> {
		self.flush(false)?;
		self.state.read(|read| {
			let table = read.open_table(SHARDS)?;
			let mut known = Vec::with_capacity(stripes.len());
			for stripe in stripes {
				let key = key(stripe, slot);
				let found = table.get(&key)?;
				let row = found.map(|value| Row::read(&key, value.value()));
				known.push(row.map(|row| (row.shard, row.mark)));
			}
			Ok(known)
		})
	}

	/// What is known of a stripe's slot. Blocks.
	pub fn row(&self, stripe: &StripeId, slot: u8) -> Result<Option<Row>, StateError> {
		let rows = self.of_stripe(stripe)?;
		Ok(rows.into_iter().find(|row| row.slot == slot))
	}

	/// A page of the stripes of a span, of those shards that are live and that the store `has`.
	/// Reads a bounded number of rows, so a page may list fewer stripes than `limit` and not be the
	/// last. Blocks.
	pub fn page(
		&self,
		span: &Span,
		after: Option<StripeId>,
		limit: usize,
		has: impl Fn(&ShardId) -> bool,
	) -> Result<Listing, StateError> {
		let mut listing = Listing {
			whole: self.is_whole(),
			..Listing::default()
		};
		// Room to read the whole last stripe of the page.
		let scan = limit.saturating_add(MAX_SCAN) + TOTAL_SHARDS;
		let rows = self.rows(span, after.map(|stripe| (stripe, u8::MAX)), scan)?;
		let more = rows.len() == scan;
		let mut stripes = rows.chunk_by(|a, b| a.stripe == b.stripe).peekable();
		while let Some(rows) = stripes.next() {
			let last = stripes.peek().is_none();
			if last && more {
				// It may be cut off: the next page begins with it.
				break;
			}
			let stripe = rows[0].stripe;
			let held = rows
				.iter()
				.filter(|row| usize::from(row.slot) < TOTAL_SHARDS)
				.filter(|row| row.mark == Mark::Live && has(&row.shard));
			let slots = held.fold(0, |slots, row| slots | 1 << row.slot);
			if slots != 0 {
				listing.stripes.push(Listed { stripe, slots });
			}
			listing.next = (!last).then_some(stripe);
			if listing.stripes.len() >= limit {
				break;
			}
		}
		Ok(listing)
	}
}

#[cfg(test)]
mod tests;
