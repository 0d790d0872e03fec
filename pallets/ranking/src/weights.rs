//! Weights of the calls and hooks: those measured by the benchmarks, which `scripts/weights.sh` writes into
//! `measured.rs`, put together.

use crate::measured;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::ParityDbWeight, Weight},
};

/// What each step may cost at most.
pub trait WeightInfo {
	/// A block in which nothing is due but to look.
	fn idle() -> Weight;
	/// Settling a page.
	fn settle_page() -> Weight;
	/// Sweeping `groups` placement groups.
	fn sweep(groups: u32) -> Weight;
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn idle() -> Weight {
			measured::idle($db)
		}
		fn settle_page() -> Weight {
			measured::settle_page($db)
		}
		fn sweep(groups: u32) -> Weight {
			measured::sweep($db, groups)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(ParityDbWeight::get());
}
