//! Who holds a group's shards now: clean epochs, reports, and the acting sets kept of old ones.

use crate::{
	ledger::{CleanGroups, CleanSlots},
	placement::{slots_by, Slots},
	CleanEpoch, CleanReports, Config, EpochStarts, Error, Event, Gaps, GroupsEnd, KeptActing,
	Ledgers, Pallet, RecentRoots, RootsFrom, SweepNext, WeightInfo,
};
use alloc::{collections::BTreeMap, vec::Vec};
use arion_crush::Placement;
use core::marker::PhantomData;
use frame_support::{
	ensure,
	pallet_prelude::{
		DispatchResult, InvalidTransaction, TransactionSource, TransactionValidityWithRefund,
		ValidTransaction,
	},
	traits::{Defensive, Get},
	weights::Weight,
};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	ledger::CleanReport,
	registration::NodeStatus,
	traits::{ClusterMaps, NodeRegistry},
	Epoch, NodeIndex, Pg, TOTAL_SHARDS,
};
use sp_runtime::traits::Saturating;

/// Groups a block's sweep looks at.
pub(crate) const SWEEP: u32 = 8;
/// Groups of which a block's sweep computes mappings.
pub(crate) const SWEEP_MAPPED: u32 = 2;
/// Roots a block forgets.
pub(crate) const FORGET: u32 = 16;
/// Roots each append forgets, so that there are never more for long than appends of the recent epochs,
/// however many a block has.
pub(crate) const FORGET_WITH_APPEND: u32 = 2;
/// Blocks for which a report stays in the pool.
const LONGEVITY: u64 = 32;

/// What a report does in one group.
struct Said {
	pg: Pg,
	slot: u8,
	/// The number of batches held.
	batches: u64,
}

/// Maps and mappings that were needed before.
struct Maps<T> {
	placements: BTreeMap<Epoch, Option<Placement>>,
	slots: BTreeMap<(Epoch, Pg), Option<Slots>>,
	of: PhantomData<T>,
}

impl<T> Default for Maps<T> {
	fn default() -> Self {
		Self {
			placements: BTreeMap::new(),
			slots: BTreeMap::new(),
			of: PhantomData,
		}
	}
}

impl<T: Config> Maps<T> {
	/// Whether the map of an epoch is kept; without the one of a group's clean epoch, the current
	/// members act.
	fn kept(&mut self, epoch: Epoch) -> bool {
		let placement = self.placements.entry(epoch);
		let placement = placement.or_insert_with(|| Pallet::<T>::placement_of(epoch).ok());
		placement.is_some()
	}

	/// The node of a slot by the map of an epoch, if that can be told.
	fn node(&mut self, epoch: Epoch, pg: Pg, slot: u8) -> Option<NodeIndex> {
		let placements = &mut self.placements;
		let slots = self.slots.entry((epoch, pg)).or_insert_with(|| {
			let placement = placements
				.entry(epoch)
				.or_insert_with(|| Pallet::<T>::placement_of(epoch).ok());
			slots_by(placement.as_ref()?, pg).ok()
		});
		*slots.as_ref()?.get(usize::from(slot))?
	}
}

impl<T: Config> Pallet<T> {
	/// Who must answer for each of many slots; each map is read once.
	pub fn do_holders(places: &[(Pg, u8)]) -> Vec<Option<NodeIndex>> {
		let now = frame_system::Pallet::<T>::block_number();
		let current = T::Maps::current_epoch();
		let due = Self::due_epoch(now);
		let mut maps = Maps::<T>::default();
		let mut holder = |pg: Pg, slot: u8| {
			if Gaps::<T>::get(pg, slot).is_some_and(|gap| gap.until > now) {
				return None;
			}
			let node = maps.node(current, pg, slot)?;
			if due == Some(current) || Self::has_reported(pg, slot, current) {
				return Some(node);
			}
			// The map changed not long ago: whoever came into the slot has time to fill it.
			let clean = CleanEpoch::<T>::get(pg).unwrap_or(current);
			let acted = |maps: &mut Maps<T>| match KeptActing::<T>::get(pg) {
				Some(kept) => kept.get(usize::from(slot)).copied().flatten(),
				None => maps.node(clean, pg, slot),
			};
			let stays = clean == current
				|| acted(&mut maps) == Some(node)
				|| (!KeptActing::<T>::contains_key(pg) && !maps.kept(clean))
				|| due.is_some_and(|due| maps.node(due, pg, slot) == Some(node));
			stays.then_some(node)
		};
		places.iter().map(|(pg, slot)| holder(*pg, *slot)).collect()
	}

