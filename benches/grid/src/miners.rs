//! Thirty miner processes on loopback, in a folder that goes when they do.

use crate::failed;
use arion_crush::cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
};
use arion_gateway::cluster::Node;
use bench_harness::BenchError;
use codec::Encode;
use hippius_primitives::{
	daemon::{EpochUpdate, EPOCH_PATH},
	registration::{NodeParams, NodeRecord, NodeStatus},
	NodeKey,
};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;
use std::{
	fs,
	io::{BufRead, BufReader},
	net::SocketAddr,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	time::Duration,
};

/// Miners started: one per shard of a stripe.
pub(crate) const MINERS: u32 = 30;
/// Of the chain that does not exist here.
pub(crate) const GENESIS: [u8; 32] = [9; 32];
const ONE: u32 = 0x1_0000;

/// A running miner; killed when dropped.
struct Miner {
	child: Child,
	folder: PathBuf,
	key: NodeKey,
	listen: SocketAddr,
	control: SocketAddr,
}

impl Drop for Miner {
	fn drop(&mut self) {
		// A stopped one must run to die; both fail only if it is gone.
		let _ = self.signal(Signal::CONT);
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

impl Miner {
	fn signal(&self, signal: Signal) -> Result<(), BenchError> {
		kill_process(Pid::from_child(&self.child), signal).map_err(failed("signal"))
	}

	/// CPU time of the process so far.
	fn cpu(&self) -> Result<Duration, BenchError> {
		let path = format!("/proc/{}/stat", self.child.id());
		let stat = fs::read_to_string(path).map_err(failed("/proc"))?;
		// The name in brackets may hold anything; utime and stime are fields 14 and 15.
		let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
		let ticks = rest.split_whitespace().skip(11).take(2);
		let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
		let per_second = rustix::param::clock_ticks_per_second();
		Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
	}
}

/// All of them.
pub(crate) struct Miners {
	miners: Vec<Miner>,
	folder: tempfile::TempDir,
	/// The map they work by.
	pub(crate) map: ClusterMap,
}

impl Miners {
	/// Starts them, each with `capacity` bytes.
	pub(crate) async fn start(binary: &Path, capacity: u64) -> Result<Self, BenchError> {
		let folder = tempfile::Builder::new()
			.prefix("bench-grid-")
			.tempdir()
			.map_err(failed("temporary folder"))?;
		let mut miners = Vec::new();
		for index in 0..MINERS {
			let base = folder.path().join(format!("m{index}"));
			miners.push(start(binary, base, index, capacity)?);
		}
		let this = Self {
			miners,
			folder,
			map: map(),
		};
		this.hand_over_map().await?;
		this.settled().await?;
		Ok(this)
	}

	/// A place for files that goes when the miners go.
	pub(crate) fn folder(&self) -> &Path {
		self.folder.path()
	}

	/// How a gateway reaches them.
	pub(crate) fn nodes(&self) -> Vec<Node> {
		let node = |(index, miner): (usize, &Miner)| Node {
			index: index as u32,
			key: miner.key,
			addresses: vec![miner.listen],
			relays: Vec::new(),
			next_key: None,
			jailed: false,
		};
		self.miners.iter().enumerate().map(node).collect()
	}

	/// CPU time of all of them so far.
	pub(crate) fn cpu(&self) -> Result<Duration, BenchError> {
		self.miners.iter().map(Miner::cpu).sum()
	}

	/// Stops these where they are; they keep their sockets and answer nothing.
	pub(crate) fn stall(&self, which: &[usize]) -> Result<(), BenchError> {
		self.each(which, Signal::STOP)
	}

	/// Lets them go on.
	pub(crate) fn resume(&self, which: &[usize]) -> Result<(), BenchError> {
		self.each(which, Signal::CONT)
	}

	fn each(&self, which: &[usize], signal: Signal) -> Result<(), BenchError> {
		let miners = which.iter().filter_map(|index| self.miners.get(*index));
		miners
			.into_iter()
			.try_for_each(|miner| miner.signal(signal))
	}

	/// The files of all stores.
	pub(crate) fn volumes(&self) -> Result<Vec<PathBuf>, BenchError> {
		let mut volumes = Vec::new();
		let mut folders: Vec<PathBuf> = self.miners.iter().map(|m| m.folder.clone()).collect();
		while let Some(folder) = folders.pop() {
			for entry in fs::read_dir(folder).map_err(failed("store"))? {
				let path = entry.map_err(failed("store"))?.path();
				if path.is_dir() {
					folders.push(path);
				} else if path.extension().is_some_and(|extension| extension == "vol") {
					volumes.push(path);
				}
			}
		}
		Ok(volumes)
	}

	/// Waits until all have asked each other what of the new map they lack: that is work of its own.
	async fn settled(&self) -> Result<(), BenchError> {
		let client = reqwest::Client::new();
		let mut ticks = tokio::time::interval(Duration::from_millis(200));
		for miner in &self.miners {
			let token = fs::read_to_string(miner.folder.join("control.token"));
			let token = token.map_err(failed("control.token"))?;
			loop {
				ticks.tick().await;
				let request = client.get(format!("http://{}/v1/status", miner.control));
				let answer = request.bearer_auth(token.trim()).send().await;
				let text = answer.map_err(failed("status"))?.text().await;
				let status: serde_json::Value =
					serde_json::from_str(&text.map_err(failed("status"))?)
						.map_err(failed("status"))?;
				let repair = &status["repair"];
				if repair["epoch"] == self.map.epoch && repair["open"] == 0 {
					break;
				}
			}
		}
		Ok(())
	}

	/// As a full node's worker would.
	async fn hand_over_map(&self) -> Result<(), BenchError> {
		let map = self.map.encode();
		let nodes = self
			.miners
			.iter()
			.enumerate()
			.map(|(index, miner)| NodeRecord {
				index: index as u32,
				family: [1; 32],
				key: miner.key,
				next_key: None,
				params: NodeParams {
					zone: (index / 5) as u8,
					host: b"h".to_vec(),
					capacity: 1 << 30,
					addresses: vec![miner.listen.into()],
				},
				status: NodeStatus::Active,
			});
		let update = EpochUpdate {
			genesis: GENESIS,
			epoch: self.map.epoch,
			map_hash: sp_crypto_hashing::blake2_256(&map),
			map,
			nodes: nodes.collect(),
		};
		let body = update.encode();
		let client = reqwest::Client::new();
		for miner in &self.miners {
			let token = fs::read_to_string(miner.folder.join("control.token"));
			let answer = client
				.post(format!("http://{}{EPOCH_PATH}", miner.control))
				.bearer_auth(token.map_err(failed("control.token"))?.trim())
				.body(body.clone())
				.send()
				.await
				.map_err(failed("control API"))?;
			if !answer.status().is_success() {
				let text = answer.text().await.unwrap_or_default();
				return Err(BenchError::failed("map", text));
			}
		}
		Ok(())
	}
}

/// Makes and starts one miner on ports the system chooses, and waits until it serves.
fn start(binary: &Path, folder: PathBuf, index: u32, capacity: u64) -> Result<Miner, BenchError> {
	let made = Command::new(binary)
		.args(["init", "--output", "json", "--host", "h"])
		.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
		.args(["--zone", &(index / 5).to_string()])
		.args(["--capacity", &format!("{}MiB", capacity >> 20)])
		.args(["--volume-size", "256MiB"])
		.arg("--base-path")
		.arg(&folder)
		.output()
		.map_err(failed("arion-miner"))?;
	if !made.status.success() {
		let said = String::from_utf8_lossy(&made.stderr).into_owned();
		return Err(BenchError::failed("arion-miner init", said));
	}
	let mut child = Command::new(binary)
		.args(["run", "--log-format", "json", "--base-path"])
		.arg(&folder)
		.env("RUST_LOG", "info")
		.stderr(Stdio::piped())
		.stdout(Stdio::null())
		.spawn()
		.map_err(failed("arion-miner"))?;
	let log = child.stderr.take().map(BufReader::new);
	let mut lines = log.into_iter().flat_map(BufRead::lines);
	let ready = lines.by_ref().find(|line| {
		let line = line.as_deref().unwrap_or_default();
		serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"] == "ready")
	});
	// Read on, or a full pipe would stop it.
	std::thread::spawn(move || lines.for_each(drop));
	let about = fs::read_to_string(folder.join("run.json"));
	let about: Option<Value> = about.ok().and_then(|text| serde_json::from_str(&text).ok());
	let text = |name: &str| Some(about.as_ref()?[name].as_str()?.to_owned());
	let found = (|| {
		ready.as_ref()?;
		let key = NodeKey::from_hex(&text("node_key")?)?;
		let listen = text("listen")?.parse().ok()?;
		Some((key, listen, text("control")?.parse().ok()?))
	})();
	let Some((key, listen, control)) = found else {
		// Fails only if it is gone already.
		let _ = child.kill();
		let _ = child.wait();
		return Err(BenchError::failed(
			"arion-miner run",
			"it ended before it was ready",
		));
	};
	Ok(Miner {
		child,
		folder,
		key,
		listen,
		control,
	})
}

/// Six zones of five.
fn map() -> ClusterMap {
	let mut last = 0;
	let mut id = || {
		last -= 1;
		last
	};
	let zones = (0u8..6).map(|zone| ZoneBucket {
		zone,
		id: id(),
		families: (0..5)
			.map(|at| {
				let node = MapNode {
					index: u32::from(zone) * 5 + at,
					weight: ONE,
					reweight: ONE,
				};
				let host = HostBucket {
					id: id(),
					nodes: vec![node],
				};
				FamilyBucket {
					id: id(),
					hosts: vec![host],
				}
			})
			.collect(),
	});
	ClusterMap::plain(
		1,
		256,
		1,
		PlacementRule::new(5, FailureDomain::Host),
		zones.collect(),
	)
}
