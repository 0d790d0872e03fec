//! Prices of services, plans and subscriptions.

use crate::{
	settle::AccountOf,
	types::{Plan, Subscription, MAX_PERIODS},
	Config, Error, Event, Pallet, Plans, Prices,
};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use hippius_economy::index::{Point, MAX_PRICE};
use hippius_primitives::money::{Pool, Service};

impl<T: Config> Pallet<T> {
	/// Gives notice of a price. One that was noticed, but is not in force yet, is replaced.
	pub(crate) fn do_set_price(pool: Pool, price: u128, from: u32) -> DispatchResult {
		ensure!(price <= MAX_PRICE, Error::<T>::PriceTooHigh);
		let now = Self::block();
		let mut points = Prices::<T>::get(pool);
		points.retain(|point| point.block <= now);
		let index = match points.last() {
			None => {
				// Nothing was told of, so no notice is missed; but what was free stays free.
				ensure!(from >= now, Error::<T>::NoticeTooShort);
				0
			}
			Some(last) => {
				let earliest = now.saturating_add(Self::config().notice_blocks);
				ensure!(
					from >= earliest && from > last.block,
					Error::<T>::NoticeTooShort
				);
				last.at(from)
			}
		};
		if points.is_full() {
			points.remove(0);
		}
		points
			.try_push(Point {
				block: from,
				index,
				price,
			})
			.map_err(|_| Error::<T>::NoticeTooShort)?;
		Prices::<T>::insert(pool, points);
		Self::deposit_event(Event::PriceSet { pool, price, from });
		Ok(())
	}

	/// Offers a plan, or no longer does. Subscriptions go on as they were.
	pub(crate) fn do_set_plan(id: u32, plan: Option<Plan>) -> DispatchResult {
		if let Some(plan) = &plan {
			// Who is settled once in the time of grace is caught up then.
			let caught_up = u64::from(plan.period).saturating_mul(MAX_PERIODS.into());
			ensure!(
				plan.period > 0 && caught_up >= Self::config().grace_blocks.into(),
				Error::<T>::PlanUnsound
			);
		}
		Plans::<T>::set(id, plan);
		Self::deposit_event(Event::PlanSet { id, plan });
		Ok(())
	}

	/// Prepays a period of a plan. Another plan for the service is ended first, its unused part given
	/// back.
	pub(crate) fn do_subscribe(who: T::AccountId, id: u32, renew: bool) -> DispatchResult {
		let plan = Plans::<T>::get(id).ok_or(Error::<T>::UnknownPlan)?;
		let mut account = Self::settled(&who)?;
		ensure!(account.owes == 0, Error::<T>::AccountLocked);
		Self::end(&who, &mut account, plan.service);
		ensure!(
			account.debt() == 0 && account.available() >= plan.price,
			Error::<T>::NotEnoughCredits
		);
		account.locked = account.locked.saturating_add(plan.price);
		let start = Self::block();
		account
			.subscriptions
			.try_push(Subscription {
				id,
				plan,
				start,
				billed: 0,
				renew,
			})
			.map_err(|_| Error::<T>::TooManyLines)?;
		Self::deposit_event(Event::Subscribed {
			who: who.clone(),
			id,
			service: plan.service,
			price: plan.price,
			until: start.saturating_add(plan.period),
		});
		Self::store(&who, account);
		Ok(())
	}

	/// Ends a subscription now; its unused part is given back.
	pub(crate) fn do_unsubscribe(who: T::AccountId, service: Service) -> DispatchResult {
		let mut account = Self::settled(&who)?;
		ensure!(
			account.subscription(service).is_some(),
			Error::<T>::NotSubscribed
		);
		Self::end(&who, &mut account, service);
		Self::store(&who, account);
		Ok(())
	}

	/// What was prepaid and is not used up is no longer locked.
	fn end(who: &T::AccountId, account: &mut AccountOf<T>, service: Service) {
		let Some(running) = account.subscription(service).copied() else {
			return;
		};
		account.locked = account.locked.saturating_sub(running.unused());
		account
			.subscriptions
			.retain(|other| other.plan.service != service);
		Self::deposit_event(Event::SubscriptionEnded {
			who: who.clone(),
			service,
			returned: running.unused(),
		});
	}

	/// Ends every subscription.
	pub(crate) fn end_all(who: &T::AccountId, account: &mut AccountOf<T>) {
		for service in Service::ALL {
			Self::end(who, account, service);
		}
	}

	/// A period is over and charged: the next begins if it is wanted and paid for, else it ends.
	pub(crate) fn end_period(
		who: &T::AccountId,
		account: &mut AccountOf<T>,
		service: Service,
	) -> DispatchResult {
		// Debts come before another period.
		Self::collect(who, account)?;
		let Some(running) = account.subscription(service).copied() else {
			return Ok(());
		};
		let price = running.plan.price;
		if !running.renew || account.debt() > 0 || account.available() < price {
			Self::end(who, account, service);
			return Ok(());
		}
		account.locked = account.locked.saturating_add(price);
		for subscription in account.subscriptions.iter_mut() {
			if subscription.plan.service == service {
				subscription.start = running.end();
				subscription.billed = 0;
			}
		}
		Self::deposit_event(Event::Subscribed {
			who: who.clone(),
			id: running.id,
			service,
			price,
			until: running.end().saturating_add(running.plan.period),
		});
		Ok(())
	}
}
