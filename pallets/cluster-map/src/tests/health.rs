//! What scores and liveness make of a map.

use crate::{mock::*, CurrentEpoch, Event, Reweight, TakenOut, WeightHistory};
use arion_crush::{MapNode, WEIGHT_ONE};
use frame_support::assert_ok;

const FULL: u32 = 1 << 30;
/// Weight of a node of the mock by its capacity.
const CAPACITY: u64 = 64 * (16 << 30);

fn big_nodes() {
	thirty_nodes();
	Nodes::change(|nodes| {
		for node in nodes.values_mut() {
			node.params.capacity = CAPACITY;
		}
	});
}

fn in_map(node: u32) -> MapNode {
	*current().nodes().find(|found| found.index == node).unwrap()
}

#[test]
fn without_scores_nodes_weigh_their_capacity() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		next_epoch();
		assert!(current()
			.nodes()
			.all(|node| (node.weight, node.reweight) == (64, WEIGHT_ONE)));
		assert!(WeightHistory::<Test>::get().is_empty());
		assert!(TakenOut::<Test>::get().is_empty());
	});
}

#[test]
fn a_scored_node_grows_to_its_weight() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		Doctor::score_all(FULL);
		let mut weights = Vec::new();
		// Four epochs make a day.
		for _ in 0..14 {
			Doctor::change(|_| ());
			next_epoch();
			weights.push(in_map(0).weight);
		}
		assert_eq!(
			weights,
			[8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 64]
		);
		assert_eq!(CurrentEpoch::<Test>::get(), 13);
	});
}

#[test]
fn a_worse_node_weighs_less_at_once() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		Doctor::score_all(FULL);
		for _ in 0..13 {
			Doctor::change(|_| ());
			next_epoch();
		}
		Doctor::score_of(3, FULL / 2);
		// A little worse is not worse.
		Doctor::score_of(4, FULL / 100 * 90);
		next_epoch();
		assert_eq!(in_map(3).weight, 32);
		assert_eq!(in_map(4).weight, 64);
		assert_eq!(in_map(5).weight, 64);
		// Better again, it has to grow again.
		Doctor::score_of(3, FULL);
		next_epoch();
		assert_eq!(in_map(3).weight, 40);
	});
}

#[test]
fn who_is_out_or_worthless_is_out_of_the_next_map_and_comes_back() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		Doctor::score_all(FULL);
		next_epoch();
		Doctor::change(|doctor| {
			doctor.outs.insert(7);
		});
		Doctor::score_of(8, 0);
		next_epoch();
		assert_eq!(in_map(7).reweight, 0);
		assert_eq!(in_map(8).reweight, 0);
		assert_eq!(in_map(9).reweight, WEIGHT_ONE);
		assert_eq!(TakenOut::<Test>::get().into_inner(), [7, 8]);
		let placement = current().placement().unwrap();
		for pg in 0..64 {
			let up = placement.up(pg).unwrap();
			assert!(!up.contains(&Some(7)) && !up.contains(&Some(8)));
		}
		Doctor::change(|doctor| doctor.outs.clear());
		Doctor::score_of(8, FULL);
		next_epoch();
		assert_eq!(in_map(7).reweight, WEIGHT_ONE);
		assert!(TakenOut::<Test>::get().is_empty());
	});
}

#[test]
fn what_was_set_by_hand_stays_set() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		assert_ok!(Maps::set_reweight(RuntimeOrigin::root(), 7, WEIGHT_ONE / 2));
		Doctor::change(|doctor| {
			doctor.outs.insert(7);
		});
		next_epoch();
		assert_eq!(in_map(7).reweight, 0);
		assert_eq!(Reweight::<Test>::get(7), Some(WEIGHT_ONE / 2));
		Doctor::change(|doctor| doctor.outs.clear());
		next_epoch();
		assert_eq!(in_map(7).reweight, WEIGHT_ONE / 2);
	});
}

#[test]
fn in_an_outage_not_all_are_taken_out() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		Doctor::change(|doctor| {
			doctor.outs.insert(20);
		});
		next_epoch();
		Doctor::change(|doctor| doctor.outs.extend(0..15));
		next_epoch();
		// Who was out stays out.
		assert_eq!(TakenOut::<Test>::get().into_inner(), [0, 1, 2, 3, 4, 5, 20]);
		let suspected = Event::OutageSuspected { wanted: 16, out: 7 };
		assert_eq!(last_event(), suspected);
	});
}

#[test]
fn a_map_that_health_does_not_change_is_not_published() {
	ExtBuilder::default().build_and_execute(|| {
		big_nodes();
		Doctor::score_all(FULL);
		for _ in 0..13 {
			Doctor::change(|_| ());
			next_epoch();
		}
		let epoch = CurrentEpoch::<Test>::get();
		Doctor::score_all(FULL / 100 * 95);
		next_epoch();
		assert_eq!(CurrentEpoch::<Test>::get(), epoch);
		// The node list handed out beside it may have changed, so a new revision is a new epoch.
		Nodes::change(|_| ());
		next_epoch();
		assert_eq!(CurrentEpoch::<Test>::get(), epoch + 1);
	});
}
