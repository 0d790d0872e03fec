//! Where peers are looked for, and how they were found.

use crate::relay::is_mapped;
use hippius_primitives::{NodeAddress, NodeKey, RelayAddress};
use std::{fmt, net::SocketAddr, time::Duration};

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
	/// Over UDP through NAT, on a way that both sides opened.
	Punched,
	/// Over UDP to a node behind NAT, on a way that it opened to the dialling one.
	Reversed,
}

impl PathKind {
	/// Of a connection to `address`.
	pub(crate) fn of(address: &SocketAddr) -> Self {
		match is_mapped(address) {
			true => Self::Relayed,
			false => Self::Direct,
		}
	}

	/// Whether packets go from here to there without a relay.
	pub const fn is_direct(self) -> bool {
		!matches!(self, Self::Relayed)
	}

	/// Whether it was found over a relayed connection.
	pub(crate) const fn is_opened(self) -> bool {
		matches!(self, Self::Punched | Self::Reversed)
	}

	/// `direct`, `relayed`, `punched` or `reversed`.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Direct => "direct",
			Self::Relayed => "relayed",
			Self::Punched => "punched",
			Self::Reversed => "reversed",
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
	/// Over UDP, to an address that was known.
	pub direct: usize,
	/// Through relays.
	pub relayed: usize,
	/// Over UDP through NAT.
	pub punched: usize,
	/// Over UDP, opened by the hidden node.
	pub reversed: usize,
}

impl PathCounts {
	pub(crate) fn of(paths: impl Iterator<Item = PathKind>) -> Self {
		let mut counts = Self::default();
		for path in paths {
			*match path {
				PathKind::Direct => &mut counts.direct,
				PathKind::Relayed => &mut counts.relayed,
				PathKind::Punched => &mut counts.punched,
				PathKind::Reversed => &mut counts.reversed,
			} += 1;
		}
		counts
	}

	/// Each kind and its number.
	pub fn by_kind(&self) -> [(PathKind, usize); 4] {
		[
			(PathKind::Direct, self.direct),
			(PathKind::Relayed, self.relayed),
			(PathKind::Punched, self.punched),
			(PathKind::Reversed, self.reversed),
		]
	}
}

/// An open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPath {
	/// The node at the other end.
	pub key: NodeKey,
	/// How packets travel.
	pub path: PathKind,
	/// The current estimate of the round-trip time.
	pub rtt: Duration,
	/// Whether this node dialled.
	pub dialled: bool,
}

/// An address as a reader understands it: one that stands for a node behind a relay says nothing.
pub(crate) fn shown(address: &SocketAddr) -> String {
	match is_mapped(address) {
		true => "a relay".into(),
		false => address.to_string(),
	}
}
