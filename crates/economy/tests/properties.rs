//! Nothing appears and nothing vanishes, whatever the amounts.
#![allow(clippy::unwrap_used)]

use hippius_economy::{
	alpha_for, carry, consume, credits_for,
	index::{cost, in_force, index_at, once, ratio, whole, Meter, Point, GB_HOUR, MAX_PRICE},
	insert, mul_div, mul_div_ceil, pick, place, share, slash_split, split, total, used, Batch,
	Funding, Oracle, Paid, PriceError, TooManyBatches, ALPHA, HOUR_MS,
};
use proptest::prelude::*;

/// Amounts at which rounding goes wrong first.
fn amount() -> impl Strategy<Value = u128> {
	prop_oneof![
		proptest::sample::select(vec![
			0u128,
			1,
			5,
			6,
			16,
			u64::MAX.into(),
			u128::MAX - 1,
			u128::MAX
		]),
		(0u32..=38).prop_map(|n| 10u128.pow(n)),
		(0u32..128).prop_map(|n| 1u128 << n),
		0u128..1_000,
		any::<u128>(),
	]
}

fn batch(id: u64) -> impl Strategy<Value = Batch> {
	(amount(), amount(), any::<bool>()).prop_map(move |(credits, alpha, fiat)| Batch {
		id,
		credits: (credits >> 6).max(1),
		alpha: alpha >> 6,
		funding: match fiat {
			true => Funding::Fiat {
				payment: [id as u8; 32],
				frozen_until: id,
			},
			false => Funding::Alpha,
		},
	})
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
	(batch(1), batch(2), batch(3), 0usize..=3).prop_map(|(a, b, c, n)| {
		let mut all = vec![a, b, c];
		all.truncate(n);
		all
	})
}

fn rao(batches: &[Batch]) -> u128 {
	batches.iter().map(|batch| batch.alpha).sum()
}

#[test]
fn sixty_thirty_ten_of_small_amounts() {
	let parts = |x| {
		let parts = split(x);
		(parts.miners, parts.validators, parts.treasury)
	};
	assert_eq!(parts(0), (0, 0, 0));
	assert_eq!(parts(1), (0, 0, 1));
	assert_eq!(parts(5), (3, 1, 1));
	// To nearest it would be 4 + 2 + 1 = 7.
	assert_eq!(parts(6), (3, 1, 2));
	assert_eq!(parts(10), (6, 3, 1));
	assert_eq!(parts(16), (9, 4, 3));
	assert_eq!(parts(1_000_000), (600_000, 300_000, 100_000));
}

#[test]
fn a_gigabyte_hour_costs_its_price() {
	let mut meter = Meter {
		units: 1_000_000_000,
		..Default::default()
	};
	assert_eq!(meter.advance(whole(7) * 600, 0), 7);
	assert_eq!(meter.rest, 0);
	// A third of a credit per GB-hour: two hours are nothing yet, a thousandfold of it is not.
	let third = ratio(1, 3);
	assert_eq!(cost(1_000_000_000, third, 600), 1);
	let mut meter = Meter {
		units: 3_000_000_000_000,
		..Default::default()
	};
	assert_eq!(meter.advance(third * 600, 0), 999);
	assert!(
		meter.rest > GB_HOUR / 10 * 9,
		"and all but a 2^32nd of the next"
	);
	assert_eq!(cost(u64::MAX, u128::MAX, 2), u128::MAX);
	assert_eq!(ratio(1, 0), 0);
}

#[test]
fn a_price_told_often_still_moves_by_five_percent_an_hour() {
	let mut oracle = Oracle::new(1_000_000, 0);
	assert_eq!(oracle.moved(0, 1), Err(PriceError::Zero));
	assert_eq!(oracle.moved(1_050_001, 1), Err(PriceError::Deviation));
	assert_eq!(oracle.moved(949_999, 1), Err(PriceError::Deviation));
	for minute in 1..60 {
		let higher = oracle.price + 1_000;
		if let Ok(moved) = oracle.moved(higher, minute * 60_000) {
			oracle = moved;
		}
	}
	assert_eq!(oracle.price, 1_050_000);
	assert_eq!(oracle.fresh(oracle.updated + HOUR_MS), Ok(1_050_000));
	assert_eq!(
		oracle.fresh(oracle.updated + HOUR_MS + 1),
		Err(PriceError::Stale)
	);
	let later = oracle.moved(1_102_500, HOUR_MS).unwrap();
	assert_eq!((later.price, later.anchor), (1_102_500, 1_050_000));
	assert!(Oracle::new(u128::MAX, 0).moved(u128::MAX, 1).is_ok());
}

