//! What is due when; and what blocks look at by themselves, as far as they have room.

use crate::{
	machine::OrderOf,
	types::{moment, read_moment, OFFERS_PER_BLOCK},
	Agenda, Config, Cursor, OfferCursor, OfferOf, Orders, Pallet, WeightInfo,
};
use frame_support::{
	defensive,
	traits::Get,
	weights::{Weight, WeightMeter},
};

impl<T: Config> Pallet<T> {
	/// Stores an order, and when something is due with it.
	pub(crate) fn put(id: u64, order: OrderOf<T>) {
		let before = Orders::<T>::get(id).map(|order| order.due());
		let due = order.due();
		if before != Some(due) {
			if let Some(before) = before {
				Agenda::<T>::remove(moment(before, id));
			}
			Agenda::<T>::insert(moment(due, id), ());
		}
		Orders::<T>::insert(id, order);
	}

	/// Forgets an order, which is as it is stored.
	pub(crate) fn remove(id: u64, order: &OrderOf<T>) {
		Agenda::<T>::remove(moment(order.due(), id));
		Orders::<T>::remove(id);
	}

	/// What a block does with the room that is left: what is due, then a look at the next few orders,
	/// whose nodes may have failed or owners run out of money, and at the next few offers.
	pub(crate) fn tick(room: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(room);
		let done = Self::do_due(&mut meter);
		let left = T::PerBlock::get().saturating_sub(done).max(1);
		Self::look_at_orders(&mut meter, left);
		Self::look_at_offers(&mut meter);
		meter.consumed()
	}

	/// Does what is due, the oldest first; gives with how many orders.
	fn do_due(meter: &mut WeightMeter) -> u32 {
		let mut done = 0u32;
		while done < T::PerBlock::get() {
			let look = T::DbWeight::get().reads(1);
			let each = Self::metered(T::WeightInfo::advance()).saturating_add(look);
			// Before it is known whether anything is: most often nothing is.
			if meter.remaining().any_lt(each) || meter.try_consume(look).is_err() {
				break;
			}
			let Some(key) = Agenda::<T>::iter_keys().next() else {
				break;
			};
			let (due, id) = read_moment(&key);
			if due > Self::block() || meter.try_consume(each.saturating_sub(look)).is_err() {
				break;
			}
			if let Err(error) = Self::do_advance(id) {
				defensive!("nothing was due with an order of the agenda", error);
				Agenda::<T>::remove(key);
			}
			done = done.saturating_add(1);
		}
		done
	}

	fn look_at_orders(meter: &mut WeightMeter, most: u32) {
		let each = Self::metered(T::WeightInfo::advance());
		let mut cursor = Cursor::<T>::get();
		for _ in 0..most {
			if meter.try_consume(each).is_err() {
				break;
			}
			cursor = match cursor {
				Some(last) => Orders::<T>::iter_keys_from(Orders::<T>::hashed_key_for(last)).next(),
				None => Orders::<T>::iter_keys().next(),
			};
			let Some(id) = cursor else { break };
			// Mostly nothing is due.
			let _nothing = Self::do_advance(id);
		}
		Cursor::<T>::set(cursor);
	}

	/// Ends offers of nodes that are gone.
	fn look_at_offers(meter: &mut WeightMeter) {
		// A look reads and writes what an offer does, and the place of the last one.
		let each = T::WeightInfo::offer().saturating_add(T::DbWeight::get().reads_writes(2, 1));
		for _ in 0..OFFERS_PER_BLOCK {
			if meter.try_consume(each).is_err() {
				break;
			}
			let next = match OfferCursor::<T>::get() {
				Some((service, node)) => {
					let last = OfferOf::<T>::hashed_key_for(service, node);
					OfferOf::<T>::iter_keys_from(last).next()
				}
				None => OfferOf::<T>::iter_keys().next(),
			};
			OfferCursor::<T>::set(next);
			let Some((service, node)) = next else { break };
			let taken = OfferOf::<T>::get(service, node).is_none_or(|offer| offer.taken > 0);
			if !taken && Self::gone(node) {
				Self::withdraw(service, node);
			}
		}
	}
}
