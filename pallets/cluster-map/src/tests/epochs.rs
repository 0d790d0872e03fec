use crate::{
	mock::*, CurrentEpoch, Error, Event, FamilyBucketId, HostBucketId, MapBlob, MapHash,
	NextBucketId, Reweight, SkipReason, WeightInfo, ZoneBucketId, KEPT_EPOCHS,
};
use arion_crush::{ClusterMap, WEIGHT_ONE};
use frame_support::{assert_noop, assert_ok, traits::Hooks};
use hippius_primitives::traits::{ClusterMaps, NodeRegistry, Zones};
use sp_runtime::DispatchError;
use std::collections::BTreeSet;

fn set_reweight(node: u32, weight: u32) {
	assert_ok!(Maps::set_reweight(RuntimeOrigin::root(), node, weight));
}

#[test]
fn the_first_epoch_has_all_thirty_nodes_and_places_them() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Maps::epoch(), 0);
		assert_eq!(Maps::map(None), None);
		thirty_nodes();
		next_epoch();

		let blob = Maps::map(None).unwrap();
		let hash = sp_io::hashing::blake2_256(&blob);
		assert_eq!(
			last_event(),
			Event::EpochStarted {
				epoch: 1,
				hash: hash.into(),
				nodes: 30
			}
		);
		assert_eq!(<Maps as ClusterMaps>::map_hash(1), Some(hash));
		let map = current();
		assert_eq!((map.epoch, map.pg_num, map.zones.len()), (1, 64, 6));
		assert_eq!(indexes(&map), (0..30).collect::<Vec<_>>());
		let placement = map.placement().unwrap();
		for pg in 0..map.pg_num {
			let up: BTreeSet<_> = placement.up(pg).unwrap().into_iter().flatten().collect();
			assert_eq!(up.len(), 30);
		}
	});
}

#[test]
fn an_epoch_starts_only_at_its_block_and_only_if_something_changed() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		for block in 2..EPOCH_BLOCKS {
			System::set_block_number(block);
			assert_eq!(Maps::on_initialize(block), <() as WeightInfo>::no_epoch());
		}
		assert_eq!(Maps::epoch(), 0);
		assert_eq!(next_epoch(), <() as WeightInfo>::build_epoch(30, 66));
		assert_eq!(Maps::epoch(), 1);
		assert_eq!(next_epoch(), <() as WeightInfo>::unchanged_epoch());
		assert_eq!(Maps::epoch(), 1);

		Nodes::insert(node(30, 3, 77));
		next_epoch();
		assert_eq!(Maps::epoch(), 2);
		assert_eq!(indexes(&current()).len(), 31);
	});
}

#[test]
fn without_nodes_nothing_happens() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(next_epoch(), <() as WeightInfo>::unchanged_epoch());
		assert_eq!(System::events().len(), 0);
	});
}

#[test]
fn a_zone_with_too_few_domains_leaves_the_old_map_in_force() {
	ExtBuilder::default().build_and_execute(|| {
		let reason = SkipReason::TooFewDomains {
			zone: 0,
			found: 1,
			needed: 5,
		};
		Nodes::insert(node(0, 0, 0));
		next_epoch();
		assert_eq!(last_event(), Event::EpochSkipped { reason });
		assert_eq!(Maps::epoch(), 0);
		// The same nodes are not tried again.
		assert_eq!(next_epoch(), <() as WeightInfo>::unchanged_epoch());
		assert_eq!(System::events().len(), 1);

		thirty_nodes();
		next_epoch();
		assert_eq!(Maps::epoch(), 1);
		Nodes::drain(9);
		next_epoch();
		let reason = SkipReason::TooFewDomains {
			zone: 3,
			found: 4,
			needed: 5,
		};
		assert_eq!(last_event(), Event::EpochSkipped { reason });
		assert_eq!(Maps::epoch(), 1);
		assert!(indexes(&current()).contains(&9));
		// Another family's node in that zone lets the drained one go.
		Nodes::insert(node(40, 3, 40));
		next_epoch();
		assert_eq!(Maps::epoch(), 2);
		assert!(!indexes(&current()).contains(&9));
	});
}

#[test]
fn family_domains_need_families() {
	ExtBuilder::default()
		.family_domains()
		.build_and_execute(|| {
			thirty_nodes();
			next_epoch();
			assert_eq!(Maps::epoch(), 1);
			let placement = current().placement().unwrap();
			assert!(placement.up(0).unwrap().iter().all(Option::is_some));
			// A family with five nodes in one zone is one domain.
			Nodes::change(|nodes| {
				for index in [0, 6, 12, 18, 24] {
					nodes.get_mut(&index).unwrap().family = [99; 32];
				}
			});
			next_epoch();
			let reason = SkipReason::TooFewDomains {
				zone: 0,
				found: 1,
				needed: 5,
			};
			assert_eq!(last_event(), Event::EpochSkipped { reason });
		});
}

