//! `arion-miner status`: asks the running daemon.

use crate::{
	account::rough,
	beats::BeatStatus,
	config::Config,
	daemon::RunInfo,
	files::{self, BasePath},
	repair::{
		handover::{DrainState, DrainStatus},
		Progress,
	},
	size::ByteSize,
	work::stats::WorkStatus,
	MinerError,
};
use arion_grid::{Grid, PathKind, PeerPath, PunchStats};
use arion_shard_store::{DiskReport, StoreSet, Usage};
use hippius_primitives::{Epoch, NodeIndex, RelayAddress};
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

/// What a daemon says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
	/// Key and addresses.
	#[serde(flatten)]
	pub info: RunInfo,
	/// The chain the miner is bound to; none before the first map.
	pub genesis: Option<String>,
	/// Epoch of the held map, 0 if none.
	pub epoch: Epoch,
	/// Seconds since the held map came.
	#[serde(default)]
	pub epoch_age_seconds: Option<u64>,
	/// Seconds since the full node's worker last asked or sent; none if it has not since start.
	#[serde(default)]
	pub worker_seen_seconds: Option<u64>,
	/// This node's number, if it is in the map's node table.
	pub node_index: Option<NodeIndex>,
	/// Placement-group slots of this node; none while they are not computed.
	pub slots: Option<usize>,
	/// Placement groups of the map.
	pub pg_num: Option<u32>,
	/// Nodes in the map.
	pub map_nodes: Option<usize>,
	/// Open QUIC connections.
	pub connections: usize,
	/// How others are reached, and reach this node.
	#[serde(default)]
	pub network: NetworkStatus,
	/// Seconds since start.
	pub uptime_seconds: u64,
	/// The shard store.
	pub store: StoreStatus,
	/// How the last heartbeats fared.
	#[serde(default)]
	pub beats: BeatStatus,
	/// What the chain asks of this node, and how that goes.
	#[serde(default)]
	pub work: WorkStatus,
	/// What repair has to do.
	#[serde(default)]
	pub repair: RepairStatus,
	/// How far a node that leaves is.
	#[serde(default)]
	pub drain: DrainStatus,
}

/// What repair has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairStatus {
	/// The epoch worked on.
	pub epoch: Epoch,
	/// Slots to be looked through.
	pub open: usize,
	/// Slots that wait for a former holder to come back.
	pub waiting: usize,
	/// Single shards to be repaired.
	pub singles: usize,
}

impl From<&Progress> for RepairStatus {
	fn from(progress: &Progress) -> Self {
		Self {
			epoch: progress.epoch,
			open: progress.open,
			waiting: progress.waiting,
			singles: progress.singles,
		}
	}
}

/// Paths and relays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkStatus {
	/// Connections to and from known nodes over UDP.
	pub direct: usize,
	/// Connections to and from known nodes through relays.
	pub relayed: usize,
	/// Connections that were found through a relay and lead over UDP through NAT.
	#[serde(default)]
	pub punched: usize,
	/// The same, opened by the node behind the NAT to a public one.
	#[serde(default)]
	pub reversed: usize,
	/// The connections, at most [`MOST_PEERS`], those that are not direct first.
	#[serde(default)]
	pub peers: Vec<PeerLine>,
	/// What has come of attempts to do without relays.
	#[serde(default)]
	pub punching: PunchLine,
	/// The relays this node uses, its own first.
	pub relays: Vec<RelayLine>,
	/// What stands between this node and others: `unknown`, `none`, `easy` or `hard`.
	#[serde(default)]
	pub nat: String,
	/// The UDP address that others see, if two of them agree.
	#[serde(default)]
	pub seen_as: Option<SocketAddr>,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLine {
	/// The node at the other end.
	pub node_key: String,
	/// `direct`, `relayed`, `punched` or `reversed`.
	pub path: String,
	/// Estimate of the round-trip time, in milliseconds.
	pub rtt_ms: u64,
	/// Whether this node dialled.
	pub dialled: bool,
}

