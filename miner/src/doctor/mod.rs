//! `arion-miner doctor`: looks at everything a miner needs, and says what to do about what is wrong.
//! Works whether the daemon runs or not.

pub mod chain;
pub mod disk;
pub mod net;
pub mod report;
pub mod system;

use crate::{
	account::{rough, OwnNode},
	config::Config,
	disks,
	epochs::Epochs,
	files::BasePath,
	keys::Keys,
	status::{self, Status},
	MinerError,
};
use arion_grid::GridConfig;
use chain::Ours;
use hippius_chain_client::{At, ChainClient};
use hippius_primitives::NodeKey;
use report::{Finding, Report};
use std::{
	net::SocketAddr,
	time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Seconds after which a silent full node is worth a warning.
const WORKER_SILENCE: u64 = 120;
/// Block time to reckon with where the runtime names none.
const BLOCK: Duration = Duration::from_secs(6);

/// Looks at the miner in `base` and, if an address is given, at the chain.
pub async fn examine(base: &BasePath, chain: Option<&str>) -> Report {
	let mut report = Report::default();
	let found = &mut report.findings;
	let config = match Config::load(&base.config()) {
		Ok(config) => {
			found.push(Finding::ok("config", base.config().display().to_string()));
			config
		}
		Err(error) => {
			// Nothing else can be judged without settings.
			found.push(Finding::failed("config", error));
			return report;
		}
	};
	found.push(system::node_key(base));
	found.push(system::token(base));
	let running = daemon(base, found).await;
	machine(&config, found);
	network(&config, running.as_ref(), found).await;
	look_at_disks(base, &config, running.as_ref(), found).await;
	match chain {
		None => found.push(Finding::skipped("chain", "not asked")),
		Some(url) => look_at_chain(base, &config, url, running.as_ref(), found).await,
	}
	report
}

/// The running daemon's status, if there is one.
async fn daemon(base: &BasePath, found: &mut Vec<Finding>) -> Option<Status> {
	match status::ask(base).await {
		Ok(status) => {
			let text = format!("runs as process {}", status.info.pid);
			found.push(Finding::ok("daemon", text));
			found.push(worker(&status));
			if let Ok(keys) = Keys::load(base) {
				found.extend(old_key(&status, &keys.public()));
			}
			Some(status)
		}
		Err(MinerError::NotRunning { .. }) => {
			found.push(Finding::skipped("daemon", "does not run"));
			None
		}
		Err(error) => {
			found.push(Finding::failed("daemon", error));
			None
		}
	}
}

/// Whether the daemon runs with a key that was replaced since it started.
fn old_key(status: &Status, keys: &[NodeKey]) -> Option<Finding> {
	(!keys.contains(&status.info.node_key)).then(|| {
		Finding::error(
			"daemon",
			format!(
				"runs with the key {}, which was replaced",
				status.info.node_key
			),
			"restart the miner",
		)
	})
}

/// Whether the full node's worker speaks to the daemon: it does with every block.
fn worker(status: &Status) -> Finding {
	let mend = "start a full node with --offchain-worker always --arion-daemon http://CONTROL,token-file=BASE/control.token";
	match status.worker_seen_seconds {
		Some(seconds) if seconds <= WORKER_SILENCE => {
			Finding::ok("full-node", format!("asked {seconds} s ago"))
		}
		Some(seconds) => Finding::warning(
			"full-node",
			format!("has not asked for {}", rough(seconds)),
			mend,
		),
		None if status.uptime_seconds <= WORKER_SILENCE => {
			Finding::skipped("full-node", "has not asked yet")
		}
		None => Finding::warning("full-node", "has never asked", mend),
	}
}

fn machine(config: &Config, found: &mut Vec<Finding>) {
	let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
	let (soft, hard) = (
		limit.current.unwrap_or(u64::MAX),
		limit.maximum.unwrap_or(u64::MAX),
	);
	let plans = config.store.plans(&BasePath(Default::default()));
	let open_files = plans.iter().map(|plan| plan.config.open_files as u64);
	let open_files = open_files.max().unwrap_or(0);
	found.push(system::file_limit(
		soft,
		hard,
		plans.len() as u64,
		open_files,
	));
	let meminfo = std::fs::read_to_string("/proc/meminfo").ok();
	found.push(
		match meminfo.as_deref().and_then(system::available_memory) {
			Some(available) => {
				system::memory(available, config.store.total().0, config.store.jobs as u64)
			}
			None => Finding::skipped("memory", "/proc/meminfo cannot be read here"),
		},
	);
}

/// A number the kernel shows in a file.
fn kernel_number(name: &str) -> Option<u64> {
	let text = std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?;
	text.trim().parse().ok()
}

async fn network(config: &Config, running: Option<&Status>, found: &mut Vec<Finding>) {
	found.push(net::udp_port(
		config.grid.listen,
		running.map(|status| status.info.listen),
	));
	found.push(net::control_port(
		config.control.listen,
		running.map(|status| status.info.control),
	));
	let wanted = GridConfig::default().socket_buffer as u64;
	for name in ["rmem_max", "wmem_max"] {
		found.push(net::buffer_limit(name, kernel_number(name), wanted));
	}
	for address in declared(config, running) {
		found.push(net::address(address));
		if let Some(status) = running {
			found.push(net::dial(address, status.info.node_key).await);
		}
	}
	let kind = running.map(|status| status.network.nat.as_str());
	found.push(net::nat(kind, !config.grid.relays.is_empty()));
}

/// The addresses others are told, as far as they can be dialled.
fn declared(config: &Config, running: Option<&Status>) -> Vec<SocketAddr> {
	if !config.grid.public.is_empty() {
		return config.grid.public.clone();
	}
	// Behind relays a node need not have an address of its own.
	if !config.grid.relays.is_empty() {
		return Vec::new();
	}
	let listen = running.map_or(config.grid.listen, |status| status.info.listen);
	let usable = !listen.ip().is_unspecified() && listen.port() != 0;
	usable.then_some(listen).into_iter().collect()
}

async fn look_at_disks(
	base: &BasePath,
	config: &Config,
	running: Option<&Status>,
	found: &mut Vec<Finding>,
) {
	match disks::check(base, config) {
		Err(error) => found.push(Finding::failed("disks", error)),
		Ok(disks) => {
			for (path, usable) in disks {
				if let Err(error) = usable {
					found.push(Finding::failed("disks", error));
				} else {
					found.push(Finding::ok("disks", path.display().to_string()));
				}
			}
		}
	}
	if config.store.shared_file_system && config.store.disks.len() > 1 {
		found.push(Finding::warning(
			"disks",
			"store.shared_file_system is set: the disks may be one and fail together",
			"give each entry a file system of its own and unset it",
		));
	}
	for plan in config.store.plans(base) {
		// A dead disk may not answer for long; the other checks need not wait on this thread.
		match tokio::task::spawn_blocking(move || disk::check(&plan)).await {
			Ok(findings) => found.extend(findings),
			Err(error) => found.push(Finding::failed("disks", error)),
		}
	}
	found.extend(running.into_iter().flat_map(store));
}

/// What the running daemon says of its disks.
fn store(status: &Status) -> Vec<Finding> {
	let mend = "look at `dmesg` and `smartctl -a`; replace the disk and tell so with `arion-miner disk accept`";
	let mut found = Vec::new();
	for disk in &status.store.disks {
		let path = disk.path.display();
		let error = disk.error.as_deref().unwrap_or("reads or writes failed");
		match disk.state.as_str() {
			"ok" => {}
			"failing" => found.push(Finding::error(
				"store",
				format!(
					"{path}: {error}; {} volumes are closed, {} reads failed",
					disk.sealed, disk.read_errors
				),
				mend,
			)),
			_ => found.push(Finding::error(
				"store",
				format!("{path} is left out: {error}"),
				mend,
			)),
		}
	}
	if status.store.corrupt > 0 {
		found.push(Finding::warning(
			"store",
			format!(
				"{} shards were found damaged since start",
				status.store.corrupt
			),
			"repair brings them back; if there are more each day, replace the disk",
		));
	}
	if found.is_empty() {
		let shards = status.store.shards;
		found.push(Finding::ok(
			"store",
			format!("{shards} shards, none damaged since start"),
		));
	}
	found
}

async fn look_at_chain(
	base: &BasePath,
	config: &Config,
	url: &str,
	running: Option<&Status>,
	found: &mut Vec<Finding>,
) {
	let chain = match ChainClient::connect(url).await {
		Ok(chain) => {
			found.push(Finding::ok("chain", format!("{url} answers")));
			chain
		}
		Err(error) => {
			found.push(Finding::error(
				"chain",
				error.to_string(),
				"give the address of a full node with --chain, or look at the rest with --no-chain",
			));
			return;
		}
	};
	if let Err(error) = ask_chain(base, config, chain, running, found).await {
		found.push(Finding::failed("chain", error));
	}
}

async fn ask_chain(
	base: &BasePath,
	config: &Config,
	chain: ChainClient,
	running: Option<&Status>,
	found: &mut Vec<Finding>,
) -> Result<(), MinerError> {
	let view = chain.at(At::Best).await?;
	let ours = SystemTime::now().duration_since(UNIX_EPOCH);
	found.push(match ours {
		Ok(ours) => system::clock(
			ours,
			view.timestamp().await?,
			view.block_time().unwrap_or(BLOCK),
		),
		Err(_) => Finding::error("clock", "the clock is before 1970", "set it"),
	});
	let keys = Keys::load(base)?;
	let epochs = Epochs::load(base.map(), keys.current.node_key())?;
	let genesis = chain.genesis_hash();
	found.push(chain::genesis(epochs.genesis(), genesis));
	let held = running.map_or(epochs.state().epoch, |status| status.epoch);
	found.push(chain::epoch(held, view.current_epoch().await?));
	let ours = Ours {
		key: keys.current.node_key(),
		next_key: keys.next.as_ref().map(|next| next.node_key()),
		addresses: config.addresses().unwrap_or_default(),
		capacity: config.store.total().0,
		zone: config.node.zone,
		host: config.node.host.clone(),
	};
	let node = OwnNode::find(chain, &keys.public()).await?;
	let stake = match &node {
		Some(node) => node.view.held_stake(node.details.family).await?,
		None => 0,
	};
	let known = node.as_ref().map(|node| (node.index, &node.details));
	found.extend(chain::node(known, &ours, stake));
	Ok(())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::doctor::report::Level;

	fn status(disks: serde_json::Value) -> Status {
		serde_json::from_value(serde_json::json!({
			"pid": 1, "version": "0", "node_key": hippius_primitives::NodeKey([1; 32]),
			"listen": "127.0.0.1:1", "public": [], "control": "127.0.0.1:2",
			"genesis": null, "epoch": 0, "node_index": null, "slots": null, "pg_num": null,
			"map_nodes": null, "connections": 0, "uptime_seconds": 0,
			"store": {
				"capacity": 0, "allocated": 0, "used": 0, "free": 0, "shards": 5, "corrupt": 0,
				"sealed": 0, "disks": disks,
			},
		}))
		.unwrap()
	}

	fn disk(state: &str) -> serde_json::Value {
		serde_json::json!({
			"path": "/d", "state": state, "error": "cannot write: EIO", "capacity": 0, "used": 0,
			"free": 0, "shards": 0, "sealed": 1, "read_errors": 2, "scrub_passes": 0,
			"scrub_began": 0, "scrub_volume": 0, "volumes": 0,
		})
	}

	#[test]
	fn a_full_node_that_is_silent() {
		let mut of = status(serde_json::json!([]));
		assert_eq!(worker(&of).level, Level::Skipped);
		of.uptime_seconds = 121;
		assert_eq!(worker(&of).level, Level::Warning);
		of.worker_seen_seconds = Some(6);
		assert_eq!(worker(&of).level, Level::Ok);
		of.worker_seen_seconds = Some(121);
		assert_eq!(worker(&of).level, Level::Warning);
	}

	#[test]
	fn a_daemon_with_the_old_key() {
		let of = status(serde_json::json!([]));
		assert!(old_key(&of, &[NodeKey([2; 32]), of.info.node_key]).is_none());
		let old = old_key(&of, &[NodeKey([2; 32])]).unwrap();
		assert_eq!(old.level, Level::Error);
	}

	#[test]
	fn disks_the_daemon_complains_of() {
		let fine = store(&status(serde_json::json!([disk("ok")])));
		assert_eq!((fine.len(), fine[0].level), (1, Level::Ok));
		let bad = store(&status(serde_json::json!([
			disk("failing"),
			disk("failed")
		])));
		assert!(bad.iter().all(|finding| finding.level == Level::Error));
		assert!(bad[0].text.contains("EIO") && bad[1].text.contains("left out"));
		let mut damaged = status(serde_json::json!([]));
		damaged.store.corrupt = 3;
		assert_eq!(store(&damaged)[0].level, Level::Warning);
	}
}
