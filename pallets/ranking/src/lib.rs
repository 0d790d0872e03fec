#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::{Era, EraConfig, EraEntry, EraTotals, Placing, Record, Settling, Standing, Sweep};
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod eras;
mod measured;
mod read;
mod sweep;
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
	use alloc::vec::Vec;
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;
	use hippius_primitives::{
		heartbeat::{Page, PAGE_NODES},
		traits::{GroupHoldings, Liveness, NodeBacking, NodeRegistry},
		NodeIndex,
	};
	use hippius_score::Ranked;

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// The registered nodes.
		type Registry: NodeRegistry;

		/// How long nodes were up.
		type Liveness: Liveness;

		/// What stands behind nodes, and who is jailed.
		type Backing: NodeBacking;

		/// Who holds how much.
		type Holdings: GroupHoldings;

		/// Placement groups swept per block.
		#[pallet::constant]
		type GroupsPerBlock: Get<u32>;

		/// Eras whose pages are kept after they were settled, at least 1.
		#[pallet::constant]
		type KeptEras: Get<u32>;

		/// Weights of the hooks.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Lengths. Set at genesis, not changed since; without it the pallet does nothing.
	#[pallet::storage]
	#[pallet::storage_prefix = "Config"]
	pub type Settings<T> = StorageValue<_, EraConfig>;

	/// What is remembered of a node. Written with its first audit or active day; removed by `forget`
	/// and when the page of a node that has left is settled.
	#[pallet::storage]
	pub type Records<T> = StorageMap<_, Twox64Concat, NodeIndex, Record>;

	/// What a node held in the running era, in bytes times blocks. Written by the sweep, taken when
	/// the era is settled.
	#[pallet::storage]
	pub type Held<T> = StorageMap<_, Twox64Concat, NodeIndex, u128>;

	/// Score and bytes of the nodes of a page, in order of their numbers, as fixed at the end of the
	/// last era.
	#[pallet::storage]
	pub type Places<T> = StorageMap<
		_,
		Twox64Concat,
		Page,
		BoundedVec<Option<Placing>, ConstU32<PAGE_NODES>>,
		ValueQuery,
	>;

	/// The running era.
	#[pallet::storage]
	pub type CurrentEra<T> = StorageValue<_, Era, ValueQuery>;

	/// The era that is being settled.
	#[pallet::storage]
	pub type Closing<T> = StorageValue<_, Settling>;

	/// The nodes of a page that held anything in an era, by number. Removed `KeptEras` eras later.
	#[pallet::storage]
	pub type EraPages<T> = StorageDoubleMap<
		_,
		Twox64Concat,
		u32,
		Twox64Concat,
		Page,
		BoundedVec<EraEntry, ConstU32<PAGE_NODES>>,
		ValueQuery,
	>;

	/// Sums over the pages of an era. Removed with them.
	#[pallet::storage]
	pub type Eras<T> = StorageMap<_, Twox64Concat, u32, EraTotals>;

	/// How far the sweep over the placement groups is.
	#[pallet::storage]
	pub type Sweeping<T> = StorageValue<_, Sweep>;

	/// Counts how often the scores were fixed.
	#[pallet::storage]
	pub type Revision<T> = StorageValue<_, u64, ValueQuery>;

	/// Lengths from block 0 on.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Those of this chain.
		pub ranking: EraConfig,
		/// Nothing; carries the type.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			// A chain specification whose eras never end must not start.
			if let Err(reason) = self.ranking.check() {
				panic!("the ranking's genesis configuration is not valid: {reason}");
			}
			Settings::<T>::put(self.ranking);
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// All pages of an era are settled; the scores are in force.
		#[codec(index = 0)]
		EraSettled {
			/// The era.
			era: u32,
			/// Nodes that held anything.
			nodes: u32,
			/// Sum of what they held, in bytes times blocks.
			byte_blocks: u128,
			/// Sum of their pay weights.
			weight: u128,
		},
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::do_on_initialize(now)
		}

		fn integrity_test() {
			assert!(T::GroupsPerBlock::get() > 0, "groups must be swept");
			assert!(T::KeptEras::get() > 0, "an era must be kept to be paid");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// A node's score in force, and what it would be now, term by term.
		pub fn explain(node: NodeIndex) -> Option<Standing> {
			Self::standing(node)
		}

		/// The running era's number and first block.
		pub fn era() -> Era {
			CurrentEra::<T>::get()
		}

		/// Sums over an era that is kept.
		pub fn era_totals(era: u32) -> Option<EraTotals> {
			Eras::<T>::get(era)
		}

		/// What the nodes of a page held in an era that is kept, and what they are paid by.
		pub fn era_page(era: u32, page: Page) -> Vec<EraEntry> {
			EraPages::<T>::get(era, page).into_inner()
		}

		/// The nodes of a page, the best first.
		pub fn ranked(page: Page) -> Vec<Ranked> {
			Self::ranked_page(page)
		}
	}
}
