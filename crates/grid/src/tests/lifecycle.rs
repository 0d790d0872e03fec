//! Cancelling, restarting, closing, ageing.

use super::support::{
	grid, identity, pair, quick, serving, shard, store, to, Memory, Stuck, LOOPBACK,
};
use crate::{
	tls, BoxFuture, Extract, Grid, GridConfig, GridError, PutAck, ServiceError, ShardService,
};
use bytes::Bytes;
use futures_util::FutureExt;
use hippius_primitives::{permit::SignedPermit, NodeKey, ShardId, ShardMeta, StripeId};
use std::{
	ops::Range,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::sync::Notify;

#[tokio::test]
async fn a_dropped_request_is_dropped_on_the_other_side() {
	let (stuck, mut events) = Stuck::new();
	let ends = pair(quick(), stuck);
	let peer = ends.peer.clone();
	let get = tokio::spawn(async move { peer.get(ShardId([1; 32]), 10).await });
	assert_eq!(events.recv().await, Some("started"));
	get.abort();
	assert_eq!(events.recv().await, Some("dropped"));
	// The connection stays.
	assert!(ends.peer.rtt().is_some());
}

#[tokio::test]
async fn a_lost_client_is_noticed() {
	let (stuck, mut events) = Stuck::new();
	let ends = pair(quick(), stuck);
	let peer = ends.peer.clone();
	let stripe = tokio::spawn(async move { peer.stripe(StripeId([1; 32])).await });
	assert_eq!(events.recv().await, Some("started"));
	ends.client.close().await;
	assert_eq!(events.recv().await, Some("dropped"));
	assert!(matches!(stripe.await.unwrap(), Err(GridError::Closed)));
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
	let key = identity();
	let memory = Arc::new(Memory::default());
	let (meta, bytes) = shard(1, 1000, 0);
	let server = Grid::bind(LOOPBACK, key.clone(), quick()).unwrap();
	server.serve(memory.clone()).unwrap();
	let address = server.local_addr();
	let client = grid(quick());
	let peer = to(&client, &server);
	store(&peer, &meta, bytes.clone()).await.unwrap();

	server.close().await;
	drop(server);
	let server = loop {
		// The old socket is released by a task of the transport.
		match Grid::bind(address, key.clone(), quick()) {
			Ok(server) => break server,
			Err(GridError::Bind { .. }) => tokio::task::yield_now().await,
			Err(error) => panic!("{error}"),
		}
	};
	server.serve(memory).unwrap();
	assert_eq!(peer.get(meta.shard().unwrap(), 1000).await.unwrap(), bytes);
}

/// A server that is killed says nothing. The one started in its place must recognise packets of
/// the old one's connections and say that they are gone, or clients wait for the idle timeout.
#[test]
fn a_killed_and_restarted_server_tells_its_old_peers() {
	let key = identity();
	let runtime = || {
		tokio::runtime::Builder::new_multi_thread()
			.worker_threads(1)
			.enable_all()
			.build()
	};
	let memory = Arc::new(Memory::default());
	let (meta, bytes) = shard(1, 1000, 0);
	// Without the reset, the client would wait for hours.
	let patient = GridConfig {
		idle_timeout: Duration::from_secs(3600),
		keep_alive: Duration::from_secs(1800),
		answer_timeout: Duration::from_secs(3600),
		..quick()
	};
	let before = runtime().unwrap();
	let server = before.block_on(async {
		let server = Grid::bind(LOOPBACK, key.clone(), patient.clone()).unwrap();
		server.serve(memory.clone()).unwrap();
		server
	});
	let (address, node_key) = (server.local_addr(), server.node_key());
	let after = runtime().unwrap();
	let client = after.block_on(async { grid(patient) });
	let peer = client.peer(node_key, vec![address]);
	after.block_on(store(&peer, &meta, bytes.clone())).unwrap();

	// All tasks of the old server end here, without a word.
	before.shutdown_timeout(Duration::from_secs(60));
	drop(server);
	after.block_on(async {
		let server = Grid::bind(address, key, quick()).unwrap();
		server.serve(memory).unwrap();
		let get = peer.get(meta.shard().unwrap(), 1000);
		let got = tokio::time::timeout(Duration::from_secs(60), get).await;
		assert_eq!(got.unwrap().unwrap(), bytes);
	});
}

/// Stores when told to.
struct Gate {
	started: Notify,
	open: Notify,
}

impl ShardService for Gate {
	fn authorize(&self, _: &NodeKey, _: &SignedPermit, _: &ShardMeta) -> Result<(), ServiceError> {
		Ok(())
	}

	fn put(
		&self,
		_: NodeKey,
		_: SignedPermit,
		_: ShardMeta,
		_: Bytes,
	) -> BoxFuture<'_, Result<PutAck, ServiceError>> {
		Box::pin(async {
			self.started.notify_one();
			self.open.notified().await;
			Ok(PutAck {
				already_held: false,
			})
		})
	}

	fn get(
		&self,
		_: NodeKey,
		_: ShardId,
		_: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async { panic!("a service that panics") })
	}

	fn has(&self, _: NodeKey, _: Vec<ShardId>) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		Box::pin(async { Ok(vec![false]) })
	}

	fn stripe(
		&self,
		_: NodeKey,
		_: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		Box::pin(async { Err(ServiceError::corrupt("bad sector")) })
	}
}

