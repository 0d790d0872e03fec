//! More strangers than a miner can take: its process stays small, and those who keep to the rules are served.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use bytes::BytesMut;
use common::{
	by_hand,
	rig::{honest, limits, Rig, HANG, MIB},
};
use quinn_proto::{ConnectionHandle, DatagramEvent};
use std::{
	collections::{HashMap, HashSet},
	io,
	net::SocketAddr,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{net::UdpSocket, time::timeout};

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
