//! Validators and those who stake with them: paid by era points, commission, exposure.

use crate::{
	types::{StakerEra, MAX_STAKER_PAGES},
	Config, Error, Event, OldestStakerEra, Pallet, StakerEarned, StakerEras, StakerPagesPaid,
	StakersFrozen, StakersPot, Sums,
};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use hippius_economy::{carry, mul_div, share};
use hippius_primitives::traits::ValidatorStakes;

/// Commissions are given in thousand-millionths.
const PPB: u128 = 1_000_000_000;

impl<T: Config> Pallet<T> {
	/// Freezes the validators' pot if an era of staking ended since.
	pub(crate) fn do_freeze_stakers() -> DispatchResult {
		let era = T::Stakes::ended().ok_or(Error::<T>::NothingToFreeze)?;
		let before = StakersFrozen::<T>::get();
		ensure!(
			before.is_none_or(|frozen| frozen < era),
			Error::<T>::NothingToFreeze
		);
		StakersFrozen::<T>::put(era);
		let points = T::Stakes::points(era).unwrap_or(0);
		let amount = StakersPot::<T>::get();
		if points == 0 || amount == 0 {
			return Ok(());
		}
		StakersPot::<T>::kill();
		StakerEras::<T>::insert(
			era,
			StakerEra {
				amount,
				points,
				paid: 0,
			},
		);
		if OldestStakerEra::<T>::get().is_none() {
			OldestStakerEra::<T>::put(era);
		}
		Self::deposit_event(Event::StakerEraFrozen {
			era,
			amount,
			points,
		});
		Ok(())
	}

	/// Credits a validator (with its first page) and a page of those who stake with it.
	pub(crate) fn do_payout_validator(
		era: u32,
		validator: T::AccountId,
		page: u32,
	) -> DispatchResult {
		let mut frozen = StakerEras::<T>::get(era).ok_or(Error::<T>::UnknownEra)?;
		let points = T::Stakes::points(era).ok_or(Error::<T>::EraNotKept)?;
		ensure!(points == frozen.points, Error::<T>::EraNotKept);
		let how = T::Stakes::validator(era, &validator).ok_or(Error::<T>::NotAValidator)?;
		ensure!(
			page < how.pages.max(1) && page < MAX_STAKER_PAGES,
			Error::<T>::UnknownPage
		);
		let done = StakerPagesPaid::<T>::get(era, &validator);
		ensure!(done >> page & 1 == 0, Error::<T>::PageAlreadyPaid);
		StakerPagesPaid::<T>::insert(era, &validator, done | 1 << page);

		let part = share(frozen.amount, how.points.into(), frozen.points.into());
		let commission = mul_div(part, u128::from(how.commission_ppb).min(PPB), PPB).unwrap_or(0);
		let rest = part - commission;
		let mut credited = 0u128;
		let mut credit = |who: &T::AccountId, due: u128| {
			// Stakes that add up to more than their sum cannot get more than the era has.
			let due = due.min(carry(frozen.amount, frozen.paid));
			if due > 0 {
				frozen.paid = frozen.paid.saturating_add(due);
				credited = credited.saturating_add(due);
				StakerEarned::<T>::mutate(who, |sum| *sum = sum.saturating_add(due));
			}
		};
		if page == 0 {
			// A validator without any stake behind it keeps all: nobody else could have it.
			let own = match how.total {
				0 => rest,
				total => share(rest, how.own, total),
			};
			credit(&validator, commission.saturating_add(own));
		}
		for staker in T::Stakes::stakers(era, &validator, page) {
			credit(&staker.who, share(rest, staker.stake, how.total));
		}
		StakerEras::<T>::insert(era, frozen);
		Self::deposit_event(Event::ValidatorPaid {
			era,
			validator,
			page,
			amount: credited,
		});
		Ok(())
	}

	/// Ends an era that staking no longer keeps: what nobody asked for is carried over. Asked for until
	/// all its records are gone.
	pub(crate) fn do_close_staker_era() -> DispatchResult {
		let era = OldestStakerEra::<T>::get().ok_or(Error::<T>::UnknownEra)?;
		let newest = StakersFrozen::<T>::get().unwrap_or(era);
		if let Some(frozen) = StakerEras::<T>::get(era) {
			ensure!(T::Stakes::points(era).is_none(), Error::<T>::EraIsKept);
			let carried = carry(frozen.amount, frozen.paid);
			StakersPot::<T>::mutate(|pot| *pot = pot.saturating_add(carried));
			StakerEras::<T>::remove(era);
			Self::deposit_event(Event::StakerEraClosed {
				era,
				amount: frozen.paid,
				carried,
			});
		}
		if StakerPagesPaid::<T>::clear_prefix(era, 128, None)
			.maybe_cursor
			.is_some()
		{
			return Ok(());
		}
		// The next that was frozen; at most one look per era that had nothing.
		let next = (era.saturating_add(1)..=newest)
			.take(16)
			.find(|next| StakerEras::<T>::contains_key(next));
		match next {
			Some(next) => OldestStakerEra::<T>::put(next),
			None if era.saturating_add(16) >= newest => OldestStakerEra::<T>::kill(),
			None => OldestStakerEra::<T>::put(era.saturating_add(16)),
		}
		Ok(())
	}

	/// Pays a validator or staker what it was credited with.
	pub(crate) fn do_withdraw_stake(who: T::AccountId) -> DispatchResult {
		let amount = StakerEarned::<T>::take(&who);
		ensure!(amount > 0, Error::<T>::NothingToPay);
		Self::pay(&who, amount)?;
		Sums::<T>::mutate(|sums| {
			sums.stakers_withdrawn = sums.stakers_withdrawn.saturating_add(amount);
		});
		Self::deposit_event(Event::StakeWithdrawn { who, amount });
		Ok(())
	}
}
