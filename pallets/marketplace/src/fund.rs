//! Credits bought with alpha and given back, and the price they are bought at.

use crate::{settle::AccountOf, AlphaPrice, Config, Error, Event, NextBatch, Pallet};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::{Inspect, Mutate},
		tokens::Preservation,
		Get,
	},
	BoundedVec,
};
use hippius_economy::{credits_for, insert, Batch, Funding, Oracle, PriceError};
use sp_runtime::traits::AccountIdConversion;

impl<T: Config> Pallet<T> {
	/// Where the alpha behind credits is.
	pub fn escrow() -> T::AccountId {
		T::PalletId::get().into_account_truncating()
	}

	/// Where alpha for vouchers comes from.
	pub fn float() -> T::AccountId {
		T::PalletId::get().into_sub_account_truncating(b"float")
	}

	/// Where alpha for chargebacks comes from.
	pub fn reserve() -> T::AccountId {
		T::PalletId::get().into_sub_account_truncating(b"reserve")
	}

	/// Rao an account of this pallet can spend: all but what keeps it alive.
	pub(crate) fn spendable(who: &T::AccountId) -> u128 {
		T::Currency::balance(who).saturating_sub(T::Currency::minimum_balance())
	}

	/// Moves rao out of an account of this pallet, which stays alive.
	pub(crate) fn pay(from: &T::AccountId, to: &T::AccountId, rao: u128) -> DispatchResult {
		if rao == 0 {
			return Ok(());
		}
		T::Currency::transfer(from, to, rao, Preservation::Preserve)?;
		Ok(())
	}

	/// Moves rao that a user pays with.
	pub(crate) fn take(from: &T::AccountId, to: &T::AccountId, rao: u128) -> DispatchResult {
		T::Currency::transfer(from, to, rao, Preservation::Expendable)?;
		Ok(())
	}

	/// The price of alpha, if it is fresh.
	pub(crate) fn alpha_price() -> Result<u128, Error<T>> {
		let oracle = AlphaPrice::<T>::get().ok_or(Error::<T>::NoAlphaPrice)?;
		oracle.fresh(Self::now_ms()).map_err(Error::<T>::from)
	}

	/// Tells the price of alpha.
	pub(crate) fn do_set_alpha_price(price: u128, bounded: bool) -> DispatchResult {
		let now = Self::now_ms();
		let next = match AlphaPrice::<T>::get() {
			Some(oracle) if bounded => oracle.moved(price, now).map_err(Error::<T>::from)?,
			// The first is not the oracle's to tell.
			None if bounded => return Err(Error::<T>::NoAlphaPrice.into()),
			_ => {
				ensure!(price > 0, Error::<T>::PriceZero);
				Oracle::new(price, now)
			}
		};
		AlphaPrice::<T>::put(next);
		Self::deposit_event(Event::AlphaPriceSet { price, at: now });
		Ok(())
	}

	/// Adds credits as the newest batch, pays debts with them.
	pub(crate) fn credit(
		who: &T::AccountId,
		account: &mut AccountOf<T>,
		credits: u128,
		alpha: u128,
		funding: Funding,
	) -> Result<u64, sp_runtime::DispatchError> {
		let id = NextBatch::<T>::get();
		NextBatch::<T>::put(id.checked_add(1).ok_or(Error::<T>::TooManyBatches)?);
		ensure!(
			account.credits().checked_add(credits).is_some(),
			Error::<T>::AmountTooLarge
		);
		let mut batches = core::mem::take(&mut account.batches).into_inner();
		let new = Batch {
			id,
			credits,
			alpha,
			funding,
		};
		insert(&mut batches, new).map_err(|_| Error::<T>::TooManyBatches)?;
		account.batches = BoundedVec::truncate_from(batches);
		Self::collect(who, account)?;
		Ok(id)
	}

	/// Buys credits with alpha.
	pub(crate) fn do_deposit(who: T::AccountId, rao: u128, least: u128) -> DispatchResult {
		let price = Self::alpha_price()?;
		let credits = credits_for(rao, price).ok_or(Error::<T>::AmountTooLarge)?;
		ensure!(credits >= least, Error::<T>::PriceMoved);
		ensure!(
			credits >= u128::from(Self::config().least_credits),
			Error::<T>::AmountTooSmall
		);
		let mut account = Self::settled(&who)?;
		ensure!(account.owes == 0, Error::<T>::AccountLocked);
		Self::take(&who, &Self::escrow(), rao)?;
		Self::deposit_event(Event::Deposited {
			who: who.clone(),
			alpha: rao,
			credits,
			price,
		});
		Self::credit(&who, &mut account, credits, rao, Funding::Alpha)?;
		Self::store(&who, account);
		Ok(())
	}

	/// Gives back what is left of a batch.
	pub(crate) fn do_refund(who: T::AccountId, id: u64) -> DispatchResult {
		let mut account = Self::settled(&who)?;
		ensure!(account.owes == 0, Error::<T>::AccountLocked);
		let batch = account
			.batches
			.iter()
			.find(|batch| batch.id == id)
			.copied()
			.ok_or(Error::<T>::UnknownBatch)?;
		ensure!(
			!matches!(batch.funding, Funding::Fiat { .. }),
			Error::<T>::NotRefundable
		);
		account.batches.retain(|other| other.id != id);
		ensure!(
			account.credits() >= account.locked && Self::solvent(&account),
			Error::<T>::BelowFloor
		);
		Self::pay(&Self::escrow(), &who, batch.alpha)?;
		Self::deposit_event(Event::Refunded {
			who: who.clone(),
			alpha: batch.alpha,
			credits: batch.credits,
		});
		Self::store(&who, account);
		Ok(())
	}
}

impl<T> From<PriceError> for Error<T> {
	fn from(error: PriceError) -> Self {
		match error {
			PriceError::Zero => Self::PriceZero,
			PriceError::Deviation => Self::PriceJump,
			PriceError::Stale => Self::PriceStale,
		}
	}
}
