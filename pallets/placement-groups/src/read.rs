//! The seams to other pallets, and what clients read of a ledger.

use crate::{CleanEpoch, Config, Gap, Gaps, LedgerState, Ledgers, Pallet, ReleasedStripes};
use alloc::vec::Vec;
use arion_storage_proof::{Peaks, PgLedger};
use hippius_primitives::{traits::ClusterMaps, NodeIndex, Pg, TOTAL_SHARDS};
use sp_runtime::traits::UniqueSaturatedInto;

impl<T: Config> PgLedger for Pallet<T> {
	fn total_bytes() -> u64 {
		Self::do_total()
	}

	fn locate(offset: u64) -> Option<(Pg, u64)> {
		Self::do_locate(offset)
	}

	fn peaks(pg: Pg) -> Option<Peaks> {
		Self::do_peaks(pg)
	}

	fn live_bytes(pg: Pg) -> u64 {
		Self::do_live_bytes(pg)
	}

	fn holder(pg: Pg, slot: u8) -> Option<NodeIndex> {
		Self::do_holders(&[(pg, slot)]).into_iter().next().flatten()
	}

	fn holders(places: &[(Pg, u8)]) -> Vec<Option<NodeIndex>> {
		Self::do_holders(places)
	}

	fn released(pg: Pg, batch: u64, stripe: u32) -> bool {
		ReleasedStripes::<T>::get(pg, batch).is_some_and(|release| release.has(stripe))
	}
}

impl<T: Config> Pallet<T> {
	/// What audits are checked against and the ledger now; `None` for a group that has no ledger.
	pub fn peaks_of(pg: Pg) -> Option<(Peaks, Peaks)> {
		let ledger = Ledgers::<T>::get(pg)?;
		let challengeable = ledger.peaks.seen(Self::period()).clone();
		Some((challengeable, ledger.peaks.newest().clone()))
	}

	pub(crate) fn do_ledger(pg: Pg) -> Option<LedgerState> {
		let ledger = Ledgers::<T>::get(pg)?;
		let slots = 0..TOTAL_SHARDS as u8;
		let gaps = slots.clone().filter_map(|slot| {
			let Gap {
				first,
				last,
				stripes,
				until,
			} = Gaps::<T>::get(pg, slot)?;
			let until = until.unique_saturated_into();
			Some((
				slot,
				Gap {
					first,
					last,
					stripes,
					until,
				},
			))
		});
		Some(LedgerState {
			peaks: ledger.peaks.newest().clone(),
			challengeable: ledger.peaks.seen(Self::period()).clone(),
			released: ledger.released,
			clean: CleanEpoch::<T>::get(pg).unwrap_or_else(T::Maps::current_epoch),
			gaps: gaps.collect(),
			holders: Self::do_holders(&slots.map(|slot| (pg, slot)).collect::<Vec<_>>()),
		})
	}
}
