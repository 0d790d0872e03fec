//! More newcomers than a node can take.

use super::support::{grid, identity, quick, serving, to, Memory};
use crate::{
	endpoint::endpoint_config,
	tls::{self, SERVER_NAME},
	Grid, GridConfig, ServeStats,
};
use hippius_primitives::ShardId;
use std::{
	net::{SocketAddr, UdpSocket},
	sync::Arc,
	time::Instant,
};

/// Sends one sound first packet per handshake, and never another.
struct Attacker {
	socket: UdpSocket,
	endpoint: quinn_proto::Endpoint,
	config: quinn::ClientConfig,
	to: SocketAddr,
}

impl Attacker {
	fn new(server: &Grid) -> Self {
		let me = identity();
		let (crypto, _) = tls::client(&me, server.node_key(), None).unwrap();
		let config = Arc::new(endpoint_config(&me));
		Self {
			socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
			endpoint: quinn_proto::Endpoint::new(config, None, true, None),
			config: quinn::ClientConfig::new(Arc::new(crypto)),
			to: server.local_addr(),
		}
	}

	fn knock(&mut self) {
		let now = Instant::now();
		let (_, mut connection) = self
			.endpoint
			.connect(now, self.config.clone(), self.to, SERVER_NAME)
			.unwrap();
		let mut packet = Vec::new();
		let sent = connection.poll_transmit(now, 1, &mut packet).unwrap();
		self.socket.send_to(&packet[..sent.size], self.to).unwrap();
	}
}

fn seen(stats: &ServeStats) -> u64 {
	stats.accepted + stats.retried + stats.ignored + stats.refused
}

/// Resident memory of this process, in KiB; 0 where the system does not say.
fn resident() -> u64 {
	let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
	let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
	line.and_then(|line| line.trim().strip_suffix(" kB"))
		.and_then(|number| number.trim().parse().ok())
		.unwrap_or(0)
}

async fn flood(config: GridConfig, count: u64) -> (Arc<Grid>, ServeStats) {
	let server = serving(config, Arc::new(Memory::default()));
	let mut attacker = Attacker::new(&server);
	for sent in 1..=count {
		attacker.knock();
		// None is lost in the system's buffers: each is counted.
		while sent % 64 == 0 && seen(&server.serve_stats().unwrap()) < sent {
			tokio::task::yield_now().await;
		}
	}
	while seen(&server.serve_stats().unwrap()) < count {
		tokio::task::yield_now().await;
	}
	let stats = server.serve_stats().unwrap();
	(server, stats)
}

#[tokio::test]
async fn ten_thousand_half_open_handshakes_leave_room_for_an_honest_peer() {
	let (before, start) = (resident(), Instant::now());
	let (server, stats) = flood(quick(), 10_000).await;
	let grown = resident().saturating_sub(before);
	println!(
		"10000 half-open handshakes in {:?}: {stats:?}, memory grew by {grown} KiB",
		start.elapsed()
	);
	assert_eq!(stats.peak_handshakes, 64);
	assert_eq!((stats.accepted, stats.retried), (64, 9_936));
	// Both ends and the attacker's ten thousand connection ids are in this process.
	assert!(grown < 128 * 1024, "{grown} KiB");
	// Who can prove its address gets in.
	let client = grid(quick());
	let peer = to(&client, &server);
	assert_eq!(peer.has(vec![ShardId([0; 32])]).await.unwrap(), [false]);
	assert_eq!(server.serve_stats().unwrap().connections, 1);
}

#[tokio::test]
async fn one_network_gets_its_burst_of_handshakes() {
	let config = GridConfig {
		limit_loopback: true,
		// So slow that none is added while this runs.
		handshake_rate: 1,
		handshake_burst: 10,
		..quick()
	};
	let start = Instant::now();
	let (server, stats) = flood(config, 1_000).await;
	let added = start.elapsed().as_secs() + 1;
	println!("1000 handshakes of one network: {stats:?}");
	assert!(stats.accepted <= 10 + added, "{stats:?}");
	assert_eq!(stats.accepted + stats.retried, 1_000);
	assert_eq!(stats.sources, 1);
	// Who proves its address has a bucket of its own.
	let client = grid(quick());
	let peer = to(&client, &server);
	assert_eq!(peer.has(vec![ShardId([0; 32])]).await.unwrap(), [false]);
	assert_eq!(server.serve_stats().unwrap().sources, 2);
}
