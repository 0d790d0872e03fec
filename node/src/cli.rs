//! The command line.

use crate::{daemons::DaemonArg, session_keys::SessionKeysCmd};
use std::{net::SocketAddr, path::PathBuf};

/// Runs a Hippius node, or one of its tools.
#[derive(Debug, clap::Parser)]
#[command(after_long_help = "\
Examples:
  hippius-node --dev --tmp
      A chain of one validator that is forgotten when the node stops.
  hippius-node --chain local --alice --base-path /tmp/alice --node-key 0000...01
      The first validator of a local network.
  hippius-node --chain main --validator --collector-listen 0.0.0.0:30500 \\
      --collector-address 203.0.113.7:30500
      A validator that collects the heartbeats of storage nodes.
  hippius-node --chain main --name my-miner --offchain-worker always \\
      --arion-daemon http://127.0.0.1:7070,token-file=/var/lib/arion/control.token
      A full node beside a miner daemon: its worker hands the daemon each new cluster map, has it
      send heartbeats, and submits what it shows to audits.
  hippius-node session-keys --owner 5Grw... --base-path /var/lib/hippius --chain main
      New validator keys, ready for session.setKeys.")]
pub struct Cli {
	/// A tool to run instead of the node.
	#[command(subcommand)]
	pub subcommand: Option<Subcommand>,

	/// How to run the node.
	#[command(flatten)]
	pub run: NodeCmd,
}

/// How to run the node.
#[derive(Debug, clap::Args)]
pub struct NodeCmd {
	/// What every Substrate node takes.
	#[command(flatten)]
	pub base: sc_cli::RunCmd,

	/// A miner daemon on this machine that the offchain worker drives: the base URL of its control
	/// API, which must be plain http on loopback, and the file that holds its bearer token. May be
	/// given more than once. Needs `--offchain-worker always` unless the node is a validator.
	#[arg(long = "arion-daemon", value_name = "URL[,token-file=PATH]")]
	pub arion_daemons: Vec<DaemonArg>,

	/// UDP address on which this validator collects the heartbeats of storage nodes. Without it the
	/// validator does not take part in judging who is there.
	#[arg(long, value_name = "IP:PORT")]
	pub collector_listen: Option<SocketAddr>,

	/// Address at which nodes reach the collector, if it is not the one it listens on. May be given
	/// up to four times.
	#[arg(long = "collector-address", value_name = "IP:PORT")]
	pub collector_addresses: Vec<SocketAddr>,

	/// Folder of compiled runtimes, so that a start does not compile them again; by default one in the
	/// base path. Nodes of one user may share it. What lies there is run: keep it as private as the
	/// node's keys.
	#[arg(long, value_name = "DIR")]
	pub wasm_cache: Option<PathBuf>,
}

/// The tools.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
	/// Make, inspect and store keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Make session keys, store them and print them with their proof of possession.
	SessionKeys(SessionKeysCmd),

	/// Write a network's chain spec as JSON.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Write a network's chain spec as JSON (the older form of export-chain-spec).
	#[command(hide = true)]
	#[allow(deprecated)]
	BuildSpec(sc_cli::BuildSpecCmd),

	/// Check a block again.
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Write blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Write the state at a block as a chain spec.
	ExportState(sc_cli::ExportStateCmd),

	/// Read blocks from a file.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Remove the whole chain from disk.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Take the chain back by some blocks.
	Revert(sc_cli::RevertCmd),

	/// Show what the database holds.
	ChainInfo(sc_cli::ChainInfoCmd),
}
