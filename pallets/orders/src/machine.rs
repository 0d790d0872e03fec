//! The state machine: requested, assigned, accepted or reassigned, active, ended.

use crate::{
	types::{Ended, Moved, Order, Request, State, IDLE_PART, MAX_ATTEMPTS},
	Config, Error, Event, NextOrder, Orders, OwnerOrders, Pallet,
};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get, weights::Weight};
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
		let idle = request.units.div_ceil(IDLE_PART)..=request.units;
		ensure!(
			request.units > 0 && idle.contains(&request.idle_units),
			Error::<T>::UnitsUnsound
		);
		let terms = T::MinTerm::get()..=T::MaxTerm::get();
		ensure!(terms.contains(&request.term), Error::<T>::TermUnsound);
		let mine = OwnerOrders::<T>::get(&who);
		ensure!(mine < T::MaxOrders::get(), Error::<T>::TooManyOrders);
		let owner = who.clone().into();
		T::Usage::can_add(request.service, &owner, &owner, request.units)
			.map_err(|_| Error::<T>::NotPaid)?;
		let id = NextOrder::<T>::get();
		NextOrder::<T>::put(id.checked_add(1).ok_or(Error::<T>::TooManyOrders)?);
		Self::join(id)?;
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
		Self::put(id, order);
		Self::deposit_event(Event::Requested {
			id,
			owner: who,
			request,
		});
		Ok(())
	}

	/// Gives a waiting order to a node, by lot. It has waited since before anybody could know `seed`.
	pub(crate) fn assign(id: u64, seed: &T::Hash) {
		let Some(mut order) = Orders::<T>::get(id) else {
			return;
		};
		let now = Self::block();
		if now >= order.until {
			return Self::end(id, order, Ended::TermOver);
		}
		match Self::draw(id, &order, seed) {
			Some(node) => {
				let until = now.saturating_add(T::AcceptBlocks::get());
				let until = until.min(order.until.saturating_sub(1));
				order.attempts = order.attempts.saturating_add(1);
				order.state = State::Assigned { node, until };
				Self::take_units(order.request.service, node, order.request.units, 0);
				Self::put(id, order);
				Self::deposit_event(Event::Assigned { id, node, until });
			}
			None => {
				// Nodes that passed it on may be asked again when nobody else is there.
				order.passed.clear();
				order.state = State::Requested { since: now };
				Self::put(id, order);
				Self::park(id, now);
			}
		}
	}

	/// The node that an order was given to serves it from now on.
	pub(crate) fn do_accept(who: T::AccountId, id: u64) -> DispatchResult {
		let mut order = Self::order(id)?;
		let State::Assigned { node, until } = order.state else {
			return Err(Error::<T>::NotAssigned.into());
		};
		Self::check_family(&who, node)?;
		let now = Self::block();
		ensure!(now <= until && now < order.until, Error::<T>::TooLate);
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
		Self::put(id, order);
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

	/// Takes an order from a node and lets it wait for another, unless it was given in vain often enough.
	fn reassign(id: u64, mut order: OrderOf<T>, node: NodeIndex, why: Moved) {
		if order.attempts >= MAX_ATTEMPTS {
			return Self::end(id, order, Ended::NoNode);
		}
		Self::leave(&order);
		let since = Self::block();
		order.state = State::Requested { since };
		if order.passed.is_full() {
			order.passed.remove(0);
		}
		// There is room for one.
		let _fits = order.passed.try_push(node);
		Self::put(id, order);
		Self::wait(id, since);
		Self::deposit_event(Event::Reassigned { id, node, why });
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

	/// Ends an order, which is as it is stored.
	fn end(id: u64, order: OrderOf<T>, why: Ended) {
		Self::leave(&order);
		Self::remove(id, &order);
		if let State::Requested { since } = order.state {
			Self::quit(id, since);
		}
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
		ensure!(Self::block() < order.until, Error::<T>::TooLate);
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
		Self::put(id, order);
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
		Self::put(id, order);
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
		use hippius_primitives::traits::{Liveness, LivenessState};
		Self::gone(node) || matches!(T::Liveness::liveness(node), LivenessState::Down { .. })
	}

	/// A call's weight with what it costs to tell the meter.
	pub(crate) fn metered(call: Weight) -> Weight {
		call.saturating_add(T::UsageWeight::get())
	}
}
