//! Properties of the score, of pay and of the ranking.
#![allow(clippy::unwrap_used)]

use hippius_score::{fixed, pay_weight, sort_by_rank, Inputs, Ranked, Ratio, Reputation, ONE};
use proptest::prelude::*;

fn ratio() -> impl Strategy<Value = Ratio> {
	(any::<u32>(), any::<u32>()).prop_map(|(a, b)| Ratio {
		good: a.min(b),
		counted: a.max(b),
	})
}

fn good_ratio() -> impl Strategy<Value = Ratio> {
	(600..=1_000u32).prop_map(|good| Ratio {
		good,
		counted: 1_000,
	})
}

fn reputation() -> impl Strategy<Value = Reputation> {
	(0..=512u64 << 20).prop_map(|alpha| Reputation {
		alpha,
		beta: (512 << 20) - alpha,
	})
}

fn good_reputation() -> impl Strategy<Value = Reputation> {
	(480u64 << 20..=512u64 << 20).prop_map(|alpha| Reputation {
		alpha,
		beta: (512 << 20) - alpha,
	})
}

prop_compose! {
	/// Anything, and, as often, something with a score above 0.
	fn inputs()(
		reputation in prop_oneof![reputation(), good_reputation()],
		uptime in prop_oneof![ratio(), good_ratio()],
		active_days in 0u32..400,
		retrieval in prop_oneof![ratio(), good_ratio()],
		stake in prop_oneof![any::<u128>(), 0..1_000u128],
		required in prop_oneof![any::<u128>(), 0..1_000u128],
		jailed in prop_oneof![4 => Just(false), 1 => Just(true)],
	) -> Inputs {
		Inputs { reputation, uptime, active_days, retrieval, stake, required, jailed }
	}
}

/// A node with nothing to complain of.
fn perfect() -> Inputs {
	Inputs {
		reputation: Reputation {
			alpha: 512 << 20,
			beta: 0,
		},
		uptime: Ratio {
			good: 86_400,
			counted: 86_400,
		},
		active_days: 180,
		retrieval: Ratio {
			good: 100,
			counted: 100,
		},
		stake: 5,
		required: 5,
		jailed: false,
	}
}

/// The most passes of 512 that are no more than 0.95.
const MOST_AT_95: u64 = (512 << 20) * 95 / 100;

