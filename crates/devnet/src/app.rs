//! The commands: each ends with everything it started ended, unless told to leave it.

use crate::{
	cli::{Cli, Command, DemoArgs},
	commands::Bins,
	demo::{self, Options},
	error::{Context as _, Error, Result},
	network::{take_down, Ended, Network},
	process::Running,
	procfs::ProcessId,
	register::{self, register_all},
	report::{round, Report},
	state::{Phase, Startup, StateDir},
	status,
	story::Story,
};
use std::{
	future::Future,
	path::Path,
	time::{Duration, Instant},
};
use tokio::{
	signal::unix::{signal, Signal, SignalKind},
	sync::mpsc,
};

/// How long a supervisor asked to stop may take before `down` does it itself.
const SUPERVISOR_GRACE: Duration = Duration::from_secs(60);

/// Ctrl-C, SIGTERM and a closed terminal.
struct Signals {
	interrupt: Signal,
	terminate: Signal,
	hangup: Signal,
}

impl Signals {
	fn new() -> Result<Self> {
		let listen = |kind| signal(kind).context(|| "listen for signals".into());
		Ok(Self {
			interrupt: listen(SignalKind::interrupt())?,
			terminate: listen(SignalKind::terminate())?,
			hangup: listen(SignalKind::hangup())?,
		})
	}

	async fn next(&mut self) {
		tokio::select! {
			_ = self.interrupt.recv() => (),
			_ = self.terminate.recv() => (),
			_ = self.hangup.recv() => (),
		}
	}

	/// Runs `work` unless a signal comes first.
	async fn or<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
		tokio::select! {
			done = work => done,
			() = self.next() => Err(Error::Interrupted),
		}
	}
}

/// Runs a command line.
pub async fn run(cli: Cli) -> Result<()> {
	let dir = match &cli.dir {
		Some(dir) => StateDir::open(dir)?,
		None => StateDir::open(&StateDir::default_path()?)?,
	};
	match &cli.command {
		None => everything(&cli, dir).await,
		Some(Command::Up { detach }) => up(&cli, dir, *detach).await,
		Some(Command::Demo(args)) => demo(&cli, dir, args).await,
		Some(Command::Down) => down(dir).await,
		Some(Command::Status { output }) => status::status(&dir, *output),
		Some(Command::Logs {
			name,
			follow,
			lines,
		}) => status::logs(&dir, name, *follow, *lines),
	}
}

fn bins(cli: &Cli) -> Result<Bins> {
	if let Some(dir) = &cli.bin_dir {
		let dir = dir
			.canonicalize()
			.context(|| format!("open {}", dir.display()))?;
		return Ok(Bins::new(dir));
	}
	let own = std::env::current_exe().context(|| "find this program".into())?;
	Ok(Bins::new(own.parent().unwrap_or(Path::new("/")).into()))
}

/// Starts the network and registers the miners.
async fn bring_up(net: &Network) -> Result<Startup> {
	let started = Instant::now();
	net.start().await?;
	let start = round(started.elapsed().as_secs_f64());
	let started = Instant::now();
	register_all(net).await?;
	let startup = Startup {
		start,
		register: round(started.elapsed().as_secs_f64()),
	};
	net.dir.update(|state| {
		state.phase = Phase::Up;
		state.startup = startup;
	})?;
	Ok(startup)
}

fn new_network(
	cli: &Cli,
	dir: StateDir,
	story: Story,
) -> Result<(Network, mpsc::UnboundedReceiver<Ended>)> {
	let (net, events) = Network::new(
		dir,
		cli.base_port,
		cli.relayed_zone,
		cli.spare_zone,
		bins(cli)?,
		story,
	)?;
	net.claim(ProcessId::of(
		i32::try_from(std::process::id()).unwrap_or_default(),
	))?;
	net.story().say(format!(
		"starting a network in {}",
		net.dir.path().display()
	));
	Ok((net, events))
}

/// Ends the network whatever happened; the first error counts.
async fn ending<T>(net: &Network, signals: &mut Signals, result: Result<T>) -> Result<T> {
	if matches!(result, Err(Error::Interrupted)) {
		net.story().say("stopping; once more Ctrl-C to kill");
	}
	let count = take_down(&net.dir, signals.next()).await;
	match (result, count) {
		(Ok(value), Ok(count)) => {
			net.story().say(format!(
				"ended {count} processes; logs stay in {}",
				net.dir.path().join("logs").display()
			));
			Ok(value)
		}
		(Ok(_), Err(error)) | (Err(error), _) => Err(error),
	}
}

async fn everything(cli: &Cli, dir: StateDir) -> Result<()> {
	let mut signals = Signals::new()?;
	let (net, mut events) = new_network(cli, dir, Story::new(false))?;
	let work = async {
		bring_up(&net).await?;
		let mut report = Report::default();
		demo::play(&net, &Options::default(), &mut report).await?;
		let back = net.heal().await?;
		net.story()
			.say(format!("started the {back} killed miners again"));
		addresses(&net);
		Ok(())
	};
	let result = match signals.or(work).await {
		Ok(()) => stay(&net, &mut signals, &mut events).await,
		Err(error) => Err(error),
	};
	ending(&net, &mut signals, result).await
}

