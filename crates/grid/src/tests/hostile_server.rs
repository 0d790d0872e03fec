//! What a client makes of servers that lie or break off.

use super::support::{
	grid, identity, pair, quick, raw_server, say, serving, shard, store, Memory, Script,
};
use crate::{
	wire::{code, frame, Response},
	BoxFuture, DialCause, Extract, GridError, Peer, PutAck, ServiceError, ShardService, Status,
};
use arion_storage_proof::{outboard::group_count, Outboard};
use bytes::Bytes;
use hippius_primitives::{
	coding::SHARD_LEN, permit::SignedPermit, NodeKey, ShardId, ShardMeta, StripeId,
};
use std::{
	future::Future,
	ops::Range,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc,
	},
};

fn script<F, Fut>(run: F) -> Script
where
	F: Fn(quinn::SendStream, quinn::RecvStream) -> Fut + Send + Sync + 'static,
	Fut: Future<Output = ()> + Send + 'static,
{
	Arc::new(move |send, recv| Box::pin(run(send, recv)))
}

/// A client, and its handle to a server that follows `script`. The ends must be kept.
fn against(script: Script) -> (impl Sized, Peer) {
	let (endpoint, key) = raw_server(script);
	let client = grid(quick());
	let peer = client.peer(key, vec![endpoint.local_addr().unwrap()]);
	((endpoint, client), peer)
}

#[tokio::test]
async fn a_dial_to_the_wrong_key_fails_and_names_the_right_one() {
	let server = serving(quick(), Arc::new(Memory::default()));
	let client = grid(quick());
	let expected = identity().node_key();
	let peer = client.peer(expected, vec![server.local_addr()]);
	let error = peer.get(ShardId([1; 32]), 10).await.unwrap_err();
	let GridError::Unreachable { peer, attempts } = &error else {
		panic!("{error}")
	};
	assert_eq!(*peer, expected);
	let [attempt] = attempts.as_slice() else {
		panic!("{error}")
	};
	assert_eq!(attempt.address, server.local_addr());
	let offered = server.node_key();
	assert!(matches!(attempt.cause, DialCause::WrongKey { offered: key } if key == offered));
	assert!(error.to_string().contains(&offered.to_string()));
}

/// What a hostile server shows.
#[derive(Clone, Copy)]
enum Shows {
	/// Its own key, as it should.
	OwnKey,
	/// A sound X.509 certificate of its own that has a victim's key in its names, said to be X.509.
	Planted,
	/// The same, said to be a raw key.
	PlantedRaw,
}

/// A dial for `wanted` at a server with the key of the secret [7; 32]; how it failed, if it did.
async fn dial_at(shows: Shows, wanted: NodeKey) -> Option<String> {
	let own = crate::Identity::from_seed(&[7; 32]).unwrap();
	let der = match shows {
		Shows::OwnKey => crate::tls::spki(&own.node_key()).to_vec(),
		Shows::Planted | Shows::PlantedRaw => super::hostile_client::planted(&own, &wanted),
	};
	let provider = Arc::new(rustls::crypto::ring::default_provider());
	let key = super::hostile_client::pkcs8([7; 32]);
	let key = provider.key_provider.load_private_key(key).unwrap();
	let certified = Arc::new(rustls::sign::CertifiedKey::new(vec![der.into()], key));
	let resolver: Arc<dyn rustls::server::ResolvesServerCert> = match shows {
		Shows::Planted => Arc::new(rustls::sign::SingleCertAndKey::from(certified)),
		Shows::OwnKey | Shows::PlantedRaw => Arc::new(
			rustls::server::AlwaysResolvesServerRawPublicKeys::new(certified),
		),
	};
	let mut config = rustls::ServerConfig::builder_with_provider(provider)
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		// Asks for raw keys as it should, or the dialler's certificate would never be looked at.
		.with_client_cert_verifier(Arc::new(super::gullible::Gullible::new(true)))
		.with_cert_resolver(resolver);
	config.alpn_protocols = vec![crate::ALPN.to_vec()];
	let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(config).unwrap();
	let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
	let endpoint = quinn::Endpoint::server(config, super::support::LOOPBACK).unwrap();
	let accepting = endpoint.clone();
	tokio::spawn(async move {
		let mut open = Vec::new();
		while let Some(incoming) = accepting.accept().await {
			open.push(incoming.await);
		}
	});
	let client = grid(quick());
	let peer = client.peer(wanted, vec![endpoint.local_addr().unwrap()]);
	let error = peer.connect().await.err()?;
	let GridError::Unreachable { attempts, .. } = &error else {
		panic!("{error}")
	};
	match &attempts[0].cause {
		DialCause::Handshake(why) => Some(why.clone()),
		_ => panic!("{error}"),
	}
}