#[test]
fn standby_nodes_wait_outside_the_map() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		Nodes::insert(node(30, 0, 0));
		next_epoch();
		assert_eq!(indexes(&current()), (0..30).collect::<Vec<_>>());
	});
}

#[test]
fn a_map_longer_than_allowed_is_not_published() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		MaxMapLen::set(100);
		next_epoch();
		let Event::EpochSkipped {
			reason: SkipReason::MapTooLong { len },
		} = last_event()
		else {
			panic!("published");
		};
		assert!(len > 100);
		MaxMapLen::set(64 * 1024);
	});
}

#[test]
fn only_so_many_nodes_are_looked_at() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		for index in 30..600 {
			Nodes::insert(node(index, 0, (index % 200) as u8 + 10));
		}
		MaxNodes::set(400);
		let weight = next_epoch();
		let ids = NextBucketId::<Test>::get().abs_diff(-1);
		assert_eq!(weight, <() as WeightInfo>::build_epoch(400, ids));
		assert!(indexes(&current()).iter().all(|index| *index < 400));
		MaxNodes::set(1_000);
	});
}

#[test]
fn hashes_stay_and_maps_expire() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		let epochs = KEPT_EPOCHS + 3;
		for _ in 0..epochs {
			Nodes::change(|_| ());
			next_epoch();
		}
		assert_eq!(CurrentEpoch::<Test>::get(), epochs);
		assert!(!MapBlob::<Test>::contains_key(3));
		assert!(MapBlob::<Test>::contains_key(4));
		assert!(MapHash::<Test>::contains_key(1));
		assert_eq!(Maps::map(Some(3)), None);
		assert!(Maps::map(Some(4)).is_some());
		assert_eq!(Maps::map(Some(epochs + 1)), None);
	});
}

#[test]
fn buckets_keep_their_ids_and_new_ones_get_new_ids() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		for index in 30..36 {
			Nodes::insert(node(index, (index % 6) as u8, 50));
		}
		next_epoch();
		let first = current();
		let ids = NextBucketId::<Test>::get();
		// 6 zones, 33 families in zones (30 plus the family's three), 33 hosts.
		assert_eq!(ids, -1 - 6 - 33 - 33);
		assert_eq!(ZoneBucketId::<Test>::iter().count(), 6);

		let (key, host) = (
			(0, [50; 32]),
			crate::HostName::try_from(node(30, 0, 50).params.host).unwrap(),
		);
		let family_id = FamilyBucketId::<Test>::get(key).unwrap();
		let host_id = HostBucketId::<Test>::get((0, [50; 32], host)).unwrap();
		let record = Nodes::node(30).unwrap();
		Nodes::remove(30);
		next_epoch();
		Nodes::insert(record);
		next_epoch();
		assert_eq!(current().zones, first.zones);
		assert_eq!(FamilyBucketId::<Test>::get(key), Some(family_id));
		assert!(family_id > ids && host_id > ids);
	});
}

#[test]
fn new_buckets_and_nodes_come_last() {
	ExtBuilder::default().build_and_execute(|| {
		for index in 10..40 {
			Nodes::insert(node(index, (index % 6) as u8, (index / 3) as u8));
		}
		next_epoch();
		let before = current();
		// A lower number and a host name that sorts before the others.
		let mut late = node(0, 0, 200);
		late.params.host = b"a".to_vec();
		Nodes::insert(late);
		next_epoch();
		let (old, new) = (&before.zones[0].families, &current().zones[0].families);
		assert_eq!(old[..], new[..old.len()]);
		assert_eq!(new.last().unwrap().hosts[0].nodes[0].index, 0);
	});
}

#[test]
fn a_reweight_gets_into_the_next_map_and_concerns_only_its_zone() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		next_epoch();
		let before = current().placement().unwrap();
		set_reweight(7, 0);
		assert_eq!(last_event(), Event::ReweightSet { node: 7, weight: 0 });
		assert_eq!(current().epoch, 1);
		next_epoch();
		let map: ClusterMap = current();
		assert_eq!(map.epoch, 2);
		assert_eq!(
			map.nodes().find(|node| node.index == 7).unwrap().reweight,
			0
		);
		let after = map.placement().unwrap();
		for pg in 0..map.pg_num {
			let (old, new) = (before.up(pg).unwrap(), after.up(pg).unwrap());
			assert!(!new.contains(&Some(7)));
			// Node 7 is in zone 1, which fills slots 5 to 9 and has one node too few now.
			assert_eq!((&old[..5], &old[10..]), (&new[..5], &new[10..]));
			assert_eq!(new[5..10].iter().flatten().count(), 4);
		}
		set_reweight(7, WEIGHT_ONE);
		assert!(!Reweight::<Test>::contains_key(7));
		next_epoch();
		assert_eq!(
			current()
				.nodes()
				.find(|node| node.index == 7)
				.unwrap()
				.reweight,
			WEIGHT_ONE
		);
	});
}

