//! Store files in the Arion network and get them back.

#![forbid(unsafe_code)]

use arion::{cli::Cli, error::CliError};
use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
	let cli = Cli::parse();
	let output = cli.output;
	// On Ctrl-C the running command is dropped, and with it the half-written file of a `get`.
	let result = tokio::select! {
		result = arion::run(cli) => result,
		signal = tokio::signal::ctrl_c() => Err(signal.map_or_else(CliError::Signal, |()| CliError::Interrupted)),
	};
	match result {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			error.report(output);
			ExitCode::from(error.exit_code())
		}
	}
}
