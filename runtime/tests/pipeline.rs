//! Transactions through the whole pipeline.
#![allow(clippy::unwrap_used)]

mod common;

use codec::{Decode, DecodeAll, Encode};
use common::{account, externalities, pair, signed, signed_with, transfer, Chain};
use frame_support::{
	dispatch::GetDispatchInfo, storage::transactional::with_transaction_unchecked, weights::Weight,
};
use hippius_runtime::*;
use sp_core::Pair as _;
use sp_runtime::{
	traits::Hash as _,
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
	DispatchError, TransactionOutcome,
};

#[test]
fn a_signed_transfer_moves_money_and_pays_a_fee() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let (alice, eve) = (account("Alice"), account("Eve"));
		let before = (Balances::free_balance(&alice), Balances::free_balance(&eve));
		let treasury = configs::money::TreasuryAccount::get();
		let xt = signed(&pair("Dave"), transfer(&eve, 5 * units::ALPHA));
		let dave = Balances::free_balance(account("Dave"));
		let xt = UncheckedExtrinsic::decode_all(&mut &xt.encode()[..]).unwrap();
		chain.block_of(vec![xt]);
		assert_eq!(Balances::free_balance(&eve), before.1 + 5 * units::ALPHA);
		let fee = dave - 5 * units::ALPHA - Balances::free_balance(account("Dave"));
		assert!(fee > 0 && fee < units::ALPHA / 100, "{fee}");
		let to_treasury = Balances::free_balance(&treasury);
		assert!(
			to_treasury > 0 && to_treasury < fee,
			"{to_treasury} of {fee}"
		);
		assert_eq!(System::account_nonce(account("Dave")), 1);
	});
}

fn refusal(xt: UncheckedExtrinsic) -> TransactionValidityError {
	let mut chain = Chain::new();
	chain.block(vec![xt]).remove(0).unwrap_err()
}

#[test]
fn another_chains_transaction_is_refused() {
	externalities(genesis::LOCAL).execute_with(|| {
		let call = transfer(&account("Bob"), units::ALPHA);
		let xt = signed_with(&pair("Alice"), call, 0, |implicit| {
			implicit.4 = Hash::repeat_byte(1);
		});
		assert_eq!(refusal(xt), InvalidTransaction::BadProof.into());
	});
}

#[test]
fn a_wrong_nonce_is_refused() {
	externalities(genesis::LOCAL).execute_with(|| {
		let call = transfer(&account("Bob"), units::ALPHA);
		let xt = signed_with(&pair("Alice"), call, 1, |_| ());
		assert_eq!(refusal(xt), InvalidTransaction::Future.into());
	});
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let call = || transfer(&account("Bob"), units::ALPHA);
		chain.block_of(vec![signed(&pair("Alice"), call())]);
		let again = signed_with(&pair("Alice"), call(), 0, |_| ());
		let result = chain.block(vec![again]).remove(0);
		assert_eq!(result.unwrap_err(), InvalidTransaction::Stale.into());
	});
}

#[test]
fn a_forged_signature_is_refused() {
	externalities(genesis::LOCAL).execute_with(|| {
		let honest = signed(&pair("Bob"), transfer(&account("Eve"), units::ALPHA));
		let mut bytes = honest.encode();
		let last = bytes.len() - 1;
		bytes[last] ^= 1;
		if let Ok(forged) = UncheckedExtrinsic::decode(&mut &bytes[..]) {
			assert_eq!(refusal(forged), InvalidTransaction::BadProof.into());
		}
	});
}

#[test]
fn an_empty_account_cannot_pay() {
	externalities(genesis::LOCAL).execute_with(|| {
		let nobody = sp_core::sr25519::Pair::from_string("//Nobody", None).unwrap();
		let xt = signed(&nobody, transfer(&account("Bob"), 1));
		assert_eq!(refusal(xt), InvalidTransaction::Payment.into());
	});
}

#[test]
fn unsigned_transfers_are_refused() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		chain.blocks(1);
		let xt = UncheckedExtrinsic::new_bare(transfer(&account("Bob"), 1));
		// No pool takes it, and if an author puts it into a block nobody is its sender.
		let parent = System::parent_hash();
		let validity = with_transaction_unchecked(|| {
			let source = TransactionSource::External;
			let validity = Executive::validate_transaction(source, xt.clone(), parent);
			TransactionOutcome::Rollback(validity)
		});
		assert!(validity.is_err());
		let result = chain.block(vec![xt]).remove(0);
		assert_eq!(result.unwrap().unwrap_err(), DispatchError::BadOrigin);
	});
}

