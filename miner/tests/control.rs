//! The control API and the maps behind it.

#![allow(clippy::unwrap_used)]

mod common;

use arion_miner::{daemon::Daemon, epochs::Epochs, files, files::BasePath, status, MinerError};
use arion_storage_proof::{
	work::{GroupLedger, WorkOrder, WorkReport, MAX_ORDER_LEDGERS, MAX_WORK_ORDER, WORK_PATH},
	Peaks,
};
use codec::{DecodeAll, Encode};
use common::{config, made, update, GENESIS};
use hippius_primitives::{
	daemon::{EpochState, EpochUpdate, EPOCH_PATH, MAX_EPOCH_STATE, MAX_EPOCH_UPDATE},
	NodeKey,
};
use reqwest::{Client, StatusCode};

struct Caller {
	client: Client,
	url: String,
	token: String,
}

impl Caller {
	fn new(base: &BasePath, daemon: &Daemon) -> Self {
		let client = Client::builder().no_proxy().build().unwrap();
		let url = format!("http://{}", daemon.info().control);
		Self {
			client,
			url,
			token: files::read_token(&base.token()).unwrap(),
		}
	}

	async fn get(&self, path: &str) -> reqwest::Response {
		let request = self.client.get(format!("{}{path}", self.url));
		request.bearer_auth(&self.token).send().await.unwrap()
	}

	async fn post(&self, body: Vec<u8>) -> reqwest::Response {
		let request = self.client.post(format!("{}{EPOCH_PATH}", self.url));
		request
			.bearer_auth(&self.token)
			.body(body)
			.send()
			.await
			.unwrap()
	}

	async fn take(&self, update: &EpochUpdate) -> EpochState {
		state(self.post(update.encode()).await).await
	}

	async fn refused(&self, body: Vec<u8>) -> (StatusCode, String) {
		let response = self.post(body).await;
		let status = response.status();
		let body: serde_json::Value = response.json().await.unwrap();
		(status, body["error"]["code"].as_str().unwrap().to_owned())
	}
}

async fn state(response: reqwest::Response) -> EpochState {
	assert_eq!(response.status(), StatusCode::OK);
	let bytes = response.bytes().await.unwrap();
	assert!(bytes.len() <= MAX_EPOCH_STATE);
	EpochState::decode_all(&mut &bytes[..]).unwrap()
}

#[tokio::test]
async fn nothing_but_health_without_the_token() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let caller = Caller::new(&base, &daemon);
	let url = |path: &str| format!("{}{path}", caller.url);
	let health = caller.client.get(url("/healthz")).send().await.unwrap();
	assert_eq!(health.status(), StatusCode::OK);
	for path in [EPOCH_PATH, "/v1/status", "/metrics"] {
		let without = caller.client.get(url(path)).send().await.unwrap();
		assert_eq!(without.status(), StatusCode::UNAUTHORIZED, "{path}");
		assert_eq!(without.headers()["www-authenticate"], "Bearer");
		for wrong in ["", "x", &caller.token[1..], &format!("{}0", caller.token)] {
			let wrong = caller
				.client
				.get(url(path))
				.bearer_auth(wrong)
				.send()
				.await
				.unwrap();
			assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{path}");
		}
		let basic = caller
			.client
			.get(url(path))
			.basic_auth("a", Some(&caller.token));
		assert_eq!(
			basic.send().await.unwrap().status(),
			StatusCode::UNAUTHORIZED
		);
		assert_eq!(caller.get(path).await.status(), StatusCode::OK, "{path}");
	}
	let body = update(1, key).encode();
	let post = caller
		.client
		.post(url(EPOCH_PATH))
		.body(body)
		.send()
		.await
		.unwrap();
	assert_eq!(post.status(), StatusCode::UNAUTHORIZED);
	assert_eq!(
		state(caller.get(EPOCH_PATH).await).await,
		EpochState {
			epoch: 0,
			genesis: [0; 32]
		}
	);
	assert_eq!(
		caller.get("/v1/nothing").await.status(),
		StatusCode::NOT_FOUND
	);
	let delete = caller
		.client
		.delete(url(EPOCH_PATH))
		.bearer_auth(&caller.token);
	assert_eq!(
		delete.send().await.unwrap().status(),
		StatusCode::METHOD_NOT_ALLOWED
	);
	let metrics = caller.get("/metrics").await.text().await.unwrap();
	assert!(
		metrics.contains("arion_miner_control_unauthorized_total 19\n"),
		"{metrics}"
	);
	daemon.stop().await.unwrap();
}

