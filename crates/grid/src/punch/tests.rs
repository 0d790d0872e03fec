//! Rounds between NATs of every kind, and with peers that mean harm; in paused time.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{tests::support::identity, wire};
use quinn::UdpPoller;
use std::{
	collections::{HashMap, HashSet},
	io,
	net::IpAddr,
	pin::Pin,
	sync::{OnceLock, Weak},
	task::{Context, Poll},
};
use tokio::time::{advance, timeout};

/// A machine, and the NAT before it.
struct Home {
	kind: NatKind,
	private: SocketAddr,
	public: IpAddr,
	nat: Mutex<Table>,
	puncher: OnceLock<Weak<Puncher>>,
	/// Packets that left, and where they went.
	sent: Mutex<Vec<(SocketAddr, Vec<u8>)>>,
}

#[derive(Default)]
struct Table {
	/// Port for each destination of a hard NAT.
	ports: HashMap<SocketAddr, u16>,
	/// What may come in: our port, and from where.
	open: HashSet<(u16, SocketAddr)>,
}

impl Home {
	/// The address a packet to `to` leaves with; answers to it come in.
	fn outbound(&self, to: SocketAddr) -> SocketAddr {
		let mut nat = self.nat.lock().unwrap();
		let next = 50_000 + nat.ports.len() as u16;
		let port = match self.kind {
			NatKind::Hard => *nat.ports.entry(to).or_insert(next),
			_ => self.private.port(),
		};
		nat.open.insert((port, to));
		SocketAddr::new(self.public, port)
	}

	fn lets_in(&self, port: u16, from: SocketAddr) -> bool {
		self.kind == NatKind::None || self.nat.lock().unwrap().open.contains(&(port, from))
	}
}

/// Two homes and the network between.
struct World {
	homes: [Home; 2],
}

#[derive(Clone)]
struct Port {
	world: Arc<World>,
	home: usize,
}

impl std::fmt::Debug for Port {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Port")
	}
}

impl AsyncUdpSocket for Port {
	fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
		unreachable!()
	}

	fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
		let (to, packet) = (transmit.destination, transmit.contents);
		let home = &self.world.homes[self.home];
		home.sent.lock().unwrap().push((to, packet.to_vec()));
		let from = home.outbound(to);
		for other in &self.world.homes {
			if other.public == to.ip() && other.lets_in(to.port(), from) {
				if let Some(puncher) = other.puncher.get().and_then(Weak::upgrade) {
					arrive(&puncher, from, packet);
				}
			}
		}
		Ok(())
	}

	fn poll_recv(
		&self,
		_: &mut Context<'_>,
		_: &mut [IoSliceMut<'_>],
		_: &mut [RecvMeta],
	) -> Poll<io::Result<usize>> {
		Poll::Pending
	}

	fn local_addr(&self) -> io::Result<SocketAddr> {
		Ok(self.world.homes[self.home].private)
	}
}

/// A packet comes in, together with one of QUIC's.
fn arrive(puncher: &Puncher, from: SocketAddr, packet: &[u8]) {
	let mut quic = vec![0x55; packet.len()];
	quic.extend(packet);
	let mut meta = [RecvMeta::default()];
	meta[0].addr = from;
	(meta[0].len, meta[0].stride) = (quic.len(), packet.len());
	puncher.look(&[IoSliceMut::new(&mut quic)], &meta);
}

/// A node behind a NAT.
struct Node {
	puncher: Arc<Puncher>,
	_nat: watch::Sender<Nat>,
	closing: watch::Sender<bool>,
}

struct Two {
	world: Arc<World>,
	asker: Node,
	answerer: Node,
}

