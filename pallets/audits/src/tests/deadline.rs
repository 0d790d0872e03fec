use crate::{mock::*, Answered, DrawnAt, Event, Open, Outage, Refusal, Swept, Tallied, Tick};
use hippius_primitives::traits::LivenessState;

#[test]
fn what_is_not_answered_in_time_is_missed_once() {
	ExtBuilder::default().build_and_execute(|| {
		let block = next_block();
		let draws = drawn(block);
		let (kept, missed) = draws.split_at(1);
		submit(answer_to(&kept[..1])).unwrap();
		quiet_blocks(5);
		assert!(Open::<Test>::contains_key(block));
		let misses = || {
			missed
				.iter()
				.map(|asked| World::outcomes(asked.node).1)
				.sum::<usize>()
		};
		assert_eq!(misses(), 0);
		quiet_blocks(1);
		assert!(!Open::<Test>::contains_key(block));
		assert!(!Answered::<Test>::contains_key(block));
		assert_eq!(DrawnAt::<Test>::iter().count(), 0);
		assert_eq!(misses(), missed.len());
		assert_eq!(World::outcomes(kept[0].node).0, 1);

		// To sweep again finds nothing.
		let root = || sp_io::storage::root(sp_runtime::StateVersion::V1);
		let (before, tick) = (root(), Tick::<Test>::get());
		for _ in 0..10 {
			assert_eq!(Audits::sweep(tick, &rules()), Default::default());
		}
		assert_eq!(root(), before);
		quiet_blocks(30);
		assert_eq!(misses(), missed.len());
	});
}

#[test]
fn the_counter_stands_while_answers_may_not_get_in() {
	ExtBuilder::default().build_and_execute(|| {
		next_block();
		let tick = Tick::<Test>::get();
		// A migration.
		Migrating::set(true);
		for _ in 0..50 {
			let stopped = next_block();
			assert!(drawn(stopped).is_empty());
		}
		assert_eq!(Tick::<Test>::get(), tick);
		Migrating::set(false);
		// Finality.
		FinalityLag::set(Some(21));
		quiet_blocks(20);
		assert_eq!(Tick::<Test>::get(), tick);
		FinalityLag::set(Some(20));
		quiet_blocks(1);
		assert_eq!(Tick::<Test>::get(), tick + 1);
		FinalityLag::set(None);
		// Full blocks: 12 of 25 are not more than half, 13 are.
		BlockFull::set(true);
		quiet_blocks(13);
		assert_eq!(Tick::<Test>::get(), tick + 1 + 12);
	});
	ExtBuilder::default().build_and_execute(|| {
		let block = next_block();
		BlockFull::set(true);
		quiet_blocks(30);
		let tick = Tick::<Test>::get();
		assert_eq!(tick, 13);
		BlockFull::set(false);
		quiet_blocks(12);
		assert_eq!(Tick::<Test>::get(), tick);
		// 13 of the last 25 are empty again.
		quiet_blocks(2);
		assert!(Tick::<Test>::get() > tick);
		assert!(!Open::<Test>::contains_key(block));
	});
}

#[test]
fn a_longer_and_a_shorter_deadline_are_caught_up_with() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..5 {
			next_block();
		}
		let mut changed = rules();
		changed.deadline = 20;
		Audits::do_set_rules(changed).unwrap();
		for _ in 0..20 {
			next_block();
		}
		assert!(Open::<Test>::iter().count() >= 20);
		changed.deadline = 2;
		Audits::do_set_rules(changed).unwrap();
		// Two ticks are swept in a block.
		quiet_blocks(30);
		assert_eq!(Open::<Test>::iter().count(), 0);
		assert_eq!(Swept::<Test>::get(), Tick::<Test>::get() - 3);
	});
}

