//! The relay's program.

#![forbid(unsafe_code)]

use arion_relay::{
	config::{Config, ConfigError},
	server::Relay,
};
use clap::{Parser, ValueEnum};
use std::{io::IsTerminal, net::SocketAddr, num::NonZeroU32, path::PathBuf, process::ExitCode};
use tokio::signal::unix::{signal, SignalKind};
use tracing_subscriber::EnvFilter;

/// Passes packets between Arion nodes that cannot reach each other directly.
///
/// Admitted are nodes registered on chain (--chain) and keys given with --allow or --allow-file,
/// such as those of gateways; nobody else. Flags replace what the settings file says.
#[derive(Parser)]
#[command(
	version,
	after_help = "Exit codes: 0 stopped as asked, 1 error, 2 wrong usage."
)]
struct Cli {
	/// TOML file with settings, named as the flags with `_` for `-`.
	#[arg(long, env = "ARION_RELAY_CONFIG", value_name = "FILE")]
	config: Option<PathBuf>,
	/// TCP address for clients; port 0 takes a free one.
	#[arg(long, value_name = "ADDR:PORT")]
	listen: Option<SocketAddr>,
	/// Permit an address other than loopback without a certificate.
	#[arg(long)]
	allow_plain: bool,
	/// PEM file of the certificate chain.
	#[arg(long, value_name = "FILE", requires = "key")]
	cert: Option<PathBuf>,
	/// PEM file of its private key.
	#[arg(long, value_name = "FILE", requires = "cert")]
	key: Option<PathBuf>,
	/// RPC address of a chain node: ws:// on this machine or wss:// anywhere.
	#[arg(long, value_name = "URL")]
	chain: Option<String>,
	/// Admit this node key as well; may be given several times.
	#[arg(long, value_name = "KEY")]
	allow: Vec<String>,
	/// File with more such keys, one per line.
	#[arg(long, value_name = "FILE")]
	allow_file: Option<PathBuf>,
	/// Bytes per second taken from one client [default: 2000000].
	#[arg(long, value_name = "BYTES")]
	rate: Option<NonZeroU32>,
	/// Bytes taken from one client at once [default: 4000000].
	#[arg(long, value_name = "BYTES")]
	burst: Option<NonZeroU32>,
	/// TCP address for Prometheus.
	#[arg(long, value_name = "ADDR:PORT")]
	metrics: Option<SocketAddr>,
	/// How the log is written to standard error.
	#[arg(long, value_enum, default_value_t = LogFormat::Text)]
	log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
	/// For people.
	Text,
	/// One JSON object per line.
	Json,
}

impl Cli {
	fn settings(self) -> Result<Config, ConfigError> {
		let mut config = match &self.config {
			Some(path) => Config::load(path)?,
			None => Config::default(),
		};
		config.listen = self.listen.unwrap_or(config.listen);
		config.allow_plain |= self.allow_plain;
		config.cert = self.cert.or(config.cert);
		config.key = self.key.or(config.key);
		config.chain = self.chain.or(config.chain);
		config.allow.extend(self.allow);
		config.allow_file = self.allow_file.or(config.allow_file);
		config.rate = self.rate.unwrap_or(config.rate);
		config.burst = self.burst.unwrap_or(config.burst);
		config.metrics = self.metrics.or(config.metrics);
		Ok(config)
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
	match run(cli).await {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			ExitCode::FAILURE
		}
	}
}

async fn run(cli: Cli) -> Result<(), Box<dyn std::error::Error>> {
	// Before anything is announced, so that no signal is missed.
	let (mut terminate, mut interrupt) = (
		signal(SignalKind::terminate())?,
		signal(SignalKind::interrupt())?,
	);
	let relay = Relay::open(cli.settings()?).await?;
	tracing::info!(address = %relay.address(), metrics = ?relay.metrics_address(), "relay open");
	println!("arion-relay ready {}", relay.url());
	relay
		.serve(async move {
			tokio::select! {
				_ = terminate.recv() => {},
				_ = interrupt.recv() => {},
			}
		})
		.await;
	Ok(())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use clap::CommandFactory as _;

	#[test]
	fn flags_replace_the_file() {
		Cli::command().debug_assert();
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("relay.toml");
		std::fs::write(
			&path,
			"listen = \"127.0.0.1:9\"\nallow = [\"aa\"]\nrate = 7",
		)
		.unwrap();
		let path = path.to_str().unwrap();
		let cli = Cli::try_parse_from(["x", "--config", path, "--rate", "8", "--allow", "bb"]);
		let config = cli.unwrap().settings().unwrap();
		assert_eq!(config.listen.port(), 9);
		assert_eq!(
			(config.rate.get(), config.allow),
			(8, vec!["aa".into(), "bb".into()])
		);
		assert!(Cli::try_parse_from(["x", "--cert", "a"]).is_err());
	}
}
