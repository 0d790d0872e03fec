use crate::{
	mock::*, types::GroupExceptions, Error, Event, Exception, Exceptions, Pallet, Refusal,
	WeightInfo,
};
use arion_crush::{Placement, UpmapItem};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use hippius_primitives::registration::NodeStatus;
use sp_runtime::DispatchError;

/// Eight nodes in each zone, each of its own family and host: zone and number agree modulo 6.
fn forty_eight_nodes() {
	for index in 0..48 {
		Nodes::insert(node(index, (index % 6) as u8, 100 + index as u8));
	}
	next_epoch();
}

fn placement() -> Placement {
	current().placement().unwrap()
}

fn list(pairs: &[(u32, u32)]) -> GroupExceptions {
	let pairs = pairs.iter().map(|&(from, to)| Exception { from, to });
	pairs.collect::<Vec<_>>().try_into().unwrap()
}

fn set(pg: u32, pairs: &[(u32, u32)]) -> sp_runtime::DispatchResult {
	Maps::set_exceptions(RuntimeOrigin::root(), pg, list(pairs))
}

/// Holders of a group in a zone, and the zone's other nodes, ascending.
fn zone(pg: u32, zone: u32) -> (Vec<u32>, Vec<u32>) {
	let raw = placement().raw(pg).unwrap();
	let first = zone as usize * 5;
	let mut held: Vec<_> = raw[first..first + 5].iter().flatten().copied().collect();
	held.sort_unstable();
	let free = (0..48).filter(|node| node % 6 == zone && !held.contains(node));
	(held.clone(), free.collect())
}

fn item(pg: u32, from: u32, to: u32) -> UpmapItem {
	UpmapItem { pg, from, to }
}

#[test]
fn exceptions_get_into_the_next_map_and_stay_until_removed() {
	ExtBuilder::default().build_and_execute(|| {
		forty_eight_nodes();
		let before = placement();
		let (held, free) = zone(7, 2);
		// In any order.
		let pairs = [(held[1], free[2]), (held[0], free[0])];
		assert_ok!(set(7, &pairs));
		assert_eq!(
			last_event(),
			Event::ExceptionsSet {
				pg: 7,
				exceptions: list(&pairs)
			}
		);
		let items = vec![item(7, held[0], free[0]), item(7, held[1], free[2])];
		assert_eq!(Maps::exceptions(), items);
		// The map in force does not change.
		assert_eq!(Maps::epoch(), 1);
		assert_eq!(placement().up(7), before.up(7));
		next_epoch();
		assert_eq!(Maps::epoch(), 2);
		assert_eq!(current().exceptions, items);
		let after = placement();
		for pg in 0..64 {
			let (old, new) = (before.up(pg).unwrap(), after.up(pg).unwrap());
			let moved: Vec<_> = old.iter().zip(&new).filter(|(a, b)| a != b).collect();
			if pg == 7 {
				assert_eq!(moved.len(), 2);
				assert!(moved.contains(&(&Some(held[0]), &Some(free[0]))));
				assert!(moved.contains(&(&Some(held[1]), &Some(free[2]))));
			} else {
				assert_eq!(moved, []);
			}
		}
		// No change, no epoch; another change, and they are still there.
		next_epoch();
		assert_eq!(Maps::epoch(), 2);
		assert_ok!(Maps::set_reweight(RuntimeOrigin::root(), 5, 0));
		next_epoch();
		assert_eq!(Maps::epoch(), 3);
		assert_eq!(current().exceptions, items);

		// Others in their place, then none.
		assert_ok!(set(3, &[(zone(3, 0).0[0], zone(3, 0).1[0])]));
		assert_ok!(set(7, &[(held[2], free[1])]));
		assert_eq!(Maps::exceptions().len(), 2);
		assert_eq!(Maps::exceptions()[1], item(7, held[2], free[1]));
		next_epoch();
		assert_eq!(current().exceptions, Maps::exceptions());
		assert_ok!(Maps::remove_exceptions(RuntimeOrigin::root(), 7));
		assert_eq!(last_event(), Event::ExceptionsRemoved { pg: 7 });
		assert_ok!(Maps::remove_exceptions(RuntimeOrigin::root(), 3));
		next_epoch();
		assert_eq!(current().exceptions, []);
		assert_eq!(
			placement().up(7).unwrap()[..25],
			before.up(7).unwrap()[..25]
		);
	});
}

