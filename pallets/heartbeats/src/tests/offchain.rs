//! The worker: what it tells daemons, announces and posts, and when it does nothing.

use crate::{mock::*, offchain::RETRY_BLOCKS, Call, Endpoints, Reports};
use codec::{Decode, Encode};
use frame_support::traits::Hooks;
use hippius_primitives::{
	collector::{
		counts_key, BeatOrder, LocalEndpoint, PageCounts, BEAT_PATH, ENDPOINT_STORAGE_KEY,
		MAX_BEAT_ORDER,
	},
	daemon::{DaemonAccess, DAEMONS_STORAGE_KEY},
	NodeAddress, NodeKey,
};
use sp_core::{
	offchain::{
		testing::{PendingRequest, TestOffchainExt, TestTransactionPoolExt},
		OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
	},
	Pair as _,
};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystoreExt};
use sp_runtime::{offchain::storage::StorageValueRef, RuntimeAppPublic};

/// What the node around the worker has.
struct Node {
	/// What the pool has got since it was asked last.
	submitted: Box<dyn Fn() -> Vec<Vec<u8>>>,
	/// A request that must come next.
	expect: Box<dyn Fn(PendingRequest)>,
}

impl Node {
	/// Runs a test on a chain of `validators`, on a node that holds the keys with these seeds.
	fn with(validators: u8, seeds: &[u8], test: impl FnOnce(&Self)) {
		let (worker, net) = TestOffchainExt::new();
		let (pool_ext, pool) = TestTransactionPoolExt::new();
		let keystore = MemoryKeystore::new();
		for seed in seeds {
			let suri = format!("0x{}", format!("{seed:02x}").repeat(32));
			keystore
				.insert(app::Public::ID, &suri, collector(*seed).as_ref())
				.unwrap();
		}
		let node = Self {
			submitted: Box::new(move || std::mem::take(&mut pool.write().transactions)),
			expect: Box::new(move |request| net.write().expect_request(request)),
		};
		ExtBuilder::validators(validators).build_with(
			|chain| {
				chain.register_extension(OffchainDbExt::new(worker.clone()));
				chain.register_extension(OffchainWorkerExt::new(worker));
				chain.register_extension(TransactionPoolExt::new(pool_ext));
				chain.register_extension(KeystoreExt::new(keystore));
			},
			|| test(&node),
		);
	}

	/// One run at the present block; what it submitted.
	fn run(&self) -> Vec<Call<Test>> {
		Heartbeats::offchain_worker(System::block_number());
		(self.submitted)()
			.into_iter()
			.map(|bytes| {
				let extrinsic = Extrinsic::decode(&mut &bytes[..]).unwrap();
				match extrinsic.function {
					RuntimeCall::Heartbeats(call) => call,
					other => panic!("{other:?}"),
				}
			})
			.collect()
	}
}

fn put(key: &[u8], value: &impl Encode) {
	StorageValueRef::persistent(key).set(value);
}

fn listens(port: u16) {
	let ip = [127, 0, 0, 1];
	let local = LocalEndpoint {
		key: NodeKey([6; 32]),
		addresses: vec![NodeAddress::V4 { ip, port }].try_into().unwrap(),
	};
	put(ENDPOINT_STORAGE_KEY, &local);
}

fn counted(window: u32, page: u32, counts: &[u8]) {
	let counts = PageCounts {
		counts: counts.to_vec().try_into().unwrap(),
		evidence: [4; 32],
	};
	put(&counts_key(window, page), &counts);
}

#[test]
fn a_validators_collector_is_announced_until_the_chain_knows_it() {
	Node::with(9, &[3], |node| {
		run_to(12);
		assert!(node.run().is_empty());
		listens(50);
		let first = node.run();
		assert_eq!(first.len(), 1);
		// Not with every block, but again if it was lost.
		assert!(node.run().is_empty());
		run_to(12 + u64::from(RETRY_BLOCKS) - 1);
		assert!(node.run().is_empty());
		run_to(12 + u64::from(RETRY_BLOCKS));
		let again = node.run();
		assert_eq!(again.len(), 1);
		again.into_iter().for_each(submit);
		let known = Endpoints::<Test>::get(collector(3)).unwrap();
		assert_eq!((known.key, known.sequence), (NodeKey([6; 32]), 15));
		run_to(30);
		assert!(node.run().is_empty());
		// It moves.
		listens(51);
		node.run().into_iter().for_each(submit);
		let moved = Endpoints::<Test>::get(collector(3)).unwrap();
		assert_eq!(moved.addresses[0].port(), 51);
	});
}

