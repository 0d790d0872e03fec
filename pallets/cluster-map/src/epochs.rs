//! From the registry's nodes to the next epoch.

use crate::{
	build, exceptions::Judged, health::Health, Config, CurrentEpoch, Event, ExceptionRevision,
	HostName, Inputs, LastInputs, MapBlob, MapHash, NextBucketId, Pallet, Placement,
	PlacementConfig, ReweightRevision, SkipReason, Totals, WeightInfo, KEPT_EPOCHS, LOG_TARGET,
};
use alloc::{collections::BTreeMap, vec::Vec};
use arion_crush::{ClusterMap, FamilyBucket, HostBucket, MapNode, ZoneBucket};
use codec::Encode;
use core::cmp::Reverse;
use frame_support::{traits::Get, weights::Weight, BoundedVec};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	registration::NodeRecord,
	traits::{Liveness, NodeRegistry, NodeScores},
	Epoch, NodeIndex,
};
use sp_core::H256;
use sp_runtime::traits::{UniqueSaturatedInto, Zero};

/// Nodes read from the registry at one time.
const PAGE: u32 = 256;

impl<T: Config> Pallet<T> {
	/// Starts an epoch if one is due and anything changed; gives the weight of what it did.
	pub(crate) fn do_on_initialize(now: BlockNumberFor<T>) -> Weight {
		let Some(config) = Placement::<T>::get() else {
			return T::WeightInfo::no_epoch();
		};
		if !(now % config.epoch_blocks.into()).is_zero() {
			return T::WeightInfo::no_epoch();
		}
		let inputs = Inputs {
			registry: T::Registry::revision(),
			reweights: ReweightRevision::<T>::get(),
			scores: T::Scores::revision(),
			outs: T::Liveness::out_revision(),
			exceptions: ExceptionRevision::<T>::get(),
		};
		let last = LastInputs::<T>::get();
		if inputs == last {
			return T::WeightInfo::unchanged_epoch();
		}
		let by_hand = |inputs: &Inputs| (inputs.registry, inputs.reweights, inputs.exceptions);
		let by_health = by_hand(&inputs) == by_hand(&last);
		LastInputs::<T>::put(inputs);
		let nodes = Self::registered();
		let (read, first_id) = (nodes.len() as u32, NextBucketId::<T>::get());
		let now = now.unique_saturated_into();
		let mut judged = Judged::default();
		if let Err(reason) = Self::start_epoch(&config, nodes, now, by_health, &mut judged) {
			Self::deposit_event(Event::EpochSkipped { reason });
		}
		// Ids go down.
		let new_ids = NextBucketId::<T>::get().abs_diff(first_id);
		let Judged { items, draws } = judged;
		T::WeightInfo::build_epoch(read, new_ids)
			.saturating_add(T::WeightInfo::judge_exceptions(items, draws))
	}

	/// The registry's first `MaxNodes` nodes.
	fn registered() -> Vec<NodeRecord> {
		let max = T::MaxNodes::get();
		let mut nodes: Vec<NodeRecord> = Vec::new();
		let mut from: NodeIndex = 0;
		loop {
			let limit = PAGE.min(max.saturating_sub(nodes.len() as u32));
			let page = T::Registry::nodes_from(from, limit);
			let Some(next) = page.last().and_then(|node| node.index.checked_add(1)) else {
				break;
			};
			from = next;
			nodes.extend(page);
		}
		nodes
	}

	/// Builds and publishes the next map. One that only could differ by the nodes' health is published
	/// only if it does.
	fn start_epoch(
		config: &PlacementConfig,
		nodes: Vec<NodeRecord>,
		now: u32,
		by_health: bool,
		judged: &mut Judged,
	) -> Result<(), SkipReason> {
		let nodes = build::select(config, nodes);
		let needed = u32::from(config.per_zone);
		let short = build::domains(config, &nodes)
			.into_iter()
			.find(|(_, found)| *found < needed);
		if let Some((zone, found)) = short {
			return Err(SkipReason::TooFewDomains {
				zone,
				found,
				needed,
			});
		}
		let epoch = CurrentEpoch::<T>::get()
			.checked_add(1)
			.ok_or(SkipReason::EpochsExhausted)?;
		let health = Self::health(&nodes, now, config.growth_blocks);
		let mut map = ClusterMap::plain(
			epoch,
			config.pg_num,
			config.pool,
			config.rule(),
			Self::hierarchy(&nodes, &health)?,
		);
		let placement = map.placement().map_err(|error| {
			log::error!(target: LOG_TARGET, "the map of epoch {epoch} is not valid: {error}");
			SkipReason::InvalidMap
		})?;
		let retained = Self::retained(&placement, judged);
		map.exceptions.clone_from(&retained.items);
		if !(by_health && Self::is_current(&map)) {
			Self::publish(epoch, &map, nodes.len() as u32)?;
			Self::drop_exceptions(retained);
		}
		Self::remember(health);
		Ok(())
	}

