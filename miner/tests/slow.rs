//! Clients that take much and give nothing: what they cost the process is bounded, and those who keep to
//! the rules are served.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::{
	by_hand,
	rig::{limits, Rig, HANG, MIB},
};
use hippius_primitives::coding::SHARD_LEN;
use quinn::{AsyncUdpSocket, Connection, Endpoint, Runtime, TransportConfig, VarInt};
use std::{
	io::{self, IoSliceMut},
	net::SocketAddr,
	pin::Pin,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	task::{ready, Context, Poll},
	time::{Duration, Instant},
};
use tokio::{sync::mpsc, time::timeout};

/// The code of a stream's reset that says "too slow".
const TOO_SLOW: VarInt = VarInt::from_u32(2);
/// The kind of an answer that says that there is none.
const FAILED: u8 = 5;

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
	connections: Vec<(Endpoint, Connection)>,
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
			connections: open,
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
const BESIDES: u64 = 96 * MIB;
/// The daemon's budget for shards of requests that are served.
const BUDGET: u64 = 128 * MIB;

/// Keys that are few.
const FEW: u8 = 3;
/// Shards that they hold when none of them gets more, which is when each has a quarter of what is free:
/// at least so many, and at most so many bytes.
const FEW_HOLD: usize = 54;
const FEW_MOST: u64 = BUDGET / 2;
/// Honest reads beside slow ones.
const READS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_few_keys_hold_their_share_and_no_more() {
	let rig = Rig::start().await;
	let connections = limits().max_connections_per_peer;
	let streams = limits().max_streams as usize;
	let start = Instant::now();
	let mut slow = Slow::start(&rig, FEW, connections, streams).await;
	// The shards are in memory, and stay there.
	slow.until(|slow| slow.begun >= FEW_HOLD).await;
	let full = start.elapsed();
	let mut slowest = Duration::ZERO;
	for at in 0..READS {
		slowest = slowest.max(rig.read(at).await);
	}
	// It did not need one of them to be cut.
	assert!(slowest < limits().progress_timeout);
	// The deadline is the daemon's.
	slow.until(|slow| slow.cut >= FEW_HOLD).await;
	println!(
		"{} streams that are not read: {FEW_HOLD} shards in memory after {full:?}, their streams cut \
		after {:?}; honest reads meanwhile took {slowest:?} at most",
		usize::from(FEW) * connections * streams,
		start.elapsed()
	);
	rig.read(0).await;
	rig.assert_grown_at_most(FEW_MOST + BESIDES, "slow readers of few keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_many_keys_leave_room_for_others_and_are_cut() {
	const KEYS: u8 = 10;
	/// What ten keys hold at least when none of them gets more.
	const FULL: usize = 80;
	let rig = Rig::start().await;
	let streams = limits().max_requests_per_peer;
	let all = streams * usize::from(KEYS);
	let fit = limits().body_memory / SHARD_LEN;
	assert!(all > limits().max_requests && all > 2 * fit);
	let start = Instant::now();
	let mut slow = Slow::start(&rig, KEYS, 1, streams).await;
	slow.until(|slow| slow.begun >= FULL).await;
	let mut slowest = Duration::ZERO;
	for at in 0..READS {
		slowest = slowest.max(rig.read(at).await);
	}
	assert!(slowest < limits().progress_timeout);
	slow.until(|slow| slow.cut + slow.refused == all).await;
	println!(
		"{all} streams that are not read: {} cut, {} refused, the last after {:?}; honest reads took \
		{slowest:?} at most",
		slow.cut,
		slow.refused,
		start.elapsed()
	);
	rig.read(0).await;
	rig.assert_grown_at_most(BUDGET + BESIDES, "slow readers of many keys");
}

/// Who fills its share of requests and then sends more, which nobody reads: it gets no further than the
/// window of its connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_reads_is_bounded_by_the_windows() {
	/// Reads in a row in which nothing more was sent.
	const QUIET: usize = 16;
	let rig = Rig::start().await;
	let each = limits().max_connections_per_peer;
	let streams = limits().max_requests_per_peer;
	let mut slow = Slow::start(&rig, FEW, each, streams).await;
	slow.until(|slow| slow.begun >= FEW_HOLD).await;
	let sent = || -> u64 {
		let connections = slow.connections.iter();
		connections.map(|(_, c)| c.stats().udp_tx.bytes).sum()
	};
	let before = sent();
	let junk = Bytes::from(vec![7; SHARD_LEN]);
	let mut writing = tokio::task::JoinSet::new();
	for (_, connection) in &slow.connections {
		for _ in 0..7 {
			let (mut send, recv) = connection.open_bi().await.unwrap();
			let junk = junk.clone();
			// Ends when the window is full, and then not before the streams are cut.
			writing.spawn(async move { (send.write_chunk(junk).await, send, recv) });
		}
	}
	let (mut last, mut quiet) = (before, 0);
	while quiet < QUIET {
		rig.read(quiet).await;
		let now = sent();
		quiet = if now == last { quiet + 1 } else { 0 };
		last = now;
	}
	let connections = slow.connections.len() as u64;
	let (sent, window) = (last - before, u64::from(limits().request_window));
	println!(
		"{connections} connections sent {:.1} MiB of {} that nobody reads",
		sent as f64 / MIB as f64,
		connections * 7
	);
	// With the packets' own bytes and some sent twice.
	assert!(sent >= connections * window / 2 && sent <= connections * window * 3 / 2);
	rig.assert_grown_at_most(
		FEW_MOST + connections * window + BESIDES,
		"what nobody reads",
	);
}

