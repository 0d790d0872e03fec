#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

pub use pallet::*;
pub use refusal::Refusal;
pub use types::{Exception, GroupExceptions, Inputs, PlacementConfig, SkipReason};
pub use weights::WeightInfo;

mod build;
mod epochs;
mod exceptions;
mod health;
mod ids;
pub mod offchain;
mod read;
mod refusal;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

/// Target of the pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::cluster-map";

/// How many epochs' maps are kept, the newest included.
pub const KEPT_EPOCHS: u32 = 32;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use arion_crush::{BucketId, UpmapItem, WEIGHT_ONE};
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;
	use hippius_primitives::{
		registration::MAX_HOST_LEN,
		traits::{ClusterMaps, Liveness, NodeRegistry, NodeScores},
		Epoch, NodeIndex, Pg,
	};
	use hippius_score::placement::Growth;
	use sp_core::H256;

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	/// A host's name in the key of its bucket.
	pub type HostName = BoundedVec<u8, ConstU32<MAX_HOST_LEN>>;

	/// The first id given to a bucket; the next ones go down from it.
	#[pallet::type_value]
	pub fn FirstBucketId() -> BucketId {
		-1
	}

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// Where the nodes come from.
		type Registry: NodeRegistry;

		/// What nodes are worth; `()` weighs them by their capacity alone.
		type Scores: NodeScores;

		/// Who is gone for so long that others shall get its data.
		type Liveness: Liveness;

		/// Who sets reweights.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Most nodes looked at for a map; the registry should take no more. The weight of an epoch
		/// grows with it.
		#[pallet::constant]
		type MaxNodes: Get<u32>;

		/// Longest encoded map, in bytes.
		#[pallet::constant]
		type MaxMapLen: Get<u32>;

		/// Most placement exceptions.
		#[pallet::constant]
		type MaxExceptions: Get<u32>;

		/// Most placement groups with exceptions. Each epoch computes all of their mappings.
		#[pallet::constant]
		type MaxExceptionGroups: Get<u32>;

		/// Weights of the calls and hooks.
		type WeightInfo: WeightInfo;
	}

	/// How placement works. Set at genesis, not changed since.
	#[pallet::storage]
	#[pallet::storage_prefix = "Config"]
	pub type Placement<T> = StorageValue<_, PlacementConfig>;

	/// The newest epoch, 0 before the first.
	#[pallet::storage]
	pub type CurrentEpoch<T> = StorageValue<_, Epoch, ValueQuery>;

	/// blake2-256 of each epoch's encoded map. Never removed.
	#[pallet::storage]
	pub type MapHash<T> = StorageMap<_, Twox64Concat, Epoch, H256>;

	/// Each epoch's encoded map, removed when it is [`KEPT_EPOCHS`] epochs old.
	#[pallet::storage]
	pub type MapBlob<T: Config> = StorageMap<_, Twox64Concat, Epoch, BoundedVec<u8, T::MaxMapLen>>;

	/// The id of each zone's bucket. Never removed.
	#[pallet::storage]
	pub type ZoneBucketId<T> = StorageMap<_, Twox64Concat, u8, BucketId>;

	/// The id of each family's bucket in each zone. Kept when the bucket leaves the map, so that it
	/// comes back with the id it had and little data moves.
	#[pallet::storage]
	pub type FamilyBucketId<T> = StorageMap<_, Blake2_128Concat, (u8, [u8; 32]), BucketId>;

	/// The id of each host's bucket. Kept as the families' are.
	#[pallet::storage]
	pub type HostBucketId<T> = StorageMap<_, Blake2_128Concat, (u8, [u8; 32], HostName), BucketId>;

	/// The id the next new bucket gets. Only ever goes down, so no id is used twice.
	#[pallet::storage]
	pub type NextBucketId<T> = StorageValue<_, BucketId, ValueQuery, FirstBucketId>;

	/// Nodes that are not fully in: for which share of the placement groups they are (16.16, below
	/// 1.0). Written by `set_reweight`, which removes an entry by setting 1.0.
	#[pallet::storage]
	pub type Reweight<T> = StorageMap<_, Twox64Concat, NodeIndex, u32>;

	/// Counts the changes of `Reweight`.
	#[pallet::storage]
	pub type ReweightRevision<T> = StorageValue<_, u64, ValueQuery>;

	/// Nodes of the newest map and their weights' sum.
	#[pallet::storage]
	pub type Totals<T> = StorageValue<_, (u32, u64), ValueQuery>;

	/// What the last map, published or refused, was built from; the same is not tried twice.
	#[pallet::storage]
	pub type LastInputs<T> = StorageValue<_, Inputs, ValueQuery>;

	/// The weights of the current map that depend on scores, and where their growth is counted from.
	#[pallet::storage]
	pub type WeightHistory<T: Config> =
		StorageValue<_, BoundedVec<(NodeIndex, Growth), T::MaxNodes>, ValueQuery>;

	/// Nodes that are out of the current map by their health, ascending.
	#[pallet::storage]
	pub type TakenOut<T: Config> = StorageValue<_, BoundedVec<NodeIndex, T::MaxNodes>, ValueQuery>;

	/// Placement exceptions, ascending; the next epoch's map has those that it allows.
	#[pallet::storage]
	pub type Exceptions<T: Config> =
		StorageValue<_, BoundedVec<UpmapItem, T::MaxExceptions>, ValueQuery>;

	/// Counts the changes of `Exceptions` by calls.
	#[pallet::storage]
	pub type ExceptionRevision<T> = StorageValue<_, u64, ValueQuery>;

	/// How placement works from block 0 on.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The placement of this chain.
		pub placement: PlacementConfig,
		/// Nothing; carries the type.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	impl<T: Config> GenesisConfig<T> {
		/// With this placement.
		pub fn new(placement: PlacementConfig) -> Self {
			Self {
				placement,
				_config: core::marker::PhantomData,
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			// A chain specification that places no data must not start.
			if let Err(reason) = self.placement.check() {
				panic!("the cluster map's genesis placement is not valid: {reason}");
			}
			Placement::<T>::put(&self.placement);
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A new map is in force.
		#[codec(index = 0)]
		EpochStarted {
			/// Its number.
			epoch: Epoch,
			/// blake2-256 of the encoded map.
			hash: H256,
			/// Nodes in the map.
			nodes: u32,
		},
		/// No map could be made of the present nodes; the old one stays in force.
		#[codec(index = 1)]
		EpochSkipped {
			/// Why.
			reason: SkipReason,
		},
		/// A node's reweight was set; the next epoch's map has it.
		#[codec(index = 2)]
		ReweightSet {
			/// The node.
			node: NodeIndex,
			/// Its share of the placement groups (16.16, 1.0 = all).
			weight: u32,
		},
		/// So many nodes seem to be gone or worthless that not all were taken out.
		#[codec(index = 3)]
		OutageSuspected {
			/// Nodes that should be out.
			wanted: u32,
			/// Nodes that are.
			out: u32,
		},
		/// A placement group has these exceptions and no others; the next epoch's map has them.
		#[codec(index = 4)]
		ExceptionsSet {
			/// The group.
			pg: Pg,
			/// Its exceptions, as given.
			exceptions: GroupExceptions,
		},
		/// A placement group has no exceptions any more; the next epoch's map has none of it.
		#[codec(index = 5)]
		ExceptionsRemoved {
			/// The group.
			pg: Pg,
		},
		/// The map now in force does not allow these exceptions, so they were dropped.
		#[codec(index = 6)]
		ExceptionsDropped {
			/// Each with the reason.
			dropped: BoundedVec<(UpmapItem, Refusal), T::MaxExceptions>,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// No node has this number.
		#[codec(index = 0)]
		UnknownNode,
		/// A reweight is at most 1.0, that is 65536.
		#[codec(index = 1)]
		ReweightTooHigh,
		/// There is no map yet to judge an exception by.
		#[codec(index = 2)]
		NoMap,
		/// No exceptions were given, or the group has none.
		#[codec(index = 3)]
		NoExceptions,
		/// There would be more than `MaxExceptions`.
		#[codec(index = 4)]
		TooManyExceptions,
		/// More than `MaxExceptionGroups` placement groups would have exceptions.
		#[codec(index = 5)]
		TooManyGroups,
		/// The map has no such placement group.
		#[codec(index = 6)]
		UnknownGroup,
		/// The group has no mapping by the current map.
		#[codec(index = 7)]
		Unmappable,
		/// A node of an exception is not in the map.
		#[codec(index = 8)]
		NotInMap,
		/// The giving node holds no slot of the group by the calculator.
		#[codec(index = 9)]
		NotHeld,
		/// The taking node has the weight 0: it is to be emptied.
		#[codec(index = 10)]
		NoWeight,
		/// The taking node is out for the group.
		#[codec(index = 11)]
		NodeOut,
		/// The nodes are in different zones.
		#[codec(index = 12)]
		OtherZone,
		/// The taking node has a slot of the group already.
		#[codec(index = 13)]
		AlreadyHolds,
		/// The giving node's slot has an exception already.
		#[codec(index = 14)]
		MovedTwice,
		/// The taking node's failure domain has a slot of the group already.
		#[codec(index = 15)]
		DomainUsed,
		/// The taking node's family would have more than three slots of the group.
		#[codec(index = 16)]
		FamilyFull,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::do_on_initialize(now)
		}

		fn offchain_worker(_: BlockNumberFor<T>) {
			offchain::run::<T>()
		}

		fn integrity_test() {
			assert!(T::MaxNodes::get() > 0, "a map has nodes");
			assert!(
				T::MaxNodes::get() <= build::MAX_BUCKET_WEIGHT,
				"each node must be able to weigh something"
			);
			assert!(
				T::MaxMapLen::get() as usize <= arion_crush::cluster::MAX_BLOB_LEN,
				"everybody must be able to read the longest map"
			);
			assert!(
				T::MaxExceptions::get() as usize <= arion_crush::upmap::MAX_EXCEPTIONS,
				"a map must take all exceptions"
			);
			assert!(
				T::MaxExceptionGroups::get() <= T::MaxExceptions::get(),
				"a group with exceptions has at least one"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Sets for which share of the placement groups a node is in: 65536 for all, 0 for none, and
		/// a fraction for a fixed part of them. The map of the next epoch has it.
		#[pallet::call_index(0)]
		pub fn set_reweight(origin: OriginFor<T>, node: NodeIndex, weight: u32) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_reweight(node, weight)
		}

		/// Lets other nodes hold slots of a placement group than the calculator says, in the place of
		/// the group's exceptions so far. Each is checked by the current map; the map of the next epoch
		/// has those that it allows.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::set_exceptions(
			T::MaxNodes::get(),
			T::MaxExceptions::get(),
			exceptions.len() as u32,
		))]
		pub fn set_exceptions(
			origin: OriginFor<T>,
			pg: Pg,
			exceptions: GroupExceptions,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_exceptions(pg, exceptions)
		}

		/// Removes all exceptions of a placement group. The map of the next epoch has none of it.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::remove_exceptions(T::MaxExceptions::get()))]
		pub fn remove_exceptions(origin: OriginFor<T>, pg: Pg) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_remove_exceptions(pg)
		}
	}

	impl<T: Config> Pallet<T> {
		/// Sets a node's reweight. 1.0 can be set for any number, to remove the entry of a node that
		/// is gone.
		pub fn do_set_reweight(node: NodeIndex, weight: u32) -> DispatchResult {
			ensure!(weight <= WEIGHT_ONE, Error::<T>::ReweightTooHigh);
			if weight == WEIGHT_ONE {
				Reweight::<T>::remove(node);
			} else {
				ensure!(T::Registry::node(node).is_some(), Error::<T>::UnknownNode);
				Reweight::<T>::insert(node, weight);
			}
			ReweightRevision::<T>::mutate(|revision| *revision = revision.wrapping_add(1));
			Self::deposit_event(Event::ReweightSet { node, weight });
			Ok(())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// How placement works; `None` only on a chain whose genesis lacks this pallet.
		pub fn config() -> Option<PlacementConfig> {
			Placement::<T>::get()
		}

		/// The newest epoch, 0 before the first.
		pub fn epoch() -> Epoch {
			CurrentEpoch::<T>::get()
		}

		/// SCALE of the map of an epoch, by default the newest, while it is kept.
		pub fn map(epoch: Option<Epoch>) -> Option<Vec<u8>> {
			<Self as ClusterMaps>::map_blob(epoch.unwrap_or_else(CurrentEpoch::<T>::get))
		}

		/// All placement exceptions, ascending. The next epoch's map has those that it allows.
		pub fn exceptions() -> Vec<UpmapItem> {
			Exceptions::<T>::get().into_inner()
		}
	}
}
