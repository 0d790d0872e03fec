//! From a placement group to nodes, by way of the cluster map.

use crate::{CleanEpoch, Config, Pallet, PlacementError};
use alloc::vec::Vec;
use arion_crush::{ClusterMap, MapperError, PlaceError};
use hippius_primitives::{traits::ClusterMaps, Epoch, NodeIndex, Pg, StripeId};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_pg_of(stripe: StripeId) -> Option<Pg> {
		let blob = T::Maps::map_blob(T::Maps::current_epoch())?;
		Some(ClusterMap::decode_checked(&blob).ok()?.pg_of(&stripe))
	}

	pub(crate) fn do_up_set(pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
		match T::Maps::current_epoch() {
			0 => Err(PlacementError::NoMap),
			epoch => Self::do_mapping_at(epoch, pg),
		}
	}

	pub(crate) fn do_acting_set(pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
		match CleanEpoch::<T>::get(pg).and_then(T::Maps::map_blob) {
			Some(blob) => mapping(&blob, pg),
			None => Self::do_up_set(pg),
		}
	}

	pub(crate) fn do_mapping_at(
		epoch: Epoch,
		pg: Pg,
	) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
		let blob = T::Maps::map_blob(epoch).ok_or(PlacementError::EpochNotKept)?;
		mapping(&blob, pg)
	}
}

/// The mapping of a placement group by an encoded map. Its draws are metered, up to the map's own cap.
fn mapping(blob: &[u8], pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
	let (_, placement) =
		ClusterMap::decode_placement(blob).map_err(|_| PlacementError::CorruptMap)?;
	placement.up(pg).map_err(|error| match error {
		PlaceError::UnknownPg { .. } => PlacementError::UnknownPg,
		PlaceError::Mapper {
			error: MapperError::DrawCap(_),
			..
		} => PlacementError::DrawLimit,
		PlaceError::Mapper { .. }
		| PlaceError::Slots { .. }
		| PlaceError::NotANode { .. }
		| PlaceError::NodeTwice { .. }
		| PlaceError::NodeOut { .. } => PlacementError::CorruptMap,
	})
}
