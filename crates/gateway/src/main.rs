//! The gateway's program.

#![forbid(unsafe_code)]

use arion_gateway::{
	config::Config,
	run::{init, Running},
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{io::IsTerminal, net::SocketAddr, path::PathBuf, process::ExitCode};
use tokio::signal::unix::{signal, SignalKind};
use tracing_subscriber::EnvFilter;

/// Stores files in the Arion network and fetches them back, for the `arion` tool and others, over
/// HTTP on this machine.
///
/// Everything the gateway needs is below its base path: `config.toml`, `node.key`, `http.token`
/// (users of the gateway need it), `catalog.redb` (names and keys of what was stored) and `maps/`.
#[derive(Parser)]
#[command(
	version,
	after_help = "Exit codes: 0 stopped as asked, 1 error, 2 wrong usage."
)]
struct Cli {
	/// How the log is written to standard error.
	#[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
	log_format: LogFormat,
	#[command(subcommand)]
	command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
	/// For people.
	Text,
	/// One JSON object per line.
	Json,
}

#[derive(Subcommand)]
enum Command {
	/// Make a base path: settings, node key, token.
	Init(Options),
	/// Run until SIGTERM or Ctrl-C.
	Run(Options),
}

#[derive(Args)]
struct Options {
	/// Folder of everything the gateway keeps.
	#[arg(long, env = "ARION_GATEWAY_BASE_PATH")]
	base_path: PathBuf,
	/// RPC address of a node (setting chain.url).
	#[arg(long, value_name = "URL")]
	chain: Option<String>,
	/// Where users reach the gateway (setting http.listen); port 0 takes a free one.
	#[arg(long, value_name = "ADDR:PORT")]
	listen: Option<SocketAddr>,
	/// File whose first line is the secret of the account that pays for appending what is stored
	/// to the ledgers on chain (setting ledger.account_file).
	#[arg(long, value_name = "FILE")]
	account_file: Option<PathBuf>,
	/// Account that uploads may name as the one that pays, besides the gateway's own (setting
	/// ledger.payers); repeat for more.
	#[arg(long = "payer", value_name = "ACCOUNT")]
	payers: Vec<String>,
	/// Milliseconds a stripe waits at most before it is appended (setting ledger.max_age_ms).
	#[arg(long, value_name = "MS")]
	append_after: Option<u64>,
}

impl Options {
	fn apply(&self, config: &mut Config) {
		if let Some(chain) = &self.chain {
			config.chain.url.clone_from(chain);
		}
		if let Some(listen) = self.listen {
			config.http.listen = listen;
		}
		if let Some(file) = &self.account_file {
			config.ledger.account_file.clone_from(file);
		}
		if !self.payers.is_empty() {
			config.ledger.payers.clone_from(&self.payers);
		}
		if let Some(age) = self.append_after {
			config.ledger.max_age_ms = age;
		}
	}
}

#[tokio::main]
async fn main() -> ExitCode {
	let cli = Cli::parse();
	let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
	let log = tracing_subscriber::fmt()
		.with_env_filter(filter)
		.with_writer(std::io::stderr)
		.with_ansi(std::io::stderr().is_terminal());
	match cli.log_format {
		LogFormat::Text => log.init(),
		LogFormat::Json => log.json().init(),
	}
	match execute(cli.command).await {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			ExitCode::FAILURE
		}
	}
}

async fn execute(command: Command) -> Result<(), Box<dyn std::error::Error>> {
	match command {
		Command::Init(options) => {
			let mut config = Config::default();
			options.apply(&mut config);
			init(&options.base_path, &config)?;
			println!("made {}", options.base_path.display());
			Ok(())
		}
		Command::Run(options) => {
			// Refused here, where it can be told, rather than ignored at the first stripe.
			let kernel = arion_erasure::Kernel::from_env()
				.map_err(|error| format!("{}: {error}", arion_erasure::KERNEL_VARIABLE))?;
			tracing::info!(%kernel, "erasure coding");
			// Before anything is announced, so that no signal is missed.
			let (mut terminate, mut interrupt) = (
				signal(SignalKind::terminate())?,
				signal(SignalKind::interrupt())?,
			);
			let running = Running::open(&options.base_path, |config| options.apply(config)).await?;
			println!("arion-gateway ready http://{}", running.address);
			running
				.serve(async move {
					tokio::select! {
						_ = terminate.recv() => {},
						_ = interrupt.recv() => {},
					}
				})
				.await?;
			Ok(())
		}
	}
}
