//! Payments by card and by TAO.

use crate::{mock::*, Error, PaymentKeys, PaymentState, Payments};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::money::{Source, Voucher};

fn redeem_by(voucher: Voucher, keys: &[u8]) -> sp_runtime::DispatchResult {
	Market::redeem(signed(70), voucher, sign(&voucher.payload(), keys))
}

#[test]
fn a_voucher_gives_credits_backed_by_the_float() {
	run(|| {
		let float = free(&Market::float());
		assert_ok!(redeem(voucher(1, 1, 30 * DOLLAR)));
		assert_eq!(credits(1), 30 * DOLLAR);
		assert_eq!(float - free(&Market::float()), 3 * ALPHA);
		assert_eq!(held(), 3 * ALPHA);
		let payment = Payments::<Test>::get([1; 32]).unwrap();
		assert_eq!(payment.state, PaymentState::Frozen);
		assert_eq!(payment.frozen_until, START_MS + 30 * DAY_MS);
	});
}

/// Nothing may have been minted or noted by what is refused.
fn refused(voucher: Voucher, keys: &[u8], error: Error<Test>) {
	assert_noop!(redeem_by(voucher, keys), error);
}

#[test]
fn a_double_webhook_counts_once() {
	run(|| {
		let first = voucher(1, 1, DOLLAR);
		assert_ok!(redeem(first));
		// The service signed again, later: another voucher, the same payment.
		let again = Voucher {
			expires: first.expires + 1,
			..first
		};
		refused(again, &[1, 2], Error::<Test>::PaymentUsed);
		let for_another = Voucher {
			user: [2; 32],
			..first
		};
		refused(for_another, &[1, 2], Error::<Test>::PaymentUsed);
		assert_eq!(credits(1), DOLLAR);
	});
}

#[test]
fn a_voucher_is_not_replayed_not_even_when_all_is_spent() {
	run(|| {
		let first = voucher(1, 1, DOLLAR);
		assert_ok!(redeem(first));
		refused(first, &[1, 2], Error::<Test>::VoucherReplayed);
		assert_ok!(chargeback(1));
		refused(first, &[1, 2], Error::<Test>::VoucherReplayed);
	});
}

#[test]
fn a_voucher_of_another_chain_is_refused() {
	run(|| {
		let other = Voucher {
			genesis: [8; 32],
			..voucher(1, 1, DOLLAR)
		};
		refused(other, &[1, 2], Error::<Test>::WrongGenesis);
		frame_system::BlockHash::<Test>::remove(0);
		refused(voucher(1, 1, DOLLAR), &[1, 2], Error::<Test>::NoGenesis);
	});
}

#[test]
fn a_voucher_expires() {
	run(|| {
		let late = voucher(1, 1, DOLLAR);
		World::change(|facts| facts.now_ms = late.expires + 1);
		refused(late, &[1, 2], Error::<Test>::VoucherExpired);
		let price = crate::AlphaPrice::<Test>::get().unwrap().price;
		World::change(|facts| facts.now_ms = late.expires);
		assert_ok!(Market::set_alpha_price(signed(80), price));
		assert_ok!(redeem(late));
	});
}

#[test]
fn a_user_has_a_cap_a_day() {
	run(|| {
		assert_ok!(redeem(voucher(1, 1, 4_000 * DOLLAR)));
		refused(
			voucher(2, 1, 1_000 * DOLLAR + 1),
			&[1, 2],
			Error::<Test>::UserCap,
		);
		assert_ok!(redeem(voucher(2, 1, 1_000 * DOLLAR)));
		refused(voucher(3, 1, 1), &[1, 2], Error::<Test>::UserCap);
		assert_ok!(redeem(voucher(4, 2, DOLLAR)));
		pass(DAY);
		assert_ok!(redeem(voucher(3, 1, DOLLAR)));
	});
}

/// TAO that is refunded leaves nothing behind but what the cap is counted by.
#[test]
fn a_cap_is_not_met_twice_by_taking_back_what_was_brought() {
	run(|| {
		let tao = |payment| Voucher {
			source: Source::Tao,
			..voucher(payment, 1, 5_000 * DOLLAR)
		};
		assert_ok!(redeem(tao(1)));
		let id = account_of(1).batches[0].id;
		assert_ok!(Market::refund(signed(1), id));
		refused(tao(2), &[1, 2], Error::<Test>::UserCap);
		pass(DAY);
		settle(1);
		assert!(crate::Accounts::<Test>::get(account(1)).is_none());
		assert_ok!(redeem(tao(2)));
	});
}

