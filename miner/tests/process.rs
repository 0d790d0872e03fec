//! The program itself: started, killed, started again.

#![allow(clippy::unwrap_used)]

mod common;

use arion_grid::{Grid, GridConfig, Identity, Peer};
use arion_miner::{files::BasePath, service::FAILPOINT};
use common::{
	give_map,
	process::{Process, MINER},
	shard, store, update,
};
use hippius_primitives::{NodeKey, ShardMeta};
use std::{
	os::unix::fs::FileExt,
	path::Path,
	process::{Command, Output},
	sync::Arc,
};

fn miner(args: &[&str]) -> Output {
	Command::new(MINER)
		.args(args)
		.env_remove("ARION_SURI")
		.output()
		.unwrap()
}

fn text(bytes: &[u8]) -> String {
	String::from_utf8(bytes.to_vec()).unwrap()
}

/// Makes a miner with the program.
fn init(dir: &Path) -> (BasePath, NodeKey) {
	let base = BasePath(dir.join("miner"));
	let out = miner(&[
		"init",
		"--output",
		"json",
		"--base-path",
		base.0.to_str().unwrap(),
		"--zone",
		"2",
		"--host",
		"h",
		"--capacity",
		"64MiB",
		"--volume-size",
		"16MiB",
		"--listen",
		"127.0.0.1:0",
		"--control",
		"127.0.0.1:0",
	]);
	assert!(out.status.success(), "{}", text(&out.stderr));
	let made: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
	let key = NodeKey::from_hex(made["node_key"].as_str().unwrap()).unwrap();
	give_map(&base, &update(1, key), key);
	(base, key)
}

fn client() -> Arc<Grid> {
	let identity = Arc::new(Identity::generate().unwrap());
	let config = GridConfig {
		keep_alive: std::time::Duration::from_millis(500),
		idle_timeout: std::time::Duration::from_secs(2),
		..GridConfig::default()
	};
	Grid::bind("127.0.0.1:0".parse().unwrap(), identity, config).unwrap()
}