#[test]
fn counts_of_the_last_window_are_posted_until_the_chain_has_them() {
	Node::with(9, &[3], |node| {
		reportable(1);
		counted(1, 0, &[6, 5, 0]);
		// Of another window, and of a page that is not.
		counted(0, 0, &[1]);
		counted(1, 9, &[1]);
		let calls = node.run();
		assert_eq!(calls.len(), 1);
		assert!(node.run().is_empty());
		run_to(start(2) + u64::from(RETRY_BLOCKS) - 1);
		assert!(node.run().is_empty());
		calls.into_iter().for_each(submit);
		let posted = Reports::<Test>::get((1, 0, 2)).unwrap();
		assert_eq!(posted.into_inner(), [6, 5, 0]);
		assert!(node.run().is_empty());
	});
}

#[test]
fn what_an_abandoned_fork_had_is_submitted_again() {
	Node::with(9, &[3], |node| {
		run_to(start(2) + 1);
		counted(1, 0, &[6]);
		assert_eq!(node.run().len(), 1);
		// The best chain is another one, a block shorter.
		System::set_block_number(start(2));
		assert_eq!(node.run().len(), 1);
	});
}

#[test]
fn nothing_is_posted_too_late() {
	Node::with(9, &[3], |node| {
		counted(1, 0, &[6]);
		// The last block in which a report could be is the next one.
		run_to(start(2) + u64::from(CONFIG.report_blocks) - 2);
		assert_eq!(node.run().len(), 1);
		run_to(start(2) + u64::from(CONFIG.report_blocks) - 1);
		assert!(node.run().is_empty());
		run_to(start(2) + 9);
		assert!(node.run().is_empty());
	});
}

#[test]
fn a_node_of_two_validators_speaks_for_both() {
	Node::with(9, &[3, 5], |node| {
		reportable(1);
		listens(50);
		counted(1, 0, &[6]);
		let calls = node.run();
		assert_eq!(calls.len(), 4);
		calls.into_iter().for_each(submit);
		assert!(Reports::<Test>::contains_key((1, 0, 2)));
		assert!(Reports::<Test>::contains_key((1, 0, 4)));
		assert!(node.run().is_empty());
	});
}

#[test]
fn who_does_not_collect_the_page_is_silent() {
	// No keys, or not a validator's.
	for seeds in [&[][..], &[77]] {
		Node::with(9, seeds, |node| {
			reportable(1);
			listens(50);
			counted(1, 0, &[6]);
			assert!(node.run().is_empty());
		});
	}
	// A validator, but not one of the page's nine.
	Node::with(20, &(1..=20).collect::<Vec<_>>(), |node| {
		reportable(1);
		counted(1, 0, &[6]);
		assert_eq!(node.run().len(), 9);
	});
}

#[test]
fn what_cannot_be_decoded_is_left_alone() {
	Node::with(9, &[3], |node| {
		reportable(1);
		for key in [
			DAEMONS_STORAGE_KEY,
			ENDPOINT_STORAGE_KEY,
			&counts_key(1, 0)[..],
			b"hippius::heartbeats::submitted",
		] {
			put(key, &0xffu8);
		}
		assert!(node.run().is_empty());
	});
}

#[test]
fn daemons_are_told_who_collects() {
	Node::with(9, &[], |node| {
		run_to(25);
		let daemon = |port: u16| DaemonAccess {
			url: format!("http://127.0.0.1:{port}").into_bytes(),
			token: b"secret".to_vec(),
		};
		let broken = DaemonAccess {
			token: vec![0xff],
			..daemon(3)
		};
		put(DAEMONS_STORAGE_KEY, &vec![broken, daemon(1), daemon(2)]);
		let open = crate::Windows::<Test>::get(2).unwrap();
		let order = BeatOrder {
			genesis: GENESIS,
			best: 24,
			best_hash: System::parent_hash().0,
			window_blocks: 10,
			beats_per_window: 6,
			seed: open.seed,
			validators: (1..=9)
				.map(|seed| collector_pair(seed).public().0.to_vec())
				.collect(),
			endpoints: vec![None; 9],
		};
		assert!(order.encoded_size() < MAX_BEAT_ORDER);
		for port in [1, 2] {
			(node.expect)(PendingRequest {
				method: "POST".into(),
				uri: format!("http://127.0.0.1:{port}{BEAT_PATH}"),
				headers: vec![
					("Authorization".into(), "Bearer secret".into()),
					("Content-Type".into(), "application/octet-stream".into()),
				],
				body: order.encode(),
				response: Some(Vec::new()),
				sent: true,
				..Default::default()
			});
		}
		assert!(node.run().is_empty());
	});
}