#[test]
fn what_is_not_allowed_is_refused_by_name() {
	ExtBuilder::default().build_and_execute(|| {
		let root = RuntimeOrigin::root;
		assert_noop!(set(0, &[(0, 6)]), Error::<Test>::NoMap);
		// A second node on a host, one of the same family elsewhere, one that weighs nothing is none of
		// the registry's; one that is out; one on standby.
		let mut twin = node(48, 0, 100);
		twin.params.host = b"host-0".to_vec();
		Nodes::insert(twin);
		let mut waiting = node(49, 0, 120);
		waiting.status = NodeStatus::Draining;
		Nodes::insert(waiting);
		forty_eight_nodes();
		let pg = (0..64)
			.find(|pg| {
				let (held, free) = zone(*pg, 0);
				held.contains(&0) && !free.is_empty()
			})
			.unwrap();
		let (held, free) = zone(pg, 0);
		let other = *held.iter().find(|node| **node != 0).unwrap();
		let foreign = zone(pg, 1).1[0];
		let to = free[0];
		for (pg, pairs, error) in [
			(pg, vec![], Error::<Test>::NoExceptions),
			(64, vec![(held[0], to)], Error::UnknownGroup),
			(u32::MAX, vec![(held[0], to)], Error::UnknownGroup),
			(pg, vec![(1_000, to)], Error::NotInMap),
			(pg, vec![(held[0], 1_000)], Error::NotInMap),
			(pg, vec![(held[0], 49)], Error::NotInMap),
			(pg, vec![(to, free[1])], Error::NotHeld),
			(pg, vec![(held[0], foreign)], Error::OtherZone),
			(pg, vec![(held[0], held[1])], Error::AlreadyHolds),
			(pg, vec![(held[0], held[0])], Error::AlreadyHolds),
			(pg, vec![(held[0], to), (held[1], to)], Error::AlreadyHolds),
			(
				pg,
				vec![(held[0], to), (held[0], free[1])],
				Error::MovedTwice,
			),
			(pg, vec![(other, 48)], Error::DomainUsed),
		] {
			assert_noop!(set(pg, &pairs), error);
		}
		assert_noop!(
			Maps::set_exceptions(RuntimeOrigin::signed(1), pg, list(&[(held[0], to)])),
			DispatchError::BadOrigin
		);
		assert_noop!(
			Maps::remove_exceptions(RuntimeOrigin::signed(1), pg),
			DispatchError::BadOrigin
		);
		assert_noop!(
			Maps::remove_exceptions(root(), pg),
			Error::<Test>::NoExceptions
		);
		// The twin may take over from its own host.
		assert_ok!(set(pg, &[(0, 48)]));
		assert_ok!(Maps::remove_exceptions(root(), pg));

		// Out for the group.
		assert_ok!(Maps::set_reweight(root(), to, 0));
		next_epoch();
		let giver = zone(pg, 0).0[0];
		assert_noop!(set(pg, &[(giver, to)]), Error::<Test>::NodeOut);
	});
}

