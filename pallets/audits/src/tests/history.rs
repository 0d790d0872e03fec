//! Random histories against a model that remembers everything.

use crate::{mock::*, Cases};
use hippius_primitives::{
	audit::{Ask, AskedOf},
	registration::NodeStatus,
	traits::LivenessState,
	NodeIndex,
};
use proptest::prelude::*;

/// A node by the words of the table, with its whole history.
#[derive(Default)]
struct Model {
	/// Tick and outcome of every draw due while up, in the order they were booked.
	booked: Vec<(u32, bool)>,
	/// Where in `booked` the last jail began.
	jailed_at: usize,
	slashes: Vec<u32>,
	jailed: bool,
}

impl Model {
	fn pass(&mut self, tick: u32) {
		self.booked.push((tick, true));
	}

	fn miss(&mut self, tick: u32, day: u32) {
		let last = self.booked.iter().rev().find(|(_, passed)| !passed);
		if last.is_some_and(|(last, _)| tick - last < day) {
			self.slashes.push(1_000);
		}
		self.booked.push((tick, false));
		let since = &self.booked[self.jailed_at..];
		let misses = since
			.iter()
			.rev()
			.take(8)
			.filter(|(_, passed)| !passed)
			.count();
		if misses >= 3 && !self.jailed {
			self.jailed = true;
			self.jailed_at = self.booked.len();
			self.slashes.push(10_000);
		}
	}
}

/// What a node does with the draws of one block.
#[derive(Clone, Debug)]
struct Step {
	/// Of eight draws, which are answered.
	answers: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
	// Mostly answered, so that jail does not come at once.
	let byte = prop_oneof![5 => Just(0xffu8), 2 => any::<u8>(), 1 => Just(0)];
	prop::collection::vec(byte.prop_map(|answers| Step { answers }), 10..60)
}

/// The node all histories are of; all the others answer.
const NODE: NodeIndex = 0;

fn of_node(block: u32) -> Vec<AskedOf> {
	drawn(block)
		.into_iter()
		.filter(|asked| asked.node == NODE)
		.collect()
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn misses_and_answers_have_the_consequences_of_the_model(steps in steps(), seed in any::<u64>()) {
		ExtBuilder::default()
			.nodes(3)
			.rules(|rules| {
				rules.samples_per_node = 60;
				rules.blocks_per_day = 40;
				rules.evict_samples = u32::MAX / 8;
				rules.evict_after = 100_000;
				rules.jail_round = 1_000;
			})
			.build_and_execute(|| {
				let deadline = rules().deadline;
				let mut model = Model::default();
				// Blocks that drew, with what of them was not answered.
				let mut open: Vec<(u32, usize)> = Vec::new();
				for (number, step) in steps.iter().enumerate() {
					let block = next_block_with(Some(arion_storage_proof::sample::hash(
						seed.wrapping_add(number as u64),
					)));
					let tick = Audits::tick();
					// What fell due is booked before anything is answered.
					let due: Vec<_> = open.extract_if(.., |(drawn, _)| *drawn + deadline < tick).collect();
					for (_, missed) in due {
						for _ in 0..missed {
							if !model.jailed {
								model.miss(tick, 40);
							}
						}
					}
					let mut missed = 0;
					for (draw, asked) in of_node(block).into_iter().enumerate() {
						if step.answers >> (draw % 8) & 1 == 1 {
							submit(answer_to(&[asked])).unwrap();
							model.pass(tick);
						} else {
							missed += 1;
						}
					}
					if missed > 0 {
						open.push((tick, missed));
					}
					let booked = World::node_mut(NODE, |node| node.outcomes.clone());
					let expected: Vec<bool> = model.booked.iter().map(|(_, passed)| *passed).collect();
					assert_eq!(booked, expected);
					assert_eq!(World::slashed(NODE), model.slashes);
					let jailed = World::status(NODE) == NodeStatus::Jailed;
					assert_eq!(jailed, model.jailed);
					Audits::do_try_state().unwrap();
					if jailed {
						// Out of jail by fresh draws, all at once when they come; draws of blocks lapse.
						open.clear();
						while tasks(NODE).is_empty() {
							next_block_with(Some([number as u8; 32]));
						}
						for asked in tasks(NODE) {
							submit(answer_to(&[asked])).unwrap();
						}
						for _ in 0..8 {
							model.booked.push((0, true));
						}
						// They count for the record, not for the last eight.
						model.jailed_at = model.booked.len();
						model.jailed = false;
						assert_eq!(World::status(NODE), NodeStatus::Active);
						// Draws from before the jail may still be open: past them.
						let all_open = asked(NODE);
						for asked in all_open {
							submit(answer_to(&[asked])).unwrap();
							model.pass(Audits::tick());
						}
					}
				}
			});
	}

	#[test]
	fn whatever_happens_the_state_stays_sound(
		events in prop::collection::vec((0u8..11, any::<u32>()), 1..150),
	) {
		ExtBuilder::default()
			.nodes(8)
			.rules(|rules| {
				rules.samples_per_node = 30;
				rules.outage_percent = 60;
				rules.evict_after = 30;
			})
			.build_and_execute(|| {
				for (event, value) in events {
					let node = value % 8;
					match event {
						0..=4 => {
							next_block();
						}
						5 => quiet_blocks(value % 12),
						6 => World::set_liveness(node, match value / 8 % 4 {
							0 => LivenessState::Silent,
							1 => LivenessState::Down { since: 1 },
							_ => LivenessState::Up,
						}),
						7 | 8 => {
							for asked in asked(node).into_iter().take(1 + value as usize % 9) {
								submit(answer_to(&[asked])).unwrap();
							}
						}
						9 => {
							let origin = RuntimeOrigin::signed(account((value % 50) as u8));
							let _ = Audits::challenge(origin, value % 4, (value % 30) as u8, 0);
						}
						_ => BlockFull::set(value % 3 == 0),
					}
					Audits::do_try_state().unwrap();
				}
				// Whoever is thrown out has nothing left.
				quiet_blocks(4);
				for node in 0..8 {
					let own = asked(node).into_iter().filter(|a| matches!(a.ask, Ask::Task { .. }));
					if World::status(node) == NodeStatus::Evicted {
						assert_eq!(own.count(), 0);
						assert!(!Cases::<Test>::contains_key(node));
					}
				}
			});
	}
}