	/// Whether the current map is the same but for its epoch.
	fn is_current(map: &ClusterMap) -> bool {
		let current = MapBlob::<T>::get(CurrentEpoch::<T>::get())
			.and_then(|blob| ClusterMap::decode_checked(&blob).ok());
		current.is_some_and(|current| {
			ClusterMap {
				epoch: map.epoch,
				..current
			} == *map
		})
	}

	/// Stores the map as the newest and drops the one that is now too old.
	fn publish(epoch: Epoch, map: &ClusterMap, nodes: u32) -> Result<(), SkipReason> {
		let blob =
			BoundedVec::try_from(map.encode()).map_err(|blob: Vec<u8>| SkipReason::MapTooLong {
				len: blob.len() as u32,
			})?;
		let hash = H256(sp_io::hashing::blake2_256(&blob));
		MapHash::<T>::insert(epoch, hash);
		MapBlob::<T>::insert(epoch, blob);
		CurrentEpoch::<T>::put(epoch);
		let weight: u64 = map.nodes().map(|node| u64::from(node.weight)).sum();
		Totals::<T>::put((nodes, weight));
		if let Some(expired) = epoch.checked_sub(KEPT_EPOCHS) {
			MapBlob::<T>::remove(expired);
		}
		Self::deposit_event(Event::EpochStarted { epoch, hash, nodes });
		Ok(())
	}

	/// The nodes under their zones, families and hosts. Buckets stand in the order in which their
	/// ids were given out, nodes by number, so that what is new comes last.
	fn hierarchy(nodes: &[NodeRecord], health: &Health) -> Result<Vec<ZoneBucket>, SkipReason> {
		type Hosts<'a> = BTreeMap<&'a [u8], Vec<MapNode>>;
		let mut zones: BTreeMap<u8, Vec<([u8; 32], Hosts<'_>)>> = BTreeMap::new();
		let mut places: BTreeMap<(u8, [u8; 32]), usize> = BTreeMap::new();
		for node in nodes {
			let families = zones.entry(node.params.zone).or_default();
			let place = *places
				.entry((node.params.zone, node.family))
				.or_insert_with(|| {
					families.push((node.family, Hosts::new()));
					families.len() - 1
				});
			let Some((_, hosts)) = families.get_mut(place) else {
				continue;
			};
			hosts.entry(&node.params.host).or_default().push(MapNode {
				index: node.index,
				weight: health.weight(node.index),
				reweight: Self::reweight_of(health, node.index),
			});
		}
		zones
			.into_iter()
			.map(|(zone, families)| {
				let id = Self::zone_id(zone)?;
				let mut families = families
					.into_iter()
					.map(|(family, hosts)| Self::family_bucket(zone, family, hosts))
					.collect::<Result<Vec<_>, _>>()?;
				families.sort_by_key(|family| Reverse(family.id));
				Ok(ZoneBucket { zone, id, families })
			})
			.collect()
	}

	fn family_bucket(
		zone: u8,
		family: [u8; 32],
		hosts: BTreeMap<&[u8], Vec<MapNode>>,
	) -> Result<FamilyBucket, SkipReason> {
		let id = Self::family_id(zone, family)?;
		let mut hosts = hosts
			.into_iter()
			.map(|(host, nodes)| {
				let host =
					HostName::try_from(host.to_vec()).map_err(|_| SkipReason::HostNameTooLong)?;
				let id = Self::host_id(zone, family, host)?;
				Ok(HostBucket { id, nodes })
			})
			.collect::<Result<Vec<_>, SkipReason>>()?;
		hosts.sort_by_key(|host| Reverse(host.id));
		Ok(FamilyBucket { id, hosts })
	}
}
