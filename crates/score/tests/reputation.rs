//! Properties of the reputation.
#![allow(clippy::unwrap_used)]

use codec::{DecodeAll, Encode};
use hippius_score::{Reputation, ONE};
use proptest::prelude::*;

const UNIT: u64 = 1 << 20;

fn after(start: Reputation, audits: impl IntoIterator<Item = bool>) -> Reputation {
	audits.into_iter().fold(start, Reputation::audited)
}

/// Passed and failed, from a new node's on, as they are defined: each audit takes a 512th of both, rounded
/// down, and adds one to one of them.
fn defined(audits: &[bool]) -> (u128, u128) {
	let one = 1u128 << 20;
	let mut counts = [497 * one, 15 * one];
	for passed in audits {
		for count in &mut counts {
			*count -= *count / 512;
		}
		counts[usize::from(!passed)] += one;
	}
	(counts[0], counts[1])
}

/// What a sequence of audits leads to.
fn reachable() -> impl Strategy<Value = Reputation> {
	(
		0.0..1.0f64,
		proptest::collection::vec(0.0..1.0f64, 0..3_000),
	)
		.prop_map(|(loss, dice)| after(Reputation::NEW, dice.into_iter().map(|die| die >= loss)))
}

/// A generator with a seed, so that the same runs are made everywhere.
struct Dice(u64);

impl Dice {
	fn per_mille(&mut self) -> u64 {
		self.0 = self
			.0
			.wrapping_mul(6_364_136_223_846_793_005)
			.wrapping_add(1_442_695_040_888_963_407);
		(self.0 >> 33) % 1_000
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn what_is_remembered_stays_at_512_audits(start in reachable(), audits in proptest::collection::vec(any::<bool>(), 0..2_000)) {
		let mut reputation = start;
		for passed in audits {
			reputation = reputation.audited(passed);
			let sum = reputation.alpha + reputation.beta;
			prop_assert!((512 * UNIT..=512 * UNIT + 512).contains(&sum), "{sum}");
		}
	}

	#[test]
	fn one_audit_moves_the_share_by_at_most_a_512th(start in reachable(), passed: bool) {
		let moved = start.audited(passed).share().abs_diff(start.share());
		prop_assert!(moved <= ONE / 512 + 2, "{moved}");
	}

	#[test]
	fn a_pass_never_lowers_and_a_failure_never_lifts(start in reachable()) {
		prop_assert!(start.audited(true).share() >= start.share());
		prop_assert!(start.audited(false).share() <= start.share());
	}

	#[test]
	fn a_failure_in_place_of_a_pass_never_helps(start in reachable(), audits in proptest::collection::vec(any::<bool>(), 1..300), at: prop::sample::Index) {
		let at = at.index(audits.len());
		let (mut better, mut worse) = (audits.clone(), audits);
		better[at] = true;
		worse[at] = false;
		let (better, worse) = (after(start, better), after(start, worse));
		prop_assert!(better.alpha >= worse.alpha && better.beta <= worse.beta);
		prop_assert!(better.share() >= worse.share());
	}

	/// Passes, then failures, in batches between which the record is stored as the chain stores it: as the
	/// definition has it of all of them, one by one.
	#[test]
	fn batching_makes_no_difference(passes in 0usize..300, failures in 0usize..300, cuts in proptest::collection::vec(0usize..600, 0..12)) {
		let audits: Vec<bool> = [vec![true; passes], vec![false; failures]].concat();
		let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(audits.len())).collect();
		cuts.push(audits.len());
		cuts.sort_unstable();
		let (mut stored, mut from) = (Reputation::NEW.encode(), 0);
		for cut in cuts {
			let read = Reputation::decode_all(&mut &stored[..]).unwrap();
			stored = after(read, audits[from..cut].to_vec()).encode();
			from = cut;
		}
		let batched = Reputation::decode_all(&mut &stored[..]).unwrap();
		prop_assert_eq!(batched, after(Reputation::NEW, audits.clone()));
		let (passed, failed) = defined(&audits);
		prop_assert_eq!((u128::from(batched.alpha), u128::from(batched.beta)), (passed, failed));
		// Rounding loses less than one of 2^-20 an audit of what remains without it.
		let kept = |audits: usize| (511.0f64 / 512.0).powi(audits as i32);
		let all = 512.0 * UNIT as f64;
		let exact = (all - (all - 497.0 * UNIT as f64) * kept(passes)) * kept(failures);
		prop_assert!((batched.alpha as f64 - exact).abs() <= 512.0, "{} {exact}", batched.alpha);
	}

