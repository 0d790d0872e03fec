//! What is known of the rounds that run.

use super::{
	probe::{Keys, Kind, SessionId, Side},
	Packet, ROUNDS,
};
use crate::path::PathKind;
use hippius_primitives::NodeKey;
use std::{
	collections::{HashMap, VecDeque},
	net::SocketAddr,
	time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Rounds at a time, of this node's own and of others.
const MOST_ASKED: usize = 256;
pub(super) const MOST_ANSWERED: usize = 64;
/// Peers whose rounds are counted.
const MOST_PEERS: usize = 4096;
const MINUTE: Duration = Duration::from_secs(60);
/// Packets one side sends in a round to be answered; each has its bit.
const MOST_PROBES: usize = 128;
/// Addresses besides those it named from which the other side may be heard.
const MOST_HEARD: usize = 8;

/// One attempt of two nodes to find a way.
pub(crate) struct Round {
	pub(super) keys: Keys,
	pub(super) side: Side,
	peer: NodeKey,
	path: PathKind,
	/// Where probes go.
	targets: Vec<SocketAddr>,
	/// Where each numbered probe went.
	sent: Vec<SocketAddr>,
	/// Numbers of the other side's probes that were taken.
	seen: u128,
	/// Where they came from.
	heard: Vec<SocketAddr>,
	pub(super) found: watch::Sender<Option<SocketAddr>>,
}

impl Round {
	pub(crate) fn new(
		keys: Keys,
		side: Side,
		peer: NodeKey,
		path: PathKind,
		targets: Vec<SocketAddr>,
	) -> Self {
		Self {
			keys,
			side,
			peer,
			path,
			targets,
			sent: Vec::new(),
			seen: 0,
			heard: Vec::new(),
			found: watch::Sender::new(None),
		}
	}

	/// A probe to everywhere, as long as there are numbers and no way is known.
	pub(super) fn probes(&mut self) -> Vec<Packet> {
		if self.found.borrow().is_some() {
			return Vec::new();
		}
		let targets = self.targets.clone();
		targets
			.into_iter()
			.filter_map(|to| self.probe(to))
			.collect()
	}

	fn probe(&mut self, to: SocketAddr) -> Option<Packet> {
		if self.sent.len() >= MOST_PROBES {
			return None;
		}
		let number = u16::try_from(self.sent.len()).ok()?;
		self.sent.push(to);
		Some((to, self.keys.seal(self.side, Kind::Probe, number)))
	}

	/// A probe came: the answer, and a probe of our own if it came from an address that is new.
	/// `None` if it is not taken: its number was seen before, or it is from one place too many.
	pub(super) fn heard(
		&mut self,
		from: SocketAddr,
		number: u16,
	) -> Option<(Packet, Option<Packet>)> {
		let bit = 1u128.checked_shl(number.into()).filter(|bit| *bit != 0)?;
		if self.seen & bit != 0 {
			return None;
		}
		if !self.heard.contains(&from) {
			if self.heard.len() >= MOST_HEARD {
				return None;
			}
			self.heard.push(from);
		}
		self.seen |= bit;
		let extra = match self.targets.contains(&from) {
			true => None,
			false => {
				self.targets.push(from);
				self.probe(from)
			}
		};
		let reply = self.keys.seal(self.side, Kind::Reply, number);
		Some(((from, reply), extra))
	}

	/// An answer came; whether it is one to a probe that went there.
	pub(super) fn replied(&self, from: SocketAddr, number: u16) -> bool {
		if self.sent.get(usize::from(number)) != Some(&from) {
			return false;
		}
		self.found.send_if_modified(|found| {
			let first = found.is_none();
			if first {
				*found = Some(from);
			}
			first
		});
		true
	}
}

/// All rounds of a grid.
#[derive(Default)]
pub(super) struct Rounds {
	by_id: HashMap<SessionId, Round>,
	/// When peers asked within the last minute.
	asked: HashMap<NodeKey, VecDeque<Instant>>,
}

impl Rounds {
	/// Whether a peer may have another round now; counts it if so.
	pub(super) fn admit(&mut self, peer: NodeKey, now: Instant) -> bool {
		let recent = |at: &Instant| now.saturating_duration_since(*at) < MINUTE;
		if !self.asked.contains_key(&peer) && self.asked.len() >= MOST_PEERS {
			self.asked
				.retain(|_, times| times.back().is_some_and(recent));
			if self.asked.len() >= MOST_PEERS {
				return false;
			}
		}
		let room = self.has_room(Side::Answerer);
		let times = self.asked.entry(peer).or_default();
		times.retain(recent);
		if times.len() >= ROUNDS || !room {
			return false;
		}
		times.push_back(now);
		true
	}

	fn has_room(&self, side: Side) -> bool {
		let most = match side {
			Side::Asker => MOST_ASKED,
			Side::Answerer => MOST_ANSWERED,
		};
		let running = self.by_id.values().filter(|round| round.side == side);
		running.count() < most
	}

	/// Adds a round; `false` if there are too many.
	pub(super) fn insert(&mut self, round: Round) -> bool {
		let room = self.has_room(round.side);
		if room {
			self.by_id.insert(round.keys.id, round);
		}
		room
	}

	pub(super) fn get(&mut self, id: &SessionId) -> Option<&mut Round> {
		self.by_id.get_mut(id)
	}

	pub(super) fn remove(&mut self, id: &SessionId) {
		self.by_id.remove(id);
	}

	/// How the way to a peer at an address was opened, if a round opened it.
	pub(super) fn opened(&self, peer: &NodeKey, address: &SocketAddr) -> Option<PathKind> {
		let mut rounds = self.by_id.values();
		let round = rounds.find(|round| round.peer == *peer && round.heard.contains(address))?;
		Some(round.path)
	}

	#[cfg(test)]
	pub(super) fn len(&self) -> usize {
		self.by_id.len()
	}
}
