//! Properties of the placement weight.
#![allow(clippy::unwrap_used)]

use hippius_score::{
	placement::{quantised, target, Growth},
	ONE,
};
use proptest::prelude::*;

const DAY: u32 = 14_400;

/// Steps of a weight: blocks passed and the new target.
fn steps() -> impl Strategy<Value = Vec<(u32, u32)>> {
	proptest::collection::vec((0..2 * DAY, prop_oneof![1..200u32, any::<u32>()]), 1..60)
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn growth_is_at_most_double_in_a_day(steps in steps()) {
		let mut now = 0;
		let mut weight: Option<Growth> = None;
		for (passed, target) in steps {
			now += passed;
			let next = Growth::next(weight, target, now, DAY);
			prop_assert!(next.weight >= 1);
			if let Some(old) = weight {
				prop_assert!(u64::from(next.weight) <= 2 * u64::from(old.base).max(old.weight.into()));
				if now - old.since < DAY && next.since == old.since {
					prop_assert!(u64::from(next.weight) <= 2 * u64::from(next.base));
				}
				// Never away from the target, and at most up to it.
				prop_assert!(next.weight <= old.weight.max(target.max(1)));
				prop_assert!(next.weight >= old.weight.min(quantised(target)));
				prop_assert_eq!(quantised(next.weight), next.weight);
			}
			weight = Some(next);
		}
	}

	#[test]
	fn a_wavering_target_changes_nothing(weight in 16..u32::MAX / 2, at in 0..1_000u32, now in 0..DAY) {
		let weight = quantised(weight);
		let old = Growth { weight, base: weight, since: 0 };
		// From an eighth below to just under the next step.
		let low = weight - weight / 8 + 1;
		let high = (weight..).find(|next| quantised(*next) > weight || *next == weight + 1_000).unwrap() - 1;
		let nearby = low + at % (high - low + 1);
		prop_assert_eq!(Growth::next(Some(old), nearby, now, DAY).weight, weight);
	}

	#[test]
	fn weights_have_few_bits(weight: u32) {
		let step = quantised(weight);
		prop_assert!(step >= 1 && step <= weight.max(1));
		prop_assert!(u64::from(weight) < u64::from(step) + u64::from((step / 8).max(1)));
		prop_assert_eq!(quantised(step), step);
	}

	#[test]
	fn a_target_grows_with_capacity_and_score(capacity: u32, more: u32, score in 0..=ONE, better in 0..=ONE) {
		let weight = target(capacity, score);
		prop_assert!(weight <= capacity.max(1));
		prop_assert!(target(capacity.saturating_add(more), score) >= weight);
		prop_assert!(target(capacity, score.max(better)) >= weight);
	}
}

#[test]
fn a_new_node_doubles_daily_until_it_has_its_weight() {
	let mut weight = Growth::next(None, 64, 0, DAY);
	let mut daily = vec![weight.weight];
	for hour in 1..=24 * 5 {
		weight = Growth::next(Some(weight), 64, hour * DAY / 24, DAY);
		if hour % 24 == 0 {
			daily.push(weight.weight);
		}
	}
	assert_eq!(daily, [8, 16, 32, 64, 64, 64]);
}

#[test]
fn a_weight_falls_at_once_and_has_to_grow_again() {
	let old = Growth {
		weight: 64,
		base: 64,
		since: 0,
	};
	let fallen = Growth::next(Some(old), 16, 10, DAY);
	assert_eq!((fallen.weight, fallen.base, fallen.since), (16, 16, 10));
	let soon = Growth::next(Some(fallen), 64, 20, DAY);
	assert_eq!(soon.weight, 16);
	assert_eq!(Growth::next(Some(soon), 64, 10 + DAY, DAY).weight, 32);
}

#[test]
fn odd_clocks_do_no_harm() {
	let old = Growth {
		weight: u32::MAX,
		base: u32::MAX,
		since: 100,
	};
	assert_eq!(Growth::next(Some(old), u32::MAX, 0, 0).weight, u32::MAX);
	assert_eq!(Growth::next(Some(old), 0, u32::MAX, 0).weight, 1);
	assert_eq!(Growth::next(None, 0, 5, 0).weight, 1);
}
