//! Audits through the whole pipeline: what nodes hold by the ledger is drawn, an answer with the bytes
//! gets into a block without an account or a fee, and nothing else does.
#![allow(clippy::unwrap_used)]

mod common;

use arion_storage_proof::answer::Answer;
use arion_storage_proof::PgLedger;
use common::{
	externalities,
	nodes::thirty_nodes,
	pair, signed,
	stored::{answer, assert_refused, extrinsic, open_with_draws, validate, Stored, PG},
	Chain,
};
use hippius_runtime::*;
use pallet_audits::Refusal;
use sp_runtime::transaction_validity::InvalidTransaction;

#[test]
fn an_answer_with_the_bytes_gets_in_and_no_other() {
	externalities(genesis::LOCAL).execute_with(|| {
		let stored = Stored::new();
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		chain.until(20, || ClusterMap::epoch() > 0);
		stored.append(&mut chain);
		// New data is drawn after the next snapshot but one.
		assert!(open_with_draws(&mut chain).is_empty());
		chain.close();
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);

		let draws = open_with_draws(&mut chain);
		// 100 a day for each of 30 nodes, in 100 blocks.
		assert!(draws.len() >= 11, "{}", draws.len());
		let members = PlacementGroups::acting_set(PG).unwrap();
		assert!(draws
			.iter()
			.all(|asked| asked.pg == PG && members[usize::from(asked.slot)] == Some(asked.node)));
		let asked = draws.iter().find(|asked| asked.offsets.len() == 1).unwrap();
		let good = stored.prove(asked.slot, asked.offsets[0]);

		// Others' bytes, a forged path, another's signature.
		let other = stored.prove((asked.slot + 1) % 30, asked.offsets[0]);
		assert_refused(answer(asked, &[other]), Refusal::WrongRoot);
		let mut forged = good.clone();
		forged.shards.0[0][0] ^= 1;
		assert_refused(answer(asked, &[forged]), Refusal::WrongRoot);
		let mut stolen = answer(asked, std::slice::from_ref(&good));
		stolen.signature[0] ^= 1;
		assert_refused(stolen, Refusal::Signature);

		// The bytes.
		let honest = answer(asked, &[good]);
		let valid = validate(&honest).unwrap();
		assert_eq!((valid.longevity, valid.propagate), (10, true));
		assert_eq!(valid.provides.len(), 2);
		let issuance = Balances::total_issuance();
		Executive::apply_extrinsic(extrinsic(honest.clone()))
			.unwrap()
			.unwrap();
		assert_eq!(Balances::total_issuance(), issuance);
		assert_refused(honest, Refusal::AlreadyAnswered);
		assert!(!Audits::asked_of(asked.node).contains(asked));
		chain.close();
		Audits::do_try_state().unwrap();

		// Without a VRF output nothing is drawn, and what was drawn is swept in time.
		chain.blocks(20);
		assert_eq!(pallet_audits::Open::<Runtime>::iter().count(), 0);
		Audits::do_try_state().unwrap();
		Registry::do_try_state().unwrap();
	});
}

#[test]
fn an_answer_is_no_bare_or_signed_transaction() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let answer = Answer {
			node: 0,
			place: 0,
			items: Default::default(),
			signature: [0; 64],
		};
		let call = || {
			RuntimeCall::Audits(pallet_audits::Call::answer {
				answer: answer.clone(),
			})
		};
		let results = chain.block(vec![
			UncheckedExtrinsic::new_bare(call()),
			signed(&pair("Alice"), call()),
			extrinsic(answer.clone()),
		]);
		assert!(!matches!(results[0], Ok(Ok(()))));
		assert!(!matches!(results[1], Ok(Ok(()))));
		let empty = InvalidTransaction::Custom(Refusal::Empty as u8);
		assert_eq!(results[2], Err(empty.into()));
	});
}

#[test]
fn a_full_block_is_noticed() {
	use frame_support::dispatch::DispatchClass;
	use pallet_audits::Congestion as _;
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		chain.open();
		assert!(!configs::arion::Congestion::block_is_full());
		let weights = <Runtime as frame_system::Config>::BlockWeights::get();
		let most = weights.get(DispatchClass::Normal).max_total.unwrap();
		System::register_extra_weight_unchecked(most, DispatchClass::Normal);
		assert!(configs::arion::Congestion::block_is_full());
		chain.close();
		assert_eq!(pallet_audits::FullBlocks::<Runtime>::get() & 1, 1);
		chain.blocks(1);
		assert_eq!(pallet_audits::FullBlocks::<Runtime>::get() & 0b11, 0b10);
	});
}
