//! What the command line accepts.

use crate::amount;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where a gateway listens unless told otherwise.
pub const DEFAULT_GATEWAY: &str = "http://127.0.0.1:7090";

/// The node asked unless told otherwise.
pub const DEFAULT_CHAIN: &str = "ws://127.0.0.1:9944";

/// Store files in the Arion network and get them back; pay for it.
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
the object, 5 gateway or node not reachable, 6 refused by the chain, 130 interrupted.

Examples:
  arion put report.pdf
  arion get 3f0c...e1 -o report.pdf
  arion get arion1... -o - | tar x
  arion --output json ls
  arion credits deposit 10 --suri-file me.secret
  arion credits authorise --bytes 500GB --suri-file me.secret
  arion usage 5Grw...";

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
	/// Credits: what storage and other services are paid with.
	#[command(subcommand)]
	Credits(CreditsCommand),
	/// Services that are ordered: S3 volumes, IPFS pins, virtual machines.
	#[command(subcommand)]
	Orders(OrdersCommand),
	/// What an account uses, what that costs, how long its credits last, and the last charges.
	Usage(UsageArgs),
}

/// The chain and the account it is about.
#[derive(Args)]
pub struct AccountArgs {
	/// RPC address of a Hippius node.
	#[arg(long, env = "ARION_CHAIN", default_value = DEFAULT_CHAIN, value_name = "URL")]
	pub chain: String,
	/// The account's secret: mnemonic, 0x seed or //Dev name. Others on this machine can see it in the
	/// process list; prefer the file or the variable.
	#[arg(long, env = "ARION_SURI", hide_env_values = true)]
	pub suri: Option<String>,
	/// File whose first line is the account's secret.
	#[arg(long, value_name = "FILE", conflicts_with = "suri")]
	pub suri_file: Option<PathBuf>,
}

impl std::fmt::Debug for AccountArgs {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("AccountArgs")
			.field("chain", &self.chain)
			.field("suri_file", &self.suri_file)
			.finish_non_exhaustive()
	}
}

/// An account that is only looked at.
#[derive(Debug, Args)]
pub struct LookArgs {
	/// The account [default: that of the secret].
	#[arg(value_name = "ACCOUNT")]
	pub account: Option<String>,
	/// The chain and the secret.
	#[command(flatten)]
	pub signer: AccountArgs,
}

