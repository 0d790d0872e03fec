//! The bytes of all ledgers, so that one draw is few reads: groups stand in pages of 128, and a
//! table says what each page holds.

use crate::{ledger::Ledger, Config, Error, Lagged, Ledgers, PageSums, Pages, Pallet, Snapshot};
use arion_storage_proof::{draw::locate, Peaks};
use frame_support::{
	ensure,
	traits::{ConstU32, Get},
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::Pg;
use sp_runtime::traits::Saturating;

/// Groups of a page, and pages of the table.
pub const PAGE: u32 = 128;
/// Most groups that may have a ledger.
pub const MAX_GROUPS: u32 = PAGE * PAGE;

/// A row of sums.
pub type Row = BoundedVec<u64, ConstU32<PAGE>>;

/// Adds to one sum of a row.
fn add<T>(row: &mut Lagged<Row>, now: u32, at: u32, bytes: u64) -> Result<(), Error<T>> {
	let row = row.change(now);
	let at = at as usize;
	while row.len() <= at {
		row.try_push(0).map_err(|_| Error::<T>::UnknownGroup)?;
	}
	let sum = row.get_mut(at).ok_or(Error::<T>::UnknownGroup)?;
	*sum = sum.checked_add(bytes).ok_or(Error::<T>::LedgerFull)?;
	Ok(())
}

impl<T: Config> Pallet<T> {
	/// The number of the snapshot period.
	pub(crate) fn period() -> u32 {
		Snapshot::<T>::get().number
	}

	/// Begins the next snapshot period when it is time.
	pub(crate) fn turn_period(now: BlockNumberFor<T>) {
		let mut period = Snapshot::<T>::get();
		if now.saturating_sub(period.since) >= T::SnapshotPeriod::get() {
			period.number = period.number.saturating_add(1);
			period.since = now;
			Snapshot::<T>::put(period);
		}
	}

	/// Adds to what a group holds. The total over all groups must fit, too.
	pub(crate) fn add_bytes(now: u32, pg: Pg, bytes: u64) -> Result<(), Error<T>> {
		ensure!(pg < MAX_GROUPS, Error::<T>::UnknownGroup);
		let (page, at) = (pg / PAGE, pg % PAGE);
		let mut sums = PageSums::<T>::get();
		add::<T>(&mut sums, now, page, bytes)?;
		sums.newest()
			.iter()
			.try_fold(0u64, |total, sum| total.checked_add(*sum))
			.ok_or(Error::<T>::LedgerFull)?;
		let mut row = Pages::<T>::get(page);
		add::<T>(&mut row, now, at, bytes)?;
		PageSums::<T>::put(sums);
		Pages::<T>::insert(page, row);
		Ok(())
	}

	/// What each page held.
	pub(crate) fn do_total() -> u64 {
		let sums = PageSums::<T>::get();
		let seen = sums.seen(Self::period());
		seen.iter()
			.fold(0u64, |total, sum| total.saturating_add(*sum))
	}

	/// The group of a byte of the total, and the byte's place in its ledger.
	pub(crate) fn do_locate(offset: u64) -> Option<(Pg, u64)> {
		let now = Self::period();
		let sums = PageSums::<T>::get();
		let (page, rest) = locate(sums.seen(now).iter().copied(), offset)?;
		let page = u32::try_from(page).ok()?;
		let row = Pages::<T>::get(page);
		let (at, rest) = locate(row.seen(now).iter().copied(), rest)?;
		let pg = page
			.checked_mul(PAGE)?
			.checked_add(u32::try_from(at).ok()?)?;
		Some((pg, rest))
	}

	/// The peaks that answers are checked against.
	pub(crate) fn do_peaks(pg: Pg) -> Option<Peaks> {
		let ledger = Ledgers::<T>::get(pg)?;
		let seen = ledger.peaks.seen(Self::period());
		(seen.leaves() > 0).then(|| seen.clone())
	}

	/// What a group holds, without what was released.
	pub(crate) fn do_live_bytes(pg: Pg) -> u64 {
		let Ledger { peaks, released } = Ledgers::<T>::get(pg).unwrap_or_default();
		let total = peaks.seen(Self::period()).total();
		total.map_or(0, |total| total.saturating_sub(released))
	}
}