#[tokio::test]
async fn the_ack_waits_for_the_service_and_closing_waits_for_the_ack() {
	let gate = Arc::new(Gate {
		started: Notify::new(),
		open: Notify::new(),
	});
	let ends = pair(
		GridConfig {
			drain_timeout: Duration::from_secs(3600),
			..quick()
		},
		gate.clone(),
	);
	let (meta, bytes) = shard(1, 1000, 0);
	let put = store(&ends.peer, &meta, bytes).shared_boxed();
	let started = gate.started.notified();
	tokio::select! {
		_ = put.clone() => panic!("acknowledged before it was stored"),
		() = started => {}
	}
	assert!(put.clone().now_or_never().is_none());
	let server = ends.server.clone();
	let close = tokio::spawn(async move { server.close().await });
	gate.open.notify_one();
	assert!(put.await.is_ok());
	close.await.unwrap();
	assert!(matches!(ends.server.serve(gate), Err(GridError::Closed)));
	let late = ends
		.server
		.peer(ends.client.node_key(), vec![ends.client.local_addr()]);
	assert!(matches!(late.connect().await, Err(GridError::Closed)));
}

/// `.boxed().shared()` with an output that can be cloned.
trait SharedBoxed<'a> {
	fn shared_boxed(self)
		-> futures_util::future::Shared<BoxFuture<'a, Result<PutAck, GridError>>>;
}

impl<'a, F: std::future::Future<Output = Result<PutAck, GridError>> + Send + 'a> SharedBoxed<'a>
	for F
{
	fn shared_boxed(
		self,
	) -> futures_util::future::Shared<BoxFuture<'a, Result<PutAck, GridError>>> {
		self.boxed().shared()
	}
}

#[tokio::test]
async fn a_service_that_panics_does_not_look_like_an_answer() {
	let gate = Arc::new(Gate {
		started: Notify::new(),
		open: Notify::new(),
	});
	let ends = pair(quick(), gate);
	let error = ends.peer.get(ShardId([0; 32]), 10).await.unwrap_err();
	assert!(
		matches!(error, GridError::Interrupted { code: 3, .. }),
		"{error}"
	);
	// The node lives on.
	assert_eq!(
		ends.peer.has(vec![ShardId([0; 32])]).await.unwrap(),
		[false]
	);
	let error = ends.peer.stripe(StripeId([0; 32])).await.unwrap_err();
	assert_eq!(error.status(), Some(crate::Status::Corrupt));
}

#[tokio::test]
async fn serving_twice_is_refused_and_a_bound_port_is_named() {
	let server = serving(quick(), Arc::new(Memory::default()));
	let again = server.serve(Arc::new(Memory::default()));
	assert!(matches!(again, Err(GridError::AlreadyServing)));
	let error = Grid::bind(server.local_addr(), identity(), quick()).unwrap_err();
	assert!(matches!(error, GridError::Bind { address, .. } if address == server.local_addr()));
	let config = GridConfig {
		max_requests: 0,
		..quick()
	};
	assert!(matches!(
		Grid::bind(LOOPBACK, identity(), config),
		Err(GridError::Config { .. })
	));
}

#[test]
fn no_runtime_is_an_error() {
	assert!(matches!(
		Grid::bind(LOOPBACK, identity(), quick()),
		Err(GridError::NoRuntime)
	));
}

#[tokio::test]
async fn aged_connections_are_replaced() {
	let server = serving(quick(), Arc::new(Memory::default()));
	// Every connection is too old for a second request.
	let client = grid(GridConfig {
		max_connection_age: Duration::from_nanos(1),
		..quick()
	});
	let peer = to(&client, &server);
	let mut kept: Vec<quinn::Connection> = Vec::new();
	while kept.len() < 4 {
		// No request waits for the new connection, and none fails.
		peer.has(vec![ShardId([0; 32])]).await.unwrap();
		let live = peer.entry.live().unwrap();
		if kept.last().map(quinn::Connection::stable_id) != Some(live.stable_id()) {
			kept.push(live);
		}
	}
}

