//! `arion-miner run`: puts store, QUIC endpoint and control API together.

use crate::{
	beats::Beats,
	config::Config,
	control::{self, Api},
	disks,
	epochs::Epochs,
	files::{self, BasePath},
	leaves::Leaves,
	metrics::Metrics,
	nat,
	permits::Permits,
	repair::Repair,
	rotation::{KeySwitch, SETTLE},
	service::{Failpoint, MinerService},
	work::{peers::Members, shards::Disks, Work},
	MinerError,
};
use arion_grid::{Grid, GridConfig, Identity};
use arion_shard_store::StoreSet;
use hippius_primitives::{NodeKey, RelayAddress};
use serde::{Deserialize, Serialize};
use std::{
	io,
	net::SocketAddr,
	sync::{Arc, RwLock},
	time::{Duration, Instant},
};
use tokio::{
	net::TcpListener,
	sync::{watch, Notify},
	task::JoinHandle,
};

/// How long open control requests may take at the end.
const CONTROL_DRAIN: Duration = Duration::from_secs(3);

/// Where a running daemon is; kept in `run.json` while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
	/// Process id.
	pub pid: u32,
	/// Version of the program.
	pub version: String,
	/// The node's key.
	pub node_key: NodeKey,
	/// UDP address QUIC is served on.
	pub listen: SocketAddr,
	/// Addresses others reach it at, as configured.
	pub public: Vec<SocketAddr>,
	/// Relays others reach it through, as configured.
	#[serde(default)]
	pub relays: Vec<RelayAddress>,
	/// TCP address of the control API.
	pub control: SocketAddr,
}

impl RunInfo {
	/// Reads `run.json`; `None` if no daemon has left one.
	pub fn load(base: &BasePath) -> Result<Option<Self>, MinerError> {
		let path = base.run_info();
		let Some(bytes) = files::read_limited(&path, 64 * 1024)? else {
			return Ok(None);
		};
		serde_json::from_slice(&bytes)
			.map(Some)
			.map_err(|error| MinerError::io("read", path)(error.into()))
	}
}

/// A running miner.
pub struct Daemon {
	info: RunInfo,
	base: BasePath,
	grid: Arc<Grid>,
	keys: Arc<KeySwitch>,
	store: Arc<StoreSet>,
	repair: Arc<Repair>,
	stop: watch::Sender<bool>,
	control: JoinHandle<io::Result<()>>,
}

