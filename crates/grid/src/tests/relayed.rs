//! Nodes that reach each other through a relay, whatever the relay does.

use super::{
	support::{grid, identity, quick, shard, Memory, LOOPBACK},
	test_relay::{Rules, TestRelay},
};
use crate::{
	relay::frames::{self, Received},
	DialCause, Grid, GridConfig, GridError, Nat, NatKind, PathKind, Peer, Reach,
};
use bytes::Bytes;
use hippius_primitives::{NodeKey, RelayAddress, ShardId};
use std::{
	net::SocketAddr,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex,
	},
	time::Duration,
};
use tokio::{net::UdpSocket, time::timeout};

pub(super) const GUARD: Duration = Duration::from_secs(60);

pub(super) fn at(relay: &RelayAddress) -> GridConfig {
	GridConfig {
		relays: vec![relay.clone()],
		relay_retry: Duration::from_millis(1),
		relay_delay: Duration::from_millis(1),
		..quick()
	}
}

pub(super) fn only(relay: &RelayAddress) -> Reach {
	Reach {
		direct: Vec::new(),
		relays: vec![relay.clone()],
	}
}

/// A server that lists the relay, with one shard of each size.
async fn server(relay: &RelayAddress) -> (Arc<Grid>, Vec<(ShardId, Bytes)>) {
	server_at(at(relay)).await
}

/// The same with these settings.
pub(super) async fn server_at(config: GridConfig) -> (Arc<Grid>, Vec<(ShardId, Bytes)>) {
	let memory = Arc::new(Memory::default());
	let mut held = Vec::new();
	for (seed, len) in [(1, 209_716), (2, 1 << 20)] {
		let (meta, bytes) = shard(seed, len, 0);
		let id = meta.shard().unwrap();
		held.push((id, bytes.clone()));
		memory.shards.lock().unwrap().insert(id, (meta, bytes));
	}
	let server = Grid::bind(LOOPBACK, identity(), config).unwrap();
	server.serve(memory).unwrap();
	timeout(GUARD, server.relay_ready()).await.unwrap().unwrap();
	(server, held)
}

pub(super) async fn reads(peer: &Peer, held: &[(ShardId, Bytes)]) {
	for (id, bytes) in held {
		let got = timeout(GUARD, peer.get(*id, 1 << 20)).await.unwrap();
		assert_eq!(&got.unwrap(), bytes);
	}
}

#[tokio::test]
async fn shards_travel_through_a_relay() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server(&relay.relay()).await;
	let client = grid(quick());
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	assert_eq!(peer.path(), None);
	reads(&peer, &held).await;
	assert_eq!(peer.path(), Some(PathKind::Relayed));
	assert_eq!((client.paths().direct, client.paths().relayed), (0, 1));
	// The other way: a request with a long body.
	let ids = (0..1024u32)
		.map(|n| ShardId(*blake3::hash(&n.to_le_bytes()).as_bytes()))
		.collect();
	assert_eq!(peer.has(ids).await.unwrap(), [false; 1024]);
	let status = server.relays();
	assert!(status[0].home && status[0].connected, "{status:?}");
	assert!(!client.relays()[0].home);
}

#[tokio::test]
async fn a_direct_path_is_preferred() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server(&relay.relay()).await;
	let client = grid(GridConfig {
		relay_delay: Duration::from_secs(3600),
		..quick()
	});
	let mut reach = only(&relay.relay());
	reach.direct.push(server.local_addr());
	let peer = client.peer(server.node_key(), reach);
	reads(&peer, &held).await;
	assert_eq!(peer.path(), Some(PathKind::Direct));
	assert!(client.relays().is_empty());
}

/// Connections outlive the relay: to them its restart is a time of loss.
#[tokio::test]
async fn a_restarted_relay_is_found_again() {
	let relay = TestRelay::start(Rules::default()).await;
	let (address, url) = (relay.address, relay.relay());
	let (server, held) = server(&url).await;
	let client = Grid::bind(LOOPBACK, identity(), at(&url)).unwrap();
	let peer = client.peer(server.node_key(), only(&url));
	reads(&peer, &held).await;
	relay.stop().await;
	let relay = TestRelay::start_at(address, Rules::default()).await;
	timeout(GUARD, relay.connected(2)).await.unwrap();
	reads(&peer, &held).await;
}

