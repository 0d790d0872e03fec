//! The work for miner daemons through the whole runtime: what the chain asks gets to the daemon with the
//! ledger it needs, and what the daemon shows gets into a block.
#![allow(clippy::unwrap_used)]

mod common;

use arion_storage_proof::{
	work::{GroupLedger, WorkOrder, WorkReport, WORK_PATH},
	PgLedger,
};
use codec::{DecodeAll, Encode};
use common::{
	externalities,
	nodes::thirty_nodes,
	stored::{answer, open_with_draws, Stored, PG},
	Chain,
};
use hippius_primitives::{
	daemon::{DaemonAccess, DAEMONS_STORAGE_KEY},
	ledger::CleanReport,
};
use hippius_runtime::{work::Work, *};
use sp_core::offchain::{
	testing::{PendingRequest, TestOffchainExt, TestTransactionPoolExt},
	OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
};
use sp_runtime::offchain::storage::StorageValueRef;

#[test]
fn what_a_daemon_shows_gets_into_a_block() {
	let mut ext = externalities(genesis::LOCAL);
	let mut chain = Chain::new();
	let stored = Stored::new();
	ext.execute_with(|| {
		thirty_nodes(&mut chain);
		chain.until(20, || ClusterMap::epoch() > 0);
		stored.append(&mut chain);
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);
	});
	// As a node does with each block it imports.
	ext.persist_offchain_overlay();
	let (worker, net) = TestOffchainExt::with_offchain_db(ext.offchain_db());
	let (pool_ext, pool) = TestTransactionPoolExt::new();
	ext.register_extension(OffchainDbExt::new(worker.clone()));
	ext.register_extension(OffchainWorkerExt::new(worker));
	ext.register_extension(TransactionPoolExt::new(pool_ext));
	let run = |order: WorkOrder, report: WorkReport| {
		net.write().expect_request(PendingRequest {
			method: "POST".into(),
			uri: format!("http://127.0.0.1:7070{WORK_PATH}"),
			headers: vec![
				("Authorization".into(), "Bearer secret".into()),
				("Content-Type".into(), "application/octet-stream".into()),
			],
			body: order.encode(),
			response: Some(report.encode()),
			sent: true,
			..Default::default()
		});
		hippius_ocw::work::run::<Work>();
		std::mem::take(&mut pool.write().transactions)
	};
	ext.execute_with(|| {
		let access = DaemonAccess {
			url: b"http://127.0.0.1:7070".to_vec(),
			token: b"secret".to_vec(),
		};
		StorageValueRef::persistent(DAEMONS_STORAGE_KEY).set(&vec![access]);
		let draws = open_with_draws(&mut chain);
		let asked = draws.iter().find(|asked| asked.offsets.len() == 1).unwrap();
		let node = asked.node;
		let report = WorkReport {
			node: Some(node),
			wants: vec![(PG, 0)],
			..Default::default()
		};
		let clean = |groups: Vec<_>| {
			let epoch = ClusterMap::epoch();
			Some((
				CleanReport {
					node,
					epoch,
					groups,
				},
				[0; 64],
			))
		};

		// The first order only asks who it is. What comes back with it is not signed, or too much.
		let order = WorkOrder {
			genesis: System::block_hash(0).0,
			best: System::block_number(),
			epoch: ClusterMap::epoch(),
			asked: Vec::new(),
			ledgers: Vec::new(),
			life: None,
		};
		let unsigned = WorkReport {
			clean: clean(vec![(PG, 1)]),
			..report.clone()
		};
		assert!(run(order.clone(), unsigned).is_empty());

		let mut all = Audits::asked_of(node);
		all.sort_by_key(|asked| (asked.due, asked.ask));
		let order = WorkOrder {
			asked: all,
			ledgers: vec![GroupLedger {
				pg: PG,
				challengeable: stored.mmr.peaks().clone(),
				newest: stored.mmr.peaks().clone(),
				first: 0,
				batches: vec![stored.tree.batch()],
				unclean: PlacementGroups::may_report(node, &[PG])[0],
			}],
			..order
		};
		let good = answer(asked, &[stored.prove(asked.slot, asked.offsets[0])]);
		let mut forged = good.clone();
		forged.signature[0] ^= 1;
		let shows = WorkReport {
			answers: vec![forged, good.clone()],
			clean: clean((0..17).map(|pg| (pg, 1)).collect()),
			..report
		};
		let sent = run(order, shows);
		assert_eq!(sent.len(), 1);
		let transaction = UncheckedExtrinsic::decode_all(&mut &sent[0][..]).unwrap();
		assert_eq!(
			transaction.function,
			pallet_audits::Call::answer { answer: good }.into()
		);
		Executive::apply_extrinsic(transaction).unwrap().unwrap();
		assert!(!Audits::asked_of(node).contains(asked));
		chain.close();
	});
}
