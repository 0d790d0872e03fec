#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::{Earnings, EraPool, Held, OpenEras as OpenEraList, StakerEra, Totals, PAGE};
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod earnings;
mod eras;
mod measured;
mod read;
mod revenue;
mod stakers;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Inspect, Mutate},
		PalletId,
	};
	use frame_system::pallet_prelude::*;
	use hippius_primitives::{
		money::{Pool, Service},
		traits::{NodePenalties, NodeRegistry, PayWeights, ValidatorStakes},
		NodeIndex,
	};

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]> + From<[u8; 32]>> {
		/// Alpha, in rao.
		type Currency: Inspect<Self::AccountId, Balance = u128> + Mutate<Self::AccountId>;

		/// What nodes are paid by.
		type Weights: PayWeights;

		/// The registered nodes.
		type Registry: NodeRegistry;

		/// What is bonded for nodes, and must be.
		type Penalties: NodePenalties;

		/// Validators and those who stake with them.
		type Stakes: ValidatorStakes<Self::AccountId>;

		/// Gets the half of each slash that pays for repair.
		type RepairAccount: Get<Self::AccountId>;

		/// Gets the treasury's part of revenue, and what of slashes nobody else gets.
		type TreasuryAccount: Get<Self::AccountId>;

		/// What of each payment is kept back, in millionths, while a node's bond is short.
		type WithheldPpm: Get<u32>;

		/// From this the account of the pots is derived.
		#[pallet::constant]
		type PalletId: Get<PalletId>;

		/// Weights of calls and hooks.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// Miners' parts of what was charged since the last era was frozen, and what was carried over.
	#[pallet::storage]
	pub type Pots<T> = StorageMap<_, Twox64Concat, Pool, u128, ValueQuery>;

	/// Validators' parts of what was charged since their last era was frozen, and what was carried over.
	#[pallet::storage]
	pub type StakersPot<T> = StorageValue<_, u128, ValueQuery>;

	/// The treasury's parts that were not moved to it yet.
	#[pallet::storage]
	pub type TreasuryPot<T> = StorageValue<_, u128, ValueQuery>;

	/// Sums since the beginning.
	#[pallet::storage]
	pub type Sums<T> = StorageValue<_, Totals, ValueQuery>;

	/// The newest era that was frozen, by service.
	#[pallet::storage]
	pub type Frozen<T> = StorageMap<_, Twox64Concat, Service, u32>;

	/// Eras that are being paid. Written by `freeze`, removed with their last page.
	#[pallet::storage]
	pub type EraPools<T> = StorageDoubleMap<_, Twox64Concat, Pool, Twox64Concat, u32, EraPool>;

	/// The keys of those, oldest first.
	#[pallet::storage]
	pub type OpenEras<T> = StorageValue<_, OpenEraList, ValueQuery>;

	/// What nodes have earned and their families not withdrawn.
	#[pallet::storage]
	pub type Earned<T> = StorageMap<_, Twox64Concat, NodeIndex, Earnings>;

	/// The number under which what is sent now is kept.
	#[pallet::storage]
	pub type OpenEgress<T> = StorageMap<_, Twox64Concat, Service, u32, ValueQuery>;

	/// Rao that went to revenue for what was sent, by service and number, by node. Removed when the node's
	/// page is paid.
	#[pallet::storage]
	pub type EgressSent<T> = StorageDoubleMap<
		_,
		Twox64Concat,
		(Service, u32),
		Twox64Concat,
		NodeIndex,
		u128,
		ValueQuery,
	>;

	/// The sum of those of the open number.
	#[pallet::storage]
	pub type EgressTotal<T> = StorageMap<_, Twox64Concat, Service, u128, ValueQuery>;

	/// The newest era of staking that was frozen.
	#[pallet::storage]
	pub type StakersFrozen<T> = StorageValue<_, u32>;

	/// Eras of staking that are being paid. Removed when staking no longer keeps them.
	#[pallet::storage]
	pub type StakerEras<T> = StorageMap<_, Twox64Concat, u32, StakerEra>;

	/// The oldest of those, or one before it.
	#[pallet::storage]
	pub type OldestStakerEra<T> = StorageValue<_, u32>;

	/// Which pages of a validator are paid: bit `p` for page `p`.
	#[pallet::storage]
	pub type StakerPagesPaid<T: Config> =
		StorageDoubleMap<_, Twox64Concat, u32, Blake2_128Concat, T::AccountId, u64, ValueQuery>;

	/// What validators and stakers were credited with and not withdrew.
	#[pallet::storage]
	pub type StakerEarned<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, u128, ValueQuery>;

	/// Nothing to set: keeps the account of the pots alive, and those of repair and treasury once they are:
	/// a slash of some rao could not be paid to an account that is not.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Nothing; carries the type.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			let (account, least) = (Pallet::<T>::account(), T::Currency::minimum_balance());
			if T::Currency::balance(&account) < least {
				T::Currency::set_balance(&account, least);
			}
			for kept in [T::RepairAccount::get(), T::TreasuryAccount::get()] {
				if T::Currency::balance(&kept) >= least {
					// With a consumer nobody can take the balance that keeps it alive.
					let kept = frame_system::Pallet::<T>::inc_consumers(&kept);
					assert!(kept.is_ok(), "an account with a balance has a provider");
				}
			}
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A charge came in and was split.
		#[codec(index = 0)]
		RevenueSplit {
			/// What it was for.
			pool: Pool,
			/// Rao.
			amount: u128,
			/// Of that, into the pool.
			miners: u128,
			/// Of that, into the validators' pot.
			validators: u128,
			/// Of that, into the treasury's pot.
			treasury: u128,
		},
		/// The treasury's pot was moved to it.
		#[codec(index = 1)]
		TreasuryPaid {
			/// Rao.
			amount: u128,
		},
		/// What a pool had is paid by the weights of an era.
		#[codec(index = 2)]
		EraFrozen {
			/// The pool.
			pool: Pool,
			/// The era.
			era: u32,
			/// Rao.
			amount: u128,
			/// The sum of all weights.
			weight: u128,
			/// Pages to pay.
			pages: u32,
		},
		/// Nobody earned in an era, or there was nothing: it is left for the next.
		#[codec(index = 3)]
		EraCarried {
			/// The pool.
			pool: Pool,
			/// The era.
			era: u32,
			/// Rao.
			amount: u128,
		},
		/// The nodes of a page were credited.
		#[codec(index = 4)]
		PagePaid {
			/// The pool.
			pool: Pool,
			/// The era.
			era: u32,
			/// The page.
			page: u32,
			/// How many nodes.
			nodes: u32,
			/// Rao.
			amount: u128,
		},
		/// A node was credited.
		#[codec(index = 5)]
		NodeCredited {
			/// The node.
			node: NodeIndex,
			/// Rao.
			amount: u128,
			/// Of that, kept back until its bond is whole.
			withheld: u128,
		},
		/// An era is paid.
		#[codec(index = 6)]
		EraPaid {
			/// The pool.
			pool: Pool,
			/// The era.
			era: u32,
			/// Rao credited.
			amount: u128,
			/// Rao left for the next.
			carried: u128,
		},
		/// A family withdrew what a node earned.
		#[codec(index = 7)]
		Withdrawn {
			/// The node.
			node: NodeIndex,
			/// Its family.
			family: T::AccountId,
			/// Rao.
			amount: u128,
		},
		/// Of what a node had earned something was taken.
		#[codec(index = 8)]
		EarningsSlashed {
			/// The node.
			node: NodeIndex,
			/// Rao of what was withheld.
			withheld: u128,
			/// Rao of what was accrued.
			accrued: u128,
			/// Who reported it.
			reporter: Option<T::AccountId>,
		},
		/// The validators' pot is paid by the points of an era.
		#[codec(index = 9)]
		StakerEraFrozen {
			/// The era.
			era: u32,
			/// Rao.
			amount: u128,
			/// The sum of all points.
			points: u32,
		},
		/// A validator and a page of those who stake with it were credited.
		#[codec(index = 10)]
		ValidatorPaid {
			/// The era.
			era: u32,
			/// The validator.
			validator: T::AccountId,
			/// The page.
			page: u32,
			/// Rao.
			amount: u128,
		},
		/// An era of staking is over for good.
		#[codec(index = 11)]
		StakerEraClosed {
			/// The era.
			era: u32,
			/// Rao credited.
			amount: u128,
			/// Rao left for the next.
			carried: u128,
		},
		/// A validator or staker withdrew what it was credited with.
		#[codec(index = 12)]
		StakeWithdrawn {
			/// Who.
			who: T::AccountId,
			/// Rao.
			amount: u128,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// No era ended since the last was frozen.
		#[codec(index = 0)]
		NothingToFreeze,
		/// 64 eras are being paid: pay pages of the oldest first.
		#[codec(index = 1)]
		TooManyEras,
		/// The era is not being paid: not frozen, nothing to pay, or paid.
		#[codec(index = 2)]
		UnknownEra,
		/// The era has fewer pages.
		#[codec(index = 3)]
		UnknownPage,
		/// The page was paid before.
		#[codec(index = 4)]
		PageAlreadyPaid,
		/// By what the era is paid is no longer kept: close it.
		#[codec(index = 5)]
		EraNotKept,
		/// By what the era is paid is still kept: pay it.
		#[codec(index = 6)]
		EraIsKept,
		/// There is nothing to pay.
		#[codec(index = 7)]
		NothingToPay,
		/// The node is another family's.
		#[codec(index = 8)]
		NotYourNode,
		/// The account did not validate in the era.
		#[codec(index = 9)]
		NotAValidator,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, room: Weight) -> Weight {
			Self::tick(room)
		}

		fn integrity_test() {
			assert!(
				T::WithheldPpm::get() <= 1_000_000,
				"no more than all can be kept back"
			);
			let most = T::BlockWeights::get().max_block.ref_time() / 4;
			for page in [
				T::WeightInfo::payout_page(),
				T::WeightInfo::payout_validator(),
			] {
				assert!(
					page.ref_time() <= most,
					"a page must leave three quarters of a block"
				);
			}
			assert!(
				T::Currency::minimum_balance() > 0,
				"the account is kept alive by its least balance"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Freezes what a service's pools have, if the weights of an era are fixed since. Anyone may ask
		/// for it; blocks with room do it by themselves.
		#[pallet::call_index(0)]
		pub fn freeze(origin: OriginFor<T>, service: Service) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_freeze(service)
		}

		/// Credits the 128 nodes of a page with their shares of an era. Anyone may ask for it; blocks
		/// with room do it by themselves.
		#[pallet::call_index(1)]
		pub fn payout_page(
			origin: OriginFor<T>,
			pool: Pool,
			era: u32,
			page: u32,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_payout_page(pool, era, page)
		}

		/// Ends an era by whose weights nobody can be paid any more. Its rest is carried over.
		#[pallet::call_index(2)]
		pub fn close_era(origin: OriginFor<T>, pool: Pool, era: u32) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_close_era(pool, era)
		}

		/// Pays the signing family what its node has earned.
		#[pallet::call_index(3)]
		pub fn withdraw(origin: OriginFor<T>, node: NodeIndex) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who, node)
		}

		/// Freezes the validators' pot, if an era of staking ended since. Anyone may ask for it.
		#[pallet::call_index(4)]
		pub fn freeze_stakers(origin: OriginFor<T>) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_freeze_stakers()
		}

		/// Credits a validator (with page 0) and a page of those who stake with it. Anyone may ask for it.
		#[pallet::call_index(5)]
		pub fn payout_validator(
			origin: OriginFor<T>,
			era: u32,
			validator: T::AccountId,
			page: u32,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_payout_validator(era, validator, page)
		}

		/// Ends the oldest era of staking, if staking no longer keeps it. Its rest is carried over.
		#[pallet::call_index(6)]
		pub fn close_staker_era(origin: OriginFor<T>) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_close_staker_era()
		}

		/// Pays the signing validator or staker what it was credited with.
		#[pallet::call_index(7)]
		pub fn withdraw_stake(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_stake(who)
		}

		/// Moves the treasury's pot to the treasury. Anyone may ask for it.
		#[pallet::call_index(8)]
		pub fn pay_treasury(origin: OriginFor<T>) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_pay_treasury()
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// What a pool has for the running era.
		pub fn pool(pool: Pool) -> u128 {
			Pots::<T>::get(pool)
		}

		/// An era of a pool that is being paid.
		pub fn era(pool: Pool, era: u32) -> Option<EraPool> {
			EraPools::<T>::get(pool, era)
		}

		/// The eras that are being paid.
		pub fn open_eras() -> OpenEraList {
			OpenEras::<T>::get()
		}

		/// What a node has earned and its family not withdrawn.
		pub fn earnings(node: NodeIndex) -> Option<Earnings> {
			Earned::<T>::get(node)
		}

		/// What a validator or staker was credited with and not withdrew.
		pub fn stake_earnings(who: T::AccountId) -> u128 {
			StakerEarned::<T>::get(who)
		}

		/// Sums since the beginning.
		pub fn totals() -> Totals {
			Sums::<T>::get()
		}
	}
}
