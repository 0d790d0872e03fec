//! Weights of the calls and hooks: those measured by the benchmarks, which `scripts/weights.sh` writes into
//! `measured.rs`, put together.

use crate::{clean::FORGET_WITH_APPEND, measured};
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::ParityDbWeight, RuntimeDbWeight, Weight},
};

/// What each call may cost at most.
pub trait WeightInfo {
	/// Weight of `append` with `receipts` receipts.
	fn append(receipts: u32) -> Weight;
	/// Weight of `release` of `stripes` stripes.
	fn release(stripes: u32) -> Weight;
	/// Weight of `report_clean` of `groups` groups, without its authorization.
	fn report_clean(groups: u32) -> Weight;
	/// Weight of authorizing `report_clean`.
	fn authorize_report_clean(groups: u32) -> Weight;
	/// Weight of a block's hook that forgot `roots` roots and looked through `groups` groups'
	/// mappings.
	fn tick(roots: u32, groups: u32) -> Weight;
}

/// A block's hook.
fn tick(db: RuntimeDbWeight, roots: u32, groups: u32) -> Weight {
	let mut weight = measured::tick(db);
	if roots > 0 {
		weight.saturating_accrue(measured::forget(db, roots));
	}
	if groups > 0 {
		weight.saturating_accrue(measured::keep(db, groups));
	}
	weight
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn append(receipts: u32) -> Weight {
			// Roots forgotten with it.
			measured::append($db, receipts)
				.saturating_add(measured::forget($db, FORGET_WITH_APPEND))
		}
		fn release(stripes: u32) -> Weight {
			measured::release($db, stripes)
		}
		fn report_clean(groups: u32) -> Weight {
			measured::report_clean($db, groups)
		}
		fn authorize_report_clean(groups: u32) -> Weight {
			measured::authorize_report_clean($db, groups)
		}
		fn tick(roots: u32, groups: u32) -> Weight {
			tick($db, roots, groups)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(ParityDbWeight::get());
}