#[test]
fn thirty_two_batches_and_no_more_unless_they_merge() {
	let new = |id, credits, alpha| Batch {
		id,
		credits,
		alpha,
		funding: Funding::Alpha,
	};
	let mut all = Vec::new();
	for id in 0..32u64 {
		insert(&mut all, new(id, 1 + u128::from(id), 7)).unwrap();
	}
	assert_eq!(
		insert(&mut all, new(40, 64, 14)),
		Ok(()),
		"the ratio of the 32nd"
	);
	assert_eq!((all.len(), all[31].credits, all[31].alpha), (32, 96, 21));
	// Alpha finds room with the newest alpha; what came otherwise does not.
	let tao = |id| Batch {
		funding: Funding::Tao,
		..new(id, 100, 7)
	};
	assert_eq!(insert(&mut all, tao(41)), Err(TooManyBatches));
	assert_eq!(insert(&mut all, new(41, 100, 7)), Ok(()));
	assert_eq!((all.len(), all[31].credits, all[31].alpha), (32, 196, 28));
	let most = new(42, u128::MAX, 1);
	assert_eq!(insert(&mut all, most), Err(TooManyBatches));
	let mut others: Vec<Batch> = (0..32)
		.map(|id| Batch {
			credits: 1 + u128::from(id),
			..tao(id)
		})
		.collect();
	assert_eq!(insert(&mut others, new(41, 1, 1)), Err(TooManyBatches));
	// A sum that does not fit is not a merge.
	let mut two = vec![new(1, u128::MAX, u128::MAX)];
	insert(&mut two, new(2, 1, 1)).unwrap();
	assert_eq!(two.len(), 2);
	// Each payment stays on its own.
	let fiat = |id| Batch {
		funding: Funding::Fiat {
			payment: [1; 32],
			frozen_until: 5,
		},
		..new(id, 10, 10)
	};
	let mut payments = vec![fiat(1)];
	insert(&mut payments, fiat(2)).unwrap();
	assert_eq!(payments.len(), 2);
	assert_eq!(fiat(1).funding.frozen(4), Some([1; 32]));
	assert_eq!(fiat(1).funding.frozen(5), None);
}