#[tokio::test]
async fn who_is_not_admitted_is_told_why() {
	let allowed = Arc::new(Mutex::new(Vec::<NodeKey>::new()));
	let list = allowed.clone();
	let rules = Rules {
		admit: Arc::new(move |key| list.lock().unwrap().contains(key)),
		..Rules::default()
	};
	let relay = TestRelay::start(rules).await;
	let key = identity();
	allowed.lock().unwrap().push(key.node_key());
	let inside = Grid::bind(LOOPBACK, key, at(&relay.relay())).unwrap();
	inside.serve(Arc::new(Memory::default())).unwrap();
	timeout(GUARD, inside.relay_ready()).await.unwrap().unwrap();
	let outside = grid(quick());
	let peer = outside.peer(inside.node_key(), only(&relay.relay()));
	let error = timeout(GUARD, peer.connect()).await.unwrap().unwrap_err();
	let GridError::Unreachable { attempts, .. } = &error else {
		panic!("{error}")
	};
	assert!(matches!(attempts[0].cause, DialCause::Relay { .. }));
	let text = error.to_string();
	assert!(text.contains("not registered"), "{text}");
	assert!(text.contains(&relay.relay().to_string()), "{text}");
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_named() {
	let gone = "http://127.0.0.1:1".parse().unwrap();
	let client = grid(quick());
	let peer = client.peer(identity().node_key(), only(&gone));
	let error = timeout(GUARD, peer.connect()).await.unwrap().unwrap_err();
	assert!(
		error.to_string().contains("http://127.0.0.1:1: "),
		"{error}"
	);
	// Elsewhere only with TLS.
	let plain = "http://192.0.2.1:1".parse::<RelayAddress>().unwrap();
	assert!(!plain.tls && !GridConfig::default().relay_plain);
}

#[tokio::test]
async fn a_relay_that_loses_repeats_and_reorders_costs_time_only() {
	let seen = AtomicUsize::new(0);
	let kept = Mutex::new(None);
	let rules = Rules {
		mischief: Arc::new(
			move |packet| match seen.fetch_add(1, Ordering::Relaxed) % 8 {
				3 => vec![],
				4 => vec![packet.clone(), packet],
				// Held back until the one after has gone.
				5 => {
					*kept.lock().unwrap() = Some(packet);
					vec![]
				}
				6 => {
					let held = kept.lock().unwrap().take();
					std::iter::once(packet).chain(held).collect()
				}
				_ => vec![packet],
			},
		),
		..Rules::default()
	};
	let relay = TestRelay::start(rules).await;
	let (server, held) = server(&relay.relay()).await;
	let client = grid(quick());
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	reads(&peer, &held).await;
}

/// A relay cannot pass for a node: it holds no key but its own.
#[tokio::test]
async fn a_relay_that_delivers_to_another_node_is_found_out() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, _) = server(&relay.relay()).await;
	// Packets for a stranger are given to the server.
	let (stranger, actual) = (identity().node_key(), server.node_key());
	relay.divert(stranger, actual);
	let client = grid(quick());
	let wrong = client.peer(stranger, only(&relay.relay()));
	let error = timeout(GUARD, wrong.connect()).await.unwrap().unwrap_err();
	assert!(error.to_string().contains("answered there"), "{error}");
}

#[tokio::test]
async fn a_flood_of_unknown_nodes_leaves_the_endpoint_working() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server(&relay.relay()).await;
	let client = grid(quick());
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	reads(&peer, &held).await;
	for n in 0..20_000u32 {
		let key = *blake3::hash(&n.to_le_bytes()).as_bytes();
		// A long-header packet of an unknown version, and rubbish.
		let payload = if n % 2 == 0 {
			[0xc0; 1200]
		} else {
			[0x55; 1200]
		};
		let message = [&[6][..], &key, &[0], &payload].concat();
		relay.tell(&server.node_key(), message);
	}
	reads(&peer, &held).await;
	assert!(server.relay_losses().1 > 10_000);
}

/// A relay that takes nothing any more: packets to it are lost, other paths go on.
#[tokio::test]
async fn a_stalled_relay_stops_nobody_else() {
	let rules = Rules {
		mischief: Arc::new(|packet| {
			// Everything in, nothing out: the sender's windows and queues fill up.
			drop(packet);
			vec![]
		}),
		..Rules::default()
	};
	let relay = TestRelay::start(rules).await;
	let (server, held) = server(&relay.relay()).await;
	let client = grid(GridConfig {
		handshake_timeout: Duration::from_millis(50),
		..quick()
	});
	let relayed = client.peer(server.node_key(), only(&relay.relay()));
	assert!(relayed.connect().await.is_err());
	let direct = client.peer(server.node_key(), vec![server.local_addr()]);
	reads(&direct, &held).await;
	assert_eq!(direct.path(), Some(PathKind::Direct));
}

