//! More than a miner can take: its process stays small, and those who keep to the rules are served.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use arion_grid::{Grid, GridConfig, Identity, Peer};
use arion_miner::{
	config::{Config, StoreSection},
	files::BasePath,
	init::init,
	size::ByteSize,
};
use bytes::{Bytes, BytesMut};
use common::{by_hand, give_map, process::Process, sized_shard, store, update, OWN};
use hippius_primitives::{coding::SHARD_LEN, ShardId, ShardMeta};
use quinn::{Connection, Endpoint, TransportConfig, VarInt};
use quinn_proto::{ConnectionHandle, DatagramEvent};
use std::{
	collections::{HashMap, HashSet},
	io,
	net::SocketAddr,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{net::UdpSocket, sync::mpsc, time::timeout};

const MIB: u64 = 1 << 20;
/// Reads of its store that the daemon has under way at a time.
const JOBS: usize = 8;
/// Nothing here takes this long.
const HANG: Duration = Duration::from_secs(120);
/// The code of a stream's reset that says "too slow".
const TOO_SLOW: VarInt = VarInt::from_u32(2);
/// The kind of an answer that says that there is none.
const FAILED: u8 = 5;

/// The daemon's limits: it runs with the defaults.
fn limits() -> GridConfig {
	GridConfig::default()
}

fn honest() -> Arc<Grid> {
	let config = GridConfig {
		// Longer than the daemon may keep anybody waiting.
		answer_timeout: HANG,
		redial_delay: Duration::ZERO,
		..GridConfig::default()
	};
	let identity = Arc::new(Identity::generate().unwrap());
	Grid::bind("127.0.0.1:0".parse().unwrap(), identity, config).unwrap()
}

/// A miner's process that holds shards, and a client that keeps to the rules.
struct Rig {
	process: Process,
	/// Holds the connection that `peer` uses.
	_grid: Arc<Grid>,
	peer: Peer,
	shards: Vec<(ShardMeta, Bytes)>,
	/// Resident memory of the process when all of them were stored and read, in bytes.
	before: u64,
	_dir: tempfile::TempDir,
}

impl Rig {
	async fn start() -> Self {
		let dir = tempfile::tempdir().unwrap();
		let base = BasePath(dir.path().join("miner"));
		let config = Config {
			store: StoreSection {
				jobs: JOBS,
				..StoreSection::single(ByteSize(64 * MIB), Some(ByteSize(16 * MIB)))
			},
			..common::config()
		};
		let key = init(&base, &config).unwrap();
		give_map(&base, &update(1, key), key);
		let process = Process::start(&base);
		let grid = honest();
		let peer = grid.peer(key, vec![process.info.listen]);
		let shards: Vec<_> = [1, 3, 5, 7]
			.map(|seed| sized_shard(seed, OWN, SHARD_LEN))
			.into();
		let mut rig = Self {
			process,
			_grid: grid,
			peer,
			shards,
			before: 0,
			_dir: dir,
		};
		for shard in &rig.shards {
			store(&rig._grid, &rig.peer, shard).await.unwrap();
		}
		for at in 0..rig.shards.len() {
			rig.read(at).await;
		}
		rig.before = rig.process.memory().0;
		rig
	}

	fn id(&self, at: usize) -> ShardId {
		self.shards[at % self.shards.len()].0.shard().unwrap()
	}

	/// Reads a shard as one should; how long it took.
	async fn read(&self, at: usize) -> Duration {
		let start = Instant::now();
		let bytes = self.peer.get(self.id(at), SHARD_LEN).await.unwrap();
		assert_eq!(bytes, self.shards[at % self.shards.len()].1);
		start.elapsed()
	}

	/// Checks by how much the process grew, at its largest.
	fn assert_grown_at_most(&self, bound: u64, what: &str) {
		let (after, peak) = self.process.memory();
		let mib = |bytes: u64| bytes as f64 / MIB as f64;
		println!(
			"{what}: resident before {:.1} MiB, peak {:.1} MiB, after {:.1} MiB; at most {:.1} MiB more are allowed",
			mib(self.before),
			mib(peak),
			mib(after),
			mib(bound),
		);
		let grown = peak.saturating_sub(self.before);
		assert!(
			grown <= bound,
			"{what}: the process grew by {:.1} MiB",
			mib(grown)
		);
	}
}

/// When a packet without an answer is sent again.
const RESEND: Duration = Duration::from_millis(100);

/// A first packet's answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
	/// The server's part of the handshake.
	Begun,
	/// The sender's address is to be proved.
	Retry,
}