#[test]
fn nobody_fills_a_block_by_declaring_a_huge_proof() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let greedy = pallet_multisig::Call::as_multi {
			threshold: 2,
			other_signatories: vec![account("Bob")],
			maybe_timepoint: None,
			call: Box::new(transfer(&account("Eve"), 1)),
			max_weight: Weight::from_parts(0, u64::MAX / 2),
		};
		let modest = signed(&pair("Dave"), transfer(&account("Eve"), units::ALPHA));
		let results = chain.block(vec![signed(&pair("Alice"), greedy), modest]);
		assert_eq!(
			results[0],
			Err(InvalidTransaction::ExhaustsResources.into())
		);
		assert_eq!(results[1], Ok(Ok(())));
	});
}

#[test]
fn bytes_that_are_no_transaction_do_not_decode() {
	for bytes in [&[][..], &[0], &[0xff; 64], &[4, 0x84]] {
		assert!(UncheckedExtrinsic::decode_all(&mut &bytes[..]).is_err());
	}
}

#[test]
fn a_paused_call_is_refused_until_unpaused() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let name = |text: &str| text.as_bytes().to_vec().try_into().unwrap();
		let full_name = || (name("Balances"), name("transfer_keep_alive"));
		let sudo = |call: pallet_tx_pause::Call<Runtime>| {
			RuntimeCall::Sudo(pallet_sudo::Call::sudo {
				call: Box::new(call.into()),
			})
		};
		let pause = sudo(pallet_tx_pause::Call::pause {
			full_name: full_name(),
		});
		chain.block_of(vec![signed(&pair("Alice"), pause)]);
		let xt = signed(&pair("Bob"), transfer(&account("Eve"), units::ALPHA));
		assert!(chain.block(vec![xt]).remove(0).unwrap().is_err());
		let unpause = sudo(pallet_tx_pause::Call::unpause { ident: full_name() });
		chain.block_of(vec![signed(&pair("Alice"), unpause)]);
		chain.block_of(vec![signed(
			&pair("Bob"),
			transfer(&account("Eve"), units::ALPHA),
		)]);
	});
}

#[test]
fn what_keeps_the_chain_alive_cannot_be_paused() {
	externalities(genesis::LOCAL).execute_with(|| {
		let name = |text: &str| text.as_bytes().to_vec().try_into().unwrap();
		for (pallet, call) in [
			("Timestamp", "set"),
			("Babe", "report_equivocation_unsigned"),
		] {
			let full_name = (name(pallet), name(call));
			assert!(
				TxPause::pause(RuntimeOrigin::root(), full_name).is_err(),
				"{pallet}"
			);
		}
	});
}

#[test]
fn three_quarters_of_the_council_act_as_root() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let issuance = Balances::total_issuance();
		let as_root = RuntimeCall::RootMotion(root_motion::Call::dispatch_as_root {
			call: Box::new(RuntimeCall::Balances(
				pallet_balances::Call::force_set_balance {
					who: Address::Id(account("Grace")),
					new_free: units::ALPHA,
				},
			)),
		});
		let proposal_hash = <Runtime as frame_system::Config>::Hashing::hash_of(&as_root);
		let length_bound = as_root.encoded_size() as u32;
		// Nobody does it alone.
		let alone = signed(&pair("Alice"), as_root.clone());
		assert!(chain.block(vec![alone]).remove(0).unwrap().is_err());
		let propose = RuntimeCall::Council(pallet_collective::Call::propose {
			threshold: 3,
			proposal: Box::new(as_root),
			length_bound,
		});
		chain.block_of(vec![signed(&pair("Alice"), propose)]);
		let vote = || {
			RuntimeCall::Council(pallet_collective::Call::vote {
				proposal: proposal_hash,
				index: 0,
				approve: true,
			})
		};
		let votes = ["Alice", "Bob", "Charlie"].map(|name| signed(&pair(name), vote()));
		chain.block_of(votes.into());
		let close = RuntimeCall::Council(pallet_collective::Call::close {
			proposal_hash,
			index: 0,
			proposal_weight_bound: Weight::from_parts(1_000_000_000_000, 1_000_000),
			length_bound,
		});
		chain.block_of(vec![signed(&pair("Dave"), close)]);
		assert_eq!(Balances::free_balance(account("Grace")), units::ALPHA);
		assert!(Balances::total_issuance() > issuance);
	});
}

#[test]
fn every_block_has_room_for_the_heaviest_ordinary_calls() {
	externalities(genesis::LOCAL).execute_with(|| {
		let limits = <Runtime as frame_system::Config>::BlockWeights::get();
		let normal = limits
			.get(frame_support::dispatch::DispatchClass::Normal)
			.max_total
			.unwrap();
		let weight = transfer(&account("Bob"), 1).get_dispatch_info().call_weight;
		// At least a thousand transfers fit.
		assert!(weight.ref_time() * 1_000 < normal.ref_time());
	});
}
