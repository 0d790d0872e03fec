//! What gateways may do, and what they sent.

use crate::{mock::*, EgressSeen, Error, Grant, Receipts, SignedReceipt};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use hippius_primitives::{
	money::{EgressReceipt, Service},
	traits::{UsageMeter, UsageRefused},
};
use sp_core::{sr25519, Pair};
use sp_runtime::MultiSignature;

pub(super) const GATEWAY: u8 = 60;

pub(super) fn pair() -> sr25519::Pair {
	sr25519::Pair::from_seed(&[9; 32])
}

pub(super) fn client() -> AccountId {
	AccountId::new(pair().public().0)
}

/// A client with so much alpha paid in, which authorised the gateway.
pub(super) fn funded(alpha: u128, credits: u128) {
	assert_ok!(Balances::transfer_allow_death(
		signed(1),
		client(),
		alpha + LEAST
	));
	assert_ok!(Market::deposit(RuntimeOrigin::signed(client()), alpha, 0));
	authorise(1_000 * GB, credits);
}

pub(super) fn authorise(units: u64, credits: u128) {
	let grant = Grant {
		units,
		credits,
		until: now() + DAY,
	};
	assert_ok!(Market::authorize_gateway(
		RuntimeOrigin::signed(client()),
		account(GATEWAY),
		grant
	));
}

pub(super) fn receipt(bytes: u64) -> EgressReceipt {
	EgressReceipt {
		genesis: GENESIS,
		client: client().into(),
		gateway: [GATEWAY; 32],
		service: Service::Arion,
		node: 1,
		epoch: 5,
		bytes,
	}
}

fn signed_receipt(receipt: EgressReceipt) -> SignedReceipt {
	SignedReceipt {
		receipt,
		signature: MultiSignature::Sr25519(pair().sign(&receipt.payload())),
	}
}

pub(super) fn post(receipts: &[EgressReceipt]) -> sp_runtime::DispatchResult {
	let signed_ones = receipts.iter().copied().map(signed_receipt).collect();
	Market::post_egress(signed(GATEWAY), Receipts::truncate_from(signed_ones))
}

pub(super) fn left() -> u128 {
	// An account of nothing is forgotten.
	Market::standing(client()).map_or(0, |standing| standing.credits)
}

/// Upstream never billed bandwidth.
#[test]
fn bytes_sent_are_billed_and_paid_to_the_nodes_that_sent_them() {
	run(|| {
		funded(ALPHA, DOLLAR);
		assert_ok!(post(&[receipt(10 * GB)]));
		assert_eq!(10 * DOLLAR - left(), 20_000);
		assert_eq!(
			pallet_rewards::Pots::<Test>::get(EGRESS),
			2_000_000 * 60 / 100
		);
		assert_eq!(
			pallet_rewards::EgressTotal::<Test>::get(Service::Arion),
			2_000_000,
			"by what was paid, not by bytes"
		);
	});
}

#[test]
fn a_later_receipt_contains_the_earlier_ones() {
	run(|| {
		funded(ALPHA, DOLLAR);
		assert_ok!(post(&[receipt(GB / 4)]));
		assert_noop!(post(&[receipt(GB / 4)]), Error::<Test>::ReceiptNotHigher);
		assert_noop!(post(&[receipt(7)]), Error::<Test>::ReceiptNotHigher);
		assert_ok!(post(&[receipt(GB / 2), receipt(GB)]));
		assert_eq!(10 * DOLLAR - left(), 2_000);
		// Of another node they count apart.
		let other = EgressReceipt {
			node: 2,
			..receipt(GB)
		};
		assert_ok!(post(&[other]));
		assert_eq!(10 * DOLLAR - left(), 4_000);
	});
}

/// Upstream took the gateway's word for most of the score.
#[test]
fn a_gateway_cannot_claim_what_the_client_did_not_sign() {
	run(|| {
		funded(ALPHA, DOLLAR);
		let mut inflated = signed_receipt(receipt(GB));
		inflated.receipt.bytes += 1;
		let by = |who: u8, receipt: SignedReceipt| {
			Market::post_egress(signed(who), Receipts::truncate_from(vec![receipt]))
		};
		assert_noop!(by(GATEWAY, inflated), Error::<Test>::BadSignature);
		assert_noop!(
			by(61, signed_receipt(receipt(GB))),
			Error::<Test>::OtherGateway
		);
		let other_chain = EgressReceipt {
			genesis: [8; 32],
			..receipt(GB)
		};
		assert_noop!(post(&[other_chain]), Error::<Test>::WrongGenesis);
		for epoch in [3, 6] {
			let other = EgressReceipt {
				epoch,
				..receipt(GB)
			};
			assert_noop!(post(&[other]), Error::<Test>::EpochNotOpen);
		}
		// One that is refused takes the others with it.
		assert_noop!(
			post(&[receipt(GB), receipt(GB)]),
			Error::<Test>::ReceiptNotHigher
		);
		assert_eq!(left(), 10 * DOLLAR);
	});
}

