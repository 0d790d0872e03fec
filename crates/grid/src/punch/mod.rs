//! Ways between nodes that are behind NAT.
//!
//! Two nodes that talk through a relay try to do without it. One of them, the asker, sends
//! `Punch` over the relayed connection: a nonce, its NAT's kind, and the UDP addresses it may be
//! seen at. The other, the answerer, says the same of itself, and both send a few small packets
//! ([`probe`]) to each other's addresses, from the socket that QUIC uses. A packet that leaves opens
//! the sender's NAT for those that come from where it went. A probe that arrives is answered; an
//! answer tells the asker that the way is open in both directions, and it dials a second, direct
//! connection there ([`upgrade`]), to the same key as ever.
//!
//! The asker always dials, so that which connection is whose is the same as without NAT. If it has a
//! public address and the other a NAT that gives every destination its own port, it cannot know
//! where to dial, but the other's probe shows it: the connection is reversed in that the hidden node
//! makes the way.
//!
//! A node can be made to send at most [`TICKS`] probes of 30 bytes to each of at most
//! [`candidates::MOST`] addresses, [`ROUNDS`] times a minute for each peer that may talk to it at
//! all; answers go only to where a probe with the round's key came from.

pub(crate) mod candidates;
pub(crate) mod probe;
mod rounds;
pub(crate) mod stats;
pub(crate) mod upgrade;

#[cfg(test)]
mod tests;

pub use stats::PunchStats;

use crate::{
	observe::{Nat, NatKind},
	path::PathKind,
	wire::{Punch, Status},
};
use candidates::plain;
use hippius_primitives::{NodeAddress, NodeKey};
use probe::{Kind, Side};
use quinn::{udp::RecvMeta, udp::Transmit, AsyncUdpSocket};
use rounds::{Round, Rounds};
use stats::Counts;
use std::{
	io::IoSliceMut,
	net::SocketAddr,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::Duration,
};
use tokio::{
	sync::watch,
	time::{sleep_until, Instant},
};

/// When probes are sent, after the round's begin.
const TICKS: [Duration; 6] = [
	Duration::ZERO,
	Duration::from_millis(50),
	Duration::from_millis(150),
	Duration::from_millis(350),
	Duration::from_millis(800),
	Duration::from_millis(1600),
];
/// How long answers are waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the answerer remembers a round, so that its last packets and the handshake find it.
const REMEMBERED: Duration = Duration::from_secs(15);
/// Rounds answered per peer and minute.
pub(crate) const ROUNDS: usize = 6;

/// Sends and receives probes for all rounds of a grid.
pub(crate) struct Puncher {
	udp: Arc<dyn AsyncUdpSocket>,
	bound: SocketAddr,
	loopback: bool,
	nat: watch::Receiver<Nat>,
	closing: watch::Receiver<bool>,
	rounds: Mutex<Rounds>,
	/// Rounds that run; while there are none, what comes is not looked at.
	running: AtomicUsize,
	pub(crate) counts: Counts,
}

impl std::fmt::Debug for Puncher {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Puncher").finish_non_exhaustive()
	}
}

/// Why a peer's wish is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
	#[error("only through a relay is there a way to be opened")]
	Direct,
	#[error("too many attempts to open a way; try again in a minute")]
	Often,
	#[error("the system gives no random bytes")]
	Random,
}

impl Refusal {
	pub(crate) fn status(self) -> Status {
		match self {
			Self::Direct => Status::BadRequest,
			Self::Often => Status::Busy,
			Self::Random => Status::Internal,
		}
	}
}

/// A packet and where it goes.
type Packet = (SocketAddr, [u8; probe::LEN]);

impl Puncher {
	pub(crate) fn new(
		udp: Arc<dyn AsyncUdpSocket>,
		bound: SocketAddr,
		loopback: bool,
		nat: watch::Receiver<Nat>,
		closing: watch::Receiver<bool>,
	) -> Arc<Self> {
		Arc::new(Self {
			udp,
			bound,
			loopback,
			nat,
			closing,
			rounds: Mutex::default(),
			running: AtomicUsize::new(0),
			counts: Counts::default(),
		})
	}

	fn lock(&self) -> MutexGuard<'_, Rounds> {
		// Nothing that runs under this lock leaves its contents half changed.
		self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// What this node says of itself, with a fresh nonce; `None` without randomness.
	pub(crate) fn own(&self) -> Option<Punch> {
		let mut nonce = [0; 32];
		getrandom::fill(&mut nonce).ok()?;
		let nat = *self.nat.borrow();
		let mut addresses: Vec<SocketAddr> = nat.address.into_iter().map(plain).collect();
		for address in candidates::own(self.bound) {
			let useful = self.loopback || !address.ip().is_loopback();
			if useful && !addresses.contains(&address) {
				addresses.push(address);
			}
		}
		addresses.truncate(candidates::MOST);
		Some(Punch {
			nonce,
			nat: nat.kind.code(),
			candidates: addresses.into_iter().map(NodeAddress::from).collect(),
		})
	}

	/// Those of a peer's addresses that are probed.
	pub(crate) fn targets(&self, theirs: &Punch) -> Vec<SocketAddr> {
		let claimed = theirs.candidates.iter().filter_map(NodeAddress::socket);
		let local = candidates::own(self.bound);
		candidates::sane(claimed, &local, self.bound.is_ipv6(), self.loopback)
	}

