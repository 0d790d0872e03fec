#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

pub use pallet::*;
pub use types::PlacementError;

pub mod oracle;
mod placement;
pub mod runtime_api;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;

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
		registration::NodeRecord,
		traits::{ClusterMaps, NodeRegistry},
		Epoch, NodeIndex, Pg, StripeId,
	};

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	/// Most nodes one answer holds.
	pub const MAX_PAGE: u32 = 256;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// The cluster map's history.
		type Maps: ClusterMaps;

		/// The registered nodes.
		type Registry: NodeRegistry;
	}

	/// The newest epoch at which all members of a placement group held what they must, for the
	/// groups where that is not the current epoch. Sparse: no entry means the current epoch.
	///
	/// Nothing writes it yet: the ledger of stored batches, which knows who holds what, will.
	#[pallet::storage]
	pub type CleanEpoch<T> = StorageMap<_, Twox64Concat, Pg, Epoch>;

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
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
