use crate::{
	mock::*,
	types::{Draw, MAX_DRAWS},
	Randomness, Rules,
};
use arion_storage_proof::{
	draw::{Draws, Lane, DRAW_CONTEXT},
	lanes::{FloorPlan, LOOKS_PER_NODE},
	sample, Blake2, PgLedger,
};
use frame_support::assert_noop;
use hippius_primitives::{registration::NodeStatus, NodeIndex};
use sp_core::U256;
use sp_io::hashing::blake2_256;
use std::collections::BTreeMap;

#[test]
fn randomness_rolls_and_expires() {
	ExtBuilder::default().build_and_execute(|| {
		let mut expected = [0; 32];
		for _ in 0..50u32 {
			let block = System::block_number() as u32 + 1;
			let output = sample::hash(u64::from(block));
			assert_eq!(next_block_with(Some(output)), block);
			let mut bytes = expected.to_vec();
			bytes.extend_from_slice(&output);
			bytes.extend_from_slice(&block.to_le_bytes());
			expected = blake2_256(&bytes);
			assert_eq!(Randomness::<Test>::get(block), Some(expected));
		}
		assert_eq!(Randomness::<Test>::iter().count(), 40);
		assert!(Randomness::<Test>::get(11).is_none() && Randomness::<Test>::get(12).is_some());

		// Without an output nothing rolls and nothing is drawn.
		let block = next_block_with(None);
		assert_eq!(Randomness::<Test>::get(block), None);
		assert!(drawn(block).is_empty());
		assert_eq!(crate::Rolling::<Test>::get(), expected);
	});
}

/// What lane A draws, by the words of the design and with wide integers.
fn naive_bytes(seed: [u8; 32], block: u32, count: u32) -> Vec<(NodeIndex, u32, u8, u64)> {
	let number = |draw: u32, item: u32, n: u64| {
		let mut bytes = DRAW_CONTEXT.to_vec();
		bytes.extend_from_slice(&seed);
		bytes.extend_from_slice(&block.to_le_bytes());
		bytes.push(0);
		bytes.extend_from_slice(&draw.to_le_bytes());
		bytes.extend_from_slice(&item.to_le_bytes());
		let low = U256::from_little_endian(&blake2_256(&bytes)[..16]);
		((low * U256::from(n)) >> 128).as_u64()
	};
	let total = World::total_bytes();
	(0..count)
		.filter_map(|draw| {
			let (pg, offset) = World::locate(number(draw, 0, total)).unwrap();
			let slot = number(draw, 1, 30) as u8;
			Some((World::holder(pg, slot)?, pg, slot, offset))
		})
		.collect()
}

#[test]
fn draws_are_those_of_the_naive_model() {
	ExtBuilder::default()
		.rules(|rules| rules.samples_per_node = 60)
		.build_and_execute(|| {
			// Nobody holds these two.
			World::with(|world| {
				world.holders.remove(&(0, 3));
				world.holders.remove(&(2, 29));
			});
			let mut holes = 0;
			for block in 1..400 {
				let seed = sample::hash(block.into());
				let lane_a: Vec<_> = Audits::compute_draws(block, seed)
					.into_iter()
					.filter(|draw| draw.lane == Lane::Bytes)
					.map(|draw| (draw.node, draw.pg, draw.slot, draw.offsets[0]))
					.collect();
				// 60 a day for each of 30 nodes, in 100 blocks.
				let naive = naive_bytes(seed, block, 18);
				holes += 18 - naive.len();
				assert_eq!(lane_a, naive);
			}
			// A sixtieth of 7182 draws falls on holes.
			assert!((60..180).contains(&holes), "{holes}");
		});
}

#[test]
fn what_a_block_drew_is_what_anyone_computes() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..40 {
			let block = next_block();
			let seed = Randomness::<Test>::get(block).unwrap();
			let draws = Audits::compute_draws(block, seed);
			let listed = drawn(block);
			assert_eq!(listed.len(), draws.len());
			for (listed, draw) in listed.iter().zip(&draws) {
				assert_eq!(
					(listed.node, listed.pg, listed.slot),
					(draw.node, draw.pg, draw.slot)
				);
				assert_eq!(listed.offsets, draw.offsets.to_vec());
				assert_eq!(listed.seed, seed);
			}
		}
	});
}

