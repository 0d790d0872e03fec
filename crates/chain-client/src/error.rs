//! What can go wrong between us and the chain.

use hippius_primitives::Epoch;
use std::time::Duration;

/// Failure of a chain access. The text names the cause and, where there is one, the mend.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
	/// The address cannot be used.
	#[error("{url} is not a usable node address: {cause}; give ws://127.0.0.1:PORT (or http://), or wss:// for a remote node")]
	Url {
		/// The address.
		url: String,
		/// What is wrong with it.
		cause: String,
	},
	/// No node answers.
	#[error(
		"no node answers at {url}: {cause}; is hippius-node running, and is this its --rpc-port?"
	)]
	Connect {
		/// The address.
		url: String,
		/// Why.
		cause: String,
	},
	/// The node runs a runtime this client does not know.
	#[error("the chain's runtime and this client differ in {item} ({difference}); use client and node of the same release")]
	Incompatible {
		/// What differs, e.g. `call Registry.register_node`.
		item: String,
		/// How.
		difference: &'static str,
	},
	/// A request failed.
	#[error("{action} failed: {cause}")]
	Request {
		/// What was asked.
		action: &'static str,
		/// Why it failed.
		cause: Box<subxt::Error>,
	},
	/// An answer does not decode.
	#[error("the node's answer to {action} does not decode: {cause}; client and node may be of different releases")]
	Decode {
		/// What was asked.
		action: &'static str,
		/// Why it does not decode.
		cause: codec::Error,
	},
	/// The map the node serves is not the one the chain recorded.
	#[error(
		"the node serves a wrong cluster map for epoch {epoch}: {problem}; do not trust this node"
	)]
	Map {
		/// The epoch asked for; 0 for the newest.
		epoch: Epoch,
		/// What is wrong.
		problem: MapProblem,
	},
	/// The chain took the transaction and the call failed.
	#[error("{pallet}::{error}: {docs}")]
	Dispatch {
		/// Pallet that refused; `System` for errors of the runtime itself.
		pallet: String,
		/// The error's name.
		error: String,
		/// The error's documentation.
		docs: String,
	},
	/// The node did not take the transaction, so it will not be in any block.
	#[error("the transaction was refused: {0}")]
	NotSubmitted(Box<subxt::Error>),
	/// The transaction pool refused or lost the transaction.
	#[error("the transaction was not included: {0}")]
	NotIncluded(String),
	/// What was waited for did not come.
	#[error("waited {waited:?} for {what}; the last known cluster map epoch is {epoch}")]
	Deadline {
		/// What was waited for.
		what: &'static str,
		/// How long.
		waited: Duration,
		/// The newest epoch seen, 0 if none.
		epoch: Epoch,
	},
	/// The subscription ended.
	#[error("the node closed the connection; connect again")]
	Closed,
}

/// Why a map is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MapProblem {
	/// It does not decode or breaks a rule of maps.
	#[error("{0}")]
	Invalid(#[from] arion_crush::error::MapError),
	/// It is of another epoch.
	#[error("it is of epoch {0}")]
	Epoch(Epoch),
	/// Its hash is not the recorded one.
	#[error("its hash is not the one on chain")]
	Hash,
	/// The chain has no hash for it.
	#[error("the chain has no hash of it")]
	Unrecorded,
}

impl ChainError {
	/// Wraps an error of the RPC library.
	pub(crate) fn request(action: &'static str) -> impl Fn(subxt::Error) -> Self {
		move |cause| Self::Request {
			action,
			cause: Box::new(cause),
		}
	}

	/// Whether the connection is gone and only a new one helps.
	pub fn is_disconnected(&self) -> bool {
		// The RPC library erases the type of transport errors; a failed request is retried on a
		// new connection by those who can, which is right for all of them.
		matches!(
			self,
			Self::Closed | Self::Connect { .. } | Self::Request { .. }
		)
	}
}

/// What a failed submission means. An answer of the node is final; anything else may have happened
/// after the node took the transaction.
pub(crate) fn submission<E: Into<subxt::Error>>(action: &'static str) -> impl Fn(E) -> ChainError {
	move |cause| {
		let cause = cause.into();
		// The RPC library hides its types in several layers; its text for an answer of the node has
		// this in it.
		match cause.to_string().contains("User error") {
			true => ChainError::NotSubmitted(Box::new(cause)),
			false => ChainError::request(action)(cause),
		}
	}
}

/// Any error of the RPC library, as its root type.
pub(crate) fn request<E: Into<subxt::Error>>(action: &'static str) -> impl Fn(E) -> ChainError {
	move |cause| ChainError::request(action)(cause.into())
}
