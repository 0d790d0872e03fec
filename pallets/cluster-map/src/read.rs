//! The seams to other pallets.

use crate::{Config, CurrentEpoch, MapBlob, MapHash, Pallet, Placement, Totals};
use alloc::{vec, vec::Vec};
use arion_crush::ClusterMap;
use hippius_primitives::{
	traits::{ClusterMaps, PlacementWeights, Zones},
	Epoch, NodeIndex,
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

impl<T: Config> PlacementWeights for Pallet<T> {
	fn totals() -> (u32, u64) {
		Totals::<T>::get()
	}

	fn weights(nodes: &[NodeIndex]) -> Vec<u32> {
		let mut weights = vec![0; nodes.len()];
		if nodes.is_empty() {
			return weights;
		}
		let map = MapBlob::<T>::get(CurrentEpoch::<T>::get())
			.and_then(|blob| ClusterMap::decode_checked(&blob).ok());
		let Some(map) = map else { return weights };
		let mut all: Vec<_> = map.nodes().map(|node| (node.index, node.weight)).collect();
		all.sort_unstable();
		for (weight, node) in weights.iter_mut().zip(nodes) {
			if let Ok(place) = all.binary_search_by_key(node, |(index, _)| *index) {
				*weight = all.get(place).map_or(0, |(_, weight)| *weight);
			}
		}
		weights
	}
}
