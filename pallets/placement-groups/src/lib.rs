#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use lagged::Lagged;
pub use ledger::{
	Gap, HostBlake2, Ledger, LedgerState, Permission, Release, SnapshotPeriod, StripeProof,
};
pub use pallet::*;
pub use types::PlacementError;
pub use weights::WeightInfo;

mod append;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod clean;
mod lagged;
pub mod ledger;
mod measured;
pub mod oracle;
mod placement;
mod read;
mod release;
pub mod runtime_api;
pub mod totals;
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
	use super::{
		ledger::{
			BatchPath, CleanGroups, CleanSlots, MissingSlots, Owners, Receipts, StripeProofs,
		},
		totals::Row,
		*,
	};
	use alloc::vec::Vec;
	use arion_storage_proof::Batch;
	use frame_support::{pallet_prelude::*, weights::Weight};
	use frame_system::{ensure_authorized, pallet_prelude::*};
	use hippius_primitives::{
		registration::NodeRecord,
		traits::{ClusterMaps, NodeRegistry, StorageOwners, UsageMeter},
		Epoch, NodeIndex, Pg, StripeId, TOTAL_SHARDS,
	};

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

	/// Most nodes one answer holds.
	pub const MAX_PAGE: u32 = 256;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]>> {
		/// The cluster map's history.
		type Maps: ClusterMaps;

		/// The registered nodes.
		type Registry: NodeRegistry;

		/// Who is stored for.
		type Owners: StorageOwners;

		/// Charges owners for what is stored for them.
		type Usage: UsageMeter;

		/// Weight of telling `Usage` of one owner, at most.
		type UsageWeight: Get<Weight>;

		/// Blocks from one snapshot of the ledgers to the next; 0 is as 1. What is appended becomes
		/// challengeable with the second snapshot after it.
		type SnapshotPeriod: Get<BlockNumberFor<Self>>;

		/// Blocks a node has to fill a slot it came into or lacks stripes of, before it is asked for
		/// the slot's bytes.
		type BackfillPeriod: Get<BlockNumberFor<Self>>;

		/// How many epochs before the current one receipts may be of; at most 8.
		type RecentEpochs: Get<Epoch>;

		/// For how many epochs the cluster map's history is kept.
		type KeptEpochs: Get<Epoch>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// The ledgers, of the groups that have one. Written by `append`, `release`.
	#[pallet::storage]
	pub type Ledgers<T> = StorageMap<_, Twox64Concat, Pg, Ledger>;

	/// What each page's groups hold together. Written by `append`.
	#[pallet::storage]
	pub type PageSums<T> = StorageValue<_, Lagged<Row>, ValueQuery>;

	/// What each group of a page holds. Written by `append`.
	#[pallet::storage]
	pub type Pages<T> = StorageMap<_, Twox64Concat, u32, Lagged<Row>, ValueQuery>;

	/// The snapshot period. Written by the hook.
	#[pallet::storage]
	pub type Snapshot<T> = StorageValue<_, SnapshotPeriod<BlockNumberFor<T>>, ValueQuery>;

	/// Roots appended, by the epoch of their receipts, so that none is appended twice. Written by
	/// `append`, removed by the hook once receipts of the epoch no longer count.
	#[pallet::storage]
	pub type RecentRoots<T> =
		StorageDoubleMap<_, Twox64Concat, Epoch, Blake2_128Concat, (Pg, [u8; 32]), ()>;

	/// The oldest epoch whose roots may not be forgotten yet. Written by the hook.
	#[pallet::storage]
	pub type RootsFrom<T> = StorageValue<_, Epoch, ValueQuery>;

	/// What was released, by group and batch. Written by `release`.
	#[pallet::storage]
	pub type ReleasedStripes<T> = StorageDoubleMap<_, Twox64Concat, Pg, Twox64Concat, u64, Release>;

	/// What slots lack: who should hold it did not sign for it. Written by `append`, removed by
	/// `report_clean`.
	#[pallet::storage]
	pub type Gaps<T> =
		StorageDoubleMap<_, Twox64Concat, Pg, Twox64Concat, u8, Gap<BlockNumberFor<T>>>;

	/// The newest epoch at which all members of a placement group held what they must. Groups without
	/// an entry have no ledger; there the current epoch is as good. Written by `append` (the first),
	/// `report_clean` and the hook.
	#[pallet::storage]
	pub type CleanEpoch<T> = StorageMap<_, Twox64Concat, Pg, Epoch>;

	/// Who of a group that is not clean said at the current epoch that its slot is filled. Written by
	/// `report_clean`, removed when the group is clean.
	#[pallet::storage]
	pub type CleanReports<T> = StorageMap<_, Twox64Concat, Pg, CleanSlots, ValueQuery>;

	/// Acting sets of groups whose last clean epoch is so old that its map may not be kept. Written by
	/// the hook, removed when the group is clean.
	#[pallet::storage]
	pub type KeptActing<T> = StorageMap<_, Twox64Concat, Pg, [Option<NodeIndex>; TOTAL_SHARDS]>;

	/// The newest epochs with the block at which each was first seen. Written by the hook.
	#[pallet::storage]
	pub type EpochStarts<T> =
		StorageValue<_, BoundedVec<(Epoch, BlockNumberFor<T>), ConstU32<32>>, ValueQuery>;

	/// One more than the highest group with a ledger. Written by `append`.
	#[pallet::storage]
	pub type GroupsEnd<T> = StorageValue<_, Pg, ValueQuery>;

	/// The group the hook looks at next. Written by the hook.
	#[pallet::storage]
	pub type SweepNext<T> = StorageValue<_, Pg, ValueQuery>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A batch was appended to a group's ledger.
		#[codec(index = 0)]
		BatchAppended {
			/// The group.
			pg: Pg,
			/// The batch's number in the ledger.
			batch: u64,
			/// By whose map it was stored.
			epoch: Epoch,
			/// The batch.
			content: Batch,
			/// What each owner has of it.
			owners: Owners,
			/// Who appended it.
			by: T::AccountId,
		},
		/// Not every member signed for all of a batch: the slots are to be filled.
		#[codec(index = 1)]
		ShardsMissing {
			/// The group.
			pg: Pg,
			/// The batch's number in the ledger.
			batch: u64,
			/// The slots with the number of stripes each lacks.
			slots: MissingSlots,
		},
		/// Stripes were released: nobody need hold them any more.
		#[codec(index = 2)]
		StripesReleased {
			/// The group.
			pg: Pg,
			/// The batch's number in the ledger.
			batch: u64,
			/// Whose they were.
			owner: [u8; 32],
			/// How many.
			stripes: u32,
			/// Whether all of the batch is released now.
			whole: bool,
		},
		/// A slot that lacked stripes is filled, its node says.
		#[codec(index = 3)]
		SlotFilled {
			/// The group.
			pg: Pg,
			/// The slot.
			slot: u8,
			/// The node.
			node: NodeIndex,
		},
		/// All of a group's members hold what they must.
		#[codec(index = 4)]
		GroupClean {
			/// The group.
			pg: Pg,
			/// The epoch whose members act from now on.
			epoch: Epoch,
		},
		/// The map of a group's last clean epoch grows old: its members are kept.
		#[codec(index = 5)]
		ActingSetKept {
			/// The group.
			pg: Pg,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// Fewer than 20 receipts.
		#[codec(index = 0)]
		TooFewReceipts,
		/// A stripe is held by fewer than 20 of those who signed.
		#[codec(index = 1)]
		TooFewHolders,
		/// A receipt's signature is not that of its node for this batch and bitmap: forged, or for
		/// another chain.
		#[codec(index = 2)]
		BadSignature,
		/// A node signed twice.
		#[codec(index = 3)]
		DuplicateSigner,
		/// A receipt is of another batch: other stripes, or in another order.
		#[codec(index = 4)]
		ReceiptOfOtherBatch,
		/// A receipt is of another epoch.
		#[codec(index = 5)]
		ReceiptOfOtherEpoch,
		/// A receipt is of another placement group.
		#[codec(index = 6)]
		ReceiptOfOtherGroup,
		/// A node is not a member of the group by the map of the epoch.
		#[codec(index = 7)]
		NotAMember,
		/// The epoch is so old that its receipts do not count any more: gather new ones.
		#[codec(index = 8)]
		EpochExpired,
		/// The epoch has not come.
		#[codec(index = 9)]
		EpochNotStarted,
		/// A receipt's bitmap does not fit the batch.
		#[codec(index = 10)]
		BitmapUnsound,
		/// The owners' shares do not add up to the batch's bytes.
		#[codec(index = 11)]
		OwnersSum,
		/// Sums add up to more than 64 bits hold.
		#[codec(index = 12)]
		SumOverflow,
		/// Owners must be listed by ascending account, each once.
		#[codec(index = 13)]
		OwnersNotAscending,
		/// An owner's share is zero or not a multiple of 64.
		#[codec(index = 14)]
		OwnerBytes,
		/// A batch has 1 to 1024 stripes.
		#[codec(index = 15)]
		BatchStripes,
		/// So many stripes cannot have so many bytes: each has 64 B to 1 MiB per slot, in multiples
		/// of 64.
		#[codec(index = 16)]
		BatchBytes,
		/// The batch is in the ledger already.
		#[codec(index = 17)]
		DuplicateBatch,
		/// The map has no such group, or it has no ledger.
		#[codec(index = 18)]
		UnknownGroup,
		/// A node that signed is no longer registered.
		#[codec(index = 19)]
		UnknownNode,
		/// The ledger's bytes would no longer fit 64 bits.
		#[codec(index = 20)]
		LedgerFull,
		/// There is no cluster map yet.
		#[codec(index = 21)]
		NoMap,
		/// The group's members cannot be computed: the map has too few nodes, or is corrupt.
		#[codec(index = 22)]
		NoPlacement,
		/// The genesis hash is not known before block 1.
		#[codec(index = 23)]
		NoGenesis,
		/// The ledger has no such batch in that place: its way may have grown since.
		#[codec(index = 24)]
		UnknownBatch,
		/// The batch has no such stripe in that place.
		#[codec(index = 25)]
		NotInBatch,
		/// A stripe was released before.
		#[codec(index = 26)]
		AlreadyReleased,
		/// Neither did the owner agree, nor is it expired.
		#[codec(index = 27)]
		NotReleasable,
		/// One release is for stripes of one owner.
		#[codec(index = 28)]
		ManyOwners,
		/// Stripes must be listed by ascending number, each once.
		#[codec(index = 29)]
		StripesNotAscending,
		/// No stripe is given.
		#[codec(index = 30)]
		NoStripes,
		/// A report must be of the current epoch.
		#[codec(index = 31)]
		NotCurrentEpoch,
		/// A report must list groups by ascending number, each once, at least one.
		#[codec(index = 32)]
		GroupsNotAscending,
		/// The ledger has fewer batches than reported, or so many more that audits ask for some.
		#[codec(index = 33)]
		WrongBatchCount,
		/// Of one of the groups the chain knows this already.
		#[codec(index = 34)]
		NothingToReport,
		/// An owner's credits do not pay for a week of all it uses and this, too: it must deposit first.
		#[codec(index = 35)]
		OwnerWithoutFunds,
		/// An owner's account is locked by a reversed payment, or expired.
		#[codec(index = 36)]
		OwnerLocked,
		/// An owner did not authorise who appends, or not for so much, or no longer.
		#[codec(index = 37)]
		NotAuthorised,
		/// An owner would use more than can be counted.
		#[codec(index = 38)]
		UsageOverflow,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::tick(now)
		}

		fn integrity_test() {
			assert!(
				T::RecentEpochs::get() <= 8,
				"the weight of append counts at most nine epochs"
			);
			assert!(
				T::RecentEpochs::get() < T::KeptEpochs::get() / 2,
				"receipts are checked by maps that are kept"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Appends a batch to a group's ledger: at least 20 of the group's 30 members by the map of
		/// `epoch` signed that they hold each of its stripes.
		///
		/// `owners` lists what each owner has of the batch: each is charged for it from now on, and must
		/// have authorised who appends. Whoever lacks something is to fill it, and is not asked for it
		/// for a while.
		#[pallet::call_index(0)]
		#[pallet::weight(
			<T as Config>::WeightInfo::append(receipts.len() as u32)
				.saturating_add(T::UsageWeight::get().saturating_mul(owners.len() as u64))
		)]
		pub fn append(
			origin: OriginFor<T>,
			pg: Pg,
			epoch: Epoch,
			batch: Batch,
			owners: Owners,
			receipts: Receipts,
		) -> DispatchResult {
			let by = ensure_signed(origin)?;
			Self::do_append(by, pg, epoch, batch, owners, receipts)
		}

		/// Releases stripes of one owner, each shown to be in batch `number` of the group's ledger: it is
		/// no longer charged for them.
		///
		/// `path` is the way of the batch to its peak in the ledger as it is now.
		#[pallet::call_index(1)]
		#[pallet::weight(
			<T as Config>::WeightInfo::release(stripes.len() as u32)
				.saturating_add(T::UsageWeight::get())
		)]
		pub fn release(
			origin: OriginFor<T>,
			pg: Pg,
			number: u64,
			batch: Batch,
			path: BatchPath,
			stripes: StripeProofs,
			permission: Permission,
		) -> DispatchResult {
			let by = ensure_signed(origin)?;
			Self::do_release(by, pg, number, batch, path, stripes, permission)
		}

		/// A node says of groups that it holds all that its slots got by their first batches.
		///
		/// `groups` lists group and number of batches by ascending group; `signature` is the node
		/// key's over [`CleanReport::payload`](hippius_primitives::ledger::CleanReport::payload).
		/// Authorized by that signature: no account, no fee, one at a time.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::report_clean(groups.len() as u32))]
		#[pallet::weight_of_authorize(
			<T as Config>::WeightInfo::authorize_report_clean(groups.len() as u32)
		)]
		#[pallet::authorize(Pallet::<T>::authorize_report)]
		pub fn report_clean(
			origin: OriginFor<T>,
			node: NodeIndex,
			epoch: Epoch,
			groups: CleanGroups,
			signature: [u8; 64],
		) -> DispatchResult {
			ensure_authorized(origin)?;
			Self::do_report_clean(node, epoch, groups, signature)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The placement group of a stripe under the current map; `None` before the first map.
		pub fn pg_of(stripe: StripeId) -> Option<Pg> {
			Self::do_pg_of(stripe)
		}

		/// Who should hold a placement group's shards by the current map, one entry per slot; `None`
		/// for a hole.
		pub fn up_set(pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
			Self::do_up_set(pg)
		}

		/// Who must hold a placement group's shards now: the mapping at its last clean epoch while
		/// that epoch's map is kept, otherwise at the current epoch.
		pub fn acting_set(pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
			Self::do_acting_set(pg)
		}

		/// Who should have held a placement group's shards at an epoch whose map is kept.
		pub fn mapping_at(epoch: Epoch, pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
			Self::do_mapping_at(epoch, pg)
		}

		/// A group's ledger; `None` for a group that has none.
		pub fn ledger(pg: Pg) -> Option<LedgerState> {
			Self::do_ledger(pg)
		}

		/// SCALE of the cluster map of an epoch, by default the current one, while it is kept.
		pub fn cluster_map(epoch: Option<Epoch>) -> Option<Vec<u8>> {
			T::Maps::map_blob(epoch.unwrap_or_else(T::Maps::current_epoch))
		}

		/// At most `limit` nodes (and at most 256) with numbers of at least `from`, ascending.
		pub fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
			T::Registry::nodes_from(from, limit.min(MAX_PAGE))
		}
	}
}