/// Passes packets between one client and a server, until it is dropped.
struct Forwarder {
	address: SocketAddr,
	task: tokio::task::JoinHandle<()>,
}

impl Forwarder {
	async fn to(server: SocketAddr) -> Self {
		let front = UdpSocket::bind(LOOPBACK).await.unwrap();
		let back = UdpSocket::bind(LOOPBACK).await.unwrap();
		let address = front.local_addr().unwrap();
		let task = tokio::spawn(async move {
			let (mut a, mut b) = (vec![0; 2048], vec![0; 2048]);
			let mut client = address;
			loop {
				tokio::select! {
					Ok((len, from)) = front.recv_from(&mut a) => {
						client = from;
						let _ = back.send_to(&a[..len], server).await;
					}
					Ok((len, _)) = back.recv_from(&mut b) => {
						let _ = front.send_to(&b[..len], client).await;
					}
				}
			}
		});
		Self { address, task }
	}
}

impl Drop for Forwarder {
	fn drop(&mut self) {
		self.task.abort();
	}
}

#[tokio::test]
async fn when_the_direct_path_dies_the_relay_takes_over() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server(&relay.relay()).await;
	let forwarder = Forwarder::to(server.local_addr()).await;
	let client = grid(GridConfig {
		idle_timeout: Duration::from_secs(2),
		keep_alive: Duration::from_millis(500),
		relay_delay: Duration::from_secs(1),
		..quick()
	});
	let reach = Reach {
		direct: vec![forwarder.address],
		relays: vec![relay.relay()],
	};
	let peer = client.peer(server.node_key(), reach);
	peer.connect().await.unwrap();
	assert_eq!(peer.path(), Some(PathKind::Direct));
	drop(forwarder);
	reads(&peer, &held).await;
	assert_eq!(peer.path(), Some(PathKind::Relayed));
}

#[tokio::test]
async fn observers_tell_where_packets_come_from() {
	let relay = TestRelay::start(Rules::default()).await;
	let (a, _) = server(&relay.relay()).await;
	let (b, _) = server(&relay.relay()).await;
	let client = grid(quick());
	let direct = |server: &Grid| client.peer(server.node_key(), vec![server.local_addr()]);
	let one = client.learn_nat(&[direct(&a)]).await;
	assert_eq!((one.kind, one.address), (NatKind::Unknown, None));
	let both = client.learn_nat(&[direct(&a), direct(&b)]).await;
	assert_eq!(both.kind, NatKind::None);
	assert_eq!(both.address, Some(client.local_addr()));
	assert_eq!(client.nat(), both);
	// A socket on all addresses knows as well which of them its packets leave with.
	let everywhere = Grid::bind("0.0.0.0:0".parse().unwrap(), identity(), quick()).unwrap();
	let seen = [&a, &b].map(|server| everywhere.peer(server.node_key(), vec![server.local_addr()]));
	assert_eq!(everywhere.learn_nat(&seen).await.kind, NatKind::None);
	// Through a forwarder, which is a NAT with a port for every destination.
	let (x, y) = (
		Forwarder::to(a.local_addr()).await,
		Forwarder::to(b.local_addr()).await,
	);
	let behind = grid(quick());
	let through = [
		behind.peer(a.node_key(), vec![x.address]),
		behind.peer(b.node_key(), vec![y.address]),
	];
	assert_eq!(behind.learn_nat(&through).await.kind, NatKind::Hard);
	// Whoever is met at a relay knows nothing of addresses.
	let far = grid(quick());
	let relayed = [
		far.peer(a.node_key(), only(&relay.relay())),
		far.peer(b.node_key(), only(&relay.relay())),
	];
	assert_eq!(far.learn_nat(&relayed).await, Nat::default());
}

#[test]
fn what_a_client_sends_is_what_a_relay_passes_on() {
	let key = NodeKey([1; 32]);
	let mut message = frames::send(&key, Some(2), b"abc").to_vec();
	message[0] += 2;
	assert_eq!(
		frames::receive(message.into()),
		Ok(Received::Datagrams {
			from: key,
			segment: 2,
			contents: Bytes::from_static(b"abc")
		})
	);
}
