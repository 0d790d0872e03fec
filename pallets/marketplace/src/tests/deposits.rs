//! Credits bought with alpha and given back, and the price of alpha.

use crate::{mock::*, Error, NextBatch};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::money::{Source, Voucher};

#[test]
fn a_deposit_moves_the_alpha_that_backs_its_credits_in_the_same_call() {
	run(|| {
		let before = free(&account(1));
		assert_ok!(deposit(1, 3 * ALPHA));
		assert_eq!(credits(1), 30 * DOLLAR);
		assert_eq!(before - free(&account(1)), 3 * ALPHA);
		assert_eq!(held(), 3 * ALPHA);
	});
}

/// Upstream minted credits by an authority's word.
#[test]
fn no_credit_is_unbacked() {
	run(|| {
		assert!(deposit(20, ALPHA).is_err(), "an account without alpha");
		assert!(deposit(1, RICH + 1).is_err());
		assert_eq!((credits(20), credits(1), held()), (0, 0, 0));
		for rao in [100, 101, 199, 12_345, ALPHA + 1] {
			assert_ok!(deposit(1, rao));
		}
		let account = account_of(1);
		for batch in &account.batches {
			assert!(batch.credits * ALPHA <= batch.alpha * ALPHA_PRICE);
		}
		assert_eq!(
			held(),
			account.batches.iter().map(|b| b.alpha).sum::<u128>()
		);
	});
}

#[test]
fn amounts_that_are_nothing_or_too_much_are_refused() {
	run(|| {
		assert_noop!(deposit(1, 0), Error::<Test>::AmountTooSmall);
		assert_noop!(deposit(1, 99), Error::<Test>::AmountTooSmall);
		assert_ok!(deposit(1, 100));
		assert_eq!(credits(1), 1);
		assert_ok!(Market::force_alpha_price(RuntimeOrigin::root(), u128::MAX));
		assert_noop!(deposit(1, 2 * ALPHA), Error::<Test>::AmountTooLarge);
		// As many credits as can be counted, and one more.
		assert_noop!(deposit(1, ALPHA), Error::<Test>::AmountTooLarge);
	});
}

#[test]
fn a_price_that_fell_between_quote_and_deposit_costs_nothing() {
	run(|| {
		let quoted = Market::quote(ALPHA).unwrap();
		assert_eq!(quoted, 10 * DOLLAR);
		assert_ok!(Market::set_alpha_price(signed(80), ALPHA_PRICE * 96 / 100));
		assert_noop!(
			Market::deposit(signed(1), ALPHA, quoted),
			Error::<Test>::PriceMoved
		);
		assert_ok!(Market::deposit(signed(1), ALPHA, quoted * 95 / 100));
	});
}

#[test]
fn a_price_moves_slowly_and_goes_stale() {
	run(|| {
		assert_noop!(
			Market::set_alpha_price(signed(80), 0),
			Error::<Test>::PriceZero
		);
		let spike = ALPHA_PRICE * 2;
		assert_noop!(
			Market::set_alpha_price(signed(80), spike),
			Error::<Test>::PriceJump
		);
		assert!(Market::set_alpha_price(signed(1), ALPHA_PRICE).is_err());
		assert!(Market::force_alpha_price(signed(80), ALPHA_PRICE).is_err());
		assert_ok!(Market::set_alpha_price(signed(80), ALPHA_PRICE * 105 / 100));
		World::change(|facts| facts.now_ms += 3_600_001);
		assert_noop!(deposit(1, ALPHA), Error::<Test>::PriceStale);
		assert_eq!(Market::quote(ALPHA), None);
		assert_ok!(Market::set_alpha_price(signed(80), ALPHA_PRICE));
		assert_ok!(deposit(1, ALPHA));
		crate::AlphaPrice::<Test>::kill();
		assert_noop!(deposit(1, ALPHA), Error::<Test>::NoAlphaPrice);
		// The first price is not the oracle's to tell.
		assert_noop!(
			Market::set_alpha_price(signed(80), 1),
			Error::<Test>::NoAlphaPrice
		);
	});
}

