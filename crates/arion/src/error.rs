//! What can go wrong, and the exit code it ends in.

use crate::{cli::Output, refusal::Refusal, voucher::VoucherError};
use hippius_chain_client::{AccountError, ChainError, SignerError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An error as the gateway sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayFault {
	/// Stable short name, e.g. `not_enough_shards`.
	pub code: String,
	/// For people: cause and, where there is one, the mend.
	pub message: String,
}

/// Failure of a command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
	/// The command line makes no sense.
	#[error("{0}")]
	Usage(String),
	/// Nothing answers at the gateway's address.
	#[error("no gateway answers at {url} ({cause}); start one with `arion-gateway run`, or name another with --gateway")]
	Unreachable {
		/// The address.
		url: String,
		/// Why.
		cause: String,
	},
	/// The gateway refused or failed.
	#[error("{}", .0.message)]
	Gateway(GatewayFault),
	/// The connection broke while data was on its way.
	#[error("the transfer broke off after {done} of {size} bytes: {cause}")]
	Broken {
		/// Bytes moved.
		done: u64,
		/// Bytes expected.
		size: u64,
		/// Why.
		cause: String,
	},
	/// The gateway says something this tool does not understand.
	#[error("the gateway at {url} answered something unexpected ({what}); is it really an Arion gateway of this version?")]
	Protocol {
		/// The address.
		url: String,
		/// What was odd.
		what: String,
	},
	/// A file could not be read or written.
	#[error("{action} {}: {cause}", path.display())]
	File {
		/// "cannot read", "cannot write"..
		action: &'static str,
		/// The file.
		path: PathBuf,
		/// Why.
		cause: std::io::Error,
	},
	/// The target exists.
	#[error("{} exists already; pass --force to replace it, or -o for another name", .0.display())]
	Exists(PathBuf),
	/// The chain cannot be reached, or answers oddly.
	#[error(transparent)]
	Chain(ChainError),
	/// The chain refused a call.
	#[error("{}{}", .0.why, .0.mend.map(|mend| format!("; {mend}")).unwrap_or_default())]
	Refused(Refusal),
	/// The secret is unusable.
	#[error(transparent)]
	Signer(#[from] SignerError),
	/// An account is none.
	#[error(transparent)]
	Account(#[from] AccountError),
	/// A voucher cannot be read.
	#[error(transparent)]
	Voucher(#[from] VoucherError),
	/// Ctrl-C.
	#[error("interrupted")]
	Interrupted,
	/// The handler for Ctrl-C could not be set up.
	#[error("cannot listen for Ctrl-C: {0}")]
	Signal(std::io::Error),
}

impl CliError {
	/// The process' exit code, as listed in `--help`.
	pub fn exit_code(&self) -> u8 {
		match self {
			Self::Usage(_) | Self::Account(_) | Self::Signer(_) => 2,
			Self::Chain(ChainError::Connect { .. }) => 5,
			Self::Refused(_) => 6,
			Self::Gateway(fault) => match fault.code.as_str() {
				"bad_request" => 2,
				"not_found" => 3,
				"not_enough_shards" => 4,
				_ => 1,
			},
			Self::Unreachable { .. } => 5,
			Self::Interrupted => 130,
			Self::Broken { .. }
			| Self::Protocol { .. }
			| Self::File { .. }
			| Self::Exists(_)
			| Self::Chain(_)
			| Self::Voucher(_)
			| Self::Signal(_) => 1,
		}
	}

	/// Stable short name.
	pub fn code(&self) -> &str {
		match self {
			Self::Usage(_) => "usage",
			Self::Unreachable { .. } => "unreachable",
			Self::Gateway(fault) => &fault.code,
			Self::Broken { .. } => "broken",
			Self::Protocol { .. } => "protocol",
			Self::File { .. } => "file",
			Self::Exists(_) => "exists",
			Self::Chain(_) => "chain",
			Self::Refused(refusal) => &refusal.code,
			Self::Signer(_) => "signer",
			Self::Account(_) => "account",
			Self::Voucher(_) => "voucher",
			Self::Interrupted => "interrupted",
			Self::Signal(_) => "signal",
		}
	}

	/// Prints the error on standard error.
	pub fn report(&self, output: Output) {
		match output {
			Output::Text => eprintln!("error: {self}"),
			Output::Json => eprintln!(
				"{}",
				serde_json::json!({ "error": { "code": self.code(), "message": self.to_string() } })
			),
		}
	}
}
