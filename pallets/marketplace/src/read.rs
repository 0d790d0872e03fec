//! What can be asked.

use crate::{types::Standing, Accounts, Config, Pallet, Prices};
use hippius_economy::{
	credits_for,
	index::{in_force, index_at},
};
use hippius_primitives::money::{Pool, Service};

/// Blocks of a day.
const DAY: u32 = 14_400;

impl<T: Config> Pallet<T> {
	pub(crate) fn price_of(pool: Pool) -> u128 {
		in_force(&Prices::<T>::get(pool), Self::block()).price
	}

	pub(crate) fn quote_of(alpha: u128) -> Option<u128> {
		credits_for(alpha, Self::alpha_price().ok()?)
	}

	/// As if it were settled now; periods that end in between are not looked into.
	pub(crate) fn standing_of(who: &T::AccountId) -> Option<Standing> {
		let account = Accounts::<T>::get(who)?;
		let now = Self::block();
		let mut owed = account.debt();
		for service in Service::ALL {
			let free = account
				.subscription(service)
				.map_or(0, |running| running.plan.included);
			let held = account
				.lines
				.iter()
				.filter(|line| line.pool == service.held() && line.meter.units > 0);
			for line in held {
				let index = index_at(&Prices::<T>::get(line.pool), now);
				owed = owed.saturating_add(line.meter.owed(index, free));
			}
		}
		let available = account.available();
		let left = available.saturating_sub(owed);
		let per_day = Self::floor(&account, DAY);
		Some(Standing {
			credits: account.credits().saturating_sub(owed.min(available)),
			locked: account.locked,
			debt: owed.saturating_sub(available),
			per_day,
			runway: hippius_economy::mul_div(left, DAY.into(), per_day)
				.map(|blocks| u32::try_from(blocks).unwrap_or(u32::MAX)),
			floor: Self::floor(&account, Self::config().floor_blocks),
			owes: account.owes,
			status: account.status,
		})
	}
}
