#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::{Absence, Cursor, DayRow, HeartbeatConfig, NodeState, OpenWindow, PageState};
pub use weights::WeightInfo;

mod absence;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod endpoints;
mod life;
mod measured;
mod offchain;
mod read;
mod report;
pub mod runtime_api;
mod settle;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;
mod windows;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

/// Days the uptime of a node is remembered.
pub const RING_DAYS: u32 = 30;
/// Most windows that are open or wait to be settled.
pub const MAX_OPEN: u32 = 4;
/// Blocks after which an announcement of an endpoint is too old to be taken.
pub const ENDPOINT_BLOCKS: u32 = 64;

const LOG_TARGET: &str = "runtime::heartbeats";

/// The signature of a collector.
pub type CollectorSignature<T> =
	<<T as Config>::CollectorId as sp_application_crypto::RuntimeAppPublic>::Signature;

/// An open window of this runtime.
pub type OpenWindowOf<T> = OpenWindow<<T as Config>::CollectorId, <T as Config>::MaxCollectors>;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{pallet_prelude::*, traits::Randomness};
	use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
	use hippius_primitives::{
		collector::Endpoint,
		heartbeat::{BeatCounts, LifeSign, Page, PageReport, Window},
		traits::{LivenessState, NodeRegistry},
		NodeIndex,
	};
	use sp_application_crypto::RuntimeAppPublic;
	use sp_runtime::transaction_validity::TransactionValidityWithRefund;

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet. It needs `frame_system::AuthorizeCall` among the
	/// transaction extensions.
	#[pallet::config]
	pub trait Config:
		frame_system::Config<AccountId: Into<[u8; 32]>> + CreateAuthorizedTransaction<Call<Self>>
	{
		/// The key a validator signs its reports with.
		type CollectorId: Member + Parameter + RuntimeAppPublic + MaxEncodedLen + AsRef<[u8]>;

		/// The keys of the present validators, in their order.
		type Collectors: Get<Vec<Self::CollectorId>>;

		/// Most validators among whom collectors are drawn; further ones are left out.
		#[pallet::constant]
		type MaxCollectors: Get<u32>;

		/// The registered nodes.
		type Registry: NodeRegistry;

		/// Where the seeds of the draw come from; must not be known before the validators' keys are.
		type Randomness: Randomness<Self::Hash, BlockNumberFor<Self>>;

		/// Most pages settled in a block.
		#[pallet::constant]
		type PagesPerBlock: Get<u32>;

		/// Priority of authorized calls in the pool.
		#[pallet::constant]
		type Priority: Get<TransactionPriority>;

		/// Weights of the calls and hooks.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Lengths and thresholds. Set at genesis, not changed since; without it the pallet does nothing.
	#[pallet::storage]
	#[pallet::storage_prefix = "Config"]
	pub type Settings<T> = StorageValue<_, HeartbeatConfig>;

	/// Number and seed of the present rotation of collectors.
	#[pallet::storage]
	pub type Rotation<T> = StorageValue<_, (u32, [u8; 32])>;

	/// The windows that run, are reported or wait to be settled. Written when a window opens, removed
	/// when it is settled.
	#[pallet::storage]
	pub type Windows<T: Config> = StorageMap<_, Twox64Concat, Window, OpenWindowOf<T>>;

	/// What collectors posted, by window, page and the collector's place in the window's list. Removed
	/// when the page is settled.
	#[pallet::storage]
	pub type Reports<T> = StorageNMap<
		_,
		(
			NMapKey<Twox64Concat, Window>,
			NMapKey<Twox64Concat, Page>,
			NMapKey<Twox64Concat, u32>,
		),
		BeatCounts,
	>;

	/// What is settled next.
	#[pallet::storage]
	pub type Next<T> = StorageValue<_, Cursor, ValueQuery>;

	/// What is known of a page's nodes. Written when the page is settled and by signs of life and
	/// absences.
	#[pallet::storage]
	pub type Pages<T> = StorageMap<_, Twox64Concat, Page, PageState>;

	/// The days of a page's ring: beats seen and due of each node. An entry is removed when its day
	/// is [`RING_DAYS`] past.
	#[pallet::storage]
	pub type Days<T> = StorageDoubleMap<_, Twox64Concat, Page, Twox64Concat, u32, DayRow>;

	/// How many absences are announced or under way.
	#[pallet::storage]
	pub type Absences<T> = StorageValue<_, u32, ValueQuery>;

	/// Counts how often a node went out or came back.
	#[pallet::storage]
	pub type OutRevision<T> = StorageValue<_, u64, ValueQuery>;

	/// Where collectors listen. An entry is removed when a window opens of which its collector is no
	/// validator.
	#[pallet::storage]
	pub type Endpoints<T: Config> = StorageMap<_, Blake2_128Concat, T::CollectorId, Endpoint>;

	/// Lengths and thresholds from block 0 on.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Those of this chain.
		pub heartbeat: HeartbeatConfig,
		/// Nothing; carries the type.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			// A chain specification that judges nobody, or everybody wrongly, must not start.
			if let Err(reason) = self.heartbeat.check() {
				panic!("the heartbeats' genesis configuration is not valid: {reason}");
			}
			Settings::<T>::put(self.heartbeat);
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A page had too few reports: the window does not count for its nodes.
		#[codec(index = 0)]
		NoQuorum {
			/// The window.
			window: Window,
			/// The page.
			page: Page,
			/// Reports there were.
			reports: u32,
			/// Reports needed.
			needed: u32,
		},
		/// A node is down.
		#[codec(index = 1)]
		NodeDown {
			/// The node.
			node: NodeIndex,
			/// Block at which the first window it missed began.
			since: u32,
		},
		/// A node is down for so long that its data goes to others.
		#[codec(index = 2)]
		NodeOut {
			/// The node.
			node: NodeIndex,
		},
		/// A node that was down was seen again.
		#[codec(index = 3)]
		NodeBack {
			/// The node.
			node: NodeIndex,
		},
		/// A silent node showed that it lives.
		#[codec(index = 4)]
		LifeShown {
			/// The node.
			node: NodeIndex,
			/// The window.
			window: Window,
		},
		/// A node will be away.
		#[codec(index = 5)]
		AbsenceAnnounced {
			/// The node.
			node: NodeIndex,
			/// First block of the absence.
			from: u32,
			/// Block by which it is back.
			until: u32,
		},
		/// A node's absence ended early or was called off.
		#[codec(index = 6)]
		AbsenceEnded {
			/// The node.
			node: NodeIndex,
		},
		/// Settling fell behind, so a window was not opened and will not count.
		#[codec(index = 7)]
		WindowSkipped {
			/// The window.
			window: Window,
		},
		/// A collector said where it listens.
		#[codec(index = 8)]
		EndpointAnnounced {
			/// The collector.
			collector: T::CollectorId,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The chain's genesis lacks this pallet's configuration.
		#[codec(index = 0)]
		NotStarted,
		/// The window is not over yet: post when it is.
		#[codec(index = 1)]
		WindowNotOver,
		/// The time for reports of the window is over, or the window was never opened.
		#[codec(index = 2)]
		WindowClosed,
		/// No node has a number of this page.
		#[codec(index = 3)]
		UnknownPage,
		/// The validator does not collect this page in this window.
		#[codec(index = 4)]
		NotACollector,
		/// The collector's report of the page and window is there already.
		#[codec(index = 5)]
		AlreadyPosted,
		/// A count is greater than the beats due in a window.
		#[codec(index = 6)]
		ImpossibleCount,
		/// The signature does not verify under the collector's or the node's key.
		#[codec(index = 7)]
		BadSignature,
		/// A sign of life is good in the present window only.
		#[codec(index = 8)]
		OtherWindow,
		/// No node has this number.
		#[codec(index = 9)]
		UnknownNode,
		/// The node is not called silent, so it has nothing to show.
		#[codec(index = 10)]
		NotSilent,
		/// The node showed its life in this window.
		#[codec(index = 11)]
		AlreadyShown,
		/// The node belongs to another family.
		#[codec(index = 12)]
		NotYourNode,
		/// The node is too new: announce after its first window.
		#[codec(index = 13)]
		NotJudged,
		/// The node has an absence already. One that is over is forgotten when its last window is settled.
		#[codec(index = 14)]
		AbsenceNotFree,
		/// An absence must be announced `notice_blocks` ahead.
		#[codec(index = 15)]
		NoticeTooShort,
		/// The absence is empty, or the node's absences of this period would be longer than
		/// `absence_blocks`.
		#[codec(index = 16)]
		AbsenceTooLong,
		/// As many nodes as may be are away or will be.
		#[codec(index = 17)]
		TooManyAbsent,
		/// The node has no absence to end.
		#[codec(index = 18)]
		NotAbsent,
		/// A collector needs one to four addresses at which somebody could reach it.
		#[codec(index = 19)]
		BadEndpoint,
		/// The endpoint was signed too long ago, ahead of time, or not after the one that is known.
		#[codec(index = 20)]
		EndpointNotFresh,
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
			assert!(T::MaxCollectors::get() > 0, "pages need collectors");
			assert!(T::PagesPerBlock::get() > 0, "pages must be settled");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Posts what a collector saw of a page in a window.
		///
		/// `signature` is that of the collector's key over
		/// [`PageReport::payload`](hippius_primitives::heartbeat::PageReport::payload).
		#[pallet::call_index(0)]
		#[pallet::authorize(Self::authorize_post_page)]
		pub fn post_page(
			origin: OriginFor<T>,
			report: PageReport,
			// Checked when the call was authorized.
			_signature: CollectorSignature<T>,
		) -> DispatchResult {
			ensure_authorized(origin)?;
			Self::do_post_page(report);
			Ok(())
		}

		/// Shows that a node called silent is there.
		///
		/// `signature` is that of the node's key, or of its announced next key, over
		/// [`LifeSign::payload`](hippius_primitives::heartbeat::LifeSign::payload).
		#[pallet::call_index(1)]
		#[pallet::authorize(Self::authorize_show_life)]
		pub fn show_life(
			origin: OriginFor<T>,
			sign: LifeSign,
			// Checked when the call was authorized.
			_signature: [u8; 64],
		) -> DispatchResult {
			ensure_authorized(origin)?;
			Self::do_show_life(sign)
		}

		/// Announces that a node will be away from block `from` until block `until`.
		#[pallet::call_index(2)]
		pub fn announce_absence(
			origin: OriginFor<T>,
			node: NodeIndex,
			from: u32,
			until: u32,
		) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_announce_absence(family, node, from, until)
		}

		/// Ends a node's absence, or calls it off. What is left of it is not counted as used.
		#[pallet::call_index(3)]
		pub fn end_absence(origin: OriginFor<T>, node: NodeIndex) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_end_absence(family, node)
		}

		/// Says where a validator's collector listens.
		///
		/// `signature` is that of the validator's key `collector` over
		/// [`Endpoint::payload`](hippius_primitives::collector::Endpoint::payload).
		#[pallet::call_index(4)]
		#[pallet::authorize(Self::authorize_announce_endpoint)]
		pub fn announce_endpoint(
			origin: OriginFor<T>,
			collector: T::CollectorId,
			endpoint: Endpoint,
			// Checked when the call was authorized.
			_signature: CollectorSignature<T>,
		) -> DispatchResult {
			ensure_authorized(origin)?;
			Self::do_announce_endpoint(collector, endpoint)
		}
	}

	impl<T: Config> Pallet<T> {
		fn authorize_post_page(
			_: TransactionSource,
			report: &PageReport,
			signature: &CollectorSignature<T>,
		) -> TransactionValidityWithRefund {
			let valid = Self::validate_post_page(report, signature)?;
			Ok((valid, Weight::zero()))
		}

		fn authorize_show_life(
			_: TransactionSource,
			sign: &LifeSign,
			signature: &[u8; 64],
		) -> TransactionValidityWithRefund {
			let valid = Self::validate_show_life(sign, signature)?;
			Ok((valid, Weight::zero()))
		}

		fn authorize_announce_endpoint(
			_: TransactionSource,
			collector: &T::CollectorId,
			endpoint: &Endpoint,
			signature: &CollectorSignature<T>,
		) -> TransactionValidityWithRefund {
			let valid = Self::validate_announce_endpoint(collector, endpoint, signature)?;
			Ok((valid, Weight::zero()))
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Lengths and thresholds; `None` on a chain whose genesis lacks this pallet.
		pub fn config() -> Option<HeartbeatConfig> {
			Settings::<T>::get()
		}

		/// The present window and the hash signs of life in it are anchored to; `None` while no window
		/// is open.
		pub fn window() -> Option<(Window, [u8; 32])> {
			Self::present_window()
		}

		/// The keys of a page's collectors in the present window.
		pub fn collectors(page: Page) -> Vec<T::CollectorId> {
			Self::present_collectors(page)
		}

		/// How a node is doing, and beats seen and due in the last 30 days.
		pub fn standing(node: NodeIndex) -> (LivenessState, Option<(u32, u32)>) {
			Self::standing_of(node)
		}
	}
}
