//! Thirty miners: what one knows of a ledger the others get from it, over the wire, and answer the
//! chain with it.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::ClusterMap;
use arion_grid::Status;
use arion_miner::{files, status};
use arion_storage_proof::{
	answer::Shown,
	stripes::owner_shares,
	work::{GroupLedger, WorkOrder, WorkReport, WORK_PATH},
	AuditProof, Batch, Blake2, Challenge, EntryProof, Mmr, ShardLen, StripeEntry, SumTree,
};
use codec::{DecodeAll, Encode};
use common::{
	network::{client, holders, Network, Stripe, HANG},
	now, GENESIS,
};
use hippius_primitives::{
	audit::{Ask, AskedOf},
	ledger::owners_hash,
	permit::{Change, ChangePermit},
	receipt::BatchRef,
};

async fn order(network: &Network, node: u32, order: &WorkOrder) -> WorkReport {
	let node = &network.nodes[node as usize];
	let control = node.daemon.as_ref().unwrap().info().control;
	let client = reqwest::Client::builder().no_proxy().build().unwrap();
	let request = client
		.post(format!("http://{control}{WORK_PATH}"))
		.bearer_auth(files::read_token(&node.base.token()).unwrap());
	let answer = request.body(order.encode()).send().await.unwrap();
	assert!(answer.status().is_success());
	let bytes = answer.bytes().await.unwrap();
	WorkReport::decode_all(&mut &bytes[..]).unwrap()
}

/// Orders until the asked is answered.
async fn answered(network: &Network, node: u32, asked: &WorkOrder) -> WorkReport {
	let answered = async {
		loop {
			let report = order(network, node, asked).await;
			if !report.answers.is_empty() {
				return report;
			}
		}
	};
	tokio::time::timeout(HANG, answered).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaves_one_member_has_are_enough_for_all() {
	let dir = tempfile::tempdir().unwrap();
	let network = Network::start(dir.path(), [5; 6]).await;
	let update = network.map(1, 1, |_| true);
	network.hand_over(&update).await;
	let stripes: Vec<Stripe> = (0..3).map(|seed| Stripe::new(seed, 300_000)).collect();
	for stripe in &stripes {
		network.store(&update, stripe).await;
	}
	let entry = |stripe: &Stripe| StripeEntry {
		stripe: stripe.id(),
		owner: [5; 32],
		shard_len: ShardLen::new(stripe.shards[0].len() as u64).unwrap(),
	};
	let tree = SumTree::build::<Blake2>(stripes.iter().map(entry).collect()).unwrap();
	let Batch {
		root,
		bytes,
		stripes: count,
	} = tree.batch();
	let batch = BatchRef {
		genesis: GENESIS,
		pg: 0,
		epoch: 1,
		root,
		bytes,
		stripes: count,
		owners: owners_hash(&owner_shares(tree.entries()).unwrap()),
	};
	// One signs; the other 29 never heard of the batch.
	let signer = network.peer(11);
	signer.receipt(&batch, tree.entries()).await.unwrap();
	let mut mmr = Mmr::new();
	mmr.append::<Blake2>(&tree.batch()).unwrap();
	let map = ClusterMap::decode_checked(&update.map).unwrap();
	assert_eq!(map.pg_num, 1);
	let up = holders(&update, &stripes[0].id());
	let slot = up.iter().position(|node| *node == 23).unwrap() as u8;
	let offset = bytes / 2;
	let asked = |id: u64, offset: u64| AskedOf {
		ask: Ask::Task { id },
		node: 23,
		pg: 0,
		slot,
		offsets: vec![offset],
		seed: [4; 32],
		due: None,
	};
	let mut work = WorkOrder {
		genesis: GENESIS,
		best: 100,
		epoch: 1,
		asked: vec![asked(1, offset)],
		ledgers: vec![GroupLedger {
			pg: 0,
			challengeable: mmr.peaks().clone(),
			newest: mmr.peaks().clone(),
			first: 0,
			batches: vec![tree.batch()],
			unclean: true,
		}],
		life: None,
	};
	let report = answered(&network, 23, &work).await;
	assert_eq!(report.node, Some(23));
	let check = |report: &WorkReport, offset: u64| {
		let answer = &report.answers[0];
		let payload = answer.payload(&GENESIS, &[[4; 32]]);
		let key = network.nodes[23].seat.key;
		assert!(arion_grid::verify(&key, &payload, &answer.signature));
		let challenge = Challenge { offset, slot };
		match &answer.items[0].shown[0] {
			Shown::Bytes(bytes) => {
				let proof = AuditProof::from_bytes(bytes).unwrap();
				proof.verify::<Blake2>(mmr.peaks(), &challenge).unwrap();
				true
			}
			Shown::Released(bytes) => {
				let proof = EntryProof::from_bytes(bytes).unwrap();
				proof.verify::<Blake2>(mmr.peaks(), offset).unwrap();
				false
			}
		}
	};
	assert!(check(&report, offset));
	// It has all that the ledger says, and reports so.
	let mut clean = report.clean;
	for best in 200..300 {
		if clean.is_some() {
			break;
		}
		work.best = best * 10;
		clean = order(&network, 23, &work).await.clean;
	}
	let clean = clean.unwrap().0.groups;
	assert_eq!(clean, [(0, 1)]);
	// Another one has no history either: the order of batches comes from members too.
	let slot = up.iter().position(|node| *node == 5).unwrap() as u8;
	work.ledgers[0].batches.clear();
	work.asked = vec![AskedOf {
		node: 5,
		slot,
		..asked(1, offset)
	}];
	answered(&network, 5, &work).await;
	// Only members are told.
	let outsider = client();
	let stranger = outsider.peer(
		network.nodes[11].seat.key,
		vec![network.nodes[11].seat.address],
	);
	let told = stranger.leaves(0, &tree.batch()).await.unwrap_err();
	assert_eq!(told.status(), Some(Status::Refused));
	let told = stranger.batches(0, 0, 9).await.unwrap_err();
	assert_eq!(told.status(), Some(Status::Refused));
	// What its owner had deleted is shown as released.
	let issuer = client();
	for node in [23u32] {
		let stamp = now();
		let permit = issuer.identity().permit(ChangePermit {
			genesis: GENESIS,
			change: Change::Delete,
			stripe: stripes[0].id(),
			issued: stamp,
			expires: stamp + 60_000,
			nonce: 1,
		});
		assert_eq!(network.peer(node).delete(&permit).await.unwrap(), 1);
	}
	work.asked = vec![asked(2, 5)];
	let report = answered(&network, 23, &work).await;
	assert!(!check(&report, 5));
	let base = &network.nodes[23].base;
	let status = status::ask(base).await.unwrap();
	assert_eq!((status.work.asked, status.work.ready), (1, 1));
}