/// What kind of answer a packet is, and to which client connection id.
fn answer(packet: &[u8]) -> Option<(Answer, &[u8])> {
	let [first, _, _, _, _, len, rest @ ..] = packet else {
		return None;
	};
	let kind = match first & 0xf0 {
		0xc0 => Answer::Begun,
		0xf0 => Answer::Retry,
		_ => return None,
	};
	Some((kind, rest.get(..usize::from(*len))?))
}

/// The connection id that a client's first packet wants answers to go to.
fn own_id(packet: &[u8]) -> Vec<u8> {
	let at = 6 + usize::from(packet[5]);
	packet[at + 1..at + 1 + usize::from(packet[at])].to_vec()
}

/// A handshake the attacker began.
struct Half {
	handle: ConnectionHandle,
	connection: quinn_proto::Connection,
	packet: Vec<u8>,
}

/// Begins handshakes that it never ends.
struct Attacker {
	socket: UdpSocket,
	endpoint: quinn_proto::Endpoint,
	config: quinn::ClientConfig,
	to: SocketAddr,
	/// Those without an answer.
	open: HashMap<Vec<u8>, Half>,
	/// Those whose address was proved, and that have no answer since.
	proved: HashSet<Vec<u8>>,
	begun: u64,
	retried: u64,
}

impl Attacker {
	async fn new(to: SocketAddr) -> Self {
		Self {
			socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
			endpoint: quinn_proto::Endpoint::new(Arc::default(), None, true, None),
			config: by_hand::client_config([66; 32]),
			to,
			open: HashMap::new(),
			proved: HashSet::new(),
			begun: 0,
			retried: 0,
		}
	}

	async fn knock(&mut self) {
		let now = Instant::now();
		let (handle, mut connection) = self
			.endpoint
			.connect(now, self.config.clone(), self.to, by_hand::SERVER_NAME)
			.unwrap();
		let mut packet = Vec::new();
		let sent = connection.poll_transmit(now, 1, &mut packet).unwrap();
		packet.truncate(sent.size);
		self.socket.send_to(&packet, self.to).await.unwrap();
		let half = Half {
			handle,
			connection,
			packet,
		};
		self.open.insert(own_id(&half.packet), half);
	}

	/// Takes an answer; gives what was begun if it is the first one to it.
	fn take(&mut self, packet: &[u8]) -> Option<(Answer, Half)> {
		let (answer, id) = answer(packet)?;
		if answer == Answer::Begun && self.proved.remove(id) {
			self.begun += 1;
		}
		let half = self.open.remove(id)?;
		match answer {
			Answer::Begun => self.begun += 1,
			Answer::Retry => self.retried += 1,
		}
		Some((answer, half))
	}

	/// Takes the answers that are here, so that there is room for more.
	fn drain(&mut self) {
		let mut packet = [0; 2048];
		while let Ok(len) = self.socket.try_recv(&mut packet) {
			self.take(&packet[..len]);
		}
	}

	/// Waits until every first packet has an answer.
	async fn answered(&mut self) {
		let mut packet = [0; 2048];
		let mut resend = tokio::time::interval_at((Instant::now() + RESEND).into(), RESEND);
		while !self.open.is_empty() {
			tokio::select! {
				biased;
				// As clients do: packets may be lost.
				_ = resend.tick() => {
					for half in self.open.values() {
						self.socket.send_to(&half.packet, self.to).await.unwrap();
					}
				}
				len = self.socket.recv(&mut packet) => {
					self.take(&packet[..len.unwrap()]);
				}
			}
		}
	}

	/// Proves the address to whoever asks for that, as far as answers are here.
	async fn prove(&mut self) {
		let mut packet = [0; 2048];
		loop {
			let len = match self.socket.try_recv(&mut packet) {
				Ok(len) => len,
				Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
				Err(error) => panic!("{error}"),
			};
			let Some((Answer::Retry, mut half)) = self.take(&packet[..len]) else {
				continue;
			};
			let (now, mut buf) = (Instant::now(), Vec::new());
			let data = BytesMut::from(&packet[..len]);
			let event = self
				.endpoint
				.handle(now, self.to, None, None, data, &mut buf);
			let Some(DatagramEvent::ConnectionEvent(handle, event)) = event else {
				panic!("a retry is for the connection it answers")
			};
			assert_eq!(handle, half.handle);
			half.connection.handle_event(event);
			buf.clear();
			let sent = half.connection.poll_transmit(now, 1, &mut buf).unwrap();
			self.proved.insert(own_id(&buf));
			self.socket
				.send_to(&buf[..sent.size], self.to)
				.await
				.unwrap();
		}
	}
}

/// Handshakes of the flood.
const FLOOD: u64 = 10_000;
/// How many of them are sent before the daemon must have read them.
const BATCH: u64 = 64;
/// By how much the process may grow while 64 handshakes are open: 8 MiB that the transport may keep
/// of packets it has not looked at, and 64 KiB for each handshake, more than its state takes; twice,
/// because those that time out linger while others begin.
const GROWTH: u64 = (8 + 2 * 64 / 16) * MIB;
/// The same for 512 handshakes, which is as many as there may be of proved addresses.
const GROWTH_PROVED: u64 = (8 + 2 * 512 / 16) * MIB;

