//! Weights of the calls and hooks: those of `measured.rs`, which `scripts/weights.sh` writes, put together.

use crate::measured;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::ParityDbWeight, Weight},
};

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `offer`.
	fn offer() -> Weight;
	/// Weight of `request`.
	fn request() -> Weight;
	/// Weight of giving an order to a node.
	fn assign() -> Weight;
	/// Weight of `accept`.
	fn accept() -> Weight;
	/// Weight of `decline`.
	fn decline() -> Weight;
	/// Weight of `set_running`.
	fn set_running() -> Weight;
	/// Weight of `renew`.
	fn renew() -> Weight;
	/// Weight of `cancel`.
	fn cancel() -> Weight;
	/// Weight of `advance`.
	fn advance() -> Weight;
}

macro_rules! calls {
	($db:expr) => {
		calls!($db; offer request assign accept decline set_running renew cancel advance);
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
