//! Orders that wait for a node: in the queue, or parked until they are drawn for again.

use crate::{
	types::{moment, read_moment, State, MAX_NEW, RETRY_BLOCKS},
	Config, Error, Orders, Pallet, Parked, Waiting, WeightInfo,
};
use frame_support::{
	ensure,
	traits::{Get, Randomness},
	weights::Weight,
};
use sp_runtime::traits::UniqueSaturatedInto;

impl<T: Config> Pallet<T> {
	/// A new order waits in the queue, if there is room for new ones.
	pub(crate) fn join(id: u64) -> Result<(), Error<T>> {
		Waiting::<T>::try_mutate(|queue| {
			ensure!(queue.len() < MAX_NEW as usize, Error::<T>::QueueFull);
			queue.try_push(id).map_err(|_| Error::<T>::QueueFull)
		})
	}

	/// An order that lost its node waits in the queue, or until there is room for it.
	pub(crate) fn wait(id: u64, since: u32) {
		if Waiting::<T>::try_mutate(|queue| queue.try_push(id)).is_err() {
			Self::park(id, since);
		}
	}

	/// A requested order is drawn for some blocks later, so that the queue goes on without it.
	pub(crate) fn park(id: u64, since: u32) {
		Parked::<T>::insert(moment(since.saturating_add(RETRY_BLOCKS), id), ());
	}

	/// An order that has waited since this block waits no longer.
	pub(crate) fn quit(id: u64, since: u32) {
		// One of the two has it.
		Parked::<T>::remove(moment(since.saturating_add(RETRY_BLOCKS), id));
		if Waiting::<T>::get().contains(&id) {
			Waiting::<T>::mutate(|queue| queue.retain(|other| *other != id));
		}
	}

	/// Takes the oldest of the queue, if it came before the lot could be known.
	fn next_waiting(known: u32) -> Option<u64> {
		let mut queue = Waiting::<T>::get();
		let id = queue.first().copied()?;
		let state = Orders::<T>::get(id).map(|order| order.state);
		if matches!(state, Some(State::Requested { since }) if since >= known) {
			// All behind it came later.
			return None;
		}
		queue.remove(0);
		Waiting::<T>::put(queue);
		Some(id)
	}

	/// Takes the parked order whose turn it is, if it was parked before the lot could be known.
	fn next_parked(known: u32) -> Option<u64> {
		let key = Parked::<T>::iter_keys().next()?;
		let (turn, id) = read_moment(&key);
		let since = turn.saturating_sub(RETRY_BLOCKS);
		if turn > Self::block() || since >= known {
			return None;
		}
		Parked::<T>::remove(key);
		Some(id)
	}

	/// Assigns the oldest orders, at the beginning of a block: the lot falls on offers as they were left
	/// by the block before, when it was not known. A part of the draws is for parked orders first, the
	/// rest for the queue first, so that neither keeps the other waiting. Gives what that weighs.
	pub(crate) fn assign_waiting() -> Weight {
		let mut weight = T::DbWeight::get().reads(2);
		let waiting = Waiting::<T>::decode_len().unwrap_or(0);
		if waiting == 0 && Parked::<T>::iter_keys().next().is_none() {
			return weight;
		}
		let (seed, known) = T::Randomness::random(b"hippius/orders");
		let known: u32 = known.unique_saturated_into();
		let for_parked = (T::PerBlock::get() / 4).max(1);
		for draw in 0..T::PerBlock::get() {
			weight.saturating_accrue(T::DbWeight::get().reads(3));
			let next = match draw < for_parked {
				true => Self::next_parked(known).or_else(|| Self::next_waiting(known)),
				false => Self::next_waiting(known).or_else(|| Self::next_parked(known)),
			};
			let Some(id) = next else { break };
			// With its being parked and taken from there.
			weight.saturating_accrue(T::WeightInfo::assign());
			weight.saturating_accrue(T::DbWeight::get().writes(2));
			Self::assign(id, &seed);
		}
		weight
	}
}