async fn assert_serves(peer: &Peer, (meta, bytes): &(ShardMeta, bytes::Bytes)) {
	let id = meta.shard().unwrap();
	assert_eq!(peer.get(id, 1 << 20).await.unwrap(), *bytes);
	assert_eq!(peer.has(vec![id]).await.unwrap(), [true]);
	assert_eq!(peer.stripe(meta.stripe).await.unwrap().as_ref(), Some(meta));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acked_shards_outlive_kill_9() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = init(dir.path());
	let running = Process::start(&base);
	assert_eq!(running.info.node_key, key);
	let grid = client();
	let peer = grid.peer(key, vec![running.info.listen]);
	let shards: Vec<_> = (1..6).map(shard).collect();
	for (meta, bytes) in &shards {
		let shard = (meta.clone(), bytes.clone());
		assert!(!store(&grid, &peer, &shard).await.unwrap().already_held);
		assert!(store(&grid, &peer, &shard).await.unwrap().already_held);
	}
	let unknown = shard(77);
	assert!(peer
		.get(unknown.0.shard().unwrap(), 1 << 20)
		.await
		.unwrap_err()
		.is_not_found());
	running.kill();

	let running = Process::start(&base);
	let grid = client();
	let peer = grid.peer(key, vec![running.info.listen]);
	for shard in &shards {
		assert_serves(&peer, shard).await;
	}
	// While it runs, `status` finds it; after SIGTERM it is gone, and nothing is left behind.
	let path = base.0.to_str().unwrap();
	let status = miner(&["status", "--output", "json", "--base-path", path]);
	let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
	assert_eq!(status["node_key"], key.to_string());
	assert_eq!(
		(&status["epoch"], &status["store"]["shards"]),
		(&1.into(), &5.into())
	);
	assert!(text(&miner(&["status", "--base-path", path]).stdout).contains("5 shards"));
	let (status, log) = running.terminate();
	assert!(status.success(), "{log:?}");
	assert!(log.last().unwrap().contains("stopped"), "{log:?}");
	assert!(!base.run_info().exists());
	let gone = miner(&["status", "--base-path", path]);
	assert!(!gone.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn death_between_write_and_ack_loses_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = init(dir.path());
	let mut running = Process::start_with(&base, Some("before-ack:3"));
	let grid = client();
	let peer = grid.peer(key, vec![running.info.listen]);
	let shards: Vec<_> = (1..4).map(shard).collect();
	for shard in &shards[..2] {
		store(&grid, &peer, shard).await.unwrap();
	}
	let error = store(&grid, &peer, &shards[2]).await.unwrap_err();
	// Nobody answered: the process is gone.
	assert_eq!(error.status(), None, "{error}");
	assert!(!running.child.wait().unwrap().success());

	let running = Process::start(&base);
	let grid = client();
	let peer = grid.peer(key, vec![running.info.listen]);
	for shard in &shards {
		assert_serves(&peer, shard).await;
	}
	// Sent again, as a client would: held already.
	assert!(store(&grid, &peer, &shards[2]).await.unwrap().already_held);
	running.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_flipped_on_disk_is_found_by_the_reader_and_then_gone() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = init(dir.path());
	let running = Process::start(&base);
	let (grid, shard) = (client(), shard(1));
	let peer = grid.peer(key, vec![running.info.listen]);
	store(&grid, &peer, &shard).await.unwrap();
	let volume = base.store().join("00000001.vol");
	let flipped = [std::fs::read(&volume).unwrap()[50_000] ^ 4];
	let file = std::fs::OpenOptions::new()
		.write(true)
		.open(&volume)
		.unwrap();
	file.write_all_at(&flipped, 50_000).unwrap();
	let id = shard.0.shard().unwrap();
	let error = peer.get(id, 1 << 20).await.unwrap_err();
	assert!(
		matches!(error, arion_grid::GridError::WrongBytes { .. }),
		"{error}"
	);
	// Told so, the miner looks and finds that it has not what it should have.
	while peer.has(vec![id]).await.unwrap() != [false] {
		tokio::task::yield_now().await;
	}
	// It can be brought back.
	assert!(!store(&grid, &peer, &shard).await.unwrap().already_held);
	assert_serves(&peer, &shard).await;
	running.kill();
}

/// A second signal ends a miner that waits for its peers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_signals_end_it_at_once_and_one_before_it_is_ready() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = init(dir.path());
	let mut running = Process::start(&base);
	// A control request whose body never comes keeps the first signal waiting.
	let token = arion_miner::files::read_token(&base.token()).unwrap();
	let mut open = std::net::TcpStream::connect(running.info.control).unwrap();
	let head = format!(
		"POST /v1/epoch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 10\r\n\r\n"
	);
	std::io::Write::write_all(&mut open, head.as_bytes()).unwrap();
	let kill = |pid: u32| {
		let status = Command::new("kill").arg(pid.to_string()).status();
		assert!(status.unwrap().success());
	};
	// The daemon has taken the connection once it answers another one.
	assert!(miner(&["status", "--base-path", base.0.to_str().unwrap()])
		.status
		.success());
	kill(running.child.id());
	let waits = |line: &str| line.contains("stopping");
	assert!(running.log.iter().any(|line| waits(&line)));
	kill(running.child.id());
	let log: Vec<String> = running.log.iter().collect();
	let status = running.child.wait().unwrap();
	assert!(!status.success());
	assert!(
		log.iter().any(|line| line.contains("second signal")),
		"{log:?}"
	);
	drop(open);
	// What a forced end leaves behind does not keep the next start from working.
	let (status, _) = Process::start(&base).terminate();
	assert!(status.success());
}

/// As a unit with `Type=notify` expects it.
#[test]
fn systemd_is_told_of_readiness_and_end() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = init(dir.path());
	let socket = std::os::unix::net::UnixDatagram::bind(base.0.join("notify")).unwrap();
	// Only against hanging.
	let guard = Some(std::time::Duration::from_secs(60));
	socket.set_read_timeout(guard).unwrap();
	let running = Process::start(&base);
	let told = || {
		let mut buf = [0; 256];
		let len = socket.recv(&mut buf).unwrap();
		text(&buf[..len])
	};
	assert_eq!(told().trim(), "READY=1");
	assert!(running.terminate().0.success());
	assert_eq!(told().trim(), "STOPPING=1");
}

