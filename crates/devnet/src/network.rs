//! A network as one thing: brought up, healed, taken down.

use crate::{
	commands::{self, Bins},
	error::{Context as _, Error, Result},
	plan::{self, MinerPlan, Plan, BOOT_PEER},
	process::{stop_all, Running},
	procfs::{marked, ProcessId},
	register,
	rpc::{self, Rpc},
	state::{Entry, Kind, Phase, State, StateDir},
	story::Story,
	tool,
};
use arion_grid::Identity;
use futures_util::{future::try_join_all, StreamExt as _, TryStreamExt as _};
use hippius_chain_client::ss58;
use std::{future::Future, time::Duration};
use tokio::sync::mpsc;

/// A node first compiles the runtime's wasm, which takes a busy machine a while.
const NODE_READY: Duration = Duration::from_secs(300);
const DAEMON_READY: Duration = Duration::from_secs(60);
const FIRST_FINALISED: Duration = Duration::from_secs(180);
/// Short-lived helper processes run at a time.
const TOOLS: usize = 4;

/// A process that ended.
#[derive(Debug)]
pub struct Ended {
	/// Which.
	pub name: String,
	/// How.
	pub how: String,
}

/// A network, running or about to.
#[derive(Debug)]
pub struct Network {
	/// Its layout.
	pub plan: Plan,
	/// Its folder.
	pub dir: StateDir,
	/// Its programs.
	pub bins: Bins,
	story: Story,
	client: reqwest::Client,
	ended: mpsc::UnboundedSender<Ended>,
}

impl Network {
	/// A network to be started with [`Self::start`]. The receiver is told of every process started
	/// through this value that ends.
	pub fn new(
		dir: StateDir,
		base_port: u16,
		relayed_zone: Option<u16>,
		spare_zone: Option<u16>,
		bins: Bins,
		story: Story,
	) -> Result<(Self, mpsc::UnboundedReceiver<Ended>)> {
		let plan = Plan::new(base_port, dir.path())?
			.with_relay(relayed_zone, dir.path())?
			.with_spare(spare_zone, dir.path())?;
		// One message per process ended, so bounded by the number of starts.
		let (ended, events) = mpsc::unbounded_channel();
		Ok((
			Self {
				plan,
				dir,
				bins,
				story,
				client: rpc::http()?,
				ended,
			},
			events,
		))
	}

	/// The network that runs from this folder.
	pub fn running(dir: StateDir, story: Story) -> Result<(Self, State)> {
		let state = dir.live()?;
		match state.phase {
			Phase::Up => (),
			Phase::Starting | Phase::Down => {
				return Err(Error::Usage(format!(
					"the network in {} is still coming up or going down; try again in a moment",
					dir.path().display()
				)));
			}
		}
		let (net, _) = Self::new(
			dir,
			state.base_port,
			state.relayed_zone,
			state.spare_zone,
			Bins::new(state.bin_dir.clone()),
			story,
		)?;
		Ok((net, state))
	}

	/// Where progress is told.
	pub fn story(&self) -> &Story {
		&self.story
	}

	/// The JSON-RPC of a node.
	pub fn rpc(&self, url: String) -> Rpc {
		Rpc::new(&self.client, url)
	}

	/// Takes the folder: fails if a network runs from it or a port is taken.
	pub fn claim(&self, supervisor: Option<ProcessId>) -> Result<()> {
		if let Some(path) = self.bins.missing(&self.plan) {
			return Err(Error::NoBinary(path));
		}
		let mut state = State::new(self.plan.base_port, self.bins.dir(), supervisor);
		state.spare_zone = self.plan.spare_zone;
		state.relayed_zone = self.plan.relay.as_ref().map(|relay| relay.zone);
		// The state first: a network that runs from here explains its ports better.
		self.dir.claim(&state)?;
		self.plan.check_ports()
	}

