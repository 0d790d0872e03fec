//! Every rule of a valid hierarchy and of its rules, broken one at a time.

#![allow(clippy::unwrap_used)]

use arion_crush::{
	map::{
		ChooseArgs, MAX_BUCKETS, MAX_BUCKET_WEIGHT, MAX_DEPTH, MAX_DEVICE_ID, MAX_DEVICE_WEIGHT,
		MAX_FAN_OUT, MAX_RULES, MAX_RULE_STEPS, MAX_SLOTS, MAX_TRIES, MAX_WEIGHT_SETS,
	},
	mapper::do_rule,
	Bucket, CrushMap, DrawMeter, Item, MapError, MapperError, Reweights, Rule, Step, WEIGHT_ONE,
};
use codec::{Decode, Encode};

fn bucket(id: i32, kind: u16, items: &[(i32, u32)]) -> Bucket {
	let items = items.iter().map(|&(id, weight)| Item { id, weight });
	Bucket::new(id, kind, items.collect())
}

fn rule(id: u32, steps: &[Step]) -> Rule {
	Rule {
		id,
		steps: steps.to_vec(),
	}
}

const CHOOSE: Step = Step::Choose {
	leaf: true,
	indep: true,
	count: 0,
	kind: 1,
};

/// A root (-1) of two hosts (-2, -3) of two devices each, and a rule.
fn good() -> (Vec<Bucket>, Vec<Rule>) {
	let buckets = vec![
		bucket(-1, 2, &[(-2, 2 * WEIGHT_ONE), (-3, 2 * WEIGHT_ONE)]),
		bucket(-2, 1, &[(0, WEIGHT_ONE), (1, WEIGHT_ONE)]),
		bucket(-3, 1, &[(2, WEIGHT_ONE), (3, WEIGHT_ONE)]),
	];
	(
		buckets,
		vec![rule(0, &[Step::Take(-1), CHOOSE, Step::Emit])],
	)
}

/// Must be refused, also when it comes as bytes.
fn refused(change: impl FnOnce(&mut Vec<Bucket>, &mut Vec<Rule>)) -> MapError {
	let (mut buckets, mut rules) = good();
	change(&mut buckets, &mut rules);
	let bytes = (&buckets, &rules).encode();
	let error = CrushMap::new(buckets, rules).unwrap_err();
	assert!(CrushMap::decode(&mut &bytes[..]).is_err());
	assert!(!error.to_string().is_empty());
	error
}

#[test]
fn the_unbroken_map_is_valid() {
	let (buckets, rules) = good();
	let map = CrushMap::new(buckets, rules).unwrap();
	let mut meter = DrawMeter::new(1000);
	let found = do_rule(&map, 0, 1, 2, &Reweights::all_in(&map), &mut meter).unwrap();
	assert_eq!(found.len(), 2);
}

#[test]
fn ids() {
	assert_eq!(
		refused(|b, _| b[1].id = 7),
		MapError::BucketIdNotNegative(7)
	);
	assert_eq!(
		refused(|b, _| b[1].id = 0),
		MapError::BucketIdNotNegative(0)
	);
	assert_eq!(refused(|b, _| b[2].id = -2), MapError::DuplicateBucket(-2));
	for id in [MAX_DEVICE_ID + 1, i32::MAX] {
		assert_eq!(
			refused(|b, _| b[1].items[0].id = id),
			MapError::DeviceId {
				bucket: -2,
				device: id as u32
			}
		);
	}
	assert_eq!(
		refused(|b, _| b[0].items[1].id = -9),
		MapError::UnknownItem {
			bucket: -1,
			item: -9
		}
	);
	assert_eq!(
		refused(|b, _| b[0].items[1].id = i32::MIN),
		MapError::UnknownItem {
			bucket: -1,
			item: i32::MIN
		}
	);
}

#[test]
fn types_and_cycles() {
	assert_eq!(refused(|b, _| b[2].kind = 0), MapError::BucketIsDevice(-3));
	// A child as high as its parent, and a parent that is not above its child.
	assert_eq!(
		refused(|b, _| b[2].kind = 2),
		MapError::ChildType {
			bucket: -1,
			item: -3
		}
	);
	// A bucket in itself, and two in each other.
	assert_eq!(
		refused(|b, _| b[1].items[0].id = -2),
		MapError::ChildType {
			bucket: -2,
			item: -2
		}
	);
	assert_eq!(
		refused(|b, _| b[1].items[0].id = -1),
		MapError::ChildType {
			bucket: -2,
			item: -1
		}
	);
	assert_eq!(
		refused(|b, _| b[2].class = 5),
		MapError::ChildClass {
			bucket: -1,
			item: -3
		}
	);
}

#[test]
fn one_parent_for_every_item() {
	// In two buckets, twice in one, and a bucket in two buckets.
	assert_eq!(
		refused(|b, _| b[2].items[0].id = 1),
		MapError::ItemTwice {
			bucket: -3,
			item: 1
		}
	);
	assert_eq!(
		refused(|b, _| b[1].items[0].id = 1),
		MapError::ItemTwice {
			bucket: -2,
			item: 1
		}
	);
	assert_eq!(
		refused(|b, _| b.push(bucket(-4, 2, &[(-2, 1)]))),
		MapError::ItemTwice {
			bucket: -4,
			item: -2
		}
	);
}