/// Pearson's statistic against equal or given expectations.
fn chi_square(counts: &[f64], expected: &[f64]) -> f64 {
	counts
		.iter()
		.zip(expected)
		.map(|(count, expected)| (count - expected).powi(2) / expected)
		.sum()
}

fn all_draws(blocks: u32) -> Vec<Draw> {
	(1..=blocks)
		.flat_map(|block| Audits::compute_draws(block, sample::hash(block.into())))
		.collect()
}

#[test]
fn lane_a_is_uniform_over_bytes_and_slots() {
	// One group holds three times as much as the other two.
	let groups = vec![
		Group::new(1, &[&[1_024]]),
		Group::new(2, &[&[2_048, 1_024]]),
		Group::new(3, &[&[1_024]]),
	];
	ExtBuilder::default()
		.groups(groups)
		.rules(|rules| {
			rules.samples_per_node = 80;
			rules.blocks_per_day = 200;
		})
		.build_and_execute(|| {
			let draws: Vec<_> = all_draws(1_500)
				.into_iter()
				.filter(|draw| draw.lane == Lane::Bytes)
				.collect();
			let all = draws.len() as f64;
			assert_eq!(draws.len(), 1_500 * 12);
			let mut slots = [0f64; 30];
			let mut quarters = [0f64; 20];
			for draw in &draws {
				slots[usize::from(draw.slot)] += 1.0;
				// 256-byte pieces of all 5120 bytes.
				let start = [0, 1_024, 4_096][draw.pg as usize];
				quarters[((start + draw.offsets[0]) / 256) as usize] += 1.0;
			}
			// Above these once in a thousand with 29 and 19 degrees of freedom.
			assert!(chi_square(&slots, &[all / 30.0; 30]) < 58.3);
			assert!(chi_square(&quarters, &[all / 20.0; 20]) < 43.8);
		});
}

/// 64 small groups whose slots go to nodes in proportion to their weights: node i weighs `weights[i]`.
fn by_weight(weights: &[u32]) {
	let groups = (0..64).map(|seed| Group::new(seed, &[&[64]])).collect();
	World::fill(weights.len() as u32, groups);
	World::with(|world| {
		for (node, weight) in weights.iter().enumerate() {
			world.nodes.get_mut(&(node as u32)).unwrap().weight = *weight;
		}
		let total: u32 = weights.iter().sum();
		let ends: Vec<u32> = weights
			.iter()
			.scan(0, |sum, weight| {
				*sum += weight;
				Some(*sum)
			})
			.collect();
		// A low-discrepancy walk through the weights.
		for (place, (_, holder)) in world.holders.iter_mut().enumerate() {
			let at = (place as u64 * 1_103 % 1_920 * u64::from(total) / 1_920) as u32;
			*holder = ends.iter().position(|end| at < *end).unwrap() as u32;
		}
	});
}

#[test]
fn lane_b_gives_every_node_its_floor_whatever_it_weighs() {
	ExtBuilder::default()
		.rules(|rules| {
			rules.samples_per_node = 0;
			rules.blocks_per_day = 1_000;
		})
		.build_and_execute(|| {
			// One to sixteen.
			let weights: Vec<u32> = (0..40).map(|node| 16 << (node % 5)).collect();
			by_weight(&weights);
			let days = 25;
			let draws = all_draws(days * 1_000);
			assert!(draws.iter().all(|draw| draw.lane == Lane::Floor));
			assert!(draws.iter().all(|draw| draw.offsets.len() == 4));
			let mut counts = BTreeMap::<NodeIndex, u32>::new();
			for draw in &draws {
				*counts.entry(draw.node).or_default() += 1;
			}
			let counts: Vec<f64> = (0..40).map(|node| f64::from(counts[&node])).collect();
			// Once a day each: 39 degrees of freedom; the holdings are only about in proportion.
			let statistic = chi_square(&counts, &[f64::from(days); 40]);
			assert!(statistic < 80.0, "{statistic}: {counts:?}");
			// The heaviest class is audited as often as the lightest.
			let class = |class: usize| counts.iter().skip(class).step_by(5).sum::<f64>() / 8.0;
			for class in (0..5).map(class) {
				assert!((20.0..30.0).contains(&class), "{class}");
			}
		});
}