	/// Answers a peer that comes from `address`: what this node says of itself. Probes are on their
	/// way then.
	pub(crate) fn answer(
		self: &Arc<Self>,
		peer: NodeKey,
		address: &SocketAddr,
		theirs: &Punch,
	) -> Result<Punch, Refusal> {
		if PathKind::of(address) != PathKind::Relayed {
			return Err(Refusal::Direct);
		}
		let now = Instant::now();
		if !self.lock().admit(peer, now) {
			self.counts.limited();
			return Err(Refusal::Often);
		}
		let own = self.own().ok_or(Refusal::Random)?;
		self.counts.answered();
		let targets = self.targets(theirs);
		if is_hopeless(&own, theirs, &targets) {
			return Ok(own);
		}
		let asker = NatKind::from_code(theirs.nat);
		let round = Round::new(
			probe::Keys::new(&theirs.nonce, &own.nonce),
			Side::Answerer,
			peer,
			path(asker, NatKind::from_code(own.nat)),
			targets,
		);
		// Its outcome is of interest to the other side only.
		drop(self.begin(round, now));
		Ok(own)
	}

	/// Begins a round; the receiver hears where an answer came from.
	pub(crate) fn begin(
		self: &Arc<Self>,
		round: Round,
		now: Instant,
	) -> watch::Receiver<Option<SocketAddr>> {
		let found = round.found.subscribe();
		let (id, side) = (round.keys.id, round.side);
		if !self.lock().insert(round) {
			// Too many at a time: this one is silent.
			return found;
		}
		self.running.fetch_add(1, Ordering::Relaxed);
		let this = self.clone();
		tokio::spawn(async move {
			let mut closing = this.closing.clone();
			tokio::select! {
				biased;
				// An error means that the grid is gone.
				_ = closing.wait_for(|closing| *closing) => {}
				() = this.run(id, side, now) => {}
			}
			this.lock().remove(&id);
			this.running.fetch_sub(1, Ordering::Relaxed);
		});
		found
	}

	/// Sends a round's probes, and keeps it until it is to be forgotten.
	async fn run(&self, id: probe::SessionId, side: Side, began: Instant) {
		for tick in TICKS {
			sleep_until(began + tick).await;
			let packets = match self.lock().get(&id) {
				Some(round) => round.probes(),
				None => return,
			};
			for packet in packets {
				self.send(packet);
			}
		}
		let remembered = match side {
			Side::Asker => PATIENCE,
			Side::Answerer => REMEMBERED,
		};
		sleep_until(began + remembered).await;
	}

	fn send(&self, (to, packet): Packet) {
		let to = match (self.bound, to) {
			(SocketAddr::V6(_), SocketAddr::V4(to)) => {
				SocketAddr::new(to.ip().to_ipv6_mapped().into(), to.port())
			}
			_ => to,
		};
		let transmit = Transmit {
			destination: to,
			ecn: None,
			contents: &packet,
			segment_size: None,
			src_ip: None,
		};
		// A socket that takes no more just now loses a probe, as a network might.
		match self.udp.try_send(&transmit) {
			Ok(()) => self.counts.sent(),
			Err(error) => tracing::debug!(%to, %error, "a probe was not sent"),
		}
	}

	/// Looks for probes in what has come; QUIC passes them over.
	pub(crate) fn look(&self, buffers: &[IoSliceMut<'_>], meta: &[RecvMeta]) {
		if self.running.load(Ordering::Relaxed) == 0 {
			return;
		}
		for (buffer, meta) in buffers.iter().zip(meta) {
			let all = buffer.get(..meta.len).unwrap_or_default();
			for packet in all.chunks(meta.stride.max(1)) {
				if probe::session(packet).is_some() {
					self.take(plain(meta.addr), packet);
				}
			}
		}
	}

	/// Takes a packet that looks like a probe.
	fn take(&self, from: SocketAddr, packet: &[u8]) {
		let Some(id) = probe::session(packet) else {
			return;
		};
		let answers = {
			let mut rounds = self.lock();
			rounds.get(&id).and_then(|round| {
				let (kind, number) = round.keys.open(round.side.other(), packet)?;
				match kind {
					Kind::Probe => {
						let (reply, extra) = round.heard(from, number)?;
						Some((Some(reply), extra))
					}
					Kind::Reply => round.replied(from, number).then_some((None, None)),
				}
			})
		};
		let Some((reply, extra)) = answers else {
			return self.counts.bad();
		};
		self.counts.received();
		for packet in reply.into_iter().chain(extra) {
			self.send(packet);
		}
	}

	/// How a connection that comes from there came to be.
	pub(crate) fn path_of(&self, peer: &NodeKey, address: &SocketAddr) -> PathKind {
		let plainly = PathKind::of(address);
		if plainly == PathKind::Relayed || self.running.load(Ordering::Relaxed) == 0 {
			return plainly;
		}
		let opened = self.lock().opened(peer, &plain(*address));
		opened.unwrap_or(plainly)
	}
}

/// What a way between these two is called.
pub(crate) fn path(asker: NatKind, answerer: NatKind) -> PathKind {
	match (asker, answerer) {
		(NatKind::None, NatKind::Easy | NatKind::Hard) => PathKind::Reversed,
		_ => PathKind::Punched,
	}
}

/// Whether nothing that either side could send would find the other: neither side knows an address
/// of itself, or both NATs give every destination a port of its own, and there is nowhere to probe
/// (`targets`) on a network that the two share.
pub(crate) fn is_hopeless(a: &Punch, b: &Punch, targets: &[SocketAddr]) -> bool {
	let hard = NatKind::Hard.code();
	let both_hard = a.nat == hard && b.nat == hard;
	(both_hard && targets.is_empty()) || (a.candidates.is_empty() && b.candidates.is_empty())
}
