//! What the command line accepts.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where a gateway listens unless told otherwise.
pub const DEFAULT_GATEWAY: &str = "http://127.0.0.1:7090";

/// Store files in the Arion network and get them back.
///
/// A file is encrypted, cut into stripes of 30 shards and spread over miners; any 10 shards of a
/// stripe give it back. `put` prints an id and a link: the id is enough on the gateway that stored
/// the file, the link (it holds the key, so share it with care) on any gateway.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Cli {
	/// Base URL of the gateway.
	#[arg(long, global = true, env = "ARION_GATEWAY", default_value = DEFAULT_GATEWAY, value_name = "URL")]
	pub gateway: String,

	/// File with the gateway's bearer token (`http.token` in the gateway's base path).
	#[arg(long, global = true, env = "ARION_TOKEN_FILE", value_name = "PATH")]
	pub token_file: Option<PathBuf>,

	/// How results are printed.
	#[arg(long, global = true, value_enum, default_value_t = Output::Text)]
	pub output: Output,

	/// What to do.
	#[command(subcommand)]
	pub command: Command,
}

/// Shown at the end of `--help`.
const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 wrong usage, 3 no such object, 4 not enough shards left to read \
the object, 5 gateway not reachable, 130 interrupted.

Examples:
  arion put report.pdf
  arion get 3f0c...e1 -o report.pdf
  arion get arion1... -o - | tar x
  arion --output json ls";

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
	/// For people.
	Text,
	/// One JSON object on standard output (and errors as one on standard error).
	Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Store a file; prints its id and its link.
	Put(PutArgs),
	/// Fetch a file by id or link.
	Get(GetArgs),
	/// Show what is known of an object.
	Stat {
		/// Id (64 hexadecimal digits) or link (`arion1...`).
		#[arg(value_name = "ID|LINK")]
		object: String,
	},
	/// List the objects this gateway stored.
	Ls,
}

/// Arguments of `put`.
#[derive(Debug, Args)]
pub struct PutArgs {
	/// The file to store, or `-` for standard input.
	pub file: PathBuf,
	/// Name to keep with the object; the file's own name if left out.
	#[arg(long)]
	pub name: Option<String>,
	/// The account that pays for storing it; one that has authorised the gateway and that the gateway
	/// takes [default: the gateway's own].
	#[arg(long, env = "ARION_PAYER", value_name = "ACCOUNT")]
	pub payer: Option<String>,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
	/// Id (64 hexadecimal digits) or link (`arion1...`).
	#[arg(value_name = "ID|LINK")]
	pub object: String,
	/// Where to write, or `-` for standard output; the object's name in the current folder if left
	/// out. The file appears only when it is complete.
	#[arg(short = 'o', long = "file", value_name = "FILE")]
	pub file: Option<PathBuf>,
	/// Replace the file if it exists.
	#[arg(long)]
	pub force: bool,
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use clap::CommandFactory;

	#[test]
	fn the_command_line_is_well_formed() {
		Cli::command().debug_assert();
		let cli =
			Cli::try_parse_from(["arion", "get", "ab", "-o", "-", "--output", "json"]).unwrap();
		assert_eq!(cli.output, Output::Json);
		assert!(Cli::try_parse_from(["arion", "put"]).is_err());
		assert!(Cli::try_parse_from(["arion", "get", "ab", "--output", "yaml"]).is_err());
	}
}
