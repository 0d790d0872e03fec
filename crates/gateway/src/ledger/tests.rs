//! What the appender decides; with real miners it is tested in `tests/receipts.rs`.
#![allow(clippy::unwrap_used)]

use super::{appender::lacking, AppendError, Appender, LedgerChain, SealPolicy};
use crate::{
	catalog::Catalog,
	cluster::Cluster,
	config::Config,
	receipts::{shares_of, Receipts},
	Gateway,
};
use arion_crush::cluster::{ClusterMap, FailureDomain, PlacementRule, ZoneBucket};
use arion_grid::{Grid, GridConfig, Identity};
use arion_storage_proof::{ShardLen, StripeEntry};
use futures_util::future::BoxFuture;
use hippius_chain_client::Append;
use hippius_primitives::{
	ledger::{full, OwnerShare},
	receipt::{BatchRef, Receipt, ReceiptBody},
	Epoch, StripeId,
};
use std::sync::Arc;

/// Takes nothing.
struct NoChain;

impl LedgerChain for NoChain {
	fn append<'a>(&'a self, _: &'a Append) -> BoxFuture<'a, Result<(), AppendError>> {
		panic!("nothing is to be sent")
	}
}

fn entry(seed: u8, owner: u8, len: u64) -> StripeEntry {
	StripeEntry {
		stripe: StripeId([seed; 32]),
		owner: [owner; 32],
		shard_len: ShardLen::new(len).unwrap(),
	}
}

/// A map without nodes: every slot is a hole.
fn map(epoch: Epoch, pg_num: u32) -> ClusterMap {
	ClusterMap::plain(
		epoch,
		pg_num,
		1,
		PlacementRule::new(5, FailureDomain::Host),
		(0..6u8)
			.map(|zone| ZoneBucket {
				zone,
				id: -1 - i32::from(zone),
				families: Vec::new(),
			})
			.collect(),
	)
}

struct Bench {
	_folder: tempfile::TempDir,
	gateway: Arc<Gateway>,
	config: Config,
}

impl Bench {
	fn new(maps: impl IntoIterator<Item = ClusterMap>) -> Self {
		let folder = tempfile::tempdir().unwrap();
		let config = Config::default();
		let identity = Arc::new(Identity::generate().unwrap());
		let listen = "127.0.0.1:0".parse().unwrap();
		let grid = Grid::bind(listen, identity, GridConfig::default()).unwrap();
		let cluster = Cluster::fixed(maps, Vec::new()).unwrap();
		cluster.set_genesis(&[9; 32]);
		let catalog = Catalog::open(&folder.path().join("catalog")).unwrap();
		let gateway = Gateway::new(&config, grid, Arc::new(cluster), catalog);
		Self {
			_folder: folder,
			gateway,
			config,
		}
	}

	fn appender(&self) -> Appender {
		Appender::new(&self.gateway, Arc::new(NoChain), &self.config.ledger)
	}

	/// A sealed batch of group `pg`.
	fn seal(&self, pg: u32, epoch: Epoch, entries: &[StripeEntry]) {
		let catalog = &self.gateway.catalog;
		for entry in entries {
			catalog.ledger_wait(pg, epoch, entry, 0).unwrap();
		}
		let all = SealPolicy {
			stripes: 1024,
			age: 0,
		};
		assert_eq!(catalog.ledger_seal(all, 0).unwrap(), 1);
	}
}

#[tokio::test]
async fn a_batch_whose_fate_can_no_longer_be_told_is_not_sent_again() {
	let bench = Bench::new([map(10, 4)]);
	let catalog = &bench.gateway.catalog;
	bench.seal(1, 5, &[entry(1, 1, 64)]);
	let (id, batch) = catalog.ledger_batches(9).unwrap().remove(0);
	catalog.ledger_submitted(&id, &batch, Some(5)).unwrap();
	assert_eq!(bench.appender().round(0).await.unwrap(), 0);
	let (again, kept) = catalog.ledger_batches(9).unwrap().remove(0);
	assert_eq!((again, kept.submitted), (id, Some(5)));
	assert_eq!(bench.gateway.metrics().batches_failed.get(), 1);
	bench.gateway.close().await;
}

#[tokio::test]
async fn without_members_a_batch_stays_and_is_not_tried_at_once_again() {
	let bench = Bench::new([map(10, 4)]);
	bench.seal(1, 10, &[entry(1, 1, 64)]);
	let mut appender = bench.appender();
	for _ in 0..3 {
		assert_eq!(appender.round(0).await.unwrap(), 0);
	}
	assert_eq!(bench.gateway.catalog.ledger_batches(9).unwrap().len(), 1);
	assert_eq!(bench.gateway.metrics().batches_failed.get(), 1);
	bench.gateway.close().await;
}

#[tokio::test]
async fn stripes_of_an_old_batch_go_to_the_groups_they_are_of_now() {
	let bench = Bench::new([map(1, 4), map(10, 8)]);
	let catalog = &bench.gateway.catalog;
	// Of group 1 by four groups; by eight, one of them is of group 5.
	let (stays, goes) = (entry(1, 1, 64), entry(5, 1, 64));
	bench.seal(1, 1, &[stays, goes]);
	assert_eq!(bench.appender().round(0).await.unwrap(), 0);
	let (id, batch) = catalog.ledger_batches(9).unwrap().remove(0);
	assert_eq!((id.pg, batch.entries), (1, vec![stays]));
	assert_eq!(catalog.ledger_waiting().unwrap(), 1);
	let all = SealPolicy {
		stripes: 1024,
		age: 0,
	};
	catalog.ledger_seal(all, 0).unwrap();
	let batches = catalog.ledger_batches(9).unwrap();
	let (id, batch) = &batches[1];
	assert_eq!((id.pg, batch.epoch, &batch.entries), (5, 10, &vec![goes]));
	bench.gateway.close().await;
}

#[test]
fn what_too_few_hold_is_found() {
	let batch = BatchRef {
		genesis: [9; 32],
		pg: 1,
		epoch: 1,
		root: [1; 32],
		bytes: 640,
		stripes: 10,
		owners: [2; 32],
	};
	// Slots from 19 on lack stripe 3, those from 20 on stripe 9.
	let receipts = (0u8..30).map(|slot| {
		let mut held = full(10);
		if slot >= 19 {
			held[0] &= !0b1000;
		}
		if slot >= 20 {
			held[1] &= !0b10;
		}
		let body = ReceiptBody {
			batch,
			held,
			node: slot.into(),
		};
		let signature = [0; 64];
		(slot, Receipt { body, signature })
	});
	let gathered = Receipts {
		batch,
		receipts: receipts.collect(),
		missing: Vec::new(),
	};
	assert_eq!(lacking(&gathered), [3]);
}

#[test]
fn owners_are_ascending_and_add_up() {
	let entries = [entry(1, 7, 64), entry(2, 3, 128), entry(3, 7, 1 << 20)];
	let share = |owner, bytes| OwnerShare {
		owner: [owner; 32],
		bytes,
	};
	assert_eq!(
		shares_of(&entries).unwrap(),
		[share(3, 128), share(7, 64 + (1 << 20))]
	);
}
