use crate::{mock::*, CleanEpoch, PlacementError, MAX_PAGE};
use arion_crush::ClusterMap;
use codec::Encode;
use hippius_primitives::StripeId;
use std::collections::BTreeSet;

#[test]
fn before_the_first_map_there_is_no_placement() {
	build_and_execute(|| {
		assert_eq!(Groups::pg_of(StripeId([1; 32])), None);
		assert_eq!(Groups::up_set(0), Err(PlacementError::NoMap));
		assert_eq!(Groups::acting_set(0), Err(PlacementError::NoMap));
		assert_eq!(Groups::cluster_map(None), None);
		assert_eq!(Groups::mapping_at(0, 0), Err(PlacementError::EpochNotKept));
	});
}

#[test]
fn a_placement_is_the_maps_own() {
	build_and_execute(|| {
		let map = Maps::publish(1, 60);
		let placement = map.placement().unwrap();
		for pg in 0..map.pg_num {
			let up = Groups::up_set(pg).unwrap();
			assert_eq!(up, placement.up(pg).unwrap());
			assert_eq!(Groups::acting_set(pg), Ok(up.clone()));
			assert_eq!(Groups::mapping_at(1, pg), Ok(up.clone()));
			assert_eq!(up.into_iter().flatten().collect::<BTreeSet<_>>().len(), 30);
		}
		let stripe = StripeId([0x5a; 32]);
		assert_eq!(Groups::pg_of(stripe), Some(map.pg_of(&stripe)));
		assert_eq!(Groups::cluster_map(None), Some(map.encode()));
		assert_eq!(Groups::cluster_map(Some(1)), Some(map.encode()));
		assert_eq!(Groups::cluster_map(Some(2)), None);
	});
}

#[test]
fn an_unclean_group_acts_by_its_last_clean_epoch_while_that_is_kept() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let clean: Vec<_> = (0..64).map(|pg| Groups::up_set(pg).unwrap()).collect();
		Maps::publish(2, 90);
		let moved = (0..64)
			.find(|pg| Groups::up_set(*pg).unwrap() != clean[*pg as usize])
			.unwrap();
		CleanEpoch::<Test>::insert(moved, 1);
		assert_eq!(Groups::acting_set(moved), Ok(clean[moved as usize].clone()));
		assert_ne!(Groups::up_set(moved), Groups::acting_set(moved));
		for pg in (0..64).filter(|pg| *pg != moved) {
			assert_eq!(Groups::up_set(pg), Groups::acting_set(pg));
		}
		Maps::expire(1);
		assert_eq!(Groups::acting_set(moved), Groups::up_set(moved));
		assert_eq!(
			Groups::mapping_at(1, moved),
			Err(PlacementError::EpochNotKept)
		);
	});
}

#[test]
fn unknown_groups_and_epochs_are_told_apart() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		for pg in [64, u32::MAX] {
			assert_eq!(Groups::up_set(pg), Err(PlacementError::UnknownPg));
			assert_eq!(Groups::acting_set(pg), Err(PlacementError::UnknownPg));
		}
		assert_eq!(Groups::mapping_at(2, 0), Err(PlacementError::EpochNotKept));
	});
}

#[test]
fn draws_are_capped_by_the_map() {
	build_and_execute(|| {
		let mut map = map(1, 60);
		map.rule.max_draws = 10;
		Maps::publish_blob(1, map.encode());
		assert_eq!(Groups::up_set(0), Err(PlacementError::DrawLimit));
	});
}

#[test]
fn a_corrupt_map_is_an_error_and_no_panic() {
	build_and_execute(|| {
		let valid = map(1, 60).encode();
		let mut no_shape = map(1, 60);
		no_shape.zones.pop();
		let flaws = [
			vec![],
			vec![0],
			valid[..valid.len() - 1].to_vec(),
			[&valid[..], &[0]].concat(),
			no_shape.encode(),
		];
		for blob in flaws {
			assert!(ClusterMap::decode_checked(&blob).is_err());
			Maps::publish_blob(1, blob);
			assert_eq!(Groups::up_set(0), Err(PlacementError::CorruptMap));
			assert_eq!(Groups::acting_set(0), Err(PlacementError::CorruptMap));
			assert_eq!(Groups::pg_of(StripeId([0; 32])), None);
		}
	});
}

#[test]
fn nodes_come_in_bounded_pages() {
	build_and_execute(|| {
		assert_eq!(Groups::nodes_from(0, u32::MAX).len(), MAX_PAGE as usize);
		assert_eq!(Groups::nodes_from(999, 10).len(), 1);
		assert_eq!(Groups::nodes_from(0, 0).len(), 0);
	});
}

#[test]
fn view_functions_can_be_called_by_their_id() {
	use crate::UpSetViewFunction;
	use frame_support::view_functions::{DispatchViewFunction, ViewFunction};
	build_and_execute(|| {
		Maps::publish(1, 60);
		let mut output = Vec::new();
		let id = UpSetViewFunction::<Test>::id();
		RuntimeViewFunction::dispatch_view_function(&id, &mut &3u32.encode()[..], &mut output)
			.unwrap();
		assert_eq!(output, Groups::up_set(3).encode());
	});
}
