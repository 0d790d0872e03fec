//! Charging what is used, and what becomes of who cannot pay.

use crate::{
	types::{Account, Line, Status, Subscription, MAX_PERIODS},
	Accounts, Config, Cursor, Error, Event, Pallet, Payments, Prices, Settings, Terms, WeightInfo,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	storage::with_storage_layer,
	traits::{Get, UnixTime},
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_economy::{
	consume,
	index::{cost, in_force, index_at, Meter},
	used,
};
use hippius_primitives::{
	money::{Pool, Service, Usage},
	traits::{EgressWeights, RevenueSink},
	NodeIndex,
};
use sp_runtime::{traits::UniqueSaturatedInto, DispatchError, Saturating};

/// An account that is being worked on.
pub(crate) type AccountOf<T> = Account<<T as frame_system::Config>::AccountId>;

impl<T: Config> Pallet<T> {
	pub(crate) fn config() -> Terms {
		Settings::<T>::get().unwrap_or_default()
	}

	/// This block.
	pub(crate) fn block() -> u32 {
		frame_system::Pallet::<T>::block_number().unique_saturated_into()
	}

	/// Unix time in ms.
	pub(crate) fn now_ms() -> u64 {
		T::Time::now().as_millis().unique_saturated_into()
	}

	/// The day that caps are counted by.
	pub(crate) fn today() -> u64 {
		Self::now_ms() / Self::config().day_ms.max(1)
	}

	/// The account, charged up to now.
	pub(crate) fn settled(who: &T::AccountId) -> Result<AccountOf<T>, DispatchError> {
		let mut account = Accounts::<T>::get(who).unwrap_or_default();
		Self::mature_due(&mut account)?;
		Self::charge_all(who, &mut account)?;
		Ok(account)
	}

	/// Writes the account, which is as it shall be but for its status. What gateways may no longer do is
	/// forgotten; and with an account of nothing, all that they may.
	pub(crate) fn store(who: &T::AccountId, mut account: AccountOf<T>) {
		let now = Self::block();
		account.gateways.retain(|(_, grant)| grant.until >= now);
		Self::judge(who, &mut account);
		// What vouchers brought today is remembered until tomorrow, else a cap could be met twice.
		let forgettable = account.is_empty() && account.minted.0 != Self::today();
		match forgettable {
			true => Accounts::<T>::remove(who),
			false => Accounts::<T>::insert(who, account),
		}
	}

	/// Settles an account; anyone may ask for it.
	pub(crate) fn do_settle(who: &T::AccountId) -> DispatchResult {
		ensure!(Accounts::<T>::contains_key(who), Error::<T>::NoAccount);
		let account = Self::settled(who)?;
		Self::store(who, account);
		Ok(())
	}

	/// Charges everything up to now.
	fn charge_all(who: &T::AccountId, account: &mut AccountOf<T>) -> DispatchResult {
		let now = Self::block();
		for service in Service::ALL {
			for _ in 0..MAX_PERIODS {
				let subscription = account.subscription(service).copied();
				let to = subscription.map_or(now, |running| running.end().min(now));
				let free = subscription.map_or(0, |running| running.plan.included);
				Self::advance(account, service, to, free);
				let Some(running) = subscription else { break };
				Self::bill_period(who, account, &running, to)?;
				if running.end() > now {
					break;
				}
				Self::end_period(who, account, service)?;
			}
		}
		Self::collect(who, account)
	}

	/// Charges a service's units up to a block.
	fn advance(account: &mut AccountOf<T>, service: Service, to: u32, free: u64) {
		let Some(line) = account
			.lines
			.iter_mut()
			.find(|line| line.pool == service.held() && line.meter.units > 0)
		else {
			return;
		};
		let index = index_at(&Prices::<T>::get(line.pool), to);
		line.debt = line.debt.saturating_add(line.meter.advance(index, free));
	}

	/// Charges a service's units up to now, also where more periods of a plan are over than are settled at
	/// one time: what was held until now is charged as such, with what the plan includes, before it changes.
	/// The periods themselves are charged when it is settled again.
	pub(crate) fn close_gap(
		who: &T::AccountId,
		account: &mut AccountOf<T>,
		service: Service,
	) -> DispatchResult {
		let plan = account.subscription(service).map(|running| running.plan);
		let free = plan.map_or(0, |plan| plan.included);
		Self::advance(account, service, Self::block(), free);
		Self::collect(who, account)
	}

	/// Charges what is used up of a prepaid period.
	pub(crate) fn bill_period(
		who: &T::AccountId,
		account: &mut AccountOf<T>,
		running: &Subscription,
		to: u32,
	) -> DispatchResult {
		let elapsed = to.saturating_sub(running.start);
		let due = used(running.plan.price, elapsed, running.plan.period)
			.saturating_sub(running.billed)
			.min(account.locked);
		for subscription in account.subscriptions.iter_mut() {
			if subscription.plan.service == running.plan.service {
				subscription.billed = subscription.billed.saturating_add(due);
			}
		}
		account.locked = account.locked.saturating_sub(due);
		Self::spend(who, account, running.plan.service.held(), due, None)
	}

	/// Pays what is charged, as far as there are credits that nothing is prepaid with.
	pub(crate) fn collect(who: &T::AccountId, account: &mut AccountOf<T>) -> DispatchResult {
		let lines: Vec<Line> = account.lines.iter().copied().collect();
		for line in lines {
			let credits = line.debt.min(account.available());
			for mine in account.lines.iter_mut() {
				if mine.pool == line.pool {
					mine.debt = mine.debt.saturating_sub(credits);
				}
			}
			Self::spend(who, account, line.pool, credits, None)?;
		}
		Ok(())
	}

	/// Takes credits, which are there, and moves what is behind them to where revenue is kept, or notes
	/// it with the payment while that is frozen. The `sender` of egress weighs by what went to revenue for
	/// it at once, and only that goes to the pool of senders: what comes later, or without a sender that can
	/// be paid, comes without a weight, and is for those who hold.
	pub(crate) fn spend(
		who: &T::AccountId,
		account: &mut AccountOf<T>,
		pool: Pool,
		credits: u128,
		sender: Option<NodeIndex>,
	) -> DispatchResult {
		if credits == 0 {
			return Ok(());
		}
		let sender = sender.filter(|node| pool.usage == Usage::Egress && T::Egress::counts(*node));
		let (at_once, later) = match sender {
			Some(_) => (pool, pool.service.held()),
			None => (pool.service.held(), pool.service.held()),
		};
		let now = Self::now_ms();
		let mut batches = core::mem::take(&mut account.batches).into_inner();
		let all = consume(&mut batches, credits);
		account.batches = BoundedVec::truncate_from(batches);
		let (mut revenue, mut pending) = (0u128, BTreeMap::<[u8; 32], u128>::new());
		for part in &all {
			match part.funding.frozen(now) {
				Some(payment) => pending
					.entry(payment)
					.or_default()
					.saturating_accrue(part.alpha),
				None => revenue = revenue.saturating_add(part.alpha),
			}
		}
		let held = pending
			.values()
			.fold(0u128, |sum, rao| sum.saturating_add(*rao));
		for (payment, rao) in pending {
			Self::note_pending(payment, later, rao)?;
		}
		if revenue > 0 {
			T::Revenue::charge(&Self::escrow(), at_once, revenue)
				.map_err(|_| Error::<T>::RevenueNotTaken)?;
			if let Some(node) = sender {
				T::Egress::sent(pool.service, node, revenue);
			}
		}
		Self::deposit_event(Event::Charged {
			who: who.clone(),
			pool,
			credits,
			alpha: revenue,
			pending: held,
		});
		Ok(())
	}

	fn note_pending(payment: [u8; 32], pool: Pool, rao: u128) -> DispatchResult {
		Payments::<T>::try_mutate(payment, |payment| {
			let payment = payment.as_mut().ok_or(Error::<T>::UnknownPayment)?;
			match payment.pending.iter_mut().find(|entry| entry.0 == pool) {
				Some(entry) => entry.1 = entry.1.saturating_add(rao),
				// As many entries as pools: they fit.
				None => payment
					.pending
					.try_push((pool, rao))
					.map_err(|_| Error::<T>::TooManyPayments)?,
			}
			Ok(())
		})
	}

	/// What `floor_blocks` of all it uses cost at the prices of now.
	pub(crate) fn floor(account: &AccountOf<T>, blocks: u32) -> u128 {
		let now = Self::block();
		let held = account.lines.iter().filter(|line| line.meter.units > 0);
		held.fold(0, |sum, line| {
			let price = in_force(&Prices::<T>::get(line.pool), now).price;
			let free = account
				.subscription(line.pool.service)
				.map_or(0, |running| running.plan.included);
			let units = line.meter.units.saturating_sub(free);
			sum.saturating_add(cost(units, price, blocks))
		})
	}

	/// Whether an account has what it needs to use more.
	pub(crate) fn solvent(account: &AccountOf<T>) -> bool {
		account.debt() == 0
			&& account.available() >= Self::floor(account, Self::config().floor_blocks)
	}

	/// Gives notice, expires or restores.
	fn judge(who: &T::AccountId, account: &mut AccountOf<T>) {
		let config = Self::config();
		let now = Self::block();
		let floor = Self::floor(account, config.floor_blocks);
		let broke = account.debt() > 0 || (floor > 0 && account.available() == 0);
		let short = broke || account.available() < floor;
		let next = match account.status {
			Status::Active if short => Status::Grace { since: now },
			Status::Grace { since }
				if broke && now >= since.saturating_add(config.grace_blocks) =>
			{
				Status::Expired { since: now }
			}
			// Paying the debt is not enough: what is kept must be paid for, too.
			Status::Grace { .. } | Status::Expired { .. } if !short => Status::Active,
			other => other,
		};
		if next == account.status {
			return;
		}
		account.status = next;
		let who = who.clone();
		Self::deposit_event(match next {
			Status::Active => Event::AccountRestored { who },
			Status::Grace { .. } => Event::GraceStarted {
				who,
				credits: account.available(),
				until: now.saturating_add(config.grace_blocks),
			},
			Status::Expired { .. } => Event::AccountExpired {
				who,
				units: account.all_units(),
				debt: account.debt(),
			},
		});
	}

	/// The account's line of a pool, made if there is none.
	pub(crate) fn line(account: &mut AccountOf<T>, pool: Pool) -> Result<&mut Line, Error<T>> {
		let place = account.lines.iter().position(|line| line.pool == pool);
		let place = match place {
			Some(place) => place,
			None => {
				account
					.lines
					.try_push(Line {
						pool,
						meter: Meter::default(),
						debt: 0,
					})
					.map_err(|_| Error::<T>::TooManyLines)?;
				account.lines.len().saturating_sub(1)
			}
		};
		account.lines.get_mut(place).ok_or(Error::<T>::TooManyLines)
	}

	/// Settles the next few accounts, as far as the block has room.
	pub(crate) fn sweep(_now: BlockNumberFor<T>, room: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(room);
		let each = <T as Config>::WeightInfo::settle();
		if meter
			.try_consume(T::DbWeight::get().reads_writes(1, 1))
			.is_err()
		{
			return meter.consumed();
		}
		let mut cursor = Cursor::<T>::get();
		for _ in 0..T::SettlePerBlock::get() {
			if meter.try_consume(each).is_err() {
				break;
			}
			let next = match &cursor {
				Some(last) => {
					Accounts::<T>::iter_keys_from(Accounts::<T>::hashed_key_for(last)).next()
				}
				None => Accounts::<T>::iter_keys().next(),
			};
			let Some(who) = next else {
				cursor = None;
				break;
			};
			if let Err(error) = with_storage_layer(|| Self::do_settle(&who)) {
				Self::deposit_event(Event::SettlementFailed {
					who: who.clone(),
					error,
				});
			}
			cursor = Some(who);
		}
		Cursor::<T>::set(cursor);
		meter.consumed()
	}
}