#[tokio::test]
async fn a_planted_key_in_a_servers_certificate_is_not_found() {
	let victim = identity().node_key();
	let own = crate::Identity::from_seed(&[7; 32]).unwrap().node_key();
	// The server is well but for what it shows.
	assert_eq!(dial_at(Shows::OwnKey, own).await, None);
	// Certificates are not even spoken of.
	let why = dial_at(Shows::Planted, victim).await.unwrap();
	assert!(why.contains("IncorrectCertificateTypeExtension"), "{why}");
	// And as a raw key it is none, whatever bytes are in it.
	let why = dial_at(Shows::PlantedRaw, victim).await.unwrap();
	assert!(why.contains("BadEncoding"), "{why}");
}

#[tokio::test]
async fn addresses_are_tried_in_order() {
	let server = serving(quick(), Arc::new(Memory::default()));
	let other = serving(quick(), Arc::new(Memory::default()));
	let client = grid(quick());
	// A wrong node, an address of the wrong family, then the right one.
	let addresses = vec![
		other.local_addr(),
		"[::1]:9".parse().unwrap(),
		server.local_addr(),
	];
	let peer = client.peer(server.node_key(), addresses);
	assert_eq!(peer.has(vec![ShardId([0; 32])]).await.unwrap(), [false]);
	let nowhere = client.peer(identity().node_key(), Vec::new());
	assert!(matches!(
		nowhere.connect().await,
		Err(GridError::NoAddress { .. })
	));
	let unsound = client.peer(NodeKey([0; 32]), vec![server.local_addr()]);
	assert!(matches!(
		unsound.connect().await,
		Err(GridError::BadRequest { .. })
	));
}

/// Gives what it was told to give, whatever is asked.
struct Liar {
	/// What it proves, and what it sends.
	shards: (Bytes, Bytes),
	meta: ShardMeta,
	disputes: AtomicUsize,
}

impl Liar {
	fn new(proves: Bytes, sends: Bytes, meta: &ShardMeta) -> Arc<Self> {
		Arc::new(Self {
			shards: (proves, sends),
			meta: meta.clone(),
			disputes: AtomicUsize::new(0),
		})
	}
}

impl ShardService for Liar {
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
		Box::pin(async { Err(ServiceError::insufficient_storage("full\u{1b}[2J")) })
	}

	fn get(
		&self,
		_: NodeKey,
		_: ShardId,
		_: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async {
			let (proves, sends) = &self.shards;
			let outboard = Outboard::build(proves);
			Ok(Extract::new(
				outboard,
				0..group_count(proves.len() as u64),
				sends.clone(),
			))
		})
	}

	fn disputed(&self, _: NodeKey, _: ShardId) {
		self.disputes.fetch_add(1, Ordering::SeqCst);
	}

	fn has(&self, _: NodeKey, _: Vec<ShardId>) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		Box::pin(async { Ok(vec![true]) })
	}

	fn stripe(
		&self,
		_: NodeKey,
		_: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		Box::pin(async { Ok(Some(self.meta.clone())) })
	}
}

