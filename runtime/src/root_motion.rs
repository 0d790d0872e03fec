//! Lets a collective decide what only root may do.
//!
//! `pallet-collective` carries out a motion with the collective's own origin. Where there is no sudo
//! key, something must turn a large enough majority into root, for runtime upgrades above all. That is
//! all this pallet does: a motion proposes [`Call::dispatch_as_root`] with the call to be made.

pub use pallet::*;

/// See the module's documentation.
#[frame_support::pallet]
pub mod pallet {
	use alloc::boxed::Box;
	use frame_support::{
		dispatch::{GetDispatchInfo, PostDispatchInfo},
		pallet_prelude::*,
		traits::UnfilteredDispatchable,
	};
	use frame_system::{pallet_prelude::*, RawOrigin};
	use sp_runtime::traits::Dispatchable;

	/// The pallet.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What the pallet needs.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// A call that can be made as root.
		type RuntimeCall: Parameter
			+ UnfilteredDispatchable<RuntimeOrigin = Self::RuntimeOrigin>
			+ Dispatchable<RuntimeOrigin = Self::RuntimeOrigin, PostInfo = PostDispatchInfo>
			+ GetDispatchInfo;
		/// Who may act as root.
		type DispatchOrigin: EnsureOrigin<Self::RuntimeOrigin>;
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A call was made as root.
		#[codec(index = 0)]
		DispatchedAsRoot {
			/// What came of it.
			result: DispatchResult,
		},
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Makes `call` as root, past the call filter. The call's own failure is reported by the event
		/// and does not fail the motion.
		#[pallet::call_index(0)]
		#[pallet::weight({
			let info = call.get_dispatch_info();
			(info.call_weight.saturating_add(T::DbWeight::get().writes(1)), info.class)
		})]
		pub fn dispatch_as_root(
			origin: OriginFor<T>,
			call: Box<<T as Config>::RuntimeCall>,
		) -> DispatchResult {
			T::DispatchOrigin::ensure_origin(origin)?;
			let result = call.dispatch_bypass_filter(RawOrigin::Root.into());
			Self::deposit_event(Event::DispatchedAsRoot {
				result: result.map(|_| ()).map_err(|failure| failure.error),
			});
			Ok(())
		}
	}
}
