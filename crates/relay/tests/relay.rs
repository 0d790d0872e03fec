//! Nodes that meet at the real relay.

#![allow(clippy::unwrap_used)]

use arion_grid::{
	BoxFuture, Extract, Grid, GridConfig, Identity, PathKind, Reach, RelayAddress, RelayState,
	ServiceError, ShardService,
};
use arion_relay::{admission::Admission, config::Config, server::Relay};
use bytes::Bytes;
use hippius_primitives::{NodeKey, ShardId};
use std::{net::SocketAddr, ops::Range, sync::Arc, time::Duration};
use tokio::{
	io::{AsyncReadExt as _, AsyncWriteExt as _},
	net::TcpStream,
	sync::oneshot,
	task::JoinHandle,
	time::timeout,
};

/// Against hanging only.
const GUARD: Duration = Duration::from_secs(120);
const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A relay that runs within the test.
struct Running {
	address: SocketAddr,
	metrics: SocketAddr,
	admission: Admission,
	stop: oneshot::Sender<()>,
	task: JoinHandle<()>,
}

impl Running {
	async fn start(config: Config) -> Self {
		let relay = Relay::open(config).await.unwrap();
		let (address, metrics) = (relay.address(), relay.metrics_address().unwrap());
		let admission = relay.admission().clone();
		let (stop, stopping) = oneshot::channel();
		let task = tokio::spawn(relay.serve(async {
			let _ = stopping.await;
		}));
		Self {
			address,
			metrics,
			admission,
			stop,
			task,
		}
	}

	fn url(&self) -> RelayAddress {
		format!("http://{}", self.address).parse().unwrap()
	}

	async fn stop(self) {
		self.stop.send(()).unwrap();
		timeout(GUARD, self.task).await.unwrap().unwrap();
	}

	async fn scrape(&self) -> String {
		let mut http = TcpStream::connect(self.metrics).await.unwrap();
		let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
		http.write_all(request).await.unwrap();
		let mut text = String::new();
		http.read_to_string(&mut text).await.unwrap();
		text
	}
}

fn settings(keys: &[NodeKey]) -> Config {
	Config {
		listen: LOOPBACK.into(),
		metrics: Some(LOOPBACK.into()),
		// No file: nobody but these.
		allow: keys
			.iter()
			.chain([&NodeKey([9; 32])])
			.map(|key| hex::encode(key.0))
			.collect(),
		..Config::default()
	}
}

fn identity() -> Arc<Identity> {
	Arc::new(Identity::generate().unwrap())
}

fn grid(identity: Arc<Identity>, relays: &[RelayAddress]) -> Arc<Grid> {
	let config = GridConfig {
		relays: relays.to_vec(),
		relay_retry: Duration::from_millis(5),
		handshake_timeout: Duration::from_secs(30),
		redial_delay: Duration::ZERO,
		..GridConfig::default()
	};
	Grid::bind(LOOPBACK.into(), identity, config).unwrap()
}

fn only(relay: &RelayAddress) -> Reach {
	Reach {
		direct: Vec::new(),
		relays: vec![relay.clone()],
	}
}

/// Serves two shards.
struct Two(Vec<(ShardId, Bytes)>);

fn two() -> Two {
	let shard = |seed: u8, len: usize| {
		let mut bytes = vec![0; len];
		let mut stream = blake3::Hasher::new().update(&[seed]).finalize_xof();
		stream.fill(&mut bytes);
		(hippius_primitives::id::shard_id(&bytes), Bytes::from(bytes))
	};
	Two(vec![shard(1, 209_716), shard(2, 1 << 20)])
}

impl ShardService for Two {
	fn get(
		&self,
		_: NodeKey,
		shard: ShardId,
		groups: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async move {
			let held = self.0.iter().find(|(id, _)| *id == shard);
			Ok(held.and_then(|(_, bytes)| Extract::of(bytes, groups)))
		})
	}
}

async fn reads(client: &Grid, server: &Grid, relay: &RelayAddress) {
	let peer = client.peer(server.node_key(), only(relay));
	for (id, bytes) in two().0 {
		let got = timeout(GUARD, peer.get(id, 1 << 20)).await.unwrap();
		assert_eq!(got.unwrap(), bytes);
	}
	assert_eq!(peer.path(), Some(PathKind::Relayed));
}