	/// Starts every process and waits until each answers and the chain finalises.
	pub async fn start(&self) -> Result<()> {
		// The full node reads the miners' tokens when it starts.
		self.init_daemons().await?;
		let boot: Vec<String> = self
			.plan
			.validators
			.iter()
			.take(1)
			.map(|first| format!("/ip4/127.0.0.1/tcp/{}/p2p/{BOOT_PEER}", first.p2p_port))
			.collect();
		let genesis = commands::chain_spec(&self.bins, &self.dir);
		tool::run(&genesis, self.dir.path()).await?;
		let start = |node, boot: &[String]| {
			self.start_and_wait(commands::node(
				&self.bins, &self.dir, &self.plan, node, boot,
			))
		};
		// The first compiles the runtime, the others take what it made.
		let mut nodes = self.plan.nodes();
		if let Some(first) = nodes.next() {
			start(first, &[]).await?;
		}
		try_join_all(nodes.map(|node| start(node, &boot))).await?;
		self.check_boot_node().await?;
		self.story.say("three validators and a full node answer");
		if let Some(relay) = &self.plan.relay {
			let gateway = self.plan.gateway.base_path.join("node.key");
			let key = Identity::load(&gateway).map_err(|error| Error::Answer {
				who: gateway.display().to_string(),
				what: error.to_string(),
			})?;
			tokio::fs::write(&relay.allow_file, format!("{}\n", key.node_key()))
				.await
				.context(|| format!("write {}", relay.allow_file.display()))?;
			let rpc = self.plan.full_node.ws();
			self.start_and_wait(commands::relay_run(&self.bins, &self.dir, relay, &rpc))
				.await?;
			self.story.say(format!(
				"a relay answers, for the miners of zone {}",
				relay.zone
			));
		}
		try_join_all(
			self.plan.miners.iter().map(|miner| {
				self.start_and_wait(commands::miner_run(&self.bins, &self.dir, miner))
			}),
		)
		.await?;
		self.story
			.say(format!("{} miners answer", self.plan.miners.len()));
		let full = self.rpc(self.plan.full_node.http());
		rpc::poll_until(
			"the first finalised block at the full node",
			FIRST_FINALISED,
			|| async { Ok((full.finalised().await? > 0).then_some(())) },
		)
		.await?;
		self.start_and_wait(commands::gateway_run(
			&self.bins,
			&self.dir,
			&self.plan.gateway,
		))
		.await?;
		self.story
			.say("the chain finalises blocks, the gateway answers");
		Ok(())
	}

	/// The other nodes find the first validator by an identity known beforehand.
	async fn check_boot_node(&self) -> Result<()> {
		let Some(first) = self.plan.validators.first() else {
			return Ok(());
		};
		let peer = self.rpc(first.http()).peer_id().await?;
		match peer == BOOT_PEER {
			true => Ok(()),
			false => Err(Error::Answer {
				who: first.name.into(),
				what: format!("its peer id is {peer}, not {BOOT_PEER}"),
			}),
		}
	}

	async fn init_daemons(&self) -> Result<()> {
		let account = self.plan.gateway.account_file();
		std::fs::write(&account, format!("{}\n", plan::GATEWAY_SURI))
			.context(|| format!("write {}", account.display()))?;
		let gateway = commands::gateway_init(
			&self.bins,
			&self.dir,
			&self.plan.gateway,
			&self.plan.full_node.ws(),
			&ss58(&register::account(plan::BUYER_SURI)?),
		);
		tool::run(&gateway, self.dir.path()).await?;
		let public = self.plan.gateway.base_path.join("node.pub");
		let issuer =
			std::fs::read_to_string(&public).context(|| format!("read {}", public.display()))?;
		let issuer = issuer.trim();
		let miners = self.plan.miners.iter().map(|miner| {
			let relay = self.plan.relay_of(miner);
			commands::miner_init(&self.bins, &self.dir, miner, relay, issuer)
		});
		futures_util::stream::iter(miners)
			.map(|spec| async move { tool::run(&spec, self.dir.path()).await })
			.buffer_unordered(TOOLS)
			.try_collect::<Vec<_>>()
			.await
			.map(drop)
	}

	/// Starts a process and records it; there is no await between the two, so that an interrupted
	/// start never leaves a process that is not in the state.
	pub fn spawn(&self, mut entry: Entry) -> Result<Running> {
		let running = Running::spawn(&entry.spec(), self.dir.path())?;
		entry.process = Some(running.id());
		if let Err(error) = self.dir.update(|state| state.put(entry)) {
			running.signal(rustix::process::Signal::KILL)?;
			return Err(error);
		}
		let (watched, ended) = (running.clone(), self.ended.clone());
		tokio::spawn(async move {
			let how = watched.exit().await;
			// Nobody listens any more when the network goes down.
			let _ = ended.send(Ended {
				name: watched.name().into(),
				how,
			});
		});
		Ok(running)
	}