	/// The newest epoch in force for at least as long as filling a slot may take.
	fn due_epoch(now: BlockNumberFor<T>) -> Option<Epoch> {
		let period = T::BackfillPeriod::get();
		EpochStarts::<T>::get()
			.iter()
			.rfind(|(_, start)| start.saturating_add(period) <= now)
			.map(|(epoch, _)| *epoch)
	}

	fn has_reported(pg: Pg, slot: u8, current: Epoch) -> bool {
		let reports = CleanReports::<T>::get(pg);
		reports.epoch == current && reports.slots >> slot & 1 == 1
	}

	/// Of each group, whether a report of the node that all of its slot is filled would tell the chain
	/// anything. Reads the map once, and only if there is anything to report of one of the groups.
	pub fn may_report(node: NodeIndex, groups: &[Pg]) -> Vec<bool> {
		let current = T::Maps::current_epoch();
		let mut maps = Maps::<T>::default();
		let mut may = |pg: Pg| {
			let unclean = CleanEpoch::<T>::get(pg).is_some_and(|clean| clean != current);
			if !unclean && Gaps::<T>::iter_key_prefix(pg).next().is_none() {
				return false;
			}
			let mut slots = 0..TOTAL_SHARDS as u8;
			slots
				.find(|slot| maps.node(current, pg, *slot) == Some(node))
				.is_some_and(|slot| {
					Gaps::<T>::contains_key(pg, slot)
						|| (unclean && !Self::has_reported(pg, slot, current))
				})
		};
		groups.iter().map(|pg| may(*pg)).collect()
	}

	/// Checks a report, its signature last.
	fn check_report(
		node: NodeIndex,
		epoch: Epoch,
		groups: &CleanGroups,
		signature: &[u8; 64],
	) -> Result<(Vec<Said>, Vec<Slots>), Error<T>> {
		let current = T::Maps::current_epoch();
		ensure!(epoch == current, Error::<T>::NotCurrentEpoch);
		let ascending = groups
			.iter()
			.zip(groups.iter().skip(1))
			.all(|(a, b)| a.0 < b.0);
		ensure!(
			ascending && !groups.is_empty(),
			Error::<T>::GroupsNotAscending
		);
		let placement = Self::placement_of(current).map_err(Error::<T>::from)?;
		let now = Self::period();
		let (mut said, mut ups) = (Vec::new(), Vec::new());
		for (pg, batches) in groups.iter().copied() {
			let ledger = Ledgers::<T>::get(pg).ok_or(Error::<T>::UnknownGroup)?;
			let newest = ledger.peaks.newest().leaves();
			let seen = ledger.peaks.seen(now).leaves();
			ensure!(
				(seen..=newest).contains(&batches),
				Error::<T>::WrongBatchCount
			);
			let up = slots_by(&placement, pg).map_err(Error::<T>::from)?;
			let slot = up.iter().position(|member| *member == Some(node));
			let slot = slot
				.and_then(|slot| u8::try_from(slot).ok())
				.ok_or(Error::<T>::NotAMember)?;
			let fills = Gaps::<T>::get(pg, slot).is_some_and(|gap| gap.last < batches);
			let unclean = CleanEpoch::<T>::get(pg).is_some_and(|clean| clean != current);
			let counts = unclean && !Self::has_reported(pg, slot, current);
			ensure!(fills || counts, Error::<T>::NothingToReport);
			said.push(Said { pg, slot, batches });
			ups.push(up);
		}
		let report = CleanReport {
			node,
			epoch,
			groups: groups.to_vec(),
		};
		Self::check_signature(node, &report.payload(&Self::genesis()?), signature)?;
		Ok((said, ups))
	}

	/// Whether a report may enter the pool and a block.
	pub(crate) fn authorize_report(
		_: TransactionSource,
		node: &NodeIndex,
		epoch: &Epoch,
		groups: &CleanGroups,
		signature: &[u8; 64],
	) -> TransactionValidityWithRefund {
		Self::check_report(*node, *epoch, groups, signature).map_err(|error| match error {
			Error::NotCurrentEpoch | Error::NothingToReport | Error::WrongBatchCount => {
				InvalidTransaction::Stale
			}
			Error::NoMap | Error::NoPlacement | Error::NoGenesis => InvalidTransaction::Future,
			_ => InvalidTransaction::BadProof,
		})?;
		// One report of a node in the pool at a time.
		ValidTransaction::with_tag_prefix("GroupsClean")
			.and_provides((*node, *epoch))
			.longevity(LONGEVITY)
			.propagate(true)
			.build()
			.map(|valid| (valid, Weight::zero()))
	}