	/// Whoever has the better record has it after the same audits, too: `x - x / 512`, rounded, never puts
	/// a smaller count before a greater one.
	#[test]
	fn a_better_record_stays_better(
		alpha in prop_oneof![64 * UNIT..=512 * UNIT, 490 * UNIT..=512 * UNIT],
		worse_by in prop_oneof![0..64u64, 0..64 * UNIT],
		audits in proptest::collection::vec(any::<bool>(), 0..300),
	) {
		let record = |alpha| Reputation { alpha, beta: 512 * UNIT - alpha };
		let (mut better, mut worse) = (record(alpha), record(alpha - worse_by));
		for passed in audits {
			(better, worse) = (better.audited(passed), worse.audited(passed));
			prop_assert!(better.alpha >= worse.alpha && better.beta <= worse.beta);
			prop_assert!(better.share() >= worse.share());
		}
	}

	/// 40 audits, 20 of them failed, in any two orders.
	#[test]
	fn the_order_within_a_day_hardly_matters(
		start in reachable(),
		a in Just([vec![true; 20], vec![false; 20]].concat()).prop_shuffle(),
		b in Just([vec![true; 20], vec![false; 20]].concat()).prop_shuffle(),
	) {
		let moved = after(start, a).share().abs_diff(after(start, b).share());
		prop_assert!(u64::from(moved) * 10_000 < u64::from(ONE) * 15, "{moved}");
	}

	#[test]
	fn no_counts_overflow(alpha: u64, beta: u64, passed: bool) {
		let odd = Reputation { alpha, beta };
		prop_assert!(odd.share() <= ONE);
		prop_assert!(odd.audited(passed).share() <= ONE);
	}
}

#[test]
fn the_worst_order_of_a_day_is_within_its_bound() {
	for start in [Reputation::NEW, after(Reputation::NEW, vec![true; 6_000])] {
		let early = after(start, [vec![false; 20], vec![true; 20]].concat());
		let late = after(start, [vec![true; 20], vec![false; 20]].concat());
		let moved = u64::from(early.share() - late.share());
		assert!(moved * 10_000 < u64::from(ONE) * 15, "{moved}");
	}
}

#[test]
fn a_perfect_node_falls_to_096_with_21_failures() {
	let perfect = after(Reputation::NEW, vec![true; 20_000]);
	let limit = (u64::from(ONE) * 96 / 100) as u32;
	assert!(after(perfect, vec![false; 20]).share() >= limit);
	assert!(after(perfect, vec![false; 21]).share() < limit);
}

#[test]
fn a_new_node_needs_550_passes_to_099() {
	let limit = (u64::from(ONE) * 99 / 100) as u32;
	assert!(after(Reputation::NEW, vec![true; 545]).share() < limit);
	assert!(after(Reputation::NEW, vec![true; 555]).share() >= limit);
}

/// When a node that loses so many in a thousand is evicted: below 0.96 after at least 100 samples.
fn evicted_at(loss: u64, dice: &mut Dice, samples: u32) -> Option<u32> {
	let limit = (u64::from(ONE) * 96 / 100) as u32;
	let mut reputation = Reputation::NEW;
	(1..=samples).find(|sample| {
		reputation = reputation.audited(dice.per_mille() >= loss);
		*sample >= 100 && reputation.share() < limit
	})
}

/// 400 runs of 6,000 samples, as the thresholds were calibrated.
#[test]
fn eviction_is_as_calibrated() {
	let mut dice = Dice(5);
	let mut runs = |loss| {
		let mut found: Vec<u32> = (0..400)
			.filter_map(|_| evicted_at(loss, &mut dice, 6_000))
			.collect();
		found.sort_unstable();
		found
	};
	assert!(runs(0).is_empty());
	assert!(runs(10).is_empty());
	// 1.3 % and 79 % were measured.
	assert!(runs(20).len() <= 16);
	assert!((280..=350).contains(&runs(30).len()));
	let four = runs(40);
	assert_eq!(four.len(), 400);
	assert!((450..=630).contains(&four[200]), "{}", four[200]);
	let five = runs(50);
	assert!((220..=330).contains(&five[200]), "{}", five[200]);
	assert_eq!(runs(200)[200], 100);
}
