//! What can be asked.

use crate::{
	types::Held, Config, Earned, EraPools, Pallet, Pots, StakerEarned, StakerEras, StakersPot,
	TreasuryPot,
};

impl<T: Config> Pallet<T> {
	/// Adds up all pots: for tests and checks, since it goes through everything.
	pub fn held() -> Held {
		let sum = |values: &mut dyn Iterator<Item = u128>| {
			values.fold(0u128, |sum, value| sum.saturating_add(value))
		};
		let eras = &mut EraPools::<T>::iter_values().map(|era| era.amount.saturating_sub(era.paid));
		let nodes = &mut Earned::<T>::iter_values()
			.map(|earned| earned.accrued.saturating_add(earned.withheld));
		let stakers = &mut StakerEras::<T>::iter_values()
			.map(|era| era.amount.saturating_sub(era.paid))
			.chain(StakerEarned::<T>::iter_values())
			.chain(core::iter::once(StakersPot::<T>::get()));
		Held {
			pools: sum(&mut Pots::<T>::iter_values()),
			eras: sum(eras),
			nodes: sum(nodes),
			stakers: sum(stakers),
			treasury: TreasuryPot::<T>::get(),
		}
	}
}
