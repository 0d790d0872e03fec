//! Heartbeats from the worker's order to a real collector.

#![allow(clippy::unwrap_used)]

mod common;

use arion_grid::{Grid, GridConfig, Identity};
use arion_miner::{daemon::Daemon, files, status::Status};
use codec::Encode;
use common::{made, update, GENESIS, OWN};
use hippius_collector::{Book, ChainView, Collector, Terms};
use hippius_primitives::{
	collector::{BeatOrder, Endpoint, BEAT_PATH, MAX_BEAT_ORDER},
	daemon::EPOCH_PATH,
	heartbeat::{Page, Window},
	NodeIndex, NodeKey,
};
use reqwest::{Client, StatusCode};
use std::sync::{
	atomic::{AtomicU32, Ordering::SeqCst},
	Arc,
};
use tokio::sync::mpsc;

/// A chain on which only this miner is registered; tells when a beat is about to be counted.
struct Chain {
	best: Arc<AtomicU32>,
	key: NodeKey,
	counting: mpsc::UnboundedSender<NodeIndex>,
}

impl ChainView for Chain {
	fn best(&self) -> u32 {
		self.best.load(SeqCst)
	}
	fn hash(&self, _: u32) -> Option<[u8; 32]> {
		Some([8; 32])
	}
	fn keys(&self, node: NodeIndex) -> Vec<NodeKey> {
		self.counting.send(node).unwrap();
		Vec::from_iter((node == OWN).then_some(self.key))
	}
	fn collects(&self, _: Window, _: Page) -> bool {
		true
	}
}

/// The order of a chain whose newest block is `now`, with windows of six blocks and three beats.
fn order(now: u32, collectors: &[Option<(NodeKey, u16)>]) -> BeatOrder {
	let endpoint = |(key, port)| Endpoint {
		key,
		addresses: vec![std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()]
			.try_into()
			.unwrap(),
		sequence: 1,
	};
	BeatOrder {
		genesis: GENESIS,
		best: now - 1,
		best_hash: [8; 32],
		window_blocks: 6,
		beats_per_window: 3,
		seed: [1; 32],
		validators: (0..collectors.len())
			.map(|place| vec![place as u8; 32])
			.collect(),
		endpoints: collectors.iter().map(|of| of.map(endpoint)).collect(),
	}
}

struct Caller {
	client: Client,
	url: String,
	token: String,
}

impl Caller {
	async fn post(&self, path: &str, body: Vec<u8>) -> StatusCode {
		let request = self.client.post(format!("{}{path}", self.url));
		let sent = request.bearer_auth(&self.token).body(body).send();
		sent.await.unwrap().status()
	}

	async fn status(&self) -> Status {
		let request = self.client.get(format!("{}/v1/status", self.url));
		let sent = request.bearer_auth(&self.token).send();
		sent.await.unwrap().json().await.unwrap()
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beat_arrives_in_each_slot_though_another_collector_is_dead() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let caller = Caller {
		client: Client::builder().no_proxy().build().unwrap(),
		url: format!("http://{}", daemon.info().control),
		token: files::read_token(&base.token()).unwrap(),
	};

	let loopback = "127.0.0.1:0".parse().unwrap();
	let identity = Arc::new(Identity::generate().unwrap());
	let grid = Grid::bind(loopback, identity, GridConfig::default()).unwrap();
	let best = Arc::new(AtomicU32::new(15));
	let (counting, mut counted) = mpsc::unbounded_channel();
	let terms = Terms {
		genesis: GENESIS,
		window_blocks: 6.try_into().unwrap(),
		beats: 3.try_into().unwrap(),
		tolerance: 5,
	};
	let chain = Chain {
		best: best.clone(),
		key,
		counting,
	};
	let collector = Arc::new(Collector::new(Book::new(terms), chain));
	grid.serve(collector.clone()).unwrap();
	// Takes packets and never answers.
	let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
	let collectors = [
		Some((NodeKey([3; 32]), dead.local_addr().unwrap().port())),
		Some((grid.node_key(), grid.local_addr().port())),
		None,
	];
	let heard = || {
		collector.with_book(|book| {
			let report = book.report(2, 0, 0)?;
			report.counts.get(OWN as usize).copied()
		})
	};

	// Without a map the miner does not know its number, and sends nothing.
	assert_eq!(
		caller
			.post(BEAT_PATH, order(15, &collectors).encode())
			.await,
		StatusCode::OK
	);
	assert_eq!(
		caller.post(EPOCH_PATH, update(1, key).encode()).await,
		StatusCode::OK
	);
	// Not at the first block of a slot; at the second; once only.
	for now in [14, 15, 15] {
		let order = order(now, &collectors).encode();
		assert_eq!(caller.post(BEAT_PATH, order).await, StatusCode::OK);
	}
	assert_eq!(counted.recv().await, Some(OWN));
	assert_eq!(heard(), Some(1));
	let mut status = caller.status().await;
	while status.beats.noted == 0 {
		status = caller.status().await;
	}
	assert_eq!((status.beats.noted, status.beats.collectors), (1, 2));
	assert!(status.beats.noted_at > 0);

	best.store(17, SeqCst);
	let next = order(17, &collectors).encode();
	assert_eq!(caller.post(BEAT_PATH, next).await, StatusCode::OK);
	assert_eq!(counted.recv().await, Some(OWN));
	assert_eq!(heard(), Some(2));
	assert!(counted.try_recv().is_err());

	daemon.stop().await.unwrap();
	grid.close().await;
}

#[tokio::test]
async fn hostile_orders_are_refused() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let mut caller = Caller {
		client: Client::builder().no_proxy().build().unwrap(),
		url: format!("http://{}", daemon.info().control),
		token: files::read_token(&base.token()).unwrap(),
	};
	assert_eq!(
		caller.post(EPOCH_PATH, update(1, key).encode()).await,
		StatusCode::OK
	);
	let foreign = BeatOrder {
		genesis: [1; 32],
		..order(15, &[])
	};
	let unsound = BeatOrder {
		window_blocks: 0,
		..order(15, &[])
	};
	for (body, status) in [
		(Vec::new(), StatusCode::BAD_REQUEST),
		(vec![0xff; 500], StatusCode::BAD_REQUEST),
		(unsound.encode(), StatusCode::BAD_REQUEST),
		(foreign.encode(), StatusCode::CONFLICT),
		(vec![0; MAX_BEAT_ORDER + 1], StatusCode::PAYLOAD_TOO_LARGE),
	] {
		assert_eq!(caller.post(BEAT_PATH, body).await, status);
	}
	caller.token.push('0');
	let good = order(15, &[]).encode();
	assert_eq!(caller.post(BEAT_PATH, good).await, StatusCode::UNAUTHORIZED);
	daemon.stop().await.unwrap();
}
