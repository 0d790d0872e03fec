//! The `arion` command-line tool: stores files through a gateway and fetches them back.
//!
//! The binary is [`run`]; everything else is a library so that it can be tested against a gateway
//! in the same process.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod account;
pub mod amount;
pub mod cli;
pub mod client;
mod credits;
pub mod error;
mod get;
mod list;
mod orders;
mod progress;
mod put;
pub mod refusal;
mod usage;
pub mod voucher;

use cli::{Cli, Command};
use client::Gateway;
use error::CliError;

/// Runs one command. What it prints goes to standard output, progress to standard error.
pub async fn run(cli: Cli) -> Result<(), CliError> {
	let gateway = || Gateway::new(&cli.gateway, cli.token_file.as_deref());
	match cli.command {
		Command::Credits(command) => credits::run(gateway, command, cli.output).await,
		Command::Orders(command) => orders::run(command, cli.output).await,
		Command::Usage(args) => usage::run(args, cli.output).await,
		Command::Put(args) => put::run(&gateway()?, args, cli.output).await,
		Command::Get(args) => get::run(&gateway()?, args, cli.output).await,
		Command::Stat { object } => list::stat(&gateway()?, &object, cli.output).await,
		Command::Ls => list::ls(&gateway()?, cli.output).await,
	}
}