/// What to do with credits.
#[derive(Debug, Subcommand)]
pub enum CreditsCommand {
	/// Show credits, the batches they came in, and the gateways that may use them.
	Balance(LookArgs),
	/// Buy credits with alpha at the price of now.
	Deposit {
		/// Alpha, as in 12.5.
		#[arg(value_parser = amount::parse_alpha)]
		alpha: u128,
		/// Refuse fewer credits than for so many dollars [default: what the price of now gives, less 1 %].
		#[arg(long, value_name = "DOLLARS", value_parser = amount::parse_dollars)]
		least: Option<u128>,
		/// The chain and the secret.
		#[command(flatten)]
		signer: AccountArgs,
	},
	/// Take back the alpha behind credits that are not spent.
	Refund {
		/// The batch, as `balance` shows it [default: all that were paid in alpha or TAO].
		batch: Option<u64>,
		/// The chain and the secret.
		#[command(flatten)]
		signer: AccountArgs,
	},
	/// Bring a voucher of the payment service. Any account may, for whoever it is made out to.
	Redeem {
		/// The voucher, as the payment service gave it: a JSON file.
		voucher: PathBuf,
		/// The chain and the secret.
		#[command(flatten)]
		signer: AccountArgs,
	},
	/// Pay, in alpha, what is owed for a payment that was reversed; unlocks the account.
	Repay(AccountArgs),
	/// Let a gateway store at this account's cost, within limits. Replaces what it could before.
	Authorise {
		/// The gateway's account [default: that of --gateway].
		#[arg(value_name = "ACCOUNT")]
		to: Option<String>,
		/// Bytes it may add, as in 500GB.
		#[arg(long, value_parser = amount::parse_bytes)]
		bytes: u64,
		/// Dollars of traffic it may charge.
		#[arg(long, default_value = "0", value_parser = amount::parse_dollars, value_name = "DOLLARS")]
		traffic: u128,
		/// Days for which it may.
		#[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
		days: u32,
		/// The chain and the secret.
		#[command(flatten)]
		signer: AccountArgs,
	},
	/// Take back what a gateway may do.
	Revoke {
		/// The gateway's account [default: that of --gateway].
		#[arg(value_name = "ACCOUNT")]
		from: Option<String>,
		/// The chain and the secret.
		#[command(flatten)]
		signer: AccountArgs,
	},
}

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum OrdersCommand {
	/// List an account's orders that have not ended.
	List(LookArgs),
	/// Show an order.
	Show {
		/// Its number.
		id: u64,
		/// RPC address of a Hippius node.
		#[arg(long, env = "ARION_CHAIN", default_value = DEFAULT_CHAIN, value_name = "URL")]
		chain: String,
	},
	/// Order a service. A later block gives it to a miner, by lot.
	Request {
		/// The service.
		#[arg(value_enum)]
		service: Ordered,
		/// Units charged while it runs: bytes, for volumes and pins.
		#[arg(long, value_parser = amount::parse_bytes)]
		units: u64,
		/// Units charged while it is stopped [default: as many].
		#[arg(long, value_parser = amount::parse_bytes)]
		idle_units: Option<u64>,
		/// Days it is wanted for.
		#[arg(long, value_parser = amount::parse_days)]
		days: f64,
		/// What exactly, in the service's own format; at most 256 bytes.
		#[arg(long, default_value = "")]
		spec: String,
		/// The chain and the secret.
		#[command(flatten)]
		signer: AccountArgs,
	},
	/// Let a stopped order run.
	Start(OrderArgs),
	/// Stop an order: it is kept, and charged less.
	Stop(OrderArgs),
	/// Want an order for longer.
	Renew {
		/// Days more.
		#[arg(long, value_parser = amount::parse_days)]
		days: f64,
		/// The order.
		#[command(flatten)]
		order: OrderArgs,
	},
	/// End an order.
	Cancel(OrderArgs),
}

/// An order of the signing account.
#[derive(Debug, Args)]
pub struct OrderArgs {
	/// The order's number.
	pub id: u64,
	/// The chain and the secret.
	#[command(flatten)]
	pub signer: AccountArgs,
}

/// A service that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ordered {
	/// An S3 volume.
	S3,
	/// An IPFS pin.
	Ipfs,
	/// A virtual machine.
	Compute,
}

/// Arguments of `usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
	/// The account.
	#[command(flatten)]
	pub look: LookArgs,
	/// Blocks looked back for charges; a node that is no archive has the last 256.
	#[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=2000))]
	pub blocks: u32,
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
		for good in [
			"arion credits balance",
			"arion credits deposit 0.5 --suri //Alice --least 4.9",
			"arion credits authorise --bytes 500GB --days 7",
			"arion orders request s3 --units 1TB --days 0.5",
			"arion orders renew 7 --days 2",
			"arion usage 5Grw --blocks 100",
		] {
			assert!(Cli::try_parse_from(good.split(' ')).is_ok(), "{good}");
		}
		for bad in [
			"arion credits deposit",
			"arion credits deposit -1",
			"arion credits deposit 1 --suri //A --suri-file b",
			"arion credits authorise --days 7",
			"arion orders request arion --units 1 --days 1",
			"arion usage --blocks 2001",
		] {
			assert!(Cli::try_parse_from(bad.split(' ')).is_err(), "{bad}");
		}
		assert!(Cli::try_parse_from(["arion", "get", "ab", "--output", "yaml"]).is_err());
	}
}