proptest! {
	#[test]
	fn a_split_is_the_whole(x in amount()) {
		let parts = split(x);
		prop_assert_eq!(parts.miners + parts.validators + parts.treasury, x);
		let tenth = x / 10;
		prop_assert!(parts.miners >= tenth * 6 && parts.validators >= tenth * 3 && parts.treasury >= tenth);
		prop_assert!(parts.treasury - tenth <= 2);
		let slash = slash_split(x);
		prop_assert_eq!(slash.repair + slash.reporter + slash.treasury, x);
	}

	#[test]
	fn a_product_is_divided_as_in_longer_numbers(a: u64, b: u64, c in 1u64..) {
		let (a, b, c) = (u128::from(a), u128::from(b), u128::from(c));
		prop_assert_eq!(mul_div(a, b, c), Some(a * b / c));
		prop_assert_eq!(mul_div_ceil(a, b, c), Some((a * b).div_ceil(c)));
	}

	#[test]
	fn a_product_that_does_not_fit_is_none(a in amount(), c in amount()) {
		prop_assert_eq!(mul_div(a, c, 0), None);
		prop_assert_eq!(mul_div(a, c, c), (c > 0).then_some(a));
		prop_assert_eq!(mul_div(u128::MAX, u128::MAX, u128::MAX - 1), None);
	}

	#[test]
	fn spending_gives_what_it_takes(mut all in batches(), amounts in prop::collection::vec(amount(), 1..6)) {
		let (credits, alpha) = (total(&all), rao(&all));
		let (mut spent, mut released) = (0u128, 0u128);
		for amount in amounts {
			let before = total(&all);
			let used = consume(&mut all, amount);
			let sum: u128 = used.iter().map(|used| used.credits).sum();
			prop_assert_eq!(sum, amount.min(before));
			spent += sum;
			released += used.iter().map(|used| used.alpha).sum::<u128>();
			prop_assert_eq!(spent + total(&all), credits);
			prop_assert_eq!(released + rao(&all), alpha);
			prop_assert!(all.iter().all(|batch| batch.credits > 0));
			prop_assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "oldest first");
		}
		consume(&mut all, u128::MAX);
		prop_assert!(all.is_empty());
	}

	#[test]
	fn the_last_credit_takes_the_rest(credits in 1u128..50, alpha in amount()) {
		let mut all = vec![Batch { id: 1, credits, alpha, funding: Funding::Tao }];
		let mut released = 0;
		for _ in 0..credits {
			released += consume(&mut all, 1)[0].alpha;
		}
		prop_assert_eq!(released, alpha);
		prop_assert!(all.is_empty());
	}

	#[test]
	fn a_merge_changes_no_sum(credits in 1u128..1_000, alpha in 0u128..1_000, n in 1u128..50) {
		let mut all = vec![Batch { id: 1, credits, alpha, funding: Funding::Alpha }];
		let more = Batch { id: 2, credits: credits * n, alpha: alpha * n, funding: Funding::Alpha };
		insert(&mut all, more).unwrap();
		prop_assert_eq!(all.len(), 1);
		prop_assert_eq!((all[0].credits, all[0].alpha), (credits * (n + 1), alpha * (n + 1)));
	}

	#[test]
	fn credits_are_never_worth_more_than_what_backs_them(rao in 0u128..1 << 100, price in 1u128..1 << 60) {
		if let Some(credits) = credits_for(rao, price) {
			prop_assert!(alpha_for(credits, price).unwrap() <= rao);
			let back = alpha_for(credits, price).unwrap();
			prop_assert!(credits_for(back, price).unwrap() >= credits);
		}
		prop_assert_eq!(alpha_for(rao, 0), None);
	}

	/// However often a meter is read, the whole costs the same to the last credit.
	#[test]
	fn reading_a_meter_often_costs_nothing(
		units: u64,
		price in 0..=MAX_PRICE,
		steps in prop::collection::vec(0u32..100_000, 1..20),
	) {
		let start = Point { block: 5, index: 3, price };
		let mut often = Meter { units, index: start.index, rest: 0 };
		let mut once = often;
		let (mut block, mut sum) = (start.block, 0u128);
		for step in steps {
			block += step;
			let owed = often.owed(start.at(block), 0);
			let charged = often.advance(start.at(block), 0);
			prop_assert_eq!(owed, charged);
			sum += charged;
		}
		prop_assert_eq!(once.advance(start.at(block), 0), sum);
		prop_assert_eq!(once, often);
		prop_assert!(once.rest < GB_HOUR);
		prop_assert_eq!(once.advance(0, 0), 0, "no way back");
	}

	#[test]
	fn many_small_owners_pay_what_one_large_one_does(parts in prop::collection::vec(0u64..1 << 40, 1..10), blocks in 1u128..1_000_000) {
		let index = whole(8) * blocks;
		let meter = |units| Meter { units, ..Default::default() };
		let mut one = meter(parts.iter().sum());
		let whole = one.advance(index, 0);
		let (mut sum, mut rests) = (0, 0);
		for part in &parts {
			let mut small = meter(*part);
			sum += small.advance(index, 0);
			rests += small.rest;
		}
		prop_assert_eq!(sum * GB_HOUR + rests, whole * GB_HOUR + one.rest);
	}

	#[test]
	fn free_units_cost_nothing(units: u64, free: u64, index in 0u128..MAX_PRICE << 32) {
		let mut meter = Meter { units, ..Default::default() };
		let mut billed = Meter { units: units.saturating_sub(free), ..Default::default() };
		prop_assert_eq!(meter.advance(index, free), billed.advance(index, 0));
	}

	#[test]
	fn an_index_never_falls(prices in prop::collection::vec((1u32..1_000, 0..=MAX_PRICE), 1..8), at in prop::collection::vec(0u32..10_000, 2)) {
		let mut points = vec![Point { block: 10, index: 0, price: 5 }];
		for (gap, price) in prices {
			let last = *points.last().unwrap();
			let block = last.block + gap;
			points.push(Point { block, index: last.at(block), price });
		}
		let (low, high) = (at[0].min(at[1]), at[0].max(at[1]));
		prop_assert!(index_at(&points, low) <= index_at(&points, high));
		let point = in_force(&points, high);
		prop_assert!(point.block <= high);
		prop_assert_eq!(point.price == 0, high < 10 || points.iter().any(|p| p.block == point.block && p.price == 0));
		// What is told of is not in force before its block.
		prop_assert_eq!((in_force(&points, 9).price, in_force(&points, 10).price), (0, 5));
		prop_assert_eq!(index_at(&points, 3), 0);
		prop_assert_eq!(index_at(&[], 3), 0);
	}

	#[test]
	fn moving_bytes_in_parts_costs_the_same(parts in prop::collection::vec(0u64..1 << 50, 1..10), price in 0..=MAX_PRICE) {
		let (mut rest, mut sum) = (0, 0);
		for part in &parts {
			sum += once(*part, price, &mut rest);
		}
		let mut whole_rest = 0;
		prop_assert_eq!(once(parts.iter().sum(), price, &mut whole_rest), sum);
		prop_assert_eq!(rest, whole_rest);
	}

	#[test]
	fn a_prepaid_period_adds_up_to_its_price(price in amount(), period in 1u32..2_000, step in 1u32..300) {
		let (mut elapsed, mut charged) = (0, 0);
		while elapsed < period {
			elapsed += step;
			let due = used(price, elapsed, period);
			prop_assert!(due >= charged && due <= price);
			charged = due;
		}
		prop_assert_eq!(charged, price);
		prop_assert_eq!(used(price, 0, 0), price);
	}

	#[test]
	fn no_pool_pays_more_than_it_has(pool in amount(), weights in prop::collection::vec(amount(), 0..20)) {
		let weights: Vec<u128> = weights.into_iter().map(|weight| weight >> 5).collect();
		let sum: u128 = weights.iter().sum();
		let paid: u128 = weights.iter().map(|weight| share(pool, *weight, sum)).sum();
		prop_assert!(paid <= pool);
		prop_assert_eq!(paid + carry(pool, paid), pool);
		if sum > 0 {
			prop_assert!(carry(pool, paid) < weights.len() as u128);
		}
	}

	/// Ten that hold a tenth each are paid as one that holds all, but for rounding, which is never
	/// in their favour.
	#[test]
	fn splitting_a_weight_earns_nothing(pool in amount(), weight in 0u128..1 << 100, others in 0u128..1 << 100, n in 1u128..20) {
		let whole = share(pool, weight * n, weight * n + others);
		let parts = share(pool, weight, weight * n + others) * n;
		prop_assert!(parts <= whole && whole - parts < n);
	}

	#[test]
	fn a_reversed_payment_is_accounted_for(alpha in amount(), left in amount(), pending in amount(), reserve in amount()) {
		let left = left.min(alpha);
		let pending = pending.min(alpha - left);
		let back = Paid { alpha, left, pending }.reverse(reserve);
		prop_assert_eq!(back.returned + back.covered + back.uncovered, alpha);
		prop_assert!(back.covered <= reserve && back.owed == alpha - left);
	}
}