/// Attempts to do without relays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PunchLine {
	/// Attempts of this node.
	pub attempts: u64,
	/// Those that led to a direct connection.
	pub succeeded: u64,
	/// Those given up because both NATs give every destination a port of its own.
	pub hard: u64,
	/// Those that failed for other reasons; `/metrics` has each.
	pub failed: u64,
	/// Direct connections that broke and were replaced by the relay.
	pub fallbacks: u64,
	/// Attempts of other nodes that were answered.
	pub answered: u64,
}

impl From<PunchStats> for PunchLine {
	fn from(stats: PunchStats) -> Self {
		Self {
			attempts: stats.attempts,
			succeeded: stats.punched + stats.reversed,
			hard: stats.hard,
			failed: stats.no_address + stats.silent + stats.refused + stats.dial_failed,
			fallbacks: stats.fallbacks,
			answered: stats.answered,
		}
	}
}

/// How the node stands with a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayLine {
	/// The relay.
	pub address: RelayAddress,
	/// Whether it is one of this node's own, through which others reach it.
	pub home: bool,
	/// Whether packets pass.
	pub connected: bool,
	/// Why not, if the last attempt failed.
	pub problem: Option<String>,
}

impl NetworkStatus {
	/// Of a running endpoint.
	pub fn of(grid: &Grid) -> Self {
		let (paths, nat) = (grid.paths(), grid.nat());
		let relays = grid.relays().into_iter().map(|relay| RelayLine {
			address: relay.address,
			home: relay.home,
			connected: relay.connected,
			problem: relay.problem,
		});
		Self {
			direct: paths.direct,
			relayed: paths.relayed,
			punched: paths.punched,
			reversed: paths.reversed,
			peers: peers(grid),
			punching: grid.punches().into(),
			relays: relays.collect(),
			nat: nat.kind.name().into(),
			seen_as: nat.address,
		}
	}
}

/// Connections a status shows.
pub const MOST_PEERS: usize = 64;

fn peers(grid: &Grid) -> Vec<PeerLine> {
	let mut open = grid.peer_paths();
	open.sort_by_key(|open| (open.path == PathKind::Direct, open.key.0, !open.dialled));
	let line = |open: PeerPath| PeerLine {
		node_key: open.key.to_string(),
		path: open.path.name().into(),
		rtt_ms: u64::try_from(open.rtt.as_millis()).unwrap_or(u64::MAX),
		dialled: open.dialled,
	};
	open.into_iter().take(MOST_PEERS).map(line).collect()
}

/// The shard store, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
	/// Most the volumes may take.
	pub capacity: u64,
	/// What they take.
	pub allocated: u64,
	/// What the live records take.
	pub used: u64,
	/// What can still be written.
	pub free: u64,
	/// Live shard records.
	pub shards: u64,
	/// Shards found damaged since start.
	pub corrupt: u64,
	/// Volumes closed by an I/O error since start.
	pub sealed: u64,
	/// Each disk.
	pub disks: Vec<DiskStatus>,
}

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatus {
	/// Its directory.
	pub path: PathBuf,
	/// `ok`, `failing` (in use, has refused a read or write since start) or `failed` (left out).
	pub state: String,
	/// Why it is not `ok`, if there is more to say than the counts.
	pub error: Option<String>,
	/// Most its volumes may take, in bytes; 0 if it is left out, as all below.
	pub capacity: u64,
	/// What its live records take, in bytes.
	pub used: u64,
	/// What can still be written, in bytes.
	pub free: u64,
	/// Live shard records.
	pub shards: u64,
	/// Volumes closed by an I/O error since start.
	pub sealed: u64,
	/// Reads refused since start.
	pub read_errors: u64,
	/// Passes the scrub has done since the store was made.
	pub scrub_passes: u64,
	/// Unix seconds at which the current scrub pass began; 0 before the first has ended.
	pub scrub_began: u64,
	/// Volume the scrub is at; 0 at the start of a pass.
	pub scrub_volume: u32,
	/// Volumes on the disk.
	pub volumes: u64,
}

