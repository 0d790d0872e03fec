//! The `arion-miner` program.

#![forbid(unsafe_code)]

use arion_miner::{
	cli::{Cli, Command, Outcome, Output},
	MinerError,
};
use clap::Parser;
use serde_json::json;
use std::{
	io::{IsTerminal, Write},
	process::ExitCode,
	time::Duration,
};
use tracing_subscriber::EnvFilter;

/// How long store operations under way may take at the end.
const LAST_WAIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
	let cli = Cli::parse();
	let output = cli.output;
	start_log(&cli);
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.enable_all()
		.build()
		.map_err(MinerError::io("start", "the async runtime"));
	let outcome = runtime.and_then(|runtime| {
		let outcome = runtime.block_on(cli.run());
		// A disk that hangs must not keep the program from ending.
		let wait = match &outcome {
			Err(MinerError::Forced) => Duration::ZERO,
			_ => LAST_WAIT,
		};
		runtime.shutdown_timeout(wait);
		outcome
	});
	match outcome {
		Ok(Outcome { text, code }) => {
			match text.map_or(Ok(()), |text| writeln!(std::io::stdout(), "{text}")) {
				Ok(()) => ExitCode::from(code),
				// Whoever was to read it has gone.
				Err(_) => ExitCode::FAILURE,
			}
		}
		Err(error) => {
			match output {
				Output::Text => eprintln!("error: {error}"),
				Output::Json => {
					let message = error.to_string();
					eprintln!(
						"{}",
						json!({ "error": { "code": error.code(), "message": message } })
					);
				}
			}
			ExitCode::FAILURE
		}
	}
}

/// Logs to stderr; other commands than `run` only warnings.
fn start_log(cli: &Cli) {
	let (level, form) = match &cli.command {
		Command::Run(args) => ("info", args.log_format),
		_ => ("warn", Output::Text),
	};
	let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
	let log = tracing_subscriber::fmt()
		.with_writer(std::io::stderr)
		.with_ansi(std::io::stderr().is_terminal())
		.with_env_filter(filter);
	match form {
		Output::Text => log.with_target(false).init(),
		Output::Json => log.json().flatten_event(true).init(),
	}
}