impl Two {
	fn new(asker: NatKind, answerer: NatKind) -> Self {
		let home = |kind, number: u8| Home {
			kind,
			private: SocketAddr::from(([10, number, 0, 2], 4000)),
			public: IpAddr::from([203, 0, 113, number]),
			nat: Mutex::default(),
			puncher: OnceLock::new(),
			sent: Mutex::default(),
		};
		let world = Arc::new(World {
			homes: [home(asker, 1), home(answerer, 2)],
		});
		let node = |at: usize| {
			let home = &world.homes[at];
			let seen = SocketAddr::new(home.public, home.private.port());
			let (nat, seen) = watch::channel(Nat {
				kind: home.kind,
				address: (home.kind != NatKind::Hard).then_some(seen),
			});
			let (closing, watched) = watch::channel(false);
			let udp = Arc::new(Port {
				world: world.clone(),
				home: at,
			});
			let puncher = Puncher::new(udp, home.private, false, seen, watched);
			home.puncher.set(Arc::downgrade(&puncher)).unwrap();
			Node {
				puncher,
				_nat: nat,
				closing,
			}
		};
		let (asker, answerer) = (node(0), node(1));
		Self {
			world,
			asker,
			answerer,
		}
	}

	/// A round as it runs between real nodes; where the asker would dial.
	async fn round(&self) -> Option<SocketAddr> {
		let own = self.asker.puncher.own().unwrap();
		let theirs = self.ask(&own).unwrap();
		if is_hopeless(&own, &theirs, &self.asker.puncher.targets(&theirs)) {
			return None;
		}
		let mut found = self.begin(&own, &theirs);
		let found = async { *found.wait_for(Option::is_some).await.unwrap() };
		timeout(PATIENCE, found).await.ok().flatten()
	}

	fn ask(&self, own: &Punch) -> Result<Punch, Refusal> {
		let peer = identity().node_key();
		self.answerer.puncher.answer(peer, &relayed(), own)
	}

	fn begin(&self, own: &Punch, theirs: &Punch) -> watch::Receiver<Option<SocketAddr>> {
		let keys = probe::Keys::new(&own.nonce, &theirs.nonce);
		let peer = identity().node_key();
		let kind = path(NatKind::from_code(own.nat), NatKind::from_code(theirs.nat));
		let targets = self.asker.puncher.targets(theirs);
		let round = Round::new(keys, Side::Asker, peer, kind, targets);
		self.asker.puncher.begin(round, Instant::now())
	}

	fn sent(&self, home: usize) -> Vec<(SocketAddr, Vec<u8>)> {
		self.world.homes[home].sent.lock().unwrap().clone()
	}
}

