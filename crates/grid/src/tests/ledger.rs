//! Entries and order of ledgers.

use super::support::{pair, quick, Memory};
use crate::{BoxFuture, ServiceError, ShardService, Status, MAX_BATCHES};
use arion_storage_proof::{Batch, ShardLen, StripeEntry};
use hippius_primitives::{receipt::MAX_RECEIPT_STRIPES, NodeKey, Pg, StripeId};
use std::sync::Arc;

/// Has 5000 batches in every group, number `n` of `n` stripes; or miscounts.
struct Ledgers {
	honest: bool,
}

fn batch(n: u32) -> Batch {
	Batch {
		root: [n as u8; 32],
		bytes: 64,
		stripes: n,
	}
}

fn entries(count: usize) -> Vec<StripeEntry> {
	let entry = |n: usize| StripeEntry {
		stripe: StripeId([n as u8; 32]),
		owner: [7; 32],
		shard_len: ShardLen::new(64 * (n as u64 % 16_384 + 1)).unwrap(),
	};
	(0..count).map(entry).collect()
}

impl ShardService for Ledgers {
	fn leaves(
		&self,
		_: NodeKey,
		pg: Pg,
		_: [u8; 32],
	) -> BoxFuture<'_, Result<Option<Vec<StripeEntry>>, ServiceError>> {
		let count = pg as usize + usize::from(!self.honest);
		Box::pin(std::future::ready(Ok((pg > 0).then(|| entries(count)))))
	}

	fn batches(
		&self,
		_: NodeKey,
		_: Pg,
		first: u64,
		limit: usize,
	) -> BoxFuture<'_, Result<Vec<Batch>, ServiceError>> {
		let limit = limit as u64 + u64::from(!self.honest);
		let batches = (first..(first + limit).min(5_000)).map(|n| batch(n as u32));
		Box::pin(std::future::ready(Ok(batches.collect())))
	}
}

#[tokio::test]
async fn batches_and_their_entries_are_told() {
	let nodes = pair(quick(), Arc::new(Ledgers { honest: true }));
	for count in [1, 2, MAX_RECEIPT_STRIPES] {
		let told = nodes.peer.leaves(count, &batch(count)).await.unwrap();
		assert_eq!(told, entries(count as usize));
	}
	let error = nodes.peer.leaves(0, &batch(1)).await.unwrap_err();
	assert!(error.is_not_found(), "{error}");
	// More than any batch may have.
	let many = MAX_RECEIPT_STRIPES + 1;
	let error = nodes.peer.leaves(many, &batch(many)).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Internal));
	let told = nodes.peer.batches(3, 0, usize::MAX).await.unwrap();
	assert_eq!(told.len(), MAX_BATCHES);
	let rest = nodes.peer.batches(3, told.len() as u64, 4_096).await;
	let all: Vec<Batch> = told.into_iter().chain(rest.unwrap()).collect();
	assert_eq!(all, (0..5_000).map(batch).collect::<Vec<_>>());
	assert!(nodes.peer.batches(3, 5_000, 1).await.unwrap().is_empty());
	nodes.client.close().await;
	nodes.server.close().await;
}

#[tokio::test]
async fn what_is_not_as_announced_is_a_fault() {
	let nodes = pair(quick(), Arc::new(Ledgers { honest: false }));
	let error = nodes.peer.leaves(2, &batch(2)).await.unwrap_err();
	assert!(error.is_misbehaviour(), "{error}");
	let error = nodes.peer.batches(3, 0, 10).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Internal), "{error}");
	nodes.client.close().await;
	nodes.server.close().await;
}

#[tokio::test]
async fn a_node_without_ledgers_says_so() {
	let nodes = pair(quick(), Arc::new(Memory::default()));
	for error in [
		nodes.peer.leaves(1, &batch(1)).await.unwrap_err(),
		nodes.peer.batches(1, 0, 1).await.unwrap_err(),
	] {
		assert_eq!(error.status(), Some(Status::Refused));
	}
	nodes.client.close().await;
	nodes.server.close().await;
}