/// A socket that from some moment on hears nothing.
#[derive(Debug)]
struct Deaf {
	socket: Arc<dyn AsyncUdpSocket>,
	deaf: AtomicBool,
}

impl AsyncUdpSocket for Deaf {
	fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
		self.socket.clone().create_io_poller()
	}

	fn try_send(&self, transmit: &quinn::udp::Transmit<'_>) -> io::Result<()> {
		self.socket.try_send(transmit)
	}

	fn poll_recv(
		&self,
		cx: &mut Context<'_>,
		bufs: &mut [IoSliceMut<'_>],
		meta: &mut [quinn::udp::RecvMeta],
	) -> Poll<io::Result<usize>> {
		loop {
			let got = ready!(self.socket.poll_recv(cx, bufs, meta));
			if !self.deaf.load(Ordering::SeqCst) {
				return Poll::Ready(got);
			}
		}
	}

	fn local_addr(&self) -> io::Result<SocketAddr> {
		self.socket.local_addr()
	}

	fn may_fragment(&self) -> bool {
		self.socket.may_fragment()
	}
}

/// Clients that acknowledge nothing: what was sent to them stays in memory, and counts there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_were_sent_count_until_they_have_arrived() {
	const CLIENTS: u8 = 64;
	const EACH: usize = 5;
	let rig = Rig::start().await;
	let mut all = Vec::new();
	for at in 0..CLIENTS {
		let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
		let runtime = Arc::new(quinn::TokioRuntime);
		let deaf = Arc::new(Deaf {
			socket: runtime.wrap_udp_socket(socket).unwrap(),
			deaf: AtomicBool::new(false),
		});
		let config = quinn::EndpointConfig::default();
		let endpoint =
			Endpoint::new_with_abstract_socket(config, None, deaf.clone(), runtime).unwrap();
		let config = by_hand::client_config([100 + at; 32]);
		let connecting =
			endpoint.connect_with(config, rig.process.info.listen, by_hand::SERVER_NAME);
		let connection = connecting.unwrap().await.unwrap();
		deaf.deaf.store(true, Ordering::SeqCst);
		let mut streams = Vec::new();
		for stream in 0..EACH {
			let (mut send, recv) = connection.open_bi().await.unwrap();
			send.write_all(&by_hand::get(rig.id(stream))).await.unwrap();
			send.finish().unwrap();
			streams.push((send, recv));
		}
		all.push((endpoint, connection, streams));
	}
	let asked = usize::from(CLIENTS) * EACH;
	assert!(asked > 2 * limits().body_memory / SHARD_LEN);
	// Its turn comes when the first of them have been given up.
	let took = rig.read(0).await;
	println!("{asked} shards for clients that acknowledge nothing; an honest read took {took:?}");
	rig.assert_grown_at_most(BUDGET + BESIDES, "clients that acknowledge nothing");
}
