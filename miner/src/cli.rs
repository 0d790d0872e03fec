//! The command line.

use crate::{
	config::{Config, ControlSection, GridSection, NodeSection, StoreSection},
	daemon::Daemon,
	files::BasePath,
	init, register,
	service::{Failpoint, FAILPOINT},
	size::ByteSize,
	status, MinerError,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use hippius_primitives::registration::MAX_HOST_LEN;
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf};
use tokio::signal::unix::{signal, SignalKind};

/// Keeps shards for the Arion storage network and serves them over QUIC.
///
/// A miner is made once with `init`, put on chain once with `register`, and then runs. A Hippius
/// full node started with `--arion-daemon http://CONTROL,token-file=BASE/control.token` hands it
/// the cluster map.
#[derive(Debug, Parser)]
#[command(
	name = "arion-miner",
	version,
	after_help = "Example:\n  \
	arion-miner init --base-path ~/arion --zone 0 --host rack-1 --capacity 500GiB --public 203.0.113.7:4100\n  \
	arion-miner register --base-path ~/arion --chain ws://127.0.0.1:9944 --suri-file family.secret\n  \
	arion-miner run --base-path ~/arion"
)]
pub struct Cli {
	/// How results and errors are printed.
	#[arg(long, global = true, value_enum, default_value = "text")]
	pub output: Output,
	/// What to do.
	#[command(subcommand)]
	pub command: Command,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
	/// For people.
	Text,
	/// One JSON object per result, for scripts.
	Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Make a miner: settings, node key, control token. Overwrites nothing.
	Init(InitArgs),
	/// Register the node on chain under your family account.
	Register(RegisterArgs),
	/// Run the miner until SIGTERM or Ctrl-C.
	Run(RunArgs),
	/// Ask the running miner for key, addresses, epoch, slots, space and connections.
	Status(BaseArgs),
	/// Look at the settings.
	#[command(subcommand)]
	Config(ConfigCommand),
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
	/// Check config.toml; the error names field and remedy.
	Check(BaseArgs),
}

/// The miner's directory.
#[derive(Debug, Args)]
pub struct BaseArgs {
	/// The miner's directory.
	#[arg(long, value_name = "DIR", env = "ARION_MINER_BASE_PATH")]
	pub base_path: PathBuf,
}

/// Arguments of `init`. All but the directory can be changed in config.toml later.
#[derive(Debug, Args)]
pub struct InitArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// Placement zone, one that the chain's cluster map knows.
	#[arg(long)]
	zone: Option<u8>,
	/// Name of this machine: nodes of one host fail together [default: the host name].
	#[arg(long)]
	host: Option<String>,
	/// Most disk space shards may take, as in 500GiB.
	#[arg(long, default_value = "10GiB")]
	capacity: ByteSize,
	/// Size of one volume file, reserved as a whole [default: a 64th of the capacity, 64MiB to 1GiB].
	#[arg(long)]
	volume_size: Option<ByteSize>,
	/// UDP address to serve on; port 0 takes a free one.
	#[arg(long, default_value = "0.0.0.0:4100", value_name = "IP:PORT")]
	listen: SocketAddr,
	/// Address others reach the node at; repeat for more, best first [default: --listen].
	#[arg(long, value_name = "IP:PORT")]
	public: Vec<SocketAddr>,
	/// TCP address of the control API, loopback only; port 0 takes a free one.
	#[arg(long, default_value = "127.0.0.1:7070", value_name = "IP:PORT")]
	control: SocketAddr,
}

/// Arguments of `register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// RPC address of a Hippius node.
	#[arg(long, default_value = "ws://127.0.0.1:9944", value_name = "URL")]
	chain: String,
	#[command(flatten)]
	secret: SecretArgs,
	/// Placement zone [default: from config.toml].
	#[arg(long)]
	zone: Option<u8>,
	/// Name of the machine [default: from config.toml].
	#[arg(long)]
	host: Option<String>,
	/// Capacity to declare, at most that of the store [default: from config.toml].
	#[arg(long)]
	capacity: Option<ByteSize>,
	/// Address others reach the node at; repeatable [default: from config.toml].
	#[arg(long = "address", value_name = "IP:PORT")]
	addresses: Vec<SocketAddr>,
}

