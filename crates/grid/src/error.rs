//! What can go wrong, named so that the reader knows who, where, why and what to do.

use crate::{path::shown, wire::Status};
use hippius_primitives::{NodeKey, RelayAddress, ShardId};
use quinn::ConnectionError;
use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

/// A failure of the grid.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
	/// The UDP socket could not be opened.
	#[error(
		"cannot bind UDP {address}: {source}; choose a free port or an address of this machine"
	)]
	Bind {
		/// The address asked for.
		address: SocketAddr,
		/// The system's answer.
		source: Arc<io::Error>,
	},
	/// A setting is out of range.
	#[error("grid setting `{setting}`: {reason}")]
	Config {
		/// The field of [`GridConfig`](crate::GridConfig).
		setting: &'static str,
		/// What is wrong with it.
		reason: String,
	},
	/// The TLS library refused our configuration: a fault of this program.
	#[error("TLS set-up failed: {0}")]
	Tls(String),
	/// There is no tokio runtime to work in: a fault of this program.
	#[error("a grid needs a running tokio runtime")]
	NoRuntime,
	/// [`Grid::serve`](crate::Grid::serve) was called twice.
	#[error("this endpoint serves already")]
	AlreadyServing,
	/// The endpoint was closed.
	#[error("the endpoint is closed")]
	Closed,
	/// No address is known for the peer.
	#[error("no address is known for peer {peer}; wait for a newer cluster map")]
	NoAddress {
		/// The peer.
		peer: NodeKey,
	},
	/// No address of the peer led to it.
	#[error("peer {peer} cannot be reached: {}", List(attempts))]
	Unreachable {
		/// The peer.
		peer: NodeKey,
		/// What happened at each address.
		attempts: Vec<DialFailure>,
	},
	/// An open connection was lost; the request may or may not have been carried out. Every
	/// request may be repeated.
	#[error(
		"connection to peer {peer} at {} was lost: {cause}; try again",
		shown(address)
	)]
	Lost {
		/// The peer.
		peer: NodeKey,
		/// Where it was.
		address: SocketAddr,
		/// What the transport says.
		cause: ConnectionError,
	},
	/// The peer took too long.
	#[error(
		"peer {peer} at {} took longer than {after:?} to {what}; ask another",
		shown(address)
	)]
	Timeout {
		/// The peer.
		peer: NodeKey,
		/// Where it is.
		address: SocketAddr,
		/// What was waited for.
		what: &'static str,
		/// How long.
		after: Duration,
	},
	/// The peer answered that it cannot or will not.
	#[error("peer {peer} at {} answered {status}: {detail}", shown(address))]
	Answer {
		/// The peer.
		peer: NodeKey,
		/// Where it is.
		address: SocketAddr,
		/// The kind of refusal.
		status: Status,
		/// The peer's own words, cut short and cleaned of control characters.
		detail: String,
	},
	/// The peer's bytes do not hash to the id that was asked for. It lies or its disk does.
	#[error(
		"peer {peer} at {} sent wrong bytes for shard {shard}; do not ask it again soon",
		shown(address)
	)]
	WrongBytes {
		/// The peer.
		peer: NodeKey,
		/// Where it is.
		address: SocketAddr,
		/// The shard asked for.
		shard: ShardId,
	},
	/// The peer says that the shard has another length than the asker thinks.
	#[error(
		"peer {peer} at {address} says that shard {shard} has {said} bytes, {expected} were \
		 expected; ask another, and check the manifest if others say the same"
	)]
	OtherLength {
		/// The peer.
		peer: NodeKey,
		/// Where it is.
		address: SocketAddr,
		/// The shard asked for.
		shard: ShardId,
		/// The length it announced.
		said: u32,
		/// The length asked for.
		expected: u32,
	},
	/// The peer broke off in the middle of its answer.
	#[error(
		"peer {peer} at {} broke off its answer (code {code}); try again or ask another",
		shown(address)
	)]
	Interrupted {
		/// The peer.
		peer: NodeKey,
		/// Where it is.
		address: SocketAddr,
		/// The peer's stream error code.
		code: u64,
	},
	/// The peer does not speak our protocol.
	#[error("peer {peer} at {} broke the protocol: {what}", shown(address))]
	Protocol {
		/// The peer.
		peer: NodeKey,
		/// Where it is.
		address: SocketAddr,
		/// What it did.
		what: String,
	},
	/// The caller asked for something that cannot be sent.
	#[error("bad request, nothing was sent: {what}")]
	BadRequest {
		/// What is wrong.
		what: &'static str,
	},
}

impl GridError {
	/// The status the peer answered with, if it answered.
	pub fn status(&self) -> Option<Status> {
		match self {
			Self::Answer { status, .. } => Some(*status),
			_ => None,
		}
	}

	/// Whether the same request may well succeed a little later, though the peer refused it: it had
	/// too much to do, or knows other maps than the asker.
	pub fn is_passing(&self) -> bool {
		matches!(self.status(), Some(Status::Busy | Status::UnknownEpoch))
	}

	/// Whether the peer answered that it does not hold what was asked for.
	pub fn is_not_found(&self) -> bool {
		self.status() == Some(Status::NotFound)
	}

	/// Whether the peer sent something that no honest, healthy node sends. Another length is not
	/// among it: who wrote the manifest may have lied.
	pub fn is_misbehaviour(&self) -> bool {
		matches!(self, Self::WrongBytes { .. } | Self::Protocol { .. })
	}
}

/// Why one address of a peer did not lead to it.
#[derive(Clone, Debug)]
pub struct DialFailure {
	/// The address; without meaning for a relay.
	pub address: SocketAddr,
	/// What happened there.
	pub cause: DialCause,
}

impl fmt::Display for DialFailure {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match &self.cause {
			DialCause::Relay { .. } => self.cause.fmt(f),
			cause => write!(f, "{}: {cause}", shown(&self.address)),
		}
	}
}

/// What happened at an address.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialCause {
	/// The address cannot be dialled from this socket.
	#[error("cannot be dialled: {0}")]
	Invalid(String),
	/// Nobody answered.
	#[error("no answer within {0:?}; is the node up and its UDP port open?")]
	Silent(Duration),
	/// Another node answered.
	#[error("node {offered} answered there; the address is out of date")]
	WrongKey {
		/// The key it showed.
		offered: NodeKey,
	},
	/// The way through a relay did not work.
	#[error("relay {relay}: {problem}")]
	Relay {
		/// The relay.
		relay: RelayAddress,
		/// What happened there.
		problem: String,
	},
	/// The handshake failed for another reason.
	#[error("handshake failed: {0}")]
	Handshake(String),
}

struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		self.0.iter().enumerate().try_for_each(|(at, item)| {
			if at > 0 {
				f.write_str("; ")?;
			}
			item.fmt(f)
		})
	}
}
