//! Sessions change with real keys; who signs two different things for one slot or round is slashed.
#![allow(clippy::unwrap_used)]

mod common;

use codec::Encode;
use common::{account, externalities, pair, signed, signed_all, Chain};
use frame_support::traits::{Get, KeyOwnerProofSystem};
use hippius_runtime::*;
use sp_consensus_babe::{
	digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest},
	AuthorityPair as BabePair, BABE_ENGINE_ID,
};
use sp_core::Pair as _;
use sp_keyring::Ed25519Keyring;
use sp_runtime::{traits::Header as _, Digest, DigestItem};

/// What an account has bonded.
fn bonded(name: &str) -> Balance {
	pallet_staking::Ledger::<Runtime>::get(account(name)).map_or(0, |ledger| ledger.active)
}

fn treasury() -> Balance {
	Balances::free_balance(configs::money::TreasuryAccount::get())
}

/// Waits until the slash, which can be cancelled for some eras, is applied.
fn wait_for_slash(chain: &mut Chain, offender: &str, stake: Balance) {
	let eras = configs::staking::SlashDeferDuration::get() + 2;
	let era_blocks = <configs::EpochDuration as Get<u64>>::get() as u32
		* network::SessionsPerEra::<Runtime>::get();
	chain.until(eras * era_blocks, || bonded(offender) < stake);
}

fn report_and_expect_slash(make: impl FnOnce(&mut Chain) -> RuntimeCall, offender: &str) {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		// Into an era with exposures, away from its edges.
		chain.session();
		chain.session();
		chain.session();
		chain.blocks(2);
		let (stake, before) = (bonded(offender), treasury());
		assert!(stake > 0);

		let report = UncheckedExtrinsic::new_bare(make(&mut chain));
		chain.block_of(vec![report.clone()]);
		let offences = pallet_offences::Reports::<Runtime>::iter_values().count();
		assert_eq!(offences, 1);
		let pending: Vec<_> = pallet_staking::UnappliedSlashes::<Runtime>::iter().collect();
		assert_eq!(pending.len(), 1, "{pending:?}");

		// The same offence does not count twice.
		assert!(chain.block(vec![report]).remove(0).is_err());

		wait_for_slash(&mut chain, offender, stake);
		assert!(treasury() > before, "the treasury gets what is slashed");
	});
}

fn babe_equivocation(chain: &mut Chain) -> RuntimeCall {
	let offender = BabePair::from(pair("Bob"));
	let index = Babe::authorities()
		.iter()
		.position(|(key, _)| *key == offender.public())
		.unwrap() as u32;
	let slot = chain.slot().into();
	let header = |state_root: u8| {
		let claim = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
			authority_index: index,
			slot,
		});
		let mut header = Header::new(
			System::block_number(),
			Default::default(),
			Hash::repeat_byte(state_root),
			System::parent_hash(),
			Digest {
				logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, claim.encode())],
			},
		);
		let seal = offender.sign(header.hash().as_ref());
		header.digest_mut().push(DigestItem::babe_seal(seal));
		header
	};
	let proof = sp_consensus_babe::EquivocationProof {
		offender: offender.public(),
		slot,
		first_header: header(1),
		second_header: header(2),
	};
	let key_owner_proof =
		Historical::prove((sp_consensus_babe::KEY_TYPE, offender.public())).unwrap();
	RuntimeCall::Babe(pallet_babe::Call::report_equivocation_unsigned {
		equivocation_proof: Box::new(proof),
		key_owner_proof,
	})
}

fn grandpa_equivocation(_: &mut Chain) -> RuntimeCall {
	let set_id = Grandpa::current_set_id();
	let key = Ed25519Keyring::Bob;
	let vote = |target: u8| {
		let vote = finality_grandpa::Prevote {
			target_hash: Hash::repeat_byte(target),
			target_number: System::block_number(),
		};
		let message = finality_grandpa::Message::Prevote(vote.clone());
		let payload = sp_consensus_grandpa::localized_payload(1, set_id, &message);
		(vote, key.sign(&payload).into())
	};
	let offender: sp_consensus_grandpa::AuthorityId = key.public().into();
	let proof = sp_consensus_grandpa::EquivocationProof::new(
		set_id,
		sp_consensus_grandpa::Equivocation::Prevote(finality_grandpa::Equivocation {
			round_number: 1,
			identity: offender.clone(),
			first: vote(1),
			second: vote(2),
		}),
	);
	let key_owner_proof = Historical::prove((sp_consensus_grandpa::KEY_TYPE, offender)).unwrap();
	RuntimeCall::Grandpa(pallet_grandpa::Call::report_equivocation_unsigned {
		equivocation_proof: Box::new(proof),
		key_owner_proof,
	})
}

