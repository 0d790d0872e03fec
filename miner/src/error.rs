//! What can go wrong in the miner, with what to do about it.

use crate::{config::ConfigError, epochs::EpochError};
use std::{io, net::SocketAddr, path::PathBuf};

/// An error of a miner command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MinerError {
	/// `config.toml` is missing, unreadable or wrong.
	#[error(transparent)]
	Config(#[from] ConfigError),
	/// There is a miner already.
	#[error("{0} exists already: `init` overwrites nothing, choose another --base-path")]
	Exists(PathBuf),
	/// The operating system refused a file operation.
	#[error("cannot {action} {path}: {source}")]
	Io {
		/// What was tried.
		action: &'static str,
		/// On which file.
		path: PathBuf,
		/// Why it failed.
		source: io::Error,
	},
	/// The control token's file is not usable.
	#[error(
		"{path} {problem}; write 32 to 128 letters or digits into it and run `chmod 600 {path}`"
	)]
	Token {
		/// The file.
		path: PathBuf,
		/// What is wrong with it.
		problem: &'static str,
	},
	/// The system gave no random bytes.
	#[error("the system's random source failed: {0}")]
	Random(String),
	/// The node key cannot be used.
	#[error(transparent)]
	Identity(#[from] arion_grid::IdentityError),
	/// The QUIC endpoint failed.
	#[error(transparent)]
	Grid(#[from] arion_grid::GridError),
	/// The shard store failed.
	#[error(transparent)]
	Store(#[from] arion_shard_store::StoreError),
	/// The kept cluster map cannot be used.
	#[error(transparent)]
	Epoch(#[from] EpochError),
	/// The control API's address cannot be used.
	#[error("cannot listen on {address} for the control API: {source}; choose another control.listen, or end what uses the port")]
	ControlBind {
		/// The address.
		address: SocketAddr,
		/// Why.
		source: io::Error,
	},
	/// The chain refused or cannot be reached.
	#[error(transparent)]
	Chain(#[from] hippius_chain_client::ChainError),
	/// The family's secret is unusable.
	#[error(transparent)]
	Signer(#[from] hippius_chain_client::SignerError),
	/// What the chain would refuse because a period is not over.
	#[error("{what} ends with block {block}{when}; the chain is at block {now}{hint}")]
	TooEarly {
		/// The period.
		what: &'static str,
		/// The newest block.
		now: u32,
		/// The block it ends with.
		block: u32,
		/// How long that is, roughly.
		when: String,
		/// What else can be done.
		hint: &'static str,
	},
	/// What was given on the command line does not fit together.
	#[error("{0}")]
	Input(String),
	/// The daemon does not answer.
	#[error("no answer from the miner at {url}: {cause}; is `arion-miner run` up?")]
	NotRunning {
		/// The control API.
		url: String,
		/// Why.
		cause: String,
	},
	/// The daemon answered with an error.
	#[error("the miner answered {status}: {text}")]
	Answer {
		/// HTTP status.
		status: u16,
		/// What it said.
		text: String,
	},
	/// A second signal came before the miner had stopped.
	#[error(
		"ended by a second signal before everything was closed; acknowledged shards are on disk"
	)]
	Forced,
	/// The ledgers' leaves cannot be kept.
	#[error(transparent)]
	Leaves(#[from] crate::leaves::LeavesError),
	/// The state of repair cannot be used.
	#[error(transparent)]
	State(#[from] crate::repair::state::StateError),
	/// The maps cannot be worked by.
	#[error("the cluster map cannot be worked by: {0}")]
	Repair(String),
	/// A task of the daemon ended in a panic.
	#[error("a task of the daemon failed: {0}")]
	Task(String),
}

impl MinerError {
	/// For `map_err` on file operations.
	pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
		let path = path.into();
		move |source| Self::Io {
			action,
			path,
			source,
		}
	}

	/// A short name that scripts may rely on.
	pub fn code(&self) -> &'static str {
		match self {
			Self::Config(_) => "config",
			Self::Exists(_) => "exists",
			Self::Io { .. } => "io",
			Self::Token { .. } => "token",
			Self::Random(_) => "random",
			Self::Identity(_) => "node_key",
			Self::Grid(_) => "grid",
			Self::Store(_) => "store",
			Self::Epoch(_) => "epoch",
			Self::ControlBind { .. } => "control_bind",
			Self::Chain(_) => "chain",
			Self::Signer(_) => "signer",
			Self::TooEarly { .. } => "too_early",
			Self::Input(_) => "input",
			Self::NotRunning { .. } => "not_running",
			Self::Answer { .. } => "answer",
			Self::Forced => "forced",
			Self::State(_) => "repair_state",
			Self::Leaves(_) => "leaves",
			Self::Repair(_) => "repair",
			Self::Task(_) => "task",
		}
	}
}