#[test]
fn reweights_are_checked_and_only_the_admin_sets_them() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		let root = RuntimeOrigin::root;
		assert_noop!(
			Maps::set_reweight(RuntimeOrigin::signed(1), 0, 0),
			DispatchError::BadOrigin
		);
		assert_noop!(
			Maps::set_reweight(root(), 0, WEIGHT_ONE + 1),
			Error::<Test>::ReweightTooHigh
		);
		assert_noop!(
			Maps::set_reweight(root(), 99, 5),
			Error::<Test>::UnknownNode
		);
		// The entry of a node that left can be removed.
		set_reweight(3, 5);
		Nodes::remove(3);
		set_reweight(3, WEIGHT_ONE);
		assert!(!Reweight::<Test>::contains_key(3));
	});
}

#[test]
fn zones_are_those_of_the_placement() {
	ExtBuilder::default().build_and_execute(|| {
		assert!((0..6).all(<Maps as Zones>::exists));
		assert!(!<Maps as Zones>::exists(6));
		assert!(!<Maps as Zones>::exists(255));
		crate::Placement::<Test>::kill();
		assert!(!<Maps as Zones>::exists(0));
		thirty_nodes();
		assert_eq!(next_epoch(), <() as WeightInfo>::no_epoch());
	});
}

#[test]
#[should_panic(expected = "genesis placement is not valid")]
fn a_chain_that_could_place_nothing_is_not_built() {
	use sp_runtime::BuildStorage;
	let placement = crate::PlacementConfig {
		zones: 7,
		..Default::default()
	};
	let _ = crate::GenesisConfig::<Test>::new(placement).build_storage();
}

#[test]
fn the_placement_reads_from_a_chain_specification() {
	let text = r#"{
		"placement": {
			"zones": 3, "perZone": 10, "failureDomain": "host", "pgNum": 32, "pool": 2,
			"chooseTries": 50, "chooseleafTries": 5, "maxDraws": 1000, "epochBlocks": 10,
			"growthBlocks": 40
		}
	}"#;
	let config: crate::GenesisConfig<Test> = serde_json::from_str(text).unwrap();
	assert_eq!(config.placement.zones, 3);
	assert_eq!(
		config.placement.failure_domain,
		arion_crush::FailureDomain::Host
	);
	assert_eq!(config.placement.check(), Ok(()));
	let again = serde_json::to_string(&config).unwrap();
	assert!(again.contains(r#""failureDomain":"host""#));
	assert!(
		serde_json::from_str::<crate::GenesisConfig<Test>>(r#"{"placement":{"zone":1}}"#).is_err()
	);
}

#[test]
fn the_weight_of_an_epoch_grows_with_its_nodes_and_ids() {
	let weight = |nodes, ids| <() as WeightInfo>::build_epoch(nodes, ids);
	assert!(weight(0, 0).all_gt(<() as WeightInfo>::unchanged_epoch()));
	assert!(weight(100, 0).all_gt(weight(99, 0)));
	assert!(weight(100, 1).all_gt(weight(100, 0)));
	assert!(<() as WeightInfo>::set_reweight().ref_time() > 0);
}

#[test]
fn weights_are_told_for_those_in_the_map() {
	use hippius_primitives::traits::PlacementWeights;
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Maps::totals(), (0, 0));
		assert_eq!(Maps::weights(&[0]), [0]);
		thirty_nodes();
		let mut big = node(3, 3, 1);
		big.params.capacity = 3 << 40;
		Nodes::insert(big);
		next_epoch();
		assert_eq!(Maps::totals(), (30, 32 * 64));
		assert_eq!(Maps::weights(&[3, 99, 0]), [192, 0, 64]);
	});
}

#[test]
fn jailed_nodes_keep_their_place_and_evicted_ones_lose_it() {
	use hippius_primitives::registration::NodeStatus;
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		Nodes::insert(node(30, 3, 20));
		Nodes::insert(node(31, 4, 21));
		Nodes::change(|nodes| {
			nodes.get_mut(&30).unwrap().status = NodeStatus::Jailed;
			nodes.get_mut(&31).unwrap().status = NodeStatus::Evicted;
		});
		next_epoch();
		let indexes = indexes(&current());
		assert!(indexes.contains(&30) && !indexes.contains(&31));
	});
}