#[test]
fn two_blocks_for_one_slot_are_slashed() {
	report_and_expect_slash(babe_equivocation, "Bob");
}

#[test]
fn two_votes_in_one_round_are_slashed() {
	report_and_expect_slash(grandpa_equivocation, "Bob");
}

#[test]
fn one_block_is_no_equivocation() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		chain.blocks(2);
		let RuntimeCall::Babe(pallet_babe::Call::report_equivocation_unsigned {
			mut equivocation_proof,
			key_owner_proof,
		}) = babe_equivocation(&mut chain)
		else {
			unreachable!("the call made above");
		};
		equivocation_proof.second_header = equivocation_proof.first_header.clone();
		let report = UncheckedExtrinsic::new_bare(
			pallet_babe::Call::report_equivocation_unsigned {
				equivocation_proof,
				key_owner_proof,
			}
			.into(),
		);
		let result = chain.block(vec![report]).remove(0);
		assert!(!matches!(result, Ok(Ok(()))));
		assert_eq!(
			pallet_offences::Reports::<Runtime>::iter_values().count(),
			0
		);
	});
}

#[test]
fn a_new_validator_joins_with_proven_keys() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let dave = pair("Dave");
		let made = SessionKeys::generate(&account("Dave").encode(), Some(b"//DaveNode".to_vec()));
		let set_keys = |proof: Vec<u8>| {
			RuntimeCall::Session(pallet_session::Call::set_keys {
				keys: made.keys.clone(),
				proof,
			})
		};

		// Keys proven to somebody else are refused by name.
		let stolen = SessionKeys::generate(&account("Eve").encode(), Some(b"//DaveNode".to_vec()));
		let refused = chain
			.block(vec![signed(&dave, set_keys(stolen.proof.encode()))])
			.remove(0);
		let expected = pallet_session::Error::<Runtime>::InvalidProof;
		assert_eq!(refused.unwrap().unwrap_err(), expected.into());

		let four = RuntimeCall::Staking(pallet_staking::Call::set_validator_count { new: 4 });
		let sudo = RuntimeCall::Sudo(pallet_sudo::Call::sudo {
			call: Box::new(four),
		});
		chain.block_of(vec![signed(&pair("Alice"), sudo)]);
		chain.block_of(signed_all(
			&dave,
			vec![
				RuntimeCall::Staking(pallet_staking::Call::bond {
					value: 20_000 * units::ALPHA,
					payee: pallet_staking::RewardDestination::Staked,
				}),
				set_keys(made.proof.encode()),
				RuntimeCall::Staking(pallet_staking::Call::validate {
					prefs: Default::default(),
				}),
			],
		));
		// An era to be elected, a session to take office.
		let era_blocks = 20 * network::SessionsPerEra::<Runtime>::get();
		chain.until(4 * era_blocks, || {
			Session::validators().contains(&account("Dave"))
		});
		chain.session();
		assert!(Babe::authorities()
			.iter()
			.any(|(key, _)| *key == made.keys.babe));
		assert!(Grandpa::grandpa_authorities()
			.iter()
			.any(|(key, _)| *key == made.keys.grandpa));
		chain.blocks(5);
	});
}

#[test]
fn eras_pass_without_minting() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let issuance = Balances::total_issuance();
		let era = pallet_staking::ActiveEra::<Runtime>::get().unwrap().index;
		chain.until(200, || {
			pallet_staking::ActiveEra::<Runtime>::get().unwrap().index >= era + 2
		});
		assert_eq!(Balances::total_issuance(), issuance);
	});
}
