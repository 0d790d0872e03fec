//! Weights of the calls and hooks: those of `measured.rs`, which `scripts/weights.sh` writes, put together.

use crate::measured;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::ParityDbWeight, Weight},
};

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `deposit`.
	fn deposit() -> Weight;
	/// Weight of `refund`.
	fn refund() -> Weight;
	/// Weight of `redeem`.
	fn redeem() -> Weight;
	/// Weight of `mature`.
	fn mature() -> Weight;
	/// Weight of `chargeback`.
	fn chargeback() -> Weight;
	/// Weight of `repay`.
	fn repay() -> Weight;
	/// Weight of `settle`, and of each account that is settled.
	fn settle() -> Weight;
	/// Weight of `authorize_gateway`.
	fn authorize_gateway() -> Weight;
	/// Weight of `revoke_gateway`.
	fn revoke_gateway() -> Weight;
	/// Weight of `post_egress` with so many receipts.
	fn post_egress(receipts: u32) -> Weight;
	/// Weight of `subscribe`.
	fn subscribe() -> Weight;
	/// Weight of `unsubscribe`.
	fn unsubscribe() -> Weight;
	/// Weight of `set_alpha_price`.
	fn set_alpha_price() -> Weight;
	/// Weight of `force_alpha_price`.
	fn force_alpha_price() -> Weight;
	/// Weight of `set_price`.
	fn set_price() -> Weight;
	/// Weight of `set_plan`.
	fn set_plan() -> Weight;
	/// Weight of `set_payment_keys`.
	fn set_payment_keys() -> Weight;
	/// Weight of forgetting old receipts.
	fn forget_receipts() -> Weight;
}

macro_rules! calls {
	($db:expr) => {
		calls!($db; deposit refund redeem mature chargeback repay settle authorize_gateway
			revoke_gateway subscribe unsubscribe set_alpha_price force_alpha_price set_price set_plan
			set_payment_keys forget_receipts);
		fn post_egress(receipts: u32) -> Weight {
			// Measured with the receipts of one client; each may be of another, who is settled first.
			let clients = Self::settle().saturating_mul(receipts.into());
			measured::post_egress($db, receipts).saturating_add(clients)
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
