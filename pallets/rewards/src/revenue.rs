//! Where charges go: split at once, kept by pool.

use crate::{
	Config, EgressSent, EgressTotal, Error, Event, OpenEgress, Pallet, Pots, StakersPot, Sums,
	TreasuryPot,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{fungible::Mutate, tokens::Preservation, Get},
};
use hippius_economy::split;
use hippius_primitives::{
	money::{Pool, Service},
	traits::{EgressWeights, NodeRegistry, NotTaken, RevenueSink},
	NodeIndex,
};
use sp_runtime::{traits::AccountIdConversion, ArithmeticError, DispatchError};

impl<T: Config> Pallet<T> {
	/// Where all pots are.
	pub fn account() -> T::AccountId {
		T::PalletId::get().into_account_truncating()
	}

	/// Moves rao out of the pots; their account stays alive.
	pub(crate) fn pay(to: &T::AccountId, rao: u128) -> DispatchResult {
		T::Currency::transfer(&Self::account(), to, rao, Preservation::Preserve)?;
		Ok(())
	}

	/// Takes a charge.
	pub fn do_charge(from: &T::AccountId, pool: Pool, rao: u128) -> DispatchResult {
		if rao == 0 {
			return Ok(());
		}
		T::Currency::transfer(from, &Self::account(), rao, Preservation::Preserve)?;
		let parts = split(rao);
		let add = |sum: u128, more: u128| sum.checked_add(more).ok_or(ArithmeticError::Overflow);
		let mut sums = Sums::<T>::get();
		sums.revenue = add(sums.revenue, rao)?;
		sums.miners = add(sums.miners, parts.miners)?;
		sums.validators = add(sums.validators, parts.validators)?;
		sums.treasury = add(sums.treasury, parts.treasury)?;
		Sums::<T>::put(sums);
		Pots::<T>::try_mutate(pool, |pot| {
			*pot = add(*pot, parts.miners)?;
			Ok::<_, DispatchError>(())
		})?;
		StakersPot::<T>::try_mutate(|pot| {
			*pot = add(*pot, parts.validators)?;
			Ok::<_, DispatchError>(())
		})?;
		TreasuryPot::<T>::try_mutate(|pot| {
			*pot = add(*pot, parts.treasury)?;
			Ok::<_, DispatchError>(())
		})?;
		Self::deposit_event(Event::RevenueSplit {
			pool,
			amount: rao,
			miners: parts.miners,
			validators: parts.validators,
			treasury: parts.treasury,
		});
		Ok(())
	}

	/// Moves the treasury's pot to the treasury.
	pub(crate) fn do_pay_treasury() -> DispatchResult {
		let amount = TreasuryPot::<T>::take();
		ensure!(amount > 0, Error::<T>::NothingToPay);
		Self::pay(&T::TreasuryAccount::get(), amount)?;
		Sums::<T>::mutate(|sums| {
			sums.treasury_paid = sums.treasury_paid.saturating_add(amount);
		});
		Self::deposit_event(Event::TreasuryPaid { amount });
		Ok(())
	}
}

impl<T: Config> RevenueSink<T::AccountId> for Pallet<T> {
	fn charge(from: &T::AccountId, pool: Pool, rao: u128) -> Result<(), NotTaken> {
		frame_support::storage::with_storage_layer(|| Self::do_charge(from, pool, rao))
			.map_err(|_| NotTaken)
	}
}

impl<T: Config> EgressWeights for Pallet<T> {
	fn counts(node: NodeIndex) -> bool {
		T::Registry::node(node).is_some()
	}

	fn sent(service: Service, node: NodeIndex, rao: u128) {
		if rao == 0 || !Self::counts(node) {
			// Nothing came in for it, or nobody could be paid for it.
			return;
		}
		let period = OpenEgress::<T>::get(service);
		EgressSent::<T>::mutate((service, period), node, |sum| {
			*sum = sum.saturating_add(rao)
		});
		EgressTotal::<T>::mutate(service, |sum| *sum = sum.saturating_add(rao));
	}
}