#[test]
fn sizes() {
	let wide: Vec<_> = (0..=MAX_FAN_OUT as i32).map(|id| (id + 10, 1)).collect();
	assert_eq!(
		refused(|b, _| b.push(bucket(-4, 1, &wide))),
		MapError::FanOut {
			bucket: -4,
			items: MAX_FAN_OUT + 1
		}
	);
	let levels = MAX_DEPTH as i32 + 1;
	let chain = |b: &mut Vec<Bucket>, _: &mut Vec<Rule>| {
		b.extend((1..=levels).map(|level| {
			let child = if level == 1 { 50 } else { -99 - level };
			bucket(-100 - level, level as u16, &[(child, 1)])
		}));
	};
	assert_eq!(refused(chain), MapError::TooDeep(-100 - levels));
	let many = (0..MAX_BUCKETS as i32).map(|at| bucket(-10 - at, 1, &[]));
	assert_eq!(
		refused(|b, _| b.extend(many)),
		MapError::TooManyBuckets(MAX_BUCKETS + 3)
	);
}

#[test]
fn weights() {
	let heavy = MAX_DEVICE_WEIGHT + 1;
	assert_eq!(
		refused(|b, _| b[1].items[1].weight = heavy),
		MapError::ItemWeight {
			bucket: -2,
			item: 1,
			weight: heavy
		}
	);
	let heavy = MAX_BUCKET_WEIGHT + 1;
	assert_eq!(
		refused(|b, _| b[0].items[0].weight = heavy),
		MapError::ItemWeight {
			bucket: -1,
			item: -2,
			weight: heavy
		}
	);
	// Each within the bounds, together above them; and together above 32 bits.
	for weight in [MAX_BUCKET_WEIGHT / 2 + 1, MAX_BUCKET_WEIGHT] {
		assert_eq!(
			refused(|b, _| b[0].items.iter_mut().for_each(|item| item.weight = weight)),
			MapError::BucketWeight(-1)
		);
	}
}

#[test]
fn replacement_weights() {
	let args = |ids: &[i32], rows: &[&[u32]]| {
		Some(ChooseArgs {
			ids: ids.to_vec(),
			weight_sets: rows.iter().map(|row| row.to_vec()).collect(),
		})
	};
	for wrong in [
		args(&[1], &[]),
		args(&[1, 2, 3], &[]),
		args(&[], &[&[1, 2], &[1]]),
		args(&[], &[&[1, 2, 3]]),
		args(&[], &vec![&[1, 2][..]; MAX_WEIGHT_SETS + 1]),
	] {
		assert_eq!(refused(|b, _| b[1].args = wrong), MapError::ChooseArgs(-2));
	}
}

#[test]
fn rules() {
	assert_eq!(
		refused(|_, r| r[0].id = MAX_RULES),
		MapError::RuleId(MAX_RULES)
	);
	assert_eq!(
		refused(|_, r| r.push(rule(0, &[]))),
		MapError::DuplicateRule(0)
	);
	assert_eq!(
		refused(|_, r| r[0].steps = vec![Step::Emit; MAX_RULE_STEPS + 1]),
		MapError::RuleTooLong(0)
	);
	for item in [-9, i32::MIN, i32::MAX, MAX_DEVICE_ID + 1] {
		assert_eq!(
			refused(|_, r| r[0].steps[0] = Step::Take(item)),
			MapError::UnknownTake { rule: 0, item }
		);
	}
	let tries = MAX_TRIES + 1;
	for step in [Step::SetChooseTries(tries), Step::SetChooseleafTries(tries)] {
		assert_eq!(
			refused(|_, r| r[0].steps.insert(0, step)),
			MapError::RuleTries { rule: 0, tries }
		);
	}
	for count in [
		MAX_SLOTS as i32 + 1,
		-(MAX_SLOTS as i32) - 1,
		i32::MIN,
		i32::MAX,
	] {
		let step = Step::Choose {
			leaf: false,
			indep: true,
			count,
			kind: 0,
		};
		assert_eq!(
			refused(|_, r| r[0].steps[1] = step),
			MapError::RuleCount { rule: 0, count }
		);
	}
}

#[test]
fn runs() {
	let (buckets, rules) = good();
	let map = CrushMap::new(buckets, rules).unwrap();
	let all_in = Reweights::all_in(&map);
	let run = |rule, slots, cap| do_rule(&map, rule, 1, slots, &all_in, &mut DrawMeter::new(cap));
	assert_eq!(run(1, 2, 100), Err(MapperError::NoSuchRule(1)));
	let slots = MAX_SLOTS + 1;
	assert_eq!(run(0, slots, 100), Err(MapperError::TooManySlots(slots)));
	assert_eq!(run(0, 2, 3), Err(MapperError::DrawCap(3)));
	assert_eq!(run(0, 0, 0), Ok(vec![]));
}
