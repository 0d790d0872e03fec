//! Payments by card and TAO through whole blocks: a voucher counts once, on this chain, in time, up to the
//! caps, by keys that are in force; and what is refused mints nothing.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
	account, externalities,
	money::{credits, fails, seen, send, set_price, sudo, tell_price, watch, PRICE},
	pair, payment_key, signed,
	stored::Stored,
	Chain,
};
use hippius_primitives::money::{chargeback_payload, Service, Source, Voucher};
use hippius_runtime::*;
use pallet_marketplace::{Call as Market, Error, KeySignatures, PaymentState};
use sp_core::Pair as _;

const CREDITS: u128 = 100_000_000;

fn voucher(payment: u8) -> Voucher {
	Voucher {
		genesis: System::block_hash(0).0,
		source: Source::Fiat,
		payment: [payment; 32],
		user: account("Dave").into(),
		credits: CREDITS,
		expires: pallet_timestamp::Now::<Runtime>::get() + 600_000,
	}
}

fn sign(payload: &[u8], names: &[&str]) -> KeySignatures {
	let signed = names.iter().map(|name| {
		let key = payment_key(name);
		(key.public().0, key.sign(payload).0)
	});
	signed.collect::<Vec<_>>().try_into().unwrap()
}

/// Brought by Charlie, who has nothing to do with it.
fn redeem(voucher: Voucher, names: &[&str]) -> UncheckedExtrinsic {
	let signatures = sign(&voucher.payload(), names);
	signed(
		&pair("Charlie"),
		Market::redeem {
			voucher,
			signatures,
		},
	)
}

fn market() -> Chain {
	let mut chain = Chain::new();
	chain.blocks(1);
	watch(&mut chain);
	tell_price(&mut chain);
	chain
}

#[test]
fn a_voucher_that_does_not_count_mints_nothing() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = market();
		let both = ["Alice", "Charlie"];
		let (escrow, float, _) = Marketplace::pallet_accounts();
		let first = voucher(1);
		send(&mut chain, || vec![redeem(first, &both)]);
		assert_eq!(credits(&account("Dave")), CREDITS);
		let backed = Balances::free_balance(&escrow);
		assert_eq!(backed, 10 * units::ALPHA + units::EXISTENTIAL_DEPOSIT);
		let funds = Balances::free_balance(&float);

		// The same webhook twice, and the payment once more in another voucher.
		let other = Voucher {
			credits: CREDITS + 1,
			..first
		};
		let refused: [(Error<Runtime>, Voucher, &[&str]); 10] = [
			(Error::VoucherReplayed, first, &both),
			(Error::PaymentUsed, other, &both),
			(
				Error::WrongGenesis,
				Voucher {
					genesis: [9; 32],
					..voucher(2)
				},
				&both,
			),
			(
				Error::VoucherExpired,
				Voucher {
					expires: 1,
					..voucher(2)
				},
				&both,
			),
			(
				Error::UserCap,
				Voucher {
					credits: 5_000_000_001 - CREDITS,
					..voucher(2)
				},
				&both,
			),
			(
				Error::SourceCap,
				Voucher {
					credits: 100_000_000_001,
					..voucher(2)
				},
				&both,
			),
			(Error::TooFewSignatures, voucher(2), &["Bob"]),
			(Error::DuplicateKey, voucher(2), &["Bob", "Bob"]),
			(Error::UnknownKey, voucher(2), &["Bob", "Eve"]),
			(
				Error::AmountTooSmall,
				Voucher {
					credits: 0,
					..voucher(2)
				},
				&both,
			),
		];
		for (error, voucher, names) in refused {
			let why = fails(&mut chain, || redeem(voucher, names));
			assert_eq!(why, error.into());
		}
		let stolen = fails(&mut chain, || {
			let mut signatures = sign(&voucher(3).payload(), &both);
			signatures[0].1[0] ^= 1;
			let voucher = voucher(3);
			signed(
				&pair("Charlie"),
				Market::redeem {
					voucher,
					signatures,
				},
			)
		});
		assert_eq!(stolen, Error::<Runtime>::BadSignature.into());

		// A key that is replaced never counts again.
		send(&mut chain, || {
			let keys = ["Bob", "Charlie", "Dave"].map(|name| payment_key(name).public().0);
			let keys = keys.to_vec().try_into().unwrap();
			vec![sudo(Market::set_payment_keys { keys })]
		});
		let revoked = fails(&mut chain, || redeem(voucher(4), &["Alice", "Bob"]));
		assert_eq!(revoked, Error::<Runtime>::KeyRevoked.into());

		assert_eq!(credits(&account("Dave")), CREDITS);
		assert_eq!(Balances::free_balance(&escrow), backed);
		assert_eq!(Balances::free_balance(&float), funds);
		send(&mut chain, || vec![redeem(voucher(5), &["Dave", "Bob"])]);
		assert_eq!(credits(&account("Dave")), 2 * CREDITS);
	});
}

#[test]
fn what_a_card_paid_for_is_paid_out_late_or_never() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		common::nodes::thirty_nodes(&mut chain);
		chain.until(20, || ClusterMap::epoch() > 0);
		watch(&mut chain);
		tell_price(&mut chain);
		set_price(&mut chain, Service::Arion.held(), PRICE);
		let both = ["Bob", "Charlie"];
		let (escrow, float, _) = Marketplace::pallet_accounts();
		let before = Balances::free_balance(&float);
		// Dave stores for himself, by Bob's hands.
		send(&mut chain, || vec![redeem(voucher(1), &both)]);
		send(&mut chain, || {
			let grant = pallet_marketplace::Grant {
				units: 1 << 30,
				credits: 0,
				until: 10_000,
			};
			let gateway = account("Bob");
			vec![signed(
				&pair("Dave"),
				Market::authorize_gateway { gateway, grant },
			)]
		});
		let stored = Stored::of(account("Dave"), 0);
		send(&mut chain, || vec![stored.appended_by(30, |_| ())]);
		chain.blocks(20);
		assert!(seen().credits > 0, "charged");
		assert_eq!(seen().charged, 0, "and not paid out");
		let early = fails(&mut chain, || {
			let payment = [1; 32];
			signed(&pair("Eve"), Market::mature { payment })
		});
		assert_eq!(early, Error::<Runtime>::StillFrozen.into());

		// Charged back: all of it returns, and the account is locked.
		send(&mut chain, || {
			let payment = [1; 32];
			let payload = chargeback_payload(&System::block_hash(0).0, &payment);
			let signatures = sign(&payload, &both);
			vec![signed(
				&pair("Eve"),
				Market::chargeback {
					payment,
					signatures,
				},
			)]
		});
		assert_eq!(Balances::free_balance(&float), before);
		assert_eq!(Balances::free_balance(&escrow), units::EXISTENTIAL_DEPOSIT);
		assert_eq!(Rewards::totals().revenue, 0);
		let state = Marketplace::payment([1; 32]).unwrap().state;
		assert_eq!(state, PaymentState::Reversed);
		let again = Stored::of(account("Dave"), 1);
		let refused = fails(&mut chain, || again.appended_by(30, |_| ()));
		let allowed: [sp_runtime::DispatchError; 2] = [
			pallet_placement_groups::Error::<Runtime>::OwnerWithoutFunds.into(),
			pallet_placement_groups::Error::<Runtime>::OwnerLocked.into(),
		];
		assert!(allowed.contains(&refused), "{refused:?}");
	});
}