#[tokio::test]
async fn shards_travel_through_the_relay_and_its_restart() {
	let (a, b) = (identity(), identity());
	let keys = [a.node_key(), b.node_key()];
	let relay = Running::start(settings(&keys)).await;
	let (address, url) = (relay.address, relay.url());
	let server = grid(a, std::slice::from_ref(&url));
	server.serve(Arc::new(two())).unwrap();
	timeout(GUARD, server.relay_ready()).await.unwrap().unwrap();
	let client = grid(b, &[]);
	reads(&client, &server, &url).await;
	let text = relay.scrape().await;
	for name in ["relayserver_bytes_recv_total", "arion_relay_admitted_total"] {
		let line = text.lines().find(|line| line.starts_with(name)).unwrap();
		assert!(!line.ends_with(" 0"), "{line}");
	}
	relay.stop().await;
	let relay = Running::start(Config {
		listen: address,
		..settings(&keys)
	})
	.await;
	reads(&client, &server, &url).await;
	relay.stop().await;
}

#[tokio::test]
async fn only_registered_and_allowed_keys_come_in() {
	let (gateway, node, stranger) = (identity(), identity(), identity());
	let relay = Running::start(settings(&[gateway.node_key()])).await;
	relay.admission.set_registered([node.node_key()].into());
	let url = relay.url();
	for admitted in [gateway, node.clone()] {
		let grid = grid(admitted, std::slice::from_ref(&url));
		timeout(GUARD, grid.relay_ready()).await.unwrap().unwrap();
		grid.close().await;
	}
	let refused = grid(stranger, std::slice::from_ref(&url));
	let error = timeout(GUARD, refused.relay_ready()).await.unwrap();
	let error = error.unwrap_err();
	assert!(error.contains("not registered on chain"), "{error}");

	// A node that has left the registry is shown out.
	let leaving = grid(node, std::slice::from_ref(&url));
	timeout(GUARD, leaving.relay_ready())
		.await
		.unwrap()
		.unwrap();
	let mut state = leaving.watch_relay(&url).unwrap();
	relay.admission.set_registered([NodeKey([1; 32])].into());
	let gone = state.wait_for(|state| *state != RelayState::Connected);
	timeout(GUARD, gone).await.unwrap().unwrap();
	relay.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_too_much_is_slowed_down_and_nothing_breaks() {
	let (a, b) = (identity(), identity());
	let relay = Running::start(Config {
		rate: 4_000_000.try_into().unwrap(),
		burst: (1 << 20).try_into().unwrap(),
		..settings(&[a.node_key(), b.node_key()])
	})
	.await;
	let url = relay.url();
	let server = grid(a, std::slice::from_ref(&url));
	server.serve(Arc::new(two())).unwrap();
	timeout(GUARD, server.relay_ready()).await.unwrap().unwrap();
	let client = grid(b, &[]);
	for _ in 0..2 {
		reads(&client, &server, &url).await;
	}
	let text = relay.scrape().await;
	let limited = "relayserver_conns_rx_ratelimited_total";
	let line = text.lines().find(|line| line.starts_with(limited)).unwrap();
	assert!(!line.ends_with(" 0"), "{line}");
	relay.stop().await;
}

/// With TLS the relay is found under its name, and not spoken to when its certificate is unknown.
#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
	let folder = tempfile::tempdir().unwrap();
	let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
	let (cert, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
	std::fs::write(&cert, made.cert.pem()).unwrap();
	std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
	let node = identity();
	let config = Config {
		cert: Some(cert.clone()),
		key: Some(key),
		..settings(&[node.node_key()])
	};
	let wrong = Config {
		key: Some(cert),
		..config.clone()
	};
	assert!(Relay::open(wrong).await.is_err());
	let relay = Running::start(config).await;
	let url: RelayAddress = format!("https://localhost:{}", relay.address.port())
		.parse()
		.unwrap();
	let grid = grid(node, &[url]);
	let error = timeout(GUARD, grid.relay_ready()).await.unwrap();
	let error = error.unwrap_err();
	assert!(error.contains("TLS"), "{error}");
	relay.stop().await;
}
