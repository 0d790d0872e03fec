//! What nodes have earned: withdrawn by their families, or slashed.

use crate::{Config, Earned, Error, Event, Pallet, Sums, TreasuryPot};
use frame_support::{
	ensure, pallet_prelude::DispatchResult, storage::with_storage_layer, traits::Get,
};
use hippius_economy::slash_split;
use hippius_primitives::{
	traits::{NodeEarnings, NodePenalties},
	NodeIndex,
};

impl<T: Config> Pallet<T> {
	/// Pays a family what its node has accrued, and what of the withheld is no longer needed.
	pub(crate) fn do_withdraw(who: T::AccountId, node: NodeIndex) -> DispatchResult {
		let mut earnings = Earned::<T>::get(node).ok_or(Error::<T>::NothingToPay)?;
		ensure!(
			earnings.family == who.clone().into(),
			Error::<T>::NotYourNode
		);
		let vested = match T::Penalties::standing(node) {
			// It has left: nothing stands behind anything any more.
			None => earnings.withheld,
			Some(standing) => standing
				.held
				.saturating_add(earnings.withheld)
				.saturating_sub(standing.required)
				.min(earnings.withheld),
		};
		let amount = earnings.accrued.saturating_add(vested);
		ensure!(amount > 0, Error::<T>::NothingToPay);
		earnings.accrued = 0;
		earnings.withheld = earnings.withheld.saturating_sub(vested);
		match earnings.withheld {
			0 => Earned::<T>::remove(node),
			_ => Earned::<T>::insert(node, earnings),
		}
		Self::pay(&who, amount)?;
		Sums::<T>::mutate(|sums| {
			sums.miners_withdrawn = sums.miners_withdrawn.saturating_add(amount);
		});
		Self::deposit_event(Event::Withdrawn {
			node,
			family: who,
			amount,
		});
		Ok(())
	}

	/// Takes up to `rao` of what a node has earned, the withheld first; gives what was taken.
	pub fn do_slash(node: NodeIndex, rao: u128, reporter: Option<T::AccountId>) -> u128 {
		let Some(mut earnings) = Earned::<T>::get(node) else {
			return 0;
		};
		let withheld = rao.min(earnings.withheld);
		let accrued = (rao - withheld).min(earnings.accrued);
		let wanted = withheld.saturating_add(accrued);
		if wanted == 0 {
			return 0;
		}
		earnings.withheld -= withheld;
		earnings.accrued -= accrued;
		match earnings.withheld == 0 && earnings.accrued == 0 {
			true => Earned::<T>::remove(node),
			false => Earned::<T>::insert(node, earnings),
		}
		Self::distribute(wanted, reporter.as_ref());
		Self::deposit_event(Event::EarningsSlashed {
			node,
			withheld,
			accrued,
			reporter,
		});
		wanted
	}

	/// Half for repair, a fifth for the reporter, the rest for the treasury. So does what is too little
	/// to bring the account that should get it to life.
	fn distribute(whole: u128, reporter: Option<&T::AccountId>) {
		let parts = slash_split(whole);
		let paid = |to: &T::AccountId, rao: u128| match rao {
			0 => 0,
			_ => with_storage_layer(|| Self::pay(to, rao)).map_or(0, |()| rao),
		};
		let repair = paid(&T::RepairAccount::get(), parts.repair);
		let rewarded = reporter.map_or(0, |reporter| paid(reporter, parts.reporter));
		let treasury = whole - repair - rewarded;
		TreasuryPot::<T>::mutate(|pot| *pot = pot.saturating_add(treasury));
		Sums::<T>::mutate(|sums| {
			sums.slashed = sums.slashed.saturating_add(whole);
			sums.slash_repair = sums.slash_repair.saturating_add(repair);
			sums.slash_reporter = sums.slash_reporter.saturating_add(rewarded);
			sums.slash_treasury = sums.slash_treasury.saturating_add(treasury);
		});
	}
}

impl<T: Config> NodeEarnings for Pallet<T> {
	fn slash(node: NodeIndex, rao: u128, reporter: Option<[u8; 32]>) -> u128 {
		Self::do_slash(node, rao, reporter.map(T::AccountId::from))
	}
}