#[test]
fn one_alpha_at_ten_dollars_is_ten_million_credits() {
	assert_eq!(credits_for(ALPHA, 10_000_000), Some(10_000_000));
	assert_eq!(alpha_for(10_000_000, 10_000_000), Some(ALPHA));
	assert_eq!(alpha_for(1, 3), Some(333_333_334));
}

#[test]
fn a_lot_takes_each_as_often_as_it_weighs() {
	// Of evenly spread lots as many as score times room.
	let one = 1u128 << 30;
	let weights = [one * 50, 0, one / 2 * 100, one / 2 * 50, one * 25];
	let mut taken = [0; 5];
	for lot in (0..1_024u64).map(|lot| lot << 54) {
		taken[pick(lot, &weights).unwrap()] += 1;
	}
	let whole = 1_024f64 / 150.0;
	for (count, weight) in taken.iter().zip([50.0, 0.0, 50.0, 25.0, 25.0]) {
		assert!(
			(f64::from(*count) - whole * weight).abs() <= 1.0,
			"{taken:?}"
		);
	}
	assert_eq!((pick(0, &[]), pick(7, &[0, 0])), (None, None));
	assert_eq!(
		(pick(0, &[0, 1]), pick(u64::MAX, &[1, 0])),
		(Some(1), Some(0))
	);
	assert_eq!(pick(u64::MAX, &[1, u128::MAX - 1]), Some(1));
	assert_eq!(pick(0, &[1, u128::MAX]), None, "too heavy together");
}

proptest! {
	#[test]
	fn a_place_is_one_of_all(lot: u64, count in 0u32..) {
		match place(lot, count) {
			Some(place) => prop_assert!(place < count),
			None => prop_assert_eq!(count, 0),
		}
	}
}