#[tokio::test]
async fn epochs_are_taken_kept_and_followed_by_newer_ones() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let caller = Caller::new(&base, &daemon);
	let taken = EpochState {
		epoch: 3,
		genesis: GENESIS,
	};
	assert_eq!(caller.take(&update(3, key)).await, taken);
	assert_eq!(caller.take(&update(3, key)).await, taken);
	assert_eq!(state(caller.get(EPOCH_PATH).await).await, taken);
	daemon.stop().await.unwrap();
	assert!(!base.run_info().exists());

	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let caller = Caller::new(&base, &daemon);
	assert_eq!(state(caller.get(EPOCH_PATH).await).await, taken);
	assert_eq!(caller.take(&update(4, key)).await.epoch, 4);
	// The slots come a moment later; each of the zone's five nodes has one in every group.
	let status = loop {
		let status = status::ask(&base).await.unwrap();
		if status.slots.is_some() {
			break status;
		}
		tokio::task::yield_now().await;
	};
	assert_eq!(
		(status.epoch, status.node_index, status.slots),
		(4, Some(7), Some(64))
	);
	assert_eq!((status.pg_num, status.map_nodes), (Some(64), Some(30)));
	assert_eq!(status.info, *daemon.info());
	assert!(status.to_string().contains("64 of 64 placement groups"));
	daemon.stop().await.unwrap();
}

#[tokio::test]
async fn orders_of_work_are_bounded_and_for_this_chain() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let caller = Caller::new(&base, &daemon);
	let post = async |body: Vec<u8>| {
		let request = caller.client.post(format!("{}{WORK_PATH}", caller.url));
		let request = request.bearer_auth(&caller.token).body(body);
		let response = request.send().await.unwrap();
		(response.status(), response.bytes().await.unwrap())
	};
	let refused = async |body: Vec<u8>| {
		let (status, bytes) = post(body).await;
		let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
		(status, body["error"]["code"].as_str().unwrap().to_owned())
	};
	let order = WorkOrder {
		genesis: GENESIS,
		best: 1,
		epoch: 1,
		asked: Vec::new(),
		ledgers: Vec::new(),
		life: None,
	};
	let conflict = |code: &str| (StatusCode::CONFLICT, code.to_owned());
	let bad = |code: &str| (StatusCode::BAD_REQUEST, code.to_owned());
	assert_eq!(refused(order.encode()).await, conflict("no_map"));
	caller.take(&update(1, key)).await;
	let (status, report) = post(order.encode()).await;
	let report = WorkReport::decode_all(&mut &report[..]).unwrap();
	assert_eq!((status, report.node), (StatusCode::OK, Some(7)));
	let other = WorkOrder {
		genesis: [1; 32],
		..order.clone()
	};
	assert_eq!(refused(other.encode()).await, conflict("other_chain"));
	assert_eq!(refused(vec![7; 99]).await, bad("malformed"));
	let ledger = GroupLedger {
		pg: 0,
		challengeable: Peaks::new(),
		newest: Peaks::new(),
		first: 0,
		batches: Vec::new(),
		unclean: false,
	};
	let many = WorkOrder {
		ledgers: vec![ledger; MAX_ORDER_LEDGERS + 1],
		..order
	};
	assert_eq!(refused(many.encode()).await, bad("too_many"));
	let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "too_large".to_owned());
	assert_eq!(refused(vec![0; MAX_WORK_ORDER + 1]).await, too_large);
	daemon.stop().await.unwrap();
}

#[tokio::test]
async fn bad_updates_are_refused_and_change_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let caller = Caller::new(&base, &daemon);
	let good = update(5, key);

	// On an unbound miner: none of these may bind it.
	let mut bad_hash = good.clone();
	bad_hash.map_hash[0] ^= 1;
	let mut bad_map = good.clone();
	bad_map.map.truncate(20);
	bad_map.map_hash = sp_crypto_hashing::blake2_256(&bad_map.map);
	let other_epoch = EpochUpdate {
		epoch: 6,
		..good.clone()
	};
	let mut twice = good.clone();
	twice.nodes[1] = twice.nodes[0].clone();
	let mut unknown = good.clone();
	unknown.nodes[1].index = 99;
	let mut trailing = good.encode();
	trailing.push(0);
	for (body, code) in [
		(Vec::new(), "malformed"),
		(vec![0xff; 1000], "malformed"),
		(trailing, "malformed"),
		(good.encode()[..500].to_vec(), "malformed"),
		(
			EpochUpdate {
				epoch: 0,
				..good.clone()
			}
			.encode(),
			"zero",
		),
		(
			EpochUpdate {
				genesis: [0; 32],
				..good.clone()
			}
			.encode(),
			"zero",
		),
		(bad_hash.encode(), "wrong_hash"),
		(bad_map.encode(), "bad_map"),
		(other_epoch.encode(), "epoch_mismatch"),
		(twice.encode(), "bad_node"),
		(unknown.encode(), "bad_node"),
	] {
		assert_eq!(
			caller.refused(body).await,
			(StatusCode::BAD_REQUEST, code.to_owned())
		);
	}
	let oversize = caller.refused(vec![0; MAX_EPOCH_UPDATE + 1]).await;
	assert_eq!(
		oversize,
		(StatusCode::PAYLOAD_TOO_LARGE, "too_large".to_owned())
	);
	assert_eq!(state(caller.get(EPOCH_PATH).await).await.genesis, [0; 32]);

	caller.take(&good).await;
	let mut conflict = update(5, key);
	conflict.map = {
		let mut map = arion_crush::ClusterMap::decode_checked(&conflict.map).unwrap();
		map.pool = 2;
		map.encode()
	};
	conflict.map_hash = sp_crypto_hashing::blake2_256(&conflict.map);
	for (update, code) in [
		(
			EpochUpdate {
				genesis: [8; 32],
				..update(6, key)
			},
			"other_chain",
		),
		(update(4, key), "stale"),
		(conflict, "conflict"),
	] {
		let refused = caller.refused(update.encode()).await;
		assert_eq!(refused, (StatusCode::CONFLICT, code.to_owned()));
	}
	assert_eq!(
		state(caller.get(EPOCH_PATH).await).await,
		EpochState {
			epoch: 5,
			genesis: GENESIS
		}
	);
	// New addresses of the same epoch are taken.
	let mut moved = good.clone();
	moved.nodes[0].params.zone = 1;
	assert_eq!(caller.take(&moved).await.epoch, 5);
	daemon.stop().await.unwrap();
}