/// The family account's secret; one of the two is needed.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct SecretArgs {
	/// The family account's secret: mnemonic, 0x seed or //Dev name. Others on this machine can see
	/// it in the process list; prefer the file or the variable.
	#[arg(long, env = "ARION_SURI", hide_env_values = true)]
	suri: Option<String>,
	/// File whose first line is the family account's secret.
	#[arg(long, value_name = "FILE")]
	suri_file: Option<PathBuf>,
}

impl std::fmt::Debug for SecretArgs {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("SecretArgs")
			.field("suri_file", &self.suri_file)
			.finish_non_exhaustive()
	}
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// Form of the log on stderr. RUST_LOG chooses what is logged.
	#[arg(long, value_enum, default_value = "text")]
	pub log_format: Output,
}

impl Cli {
	/// Carries the command out and gives what to print on stdout, if anything.
	pub async fn run(self) -> Result<Option<String>, MinerError> {
		let json = self.output == Output::Json;
		let print = |value: serde_json::Value, text: String| {
			Ok(Some(if json { value.to_string() } else { text }))
		};
		match self.command {
			Command::Init(args) => {
				let base = BasePath(args.base.base_path.clone());
				let key = init::init(&base, &args.config())?;
				let dir = base.0.display();
				print(
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
				let secret = match (args.secret.suri, args.secret.suri_file) {
					(Some(suri), None) => register::Secret::Suri(suri),
					(None, Some(file)) => register::Secret::File(file),
					_ => return Err(MinerError::Input("give --suri or --suri-file".into())),
				};
				let overrides = register::Overrides {
					zone: args.zone,
					host: args.host,
					capacity: args.capacity,
					addresses: args.addresses,
				};
				let base = BasePath(args.base.base_path);
				let done = register::register(&base, &args.chain, &secret, &overrides).await?;
				let how = if done.already {
					"is registered already"
				} else {
					"is registered"
				};
				let text = format!("Node {} {how}\nnode key  {}", done.node, done.node_key);
				print(json!(done), text)
			}
			Command::Run(args) => run(BasePath(args.base.base_path)).await.map(|()| None),
			Command::Status(args) => {
				let status = status::ask(&BasePath(args.base_path)).await?;
				print(json!(status), status.to_string())
			}
			Command::Config(ConfigCommand::Check(args)) => {
				let path = BasePath(args.base_path).config();
				let config = Config::load(&path)?;
				let text = format!("{} is fine", path.display());
				print(json!({ "ok": true, "config": config }), text)
			}
		}
	}
}

impl InitArgs {
	fn config(&self) -> Config {
		Config {
			node: NodeSection {
				zone: self.zone,
				host: self.host.clone().or_else(host_name),
			},
			grid: GridSection {
				listen: self.listen,
				public: self.public.clone(),
			},
			store: StoreSection::single(self.capacity, self.volume_size),
			control: ControlSection {
				listen: self.control,
			},
		}
	}
}

/// The machine's name, if it has one that can be declared.
fn host_name() -> Option<String> {
	let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
	let name = name.trim();
	(!name.is_empty() && name.len() <= MAX_HOST_LEN as usize).then(|| name.to_owned())
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
	let handler = MinerError::io("handle signals for", &base.0);
	let (mut term, mut int) = (|| {
		Ok((
			signal(SignalKind::terminate())?,
			signal(SignalKind::interrupt())?,
		))
	})()
	.map_err(handler)?;
	let daemon = Daemon::start(base, failpoint).await?;
	let info = daemon.info();
	tracing::info!(
		node_key = %info.node_key,
		listen = %info.listen,
		control = %info.control,
		"ready"
	);
	let name = tokio::select! {
		_ = term.recv() => "SIGTERM",
		_ = int.recv() => "SIGINT",
	};
	tracing::info!(signal = name, "stopping");
	daemon.stop().await?;
	tracing::info!("stopped");
	Ok(())
}
