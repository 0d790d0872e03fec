//! Nodes that meet at a relay and then do without it.

use super::{
	relayed::{at, only, reads, server_at, GUARD},
	support::{grid, identity, quick, serving, Memory, LOOPBACK},
	test_relay::{Rules, TestRelay},
};
use crate::{Grid, GridConfig, Nat, NatKind, PathKind, Peer, PunchStats, RelayState};
use hippius_primitives::{RelayAddress, ShardId};
use std::{
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::time::timeout;

fn local(config: GridConfig) -> GridConfig {
	GridConfig {
		punch_loopback: true,
		..config
	}
}

/// A relay that counts the bytes it passes on.
async fn counting() -> (TestRelay, Arc<AtomicUsize>) {
	let passed = Arc::new(AtomicUsize::new(0));
	let count = passed.clone();
	let rules = Rules {
		mischief: Arc::new(move |packet| {
			count.fetch_add(packet.len(), Ordering::Relaxed);
			vec![packet]
		}),
		..Rules::default()
	};
	(TestRelay::start(rules).await, passed)
}

async fn becomes(peer: &Peer, path: PathKind) {
	let mut watched = peer.watch_path();
	let became = watched.wait_for(|now| *now == Some(path));
	timeout(GUARD, became).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_relayed_connection_is_replaced_by_a_direct_one() {
	let (relay, passed) = counting().await;
	let (server, held) = server_at(local(at(&relay.relay()))).await;
	let client = grid(local(quick()));
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	peer.connect().await.unwrap();
	becomes(&peer, PathKind::Punched).await;
	let before = passed.load(Ordering::Relaxed);
	reads(&peer, &held).await;
	// The shards have not gone through the relay; acknowledgements of before may have.
	assert!(passed.load(Ordering::Relaxed) - before < 20_000);
	assert_eq!(peer.path(), Some(PathKind::Punched));
	assert_eq!((client.paths().punched, client.paths().relayed), (1, 0));
	// The other side has both, and knows what the second is.
	let seen = server.paths();
	assert_eq!((seen.punched, seen.relayed, seen.direct), (1, 1, 0));
	let (asked, answered) = (client.punches(), server.punches());
	assert_eq!((asked.attempts, asked.punched), (1, 1));
	assert_eq!((answered.answered, answered.probes_bad), (1, 0));
}

#[tokio::test]
async fn when_the_direct_way_is_gone_the_relay_takes_over_at_once() {
	let (relay, passed) = counting().await;
	let (server, held) = server_at(local(at(&relay.relay()))).await;
	let client = grid(GridConfig {
		punch_retry: Duration::from_secs(3600),
		..local(quick())
	});
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	peer.connect().await.unwrap();
	becomes(&peer, PathKind::Punched).await;
	let dialled = server.serve_stats().unwrap().accepted;
	// As a caller does that has waited in vain.
	peer.disconnect();
	let before = passed.load(Ordering::Relaxed);
	reads(&peer, &held).await;
	assert!(passed.load(Ordering::Relaxed) - before > 1 << 20);
	assert_eq!(peer.path(), Some(PathKind::Relayed));
	assert_eq!(client.punches().fallbacks, 1);
	// Over the connection that was there all along, and no new attempt before its time.
	assert_eq!(server.serve_stats().unwrap().accepted, dialled);
	assert_eq!(client.punches().attempts, 1);
	// A new address is a new chance.
	let observers = [(); 2].map(|()| serving(quick(), Arc::new(Memory::default())));
	let observers = observers
		.each_ref()
		.map(|grid| client.peer(grid.node_key(), vec![grid.local_addr()]));
	assert_eq!(client.learn_nat(&observers).await.kind, NatKind::None);
	reads(&peer, &held).await;
	becomes(&peer, PathKind::Punched).await;
}

#[tokio::test]
async fn an_aged_direct_connection_is_renewed_on_the_same_way() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server_at(local(at(&relay.relay()))).await;
	let client = grid(GridConfig {
		max_connection_age: Duration::from_millis(1),
		..local(quick())
	});
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	peer.connect().await.unwrap();
	becomes(&peer, PathKind::Punched).await;
	for _ in 0..3 {
		reads(&peer, &held).await;
		assert_eq!(peer.path(), Some(PathKind::Punched));
	}
	assert_eq!(client.punches().attempts, 1);
}

async fn ends(client: &Grid, peer: &Peer, relay: &RelayAddress) -> PunchStats {
	peer.connect().await.unwrap();
	let done = async {
		// The attempt ends a moment after the connection is up; requests let it.
		while {
			let stats = client.punches();
			stats.no_address + stats.refused + stats.hard + stats.silent == 0
		} {
			peer.has(vec![ShardId([1; 32])]).await.unwrap();
		}
	};
	timeout(GUARD, done).await.unwrap();
	assert_eq!(peer.path(), Some(PathKind::Relayed), "{relay}");
	client.punches()
}

/// Without leave, this machine's own network is nobody's address.
#[tokio::test]
async fn where_no_address_is_known_it_stays_relayed_and_is_counted() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server_at(at(&relay.relay())).await;
	let client = grid(quick());
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	let stats = ends(&client, &peer, &relay.relay()).await;
	assert_eq!(
		(stats.attempts, stats.no_address, stats.probes_sent),
		(1, 1, 0)
	);
	reads(&peer, &held).await;
	// No new attempt with every request.
	assert_eq!(client.punches().attempts, 1);
	assert_eq!(client.nat(), Nat::default());
}

#[tokio::test]
async fn it_can_be_switched_off() {
	let relay = TestRelay::start(Rules::default()).await;
	let (server, held) = server_at(local(at(&relay.relay()))).await;
	let client = grid(GridConfig {
		punch: false,
		..local(quick())
	});
	let peer = client.peer(server.node_key(), only(&relay.relay()));
	reads(&peer, &held).await;
	assert_eq!(client.punches(), PunchStats::default());
}

/// What becomes of a relay can be awaited.
#[tokio::test]
async fn a_relay_is_watched() {
	let relay = TestRelay::start(Rules::default()).await;
	let url = relay.relay();
	let node = Grid::bind(LOOPBACK, identity(), at(&url)).unwrap();
	let mut state = node.watch_relay(&url).unwrap();
	let up = state.wait_for(|state| *state == RelayState::Connected);
	timeout(GUARD, up).await.unwrap().unwrap();
	relay.stop().await;
	let down = state.wait_for(|state| *state != RelayState::Connected);
	timeout(GUARD, down).await.unwrap().unwrap();
	assert!(node
		.watch_relay(&"http://127.0.0.1:9".parse().unwrap())
		.is_none());
}