/// How many handshakes may have begun after so long, with so many at a time.
fn most_begun(at_a_time: usize, elapsed: Duration) -> u64 {
	let rounds = elapsed.as_secs() / limits().handshake_timeout.as_secs() + 1;
	at_a_time as u64 * rounds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_handshakes_leave_the_process_small() {
	let rig = Rig::start().await;
	let mut attacker = Attacker::new(rig.process.info.listen).await;
	let start = Instant::now();
	let mut slowest = Duration::ZERO;
	for sent in 1..=FLOOD {
		attacker.knock().await;
		attacker.drain();
		if sent % BATCH == 0 || sent == FLOOD {
			let answered = timeout(HANG, attacker.answered());
			let (took, answered) = tokio::join!(rig.read(sent as usize), answered);
			answered.unwrap();
			slowest = slowest.max(took);
			// Few are given anything.
			let most = most_begun(limits().retry_above, start.elapsed());
			assert!(attacker.begun <= most, "{} of {sent}", attacker.begun);
		}
	}
	let elapsed = start.elapsed();
	let (begun, retried) = (attacker.begun, attacker.retried);
	println!(
		"{FLOOD} handshakes in {elapsed:?}: {begun} begun, {retried} to prove their address; \
		honest reads of 1 MiB took {slowest:?} at most"
	);
	// Every one of them was seen.
	assert_eq!(begun + retried, FLOOD);
	assert!(begun > 0);
	rig.assert_grown_at_most(GROWTH, "half-open handshakes");
	// Who can prove its address gets in, at the first attempt.
	let late = honest();
	let peer = late.peer(rig.peer.key(), vec![rig.process.info.listen]);
	assert_eq!(peer.has(vec![rig.id(0)]).await.unwrap(), [true]);
}

/// The same from somebody who does prove the address: that is worth more places, and no more than
/// there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_handshakes_from_a_proved_address_leave_the_process_small() {
	let rig = Rig::start().await;
	let mut attacker = Attacker::new(rig.process.info.listen).await;
	let start = Instant::now();
	let mut slowest = Duration::ZERO;
	for sent in 1..=FLOOD {
		attacker.knock().await;
		if sent % BATCH == 0 || sent == FLOOD {
			// When a request has its answer the daemon has read what was sent before.
			for _ in 0..2 {
				slowest = slowest.max(rig.read(sent as usize).await);
				attacker.prove().await;
			}
			// Those without an answer never get one: there are too many.
			if attacker.open.len() as u64 > 16 * BATCH {
				attacker.open.clear();
			}
		}
	}
	rig.read(0).await;
	attacker.prove().await;
	let elapsed = start.elapsed();
	let (begun, retried) = (attacker.begun, attacker.retried);
	println!(
		"{FLOOD} handshakes in {elapsed:?}: {begun} begun, {retried} proved their address; \
		honest reads of 1 MiB took {slowest:?} at most"
	);
	let most = most_begun(limits().ignore_above, elapsed);
	assert!(begun > limits().retry_above as u64 && begun <= most);
	rig.assert_grown_at_most(GROWTH_PROVED, "half-open handshakes of a proved address");
	// Once the first of them have timed out there is room again.
	let late = honest();
	let peer = late.peer(rig.peer.key(), vec![rig.process.info.listen]);
	let start = Instant::now();
	let gets_in = async {
		while peer.connect().await.is_err() {
			tokio::task::yield_now().await;
		}
	};
	timeout(HANG, gets_in).await.unwrap();
	println!("a newcomer got in after {:?}", start.elapsed());
	assert_eq!(peer.has(vec![rig.id(0)]).await.unwrap(), [true]);
}

/// What became of a stream whose client asked for a shard and did not read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
	/// The answer has begun: the shard is in the daemon's memory.
	Begun,
	/// The daemon had no memory to spare.
	Refused,
	/// Reset by the daemon.
	Cut(VarInt),
	/// Anything else.
	Lost,
}

/// Clients that ask for shards and read no more than the beginning of the answer.
struct Slow {
	_connections: Vec<(Endpoint, Connection)>,
	fates: mpsc::UnboundedReceiver<Fate>,
	begun: usize,
	refused: usize,
	cut: usize,
}