proptest! {
	#![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn a_score_is_a_share(inputs in inputs()) {
		prop_assert!(inputs.score() <= ONE);
	}

	#[test]
	fn every_good_input_helps_or_does_nothing(inputs in inputs(), more in any::<u32>(), stake in any::<u128>(), passes in 1usize..50) {
		let score = inputs.score();
		let better = [
			Inputs { uptime: Ratio { good: inputs.uptime.good.saturating_add(more), ..inputs.uptime }, ..inputs },
			Inputs { retrieval: Ratio { good: inputs.retrieval.good.saturating_add(more), ..inputs.retrieval }, ..inputs },
			Inputs { active_days: inputs.active_days.saturating_add(more), ..inputs },
			Inputs { stake: inputs.stake.saturating_add(stake), ..inputs },
			Inputs { required: inputs.required.saturating_sub(stake), ..inputs },
			Inputs { reputation: (0..passes).fold(inputs.reputation, |r, _| r.audited(true)), ..inputs },
		];
		for better in better {
			prop_assert!(better.score() >= score, "{better:?}");
		}
	}

	#[test]
	fn every_failure_harms_or_does_nothing(inputs in inputs(), missed in 1u32..1_000, more in any::<u128>()) {
		let score = inputs.score();
		let missed_of = |ratio: Ratio| Ratio { good: ratio.good, counted: ratio.counted.saturating_add(missed) };
		let worse = [
			Inputs { uptime: missed_of(inputs.uptime), ..inputs },
			Inputs { retrieval: missed_of(inputs.retrieval), ..inputs },
			Inputs { required: inputs.required.saturating_add(more), ..inputs },
			Inputs { reputation: inputs.reputation.audited(false), ..inputs },
			Inputs { jailed: true, ..inputs },
		];
		for worse in worse {
			prop_assert!(worse.score() <= score, "{worse:?}");
		}
	}

	#[test]
	fn bad_audits_no_stake_or_jail_gate_everything(inputs in inputs(), alpha in prop_oneof![0..=MOST_AT_95, Just(MOST_AT_95)]) {
		let bad = Reputation { alpha, beta: (512 << 20) - alpha };
		prop_assert!(bad.share() <= fixed::share(95, 100));
		prop_assert_eq!(Inputs { reputation: bad, ..inputs }.score(), 0);
		prop_assert_eq!(Inputs { stake: 0, ..inputs }.score(), 0);
		prop_assert_eq!(Inputs { jailed: true, ..inputs }.score(), 0);
	}

	/// Parts are new nodes: their age and audits begin anew, so that each is worth no more than the whole.
	#[test]
	fn who_splits_a_good_node_begins_anew(inputs in inputs(), passes in 0usize..3_000, days in 0u32..400, younger in 0u32..400, fewer in 0usize..3_000, parts in proptest::collection::vec(0..u128::from(u64::MAX), 1..20)) {
		let record = |passes| (0..passes).fold(Reputation::NEW, |r: Reputation, _| r.audited(true));
		let whole = Inputs { reputation: record(passes), active_days: days, ..inputs };
		let part = Inputs { reputation: record(fewer.min(passes)), active_days: younger.min(days), ..inputs };
		let split: u128 = parts.iter().map(|bytes| pay_weight(*bytes, part.score())).sum();
		prop_assert!(part.score() <= whole.score());
		prop_assert!(split <= pay_weight(parts.iter().sum(), whole.score()));
	}

	/// However bytes and stake are divided, what the stake does not cover is not paid; but for rounding.
	#[test]
	fn dividing_the_stake_gains_nothing(
		reputation in good_reputation(),
		days in 0u32..200,
		// Bytes, and 1024ths of what they require.
		parts in proptest::collection::vec((1..1u128 << 50, prop_oneof![Just(0), 0..1_024u128, Just(1_024), Just(2_048)]), 1..12),
	) {
		let paid = |(bytes, stake): (u128, u128)| {
			let inputs = Inputs { reputation, active_days: days, stake, required: bytes << 10, ..perfect() };
			pay_weight(bytes, inputs.score())
		};
		let parts: Vec<_> = parts.into_iter().map(|(bytes, covered)| (bytes, bytes * covered)).collect();
		let whole = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
		let split: u128 = parts.iter().map(|part| paid(*part)).sum();
		// Of the whole, cover, gate and score are each rounded down once, by less than 2^-30, and the pay.
		prop_assert!(split <= paid(whole) + 3 * (whole.0 >> 30) + 4);
	}

	#[test]
	fn splitting_bytes_never_gains_and_merging_never_loses(parts in proptest::collection::vec(0..u128::from(u64::MAX) * 86_400, 1..20), score in 0..=ONE) {
		let whole = pay_weight(parts.iter().sum(), score);
		let split: u128 = parts.iter().map(|part| pay_weight(*part, score)).sum();
		prop_assert!(split <= whole);
		prop_assert!(whole - split < parts.len() as u128);
	}

	#[test]
	fn pay_grows_with_bytes_and_score(bytes: u128, more: u128, score in 0..=ONE, better in 0..=ONE) {
		let pay = pay_weight(bytes, score);
		prop_assert!(pay <= bytes);
		prop_assert!(pay_weight(bytes.saturating_add(more), score) >= pay);
		prop_assert!(pay_weight(bytes, score.max(better)) >= pay);
	}

	#[test]
	fn cover_is_the_quotient(part: u128, whole in 1..=u128::MAX, narrow in 1..98u32) {
		let (part, whole) = (part >> narrow, (whole >> narrow).max(1));
		let covered = fixed::cover(part, whole);
		prop_assert!(covered <= ONE);
		if let Some(product) = part.checked_mul(u128::from(ONE)) {
			prop_assert_eq!(u128::from(covered), (product / whole).min(u128::from(ONE)));
		}
	}

	#[test]
	fn an_explanation_adds_up(inputs in inputs()) {
		let why = inputs.explain();
		prop_assert_eq!(why.score, inputs.score());
		prop_assert_eq!(why.jailed, inputs.jailed);
		for term in [why.audits, why.stake, why.uptime, why.age, why.retrieval] {
			prop_assert!(term.measured <= ONE && term.factor <= ONE);
			prop_assert!(u64::from(why.score) + u64::from(term.cost) <= u64::from(ONE));
			if term.factor == ONE {
				prop_assert_eq!(term.cost, 0);
			}
		}
	}

	#[test]
	fn ranks_are_one_order_whatever_came_first(nodes in proptest::collection::vec((0..4u32, 0..4u64), 1..40).prop_flat_map(|nodes| {
		let nodes: Vec<Ranked> = nodes.into_iter().zip(0..).map(|((score, bytes), node)| Ranked { node, score, bytes }).collect();
		(Just(nodes.clone()), Just(nodes).prop_shuffle())
	})) {
		let (mut sorted, mut shuffled) = nodes;
		sort_by_rank(&mut sorted);
		sort_by_rank(&mut shuffled);
		prop_assert_eq!(&sorted, &shuffled);
		for pair in sorted.windows(2) {
			let key = |ranked: &Ranked| (u32::MAX - ranked.score, u64::MAX - ranked.bytes, ranked.node);
			prop_assert!(key(&pair[0]) < key(&pair[1]));
		}
	}
}

