//! Starts, supervises and exercises a whole local Hippius network.

#![forbid(unsafe_code)]

use clap::Parser as _;
use hippius_devnet::{app, cli::Cli, error::Error};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
	match app::run(Cli::parse()).await {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			ExitCode::from(match error {
				Error::Interrupted => 130,
				Error::Usage(_) => 2,
				_ => 1,
			})
		}
	}
}
