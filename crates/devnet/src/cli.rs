//! What the command line accepts.

use crate::{
	demo::{KillWhen, Options, DEFAULT_KILL},
	plan::DEFAULT_BASE_PORT,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Start a whole local Hippius network: three validators, a full node that hosts the miners'
/// offchain workers, 30 miners in 6 zones and 10 families, and a gateway.
///
/// Without a command: starts it, stores a file, kills 20 miners, fetches and compares the file,
/// and stays up until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "hippius-devnet", version, after_help = AFTER)]
pub struct Cli {
	/// Folder for data, logs and the list of processes
	/// [default: $XDG_STATE_HOME/hippius/devnet or ~/.local/state/hippius/devnet].
	#[arg(long, global = true, env = "HIPPIUS_DEVNET_DIR", value_name = "DIR")]
	pub dir: Option<PathBuf>,

	/// First of the 100 ports used.
	#[arg(long, global = true, default_value_t = DEFAULT_BASE_PORT, value_name = "PORT")]
	pub base_port: u16,

	/// Miners of this zone have no UDP address others know: they are reached through a relay, which
	/// is started as well. Only for a network that is being started.
	#[arg(long, global = true, value_name = "ZONE")]
	pub relayed_zone: Option<u16>,

	/// This zone has a miner more than the others, so that it can lose one. Only for a network that is
	/// being started.
	#[arg(long, global = true, value_name = "ZONE")]
	pub spare_zone: Option<u16>,

	/// Folder of the programs [default: that of this program].
	#[arg(long, global = true, value_name = "DIR")]
	pub bin_dir: Option<PathBuf>,

	/// Seconds the build took, for the report.
	#[arg(long, global = true, value_name = "S", hide = true)]
	pub build_seconds: Option<f64>,

	/// What to do.
	#[command(subcommand)]
	pub command: Option<Command>,
}

const AFTER: &str = "\
Exit codes: 0 done, 1 error or the file differed, 2 wrong usage, 130 interrupted.

Examples:
  devnet.sh                                   the whole story, then stay up
  devnet.sh demo --file big.iso --json        once, for scripts
  devnet.sh demo --kill-during get            lose 20 miners in the middle of a read
  devnet.sh demo --spare-zone 0 --audits      miners that lose data are caught and thrown out
  devnet.sh demo --economy --json             who pays whom, to the last rao
  devnet.sh demo --relayed-zone 0             five miners behind a relay, needed for the read
  devnet.sh up --detach; devnet.sh status     keep a network in the background
  devnet.sh logs miner-07 -f";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Start the network and keep it up until Ctrl-C.
	Up {
		/// Return once it is ready; end it with `down`.
		#[arg(long)]
		detach: bool,
	},
	/// Store a file, kill miners, fetch the file, compare. Uses the network that runs (bringing
	/// killed miners back first), or starts one and ends it.
	Demo(DemoArgs),
	/// End the network and every process of it.
	Down,
	/// Show the processes and where they listen.
	Status {
		/// How to print.
		#[arg(long, value_enum, default_value_t = Output::Text)]
		output: Output,
	},
	/// Print a process' log.
	Logs {
		/// Its name, as `status` shows it.
		name: String,
		/// Go on printing as it grows.
		#[arg(short, long)]
		follow: bool,
		/// How many lines from the end.
		#[arg(short = 'n', long, default_value_t = 200)]
		lines: u32,
	},
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
	/// For people.
	Text,
	/// One JSON object on standard output.
	Json,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
	/// File to store; a random one of 32 MB if left out.
	#[arg(long, value_name = "FILE")]
	pub file: Option<PathBuf>,
	/// How many of the 30 miners to kill.
	#[arg(long, default_value_t = DEFAULT_KILL, value_name = "N")]
	pub kill: u16,
	/// When to kill them.
	#[arg(long, value_enum, default_value = "between", value_name = "WHEN")]
	pub kill_during: KillWhen,
	/// Flip a bit of a stored shard on the disks of this many surviving miners.
	#[arg(long, default_value_t = 0, value_name = "N")]
	pub damage: u16,
	/// Stop the full node before the fetch, start it after, and see it catch up.
	#[arg(long)]
	pub restart_node: bool,
	/// Kill one of the three validators, bring it back, and see finality go on.
	#[arg(long)]
	pub kill_validator: bool,
	/// Freeze a miner until the chain calls its node down, let it go on, and see it come back.
	/// Brings killed miners back first.
	#[arg(long)]
	pub freeze_miner: bool,
	/// See what audits do to miners that lost data. One loses a twentieth of its shards and is caught;
	/// one loses all, is jailed and thrown out, and its shards are rebuilt elsewhere; one has a slow
	/// disk and comes to no harm. Then 20 miners are killed and the file is fetched. Needs a network
	/// with --spare-zone.
	#[arg(long, conflicts_with_all = ["kill", "kill_during", "damage", "restart_node",
		"kill_validator", "freeze_miner"])]
	pub audits: bool,
	/// See what is stored being paid for: a client buys credits and stores the file, is charged over
	/// several eras, and miners, validators, their nominator and the treasury withdraw their parts. The
	/// JSON object then has `in`, `pots` and `conserved`, in rao.
	#[arg(long, conflicts_with_all = ["kill", "kill_during", "damage", "restart_node",
		"kill_validator", "freeze_miner", "audits"])]
	pub economy: bool,
	/// Print one JSON object as the last line (and the story on standard error).
	#[arg(long)]
	pub json: bool,
}

impl DemoArgs {
	/// What the demo is to do.
	pub fn options(&self) -> Options {
		Options {
			file: self.file.clone(),
			kill: self.kill,
			when: self.kill_during,
			damage: self.damage,
			restart_node: self.restart_node,
			kill_validator: self.kill_validator,
			freeze_miner: self.freeze_miner,
			audits: self.audits,
			economy: self.economy,
		}
	}
}

impl Default for Options {
	fn default() -> Self {
		Self {
			file: None,
			kill: DEFAULT_KILL,
			when: KillWhen::Between,
			damage: 0,
			restart_node: false,
			kill_validator: false,
			freeze_miner: false,
			audits: false,
			economy: false,
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use clap::CommandFactory as _;

	#[test]
	fn the_command_line_is_well_formed() {
		Cli::command().debug_assert();
		let cli =
			Cli::try_parse_from(["x", "demo", "--kill", "21", "--json", "--base-port", "3000"]);
		let cli = cli.unwrap();
		assert_eq!(cli.base_port, 3000);
		let Some(Command::Demo(demo)) = cli.command else {
			panic!("no demo")
		};
		assert_eq!(demo.options().kill, 21);
		assert!(Cli::try_parse_from(["x"]).unwrap().command.is_none());
		for bad in [
			&["x", "demo", "--kill", "-1"][..],
			&["x", "demo", "--kill-during", "lunch"],
			&["x", "logs"],
		] {
			assert!(Cli::try_parse_from(bad).is_err(), "{bad:?}");
		}
	}
}
