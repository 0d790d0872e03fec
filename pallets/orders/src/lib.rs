#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::{
	Ended, Moment, Moved, Offer, Offering as OfferList, Order, Queue, Request, Served, Spec, State,
	IDLE_PART, KEPT_ERAS, MAX_ATTEMPTS, MAX_LOTS, MAX_NEW, MAX_OFFERS, MAX_PASSED, MAX_SPEC,
	MAX_WAITING, MAX_WEIGHED, OFFERS_PER_BLOCK, RETRY_BLOCKS,
};
pub use weights::WeightInfo;

mod agenda;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod machine;
mod measured;
mod offers;
mod queue;
mod served;
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
	use frame_support::{pallet_prelude::*, traits::Randomness, weights::Weight};
	use frame_system::pallet_prelude::*;
	use hippius_primitives::{
		money::Service,
		traits::{Liveness, NodeRegistry, NodeScores, StorageOwners, UsageMeter},
		NodeIndex,
	};

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]> + From<[u8; 32]>> {
		/// Charges for what is used.
		type Usage: UsageMeter;

		/// Weight of telling `Usage` once, at most.
		type UsageWeight: Get<Weight>;

		/// Who can no longer pay.
		type Owners: StorageOwners;

		/// The registered nodes.
		type Registry: NodeRegistry;

		/// How they are doing.
		type Liveness: Liveness;

		/// What they are worth.
		type Scores: NodeScores;

		/// Lots, and the block since which somebody could know them: orders that came later wait.
		type Randomness: Randomness<Self::Hash, BlockNumberFor<Self>>;

		/// Blocks a node has to accept an order.
		type AcceptBlocks: Get<u32>;

		/// Shortest term of an order, in blocks; at least 1.
		type MinTerm: Get<u32>;

		/// Longest term of an order from now on, in blocks.
		type MaxTerm: Get<u32>;

		/// Most orders of one account at one time.
		type MaxOrders: Get<u32>;

		/// Blocks of the eras in which is counted what nodes served. Must never change.
		#[pallet::constant]
		type EraBlocks: Get<u32>;

		/// Orders drawn for per block; and orders looked at per block, as far as there is room. At least 2.
		#[pallet::constant]
		type PerBlock: Get<u32>;

		/// Weights of calls and hooks.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// The orders that have not ended, by number.
	#[pallet::storage]
	pub type Orders<T: Config> = StorageMap<_, Twox64Concat, u64, Order<T::AccountId>>;

	/// The number the next order gets. Only ever grows.
	#[pallet::storage]
	pub type NextOrder<T> = StorageValue<_, u64, ValueQuery>;

	/// How many orders an account has; absent for none.
	#[pallet::storage]
	pub type OwnerOrders<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

	/// Orders that wait for their lot, the oldest first.
	#[pallet::storage]
	pub type Waiting<T> = StorageValue<_, Queue, ValueQuery>;

	/// Requested orders that do not wait in the queue, by the block from which on they are drawn for again.
	#[pallet::storage]
	pub type Parked<T> = StorageMap<_, Identity, Moment, ()>;

	/// All orders, by the block at which something is due with them: their term is over, or the time to
	/// accept them.
	#[pallet::storage]
	pub type Agenda<T> = StorageMap<_, Identity, Moment, ()>;

	/// The order that was looked at last.
	#[pallet::storage]
	pub type Cursor<T> = StorageValue<_, u64>;

	/// The offer that was looked at last.
	#[pallet::storage]
	pub type OfferCursor<T> = StorageValue<_, (Service, NodeIndex)>;

	/// The nodes that offer a service.
	#[pallet::storage]
	pub type Offering<T> = StorageMap<_, Twox64Concat, Service, OfferList, ValueQuery>;

	/// What they offer. Removed with an offer of nothing, and when the node is gone.
	#[pallet::storage]
	pub type OfferOf<T> =
		StorageDoubleMap<_, Twox64Concat, Service, Twox64Concat, NodeIndex, Offer>;

	/// What a node serves of a service, and under no number what all do.
	#[pallet::storage]
	pub type Serving<T> = StorageDoubleMap<
		_,
		Twox64Concat,
		Service,
		Twox64Concat,
		Option<NodeIndex>,
		Served,
		ValueQuery,
	>;

	/// What they served in eras in which that changed: units times blocks. Removed some eras later, when
	/// it changes again.
	#[pallet::storage]
	pub type EraServed<T> = StorageDoubleMap<
		_,
		Twox64Concat,
		(Service, u32),
		Twox64Concat,
		Option<NodeIndex>,
		u128,
		ValueQuery,
	>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A node offers a service, or no longer (a capacity of 0).
		#[codec(index = 0)]
		Offered {
			/// The node.
			node: NodeIndex,
			/// The service.
			service: Service,
			/// Units in all.
			capacity: u64,
		},
		/// A service was ordered.
		#[codec(index = 1)]
		Requested {
			/// The order.
			id: u64,
			/// Who pays.
			owner: T::AccountId,
			/// What is wanted.
			request: Request,
		},
		/// An order was given to a node, by lot.
		#[codec(index = 2)]
		Assigned {
			/// The order.
			id: u64,
			/// The node.
			node: NodeIndex,
			/// Last block at which it may accept.
			until: u32,
		},
		/// A node serves an order from now on.
		#[codec(index = 3)]
		Accepted {
			/// The order.
			id: u64,
			/// The node.
			node: NodeIndex,
		},
		/// An order was taken from a node and waits for another.
		#[codec(index = 4)]
		Reassigned {
			/// The order.
			id: u64,
			/// The node that had it.
			node: NodeIndex,
			/// Why.
			why: Moved,
		},
		/// An order runs, or is stopped.
		#[codec(index = 5)]
		Switched {
			/// The order.
			id: u64,
			/// Whether it runs.
			running: bool,
		},
		/// An order is wanted for longer.
		#[codec(index = 6)]
		Renewed {
			/// The order.
			id: u64,
			/// The block after its last.
			until: u32,
		},
		/// An order ended.
		#[codec(index = 7)]
		Ended {
			/// The order.
			id: u64,
			/// Who paid.
			owner: T::AccountId,
			/// Who had it.
			node: Option<NodeIndex>,
			/// Why.
			why: Ended,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// There is no such node.
		#[codec(index = 0)]
		UnknownNode,
		/// The node is another family's.
		#[codec(index = 1)]
		NotYourNode,
		/// Shards are placed by the cluster map, not ordered.
		#[codec(index = 2)]
		NotOrdered,
		/// Orders take more of the node than that: wait until they end, or give them back.
		#[codec(index = 3)]
		CapacityTaken,
		/// The node offers nothing.
		#[codec(index = 4)]
		NoOffer,
		/// As many nodes offer the service as can.
		#[codec(index = 5)]
		TooManyOffers,
		/// An order is for at least one unit, and while it is stopped for no more, but for a tenth of them.
		#[codec(index = 6)]
		UnitsUnsound,
		/// The term is too short or too long.
		#[codec(index = 7)]
		TermUnsound,
		/// The owner cannot pay: its credits are below the floor, or it is locked.
		#[codec(index = 8)]
		NotPaid,
		/// The account has as many orders as it may have.
		#[codec(index = 9)]
		TooManyOrders,
		/// As many orders wait as new ones may: try again in some blocks.
		#[codec(index = 10)]
		QueueFull,
		/// There is no such order, or it has ended.
		#[codec(index = 11)]
		UnknownOrder,
		/// The order is another's.
		#[codec(index = 12)]
		NotYourOrder,
		/// The order is not given to a node that could do this.
		#[codec(index = 13)]
		NotAssigned,
		/// The last block for this is past.
		#[codec(index = 14)]
		TooLate,
		/// No node serves the order.
		#[codec(index = 15)]
		NotActive,
		/// It is so already.
		#[codec(index = 16)]
		NothingChanges,
		/// Nothing is due with the order.
		#[codec(index = 17)]
		NothingDue,
		/// The node is leaving, or was evicted: it gets no orders.
		#[codec(index = 18)]
		NodeLeaving,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			Self::assign_waiting()
		}

		fn on_idle(_: BlockNumberFor<T>, room: Weight) -> Weight {
			Self::tick(room)
		}

		fn integrity_test() {
			assert!(T::EraBlocks::get() > 0, "eras must end");
			assert!(
				T::PerBlock::get() > 1,
				"new orders and old ones must be assigned"
			);
			let assigning = T::WeightInfo::assign().saturating_mul(T::PerBlock::get().into());
			let most = T::BlockWeights::get().max_block / 10;
			assert!(
				assigning.all_lte(most),
				"assigning orders must leave a block nine tenths"
			);
			assert!(
				T::MinTerm::get() > 0 && T::MinTerm::get() <= T::MaxTerm::get(),
				"there must be a term that can be ordered"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Offers so many units of a service on a node of the signing family; 0 to offer it no longer.
		/// Anyone may end the offer of a node that is leaving or gone, once no order takes of it.
		#[pallet::call_index(0)]
		pub fn offer(
			origin: OriginFor<T>,
			node: NodeIndex,
			service: Service,
			capacity: u64,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_offer(who, node, service, capacity)
		}

		/// Orders a service. A later block gives it to a node, by lot.
		#[pallet::call_index(1)]
		#[pallet::weight(Pallet::<T>::metered(<T as Config>::WeightInfo::request()))]
		pub fn request(origin: OriginFor<T>, request: Request) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_request(who, request)
		}

		/// Accepts an order for the node it was given to. It is metered from now on.
		#[pallet::call_index(2)]
		#[pallet::weight(Pallet::<T>::metered(<T as Config>::WeightInfo::accept()))]
		pub fn accept(origin: OriginFor<T>, id: u64) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_accept(who, id)
		}

		/// Rejects an order that was given to a node, or gives back one that it serves.
		#[pallet::call_index(3)]
		#[pallet::weight(Pallet::<T>::metered(<T as Config>::WeightInfo::decline()))]
		pub fn decline(origin: OriginFor<T>, id: u64) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_decline(who, id)
		}

		/// Lets an order run, or stops it.
		#[pallet::call_index(4)]
		#[pallet::weight(Pallet::<T>::metered(<T as Config>::WeightInfo::set_running()))]
		pub fn set_running(origin: OriginFor<T>, id: u64, running: bool) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_running(who, id, running)
		}

		/// Wants an order for so many blocks more.
		#[pallet::call_index(5)]
		pub fn renew(origin: OriginFor<T>, id: u64, blocks: u32) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_renew(who, id, blocks)
		}

		/// Ends an order.
		#[pallet::call_index(6)]
		#[pallet::weight(Pallet::<T>::metered(<T as Config>::WeightInfo::cancel()))]
		pub fn cancel(origin: OriginFor<T>, id: u64) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_cancel(who, id)
		}

		/// Does what is due with an order: ends it when its term is over or its owner cannot pay, gives it
		/// to another node when its node did not accept in time or failed. Anyone may ask for it.
		#[pallet::call_index(7)]
		#[pallet::weight(Pallet::<T>::metered(<T as Config>::WeightInfo::advance()))]
		pub fn advance(origin: OriginFor<T>, id: u64) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_advance(id)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// An order that has not ended.
		pub fn order_by_id(id: u64) -> Option<Order<T::AccountId>> {
			Orders::<T>::get(id)
		}

		/// The orders that wait for their lot. Others that nobody could take are drawn for again some
		/// blocks later.
		pub fn waiting() -> Queue {
			Waiting::<T>::get()
		}

		/// What a node offers of a service.
		pub fn offer_of(service: Service, node: NodeIndex) -> Option<Offer> {
			OfferOf::<T>::get(service, node)
		}

		/// What a node serves of a service now.
		pub fn serving(service: Service, node: NodeIndex) -> Served {
			Serving::<T>::get(service, Some(node))
		}
	}
}