impl Slow {
	async fn start(rig: &Rig, keys: u8, connections: usize, streams: usize) -> Self {
		let (tell, fates) = mpsc::unbounded_channel();
		let mut open = Vec::new();
		for at in 0..usize::from(keys) * connections {
			let mut transport = TransportConfig::default();
			transport
				.stream_receive_window(VarInt::from_u32(1000))
				.keep_alive_interval(Some(Duration::from_secs(5)));
			let seed = [100 + (at / connections) as u8; 32];
			let ends = by_hand::connect(rig.process.info.listen, seed, transport).await;
			for stream in 0..streams {
				let (mut send, mut recv) = ends.1.open_bi().await.unwrap();
				let (request, tell) = (by_hand::get(rig.id(stream)), tell.clone());
				send.write_all(&request).await.unwrap();
				send.finish().unwrap();
				tokio::spawn(async move {
					// Length, version and kind of the answer's frame.
					let mut head = [0; 4];
					let mut fate = match recv.read_exact(&mut head).await {
						Ok(()) if head[3] == FAILED => Fate::Refused,
						Ok(()) => Fate::Begun,
						Err(_) => Fate::Lost,
					};
					if fate == Fate::Begun {
						// At the end of a test nobody wants to know, here and below.
						let _ = tell.send(fate);
						fate = match recv.received_reset().await {
							Ok(Some(code)) => Fate::Cut(code),
							Ok(None) | Err(_) => Fate::Lost,
						};
					}
					let _ = tell.send(fate);
				});
			}
			open.push(ends);
		}
		Self {
			_connections: open,
			fates,
			begun: 0,
			refused: 0,
			cut: 0,
		}
	}

	async fn until(&mut self, wanted: impl Fn(&Self) -> bool) {
		while !wanted(self) {
			let fate = timeout(HANG, self.fates.recv()).await.unwrap().unwrap();
			match fate {
				Fate::Begun => self.begun += 1,
				Fate::Refused => self.refused += 1,
				Fate::Cut(code) => {
					assert_eq!(code, TOO_SLOW);
					self.cut += 1;
				}
				Fate::Lost => panic!("a stream ended in another way"),
			}
		}
	}
}

/// By how much the process may grow besides the shards of the requests it serves: the shards its
/// [`JOBS`] are reading, some dozen connections with hundreds of streams, and what the allocator does
/// not give back when shards come and go on different threads.
const BESIDES: u64 = 64 * MIB;
/// The daemon's budget for shards of requests that are served.
const BUDGET: u64 = 128 * MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_few_keys_hold_their_share_and_no_more() {
	const KEYS: u8 = 3;
	let rig = Rig::start().await;
	let per_key = limits().max_requests_per_peer;
	let most = per_key * usize::from(KEYS);
	// Room is left for others.
	assert_eq!(most, 96);
	assert!(most * SHARD_LEN < limits().body_memory && most < limits().max_requests);
	let connections = limits().max_connections_per_peer;
	let streams = limits().max_streams as usize;
	let start = Instant::now();
	let mut slow = Slow::start(&rig, KEYS, connections, streams).await;
	// As many as a key may have: the shards are in memory, and stay there.
	slow.until(|slow| slow.begun >= most).await;
	let full = start.elapsed();
	let mut slowest = Duration::ZERO;
	for at in 0..16 {
		slowest = slowest.max(rig.read(at).await);
	}
	// The deadline is the daemon's.
	slow.until(|slow| slow.cut >= most).await;
	println!(
		"{} streams that are not read: {most} shards in memory after {full:?}, their streams cut \
		after {:?}; honest reads meanwhile took {slowest:?} at most",
		usize::from(KEYS) * connections * streams,
		start.elapsed()
	);
	assert_eq!(slow.refused, 0);
	rig.read(0).await;
	rig.assert_grown_at_most(96 * MIB + BESIDES, "slow readers of few keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_many_keys_hold_the_memory_budget_and_no_more_and_are_cut() {
	const KEYS: u8 = 10;
	let rig = Rig::start().await;
	let streams = limits().max_requests_per_peer;
	let all = streams * usize::from(KEYS);
	let fit = limits().body_memory / SHARD_LEN;
	assert!(all > limits().max_requests && all > 2 * fit);
	let start = Instant::now();
	let mut slow = Slow::start(&rig, KEYS, 1, streams).await;
	slow.until(|slow| slow.begun >= fit).await;
	// Now the budget is used up: an honest reader waits until slow ones are cut, and then gets its
	// shard.
	let (waited, ()) = tokio::join!(rig.read(0), slow.until(|slow| slow.cut >= fit));
	slow.until(|slow| slow.cut + slow.refused == all).await;
	println!(
		"{all} streams that are not read: {} cut, {} refused, the last after {:?}; an honest read \
		took {waited:?}",
		slow.cut,
		slow.refused,
		start.elapsed()
	);
	rig.read(0).await;
	rig.assert_grown_at_most(BUDGET + BESIDES, "slow readers of many keys");
}
