//! The state machine: requested, assigned, accepted or reassigned, active, ended.

use crate::{
	types::{Ended, Moved, Order, Request, State, MAX_ATTEMPTS},
	Config, Cursor, Error, Event, NextOrder, Orders, OwnerOrders, Pallet, Waiting, WeightInfo,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{Get, Randomness},
	weights::{Weight, WeightMeter},
};
use hippius_primitives::{
	money::Service,
	traits::{StorageOwners, UsageMeter},
	NodeIndex,
};
use sp_runtime::traits::UniqueSaturatedInto;

pub(crate) type OrderOf<T> = Order<<T as frame_system::Config>::AccountId>;

impl<T: Config> Pallet<T> {
	/// This block.
	pub(crate) fn block() -> u32 {
		frame_system::Pallet::<T>::block_number().unique_saturated_into()
	}

	fn order(id: u64) -> Result<OrderOf<T>, Error<T>> {
		Orders::<T>::get(id).ok_or(Error::<T>::UnknownOrder)
	}

	fn owned(who: &T::AccountId, id: u64) -> Result<OrderOf<T>, Error<T>> {
		let order = Self::order(id)?;
		ensure!(order.owner == *who, Error::<T>::NotYourOrder);
		Ok(order)
	}

	/// Asks for a service.
	pub(crate) fn do_request(who: T::AccountId, request: Request) -> DispatchResult {
		ensure!(request.service != Service::Arion, Error::<T>::NotOrdered);
		ensure!(
			request.units > 0 && request.idle_units <= request.units,
			Error::<T>::UnitsUnsound
		);
		let terms = T::MinTerm::get()..=T::MaxTerm::get();
		ensure!(terms.contains(&request.term), Error::<T>::TermUnsound);
		ensure!(
			!T::Owners::expired(&who.clone().into()),
			Error::<T>::NotPaid
		);
		let mine = OwnerOrders::<T>::get(&who);
		ensure!(mine < T::MaxOrders::get(), Error::<T>::TooManyOrders);
		let id = NextOrder::<T>::get();
		NextOrder::<T>::put(id.checked_add(1).ok_or(Error::<T>::TooManyOrders)?);
		Waiting::<T>::try_mutate(|queue| queue.try_push(id)).map_err(|_| Error::<T>::QueueFull)?;
		OwnerOrders::<T>::insert(&who, mine.saturating_add(1));
		let order = Order {
			owner: who.clone(),
			until: Self::block().saturating_add(request.term),
			request: request.clone(),
			state: State::Requested {
				since: Self::block(),
			},
			passed: Default::default(),
			attempts: 0,
		};
		Orders::<T>::insert(id, order);
		Self::deposit_event(Event::Requested {
			id,
			owner: who,
			request,
		});
		Ok(())
	}

	/// Gives a waiting order to a node, by lot. It has waited since before anybody could know `seed`.
	fn assign(id: u64, seed: &T::Hash) {
		let Some(mut order) = Orders::<T>::get(id) else {
			return;
		};
		let drawn = Self::draw(id, &order, seed);
		order.attempts = order.attempts.saturating_add(1);
		match drawn {
			Some(node) => {
				let until = Self::block().saturating_add(T::AcceptBlocks::get());
				order.state = State::Assigned { node, until };
				Self::take_units(order.request.service, node, order.request.units, 0);
				Orders::<T>::insert(id, order);
				Self::deposit_event(Event::Assigned { id, node, until });
			}
			None if order.attempts >= MAX_ATTEMPTS => Self::end(id, order, Ended::NoNode),
			None => {
				// Nodes that passed it on may be asked again when nobody else is there.
				order.passed.clear();
				order.state = State::Requested {
					since: Self::block(),
				};
				Orders::<T>::insert(id, &order);
				Self::wait(id, order);
			}
		}
	}

	/// Puts an order, which is stored, into the queue.
	fn wait(id: u64, order: OrderOf<T>) {
		if Waiting::<T>::try_mutate(|queue| queue.try_push(id)).is_err() {
			Self::end(id, order, Ended::NoNode);
		}
	}

