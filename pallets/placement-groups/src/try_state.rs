//! What must hold between blocks.

use crate::{
	totals::{MAX_GROUPS, PAGE},
	CleanEpoch, CleanReports, Config, Gaps, GroupsEnd, KeptActing, Ledgers, PageSums, Pages,
	Pallet, RecentRoots, Release, ReleasedStripes, RootsFrom,
};
use alloc::collections::BTreeMap;
use frame_support::ensure;
use hippius_primitives::traits::ClusterMaps;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * A clean epoch has come. Reports are of epochs that came. A kept acting set is that of a group
	///   that is not clean now.
	/// * A ledger's three versions are well formed, each as long as the one before or longer; what was
	///   released of it is the sum of its wholly released batches and at most all of it.
	/// * Pages and the table of pages are the sums of the ledgers, now and as seen in the next two
	///   snapshot periods.
	/// * A gap or release is of a batch that exists.
	/// * No root is older than the oldest epoch not yet forgotten.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_state_epochs()?;
		Self::try_state_ledgers()?;
		Self::try_state_sums()
	}

	fn try_state_epochs() -> Result<(), TryRuntimeError> {
		let current = T::Maps::current_epoch();
		for (pg, epoch) in CleanEpoch::<T>::iter() {
			ensure!(
				(1..=current).contains(&epoch),
				"a clean epoch that has not come"
			);
			ensure!(pg < MAX_GROUPS, "a clean epoch of no placement group");
		}
		for (_, reports) in CleanReports::<T>::iter() {
			ensure!(reports.epoch <= current, "reports of an epoch to come");
			ensure!(reports.slots != 0, "reports of nobody");
			ensure!(
				reports.slots >> crate::ledger::SLOTS == 0,
				"a slot too many"
			);
		}
		for pg in KeptActing::<T>::iter_keys() {
			ensure!(
				CleanEpoch::<T>::get(pg).is_some_and(|clean| clean < current),
				"the acting set of a clean group is kept"
			);
		}
		for (epoch, _) in RecentRoots::<T>::iter_keys() {
			ensure!(
				(RootsFrom::<T>::get()..=current).contains(&epoch),
				"a root that will not be forgotten"
			);
		}
		Ok(())
	}

	fn try_state_ledgers() -> Result<(), TryRuntimeError> {
		let now = Self::period();
		for (pg, ledger) in Ledgers::<T>::iter() {
			ensure!(pg < GroupsEnd::<T>::get(), "a group the sweep never meets");
			ensure!(
				CleanEpoch::<T>::contains_key(pg),
				"a ledger without a clean epoch"
			);
			let mut leaves = 0;
			for at in 0..3u32 {
				let peaks = ledger.peaks.seen(now.saturating_add(at));
				ensure!(peaks.check().is_ok(), "malformed peaks");
				ensure!(peaks.leaves() >= leaves, "a ledger that shrinks");
				leaves = peaks.leaves();
			}
			ensure!(leaves > 0, "an empty ledger is kept");
			let mut released = 0u64;
			for (batch, release) in ReleasedStripes::<T>::iter_prefix(pg) {
				ensure!(batch < leaves, "a release of no batch");
				if let Release::All { bytes } = release {
					released = released.saturating_add(bytes);
				}
			}
			ensure!(released == ledger.released, "released bytes miscounted");
			ensure!(
				ledger
					.peaks
					.newest()
					.total()
					.is_ok_and(|total| released <= total),
				"more released than appended"
			);
			for (slot, gap) in Gaps::<T>::iter_prefix(pg) {
				ensure!(u32::from(slot) < crate::ledger::SLOTS, "a gap of no slot");
				ensure!(
					gap.first <= gap.last && gap.last < leaves && gap.stripes > 0,
					"a gap of no batch"
				);
			}
		}
		ensure!(
			Gaps::<T>::iter_keys().all(|(pg, _)| Ledgers::<T>::contains_key(pg))
				&& ReleasedStripes::<T>::iter_keys().all(|(pg, _)| Ledgers::<T>::contains_key(pg)),
			"a gap or release of no ledger"
		);
		Ok(())
	}

	fn try_state_sums() -> Result<(), TryRuntimeError> {
		let now = Self::period();
		for at in 0..3u32 {
			let when = now.saturating_add(at);
			let mut pages = BTreeMap::<u32, BTreeMap<usize, u64>>::new();
			for (pg, ledger) in Ledgers::<T>::iter() {
				let total = ledger.peaks.seen(when).total();
				let total = total.map_err(|_| "a ledger's sum overflows")?;
				if total > 0 {
					let page = pages.entry(pg / PAGE).or_default();
					page.insert((pg % PAGE) as usize, total);
				}
			}
			let sums = PageSums::<T>::get();
			for page in 0..PAGE {
				let groups = pages.remove(&page).unwrap_or_default();
				let row = Pages::<T>::get(page);
				let row = row.seen(when);
				for at in 0..PAGE as usize {
					let expected = groups.get(&at).copied().unwrap_or(0);
					let found = row.get(at).copied().unwrap_or(0);
					ensure!(found == expected, "a page's row is off");
				}
				let expected: u64 = groups.values().sum();
				let found = sums.seen(when).get(page as usize).copied().unwrap_or(0);
				ensure!(found == expected, "the table of pages is off");
			}
			ensure!(pages.is_empty(), "a ledger outside the table");
		}
		Ok(())
	}
}
