//! The operator's commands: doctor, keys, several disks, the service unit.

#![allow(clippy::unwrap_used)]

mod common;

use arion_grid::{Grid, GridConfig, Identity};
use arion_miner::{
	cli::{Cli, Command},
	config::Config,
	daemon::Daemon,
	disks, doctor,
	doctor::report::{Finding, Level, Report},
	files::BasePath,
	init::init,
	keys, status,
};
use clap::Parser;
use codec::Encode;
use common::{config, made, two_disks, update};
use hippius_primitives::daemon::{EpochUpdate, EPOCH_PATH};
use std::{os::unix::fs::PermissionsExt, path::Path};

fn of<'a>(report: &'a Report, check: &str) -> Vec<&'a Finding> {
	let found = report.findings.iter().filter(|f| f.check == check);
	let found: Vec<_> = found.collect();
	assert!(!found.is_empty(), "{check} is not in {report}");
	found
}

/// The address of a chain that is not there.
fn no_chain() -> String {
	let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
	format!("ws://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn the_doctor_looks_at_a_miner_that_runs_or_not() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	let report = doctor::examine(&base, None).await;
	for check in [
		"config",
		"node-key",
		"control-token",
		"udp-port",
		"control-port",
		"disks",
	] {
		assert_eq!(of(&report, check)[0].level, Level::Ok, "{report}");
	}
	assert_eq!(of(&report, "daemon")[0].level, Level::Skipped);
	assert!(of(&report, "node-key")[0].text.contains(&key.to_string()));
	// Nothing was made by looking.
	assert!(!base.store().exists() && !base.store_record().exists());

	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let report = doctor::examine(&base, Some(&no_chain())).await;
	assert_eq!(of(&report, "daemon")[0].level, Level::Ok);
	assert!(of(&report, "udp-port")[0].text.contains("running miner"));
	assert_eq!(of(&report, "store")[0].level, Level::Ok);
	let own = status::ask(&base).await.unwrap();
	let dialled = doctor::net::dial(own.info.listen, own.info.node_key).await;
	assert_eq!(dialled.level, Level::Ok, "{}", dialled.text);
	// Somebody else's key is not what answers there.
	let other = doctor::net::dial(own.info.listen, common_key()).await;
	assert_eq!(other.level, Level::Warning, "{}", other.text);
	let chain = of(&report, "chain");
	assert_eq!(chain[0].level, Level::Error);
	assert!(chain[0].mend.as_ref().unwrap().contains("--no-chain"));
	assert_eq!(report.exit_code(), 2);
	daemon.stop().await.unwrap();
}

fn common_key() -> hippius_primitives::NodeKey {
	arion_grid::Identity::generate().unwrap().node_key()
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_with_the_files() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = made(dir.path());
	for path in [base.node_key(), base.token()] {
		std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
	}
	let report = doctor::examine(&base, None).await;
	for check in ["node-key", "control-token"] {
		assert!(of(&report, check)[0].text.contains("chmod 600"), "{report}");
	}
	std::fs::write(base.config(), "[store]\ncapacty = \"1GiB\"\n").unwrap();
	let report = doctor::examine(&base, None).await;
	assert_eq!((report.findings.len(), report.exit_code()), (1, 2));
	assert!(
		report.to_string().contains("did you mean `capacity`"),
		"{report}"
	);
}

#[tokio::test]
async fn a_miner_goes_on_without_a_disk_and_says_so() {
	let dir = tempfile::tempdir().unwrap();
	let base = BasePath(dir.path().join("miner"));
	init(&base, &two_disks(dir.path())).unwrap();
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let all = status::ask(&base).await.unwrap();
	assert_eq!(all.store.capacity, 128 << 20);
	assert!(all.store.disks.iter().all(|disk| disk.state == "ok"));
	daemon.stop().await.unwrap();

	// One is not mounted.
	let path = dir.path().join("disk-a");
	std::fs::rename(&path, dir.path().join("away")).unwrap();
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let status = status::ask(&base).await.unwrap();
	assert_eq!(status.store.capacity, 64 << 20);
	let states: Vec<_> = status
		.store
		.disks
		.iter()
		.map(|d| d.state.as_str())
		.collect();
	assert_eq!(states, ["failed", "ok"]);
	let text = status.to_string();
	assert!(
		text.contains("disk-a: failed") && text.contains("mount the disk"),
		"{text}"
	);
	let metrics = metrics(&base).await;
	let failed = format!(
		"disk_state{{disk=\"{}\",state=\"failed\"}} 1",
		path.display()
	);
	assert!(metrics.contains(&failed), "{metrics}");
	let report = doctor::examine(&base, None).await;
	assert_eq!(of(&report, "disks")[0].level, Level::Error);
	assert_eq!(of(&report, "store")[0].level, Level::Error);
	assert_eq!(report.exit_code(), 2);
	daemon.stop().await.unwrap();

	// A new one took its place.
	let config = Config::load(&base.config()).unwrap();
	disks::accept(&base, &config, &path).unwrap();
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let status = status::ask(&base).await.unwrap();
	assert!(status.store.disks.iter().all(|disk| disk.state == "ok"));
	daemon.stop().await.unwrap();
}

async fn metrics(base: &BasePath) -> String {
	let status = status::ask(base).await.unwrap();
	let client = reqwest::Client::builder().no_proxy().build().unwrap();
	let request = client.get(format!("http://{}/metrics", status.info.control));
	let token = arion_miner::files::read_token(&base.token()).unwrap();
	let response = request.bearer_auth(token).send().await.unwrap();
	response.text().await.unwrap()
}

/// The operator's page names every metric, and no other.
#[tokio::test]
async fn every_metric_is_documented() {
	let dir = tempfile::tempdir().unwrap();
	let (base, _) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let text = metrics(&base).await;
	daemon.stop().await.unwrap();
	let page =
		std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/miner.md"))
			.unwrap();
	for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
		let (name, kind) = line.split_once(' ').unwrap();
		let row = page.lines().find(|row| row.contains(&format!("| `{name}")));
		assert!(
			row.is_some_and(|row| row.contains(kind)),
			"{name} is not in docs/miner.md"
		);
	}
	for row in page
		.lines()
		.filter_map(|row| row.strip_prefix("| `arion_miner_"))
	{
		let name = row.split(['`', '{']).next().unwrap();
		// Only there once the map is computed.
		if !["slots", "epoch_taken_seconds"].contains(&name) {
			assert!(
				text.contains(&format!("# TYPE arion_miner_{name} ")),
				"{name} is no metric"
			);
		}
	}
}