	/// The node that an order was given to serves it from now on.
	pub(crate) fn do_accept(who: T::AccountId, id: u64) -> DispatchResult {
		let mut order = Self::order(id)?;
		let State::Assigned { node, until } = order.state else {
			return Err(Error::<T>::NotAssigned.into());
		};
		Self::check_family(&who, node)?;
		ensure!(Self::block() <= until, Error::<T>::TooLate);
		let owner = order.owner.clone().into();
		let (service, units) = (order.request.service, order.request.units);
		if T::Usage::add(service, &owner, &owner, units).is_err() {
			// Not the node's fault: the order ends, and with it what it takes of the node.
			Self::end(id, order, Ended::Unpaid);
			return Ok(());
		}
		order.state = State::Active {
			node,
			running: true,
		};
		order.attempts = 0;
		Self::note_served(service, node, units, 0);
		Orders::<T>::insert(id, order);
		Self::deposit_event(Event::Accepted { id, node });
		Ok(())
	}

	/// The node does not want an order, or no longer.
	pub(crate) fn do_decline(who: T::AccountId, id: u64) -> DispatchResult {
		let order = Self::order(id)?;
		let node = order.state.node().ok_or(Error::<T>::NotAssigned)?;
		Self::check_family(&who, node)?;
		let why = match order.state {
			State::Active { .. } => Moved::GivenBack,
			_ => Moved::Rejected,
		};
		Self::reassign(id, order, node, why);
		Ok(())
	}

	/// Takes an order from a node and lets it wait for another.
	fn reassign(id: u64, mut order: OrderOf<T>, node: NodeIndex, why: Moved) {
		Self::leave(&order);
		order.state = State::Requested {
			since: Self::block(),
		};
		if order.passed.is_full() {
			order.passed.remove(0);
		}
		// There is room for one.
		let _fits = order.passed.try_push(node);
		Orders::<T>::insert(id, &order);
		Self::deposit_event(Event::Reassigned { id, node, why });
		Self::wait(id, order);
	}

	/// An order no longer takes anything of a node, is no longer metered nor served.
	fn leave(order: &OrderOf<T>) {
		let Some(node) = order.state.node() else {
			return;
		};
		let service = order.request.service;
		let metered = order.metered();
		if metered > 0 {
			T::Usage::remove(service, &order.owner.clone().into(), metered);
			Self::note_served(service, node, 0, metered);
		}
		Self::take_units(service, node, 0, order.request.units);
	}

	/// Ends an order.
	fn end(id: u64, order: OrderOf<T>, why: Ended) {
		Self::leave(&order);
		Orders::<T>::remove(id);
		Waiting::<T>::mutate(|queue| queue.retain(|other| *other != id));
		OwnerOrders::<T>::mutate_exists(&order.owner, |count| {
			*count = count
				.and_then(|count| count.checked_sub(1))
				.filter(|left| *left > 0);
		});
		Self::deposit_event(Event::Ended {
			id,
			owner: order.owner,
			node: order.state.node(),
			why,
		});
	}

	/// The owner lets an active order run, or stops it.
	pub(crate) fn do_set_running(who: T::AccountId, id: u64, run: bool) -> DispatchResult {
		let mut order = Self::owned(&who, id)?;
		let State::Active { node, running } = order.state else {
			return Err(Error::<T>::NotActive.into());
		};
		ensure!(run != running, Error::<T>::NothingChanges);
		let (service, owner) = (order.request.service, order.owner.clone().into());
		let step = order.request.units.saturating_sub(order.request.idle_units);
		match run {
			true => {
				T::Usage::add(service, &owner, &owner, step).map_err(|_| Error::<T>::NotPaid)?;
				Self::note_served(service, node, step, 0);
			}
			false => {
				T::Usage::remove(service, &owner, step);
				Self::note_served(service, node, 0, step);
			}
		}
		order.state = State::Active { node, running: run };
		Orders::<T>::insert(id, order);
		Self::deposit_event(Event::Switched { id, running: run });
		Ok(())
	}