#[test]
fn a_gateway_charges_no_more_than_it_may() {
	run(|| {
		funded(ALPHA, 2_000);
		assert_noop!(post(&[receipt(GB * 2)]), Error::<Test>::NotAuthorised);
		assert_ok!(post(&[receipt(GB)]));
		assert_noop!(post(&[receipt(GB * 2)]), Error::<Test>::NotAuthorised);
		authorise(0, DOLLAR);
		assert_ok!(post(&[receipt(GB * 2)]));
		pass(DAY + 1);
		assert_noop!(post(&[receipt(GB * 3)]), Error::<Test>::NotAuthorised);
		authorise(0, DOLLAR);
		assert_ok!(Market::revoke_gateway(
			RuntimeOrigin::signed(client()),
			account(GATEWAY)
		));
		assert_noop!(post(&[receipt(GB * 3)]), Error::<Test>::NotAuthorised);
		assert_noop!(
			Market::revoke_gateway(RuntimeOrigin::signed(client()), account(GATEWAY)),
			Error::<Test>::NotAuthorised
		);
	});
}

#[test]
fn a_client_without_credits_is_not_charged() {
	run(|| {
		funded(ALPHA, 1_000 * DOLLAR);
		let dear = receipt(6_000 * GB);
		assert_noop!(post(&[dear]), Error::<Test>::NotEnoughCredits);
		assert_ok!(deposit_of_client(ALPHA));
		// The receipt is as good as before.
		assert_ok!(post(&[dear]));
	});
}

fn deposit_of_client(alpha: u128) -> sp_runtime::DispatchResult {
	assert_ok!(Balances::transfer_allow_death(signed(1), client(), alpha));
	Market::deposit(RuntimeOrigin::signed(client()), alpha, 0)
}

#[test]
fn a_gateway_stores_for_others_only_as_far_as_they_said() {
	run(|| {
		funded(ALPHA, 0);
		let owner: [u8; 32] = client().into();
		let add = |by: u8, bytes: u64| {
			<Market as UsageMeter>::add(Service::Arion, &owner, &[by; 32], bytes)
		};
		assert_eq!(add(61, 1), Err(UsageRefused::NotAuthorised));
		assert_ok!(add(GATEWAY, 600 * GB));
		assert_eq!(add(GATEWAY, 401 * GB), Err(UsageRefused::NotAuthorised));
		assert_ok!(add(GATEWAY, 400 * GB));
		assert_eq!(add(GATEWAY, 1), Err(UsageRefused::NotAuthorised));
	});
}

#[test]
fn authorisations_are_few_and_end() {
	run(|| {
		let grant = |until| Grant {
			units: 1,
			credits: 1,
			until,
		};
		assert_noop!(
			Market::authorize_gateway(signed(1), account(2), grant(9)),
			Error::<Test>::NoAccount
		);
		assert_ok!(deposit(1, ALPHA));
		System::set_block_number(10);
		assert_noop!(
			Market::authorize_gateway(signed(1), account(2), grant(9)),
			Error::<Test>::GrantExpired
		);
		for gateway in 0..8 {
			assert_ok!(Market::authorize_gateway(
				signed(1),
				account(100 + gateway),
				grant(10)
			));
		}
		assert_ok!(Market::authorize_gateway(
			signed(1),
			account(100),
			grant(11)
		));
		assert_noop!(
			Market::authorize_gateway(signed(1), account(120), grant(10)),
			Error::<Test>::TooManyGateways
		);
	});
}

/// An account of nothing goes, whatever it authorised; and what is over goes from those that stay.
#[test]
fn grants_keep_no_account_of_nothing() {
	run(|| {
		let grant = |until| Grant {
			units: 1,
			credits: 1,
			until,
		};
		for (user, until) in [(1, now() + 10), (2, u32::MAX)] {
			assert_ok!(deposit(user, ALPHA));
			assert_ok!(Market::authorize_gateway(
				signed(user),
				account(99),
				grant(until)
			));
			let batch = account_of(user).batches[0].id;
			assert_ok!(Market::refund(signed(user), batch));
			assert!(crate::Accounts::<Test>::get(account(user)).is_none());
		}
		assert_ok!(deposit(3, ALPHA));
		for (gateway, until) in [(1, now() + 10), (2, now() + 11)] {
			assert_ok!(Market::authorize_gateway(
				signed(3),
				account(gateway),
				grant(until)
			));
		}
		pass(10);
		settle(3);
		assert_eq!(account_of(3).gateways.len(), 2, "the last block counts");
		pass(1);
		settle(3);
		let left: Vec<_> = account_of(3)
			.gateways
			.iter()
			.map(|(who, _)| who.clone())
			.collect();
		assert_eq!(left, [account(2)]);
	});
}

#[test]
fn receipts_of_old_epochs_are_forgotten_a_few_at_a_time() {
	run(|| {
		funded(ALPHA, DOLLAR);
		assert_ok!(post(&[receipt(GB)]));
		for _ in 0..10 {
			Market::on_idle(1, Weight::MAX);
		}
		assert_eq!(EgressSeen::<Test>::iter().count(), 1);
		World::change(|facts| facts.epoch = 7);
		for _ in 0..10 {
			Market::on_idle(1, Weight::MAX);
		}
		assert_eq!(EgressSeen::<Test>::iter().count(), 0);
		// Nor do they count again.
		assert_noop!(post(&[receipt(GB)]), Error::<Test>::EpochNotOpen);
	});
}
