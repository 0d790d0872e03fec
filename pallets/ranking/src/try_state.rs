//! What must hold between blocks.

use crate::{
	Closing, Config, CurrentEra, EraPages, EraTotals, Eras, Pallet, Places, Records, Sweeping,
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::Get};
use hippius_primitives::{heartbeat::PAGE_NODES, traits::GroupHoldings};
use hippius_score::{pay_weight, ONE};
use sp_runtime::TryRuntimeError;

/// One audit, see [`hippius_score::Reputation`].
const UNIT: u64 = 1 << 20;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * A score is at most 1; a reputation remembers 512 audits; a page does not end with an empty
	///   place.
	/// * Each era entry is of its page, of a node that held something, and weighs what it held times
	///   its score; nodes ascend.
	/// * An era's totals are the sums over its pages.
	/// * Only the newest `KeptEras` eras are kept, and the one being settled.
	/// * The sweep is at a group that exists.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		for record in Records::<T>::iter_values() {
			let sum = record
				.reputation
				.alpha
				.saturating_add(record.reputation.beta);
			ensure!(
				(512 * UNIT..=512 * UNIT + 512).contains(&sum),
				"a reputation that does not remember 512 audits"
			);
		}
		for places in Places::<T>::iter_values() {
			ensure!(
				places.last().is_some_and(Option::is_some),
				"a page that ends with an empty place"
			);
			ensure!(
				places.iter().flatten().all(|place| place.score <= ONE),
				"a score above 1"
			);
		}
		Self::try_state_eras()?;
		if let Some(group) = Sweeping::<T>::get().and_then(|sweep| sweep.group) {
			ensure!(
				group <= T::Holdings::groups(),
				"the sweep is beyond the groups"
			);
		}
		Ok(())
	}

	fn try_state_eras() -> Result<(), TryRuntimeError> {
		let mut sums: BTreeMap<u32, EraTotals> = BTreeMap::new();
		for (era, page, entries) in EraPages::<T>::iter() {
			let sum = sums.entry(era).or_default();
			let mut last = None;
			for entry in entries {
				ensure!(
					entry.node / PAGE_NODES == page,
					"an entry on another's page"
				);
				ensure!(last < Some(entry.node), "entries out of order");
				ensure!(entry.byte_blocks > 0, "an entry of nothing");
				ensure!(
					entry.weight == pay_weight(entry.byte_blocks, entry.score),
					"a pay weight that is not bytes times score"
				);
				last = Some(entry.node);
				sum.nodes = sum.nodes.saturating_add(1);
				sum.byte_blocks = sum.byte_blocks.saturating_add(entry.byte_blocks);
				sum.weight = sum.weight.saturating_add(entry.weight);
			}
		}
		let current = CurrentEra::<T>::get().index;
		let closing = Closing::<T>::get().map(|closing| closing.era);
		let newest = closing.unwrap_or(current);
		// While one is settled, the oldest is dropped page by page.
		let oldest = newest.saturating_sub(T::KeptEras::get());
		for (era, totals) in Eras::<T>::iter() {
			ensure!(
				era >= oldest && era < current.max(1),
				"an era kept too long, or to come"
			);
			ensure!(
				totals.complete == (Some(era) != closing),
				"an era neither settled nor being settled"
			);
			let sum = sums.remove(&era).unwrap_or_default();
			ensure!(
				era == oldest && closing.is_some()
					|| (sum.nodes, sum.byte_blocks, sum.weight)
						== (totals.nodes, totals.byte_blocks, totals.weight),
				"totals that are not the sums of the pages"
			);
		}
		ensure!(sums.is_empty(), "pages of an era without totals");
		Ok(())
	}
}