impl From<DiskReport> for DiskStatus {
	fn from(report: DiskReport) -> Self {
		let state = report.state().name().to_owned();
		let (usage, error) = match report.usage {
			Ok(usage) => (usage, report.fault),
			Err(error) => (Usage::default(), Some(error)),
		};
		let scrub = report.scrub.unwrap_or_default();
		Self {
			path: report.path,
			state,
			error: error.map(|error| error.to_string()),
			capacity: usage.capacity,
			used: usage.used,
			free: usage.free,
			shards: usage.shards,
			sealed: usage.sealed,
			read_errors: usage.read_errors,
			scrub_passes: scrub.passes,
			scrub_began: scrub.began,
			scrub_volume: scrub.volume,
			volumes: usage.volumes,
		}
	}
}

impl StoreStatus {
	/// What the store says of itself.
	pub fn of(store: &StoreSet) -> Self {
		let usage = store.usage();
		Self {
			disks: store.disks().into_iter().map(Into::into).collect(),
			capacity: usage.capacity,
			allocated: usage.allocated,
			used: usage.used,
			free: usage.free,
			shards: usage.shards,
			corrupt: usage.corrupt,
			sealed: usage.sealed,
		}
	}
}

impl fmt::Display for Status {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let known = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.into());
		let public: Vec<String> = self.info.public.iter().map(ToString::to_string).collect();
		writeln!(f, "node key   {}", self.info.node_key)?;
		writeln!(f, "serving    {} (UDP)", self.info.listen)?;
		writeln!(
			f,
			"public     {}",
			if public.is_empty() {
				"-".into()
			} else {
				public.join(", ")
			}
		)?;
		writeln!(f, "control    http://{}", self.info.control)?;
		writeln!(
			f,
			"chain      {}",
			known(self.genesis.clone(), "not bound yet")
		)?;
		match self.epoch {
			0 => writeln!(
				f,
				"epoch      none yet: does the full node run with --arion-daemon?"
			)?,
			epoch => writeln!(
				f,
				"epoch      {epoch}, {} nodes, came {} ago",
				self.map_nodes.unwrap_or_default(),
				rough(self.epoch_age_seconds.unwrap_or_default()),
			)?,
		}
		match self.worker_seen_seconds {
			None => writeln!(f, "full node  has not asked since start")?,
			Some(seconds) => writeln!(f, "full node  asked {} ago", rough(seconds))?,
		}
		let index = self.node_index.map(|index| index.to_string());
		writeln!(f, "node       {}", known(index, "not in the map"))?;
		let slots = self.slots.map(|slots| {
			format!(
				"{slots} of {} placement groups",
				self.pg_num.unwrap_or_default()
			)
		});
		writeln!(f, "slots      {}", known(slots, "not known"))?;
		writeln!(
			f,
			"peers      {} connections: {} direct, {} relayed, {} punched, {} reversed",
			self.connections,
			self.network.direct,
			self.network.relayed,
			self.network.punched,
			self.network.reversed,
		)?;
		writeln!(
			f,
			"nat        {}, seen as {}",
			self.network.nat,
			known(self.network.seen_as.map(|seen| seen.to_string()), "-")
		)?;
		let punching = &self.network.punching;
		if punching.attempts + punching.answered > 0 {
			writeln!(
				f,
				"punching   {} of {} attempts succeeded, {} between hard NATs, {} fell back; {} answered",
				punching.succeeded,
				punching.attempts,
				punching.hard,
				punching.fallbacks,
				punching.answered,
			)?;
		}
		for peer in self
			.network
			.peers
			.iter()
			.filter(|peer| peer.path != "direct")
		{
			let (key, path, rtt) = (&peer.node_key, &peer.path, peer.rtt_ms);
			writeln!(f, "           {key} {path}, {rtt} ms")?;
		}
		for relay in self.network.relays.iter().filter(|relay| relay.home) {
			let state = match (relay.connected, &relay.problem) {
				(true, _) => "connected",
				(false, None) => "connecting",
				(false, Some(problem)) => problem,
			};
			writeln!(f, "relay      {}: {state}", relay.address)?;
		}
		writeln!(
			f,
			"store      {} shards, {} of {} used, {} free",
			self.store.shards,
			short(self.store.used),
			short(self.store.capacity),
			short(self.store.free),
		)?;
		match self.beats.noted_at {
			0 => writeln!(f, "heartbeat  not taken by anybody since start")?,
			at => writeln!(
				f,
				"heartbeat  taken {} ago, {} of {} collectors in this slot",
				rough(crate::metrics::unix_now().saturating_sub(at)),
				self.beats.noted,
				self.beats.collectors,
			)?,
		}
		if let (true, Some(problem)) = (
			self.beats.noted < self.beats.collectors,
			&self.beats.problem,
		) {
			writeln!(f, "           last trouble: {problem}")?;
		}
		let WorkStatus {
			ordered_at,
			asked,
			ready,
			problem,
			..
		} = &self.work;
		if *ordered_at > 0 {
			writeln!(f, "audits     {asked} open draws, {ready} of them shown")?;
		}
		if let (true, Some(problem)) = (ready < asked, problem) {
			writeln!(f, "           last trouble: {problem}")?;
		}
		let RepairStatus {
			open,
			waiting,
			singles,
			..
		} = self.repair;
		if open + waiting + singles > 0 {
			writeln!(
				f,
				"repair     {open} slots and {singles} single shards to do, {waiting} slots wait"
			)?;
		}
		if !matches!(self.drain.state, DrainState::Unknown | DrainState::InMap) {
			writeln!(f, "drain      {}", self.drain)?;
		}
		if self.store.corrupt > 0 || self.store.sealed > 0 {
			let (corrupt, sealed) = (self.store.corrupt, self.store.sealed);
			writeln!(
				f,
				"damage     {corrupt} shards, {sealed} volumes sealed: check the disk"
			)?;
		}
		for disk in &self.store.disks {
			writeln!(
				f,
				"disk       {}: {}, {} of {} used, {} free, scrub pass {} at volume {} of {}",
				disk.path.display(),
				disk.state,
				short(disk.used),
				short(disk.capacity),
				short(disk.free),
				disk.scrub_passes + 1,
				disk.scrub_volume,
				disk.volumes,
			)?;
			if let Some(error) = &disk.error {
				writeln!(f, "           {error}")?;
			}
		}
		write!(f, "up         {} s", self.uptime_seconds)
	}
}

