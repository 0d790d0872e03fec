//! Weights of the calls and hooks: those of `measured.rs`, which `scripts/weights.sh` writes, put together.

use crate::measured;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::ParityDbWeight, Weight},
};

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `freeze`.
	fn freeze() -> Weight;
	/// Weight of `payout_page`: the greatest, whatever the page is paid by.
	fn payout_page() -> Weight;
	/// Weight of `close_era`.
	fn close_era() -> Weight;
	/// Weight of `withdraw`.
	fn withdraw() -> Weight;
	/// Weight of `freeze_stakers`.
	fn freeze_stakers() -> Weight;
	/// Weight of `payout_validator`.
	fn payout_validator() -> Weight;
	/// Weight of `close_staker_era`.
	fn close_staker_era() -> Weight;
	/// Weight of `withdraw_stake`.
	fn withdraw_stake() -> Weight;
	/// Weight of `pay_treasury`.
	fn pay_treasury() -> Weight;
}

macro_rules! calls {
	($db:expr) => {
		calls!($db; freeze close_era withdraw freeze_stakers payout_validator
			close_staker_era withdraw_stake pay_treasury);
		fn payout_page() -> Weight {
			measured::payout_page($db)
				.max(measured::payout_egress_page($db))
				.max(measured::payout_ordered_page($db))
		}
	};
	($db:expr; $($call:ident)*) => {
		$(fn $call() -> Weight {
			measured::$call($db)
		})*
	};
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	calls!(T::DbWeight::get());
}

impl WeightInfo for () {
	calls!(ParityDbWeight::get());
}