	/// Takes a report.
	pub(crate) fn do_report_clean(
		node: NodeIndex,
		epoch: Epoch,
		groups: CleanGroups,
		signature: [u8; 64],
	) -> DispatchResult {
		let (said, ups) = Self::check_report(node, epoch, &groups, &signature)?;
		for (Said { pg, slot, batches }, up) in said.into_iter().zip(ups) {
			if Gaps::<T>::get(pg, slot).is_some_and(|gap| gap.last < batches) {
				Gaps::<T>::remove(pg, slot);
				Self::deposit_event(Event::SlotFilled { pg, slot, node });
			}
			if CleanEpoch::<T>::get(pg) == Some(epoch) {
				continue;
			}
			let mut reports = CleanReports::<T>::get(pg);
			if reports.epoch != epoch {
				reports = CleanSlots { epoch, slots: 0 };
			}
			reports.slots |= 1u32.checked_shl(slot.into()).unwrap_or(0);
			CleanReports::<T>::insert(pg, reports);
			if Self::all_reported(&up, reports.slots) {
				Self::set_clean(pg, epoch);
			}
		}
		Ok(())
	}

	/// Whether every member that can report has done so.
	fn all_reported(up: &[Option<NodeIndex>], reported: u32) -> bool {
		(0u8..).zip(up).all(|(slot, member)| {
			let live = |node: NodeIndex| {
				T::Registry::node(node).is_some_and(|node| node.status == NodeStatus::Active)
			};
			reported >> slot & 1 == 1 || !member.is_some_and(live)
		})
	}

	/// From now on the group's members by the map of `epoch` act.
	fn set_clean(pg: Pg, epoch: Epoch) {
		CleanEpoch::<T>::insert(pg, epoch);
		CleanReports::<T>::remove(pg);
		KeptActing::<T>::remove(pg);
		Self::deposit_event(Event::GroupClean { pg, epoch });
	}

	/// What is done in every block; bounded.
	pub(crate) fn tick(now: BlockNumberFor<T>) -> Weight {
		Self::turn_period(now);
		let current = T::Maps::current_epoch();
		let mut starts = EpochStarts::<T>::get();
		if current > 0 && starts.last().is_none_or(|(epoch, _)| *epoch < current) {
			if starts.is_full() {
				starts.remove(0);
			}
			let _ = starts.try_push((current, now)).defensive();
			EpochStarts::<T>::put(starts);
		}
		let forgotten = Self::forget_roots(current, FORGET);
		let mapped = Self::sweep(current);
		T::WeightInfo::tick(forgotten, mapped)
	}

	/// Forgets at most so many roots whose receipts no longer count; gives how many.
	pub(crate) fn forget_roots(current: Epoch, most: u32) -> u32 {
		let from = RootsFrom::<T>::get();
		let keep = current.saturating_sub(T::RecentEpochs::get());
		if from >= keep {
			return 0;
		}
		let old: Vec<_> = RecentRoots::<T>::iter_key_prefix(from)
			.take(most as usize)
			.collect();
		for root in &old {
			RecentRoots::<T>::remove(from, root);
		}
		if (old.len() as u32) < most {
			RootsFrom::<T>::put(from.saturating_add(1));
		}
		old.len() as u32
	}

	/// Looks at the next few groups: of those whose clean epoch's map will not be kept for long,
	/// the acting set is kept instead, unless it is the current one again. Gives how many mappings
	/// it took.
	pub(crate) fn sweep(current: Epoch) -> u32 {
		let Some(old) = current.checked_sub(T::KeptEpochs::get() / 2) else {
			return 0;
		};
		let aged = |pg: &Pg| {
			CleanEpoch::<T>::get(pg).is_some_and(|clean| clean < old)
				&& !KeptActing::<T>::contains_key(pg)
		};
		let (mut next, end) = (SweepNext::<T>::get(), GroupsEnd::<T>::get());
		let (mut looked, mut mapped) = (0u32, 0u32);
		while looked < SWEEP && mapped < SWEEP_MAPPED {
			looked = looked.saturating_add(1);
			let pg = next;
			next = match pg.saturating_add(1) {
				next if next < end => next,
				_ => 0,
			};
			if !aged(&pg) {
				continue;
			}
			mapped = mapped.saturating_add(1);
			match (Self::do_acting_set(pg), Self::do_up_set(pg)) {
				// Also where the old map is gone already: then the current members act.
				(Ok(acting), Ok(up)) if acting == up => Self::set_clean(pg, current),
				(Ok(acting), _) => {
					let Ok(kept) = <[_; TOTAL_SHARDS]>::try_from(acting) else {
						continue;
					};
					KeptActing::<T>::insert(pg, kept);
					Self::deposit_event(Event::ActingSetKept { pg });
				}
				// No mapping now; another time.
				(Err(_), _) => {}
			}
		}
		SweepNext::<T>::put(next);
		mapped
	}
}