#[tokio::test]
async fn lies_are_found_out() {
	let (mut meta, bytes) = shard(1, 50_000, 0);
	let id = meta.shard().unwrap();
	let mut flipped = bytes.to_vec();
	flipped[40_000] ^= 1;
	let liar = Liar::new(bytes.clone(), flipped.into(), &meta);
	let ends = pair(quick(), liar.clone());

	let error = ends.peer.get(id, SHARD_LEN).await.unwrap_err();
	assert!(error.is_misbehaviour());
	let GridError::WrongBytes { peer, shard, .. } = error else {
		panic!("{error}")
	};
	assert_eq!((peer, shard), (ends.server.node_key(), id));

	// The node was told, and may look at its copy.
	while liar.disputes.load(Ordering::SeqCst) == 0 {
		tokio::task::yield_now().await;
	}

	// More than was asked for is not even read.
	let error = ends.peer.get(id, 49_999).await.unwrap_err();
	assert!(matches!(error, GridError::Protocol { .. }), "{error}");

	// A consistent stripe, but another one.
	let error = ends.peer.stripe(StripeId([5; 32])).await.unwrap_err();
	assert!(matches!(error, GridError::Protocol { .. }), "{error}");
	assert!(ends.peer.stripe(meta.stripe).await.unwrap().is_some());

	// A service that miscounts is caught on its own side.
	let error = ends.peer.has(vec![id, id]).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Internal));

	// Refusals come through typed, their text without control characters.
	let error = store(&ends.peer, &meta, bytes.clone()).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::InsufficientStorage));
	assert!(error.to_string().ends_with("full?[2J"), "{error}");

	// The right stripe id over other shards.
	meta.shards[3] = ShardId([3; 32]);
	let ends = pair(quick(), Liar::new(bytes.clone(), bytes, &meta));
	let error = ends.peer.stripe(meta.stripe).await.unwrap_err();
	assert!(matches!(error, GridError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_reset_in_the_middle_is_no_short_success() {
	let (_ends, peer) = against(script(|mut send, mut recv| async move {
		recv.read_to_end(4096).await.unwrap();
		say(&mut send, &Response::Slice { len: 1000 }).await;
		send.write_all(&[1; 500]).await.unwrap();
		send.reset(code::INTERNAL).unwrap();
	}));
	let error = peer.get(ShardId([1; 32]), 1000).await.unwrap_err();
	assert!(
		matches!(error, GridError::Interrupted { code: 3, .. }),
		"{error}"
	);
}

#[tokio::test]
async fn a_clean_end_in_the_middle_is_no_short_success() {
	let (_ends, peer) = against(script(|mut send, mut recv| async move {
		recv.read_to_end(4096).await.unwrap();
		say(&mut send, &Response::Slice { len: 1000 }).await;
		send.write_all(&[1; 500]).await.unwrap();
		send.finish().unwrap();
		let _ = send.stopped().await;
	}));
	let error = peer.get(ShardId([1; 32]), 1000).await.unwrap_err();
	assert!(matches!(error, GridError::Protocol { .. }), "{error}");
	assert!(error.to_string().contains("ended too early"), "{error}");
}

#[tokio::test]
async fn a_long_end_is_refused() {
	let (meta, bytes) = shard(1, 1000, 0);
	let extra = [&bytes[..], b"x"].concat();
	let (_ends, peer) = against(script(move |mut send, mut recv| {
		let extra = extra.clone();
		async move {
			recv.read_to_end(4096).await.unwrap();
			say(&mut send, &Response::Slice { len: 1000 }).await;
			// The client may stop us in the middle of this.
			let _ = send.write_all(&extra).await;
			let _ = send.stopped().await;
		}
	}));
	let error = peer.get(meta.shard().unwrap(), 1000).await.unwrap_err();
	assert!(error.to_string().contains("went on"), "{error}");
}

#[tokio::test]
async fn bad_answer_frames_are_refused() {
	let put = frame(&Response::Stored(PutAck {
		already_held: false,
	}))
	.unwrap();
	let answers: Vec<(&str, Vec<u8>)> = vec![
		("too early", vec![]),
		("too early", vec![5]),
		("too early", vec![5, 0, 3]),
		("empty frame", vec![0, 0]),
		("at most 2048", vec![0xff, 0xff]),
		("version 9", vec![2, 0, 9, 1]),
		("does not decode", vec![2, 0, 3, 77]),
		("range", vec![6, 0, 3, 2, 0xff, 0xff, 0xff, 0xff]),
		("another question", put),
		(
			"another question",
			frame(&Response::Held { bits: vec![1] }).unwrap(),
		),
	];
	for (expected, answer) in answers {
		let (_ends, peer) = against(script(move |mut send, mut recv| {
			let answer = answer.clone();
			async move {
				recv.read_to_end(4096).await.unwrap();
				let _ = send.write_all(&answer).await;
				let _ = send.finish();
				let _ = send.stopped().await;
			}
		}));
		let error = peer.get(ShardId([1; 32]), 1000).await.unwrap_err();
		assert!(error.is_misbehaviour(), "{error}");
		assert!(error.to_string().contains(expected), "{expected}: {error}");
	}
}

#[tokio::test]
async fn who_asks_for_a_body_twice_is_refused() {
	let (meta, bytes) = shard(1, 100_000, 0);
	let (_ends, peer) = against(script(move |mut send, mut recv| async move {
		say(&mut send, &Response::Go).await;
		recv.read_to_end(200_000).await.unwrap();
		say(&mut send, &Response::Go).await;
		let _ = send.stopped().await;
	}));
	let error = super::support::store(&peer, &meta, bytes)
		.await
		.unwrap_err();
	assert!(error.is_misbehaviour(), "{error}");
	assert!(error.to_string().contains("(go)"), "{error}");
}

#[tokio::test]
async fn bits_that_do_not_fit_the_question_are_refused() {
	for bits in [vec![], vec![0, 0], vec![0b1000]] {
		let (_ends, peer) = against(script(move |mut send, mut recv| {
			let bits = bits.clone();
			async move {
				recv.read_to_end(4096).await.unwrap();
				say(&mut send, &Response::Held { bits }).await;
				send.finish().unwrap();
				let _ = send.stopped().await;
			}
		}));
		let error = peer.has(vec![ShardId([1; 32]); 3]).await.unwrap_err();
		assert!(error.to_string().contains("does not fit"), "{error}");
	}
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
	let (endpoint, key) = raw_server(script(|send, recv| async move {
		// Holds the stream and says nothing.
		let _ = send.stopped().await;
		drop(recv);
	}));
	let config = crate::GridConfig {
		answer_timeout: std::time::Duration::from_millis(50),
		..quick()
	};
	let client = grid(config);
	let peer = client.peer(key, vec![endpoint.local_addr().unwrap()]);
	peer.connect().await.unwrap();
	let error = peer.get(ShardId([1; 32]), 1000).await.unwrap_err();
	assert!(
		matches!(error, GridError::Timeout { what: "answer", .. }),
		"{error}"
	);
	// The next request will not trust that connection.
	assert!(peer.rtt().is_none());
}