	/// Starts a process and waits until it answers.
	pub async fn start_and_wait(&self, entry: Entry) -> Result<Running> {
		let (kind, url) = (entry.kind, entry.addresses.clone());
		let running = self.spawn(entry)?;
		let url = |wanted: &str| {
			url.iter()
				.find(|address| address.kind == wanted)
				.map(|address| address.url.clone())
		};
		match kind {
			Kind::Validator | Kind::FullNode => {
				let rpc = self.rpc(url("rpc").unwrap_or_default().replacen("ws:", "http:", 1));
				let ready = async { Ok(rpc::poll(|| async { rpc.best().await.map(Some) }).await) };
				running.until("answering RPC", NODE_READY, ready).await?;
			}
			Kind::Relay => {
				let metrics = url("metrics").unwrap_or_default();
				let ready = async {
					Ok(rpc::poll(|| async {
						rpc::get(&self.client, &metrics, None).await.map(Some)
					})
					.await)
				};
				running
					.until("answering /metrics", DAEMON_READY, ready)
					.await?;
			}
			Kind::Miner | Kind::Gateway => {
				let base = url("control").or_else(|| url("http")).unwrap_or_default();
				let health = format!("{base}/healthz");
				let ready = async {
					Ok(rpc::poll(|| async {
						rpc::get(&self.client, &health, None).await.map(Some)
					})
					.await)
				};
				running
					.until("answering /healthz", DAEMON_READY, ready)
					.await?;
			}
		}
		Ok(running)
	}

	/// Starts again, as it was started, a process that does not run; does nothing if it runs.
	pub async fn restart(&self, name: &str) -> Result<bool> {
		let entry = self.dir.live()?.entry(name)?.clone();
		match entry.alive() {
			true => Ok(false),
			false => self.start_and_wait(entry).await.map(|_| true),
		}
	}

	/// Starts everything again that does not run; how many.
	pub async fn heal(&self) -> Result<usize> {
		let dead: Vec<Entry> = self
			.dir
			.live()?
			.processes
			.into_iter()
			.filter(|entry| !entry.alive())
			.collect();
		let count = dead.len();
		try_join_all(dead.into_iter().map(|entry| self.start_and_wait(entry))).await?;
		Ok(count)
	}

	/// Takes hold of a process that must run.
	pub fn process(&self, name: &str) -> Result<Running> {
		let state = self.dir.live()?;
		state
			.entry(name)?
			.attach()?
			.ok_or_else(|| Error::Usage(format!("{name} does not run")))
	}

	/// The bearer token and body of a miner's status.
	pub async fn miner_status(&self, miner: &MinerPlan) -> Result<serde_json::Value> {
		let url = format!("{}/v1/status", miner.control());
		self.status(&url, &miner.token_file()).await
	}

	/// The gateway's status.
	pub async fn gateway_status(&self) -> Result<serde_json::Value> {
		let url = format!("{}/v1/status", self.plan.gateway.url());
		self.status(&url, &self.plan.gateway.token_file()).await
	}

	async fn status(&self, url: &str, token_file: &std::path::Path) -> Result<serde_json::Value> {
		let token = tokio::fs::read_to_string(token_file)
			.await
			.map_err(|source| Error::Io {
				what: format!("read {}", token_file.display()),
				source,
			})?;
		let body = rpc::get(&self.client, url, Some(token.trim())).await?;
		serde_json::from_slice(&body).map_err(|cause| Error::Answer {
			who: url.into(),
			what: cause.to_string(),
		})
	}

	/// Kills miners outright, by pid, all at once.
	pub async fn kill_miners(&self, names: &[String]) -> Result<()> {
		let state = self.dir.live()?;
		let running = names
			.iter()
			.map(|name| {
				let gone = || Error::Usage(format!("{name} does not run"));
				state.entry(name)?.attach()?.ok_or_else(gone)
			})
			.collect::<Result<Vec<_>>>()?;
		try_join_all(running.iter().map(Running::kill))
			.await
			.map(drop)
	}
}

/// Ends every process of the folder's network: those in the state, then whatever else carries the
/// folder's mark. `hurry` resolving turns the polite end into SIGKILL. Returns how many ended.
pub async fn take_down(dir: &StateDir, hurry: impl Future<Output = ()>) -> Result<usize> {
	let mut running = Vec::new();
	// A damaged state must not keep processes alive: the marks find them all.
	if let Ok(Some(state)) = dir.load() {
		for entry in &state.processes {
			running.extend(entry.attach()?);
		}
	}
	for id in marked(dir.path()) {
		if !running.iter().any(|process| process.id() == id) {
			running.extend(Running::attach(
				&format!("process {}", id.pid),
				id,
				dir.path(),
			)?);
		}
	}
	stop_all(&running, hurry).await?;
	let mut count = running.len();
	// What a process started in its last moments.
	for id in marked(dir.path()) {
		if let Some(process) = Running::attach(&format!("process {}", id.pid), id, dir.path())? {
			process.kill().await?;
			count += 1;
		}
	}
	match dir.load() {
		Ok(Some(_)) => dir.update(|state| {
			state.phase = Phase::Down;
			state.supervisor = None;
		})?,
		Ok(None) => (),
		Err(_) => dir.forget()?,
	}
	Ok(count)
}