/// Rounded for people.
fn short(bytes: u64) -> String {
	for (unit, size) in [
		("TiB", 1u64 << 40),
		("GiB", 1 << 30),
		("MiB", 1 << 20),
		("KiB", 1 << 10),
	] {
		if bytes >= size {
			let tenths = bytes / (size / 10);
			return format!("{}.{}{unit}", tenths / 10, tenths % 10);
		}
	}
	ByteSize(bytes).to_string()
}

/// Asks the daemon of `base` for its status.
pub async fn ask(base: &BasePath) -> Result<Status, MinerError> {
	let config = Config::load(&base.config())?;
	let token = files::read_token(&base.token())?;
	// The actual address, if the port was chosen at start.
	let control = RunInfo::load(base)?.map_or(config.control.listen, |info| info.control);
	let url = format!("http://{control}/v1/status");
	let silent = |cause: reqwest::Error| MinerError::NotRunning {
		url: url.clone(),
		cause: root(&cause),
	};
	let client = reqwest::Client::builder()
		.no_proxy()
		.timeout(Duration::from_secs(10))
		.build()
		.map_err(silent)?;
	let response = client
		.get(&url)
		.bearer_auth(token)
		.send()
		.await
		.map_err(silent)?;
	let status = response.status();
	if !status.is_success() {
		let text = response.text().await.map_err(silent)?;
		return Err(MinerError::Answer {
			status: status.as_u16(),
			text,
		});
	}
	response.json().await.map_err(silent)
}

/// The innermost cause: what the outer ones wrap says nothing to an operator.
fn root(error: &dyn std::error::Error) -> String {
	let mut cause = error;
	while let Some(inner) = cause.source() {
		cause = inner;
	}
	cause.to_string()
}
