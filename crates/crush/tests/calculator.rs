//! Bounds of the calculator and refusals of hierarchies.

#![allow(clippy::unwrap_used)]

use arion_crush::{
	map::{Item, Reweights, Rule, Step, WEIGHT_ONE},
	mapper::do_rule,
	Bucket, CrushMap, DrawMeter, MapError, MapperError, NONE,
};
use codec::{Decode, Encode};

#[test]
fn meters_and_rules_of_the_calculator_are_bounded() {
	let items = (0..4)
		.map(|id| Item {
			id,
			weight: WEIGHT_ONE,
		})
		.collect();
	let choose = Step::Choose {
		leaf: false,
		indep: true,
		count: 0,
		kind: 0,
	};
	let rules = vec![Rule {
		id: 3,
		steps: vec![Step::Take(-1), choose, Step::Emit],
	}];
	let map = CrushMap::new(vec![Bucket::new(-1, 1, items)], rules).unwrap();
	let all = Reweights::all_in(&map);
	let mut meter = DrawMeter::new(19);
	assert_eq!(
		do_rule(&map, 0, 0, 1, &all, &mut meter),
		Err(MapperError::NoSuchRule(0))
	);
	assert_eq!(
		do_rule(&map, 3, 0, 5000, &all, &mut meter),
		Err(MapperError::TooManySlots(5000))
	);
	assert_eq!(do_rule(&map, 3, 0, 0, &all, &mut meter), Ok(vec![]));
	assert_eq!(meter.spent(), 0);
	assert_eq!(
		do_rule(&map, 3, 0, 6, &all, &mut meter),
		Err(MapperError::DrawCap(19))
	);
	let mut meter = DrawMeter::new(100_000);
	let found = do_rule(&map, 3, 0, 6, &all, &mut meter).unwrap();
	assert_eq!(found.iter().filter(|item| **item == NONE).count(), 2);
	assert_eq!(meter.spent() % 4, 0);
	let none = do_rule(&map, 3, 0, 2, &Reweights::default(), &mut meter).unwrap();
	assert_eq!(none, [NONE, NONE]);
}

#[test]
fn hierarchies_that_could_loop_or_lie_are_refused() {
	let item = |id| Item { id, weight: 1 };
	let bucket =
		|id, kind, items: &[i32]| Bucket::new(id, kind, items.iter().copied().map(item).collect());
	let refused = |buckets| CrushMap::new(buckets, vec![]).unwrap_err();
	let twins = vec![bucket(-1, 2, &[-2]), bucket(-2, 1, &[-1])];
	assert_eq!(
		refused(twins),
		MapError::ChildType {
			bucket: -2,
			item: -1
		}
	);
	assert_eq!(
		refused(vec![bucket(-1, 1, &[-1])]),
		MapError::ChildType {
			bucket: -1,
			item: -1
		}
	);
	assert_eq!(
		refused(vec![bucket(-1, 1, &[-7])]),
		MapError::UnknownItem {
			bucket: -1,
			item: -7
		}
	);
	assert_eq!(
		refused(vec![bucket(-1, 0, &[])]),
		MapError::BucketIsDevice(-1)
	);
	let shared = vec![bucket(-1, 1, &[4]), bucket(-2, 1, &[4])];
	assert!(matches!(
		refused(shared),
		MapError::ItemTwice { item: 4, .. }
	));
	let rule = |steps| CrushMap::new(vec![], vec![Rule { id: 1, steps }]).unwrap_err();
	assert_eq!(
		rule(vec![Step::Take(-1)]),
		MapError::UnknownTake { rule: 1, item: -1 }
	);
	assert_eq!(rule(vec![Step::Emit; 1025]), MapError::RuleTooLong(1));
	// The encoding of a map that is not valid does not decode.
	let looped = (vec![bucket(-1, 1, &[-1])], Vec::<Rule>::new()).encode();
	assert!(CrushMap::decode(&mut &looped[..]).is_err());
}
