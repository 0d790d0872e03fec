//! Lengths that a chain is born with.
//!
//! Validators of one chain must agree on the length of an epoch for ever: a chain whose BABE epoch
//! length changes stops. So these are neither constants of the wasm, which all networks share, nor
//! parameters that governance could touch, but state that only genesis writes.
//!
//! A few periods that governance *may* touch later, in `pallet-parameters`, can be given another
//! first value here, because that pallet has no genesis of its own.

pub use pallet::*;

/// A period that genesis may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunable {
	/// Blocks in which a node's old and new key are both valid.
	KeyOverlap,
	/// Blocks from the start of a node's exit until its stake is free.
	UnbondingPeriod,
	/// Blocks from one snapshot of the ledgers to the next.
	SnapshotPeriod,
	/// Blocks a node has to fill a slot before it is asked for its bytes.
	BackfillPeriod,
}

/// Sets a parameter at genesis.
pub trait GenesisTuning<BlockNumber> {
	/// Sets `name` to `value`.
	fn set(name: Tunable, value: BlockNumber) -> sp_runtime::DispatchResult;
}

/// See the module's documentation.
#[frame_support::pallet]
pub mod pallet {
	use super::{GenesisTuning, Tunable};
	use frame_support::{pallet_prelude::*, traits::ConstU64};
	use frame_system::pallet_prelude::BlockNumberFor;
	use sp_staking::SessionIndex;

	/// The pallet.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What the pallet needs.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// Sets parameters at genesis.
		type Tuning: GenesisTuning<BlockNumberFor<Self>>;
	}

	/// Slots of a BABE epoch, which is also a session. Written by genesis only.
	#[pallet::storage]
	pub type SlotsPerEpoch<T> = StorageValue<_, u64, ValueQuery, ConstU64<600>>;

	/// Sessions of a staking era. Written by genesis only.
	#[pallet::storage]
	pub type SessionsPerEra<T> = StorageValue<_, SessionIndex, ValueQuery, ConstU32<6>>;

	/// The lengths of a new chain.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// Slots of a BABE epoch; not zero.
		pub slots_per_epoch: u64,
		/// Sessions of a staking era; not zero.
		pub sessions_per_era: SessionIndex,
		/// First value of the parameter, if not its default.
		pub key_overlap: Option<BlockNumberFor<T>>,
		/// First value of the parameter, if not its default.
		pub unbonding_period: Option<BlockNumberFor<T>>,
		/// First value of the parameter, if not its default.
		pub snapshot_period: Option<BlockNumberFor<T>>,
		/// First value of the parameter, if not its default.
		pub backfill_period: Option<BlockNumberFor<T>>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self {
				slots_per_epoch: 600,
				sessions_per_era: 6,
				key_overlap: None,
				unbonding_period: None,
				snapshot_period: None,
				backfill_period: None,
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				self.slots_per_epoch > 0,
				"network.slotsPerEpoch must not be zero"
			);
			assert!(
				self.sessions_per_era > 0,
				"network.sessionsPerEra must not be zero"
			);
			SlotsPerEpoch::<T>::put(self.slots_per_epoch);
			SessionsPerEra::<T>::put(self.sessions_per_era);
			for (name, value) in [
				(Tunable::KeyOverlap, self.key_overlap),
				(Tunable::UnbondingPeriod, self.unbonding_period),
				(Tunable::SnapshotPeriod, self.snapshot_period),
				(Tunable::BackfillPeriod, self.backfill_period),
			] {
				let Some(value) = value else { continue };
				let result = T::Tuning::set(name, value);
				assert!(result.is_ok(), "network: cannot set {name:?}: {result:?}");
			}
		}
	}
}
