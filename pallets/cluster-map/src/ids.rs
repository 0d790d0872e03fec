//! Bucket ids: from a counter, never used twice, so that nobody can choose one to his advantage.

use crate::{
	Config, FamilyBucketId, HostBucketId, HostName, NextBucketId, Pallet, SkipReason, ZoneBucketId,
};
use arion_crush::BucketId;

impl<T: Config> Pallet<T> {
	/// The id of a zone's bucket.
	pub(crate) fn zone_id(zone: u8) -> Result<BucketId, SkipReason> {
		if let Some(id) = ZoneBucketId::<T>::get(zone) {
			return Ok(id);
		}
		let id = Self::new_id()?;
		ZoneBucketId::<T>::insert(zone, id);
		Ok(id)
	}

	/// The id of a family's bucket in a zone.
	pub(crate) fn family_id(zone: u8, family: [u8; 32]) -> Result<BucketId, SkipReason> {
		if let Some(id) = FamilyBucketId::<T>::get((zone, family)) {
			return Ok(id);
		}
		let id = Self::new_id()?;
		FamilyBucketId::<T>::insert((zone, family), id);
		Ok(id)
	}

	/// The id of a host's bucket.
	pub(crate) fn host_id(
		zone: u8,
		family: [u8; 32],
		host: HostName,
	) -> Result<BucketId, SkipReason> {
		let key = (zone, family, host);
		if let Some(id) = HostBucketId::<T>::get(&key) {
			return Ok(id);
		}
		let id = Self::new_id()?;
		HostBucketId::<T>::insert(key, id);
		Ok(id)
	}

	fn new_id() -> Result<BucketId, SkipReason> {
		let id = NextBucketId::<T>::get();
		let next = id.checked_sub(1).ok_or(SkipReason::BucketIdsExhausted)?;
		NextBucketId::<T>::put(next);
		Ok(id)
	}
}
