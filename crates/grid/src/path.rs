//! Where peers are looked for, and how they were found.

use crate::relay::is_mapped;
use hippius_primitives::{NodeAddress, RelayAddress};
use std::{fmt, net::SocketAddr};

/// Where a peer is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
	/// Its UDP addresses, best first.
	pub direct: Vec<SocketAddr>,
	/// The relays it is connected to, best first.
	pub relays: Vec<RelayAddress>,
}

impl Reach {
	/// Whether there is nowhere to look.
	pub fn is_empty(&self) -> bool {
		self.direct.is_empty() && self.relays.is_empty()
	}

	/// Whether the peer can be reached through relays only, as far as is known beforehand.
	pub fn is_relayed(&self) -> bool {
		self.direct.is_empty() && !self.relays.is_empty()
	}
}

impl From<Vec<SocketAddr>> for Reach {
	fn from(direct: Vec<SocketAddr>) -> Self {
		Self {
			direct,
			relays: Vec::new(),
		}
	}
}

impl<'a> FromIterator<&'a NodeAddress> for Reach {
	fn from_iter<I: IntoIterator<Item = &'a NodeAddress>>(addresses: I) -> Self {
		let mut reach = Self::default();
		for address in addresses {
			reach.direct.extend(address.socket());
			reach.relays.extend(address.relay().cloned());
		}
		reach
	}
}

/// How packets to a peer travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
	/// Over UDP from here to there.
	Direct,
	/// Through a relay.
	Relayed,
}

impl PathKind {
	/// Of a connection to `address`.
	pub(crate) fn of(address: &SocketAddr) -> Self {
		match is_mapped(address) {
			true => Self::Relayed,
			false => Self::Direct,
		}
	}

	/// `direct` or `relayed`.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Direct => "direct",
			Self::Relayed => "relayed",
		}
	}
}

impl fmt::Display for PathKind {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(self.name())
	}
}

/// Connections by path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCounts {
	/// Over UDP.
	pub direct: usize,
	/// Through relays.
	pub relayed: usize,
}

impl PathCounts {
	pub(crate) fn of<'a>(connections: impl Iterator<Item = &'a quinn::Connection>) -> Self {
		let mut counts = Self::default();
		for connection in connections {
			match PathKind::of(&connection.remote_address()) {
				PathKind::Direct => counts.direct += 1,
				PathKind::Relayed => counts.relayed += 1,
			}
		}
		counts
	}
}

/// An address as a reader understands it: one that stands for a node behind a relay says nothing.
pub(crate) fn shown(address: &SocketAddr) -> String {
	match is_mapped(address) {
		true => "a relay".into(),
		false => address.to_string(),
	}
}
