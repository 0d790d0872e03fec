//! How many, how much.

use super::support::{
	grid, open_with, pair, quick, raw_client, serving, shard, store, store_all, to, Memory, Stuck,
};
use crate::{
	wire::{code, frame, Request},
	DialCause, GridConfig, GridError, ShardService, Status,
};
use futures_util::future::try_join_all;
use hippius_primitives::{coding::SHARD_LEN, NodeKey, ShardId};
use quinn::ConnectionError;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn connections_in_all_are_limited() {
	let config = GridConfig {
		max_connections: 2,
		..quick()
	};
	let server = serving(config, Arc::new(Memory::default()));
	let clients = [grid(quick()), grid(quick())];
	for client in &clients {
		to(client, &server)
			.has(vec![ShardId([0; 32])])
			.await
			.unwrap();
	}
	let third = grid(quick());
	let error = to(&third, &server).connect().await.unwrap_err();
	let GridError::Unreachable { attempts, .. } = &error else {
		panic!("{error}")
	};
	assert!(
		matches!(attempts[0].cause, DialCause::Handshake(_)),
		"{error}"
	);
	// A place that becomes free can be taken.
	clients[0].close().await;
	let peer = to(&third, &server);
	while peer.has(vec![ShardId([0; 32])]).await.is_err() {
		tokio::task::yield_now().await;
	}
}

#[tokio::test]
async fn one_key_has_few_connections_and_the_oldest_gives_way() {
	let config = GridConfig {
		max_connections_per_peer: 2,
		..quick()
	};
	let server = serving(config, Arc::new(Memory::default()));
	let identity = super::support::identity();
	let mut connections = Vec::new();
	for _ in 0..3 {
		let grid = crate::Grid::bind(super::support::LOOPBACK, identity.clone(), quick()).unwrap();
		let peer = to(&grid, &server);
		peer.has(vec![ShardId([0; 32])]).await.unwrap();
		connections.push((peer.entry.live().unwrap(), grid));
	}
	let error = connections[0].0.closed().await;
	assert!(
		matches!(&error, ConnectionError::ApplicationClosed(close) if close.error_code == code::TOO_MANY),
		"{error}"
	);
	assert!(connections[1].0.close_reason().is_none());
	assert!(connections[2].0.close_reason().is_none());
}

#[tokio::test]
async fn addresses_are_proved_when_handshakes_pile_up() {
	// As if there were always too many: everybody is sent a retry, and honest ones still get in.
	let config = GridConfig {
		retry_above: 0,
		..quick()
	};
	let ends = pair(config, Arc::new(Memory::default()));
	assert_eq!(
		ends.peer.has(vec![ShardId([0; 32])]).await.unwrap(),
		[false]
	);
}

#[tokio::test]
async fn handshakes_beyond_the_limit_are_ignored() {
	let config = GridConfig {
		retry_above: 0,
		ignore_above: 0,
		..quick()
	};
	let server = serving(config, Arc::new(Memory::default()));
	let patience = Duration::from_millis(100);
	let client = grid(GridConfig {
		handshake_timeout: patience,
		..quick()
	});
	let error = to(&client, &server).connect().await.unwrap_err();
	let GridError::Unreachable { attempts, .. } = &error else {
		panic!("{error}")
	};
	assert!(matches!(attempts[0].cause, DialCause::Silent(_)), "{error}");
}

/// Admits nobody.
struct Closed;

impl ShardService for Closed {
	fn admit(&self, _: &NodeKey) -> bool {
		false
	}
}

#[tokio::test]
async fn peers_that_are_not_admitted_are_told() {
	let ends = pair(quick(), Arc::new(Closed));
	let error = ends.peer.get(ShardId([0; 32]), 10).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Refused), "{error}");
	assert!(
		error.to_string().contains("does not serve this key"),
		"{error}"
	);
}

/// Takes nothing.
struct Empty;

impl ShardService for Empty {}

#[tokio::test]
async fn what_is_refused_is_not_sent() {
	let ends = pair(quick(), Arc::new(Empty));
	let (meta, bytes) = shard(1, SHARD_LEN, 0);
	let error = store(&ends.peer, &meta, bytes).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Refused), "{error}");
	let sent = ends.peer.entry.live().unwrap().stats().udp_tx.bytes;
	assert!(sent < SHARD_LEN as u64 / 16, "{sent}");
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_their_turn() {
	let (stuck, mut events) = Stuck::new();
	let config = GridConfig {
		max_requests_per_peer: 5,
		..quick()
	};
	let server = serving(config, stuck);
	let (_endpoint, connection) = raw_client(&server).await;
	let get = frame(&Request::Get {
		shard: ShardId([1; 32]),
		groups: None,
	})
	.unwrap();
	let mut streams = Vec::new();
	for _ in 0..6 {
		streams.push(open_with(&connection, &get).await);
	}
	for _ in 0..5 {
		assert_eq!(events.recv().await, Some("started"));
	}
	assert!(events.try_recv().is_err());
	// One gives up, the sixth is let in.
	streams[2].stop(code::DONE).unwrap();
	assert_eq!(events.recv().await, Some("dropped"));
	assert_eq!(events.recv().await, Some("started"));
}

#[tokio::test]
async fn one_key_leaves_requests_to_others() {
	let (stuck, mut events) = Stuck::new();
	let config = GridConfig {
		max_requests: 20,
		..quick()
	};
	let server = serving(config, stuck);
	let get = frame(&Request::Get {
		shard: ShardId([1; 32]),
		groups: None,
	})
	.unwrap();
	let mut all = Vec::new();
	// The first may have four: a quarter of the sixteen that are then left.
	for (streams, let_in) in [(20, 4), (1, 1)] {
		let (endpoint, connection) = raw_client(&server).await;
		for _ in 0..streams {
			let recv = open_with(&connection, &get).await;
			all.push((endpoint.clone(), connection.clone(), recv));
		}
		for _ in 0..let_in {
			assert_eq!(events.recv().await, Some("started"));
		}
	}
	assert!(events.try_recv().is_err());
	assert_eq!(server.serve_stats().unwrap().requests, 5);
}

#[tokio::test]
async fn memory_for_bodies_is_shared_and_given_back() {
	// Room for one shard at a time, many at once: all get through, one after another.
	let config = GridConfig {
		body_memory: SHARD_LEN,
		..quick()
	};
	let ends = pair(config, Arc::new(Memory::default()));
	let shards: Vec<_> = (0..20).map(|seed| shard(seed, 300_000, 0)).collect();
	store_all(&ends.peer, &shards).await;
	let gets = shards
		.iter()
		.map(|(meta, _)| ends.peer.get(meta.shard().unwrap(), SHARD_LEN));
	assert_eq!(try_join_all(gets).await.unwrap().len(), 20);
}

#[tokio::test]
async fn kept_connections_are_limited() {
	let servers: Vec<_> = (0..3)
		.map(|_| serving(quick(), Arc::new(Memory::default())))
		.collect();
	let client = grid(GridConfig {
		max_pooled: 2,
		..quick()
	});
	for server in &servers {
		to(&client, server)
			.has(vec![ShardId([0; 32])])
			.await
			.unwrap();
	}
	// The first was let go: a new handle finds no connection, the others do.
	assert!(to(&client, &servers[2]).rtt().is_some());
	assert!(to(&client, &servers[1]).rtt().is_some());
	assert!(to(&client, &servers[0]).rtt().is_none());
}