#[test]
fn a_refund_gives_back_what_was_paid_to_the_last_rao() {
	run(|| {
		let before = free(&account(1));
		assert_ok!(deposit(1, 3 * ALPHA + 7));
		let id = account_of(1).batches[0].id;
		assert_noop!(Market::refund(signed(2), id), Error::<Test>::UnknownBatch);
		assert_ok!(Market::refund(signed(1), id));
		assert_eq!(free(&account(1)), before);
		assert!(crate::Accounts::<Test>::get(account(1)).is_none());
		assert_noop!(Market::refund(signed(1), id), Error::<Test>::UnknownBatch);
	});
}

#[test]
fn what_is_spent_is_not_refunded() {
	run(|| {
		let before = free(&account(1));
		assert_ok!(deposit(1, 10 * ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		pass(6_000);
		settle(1);
		let spent = 100 * DOLLAR - credits(1);
		assert_eq!(spent, 8 * 1_000 * 10);
		let id = account_of(1).batches[0].id;
		// A week of what it holds must stay.
		assert_noop!(Market::refund(signed(1), id), Error::<Test>::BelowFloor);
		hippius_remove(1, 1_000 * GB);
		assert_ok!(Market::refund(signed(1), id));
		assert_eq!(before - free(&account(1)), spent * 100);
		assert_eq!(free(&Rewards::account()) - LEAST, spent * 100);
	});
}

fn hippius_remove(user: u8, bytes: u64) {
	use hippius_primitives::{money::Service, traits::UsageMeter};
	<Market as UsageMeter>::remove(Service::Arion, &[user; 32], bytes);
}

#[test]
fn batches_of_one_price_are_one_and_of_others_at_most_32() {
	run(|| {
		for _ in 0..100 {
			assert_ok!(deposit(1, ALPHA));
		}
		assert_eq!(account_of(1).batches.len(), 1);
		for step in 0..31u128 {
			let price = ALPHA_PRICE + 1 + step;
			assert_ok!(Market::set_alpha_price(signed(80), price));
			assert_ok!(deposit(1, ALPHA));
		}
		assert_eq!(account_of(1).batches.len(), 32);
		let tao = Voucher {
			source: Source::Tao,
			..voucher(1, 1, DOLLAR)
		};
		assert_noop!(redeem(tao), Error::<Test>::TooManyBatches);
		let id = account_of(1).batches[3].id;
		assert_ok!(Market::refund(signed(1), id));
		assert_ok!(redeem(tao));
	});
}

/// In grace nothing can be taken back, so who has 32 batches must be able to pay in more all the same.
#[test]
fn a_top_up_is_never_refused_for_the_number_of_batches() {
	run(|| {
		for step in 0..32u128 {
			assert_ok!(Market::set_alpha_price(signed(80), ALPHA_PRICE + step));
			assert_ok!(deposit(1, ALPHA));
		}
		// A week of it costs nearly all there is, an hour two.
		assert_ok!(store(1, 238_000 * GB));
		pass(600);
		settle(1);
		assert!(matches!(status(1), crate::Status::Grace { .. }));
		assert_eq!(account_of(1).batches.len(), 32);
		let before = credits(1);
		let id = account_of(1).batches[3].id;
		assert_noop!(Market::refund(signed(1), id), Error::<Test>::BelowFloor);
		for step in 40..80u128 {
			assert_ok!(Market::set_alpha_price(signed(80), ALPHA_PRICE + step));
			assert_ok!(deposit(1, ALPHA));
		}
		assert_eq!(account_of(1).batches.len(), 32);
		assert!(credits(1) >= before + 40 * 10 * DOLLAR);
		assert_eq!(status(1), crate::Status::Active);
		let behind: u128 = account_of(1).batches.iter().map(|b| b.alpha).sum();
		assert_eq!(free(&Market::escrow()), behind + LEAST);
	});
}

#[test]
fn batch_numbers_end_in_an_error() {
	run(|| {
		NextBatch::<Test>::put(u64::MAX);
		assert_noop!(deposit(1, ALPHA), Error::<Test>::TooManyBatches);
	});
}

#[test]
fn who_has_nothing_cannot_be_settled() {
	run(|| {
		assert_noop!(
			Market::settle(signed(1), account(33)),
			Error::<Test>::NoAccount
		);
		assert_eq!(Market::standing(account(33)), None);
	});
}
