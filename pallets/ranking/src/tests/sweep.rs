//! What nodes held.

use crate::{mock::*, Held, Sweeping};
use frame_support::traits::Hooks;

fn held(node: u32) -> u128 {
	Held::<Test>::get(node).unwrap_or(0)
}

#[test]
fn every_holder_gets_the_bytes_of_its_slots_for_all_blocks() {
	execute([0, 1, 2], || {
		World::change(|facts| {
			facts.groups = vec![
				Some((10, vec![Some(0), Some(1), None])),
				None,
				Some((7, vec![Some(1), Some(1), Some(2)])),
			];
		});
		run_to(5);
		assert_eq!(held(0), 0);
		// Five blocks after the first look.
		run_to(6);
		assert_eq!(held(0), 50);
		assert_eq!(held(1), 50 + 2 * 35);
		assert_eq!(held(2), 35);
		run_to(16);
		assert_eq!(held(0), 150);
	});
}

#[test]
fn a_sweep_goes_over_several_blocks_and_loses_none() {
	execute([0], || {
		World::change(|facts| facts.groups = vec![Some((1, vec![Some(0)])); 30]);
		// 30 groups at 4 a block take 8 blocks, so a sweep begins every 8 blocks, not every 5.
		run_to(6);
		assert_eq!(held(0), 4 * 5);
		run_to(13);
		assert_eq!(held(0), 30 * 5);
		let sweep = Sweeping::<Test>::get().unwrap();
		assert_eq!(sweep.group, None);
		run_to(14);
		assert_eq!(held(0), 30 * 5 + 4 * 8);
	});
}

#[test]
fn groups_may_become_fewer_or_more_meanwhile() {
	execute([0], || {
		World::change(|facts| facts.groups = vec![Some((1, vec![Some(0)])); 30]);
		run_to(8);
		World::change(|facts| facts.groups.truncate(2));
		Ranking::on_initialize(9);
		assert_eq!(Sweeping::<Test>::get().unwrap().group, None);
		World::change(|facts| facts.groups = vec![Some((u64::MAX, vec![Some(0)])); 3]);
		run_to(19);
		assert!(held(0) > u128::from(u64::MAX));
	});
}