#[test]
fn a_source_has_a_cap_a_day() {
	run(|| {
		for user in 1..=20 {
			assert_ok!(redeem(voucher(user, user, 5_000 * DOLLAR)));
		}
		refused(voucher(30, 30, 1), &[1, 2], Error::<Test>::SourceCap);
		let tao = Voucher {
			source: Source::Tao,
			..voucher(30, 30, DOLLAR)
		};
		assert_ok!(redeem(tao));
		pass(DAY);
		assert_ok!(redeem(voucher(31, 30, 1)));
	});
}

#[test]
fn two_of_three_keys_must_sign() {
	run(|| {
		let good = voucher(1, 1, DOLLAR);
		refused(good, &[], Error::<Test>::TooFewSignatures);
		refused(good, &[3], Error::<Test>::TooFewSignatures);
		refused(good, &[3, 3], Error::<Test>::DuplicateKey);
		refused(good, &[3, 4], Error::<Test>::UnknownKey);
		let mut forged = sign(&good.payload(), &[1, 2]);
		forged[1].1 = sign(&voucher(2, 1, DOLLAR).payload(), &[2])[0].1;
		assert_noop!(
			Market::redeem(signed(70), good, forged),
			Error::<Test>::BadSignature
		);
		assert_ok!(redeem_by(good, &[3, 1]));
		assert_ok!(redeem_by(voucher(2, 1, DOLLAR), &[3, 1, 2]));
	});
}

#[test]
fn a_revoked_key_never_signs_again() {
	run(|| {
		let keys = |seeds: &[u8]| {
			PaymentKeys::truncate_from(seeds.iter().map(|seed| public(*seed)).collect())
		};
		let root = RuntimeOrigin::root;
		assert!(Market::set_payment_keys(signed(1), keys(&[1])).is_err());
		assert_noop!(
			Market::set_payment_keys(root(), keys(&[1, 1])),
			Error::<Test>::DuplicateKey
		);
		assert_ok!(Market::set_payment_keys(root(), keys(&[1, 2, 4])));
		let good = voucher(1, 1, DOLLAR);
		refused(good, &[1, 3], Error::<Test>::KeyRevoked);
		assert_noop!(
			Market::set_payment_keys(root(), keys(&[1, 2, 3])),
			Error::<Test>::KeyRevoked
		);
		assert_ok!(redeem_by(good, &[1, 4]));
	});
}

#[test]
fn a_voucher_that_the_float_cannot_back_is_refused() {
	run(|| {
		assert_ok!(Market::force_alpha_price(RuntimeOrigin::root(), 1_000));
		// 5 million alpha; the float has one.
		let dear = voucher(1, 1, 5_000 * DOLLAR);
		refused(dear, &[1, 2], Error::<Test>::FloatTooLow);
		assert_ok!(Market::force_alpha_price(RuntimeOrigin::root(), u128::MAX));
		assert_ok!(redeem(dear));
		assert_eq!(account_of(1).batches[0].alpha, 1, "rounded up");
		World::change(|facts| facts.now_ms += 3_600_001);
		refused(voucher(2, 1, DOLLAR), &[1, 2], Error::<Test>::UserCap);
		refused(voucher(2, 2, DOLLAR), &[1, 2], Error::<Test>::PriceStale);
		refused(voucher(2, 2, 0), &[1, 2], Error::<Test>::AmountTooSmall);
	});
}

#[test]
fn what_a_card_paid_is_not_refunded_in_alpha_but_tao_is() {
	run(|| {
		assert_ok!(redeem(voucher(1, 1, DOLLAR)));
		let tao = Voucher {
			source: Source::Tao,
			..voucher(2, 1, 7 * DOLLAR)
		};
		assert_ok!(redeem(tao));
		let ids: Vec<u64> = account_of(1).batches.iter().map(|batch| batch.id).collect();
		assert_noop!(
			Market::refund(signed(1), ids[0]),
			Error::<Test>::NotRefundable
		);
		let before = free(&account(1));
		assert_ok!(Market::refund(signed(1), ids[1]));
		assert_eq!(free(&account(1)) - before, 7 * ALPHA / 10);
	});
}

#[test]
fn an_account_waits_for_at_most_32_payments() {
	run(|| {
		for payment in 0..32 {
			assert_ok!(redeem(voucher(payment, 1, DOLLAR)));
		}
		refused(
			voucher(40, 1, DOLLAR),
			&[1, 2],
			Error::<Test>::TooManyPayments,
		);
	});
}