#[test]
fn an_outage_is_recorded_and_nobody_punished() {
	ExtBuilder::default()
		.rules(|rules| {
			rules.outage_percent = 20;
			rules.patience = 10;
		})
		.build_and_execute(|| {
			// All answer for a while.
			for _ in 0..30 {
				let block = next_block();
				for asked in drawn(block) {
					submit(answer_to(&[asked])).unwrap();
				}
			}
			assert!(!Outage::<Test>::get());
			// Then nobody does.
			for _ in 0..30 {
				next_block();
			}
			assert!(Outage::<Test>::get());
			let recorded = events()
				.into_iter()
				.filter(|event| matches!(event, Event::OutageRecorded { .. }))
				.count();
			assert!(recorded > 15, "{recorded}");
			assert!(events().contains(&Event::OutageBegan));
			let misses: usize = (0..30).map(|node| World::outcomes(node).1).sum();
			// Not even for those before a fifth of the window was missed.
			assert_eq!(misses, 0);
			// All answer again, and after a window it is over.
			for _ in 0..30 {
				let block = next_block();
				for asked in drawn(block) {
					submit(answer_to(&[asked])).unwrap();
				}
			}
			assert!(!Outage::<Test>::get());
			assert!(events().contains(&Event::OutageEnded));
		});
}

#[test]
fn misses_are_booked_when_it_is_known_that_there_is_no_outage() {
	ExtBuilder::default()
		.rules(|rules| rules.patience = 7)
		.build_and_execute(|| {
			let block = next_block();
			let draws = drawn(block);
			quiet_blocks(6);
			let misses = || -> usize { (0..30).map(|node| World::outcomes(node).1).sum() };
			assert_eq!((Tallied::<Test>::get(), Swept::<Test>::get()), (1, 0));
			// They are late, though nothing has come of it yet.
			assert_eq!(
				Audits::check_answer(&answer_to(&draws[..1])),
				Err(Refusal::TooLate)
			);
			assert!(asked(draws[0].node).is_empty());
			quiet_blocks(6);
			assert_eq!(misses(), 0);
			quiet_blocks(1);
			assert_eq!(misses(), draws.len());
			assert!(!Open::<Test>::contains_key(block));
		});
}

#[test]
fn who_was_not_there_all_the_time_is_asked_again() {
	ExtBuilder::default().build_and_execute(|| {
		let block = next_block();
		let draws = drawn(block);
		// All are back since the block after.
		for node in 0..30 {
			World::node_mut(node, |node| node.up_since = block + 1);
		}
		quiet_blocks(6);
		let misses: usize = (0..30).map(|node| World::outcomes(node).1).sum();
		let held: usize = (0..30).map(|node| tasks(node).len()).sum();
		assert_eq!((misses, held), (0, draws.len()));
		// Of a draw made in the block since which they are there, it is known that they could answer.
		let block = next_block();
		let draws = drawn(block);
		for node in 0..30 {
			World::node_mut(node, |node| node.up_since = block);
		}
		quiet_blocks(6);
		let misses: usize = (0..30).map(|node| World::outcomes(node).1).sum();
		assert_eq!(misses, draws.len());
	});
}

#[test]
fn nobody_answers_for_a_slot_that_is_anothers_by_now() {
	ExtBuilder::default().build_and_execute(|| {
		let block = next_block();
		assert!(!drawn(block).is_empty());
		World::with(|world| {
			for node in world.holders.values_mut() {
				*node = (*node + 1) % 30;
			}
		});
		quiet_blocks(6);
		assert!((0..30).all(|node| World::outcomes(node).1 == 0));
		assert!((0..30).all(|node| tasks(node).is_empty()));
	});
}

#[test]
fn nodes_in_trouble_are_visited_in_turn() {
	ExtBuilder::default()
		.nodes(60)
		.rules(|rules| rules.samples_per_node = 60)
		.build_and_execute(|| {
			for node in 0..60 {
				World::set_liveness(node, LivenessState::Down { since: 0 });
			}
			for _ in 0..40 {
				next_block();
			}
			quiet_blocks(10);
			let waiting: Vec<_> = (0..60).filter(|node| !tasks(*node).is_empty()).collect();
			assert!(waiting.len() > 20, "{}", waiting.len());
			for node in 0..60 {
				World::set_liveness(node, LivenessState::Up);
			}
			// Eight a block.
			quiet_blocks(waiting.len() as u32 / 8 + 2);
			let asked_again = |node: &u32| tasks(*node).iter().all(|task| task.due.is_some());
			assert!(waiting.iter().all(asked_again));
		});
}