#[test]
fn a_perfect_node_has_the_full_score() {
	assert_eq!(perfect().score(), ONE);
	assert_eq!(pay_weight(u128::MAX, ONE), u128::MAX);
}

#[test]
fn extremes_do_not_overflow() {
	let most = Inputs {
		stake: u128::MAX,
		required: u128::MAX,
		uptime: Ratio {
			good: u32::MAX,
			counted: u32::MAX,
		},
		active_days: u32::MAX,
		..perfect()
	};
	assert_eq!(most.score(), ONE);
	assert_eq!(Inputs { stake: 0, ..most }.score(), 0);
	let bytes = u128::from(u64::MAX) * u128::from(u32::MAX);
	assert_eq!(pay_weight(bytes, ONE), bytes);
	assert_eq!(pay_weight(bytes, 0), 0);
	// More beats than were counted, as no honest counter says.
	let odd = Ratio {
		good: 7,
		counted: 0,
	};
	assert_eq!(odd.share(), ONE);
	assert_eq!(
		Inputs {
			uptime: odd,
			..perfect()
		}
		.score(),
		ONE
	);
}

#[test]
fn nothing_counted_is_not_the_nodes_fault() {
	let unmeasured = Inputs {
		uptime: Ratio::default(),
		retrieval: Ratio::default(),
		..perfect()
	};
	assert_eq!(unmeasured.score(), ONE);
}

#[test]
fn a_new_node_is_worth_about_two_fifths() {
	let why = Inputs::new(5, 5).explain();
	let thousandths = |share: u32| u64::from(share) * 1_000 / u64::from(ONE);
	assert_eq!(thousandths(why.audits.factor), 422);
	assert_eq!(thousandths(why.age.factor), 500);
	assert_eq!(thousandths(why.score), 380);
	// Its record costs it most.
	assert!(why.audits.cost > why.age.cost);
	assert_eq!(why.stake.cost, 0);
}

#[test]
fn a_score_is_explained() {
	// 0.83, because a fifth of the uptime ramp and half of the age are missing.
	let inputs = Inputs {
		uptime: Ratio {
			good: 916,
			counted: 1_000,
		},
		active_days: 36,
		..perfect()
	};
	let why = inputs.explain();
	let hundredths = |share: u32| (u64::from(share) * 100 + u64::from(ONE) / 2) / u64::from(ONE);
	assert_eq!(hundredths(why.score), 83);
	assert_eq!(hundredths(why.uptime.cost), 9);
	assert_eq!(hundredths(why.age.cost), 8);
	assert_eq!(why.retrieval.cost, 0);
	assert_eq!(why.audits.cost, 0);
}