#[test]
fn the_numbers_of_exceptions_and_groups_are_bounded() {
	ExtBuilder::default().build_and_execute(|| {
		forty_eight_nodes();
		let pairs = |pg: u32| -> Vec<(u32, u32)> {
			let both = (0..6).map(|at| zone(pg, at));
			both.flat_map(|(held, free)| held.into_iter().zip(free))
				.collect()
		};
		// 18 exceptions each.
		for pg in 0..3 {
			assert_ok!(set(pg, &pairs(pg)));
		}
		assert_eq!(Maps::exceptions().len(), 54);
		assert_noop!(set(3, &pairs(3)), Error::<Test>::TooManyExceptions);
		assert_ok!(set(3, &pairs(3)[..10]));
		assert_noop!(set(4, &pairs(4)[..1]), Error::<Test>::TooManyExceptions);
		// In the place of others there is room.
		assert_ok!(set(2, &pairs(2)[..1]));
		for pg in 4..16 {
			assert_ok!(set(pg, &pairs(pg)[..1]));
		}
		assert_noop!(set(16, &pairs(16)[..1]), Error::<Test>::TooManyGroups);
		assert_ok!(set(15, &pairs(15)[..2]));
		next_epoch();
		assert_eq!(current().exceptions, Maps::exceptions());
		assert_eq!(current().exceptions.len(), 60);
	});
}

#[test]
fn what_a_new_map_does_not_allow_is_dropped_and_named() {
	ExtBuilder::default().build_and_execute(|| {
		forty_eight_nodes();
		let (a, b) = (zone(5, 1), zone(9, 4));
		assert_ok!(set(5, &[(a.0[0], a.1[0]), (a.0[1], a.1[1])]));
		assert_ok!(set(9, &[(b.0[0], b.1[0])]));
		next_epoch();
		assert_eq!(current().exceptions.len(), 3);
		// The taker leaves, and another is out.
		Nodes::drain(a.1[0]);
		assert_ok!(Maps::set_reweight(RuntimeOrigin::root(), b.1[0], 0));
		System::reset_events();
		next_epoch();
		let stays = zone(5, 1).0.contains(&a.0[1]);
		assert!(stays, "its slot is still its own");
		let dropped = vec![
			(item(5, a.0[0], a.1[0]), Refusal::NotInMap),
			(item(9, b.0[0], b.1[0]), Refusal::NodeOut),
		];
		assert_eq!(
			last_event(),
			Event::ExceptionsDropped {
				dropped: dropped.try_into().unwrap()
			}
		);
		let left = [item(5, a.0[1], a.1[1])];
		assert_eq!(Maps::exceptions(), left);
		assert_eq!(current().exceptions, left);
		assert_eq!(System::events().len(), 2);

		// The giver leaves.
		Nodes::drain(a.0[1]);
		next_epoch();
		assert_eq!(
			last_event(),
			Event::ExceptionsDropped {
				dropped: vec![(left[0], Refusal::NotInMap)].try_into().unwrap()
			}
		);
		assert_eq!(current().exceptions, []);
		// It does not come back with the node.
		Nodes::change(|nodes| {
			nodes.get_mut(&a.0[1]).unwrap().status = NodeStatus::Active;
		});
		next_epoch();
		assert_eq!(
			(current().exceptions.len(), Maps::exceptions().len()),
			(0, 0)
		);
	});
}

#[test]
fn a_map_that_is_not_published_drops_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		thirty_nodes();
		Nodes::insert(node(30, 0, 200));
		next_epoch();
		let placement = placement();
		let pg = (0..64)
			.find(|pg| !placement.raw(*pg).unwrap().contains(&Some(30)))
			.unwrap();
		assert_ok!(set(pg, &[(0, 30)]));
		next_epoch();
		assert_eq!(current().exceptions, [item(pg, 0, 30)]);
		// Too few failure domains: the old map stays in force, with its exceptions.
		Nodes::drain(6);
		Nodes::drain(30);
		next_epoch();
		assert!(matches!(last_event(), Event::EpochSkipped { .. }));
		assert_eq!(Maps::exceptions(), [item(pg, 0, 30)]);
		assert_eq!(current().exceptions, [item(pg, 0, 30)]);
		Maps::do_try_state().unwrap();
		Nodes::change(|nodes| {
			nodes.get_mut(&6).unwrap().status = NodeStatus::Active;
		});
		next_epoch();
		assert_eq!(Maps::exceptions(), []);
	});
}