#[test]
fn what_the_service_unit_starts_is_what_the_program_takes() {
	let unit = include_str!("../../packaging/arion-miner.service");
	let line = unit
		.lines()
		.find_map(|line| line.strip_prefix("ExecStart="))
		.unwrap();
	let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
	assert!(matches!(cli.command, Command::Run(_)));
	assert!(unit.contains("Type=notify"));
}

async fn take(base: &BasePath, update: &EpochUpdate) {
	let info = arion_miner::daemon::RunInfo::load(base).unwrap().unwrap();
	let client = reqwest::Client::builder().no_proxy().build().unwrap();
	let token = arion_miner::files::read_token(&base.token()).unwrap();
	let request = client.post(format!("http://{}{EPOCH_PATH}", info.control));
	let request = request.bearer_auth(token).body(update.encode());
	assert!(request.send().await.unwrap().status().is_success());
}

/// The key is announced, shown while both are valid, and the old one ends; no request fails.
#[tokio::test]
async fn a_running_miner_follows_its_key_rotation() {
	let dir = tempfile::tempdir().unwrap();
	let (base, old) = made(dir.path());
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	let grid = client();
	let next = Identity::generate().unwrap();
	next.save(&base.next_key()).unwrap();
	let new = next.node_key();
	let peer = grid.peer(old, vec![daemon.info().listen]).or_key(Some(new));
	let asks = async || {
		let held = peer.has(vec![hippius_primitives::ShardId([1; 32])]).await;
		assert_eq!(held.unwrap(), [false]);
	};
	take(&base, &update(1, old)).await;
	asks().await;
	assert_eq!(status::ask(&base).await.unwrap().info.node_key, old);
	// Two maps that show both: everybody knows the next key.
	for epoch in [2, 3] {
		let mut both = update(epoch, old);
		both.nodes[7].next_key = Some(new);
		take(&base, &both).await;
		asks().await;
	}
	while status::ask(&base).await.unwrap().info.node_key != new {
		tokio::task::yield_now().await;
	}
	asks().await;
	assert_eq!(
		doctor::net::dial(daemon.info().listen, new).await.level,
		Level::Ok
	);
	// The next one alone, and the files follow.
	take(&base, &update(4, new)).await;
	keys::swap(&base).unwrap();
	asks().await;
	assert_eq!(
		doctor::net::dial(daemon.info().listen, old).await.level,
		Level::Warning
	);
	assert_eq!(status::ask(&base).await.unwrap().node_index, Some(7));
	daemon.stop().await.unwrap();

	// A miner that was down meanwhile catches up at once, with the files not renamed yet.
	let (base, old) = made(&dir.path().join("other"));
	let daemon = Daemon::start(base.clone(), None).await.unwrap();
	take(&base, &update(1, old)).await;
	let next = Identity::generate().unwrap();
	next.save(&base.next_key()).unwrap();
	take(&base, &update(2, next.node_key())).await;
	while status::ask(&base).await.unwrap().info.node_key != next.node_key() {
		tokio::task::yield_now().await;
	}
	daemon.stop().await.unwrap();
}

fn client() -> std::sync::Arc<Grid> {
	let identity = std::sync::Arc::new(Identity::generate().unwrap());
	let any = "127.0.0.1:0".parse().unwrap();
	Grid::bind(any, identity, GridConfig::default()).unwrap()
}

#[tokio::test]
async fn keys_and_exit_need_a_chain_and_the_right_secret() {
	let dir = tempfile::tempdir().unwrap();
	let base = BasePath(dir.path().join("miner"));
	init(&base, &config()).unwrap();
	let url = no_chain();
	let secret = arion_miner::account::Secret::Suri("//Alice".into());
	for error in [
		keys::rotate(&base, &url, &secret).await.unwrap_err(),
		keys::activate(&base, &url, &secret, true)
			.await
			.unwrap_err(),
		arion_miner::exit::exit(&base, &url, &secret, true)
			.await
			.unwrap_err(),
	] {
		assert_eq!(error.code(), "chain", "{error}");
	}
	// No key is made before the chain has been asked.
	assert!(!base.next_key().exists());
	let wrong = arion_miner::account::Secret::Suri("no words".into());
	let error = keys::rotate(&base, &url, &wrong).await.unwrap_err();
	assert_eq!(error.code(), "signer");
}
