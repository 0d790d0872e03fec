//! What others see of this node's address, and what that says of the NAT before it.
//!
//! A peer that is reached over UDP tells from where our packets come. One peer may lie or be
//! deceived, so an address counts only when two peers, at different addresses, agree on it. Two
//! that see the same address with different ports show a NAT that gives every destination its own
//! port: nobody who was not spoken to first gets through it.

use crate::{
	path::PathKind,
	pool::Link,
	punch::candidates::{plain, source},
	wire::{Request, Response},
	GridError, Peer,
};
use bytes::Bytes;
use hippius_primitives::NodeAddress;
use std::{fmt, net::SocketAddr};

/// Peers asked at a time, at most.
const MOST_OBSERVERS: usize = 4;

/// What stands between this node and others, as far as others' answers show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NatKind {
	/// Fewer than two peers have answered, or they disagree.
	#[default]
	Unknown,
	/// Packets arrive with the address they were sent from.
	None,
	/// A NAT that keeps one port for all destinations.
	Easy,
	/// A NAT that gives every destination a port of its own.
	Hard,
}

impl NatKind {
	/// Its number on the wire.
	pub(crate) const fn code(self) -> u8 {
		match self {
			Self::Unknown => 0,
			Self::None => 1,
			Self::Easy => 2,
			Self::Hard => 3,
		}
	}

	/// Of a number from the wire; what is not known yet is unknown.
	pub(crate) const fn from_code(code: u8) -> Self {
		match code {
			1 => Self::None,
			2 => Self::Easy,
			3 => Self::Hard,
			_ => Self::Unknown,
		}
	}

	/// `unknown`, `none`, `easy` or `hard`.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Unknown => "unknown",
			Self::None => "none",
			Self::Easy => "easy",
			Self::Hard => "hard",
		}
	}
}

impl fmt::Display for NatKind {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(self.name())
	}
}

/// What others see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat {
	/// What stands between.
	pub kind: NatKind,
	/// The address at least two of them agree on.
	pub address: Option<SocketAddr>,
}

/// One peer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observation {
	/// The peer's own address.
	pub(crate) observer: SocketAddr,
	/// The address our packets left this machine with.
	pub(crate) local: SocketAddr,
	/// The address they arrived with.
	pub(crate) seen: SocketAddr,
}

/// What answers show together.
pub(crate) fn judge(observations: &[Observation]) -> Nat {
	let pairs = || {
		observations.iter().enumerate().flat_map(|(at, a)| {
			let others = observations.iter().skip(at + 1);
			let others = others.filter(|b| plain(a.observer) != plain(b.observer));
			others.map(move |b| (a, b))
		})
	};
	if let Some((a, _)) = pairs().find(|(a, b)| plain(a.seen) == plain(b.seen)) {
		let kind = match plain(a.seen) == plain(a.local) {
			true => NatKind::None,
			false => NatKind::Easy,
		};
		return Nat {
			kind,
			address: Some(plain(a.seen)),
		};
	}
	let same_host = |(a, b): (&Observation, &Observation)| plain(a.seen).ip() == plain(b.seen).ip();
	Nat {
		kind: match pairs().any(same_host) {
			true => NatKind::Hard,
			false => NatKind::Unknown,
		},
		address: None,
	}
}

/// Asks peers, some of which may not answer, and judges. Only those reached over UDP can tell.
pub(crate) async fn ask(peers: &[Peer], local: SocketAddr) -> Nat {
	let asked = peers.iter().take(MOST_OBSERVERS).map(|peer| async move {
		match peer.observe(local).await {
			Ok(observation) => Some(observation),
			Err(error) => {
				tracing::debug!(%error, "no observation");
				None
			}
		}
	});
	let answers = futures_util::future::join_all(asked).await;
	let observations: Vec<_> = answers.into_iter().flatten().collect();
	judge(&observations)
}

impl Peer {
	/// Asks from which address our packets come.
	async fn observe(&self, local: SocketAddr) -> Result<Observation, GridError> {
		let link = self.link().await?;
		if PathKind::of(&link.address) == PathKind::Relayed {
			return Err(GridError::BadRequest {
				what: "a peer behind a relay cannot tell our address",
			});
		}
		match self.ask(&link, &Request::Observe, Bytes::new()).await? {
			(Response::Observed { address }, mut recv) => {
				self.end(&link, &mut recv).await?;
				let seen = address.socket().filter(|seen| seen.port() != 0);
				let seen = seen.ok_or_else(|| self.protocol(&link, "no address".into()))?;
				Ok(Observation {
					observer: link.address,
					local: sent_from(&link, local),
					seen,
				})
			}
			(other, _) => Err(self.unexpected(&link, &other)),
		}
	}
}

/// The address packets of a connection leave with; the socket's own may be a wildcard, and those
/// that dialled are not told.
fn sent_from(link: &Link, local: SocketAddr) -> SocketAddr {
	let ip = match link.connection.local_ip() {
		None if local.ip().is_unspecified() => source(plain(link.address)),
		told => told,
	};
	ip.map_or(local, |ip| SocketAddr::new(ip, local.port()))
}

/// The answer to a peer at `address`.
pub(crate) fn answer(address: SocketAddr) -> Option<Response> {
	(PathKind::of(&address) == PathKind::Direct).then(|| Response::Observed {
		address: NodeAddress::from(plain(address)),
	})
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	fn seen(observer: &str, seen: &str) -> Observation {
		Observation {
			observer: observer.parse().unwrap(),
			local: "10.0.0.5:4100".parse().unwrap(),
			seen: seen.parse().unwrap(),
		}
	}

	#[test]
	fn two_observers_are_needed_and_must_agree() {
		let (a, b, c) = ("192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1");
		let mapped = "203.0.113.7:60000";
		let kind = |list: &[Observation]| judge(list).kind;
		assert_eq!(kind(&[]), NatKind::Unknown);
		assert_eq!(kind(&[seen(a, mapped)]), NatKind::Unknown);
		// One observer asked twice is one.
		assert_eq!(kind(&[seen(a, mapped), seen(a, mapped)]), NatKind::Unknown);
		let easy = judge(&[seen(a, mapped), seen(b, mapped)]);
		assert_eq!(easy.kind, NatKind::Easy);
		assert_eq!(easy.address, Some(mapped.parse().unwrap()));
		// A liar is outvoted, and alone convinces nobody.
		let liar = seen(c, "198.51.100.1:1");
		assert_eq!(judge(&[liar, seen(a, mapped), seen(b, mapped)]), easy);
		assert_eq!(judge(&[liar, seen(a, mapped)]), Nat::default());
		let hard = judge(&[seen(a, mapped), seen(b, "203.0.113.7:60001")]);
		assert_eq!((hard.kind, hard.address), (NatKind::Hard, None));
		let own = "10.0.0.5:4100";
		assert_eq!(kind(&[seen(a, own), seen(b, own)]), NatKind::None);
		let dual = "[::ffff:10.0.0.5]:4100";
		assert_eq!(kind(&[seen(a, own), seen(b, dual)]), NatKind::None);
	}

	#[test]
	fn kinds_have_numbers() {
		for code in 0..=crate::wire::MAX_NAT {
			assert_eq!(NatKind::from_code(code).code(), code);
		}
		assert_eq!(
			NatKind::from_code(crate::wire::MAX_NAT + 1),
			NatKind::Unknown
		);
	}

	#[test]
	fn peers_behind_relays_are_told_nothing() {
		assert!(answer("240.0.0.1:1".parse().unwrap()).is_none());
		assert!(answer("192.0.2.1:1".parse().unwrap()).is_some());
	}
}
