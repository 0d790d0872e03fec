//! Beats, pages, scores and the map: through whole blocks, with transactions as they travel.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
	beats::{authorized, beats, block, next_window, pass, refused, report, validators},
	externalities,
	nodes::{node_key, thirty_nodes},
	Chain,
};
use ed25519_dalek::Signer;
use frame_support::storage::with_transaction_unchecked;
use hippius_primitives::{
	heartbeat::LifeSign,
	traits::{Liveness, LivenessState},
};
use hippius_runtime::*;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionSource},
	TransactionOutcome,
};

#[test]
fn a_page_posted_by_validators_session_keys_is_settled() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		let all = [beats(); 30];
		pass(&mut chain, 1, &all);
		let window = next_window(&mut chain);
		let free = Balances::free_balance(common::account("Alice"));
		let names = validators(window);

		// What the pool says of it.
		let good = report(window, 0, &all, names[0]);
		let valid = with_transaction_unchecked(|| {
			let source = TransactionSource::External;
			let parent = System::parent_hash();
			TransactionOutcome::Rollback(Executive::validate_transaction(
				source,
				good.clone(),
				parent,
			))
		})
		.unwrap();
		assert!(valid.propagate);
		assert!(!valid.provides.is_empty());

		let transactions = || {
			let mut transactions = vec![
				report(window, 0, &[0; 30], names[1]),
				report(window + 1, 0, &all, names[0]),
				good.clone(),
				good.clone(),
			];
			transactions
				.extend((1..3).map(|place| report(window, place, &all, names[place as usize])));
			transactions
		};
		let mut results = block(&mut chain, transactions).into_iter();
		let mut next = || results.next().unwrap();
		assert_eq!(refused(next()), InvalidTransaction::BadProof);
		assert_eq!(refused(next()), InvalidTransaction::Future);
		next().unwrap().unwrap();
		assert_eq!(refused(next()), InvalidTransaction::Stale);
		next().unwrap().unwrap();
		next().unwrap().unwrap();
		// Nobody paid.
		assert_eq!(Balances::free_balance(common::account("Alice")), free);

		chain.blocks(Heartbeats::config().unwrap().report_blocks);
		// The first window made the nodes known, the second one counts.
		let due = u32::from(beats());
		for node in 0..30 {
			assert_eq!(
				Heartbeats::standing(node),
				(LivenessState::Up, Some((due, due)))
			);
		}
		assert_eq!(Heartbeats::collectors(0).len(), 3);
	});
}

#[test]
fn a_frozen_node_is_marked_down_and_clears_itself() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		let mut counts = [beats(); 30];
		pass(&mut chain, 2, &counts);
		counts[7] = 0;
		pass(&mut chain, 2, &counts);
		assert!(matches!(
			Heartbeats::liveness(7),
			LivenessState::Down { .. }
		));
		assert_eq!(Heartbeats::liveness(8), LivenessState::Up);

		let sign = |node, key: u32| {
			let (window, anchor) = Heartbeats::window().unwrap();
			let sign = LifeSign { node, window };
			let payload = sign.payload(&System::block_hash(0).0, &anchor);
			let signature = node_key(key).sign(&payload).to_bytes();
			authorized(pallet_heartbeats::Call::show_life { sign, signature })
		};
		// Signs are good in the window they were made in.
		let _ = next_window(&mut chain);
		let signs = || vec![sign(7, 8), sign(8, 8), sign(7, 7)];
		let mut results = block(&mut chain, signs).into_iter();
		let mut next = || results.next().unwrap();
		assert_eq!(refused(next()), InvalidTransaction::BadProof);
		assert_eq!(refused(next()), InvalidTransaction::Custom(10));
		next().unwrap().unwrap();
		assert_eq!(Heartbeats::liveness(7), LivenessState::Up);
	});
}

#[test]
fn within_ten_minutes_nodes_are_scored_and_who_is_gone_is_out_of_the_map() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		let mut counts = [beats(); 30];
		counts[7] = 0;
		pass(&mut chain, 9, &counts);
		chain.blocks(6);
		assert!(System::block_number() < 100, "{}", System::block_number());
		assert!(Heartbeats::is_out(7));
		let in_map = |node| {
			let blob = ClusterMap::map(None).unwrap();
			let map = arion_crush::cluster::ClusterMap::decode_checked(&blob).unwrap();
			let found = map.nodes().find(|found| found.index == node).copied();
			found.unwrap()
		};
		assert_eq!(in_map(7).reweight, 0);
		assert_eq!(in_map(8).reweight, 1 << 16);

		let standing = Ranking::explain(8).unwrap();
		assert!(standing.score > 0);
		assert_eq!(standing.now.uptime.measured, hippius_score::ONE);
		let away = Ranking::explain(7).unwrap();
		assert_eq!(away.now.uptime.measured, 0);
		assert!(away.score < standing.score);
		assert!(Ranking::era().index >= 2);
		assert_eq!(Ranking::ranked(0).len(), 30);
		assert_eq!(Ranking::explain(30), None);
	});
}