impl Daemon {
	/// Starts the miner in `base`. When this returns it serves, and `run.json` says where.
	pub async fn start(base: BasePath, failpoint: Option<Failpoint>) -> Result<Self, MinerError> {
		let config = Config::load(&base.config())?;
		let identity = Arc::new(Identity::load(&base.node_key())?);
		let node_key = identity.node_key();
		let token = files::read_token(&base.token())?;
		files::make_dir(&base.map())?;

		let (store_base, store_config) = (base.clone(), config.clone());
		let opened =
			tokio::task::spawn_blocking(move || disks::open(&store_base, &store_config)).await;
		let store = opened.map_err(|error| MinerError::Task(error.to_string()))??;
		let usage = store.usage();
		tracing::info!(
			disks = store.stores().count(),
			shards = usage.shards,
			used = usage.used,
			torn = usage.torn,
			damaged = usage.damaged,
			"store open"
		);
		let store = Arc::new(store);
		let epochs = Arc::new(Epochs::load(base.map(), node_key)?);
		control::compute_slots(&epochs);

		let address = config.control.listen;
		let bind = |source| MinerError::ControlBind { address, source };
		let listener = TcpListener::bind(address).await.map_err(bind)?;
		let control_address = listener.local_addr().map_err(bind)?;
		let transport = GridConfig {
			relays: config.grid.relays.clone(),
			..GridConfig::default()
		};
		let signer = Arc::new(RwLock::new(identity.clone()));
		let grid = Grid::bind(config.grid.listen, identity, transport)?;
		let metrics = Arc::new(Metrics::default());
		let repair = Repair::start(
			&base.repair(),
			node_key,
			store.clone(),
			grid.clone(),
			epochs.clone(),
			config.repair.clone(),
		)
		.await?;
		let path = base.leaves();
		let leaves = tokio::task::spawn_blocking(move || Leaves::open(&path)).await;
		let leaves = Arc::new(leaves.map_err(|error| MinerError::Task(error.to_string()))??);
		let disks = Disks {
			store: store.clone(),
			repair: repair.clone(),
		};
		let work = Work::new(
			epochs.clone(),
			leaves.clone(),
			Arc::new(disks),
			signer.clone(),
		);
		let service = MinerService::new(
			store.clone(),
			leaves,
			Permits::new(config.permits.issuers.clone(), epochs.clone()),
			epochs.clone(),
			signer.clone(),
			metrics.clone(),
			repair.clone(),
			config.store.jobs,
			failpoint,
		);
		grid.serve(Arc::new(service))?;

		let info = RunInfo {
			pid: std::process::id(),
			version: env!("CARGO_PKG_VERSION").into(),
			node_key,
			listen: grid.local_addr(),
			public: config.grid.public,
			relays: config.grid.relays,
			control: control_address,
		};
		let keys = Arc::new(KeySwitch {
			base: base.clone(),
			grid: grid.clone(),
			signer,
			epochs: epochs.clone(),
			settle: SETTLE,
			changed: Notify::new(),
		});
		let beats = Arc::new(Beats::new(epochs.clone()));
		let api = Arc::new(Api {
			beats: beats.clone(),
			work: work.clone(),
			keys: keys.clone(),
			info: info.clone(),
			epochs,
			store: store.clone(),
			grid: grid.clone(),
			metrics,
			repair: repair.clone(),
			token: blake3::hash(token.as_bytes()),
			started: Instant::now(),
			turn: tokio::sync::Mutex::default(),
			work_turn: tokio::sync::Mutex::default(),
		});
		let (stop, mut stopping) = watch::channel(false);
		// Ends with the grid, at the latest.
		tokio::spawn(nat::watch(
			grid.clone(),
			api.epochs.clone(),
			stop.subscribe(),
		));
		tokio::spawn(beats.run(grid.clone(), store.clone(), stop.subscribe()));
		let members = Arc::new(Members::new(&grid, api.epochs.clone()));
		tokio::spawn(work.run(members, stop.subscribe()));
		let serving =
			axum::serve(listener, control::router(api)).with_graceful_shutdown(async move {
				// A closed channel means the daemon is gone: stop as well.
				let _ = stopping.wait_for(|stop| *stop).await;
			});
		let control = tokio::spawn(async move { serving.await });
		let (switch, mut ended) = (keys.clone(), stop.subscribe());
		tokio::spawn(async move {
			tokio::select! {
				_ = ended.wait_for(|stop| *stop) => {}
				() = switch.run() => {}
			}
		});
		let daemon = Self {
			info,
			base,
			grid,
			keys,
			store,
			repair,
			stop,
			control,
		};
		let json = serde_json::to_vec_pretty(&daemon.info)
			.map_err(|error| MinerError::io("write", daemon.base.run_info())(error.into()))?;
		files::replace(&daemon.base.run_info(), &json)?;
		Ok(daemon)
	}

	/// Where it runs.
	pub fn info(&self) -> &RunInfo {
		&self.info
	}

	/// Changes the node key, and does so by itself as new maps ask for it.
	pub fn keys(&self) -> &Arc<KeySwitch> {
		&self.keys
	}

	/// Its disks.
	pub fn store(&self) -> &Arc<StoreSet> {
		&self.store
	}

	/// Its repair.
	pub fn repair(&self) -> &Repair {
		&self.repair
	}

	/// Lets running requests finish, then ends everything. Acknowledged shards are on disk anyway.
	pub async fn stop(self) -> Result<(), MinerError> {
		self.stop.send_replace(true);
		self.grid.close().await;
		let repair = self.repair.stop().await;
		let mut control = self.control;
		match tokio::time::timeout(CONTROL_DRAIN, &mut control).await {
			Ok(Ok(Ok(()))) => {}
			Ok(Ok(Err(error))) => tracing::warn!(%error, "control API"),
			Ok(Err(error)) => return Err(MinerError::Task(error.to_string())),
			Err(_) => {
				tracing::warn!("open control requests are cut off");
				control.abort();
			}
		}
		repair?;
		let path = self.base.run_info();
		match std::fs::remove_file(&path) {
			Err(error) if error.kind() != io::ErrorKind::NotFound => {
				Err(MinerError::io("remove", path)(error))
			}
			_ => Ok(()),
		}
	}
}
