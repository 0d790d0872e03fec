//! Carrying out commands.

use super::{Cli, Command, ConfigCommand, DiskCommand, KeysCommand, Output};
use crate::{
	config::Config,
	daemon::Daemon,
	disks, doctor, drain, earnings, exit,
	files::BasePath,
	init, keys, register,
	service::{Failpoint, FAILPOINT},
	status, update, MinerError,
};
use sd_notify::NotifyState;
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;
use tokio::signal::unix::{signal, Signal, SignalKind};

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
	/// To be printed on stdout.
	pub text: Option<String>,
	/// Exit code of the program.
	pub code: u8,
}

impl Output {
	/// A result in this form.
	fn print(self, value: impl Serialize, text: impl Display) -> Result<Outcome, MinerError> {
		Ok(Outcome {
			text: Some(match self {
				Self::Json => json!(value).to_string(),
				Self::Text => text.to_string(),
			}),
			code: 0,
		})
	}

	/// A result whose text says all there is to say.
	fn show(self, value: impl Serialize + Display) -> Result<Outcome, MinerError> {
		let text = value.to_string();
		self.print(value, text)
	}
}

impl Cli {
	/// Carries the command out.
	pub async fn run(self) -> Result<Outcome, MinerError> {
		let output = self.output;
		match self.command {
			Command::Init(args) => {
				let base = BasePath(args.base.base_path.clone());
				let key = init::init(&base, &args.config())?;
				let dir = base.0.display();
				output.print(
					json!({
						"node_key": key,
						"base_path": base.0,
						"config": base.config(),
						"token_file": base.token(),
					}),
					format!(
						"Made a miner in {dir}\nnode key  {key}\n\nKeep {} safe: it is the node.\n\
						Next: arion-miner register --base-path {dir} --chain URL --suri-file FILE",
						base.node_key().display()
					),
				)
			}
			Command::Register(args) => {
				let overrides = args.overrides();
				let base = BasePath(args.account.base.base_path);
				let (chain, secret) = (args.account.chain, args.account.secret.secret()?);
				let done = register::register(&base, &chain, &secret, &overrides).await?;
				let how = if done.already {
					"is registered already"
				} else {
					"is registered"
				};
				let text = format!("Node {} {how}\nnode key  {}", done.node, done.node_key);
				output.print(done, text)
			}
			Command::Update(args) => {
				let overrides = args.overrides();
				let base = BasePath(args.account.base.base_path);
				let (chain, secret) = (args.account.chain, args.account.secret.secret()?);
				let done = update::update(&base, &chain, &secret, &overrides).await?;
				let how = if done.already {
					"is declared so already"
				} else {
					"is declared anew"
				};
				let text = format!(
					"Node {} {how}: capacity {} bytes, stake {} rao",
					done.node, done.capacity, done.stake
				);
				output.print(done, text)
			}
			Command::Run(args) => run(BasePath(args.base.base_path))
				.await
				.map(|()| Outcome::default()),
			Command::Status(args) => output.show(status::ask(&BasePath(args.base_path)).await?),
			Command::Doctor(args) => {
				let chain = (!args.no_chain).then_some(args.chain.as_str());
				let report = doctor::examine(&BasePath(args.base.base_path), chain).await;
				let code = report.exit_code();
				output
					.show(report)
					.map(|outcome| Outcome { code, ..outcome })
			}
			Command::Keys(KeysCommand::Show(args)) => {
				output.show(keys::show(&BasePath(args.base_path))?)
			}
			Command::Keys(KeysCommand::Rotate(args)) => {
				let base = BasePath(args.base.base_path);
				output.show(keys::rotate(&base, &args.chain, &args.secret.secret()?).await?)
			}
			Command::Keys(KeysCommand::Activate(args)) => {
				let base = BasePath(args.account.base.base_path);
				let (chain, secret) = (args.account.chain, args.account.secret.secret()?);
				let done = keys::activate(&base, &chain, &secret, args.now).await?;
				let text = format!(
					"Node {} has the key {} alone now; a running miner changes over with the next map",
					done.node, done.node_key
				);
				output.print(done, text)
			}
			Command::Drain(args) => {
				let base = BasePath(args.account.base.base_path);
				let (chain, secret) = (args.account.chain, args.account.secret.secret()?);
				let tell = |now: &drain::Drained| eprintln!("{now}");
				let drained = drain::drain(&base, &chain, &secret, args.wait, tell).await?;
				let code = if drained.is_safe() { 0 } else { drain::NOT_YET };
				let outcome = output.show(drained)?;
				Ok(Outcome { code, ..outcome })
			}
			Command::Exit(args) => {
				let base = BasePath(args.account.base.base_path);
				let (chain, secret) = (args.account.chain, args.account.secret.secret()?);
				output.show(exit::exit(&base, &chain, &secret, args.abandon).await?)
			}
			Command::Earnings(args) => {
				let secret = args.secret()?;
				let base = BasePath(args.base.base_path);
				let look = earnings::Look {
					eras: args.eras,
					blocks: args.blocks,
				};
				output.show(earnings::earnings(&base, &args.chain, look, secret.as_ref()).await?)
			}
			Command::Config(ConfigCommand::Check(args)) => {
				let base = BasePath(args.base.base_path);
				let config = Config::load(&base.config())?;
				disks::check(&base, &config)?;
				let text = match args.show {
					true => config.render().trim_end().to_owned(),
					false => format!("{} is fine", base.config().display()),
				};
				output.print(json!({ "ok": true, "config": config }), text)
			}
			Command::Disk(DiskCommand::Accept(args)) => {
				let base = BasePath(args.base.base_path);
				let config = Config::load(&base.config())?;
				disks::accept(&base, &config, &args.path)?;
				let path = args.path.display();
				let text = format!("The next start makes a store in {path}");
				output.print(json!({ "accepted": args.path }), text)
			}
		}
	}
}

