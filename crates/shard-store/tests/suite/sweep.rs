//! One workload, again and again: each access to the disk in turn fails, or is the last one before
//! the process is killed or the power is cut.

use crate::common::{
	sim::{Failure, Faults},
	small,
	world::{Op, World},
};

const NUMBERS: u64 = 22;

/// Fills volumes, deletes, lets the trash expire, makes holes, compacts, and starts again.
fn script() -> Vec<Op> {
	let mut ops: Vec<Op> = (0..14).map(Op::Put).collect();
	ops.extend((0..4).map(Op::Delete));
	ops.extend([Op::Restore(1), Op::Purge(4), Op::Purge(5), Op::Maintain]);
	ops.extend([Op::Snapshot, Op::Put(0), Op::Delete(6), Op::Reopen]);
	ops.extend((7..11).map(Op::Purge));
	ops.extend([Op::Days(15), Op::Maintain, Op::Maintain, Op::Maintain]);
	ops.extend((14..NUMBERS).map(Op::Put));
	ops.extend([
		Op::Get(12),
		Op::Range(13),
		Op::Scrub,
		Op::Reopen,
		Op::Put(4),
	]);
	ops
}

fn run(seed: u64, faults: Faults, cut: bool) -> World {
	let mut world = World::new(seed, small(400 << 10), faults);
	world.cut = cut;
	for op in script() {
		if world.disk.is_dead() {
			world.restart(true, cut);
		}
		world.apply(&op);
	}
	world
}

fn sweep(failure: Failure, cut: bool) {
	let accesses = run(1, Faults::default(), false).disk.accesses();
	assert!(accesses > 300, "{accesses}");
	for at in 0..accesses {
		let faults = Faults {
			fail_at: Some((at, failure)),
			..Faults::default()
		};
		let mut world = run(at, faults, cut);
		world.finish(NUMBERS);
	}
}

#[test]
fn every_access_may_fail() {
	sweep(Failure::Errno(5), false);
}

#[test]
fn every_access_may_find_the_disk_full() {
	sweep(Failure::Errno(28), false);
}

#[test]
fn every_access_may_be_the_last_of_the_process() {
	sweep(Failure::Kill, false);
}

#[test]
fn every_access_may_be_the_last_before_the_power_is_cut() {
	sweep(Failure::Kill, true);
}

#[test]
fn the_workload_does_all_kinds_of_accesses() {
	let mut world = World::new(1, small(400 << 10), Faults::default());
	world.disk.record();
	for op in script() {
		world.apply(&op);
	}
	let log = world.disk.log();
	for kind in [
		"lock", "list", "space", "open", "create", "write", "sync", "read", "size", "rename",
		"sync_dir", "punch", "remove",
	] {
		assert!(
			log.iter()
				.any(|entry| entry.split(' ').next() == Some(kind)),
			"{kind}"
		);
	}
}