#[test]
fn plans_look_often_enough_at_every_size() {
	let rates = Rules::default().rates();
	for (nodes, every, groups) in [
		(0, 0, 0),
		(1, 27_000, 1),
		(30, 900, 1),
		(1_000, 27, 1),
		(10_000, 2, 1),
		(27_000, 1, 1),
		(27_001, 1, 2),
		(100_000, 1, 4),
		(u32::MAX, 1, 4),
	] {
		let plan = FloorPlan::new(nodes, &rates);
		assert_eq!((plan.every, plan.groups), (every, groups), "{nodes}");
		if (1..=100_000).contains(&nodes) {
			assert!(plan.looks(&rates) >= LOOKS_PER_NODE * u64::from(nodes));
		}
	}
	let none = FloorPlan::new(0, &rates);
	assert_eq!((none.due(0), none.due(7), none.looks(&rates)), (0, 0, 0));
	let draws = Draws {
		randomness: [1; 32],
		block: 1,
	};
	assert!(!draws.look_accepts::<Blake2>(0, 0, 0, 100, 100));
	assert!(draws.look_accepts::<Blake2>(0, 0, 1, u64::MAX, 100));
	let mut slots: Vec<u8> = draws.look_slots::<Blake2>(Lane::Floor, 5).collect();
	slots.sort_unstable();
	assert!(slots.into_iter().eq(0..30));
}

#[test]
fn a_block_never_draws_more_than_there_are_bits() {
	ExtBuilder::default()
		.nodes(2)
		.rules(|rules| {
			rules.samples_per_node = 1_000_000;
			rules.blocks_per_day = 1;
		})
		.build_and_execute(|| {
			for block in 1..100 {
				let draws = Audits::compute_draws(block, sample::hash(block.into()));
				assert!(draws.len() <= MAX_DRAWS as usize);
				assert!(draws.len() >= 24);
			}
			next_block();
		});
}

#[test]
fn the_jailed_the_evicted_and_the_unknown_are_not_drawn() {
	ExtBuilder::default().build_and_execute(|| {
		World::node_mut(3, |node| node.status = NodeStatus::Jailed);
		World::node_mut(4, |node| node.status = NodeStatus::Evicted);
		World::node_mut(5, |node| node.status = NodeStatus::Draining);
		World::with(|world| world.nodes.remove(&6));
		let draws = all_draws(600);
		let has = |node| draws.iter().any(|draw| draw.node == node);
		assert!(!has(3) && !has(4) && !has(6) && has(5) && has(7));
	});
}

#[test]
fn nothing_to_draw_is_no_trouble() {
	ExtBuilder::default()
		.groups(Vec::new())
		.build_and_execute(|| {
			let block = next_block();
			assert!(drawn(block).is_empty());
			World::fill(0, vec![]);
			next_block();
		});
}

#[test]
fn bad_rules_are_refused() {
	let flaws: [fn(&mut Rules); 8] = [
		|rules| rules.deadline = 0,
		|rules| rules.most_per_block = 25,
		|rules| rules.floor_chunks = 5,
		|rules| rules.congested_window = 33,
		|rules| rules.outage_window = 101,
		|rules| rules.outage_percent = 101,
		|rules| rules.jail_misses = 9,
		|rules| rules.evict_slash_ppm = 1_000_001,
	];
	ExtBuilder::default().build_and_execute(|| {
		for flaw in flaws {
			let mut bad = rules();
			flaw(&mut bad);
			assert!(bad.check().is_err());
			assert_noop!(
				Audits::set_rules(RuntimeOrigin::root(), bad),
				crate::Error::<Test>::BadRules
			);
		}
		let mut forgetful = rules();
		forgetful.kept_randomness = 39;
		assert_noop!(
			Audits::set_rules(RuntimeOrigin::root(), forgetful),
			crate::Error::<Test>::LengthFixed
		);
		let mut shorter = rules();
		shorter.outage_window = 3;
		quiet_blocks(20);
		frame_support::assert_ok!(Audits::set_rules(RuntimeOrigin::root(), shorter));
		assert_eq!(Audits::rules(), Some(shorter));
		assert!(Audits::set_rules(RuntimeOrigin::signed(account(1)), shorter).is_err());
		assert_eq!(Rules::default().check(), Ok(()));
		assert_eq!(Rules::fast().check(), Ok(()));
	});
}