async fn up(cli: &Cli, dir: StateDir, detach: bool) -> Result<()> {
	let mut signals = Signals::new()?;
	let (net, mut events) = new_network(cli, dir, Story::new(false))?;
	match signals.or(bring_up(&net)).await {
		Ok(_) if detach => {
			net.dir.update(|state| state.supervisor = None)?;
			addresses(&net);
			Ok(())
		}
		Ok(_) => {
			addresses(&net);
			let result = stay(&net, &mut signals, &mut events).await;
			ending(&net, &mut signals, result).await
		}
		Err(error) => ending(&net, &mut signals, Err(error)).await,
	}
}

fn addresses(net: &Network) {
	let story = net.story();
	let (node, gateway) = (&net.plan.full_node, &net.plan.gateway);
	story.plain("");
	story.plain(format!("  polkadot.js   {}", node.ws()));
	story.plain(format!(
		"                https://polkadot.js.org/apps/?rpc=ws%3A%2F%2F127.0.0.1%3A{}",
		node.rpc_port
	));
	for validator in &net.plan.validators {
		story.plain(format!("  {:<13} {}", validator.name, validator.ws()));
	}
	story.plain(format!("  gateway       {}", gateway.url()));
	story.plain(format!(
		"                export ARION_GATEWAY={} ARION_TOKEN_FILE={}",
		gateway.url(),
		gateway.token_file().display()
	));
	story.plain(format!("  programs      {}", net.bins.dir().display()));
	story.plain(format!(
		"  logs          {}",
		net.dir.path().join("logs").display()
	));
	story.plain("");
}

/// Stays until a signal, telling of processes that end; also ends when `down` took all away.
async fn stay(
	net: &Network,
	signals: &mut Signals,
	events: &mut mpsc::UnboundedReceiver<Ended>,
) -> Result<()> {
	net.story().say("up; Ctrl-C ends it");
	// What ended until now was part of the story.
	while events.try_recv().is_ok() {}
	loop {
		tokio::select! {
			() = signals.next() => return Ok(()),
			event = events.recv() => {
				let Some(event) = event else { return Ok(()) };
				let state = net.dir.load()?;
				if state.is_none_or(|state| state.phase == Phase::Down) {
					return Ok(());
				}
				net.story().say(format!("{} ended: {}", event.name, event.how));
			},
		}
	}
}

async fn demo(cli: &Cli, dir: StateDir, args: &DemoArgs) -> Result<()> {
	let mut report = Report {
		killed: 0,
		..Report::default()
	};
	report.seconds.build = cli.build_seconds.map(round);
	let result = demo_in(cli, dir, args, &mut report).await;
	match &result {
		Ok(()) => report.ok = true,
		Err(error) => report.error = Some(error.to_string()),
	}
	if args.json {
		let line = serde_json::to_string(&report).map_err(std::io::Error::other);
		println!("{}", line.context(|| "print the report".into())?);
	}
	result
}

async fn demo_in(cli: &Cli, dir: StateDir, args: &DemoArgs, report: &mut Report) -> Result<()> {
	let options = args.options();
	// Before anything is started.
	demo::victims(options.kill)?;
	if let Some(file) = &options.file {
		std::fs::File::open(file).context(|| format!("open {}", file.display()))?;
	}
	let mut signals = Signals::new()?;
	let story = Story::new(args.json);
	match Network::running(dir.clone(), story.clone()) {
		Ok((net, state)) => {
			story.say(format!(
				"using the network that runs from {}",
				net.dir.path().display()
			));
			if cli.relayed_zone.is_some() && cli.relayed_zone != state.relayed_zone {
				return Err(Error::Usage(
					"--relayed-zone is for a network that is being started; `down` ends this one"
						.into(),
				));
			}
			if cli.spare_zone.is_some() && cli.spare_zone != state.spare_zone {
				return Err(Error::Usage(
					"--spare-zone is for a network that is being started; `down` ends this one"
						.into(),
				));
			}
			set_startup(report, state.startup);
			let work = async {
				let back = net.heal().await?;
				if back > 0 {
					story.say(format!("started {back} processes again"));
					register::wait_until_whole(&net).await?;
				}
				demo::play(&net, &options, report).await
			};
			signals.or(work).await
		}
		Err(Error::NotRunning(_)) => {
			let (net, _events) = new_network(cli, dir, story)?;
			let work = async {
				set_startup(report, bring_up(&net).await?);
				demo::play(&net, &options, report).await
			};
			let result = signals.or(work).await;
			ending(&net, &mut signals, result).await
		}
		Err(error) => Err(error),
	}
}

fn set_startup(report: &mut Report, startup: Startup) {
	report.seconds.start = Some(startup.start);
	report.seconds.register = Some(startup.register);
}

async fn down(dir: StateDir) -> Result<()> {
	let mut signals = Signals::new()?;
	let story = Story::new(false);
	let state = match dir.load() {
		Ok(state) => state,
		Err(error) => {
			story.say(format!("{error}; going by the processes' marks"));
			None
		}
	};
	// The supervisor takes its network down itself, and would otherwise report it as a failure.
	if let Some(id) = state.and_then(|state| state.supervisor) {
		if let Some(supervisor) = Running::attach("supervisor", id, dir.path())? {
			supervisor.signal(rustix::process::Signal::TERM)?;
			let _ = tokio::time::timeout(SUPERVISOR_GRACE, supervisor.exited()).await;
			story.say(format!(
				"the supervisor (process {}) ended its network",
				id.pid
			));
		}
	}
	match take_down(&dir, signals.next()).await? {
		0 => story.say("nothing is left"),
		count => story.say(format!("ended {count} processes")),
	}
	Ok(())
}
