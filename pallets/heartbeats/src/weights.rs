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
	/// Weight of `post_page`.
	fn post_page() -> Weight;
	/// Weight of authorizing `post_page`.
	fn authorize_post_page() -> Weight;
	/// Weight of `show_life`.
	fn show_life() -> Weight;
	/// Weight of authorizing `show_life`.
	fn authorize_show_life() -> Weight;
	/// Weight of `announce_absence`.
	fn announce_absence() -> Weight;
	/// Weight of `end_absence`.
	fn end_absence() -> Weight;
	/// Weight of `announce_endpoint`.
	fn announce_endpoint() -> Weight;
	/// Weight of authorizing `announce_endpoint`.
	fn authorize_announce_endpoint() -> Weight;
	/// A block in which nothing is due.
	fn idle() -> Weight;
	/// Opening a window.
	fn open_window() -> Weight;
	/// Passing over windows that were never opened.
	fn skip_window() -> Weight;
	/// Settling a page, of which `days` days are forgotten and `told` nodes change.
	fn settle_page(days: u32, told: u32) -> Weight;
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn post_page() -> Weight {
			measured::post_page($db)
		}
		fn authorize_post_page() -> Weight {
			measured::authorize_post_page($db)
		}
		fn show_life() -> Weight {
			measured::show_life($db)
		}
		fn authorize_show_life() -> Weight {
			measured::authorize_show_life($db)
		}
		fn announce_absence() -> Weight {
			measured::announce_absence($db)
		}
		fn end_absence() -> Weight {
			measured::end_absence($db)
		}
		fn announce_endpoint() -> Weight {
			measured::announce_endpoint($db)
		}
		fn authorize_announce_endpoint() -> Weight {
			measured::authorize_announce_endpoint($db)
		}
		fn idle() -> Weight {
			measured::idle($db)
		}
		fn open_window() -> Weight {
			measured::open_window($db)
		}
		fn skip_window() -> Weight {
			measured::skip_window($db)
		}
		fn settle_page(days: u32, told: u32) -> Weight {
			measured::settle_page($db, days, told)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(ParityDbWeight::get());
}
