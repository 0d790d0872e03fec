//! Everything in order.

use super::support::{pair, quick, shard, store, store_all, to, Memory};
use crate::{wire::MAX_HAS, GridConfig, GridError, Status};
use bytes::Bytes;
use futures_util::future::try_join_all;
use hippius_primitives::{coding::SHARD_LEN, ShardId, StripeId};
use std::sync::Arc;

#[tokio::test]
async fn put_get_has_stripe() {
	let memory = Arc::new(Memory::default());
	let ends = pair(quick(), memory.clone());
	for (seed, len) in [(0, 1), (1, 64), (2, 70_001), (3, SHARD_LEN)] {
		let (meta, bytes) = shard(seed, len, 29);
		let id = meta.shard().unwrap();
		assert!(ends
			.peer
			.get(id, SHARD_LEN)
			.await
			.unwrap_err()
			.is_not_found());
		assert_eq!(ends.peer.stripe(meta.stripe).await.unwrap(), None);
		assert!(
			!store(&ends.peer, &meta, bytes.clone())
				.await
				.unwrap()
				.already_held
		);
		assert!(
			store(&ends.peer, &meta, bytes.clone())
				.await
				.unwrap()
				.already_held
		);
		assert_eq!(ends.peer.get(id, len).await.unwrap(), bytes);
		assert_eq!(
			ends.peer.stripe(meta.stripe).await.unwrap(),
			Some(meta.clone())
		);
		assert_eq!(
			ends.peer.has(vec![ShardId([1; 32]), id]).await.unwrap(),
			[false, true]
		);
	}
	// The service is told who asks.
	assert!(memory
		.putters
		.lock()
		.unwrap()
		.iter()
		.all(|key| *key == ends.client.node_key()));
	// All of it went over one connection.
	assert_eq!(ends.client.open_connections(), 1);
	assert!(ends.peer.rtt().is_some());
	ends.client.close().await;
	ends.server.close().await;
}

#[tokio::test]
async fn both_ways_between_the_same_two_nodes() {
	let memory = Arc::new(Memory::default());
	let ends = pair(quick(), memory.clone());
	ends.client.serve(Arc::new(Memory::default())).unwrap();
	let back = to(&ends.server, &ends.client);
	let (meta, bytes) = shard(1, 1000, 0);
	store(&ends.peer, &meta, bytes.clone()).await.unwrap();
	store(&back, &meta, bytes.clone()).await.unwrap();
	assert_eq!(back.get(meta.shard().unwrap(), 1000).await.unwrap(), bytes);
}

#[tokio::test]
async fn long_lists_are_asked_in_parts() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	assert!(ends.peer.has(Vec::new()).await.unwrap().is_empty());
	let (meta, bytes) = shard(1, 100, 4);
	store(&ends.peer, &meta, bytes).await.unwrap();
	let mut ids = vec![ShardId([9; 32]); 2 * MAX_HAS + 3];
	for at in [0, MAX_HAS - 1, MAX_HAS, 2 * MAX_HAS + 2] {
		ids[at] = meta.shard().unwrap();
	}
	let held = ends.peer.has(ids.clone()).await.unwrap();
	let expected: Vec<bool> = ids.iter().map(|id| Some(*id) == meta.shard()).collect();
	assert_eq!(held, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_on_one_connection() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	let shards: Vec<_> = (0..120)
		.map(|seed| shard(seed, 20_000 + usize::from(seed), 7))
		.collect();
	store_all(&ends.peer, &shards).await;
	let gets = shards
		.iter()
		.map(|(meta, _)| ends.peer.get(meta.shard().unwrap(), SHARD_LEN));
	let got = try_join_all(gets).await.unwrap();
	assert!(got
		.iter()
		.zip(&shards)
		.all(|(got, (_, bytes))| got == bytes));
	// Dials made at the same time were one.
	assert_eq!(ends.client.open_connections(), 1);
}

/// More of them than a peer may have served at a time, and more bytes than a connection's window: what
/// waits to be looked at must not keep those from arriving that were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_whole_shards_at_once_on_one_connection() {
	let ends = pair(GridConfig::default(), Arc::new(Memory::default()));
	let shards: Vec<_> = (0..150).map(|seed| shard(seed, SHARD_LEN, 7)).collect();
	store_all(&ends.peer, &shards).await;
	assert_eq!(ends.client.open_connections(), 1);
}

#[tokio::test]
async fn callers_mistakes_send_nothing() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	let (meta, _) = shard(1, 10, 0);
	let mut wrong = meta.clone();
	wrong.stripe = StripeId([0; 32]);
	let bad = [
		store(&ends.peer, &wrong, Bytes::from_static(b"x")).await,
		store(&ends.peer, &meta, Bytes::new()).await,
		store(&ends.peer, &meta, vec![0; SHARD_LEN + 1].into()).await,
	];
	assert!(bad
		.iter()
		.all(|result| matches!(result, Err(GridError::BadRequest { .. }))));
	assert_eq!(ends.client.open_connections(), 0);
}

#[tokio::test]
async fn bytes_that_do_not_fit_their_id_are_refused() {
	let memory = Arc::new(Memory::default());
	let ends = pair(quick(), memory.clone());
	let (meta, _) = shard(1, 10, 0);
	let error = store(&ends.peer, &meta, Bytes::from_static(b"other"))
		.await
		.unwrap_err();
	assert_eq!(error.status(), Some(Status::BadRequest));
	assert!(error.to_string().contains("hash"), "{error}");
	assert!(memory.shards.lock().unwrap().is_empty());
}
