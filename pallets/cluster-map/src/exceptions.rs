//! Placement exceptions: slots that other nodes hold than the calculator says, judged one by one.

use crate::{
	Config, CurrentEpoch, Error, Event, ExceptionRevision, Exceptions, GroupExceptions, MapBlob,
	Pallet, Refusal,
};
use alloc::vec::Vec;
use arion_crush::{ClusterMap, Placement, UpmapItem};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{Defensive, Get},
	BoundedVec,
};
use hippius_primitives::Pg;

/// What a map's exceptions cost to find.
#[derive(Clone, Copy, Default)]
pub(crate) struct Judged {
	/// Exceptions looked at.
	pub(crate) items: u32,
	/// Draws of their groups' mappings.
	pub(crate) draws: u64,
}

/// The exceptions of the next map, and those that it does not allow.
pub(crate) struct Retained {
	pub(crate) items: Vec<UpmapItem>,
	dropped: Vec<(UpmapItem, Refusal)>,
}

/// Groups of ascending items.
pub(crate) fn groups(items: &[UpmapItem]) -> usize {
	items.chunk_by(|a, b| a.pg == b.pg).count()
}

impl<T: Config> Pallet<T> {
	/// Sets the exceptions of a placement group, in the place of those it had. Each must be allowed by
	/// the current map beside those before it, by ascending giver.
	pub fn do_set_exceptions(pg: Pg, exceptions: GroupExceptions) -> DispatchResult {
		ensure!(!exceptions.is_empty(), Error::<T>::NoExceptions);
		let mut items: Vec<UpmapItem> = exceptions
			.iter()
			.map(|exception| UpmapItem {
				pg,
				from: exception.from,
				to: exception.to,
			})
			.collect();
		items.sort_unstable();
		let all = Self::with_group(pg, items.iter().copied());
		ensure!(
			groups(&all) <= T::MaxExceptionGroups::get() as usize,
			Error::<T>::TooManyGroups
		);
		let all = BoundedVec::try_from(all).map_err(|_| Error::<T>::TooManyExceptions)?;

		let placement = Self::current_placement()?;
		let refused = |error: Refusal| Error::<T>::from(error);
		let raw = placement
			.raw(pg)
			.map_err(|error| refused((&error).into()))?;
		let mut allowed = Vec::with_capacity(items.len());
		for item in items {
			placement
				.verify_item(&raw, &allowed, &item)
				.map_err(|error| refused((&error).into()))?;
			allowed.push(item);
		}
		Self::put_exceptions(all);
		Self::deposit_event(Event::ExceptionsSet { pg, exceptions });
		Ok(())
	}

	/// Removes the exceptions of a placement group.
	pub fn do_remove_exceptions(pg: Pg) -> DispatchResult {
		let before = Exceptions::<T>::decode_len().unwrap_or(0);
		let left = Self::with_group(pg, core::iter::empty());
		ensure!(left.len() < before, Error::<T>::NoExceptions);
		let left = BoundedVec::try_from(left).map_err(|_| Error::<T>::TooManyExceptions)?;
		Self::put_exceptions(left);
		Self::deposit_event(Event::ExceptionsRemoved { pg });
		Ok(())
	}

	/// All exceptions, with these as a group's.
	fn with_group(pg: Pg, items: impl Iterator<Item = UpmapItem>) -> Vec<UpmapItem> {
		let mut all = Exceptions::<T>::get().into_inner();
		let first = all.partition_point(|item| item.pg < pg);
		let end = all.partition_point(|item| item.pg <= pg);
		all.splice(first..end, items);
		all
	}

	fn put_exceptions(all: BoundedVec<UpmapItem, T::MaxExceptions>) {
		Exceptions::<T>::put(all);
		ExceptionRevision::<T>::mutate(|revision| *revision = revision.wrapping_add(1));
	}

	fn current_placement() -> Result<Placement, Error<T>> {
		let blob = MapBlob::<T>::get(CurrentEpoch::<T>::get()).ok_or(Error::<T>::NoMap)?;
		let decoded = ClusterMap::decode_placement(&blob);
		decoded
			.map(|(_, placement)| placement)
			.map_err(|_| Error::<T>::Unmappable)
	}

	/// What is left of the exceptions by a map that is about to be published.
	pub(crate) fn retained(map: &Placement, judged: &mut Judged) -> Retained {
		let mut items = Exceptions::<T>::get().into_inner();
		judged.items = items.len() as u32;
		let (dropped, draws) = map.retain_valid_counted(&mut items);
		judged.draws = draws;
		let dropped = dropped
			.into_iter()
			.map(|(item, error)| (item, Refusal::from(&error)))
			.collect();
		Retained { items, dropped }
	}

	/// Drops the exceptions that the map, now published, does not allow.
	pub(crate) fn drop_exceptions(retained: Retained) {
		let Retained { items, dropped } = retained;
		if dropped.is_empty() {
			return;
		}
		// Both are parts of what was stored.
		let items = BoundedVec::try_from(items).defensive();
		let dropped = BoundedVec::try_from(dropped).defensive();
		if let (Ok(items), Ok(dropped)) = (items, dropped) {
			Exceptions::<T>::put(items);
			Self::deposit_event(Event::ExceptionsDropped { dropped });
		}
	}
}