	/// The owner wants an order for longer.
	pub(crate) fn do_renew(who: T::AccountId, id: u64, blocks: u32) -> DispatchResult {
		let mut order = Self::owned(&who, id)?;
		let now = Self::block();
		ensure!(now < order.until, Error::<T>::TooLate);
		let until = order
			.until
			.checked_add(blocks)
			.filter(|until| until.saturating_sub(now) <= T::MaxTerm::get() && blocks > 0)
			.ok_or(Error::<T>::TermUnsound)?;
		order.until = until;
		Orders::<T>::insert(id, order);
		Self::deposit_event(Event::Renewed { id, until });
		Ok(())
	}

	/// The owner no longer wants an order.
	pub(crate) fn do_cancel(who: T::AccountId, id: u64) -> DispatchResult {
		let order = Self::owned(&who, id)?;
		Self::end(id, order, Ended::Cancelled);
		Ok(())
	}

	/// Does what is due with an order, if anything is.
	pub(crate) fn do_advance(id: u64) -> DispatchResult {
		let order = Self::order(id)?;
		let now = Self::block();
		if now >= order.until {
			Self::end(id, order, Ended::TermOver);
			return Ok(());
		}
		if T::Owners::expired(&order.owner.clone().into()) {
			Self::end(id, order, Ended::Unpaid);
			return Ok(());
		}
		match order.state {
			State::Assigned { node, until } if now > until => {
				Self::reassign(id, order, node, Moved::TimedOut);
			}
			State::Assigned { node, .. } | State::Active { node, .. } if Self::lost(node) => {
				Self::reassign(id, order, node, Moved::NodeFailed);
			}
			_ => return Err(Error::<T>::NothingDue.into()),
		}
		Ok(())
	}

	/// Whether a node will not serve any more: down, leaving, or gone. One that misses a beat is not.
	fn lost(node: NodeIndex) -> bool {
		use hippius_primitives::traits::{Liveness, LivenessState, NodeRegistry};
		let leaving = T::Registry::node(node).is_none_or(|record| record.status.is_leaving());
		leaving || matches!(T::Liveness::liveness(node), LivenessState::Down { .. })
	}

	/// Assigns the oldest orders, at the beginning of a block: the lot falls on offers as they were left
	/// by the block before, when it was not known. Gives what that weighs.
	pub(crate) fn assign_waiting() -> Weight {
		let waiting = Waiting::<T>::decode_len().unwrap_or(0) as u32;
		let mut weight = T::DbWeight::get().reads(1);
		if waiting == 0 {
			return weight;
		}
		let (seed, known) = T::Randomness::random(b"hippius/orders");
		let known: u32 = known.unique_saturated_into();
		for _ in 0..T::PerBlock::get().min(waiting) {
			weight.saturating_accrue(T::WeightInfo::assign());
			let Some(id) = Waiting::<T>::get().first().copied() else {
				break;
			};
			let since = Orders::<T>::get(id).map(|order| order.state);
			if matches!(since, Some(State::Requested { since }) if since >= known) {
				// It and all behind it came when the lot could be known.
				break;
			}
			Waiting::<T>::mutate(|queue| queue.retain(|other| *other != id));
			Self::assign(id, &seed);
		}
		weight
	}

	/// A call's weight with what it costs to tell the meter.
	pub(crate) fn metered(call: Weight) -> Weight {
		call.saturating_add(T::UsageWeight::get())
	}

	/// Looks at the next few orders, as far as the block has room.
	pub(crate) fn tick(room: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(room);
		let mut cursor = Cursor::<T>::get();
		for _ in 0..T::PerBlock::get() {
			if meter
				.try_consume(Self::metered(T::WeightInfo::advance()))
				.is_err()
			{
				break;
			}
			let next = match cursor {
				Some(last) => Orders::<T>::iter_keys_from(Orders::<T>::hashed_key_for(last)).next(),
				None => Orders::<T>::iter_keys().next(),
			};
			cursor = next;
			let Some(id) = next else { break };
			// Mostly nothing is due.
			let _nothing = Self::do_advance(id);
		}
		Cursor::<T>::set(cursor);
		meter.consumed()
	}
}
