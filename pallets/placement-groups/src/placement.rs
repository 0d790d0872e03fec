//! From a placement group to nodes, by way of the cluster map.

use crate::{CleanEpoch, Config, KeptActing, Pallet, PlacementError};
use alloc::vec::Vec;
use arion_crush::{ClusterMap, MapperError, PlaceError, Placement};
use hippius_primitives::{traits::ClusterMaps, Epoch, NodeIndex, Pg, StripeId};

/// The nodes of a group, one entry per slot; `None` for a hole.
pub(crate) type Slots = Vec<Option<NodeIndex>>;

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
		if let Some(kept) = KeptActing::<T>::get(pg) {
			return Ok(kept.to_vec());
		}
		match CleanEpoch::<T>::get(pg).and_then(T::Maps::map_blob) {
			Some(blob) => mapping(&blob, pg),
			None => Self::do_up_set(pg),
		}
	}

	pub(crate) fn do_mapping_at(
		epoch: Epoch,
		pg: Pg,
	) -> Result<Vec<Option<NodeIndex>>, PlacementError> {
		slots_by(&Self::placement_of(epoch)?, pg)
	}

	/// The placement by the map of an epoch, for several groups.
	pub(crate) fn placement_of(epoch: Epoch) -> Result<Placement, PlacementError> {
		let blob = T::Maps::map_blob(epoch).ok_or(PlacementError::EpochNotKept)?;
		placement(&blob)
	}
}

fn placement(blob: &[u8]) -> Result<Placement, PlacementError> {
	let decoded = ClusterMap::decode_placement(blob);
	decoded
		.map(|(_, placement)| placement)
		.map_err(|_| PlacementError::CorruptMap)
}

/// The mapping of a placement group by an encoded map.
fn mapping(blob: &[u8], pg: Pg) -> Result<Slots, PlacementError> {
	slots_by(&placement(blob)?, pg)
}

/// The mapping of a placement group. Its draws are metered, up to the map's own cap.
pub(crate) fn slots_by(placement: &Placement, pg: Pg) -> Result<Slots, PlacementError> {
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