/// The signals that end the miner.
struct Signals {
	term: Signal,
	int: Signal,
}

impl Signals {
	fn new() -> std::io::Result<Self> {
		Ok(Self {
			term: signal(SignalKind::terminate())?,
			int: signal(SignalKind::interrupt())?,
		})
	}

	async fn next(&mut self) -> &'static str {
		tokio::select! {
			_ = self.term.recv() => "SIGTERM",
			_ = self.int.recv() => "SIGINT",
		}
	}
}

async fn run(base: BasePath) -> Result<(), MinerError> {
	let failpoint = match std::env::var(FAILPOINT) {
		Ok(text) => {
			tracing::warn!("{FAILPOINT} is set: this process will abort on purpose");
			Some(Failpoint::parse(&text)?)
		}
		Err(std::env::VarError::NotPresent) => None,
		Err(error) => return Err(MinerError::Input(format!("{FAILPOINT}: {error}"))),
	};
	// Before anything is served, so that no signal is missed.
	let mut signals = Signals::new().map_err(MinerError::io("handle signals for", &base.0))?;
	let daemon = tokio::select! {
		daemon = Daemon::start(base, failpoint) => daemon?,
		name = signals.next() => {
			tracing::info!(signal = name, "stopped before it was ready");
			return Ok(());
		}
	};
	let info = daemon.info();
	tracing::info!(
		node_key = %info.node_key,
		listen = %info.listen,
		control = %info.control,
		"ready"
	);
	notify(NotifyState::Ready);
	let name = signals.next().await;
	tracing::info!(signal = name, "stopping; again to end at once");
	notify(NotifyState::Stopping);
	tokio::select! {
		stopped = daemon.stop() => stopped?,
		again = signals.next() => {
			tracing::warn!(signal = again, "ending at once; acknowledged shards are on disk");
			return Err(MinerError::Forced);
		}
	}
	tracing::info!("stopped");
	Ok(())
}

/// Tells systemd, if it started us.
fn notify(state: NotifyState<'_>) {
	if let Err(error) = sd_notify::notify(&[state]) {
		tracing::warn!(%error, "systemd was not told");
	}
}
