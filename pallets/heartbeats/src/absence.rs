//! Announced absences.

use crate::{
	Absence, Absences, Config, Error, Event, HeartbeatConfig, NodeState, Pages, Pallet, Settings,
};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use hippius_primitives::{heartbeat::page_of, traits::NodeRegistry, NodeIndex};

impl<T: Config> Pallet<T> {
	/// Announces an absence of a node of `family`.
	pub(crate) fn do_announce_absence(
		family: T::AccountId,
		node: NodeIndex,
		from: u32,
		until: u32,
	) -> DispatchResult {
		let config = Self::own_node(family, node)?;
		let now = Self::block();
		Self::change_node(node, |state| {
			ensure!(state.absence.is_none(), Error::<T>::AbsenceNotFree);
			ensure!(
				from >= now.saturating_add(config.notice_blocks),
				Error::<T>::NoticeTooShort
			);
			let blocks = until.checked_sub(from).filter(|blocks| *blocks > 0);
			let blocks = blocks.ok_or(Error::<T>::AbsenceTooLong)?;
			let period = config.period_of(from);
			let used = if state.absent.0 == period {
				state.absent.1
			} else {
				0
			};
			let used = used
				.checked_add(blocks)
				.filter(|used| *used <= config.absence_blocks)
				.ok_or(Error::<T>::AbsenceTooLong)?;
			let nodes = u64::from(T::Registry::count());
			let most = (nodes * u64::from(config.absent_percent) / 100).max(1);
			ensure!(
				u64::from(Absences::<T>::get()) < most,
				Error::<T>::TooManyAbsent
			);
			Self::count_absence(true);
			state.absence = Some(Absence { from, until });
			state.absent = (period, used);
			Ok(())
		})?;
		Self::deposit_event(Event::AbsenceAnnounced { node, from, until });
		Ok(())
	}

	/// Ends an absence of a node of `family`.
	pub(crate) fn do_end_absence(family: T::AccountId, node: NodeIndex) -> DispatchResult {
		Self::own_node(family, node)?;
		let now = Self::block();
		Self::change_node(node, |state| {
			let absence = state
				.absence
				.filter(|absence| absence.until > now)
				.ok_or(Error::<T>::NotAbsent)?;
			let left = absence.until.saturating_sub(absence.from.max(now));
			state.absent.1 = state.absent.1.saturating_sub(left);
			state.absence = if absence.from < now {
				// The windows it was away in are still to be settled.
				Some(Absence {
					until: now,
					..absence
				})
			} else {
				Self::count_absence(false);
				None
			};
			Ok(())
		})?;
		Self::deposit_event(Event::AbsenceEnded { node });
		Ok(())
	}

	/// Counts one absence more or less.
	pub(crate) fn count_absence(more: bool) {
		Absences::<T>::mutate(|count| {
			*count = if more {
				count.saturating_add(1)
			} else {
				count.saturating_sub(1)
			}
		});
	}

	/// Checks that a node belongs to `family`.
	fn own_node(family: T::AccountId, node: NodeIndex) -> Result<HeartbeatConfig, Error<T>> {
		let config = Settings::<T>::get().ok_or(Error::<T>::NotStarted)?;
		let record = T::Registry::node(node).ok_or(Error::<T>::UnknownNode)?;
		let family: [u8; 32] = family.into();
		ensure!(record.family == family, Error::<T>::NotYourNode);
		Ok(config)
	}

	fn change_node(
		node: NodeIndex,
		change: impl FnOnce(&mut NodeState) -> Result<(), Error<T>>,
	) -> Result<(), Error<T>> {
		let (page, place) = page_of(node);
		Pages::<T>::try_mutate(page, |state| {
			let node = state
				.as_mut()
				.and_then(|state| state.nodes.get_mut(place))
				.and_then(Option::as_mut)
				.ok_or(Error::<T>::NotJudged)?;
			change(node)
		})
	}
}
