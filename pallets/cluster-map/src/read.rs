//! The seams to other pallets.

use crate::{Config, CurrentEpoch, MapBlob, MapHash, Pallet, Placement};
use alloc::vec::Vec;
use hippius_primitives::{
	traits::{ClusterMaps, Zones},
	Epoch,
};

impl<T: Config> ClusterMaps for Pallet<T> {
	fn current_epoch() -> Epoch {
		CurrentEpoch::<T>::get()
	}

	fn map_blob(epoch: Epoch) -> Option<Vec<u8>> {
		MapBlob::<T>::get(epoch).map(|blob| blob.into_inner())
	}

	fn map_hash(epoch: Epoch) -> Option<[u8; 32]> {
		MapHash::<T>::get(epoch).map(|hash| hash.0)
	}
}

impl<T: Config> Zones for Pallet<T> {
	fn exists(zone: u8) -> bool {
		Placement::<T>::get().is_some_and(|config| zone < config.zones)
	}
}