#[test]
fn a_damaged_map_is_forgotten_but_never_the_chain() {
	let dir = tempfile::tempdir().unwrap();
	let key = NodeKey([5; 32]);
	let load = || Epochs::load(dir.path().to_owned(), key);
	load().unwrap().take(&update(2, key).encode()).unwrap();
	assert_eq!(load().unwrap().state().epoch, 2);
	let path = dir.path().join("epoch");
	let mut bytes = std::fs::read(&path).unwrap();
	bytes[100] ^= 1;
	std::fs::write(&path, bytes).unwrap();
	let epochs = load().unwrap();
	assert_eq!(
		epochs.state(),
		EpochState {
			epoch: 0,
			genesis: GENESIS
		}
	);
	let other = EpochUpdate {
		genesis: [8; 32],
		..update(3, key)
	};
	assert!(matches!(
		epochs.take(&other.encode()),
		Err(MinerError::Epoch(_))
	));
	assert_eq!(epochs.take(&update(3, key).encode()).unwrap().epoch, 3);
	std::fs::write(dir.path().join("genesis"), "junk").unwrap();
	let error = load().err().unwrap().to_string();
	assert!(error.contains("genesis"), "{error}");
}

#[test]
fn a_node_without_a_place_in_the_map_has_no_slots() {
	let dir = tempfile::tempdir().unwrap();
	let epochs = Epochs::load(dir.path().to_owned(), NodeKey([200; 32])).unwrap();
	epochs
		.take(&update(1, NodeKey([201; 32])).encode())
		.unwrap();
	let held = epochs.held().unwrap();
	assert_eq!(held.slots(), None);
	assert_eq!(held.compute_slots(), Ok(&[][..]));
	// While its key is being replaced, a node is known by both.
	let mut rotating = update(2, NodeKey([201; 32]));
	rotating.nodes[9].next_key = Some(NodeKey([200; 32]));
	epochs.take(&rotating.encode()).unwrap();
	assert_eq!(epochs.held().unwrap().index, Some(9));
}

#[tokio::test]
async fn ports_in_use_and_second_daemons_are_clear_errors() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let error = Daemon::start(base.clone(), None).await.err().unwrap();
	assert_eq!(error.code(), "store");
	assert!(
		error.to_string().contains("in use by another process"),
		"{error}"
	);

	let other = tempfile::tempdir().unwrap();
	let (base, _) = made(other.path());
	let with = |control, listen| {
		let mut config = config();
		config.control.listen = control;
		config.grid.listen = listen;
		std::fs::write(base.config(), config.render()).unwrap();
	};
	let free = "127.0.0.1:0".parse().unwrap();
	with(daemon.info().control, free);
	let error = Daemon::start(base.clone(), None).await.err().unwrap();
	assert_eq!(error.code(), "control_bind");
	assert!(error.to_string().contains("control.listen"), "{error}");
	with(free, daemon.info().listen);
	let error = Daemon::start(base.clone(), None).await.err().unwrap();
	assert_eq!(error.code(), "grid");
	assert!(error.to_string().contains("cannot bind UDP"), "{error}");
	daemon.stop().await.unwrap();
}

#[tokio::test]
async fn tokens_that_others_can_read_are_refused() {
	use std::os::unix::fs::PermissionsExt;
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = made(dir.path());
	let mode = |mode| {
		std::fs::set_permissions(base.token(), std::fs::Permissions::from_mode(mode)).unwrap();
	};
	mode(0o644);
	let error = Daemon::start(base.clone(), None).await.err().unwrap();
	assert!(error.to_string().contains("chmod 600"), "{error}");
	mode(0o640);
	for bad in ["", "short", &"!".repeat(40), &"a".repeat(129)] {
		std::fs::write(base.token(), bad).unwrap();
		assert_eq!(
			files::read_token(&base.token()).unwrap_err().code(),
			"token"
		);
	}
	std::fs::write(base.token(), format!("{}\n", "a".repeat(40))).unwrap();
	assert_eq!(files::read_token(&base.token()).unwrap().len(), 40);
}
