//! An in-memory service, ends on loopback, and peers that do not keep to the rules.

use crate::{
	tls, wire, BoxFuture, Extract, Grid, GridConfig, Identity, Peer, PutAck, ServiceError,
	ShardService,
};
use bytes::Bytes;
use codec::Encode;
use futures_util::future::try_join_all;
use hippius_primitives::{
	id::shard_id,
	permit::{SignedPermit, StorePermit},
	NodeKey, ShardId, ShardMeta, StripeId, TOTAL_SHARDS,
};
use quinn::{Connection, Endpoint, RecvStream};
use std::{
	collections::HashMap,
	net::{Ipv4Addr, SocketAddr},
	ops::Range,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::sync::mpsc;

pub(super) const LOOPBACK: SocketAddr =
	SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Keeps shards in memory and says who put them.
#[derive(Default)]
pub(super) struct Memory {
	pub(super) shards: Mutex<HashMap<ShardId, (ShardMeta, Bytes)>>,
	pub(super) putters: Mutex<Vec<NodeKey>>,
}

impl ShardService for Memory {
	fn authorize(&self, _: &NodeKey, _: &SignedPermit, _: &ShardMeta) -> Result<(), ServiceError> {
		Ok(())
	}

	fn put(
		&self,
		peer: NodeKey,
		_: SignedPermit,
		meta: ShardMeta,
		bytes: Bytes,
	) -> BoxFuture<'_, Result<PutAck, ServiceError>> {
		Box::pin(async move {
			let id = meta.shard().unwrap();
			self.putters.lock().unwrap().push(peer);
			let before = self.shards.lock().unwrap().insert(id, (meta, bytes));
			Ok(PutAck {
				already_held: before.is_some(),
			})
		})
	}

	fn get(
		&self,
		_: NodeKey,
		shard: ShardId,
		groups: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async move {
			let held = self.shards.lock().unwrap().get(&shard).cloned();
			held.map(|(_, bytes)| {
				Extract::of(&bytes, groups)
					.ok_or_else(|| ServiceError::bad_request("no such groups"))
			})
			.transpose()
		})
	}

	fn has(
		&self,
		_: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		Box::pin(async move {
			let held = self.shards.lock().unwrap();
			Ok(shards
				.iter()
				.map(|shard| held.contains_key(shard))
				.collect())
		})
	}

	fn stripe(
		&self,
		_: NodeKey,
		stripe: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		Box::pin(async move {
			let held = self.shards.lock().unwrap();
			Ok(held
				.values()
				.find(|(meta, _)| meta.stripe == stripe)
				.map(|(meta, _)| meta.clone()))
		})
	}
}

/// A shard of `len` bytes in slot `slot` of a stripe whose other shards do not exist.
pub(super) fn shard(seed: u8, len: usize, slot: u8) -> (ShardMeta, Bytes) {
	let mut bytes = vec![0; len];
	blake3::Hasher::new()
		.update(&[seed])
		.finalize_xof()
		.fill(&mut bytes);
	let mut ids: [ShardId; TOTAL_SHARDS] =
		std::array::from_fn(|slot| shard_id(&[seed, slot as u8]));
	ids[usize::from(slot)] = shard_id(&bytes);
	(ShardMeta::new(ids, slot).unwrap(), bytes.into())
}

/// A permit that any of these services takes.
pub(super) fn permit(meta: &ShardMeta, len: usize) -> SignedPermit {
	identity().permit(StorePermit {
		genesis: [0; 32],
		epoch: 1,
		stripe: meta.stripe,
		shard_len: len as u32,
		owner: [0; 32],
		issued: 1,
		expires: 2,
		nonce: 3,
	})
}

/// Puts with a permit made for it.
pub(super) async fn store(
	peer: &Peer,
	meta: &ShardMeta,
	bytes: Bytes,
) -> Result<PutAck, crate::GridError> {
	let permit = permit(meta, bytes.len());
	peer.put(&permit, meta, bytes).await
}

/// Puts all of them at once.
pub(super) async fn store_all(peer: &Peer, shards: &[(ShardMeta, Bytes)]) {
	let puts = shards
		.iter()
		.map(|(meta, bytes)| store(peer, meta, bytes.clone()));
	try_join_all(puts).await.unwrap();
}