/// The address of a node behind a relay.
fn relayed() -> SocketAddr {
	"240.1.2.3:4".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn ways_are_found_wherever_there_are_any() {
	use NatKind::{Easy, Hard, None as Public};
	for (asker, answerer, port, kind) in [
		(Public, Public, 4000, PathKind::Punched),
		(Easy, Easy, 4000, PathKind::Punched),
		(Easy, Public, 4000, PathKind::Punched),
		(Hard, Public, 4000, PathKind::Punched),
		(Public, Easy, 4000, PathKind::Reversed),
		// Where to dial, only the other's probe can tell.
		(Public, Hard, 50_000, PathKind::Reversed),
	] {
		let two = Two::new(asker, answerer);
		let found = two.round().await;
		let expected = SocketAddr::from(([203, 0, 113, 2], port));
		assert_eq!(found, Some(expected), "{asker} to {answerer}");
		assert_eq!(path(asker, answerer), kind);
	}
}

#[tokio::test(start_paused = true)]
async fn where_there_is_none_the_round_ends() {
	use NatKind::{Easy, Hard};
	for (asker, answerer) in [(Easy, Hard), (Hard, Easy), (Hard, Hard)] {
		let two = Two::new(asker, answerer);
		assert_eq!(two.round().await, None, "{asker} to {answerer}");
		let most = if asker == answerer { 0 } else { TICKS.len() };
		for home in 0..2 {
			assert!(two.sent(home).len() <= most, "{:?}", two.sent(home));
		}
	}
}

/// Behind one and the same hard NAT, the way over the network at home is tried.
#[test]
fn hard_nats_are_hopeless_unless_a_network_is_shared() {
	let punch = |nat: NatKind, candidates: &[&str]| Punch {
		nonce: [0; 32],
		nat: nat.code(),
		candidates: candidates
			.iter()
			.map(|at| at.parse::<SocketAddr>().unwrap().into())
			.collect(),
	};
	let hard = punch(NatKind::Hard, &["10.1.0.2:4000"]);
	let unknown = punch(NatKind::Unknown, &[]);
	let at_home = ["10.1.0.9:4000".parse().unwrap()];
	assert!(is_hopeless(&hard, &hard, &[]));
	assert!(!is_hopeless(&hard, &hard, &at_home));
	assert!(!is_hopeless(&hard, &unknown, &[]));
	assert!(is_hopeless(&unknown, &unknown, &[]));
}

#[tokio::test(start_paused = true)]
async fn rounds_are_forgotten_and_closing_ends_them() {
	let two = Two::new(NatKind::Easy, NatKind::Easy);
	two.round().await.unwrap();
	assert_eq!(two.answerer.puncher.lock().len(), 1);
	two.answerer.closing.send_replace(true);
	tokio::task::yield_now().await;
	assert_eq!(two.answerer.puncher.lock().len(), 0);
	advance(REMEMBERED).await;
	tokio::task::yield_now().await;
	assert_eq!(two.asker.puncher.lock().len(), 0);
	assert_eq!(two.asker.puncher.running.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn probes_are_sent_at_their_times_and_no_more() {
	let two = Two::new(NatKind::Easy, NatKind::Easy);
	let mut own = two.asker.puncher.own().unwrap();
	// Nobody is there.
	let victim: SocketAddr = "198.51.100.9:5000".parse().unwrap();
	own.candidates = vec![victim.into()];
	two.ask(&own).unwrap();
	let start = Instant::now();
	for (at, expected) in [
		(1, 1),
		(49, 1),
		(51, 2),
		(151, 3),
		(351, 4),
		(801, 5),
		(1601, 6),
		(60_000, 6),
	] {
		tokio::time::sleep_until(start + Duration::from_millis(at)).await;
		assert_eq!(two.sent(1).len(), expected, "after {at} ms");
	}
	assert!(two.sent(1).iter().all(|(to, _)| *to == victim));
}

/// A peer that names others as itself, as often as it likes, makes a node send little.
#[tokio::test(start_paused = true)]
async fn a_peer_cannot_have_others_flooded() {
	let two = Two::new(NatKind::Easy, NatKind::Easy);
	let peer = identity().node_key();
	let mut own = two.asker.puncher.own().unwrap();
	own.candidates = (0..wire::MAX_CANDIDATES as u16)
		.map(|n| NodeAddress::from(SocketAddr::from(([198, 51, 100, 9], 5000 + n))))
		.collect();
	let mut refused = 0;
	for _ in 0..100 {
		let answer = two.answerer.puncher.answer(peer, &relayed(), &own);
		refused += usize::from(answer == Err(Refusal::Often));
	}
	assert_eq!(refused, 100 - ROUNDS);
	advance(Duration::from_secs(30)).await;
	tokio::time::sleep(Duration::from_secs(20)).await;
	let sent = two.sent(1);
	assert!(sent.len() <= ROUNDS * TICKS.len() * candidates::MOST);
	assert!(sent.iter().all(|(_, packet)| packet.len() <= 32));
	assert_eq!(
		two.answerer.puncher.counts.stats().limited as usize,
		refused
	);
	// A minute later it may again; through no relay it may not at all.
	tokio::time::sleep(Duration::from_secs(20)).await;
	assert!(two.answerer.puncher.answer(peer, &relayed(), &own).is_ok());
	let direct = "198.51.100.1:4000".parse().unwrap();
	let refusal = two.answerer.puncher.answer(peer, &direct, &own);
	assert_eq!(refusal, Err(Refusal::Direct));
}

#[tokio::test(start_paused = true)]
async fn forged_late_and_repeated_probes_are_not_answered() {
	let two = Two::new(NatKind::None, NatKind::None);
	let own = two.asker.puncher.own().unwrap();
	let theirs = two.ask(&own).unwrap();
	let keys = probe::Keys::new(&own.nonce, &theirs.nonce);
	let puncher = &two.answerer.puncher;
	tokio::task::yield_now().await;
	let before = two.sent(1).len();
	let from: SocketAddr = "198.51.100.7:7000".parse().unwrap();
	let bad = |expected: u64| assert_eq!(puncher.counts.stats().probes_bad, expected);

	let mut forged = keys.seal(Side::Asker, Kind::Probe, 3);
	forged[20] ^= 1;
	arrive(puncher, from, &forged);
	bad(1);
	// Its own, sent back.
	arrive(puncher, from, &keys.seal(Side::Answerer, Kind::Probe, 0));
	bad(2);
	let others = probe::Keys::new(&[1; 32], &[2; 32]);
	arrive(puncher, from, &others.seal(Side::Asker, Kind::Probe, 0));
	bad(3);
	// An answer to what was never asked, and to what went elsewhere.
	arrive(puncher, from, &keys.seal(Side::Asker, Kind::Reply, 99));
	arrive(puncher, from, &keys.seal(Side::Asker, Kind::Reply, 0));
	bad(5);
	assert_eq!(two.sent(1).len(), before);

	// A good one is answered, and since it is from somewhere new, probed; once.
	let good = keys.seal(Side::Asker, Kind::Probe, 5);
	arrive(puncher, from, &good);
	assert_eq!(two.sent(1).len(), before + 2);
	arrive(puncher, from, &good);
	arrive(puncher, "198.51.100.66:53".parse().unwrap(), &good);
	bad(7);
	assert_eq!(two.sent(1).len(), before + 2);
	// Numbers beyond those that a round has.
	arrive(puncher, from, &keys.seal(Side::Asker, Kind::Probe, 128));
	arrive(
		puncher,
		from,
		&keys.seal(Side::Asker, Kind::Probe, u16::MAX),
	);
	bad(9);
	// From many places: only so many.
	for n in 0..100u16 {
		let from = SocketAddr::from(([198, 51, 100, 8], 2000 + n));
		arrive(puncher, from, &keys.seal(Side::Asker, Kind::Probe, 6 + n));
	}
	bad(9 + 100 - 7);
	// After the round nothing is known of it.
	tokio::time::sleep(REMEMBERED + Duration::from_secs(1)).await;
	let sent = two.sent(1).len();
	arrive(puncher, from, &keys.seal(Side::Asker, Kind::Probe, 127));
	assert_eq!(two.sent(1).len(), sent);
}

#[tokio::test(start_paused = true)]
async fn rounds_are_bounded() {
	let two = Two::new(NatKind::Easy, NatKind::Easy);
	let own = two.asker.puncher.own().unwrap();
	let mut taken = 0;
	for n in 0..2000u32 {
		let mut peer = [0; 32];
		peer[..4].copy_from_slice(&n.to_le_bytes());
		let answer = two.answerer.puncher.answer(NodeKey(peer), &relayed(), &own);
		taken += usize::from(answer.is_ok());
	}
	assert_eq!(taken, rounds::MOST_ANSWERED);
	assert_eq!(two.answerer.puncher.lock().len(), taken);
	// Its own attempts are counted apart, and end sooner.
	let theirs = two.asker.puncher.own().unwrap();
	let keys = probe::Keys::new(&own.nonce, &theirs.nonce);
	let key = identity().node_key();
	let round = Round::new(keys, Side::Asker, key, PathKind::Punched, vec![]);
	let mut found = two.answerer.puncher.begin(round, Instant::now());
	assert_eq!(two.answerer.puncher.lock().len(), taken + 1);
	assert!(found.wait_for(Option::is_some).await.is_err());
	assert_eq!(two.answerer.puncher.lock().len(), taken);
}

/// The answerer knows from whom and where it was found, and nobody else passes for that.
#[tokio::test(start_paused = true)]
async fn the_answerer_knows_which_connections_were_opened() {
	let two = Two::new(NatKind::None, NatKind::Easy);
	let peer = identity().node_key();
	let own = two.asker.puncher.own().unwrap();
	let theirs = two.answerer.puncher.answer(peer, &relayed(), &own).unwrap();
	let mut found = two.begin(&own, &theirs);
	found.wait_for(Option::is_some).await.unwrap();
	let address: SocketAddr = "203.0.113.1:4000".parse().unwrap();
	let puncher = &two.answerer.puncher;
	assert_eq!(puncher.path_of(&peer, &address), PathKind::Reversed);
	let stranger = identity().node_key();
	assert_eq!(puncher.path_of(&stranger, &address), PathKind::Direct);
	assert_eq!(puncher.path_of(&peer, &relayed()), PathKind::Relayed);
}
