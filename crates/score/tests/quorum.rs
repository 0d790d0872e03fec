//! Properties of the rule by which collectors' reports become one value.
#![allow(clippy::unwrap_used)]

use hippius_score::quorum::{quorum, rank, settle, settle_page, tolerated, MAX_COLLECTORS, PAGE};
use proptest::prelude::*;

#[test]
fn the_table_of_the_readme() {
	let row = |f: fn(u32) -> u32| (1..=MAX_COLLECTORS).map(f).collect::<Vec<_>>();
	assert_eq!(row(tolerated), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
	assert_eq!(row(rank), [1, 1, 1, 2, 2, 2, 3, 3, 3]);
	assert_eq!(row(quorum), [1, 2, 2, 3, 3, 4, 5, 5, 5]);
	assert_eq!(quorum(0), 1);
}

#[test]
fn nine_collectors_settle_on_the_third_largest() {
	let mut values = [120, 0, 119, 3, 118, 120, 117, 0, 0];
	assert_eq!(settle(&mut values, 9), Some(119));
	// To mark a live node dead takes seven of nine.
	assert_eq!(settle(&mut [0, 0, 0, 0, 0, 0, 120, 120, 120], 9), Some(120));
	assert_eq!(settle(&mut [0, 0, 0, 0, 0, 0, 0, 120, 120], 9), Some(0));
	assert_eq!(settle(&mut [120; 4], 9), None);
	assert_eq!(settle(&mut [], 0), None);
}

#[test]
fn short_reports_leave_out_zeros() {
	let settled = settle_page(&[vec![9, 8], vec![9], vec![]], 3).unwrap();
	assert_eq!(&settled[..3], &[9, 8, 0]);
	assert_eq!(settled[PAGE - 1], 0);
	assert!(settle_page(&[vec![9]], 3).is_none());
	assert!(settle_page::<Vec<u8>>(&[], 0).is_none());
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

	/// Up to the tolerated number of liars, whoever else is silent, cannot move the value out of
	/// what the honest ones reported.
	#[test]
	fn liars_below_a_third_move_nothing(
		collectors in 1..=MAX_COLLECTORS,
		honest in proptest::collection::vec(any::<u8>(), 9),
		lies in proptest::collection::vec(any::<u8>(), 9),
		liars in 0u32..9,
		silent in 0u32..9,
	) {
		let liars = liars.min(tolerated(collectors));
		let silent = silent.min(collectors - liars);
		let speaking = (collectors - liars - silent) as usize;
		let honest = &honest[..speaking];
		let mut values = [honest, &lies[..liars as usize]].concat();
		if let Some(value) = settle(&mut values, collectors) {
			prop_assert!(value >= *honest.iter().min().unwrap());
			prop_assert!(value <= *honest.iter().max().unwrap());
		} else {
			prop_assert!((values.len() as u32) < quorum(collectors));
		}
	}

	#[test]
	fn a_larger_report_never_lowers_the_value(collectors in 1..=MAX_COLLECTORS, values in proptest::collection::vec(any::<u8>(), 1..10), at: prop::sample::Index, more: u8) {
		let mut better = values.clone();
		let at = at.index(values.len());
		better[at] = better[at].saturating_add(more);
		prop_assert!(settle(&mut better, collectors) >= settle(&mut values.clone(), collectors));
	}

	#[test]
	fn the_order_of_reports_does_not_matter(values in proptest::collection::vec(any::<u8>(), 9).prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())), collectors in 1..=MAX_COLLECTORS) {
		let (mut a, mut b) = values;
		prop_assert_eq!(settle(&mut a, collectors), settle(&mut b, collectors));
	}
}