/// Sends a whole request on a stream of its own; the answer comes on the other half.
pub(super) async fn open_with(connection: &Connection, request: &[u8]) -> RecvStream {
	let (mut send, recv) = connection.open_bi().await.unwrap();
	send.write_all(request).await.unwrap();
	send.finish().unwrap();
	recv
}

/// Short waits, so that a test of a deadline is quick.
pub(super) fn quick() -> GridConfig {
	GridConfig {
		handshake_timeout: Duration::from_secs(20),
		redial_delay: Duration::ZERO,
		..GridConfig::default()
	}
}

pub(crate) fn identity() -> Arc<Identity> {
	Arc::new(Identity::generate().unwrap())
}

pub(super) fn grid(config: GridConfig) -> Arc<Grid> {
	Grid::bind(LOOPBACK, identity(), config).unwrap()
}

pub(super) fn serving(config: GridConfig, service: Arc<dyn ShardService>) -> Arc<Grid> {
	let grid = grid(config);
	grid.serve(service).unwrap();
	grid
}

pub(super) fn to(client: &Grid, server: &Grid) -> Peer {
	client.peer(server.node_key(), vec![server.local_addr()])
}

/// A server and a client of it.
pub(super) struct Pair {
	pub(super) server: Arc<Grid>,
	pub(super) client: Arc<Grid>,
	pub(super) peer: Peer,
}

pub(super) fn pair(config: GridConfig, service: Arc<dyn ShardService>) -> Pair {
	let server = serving(config, service);
	let client = grid(quick());
	let peer = to(&client, &server);
	Pair {
		server,
		client,
		peer,
	}
}

/// A client of `server` that speaks QUIC and TLS as it should, and above that whatever it likes.
pub(super) async fn raw_client(server: &Grid) -> (Endpoint, Connection) {
	let (crypto, _) = tls::client(&identity(), server.node_key(), None).unwrap();
	let endpoint = Endpoint::client(LOOPBACK).unwrap();
	let config = quinn::ClientConfig::new(Arc::new(crypto));
	let connecting = endpoint
		.connect_with(config, server.local_addr(), tls::SERVER_NAME)
		.unwrap();
	let connection = connecting.await.unwrap();
	(endpoint, connection)
}

/// What a hostile server does with a stream, after it read the request.
pub(super) type Script =
	Arc<dyn Fn(quinn::SendStream, quinn::RecvStream) -> BoxFuture<'static, ()> + Send + Sync>;

/// A server that speaks QUIC and TLS as it should, and follows `script` above that.
pub(super) fn raw_server(script: Script) -> (Endpoint, NodeKey) {
	let identity = identity();
	let crypto = tls::server(&identity).unwrap();
	let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
	let endpoint = Endpoint::server(config, LOOPBACK).unwrap();
	let accepting = endpoint.clone();
	tokio::spawn(async move {
		while let Some(incoming) = accepting.accept().await {
			let script = script.clone();
			tokio::spawn(async move {
				let connection = incoming.await.unwrap();
				while let Ok((send, recv)) = connection.accept_bi().await {
					tokio::spawn(script(send, recv));
				}
			});
		}
	});
	(endpoint, identity.node_key())
}

/// Sends a message as it should be sent.
pub(super) async fn say(send: &mut quinn::SendStream, message: &impl Encode) {
	send.write_all(&wire::frame(message).unwrap())
		.await
		.unwrap();
}

/// Says when a call of its service starts, and when it is dropped before its end.
pub(super) struct Stuck {
	events: mpsc::UnboundedSender<&'static str>,
}

impl Stuck {
	pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<&'static str>) {
		let (events, seen) = mpsc::unbounded_channel();
		(Arc::new(Self { events }), seen)
	}

	fn hang<T>(&self) -> BoxFuture<'_, T> {
		struct Tell(mpsc::UnboundedSender<&'static str>);
		impl Drop for Tell {
			fn drop(&mut self) {
				let _ = self.0.send("dropped");
			}
		}
		Box::pin(async move {
			let _tell = Tell(self.events.clone());
			self.events.send("started").unwrap();
			std::future::pending().await
		})
	}
}

impl ShardService for Stuck {
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
		self.hang()
	}

	fn get(
		&self,
		_: NodeKey,
		_: ShardId,
		_: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		self.hang()
	}

	fn has(&self, _: NodeKey, _: Vec<ShardId>) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		self.hang()
	}

	fn stripe(
		&self,
		_: NodeKey,
		_: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		self.hang()
	}
}
