//! What must hold between blocks.

use crate::{CleanEpoch, Config, Pallet};
use arion_crush::ClusterMap;
use frame_support::ensure;
use hippius_primitives::traits::ClusterMaps;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * A clean epoch has come, and is not the current one, which needs no entry.
	/// * It is that of a placement group of the current map.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let current = T::Maps::current_epoch();
		let map = T::Maps::map_blob(current);
		let pg_num = map
			.and_then(|blob| ClusterMap::decode_checked(&blob).ok())
			.map_or(0, |map| map.pg_num);
		for (pg, epoch) in CleanEpoch::<T>::iter() {
			ensure!(
				(1..current).contains(&epoch),
				"a clean epoch that is not past"
			);
			ensure!(pg < pg_num, "a clean epoch of no placement group");
		}
		Ok(())
	}
}