#[test]
fn doctor_and_keys_print_json_and_exit_codes() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = init(dir.path());
	let path = base.0.to_str().unwrap();
	let shown = miner(&["keys", "show", "--output", "json", "--base-path", path]);
	let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
	assert_eq!(shown["node_key"], key.to_string());
	assert_eq!(shown["next_key"], serde_json::Value::Null);
	let doctor = miner(&[
		"doctor",
		"--no-chain",
		"--output",
		"json",
		"--base-path",
		path,
	]);
	let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
	let findings = report["findings"].as_array().unwrap();
	assert!(findings.iter().any(|f| f["check"] == "disk-sync"));
	assert!(!findings.iter().any(|f| f["level"] == "error"), "{report}");
	assert!(matches!(doctor.status.code(), Some(0 | 1)), "{report}");
	std::fs::remove_file(base.node_key()).unwrap();
	let doctor = miner(&["doctor", "--no-chain", "--base-path", path]);
	assert_eq!(doctor.status.code(), Some(2));
	assert!(
		text(&doctor.stdout).contains("ERROR"),
		"{}",
		text(&doctor.stdout)
	);
	let shown = miner(&["config", "check", "--show", "--base-path", path]);
	assert!(
		text(&shown.stdout).contains("jobs = 64"),
		"{}",
		text(&shown.stdout)
	);
	for (args, word) in [
		(vec!["keys", "rotate", "--base-path", path], "--suri"),
		(vec!["exit", "--base-path", path], "--suri"),
		(vec!["update", "--base-path", path], "--suri"),
		(
			vec!["disk", "accept", "--base-path", path, "/none"],
			"none of the configured",
		),
		(
			vec![
				"doctor",
				"--base-path",
				path,
				"--no-chain",
				"--chain",
				"ws://x",
			],
			"--no-chain",
		),
	] {
		let out = miner(&args);
		assert!(!out.status.success());
		assert!(
			text(&out.stderr).contains(word),
			"{args:?}: {}",
			text(&out.stderr)
		);
	}
}

#[test]
fn init_overwrites_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = init(dir.path());
	let key = std::fs::read(base.node_key()).unwrap();
	let path = base.0.to_str().unwrap();
	for left in [None, Some(base.config()), Some(base.token())] {
		if let Some(path) = left {
			std::fs::remove_file(path).unwrap();
		}
		let out = miner(&["init", "--output", "json", "--base-path", path]);
		assert!(!out.status.success());
		let error: serde_json::Value = serde_json::from_slice(&out.stderr).unwrap();
		assert_eq!(error["error"]["code"], "exists");
	}
	assert_eq!(std::fs::read(base.node_key()).unwrap(), key);
}

#[test]
fn bad_input_is_explained() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = init(dir.path());
	let path = base.0.to_str().unwrap();
	assert!(miner(&["config", "check", "--base-path", path])
		.status
		.success());
	let new = dir.path().join("new");
	let new_path = new.to_str().unwrap();
	for (args, word) in [
		(
			vec!["init", "--base-path", new_path, "--capacity", "lots"],
			"10GiB",
		),
		(
			vec!["init", "--base-path", new_path, "--capacity", "1KiB"],
			"capacity",
		),
		(
			vec!["init", "--base-path", new_path, "--control", "0.0.0.0:1"],
			"control.listen",
		),
		(
			vec!["init", "--base-path", new_path, "--public", "0.0.0.0:1"],
			"grid.public",
		),
		(vec!["run", "--base-path", new_path], "arion-miner init"),
		(vec!["status", "--base-path", path], "arion-miner run"),
		(vec!["register", "--base-path", path], "--suri"),
		(
			vec![
				"register",
				"--base-path",
				path,
				"--suri",
				"//A",
				"--suri-file",
				"x",
			],
			"--suri-file",
		),
		(
			vec!["register", "--base-path", path, "--suri", "//A"],
			"grid.public",
		),
		(
			vec![
				"register",
				"--base-path",
				path,
				"--suri-file",
				"/nonexistent",
				"--address",
				"1.2.3.4:5",
			],
			"/nonexistent",
		),
		(
			vec![
				"register",
				"--base-path",
				path,
				"--suri",
				"no words",
				"--address",
				"1.2.3.4:5",
			],
			"mnemonic",
		),
		(
			vec![
				"register",
				"--base-path",
				path,
				"--suri",
				"//A",
				"--address",
				"1.2.3.4:5",
				"--chain",
				"ws://127.0.0.1:1",
			],
			"hippius-node",
		),
	] {
		let out = miner(&args);
		assert!(!out.status.success());
		let error = text(&out.stderr);
		assert!(error.contains(word), "{args:?}: {error}");
		assert!(!new.join("config.toml").exists());
	}
	std::fs::write(base.config(), "[store]\ncapacity = \"1GiB\"\nspeed = 3\n").unwrap();
	let out = miner(&["config", "check", "--base-path", path]);
	assert!(text(&out.stderr).contains("speed"), "{}", text(&out.stderr));
	let failpoint = Command::new(MINER)
		.args(["run", "--base-path", path])
		.env(FAILPOINT, "sometimes")
		.output()
		.unwrap();
	assert!(text(&failpoint.stderr).contains("before-ack"));
}