#[tokio::test]
async fn an_aged_connection_serves_on_if_there_is_no_new_one() {
	let config = GridConfig {
		max_connections: 1,
		..quick()
	};
	let server = serving(config, Arc::new(Memory::default()));
	let client = grid(GridConfig {
		max_connection_age: Duration::from_nanos(1),
		..quick()
	});
	let peer = to(&client, &server);
	// Every request finds the connection too old, and the server refuses another one.
	while server.serve_stats().unwrap().refused < 3 {
		peer.has(vec![ShardId([0; 32])]).await.unwrap();
	}
	assert!(peer.rtt().is_some());
}

#[tokio::test]
async fn a_disconnected_peer_is_dialled_again() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	ends.peer.connect().await.unwrap();
	let first = ends.peer.entry.live().unwrap().stable_id();
	ends.peer.connect().await.unwrap();
	assert_eq!(ends.peer.entry.live().unwrap().stable_id(), first);
	let kept = ends.peer.entry.live().unwrap();
	ends.peer.disconnect();
	assert!(ends.peer.rtt().is_none());
	ends.peer.connect().await.unwrap();
	assert_ne!(
		ends.peer.entry.live().unwrap().stable_id(),
		kept.stable_id()
	);
	// What was under way could go on.
	assert!(kept.close_reason().is_none());
}

#[tokio::test]
async fn a_failed_dial_is_shared_and_remembered_for_a_while() {
	// A socket that nobody serves on.
	let deaf = grid(quick());
	let config = GridConfig {
		handshake_timeout: Duration::from_millis(100),
		redial_delay: Duration::from_secs(3600),
		..quick()
	};
	let client = grid(config);
	let peer = to(&client, &deaf);
	let (one, two) = tokio::join!(peer.connect(), peer.connect());
	assert!(matches!(one, Err(GridError::Unreachable { .. })));
	assert!(matches!(two, Err(GridError::Unreachable { .. })));
	// Fails without waiting: it is ready at the first look.
	assert!(matches!(
		peer.connect().now_or_never(),
		Some(Err(GridError::Unreachable { .. }))
	));
	// New addresses are tried at once.
	let server = serving(quick(), Arc::new(Memory::default()));
	let moved = client.peer(
		deaf.node_key(),
		vec![server.local_addr(), deaf.local_addr()],
	);
	assert!(moved.connect().now_or_never().is_none());
}

/// A client that would resume if it could: it keeps whatever tickets it is given.
#[tokio::test]
async fn sessions_cannot_be_resumed() {
	#[derive(Debug, Default)]
	struct Tickets(AtomicUsize);
	impl rustls::client::ClientSessionStore for Tickets {
		fn set_kx_hint(&self, _: rustls::pki_types::ServerName<'static>, _: rustls::NamedGroup) {}
		fn kx_hint(&self, _: &rustls::pki_types::ServerName<'_>) -> Option<rustls::NamedGroup> {
			None
		}
		fn set_tls12_session(
			&self,
			_: rustls::pki_types::ServerName<'static>,
			_: rustls::client::Tls12ClientSessionValue,
		) {
		}
		fn tls12_session(
			&self,
			_: &rustls::pki_types::ServerName<'_>,
		) -> Option<rustls::client::Tls12ClientSessionValue> {
			None
		}
		fn remove_tls12_session(&self, _: &rustls::pki_types::ServerName<'static>) {}
		fn insert_tls13_ticket(
			&self,
			_: rustls::pki_types::ServerName<'static>,
			_: rustls::client::Tls13ClientSessionValue,
		) {
			self.0.fetch_add(1, Ordering::SeqCst);
		}
		fn take_tls13_ticket(
			&self,
			_: &rustls::pki_types::ServerName<'static>,
		) -> Option<rustls::client::Tls13ClientSessionValue> {
			None
		}
	}
	let server = serving(quick(), Arc::new(Memory::default()));
	let tickets = Arc::new(Tickets::default());
	let (mut config, _) = tls::client_config(&identity(), server.node_key(), None).unwrap();
	config.resumption = rustls::client::Resumption::store(tickets.clone());
	config.enable_early_data = true;
	let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
	let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
	let config = quinn::ClientConfig::new(Arc::new(crypto));
	for _ in 0..2 {
		let connecting = endpoint
			.connect_with(config.clone(), server.local_addr(), tls::SERVER_NAME)
			.unwrap();
		// No early data: there is nothing to resume.
		let connecting = connecting.into_0rtt().err().unwrap();
		let connection = connecting.await.unwrap();
		// A request and its answer, so that anything sent after the handshake has arrived.
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		send.write_all(
			&crate::wire::frame(&crate::wire::Request::Get {
				shard: ShardId([0; 32]),
				groups: None,
			})
			.unwrap(),
		)
		.await
		.unwrap();
		send.finish().unwrap();
		recv.read_to_end(4096).await.unwrap();
	}
	assert_eq!(tickets.0.load(Ordering::SeqCst), 0);
}