#[test]
fn an_epoch_pays_for_judging_the_exceptions() {
	ExtBuilder::default().build_and_execute(|| {
		forty_eight_nodes();
		let weight = |items, draws| <() as WeightInfo>::judge_exceptions(items, draws);
		assert_eq!(weight(0, 0), Weight::zero());
		assert!(weight(2, 100).all_gt(weight(1, 100)));
		assert!(weight(1, 101).ref_time() > weight(1, 100).ref_time());
		let (held, free) = zone(5, 1);
		assert_ok!(set(5, &[(held[0], free[0])]));
		let (_, draws) = placement().up_counted(5).unwrap();
		let built = <() as WeightInfo>::build_epoch(48, 0);
		assert_eq!(next_epoch(), built.saturating_add(weight(1, draws)));
		assert_eq!(next_epoch(), <() as WeightInfo>::unchanged_epoch());
		let call = |all, items| <() as WeightInfo>::set_exceptions(48, all, items);
		assert!(call(10, 2).ref_time() > call(10, 1).ref_time());
		assert!(call(11, 1).all_gt(call(10, 1)));
	});
}

#[test]
fn broken_exceptions_are_found() {
	let mut ext = ExtBuilder::default().build();
	ext.execute_with(|| {
		forty_eight_nodes();
		let (held, free) = zone(5, 1);
		let good = item(5, held[0], free[0]);
		let broken = [
			vec![item(5, held[0], held[1])],
			vec![item(64, held[0], free[0])],
			vec![item(6, 1, 1), good],
			vec![good, item(5, held[1], free[0])],
			vec![item(5, held[0], 99)],
		];
		for items in broken {
			Exceptions::<Test>::put(sp_runtime::BoundedVec::truncate_from(items));
			assert!(Pallet::<Test>::do_try_state().is_err());
		}
		Exceptions::<Test>::put(sp_runtime::BoundedVec::truncate_from(vec![good]));
		assert_ok!(Pallet::<Test>::do_try_state());
	});
	ExtBuilder::default().build().execute_with(|| {
		Exceptions::<Test>::put(sp_runtime::BoundedVec::truncate_from(vec![item(0, 0, 6)]));
		assert!(Pallet::<Test>::do_try_state().is_err());
	});
}

#[test]
#[should_panic(expected = "a group with exceptions has at least one")]
fn caps_that_do_not_fit_are_found() {
	MaxExceptionGroups::set(65);
	<Maps as Hooks<u64>>::integrity_test();
}

#[test]
fn a_group_that_cannot_be_mapped_has_no_exceptions() {
	ExtBuilder::default().build_and_execute(|| {
		forty_eight_nodes();
		let (held, free) = zone(5, 1);
		assert_ok!(set(5, &[(held[0], free[0])]));
		next_epoch();
		assert_eq!(current().exceptions.len(), 1);
		// From now on no group is mapped within its draws.
		crate::Placement::<Test>::mutate(|config| config.as_mut().unwrap().max_draws = 10);
		assert_ok!(Maps::set_reweight(RuntimeOrigin::root(), 0, 5));
		let weight = next_epoch();
		let dropped = vec![(item(5, held[0], free[0]), Refusal::Unmappable)];
		assert_eq!(
			last_event(),
			Event::ExceptionsDropped {
				dropped: dropped.try_into().unwrap()
			}
		);
		let built = <() as WeightInfo>::build_epoch(48, 0);
		let judged = <() as WeightInfo>::judge_exceptions(1, 10);
		assert_eq!(weight, built.saturating_add(judged));
		assert_noop!(set(5, &[(held[0], free[0])]), Error::<Test>::Unmappable);
	});
}
