//! What must hold between blocks.

use crate::{
	build::FAMILY_SHARES, exceptions::groups, Config, CurrentEpoch, Exceptions, FamilyBucketId,
	HostBucketId, MapBlob, MapHash, NextBucketId, Pallet, Reweight, TakenOut, Totals,
	WeightHistory, ZoneBucketId, KEPT_EPOCHS,
};
use alloc::collections::{BTreeMap, BTreeSet};
use arion_crush::{ClusterMap, FailureDomain, WEIGHT_ONE};
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * There is a hash for each epoch from 1 to the current one, and a map for the newest
	///   [`KEPT_EPOCHS`] of them and no other; the map hashes to its hash, validates, and names its
	///   epoch.
	/// * Bucket ids are distinct, negative, and above the next to be given out.
	/// * In the current map no family has more than three zones (family domains) or nodes (host
	///   domains).
	/// * The totals are the current map's.
	/// * A stored reweight is below 1.0.
	/// * Exceptions ascend, name a node once in each group, are no more than `MaxExceptions` in
	///   `MaxExceptionGroups` groups, and the current map allows all of them, and all of its own.
	/// * Who is out by its health has the reweight 0 in the current map, at most a quarter of its
	///   nodes are; a weight that depends on a score has a history.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_state_epochs()?;
		Self::try_state_ids()?;
		Self::try_state_shares()?;
		ensure!(
			Reweight::<T>::iter_values().all(|weight| weight < WEIGHT_ONE),
			"a reweight of 1.0 or more is stored"
		);
		Self::try_state_exceptions()?;
		Self::try_state_health()
	}

	fn try_state_exceptions() -> Result<(), TryRuntimeError> {
		let stored = Exceptions::<T>::get().into_inner();
		ensure!(
			stored.len() <= T::MaxExceptions::get() as usize
				&& groups(&stored) <= T::MaxExceptionGroups::get() as usize,
			"too many exceptions"
		);
		let Some(blob) = MapBlob::<T>::get(CurrentEpoch::<T>::get()) else {
			ensure!(stored.is_empty(), "exceptions without a map");
			return Ok(());
		};
		let mut map = ClusterMap::decode_checked(&blob).map_err(|_| "the map is not valid")?;
		let own = core::mem::replace(&mut map.exceptions, stored);
		// Refuses what does not ascend or names a node twice.
		let placement = map
			.placement()
			.map_err(|_| "the exceptions are not as a map has them")?;
		for mut items in [map.exceptions, own] {
			ensure!(
				placement.retain_valid(&mut items).is_empty(),
				"an exception that the map does not allow"
			);
		}
		Ok(())
	}

	fn try_state_health() -> Result<(), TryRuntimeError> {
		let Some(blob) = MapBlob::<T>::get(CurrentEpoch::<T>::get()) else {
			return Ok(());
		};
		let map = ClusterMap::decode_checked(&blob).map_err(|_| "the map is not valid")?;
		let nodes: BTreeMap<_, _> = map.nodes().map(|node| (node.index, *node)).collect();
		let out = TakenOut::<T>::get();
		ensure!(out.len() <= nodes.len() / 4, "too many nodes are out");
		for index in out {
			ensure!(
				nodes.get(&index).is_some_and(|node| node.reweight == 0),
				"a node that is out, but in the map"
			);
		}
		for (index, growth) in WeightHistory::<T>::get() {
			let node = nodes.get(&index).ok_or("a weight of no node")?;
			ensure!(
				node.weight <= growth.weight && growth.weight > 0,
				"a weight that did not grow"
			);
		}
		Ok(())
	}

	fn try_state_epochs() -> Result<(), TryRuntimeError> {
		let current = CurrentEpoch::<T>::get();
		ensure!(
			MapHash::<T>::iter().count() as u32 == current,
			"hashes and epochs differ"
		);
		ensure!(
			(1..=current).all(MapHash::<T>::contains_key),
			"an epoch without a hash"
		);
		ensure!(
			MapBlob::<T>::iter().count() as u32 == current.min(KEPT_EPOCHS),
			"not the right number of maps is kept"
		);
		for epoch in current.saturating_sub(KEPT_EPOCHS).saturating_add(1)..=current {
			let blob = MapBlob::<T>::get(epoch).ok_or("a recent map is missing")?;
			let hash = sp_io::hashing::blake2_256(&blob);
			ensure!(
				MapHash::<T>::get(epoch).map(|hash| hash.0) == Some(hash),
				"a wrong hash"
			);
			let map = ClusterMap::decode_checked(&blob).map_err(|_| "a stored map is not valid")?;
			ensure!(map.epoch == epoch, "a map stored under another epoch");
		}
		Ok(())
	}

	fn try_state_ids() -> Result<(), TryRuntimeError> {
		let next = NextBucketId::<T>::get();
		let mut seen = BTreeSet::new();
		let ids = ZoneBucketId::<T>::iter_values()
			.chain(FamilyBucketId::<T>::iter_values())
			.chain(HostBucketId::<T>::iter_values());
		for id in ids {
			ensure!(id < 0 && id > next, "a bucket id that was not given out");
			ensure!(seen.insert(id), "a bucket id used twice");
		}
		Ok(())
	}

	fn try_state_shares() -> Result<(), TryRuntimeError> {
		let Some(blob) = MapBlob::<T>::get(CurrentEpoch::<T>::get()) else {
			return Ok(());
		};
		let map = ClusterMap::decode_checked(&blob).map_err(|_| "the map is not valid")?;
		let weight: u64 = map.nodes().map(|node| u64::from(node.weight)).sum();
		ensure!(
			Totals::<T>::get() == (map.nodes().count() as u32, weight),
			"the totals are not the map's"
		);
		let owners: BTreeMap<_, _> = FamilyBucketId::<T>::iter()
			.map(|((_, family), id)| (id, family))
			.collect();
		let mut shares = BTreeMap::<[u8; 32], usize>::new();
		for family in map.zones.iter().flat_map(|zone| &zone.families) {
			let owner = owners
				.get(&family.id)
				.ok_or("a family bucket nobody owns")?;
			let share = match map.rule.failure_domain {
				FailureDomain::Family => 1,
				FailureDomain::Host => family.hosts.iter().map(|host| host.nodes.len()).sum(),
			};
			*shares.entry(*owner).or_default() += share;
		}
		ensure!(
			shares.values().all(|share| *share <= FAMILY_SHARES),
			"a family has too much"
		);
		Ok(())
	}
}
