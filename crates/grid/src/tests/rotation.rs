//! A node's key is replaced while it is read from.

use super::support::{grid, identity, quick, serving, shard, store, to, Memory};
use crate::{tls, wire::code, DialCause, GridError};
use quinn::ConnectionError;
use std::{
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::task::JoinSet;

/// Reads under way at any moment.
const READERS: usize = 4;

#[tokio::test]
async fn a_node_key_is_rotated_with_overlap_and_no_read_fails() {
	let server = serving(quick(), Arc::new(Memory::default()));
	let (old, next) = (server.node_key(), identity());
	let new = next.node_key();
	let client = grid(quick());
	// As the chain says while both keys are valid.
	let peer = to(&client, &server).or_key(Some(new));
	let (meta, bytes) = shard(1, 50_000, 0);
	let id = meta.shard().unwrap();
	store(&peer, &meta, bytes.clone()).await.unwrap();

	let (stop, reads) = (
		Arc::new(AtomicBool::new(false)),
		Arc::new(AtomicUsize::new(0)),
	);
	let mut readers = JoinSet::new();
	for _ in 0..READERS {
		let (peer, bytes, stop, reads) = (peer.clone(), bytes.clone(), stop.clone(), reads.clone());
		readers.spawn(async move {
			while !stop.load(Ordering::SeqCst) {
				assert_eq!(peer.get(id, 50_000).await.unwrap(), bytes);
				reads.fetch_add(1, Ordering::SeqCst);
			}
		});
	}
	// Waits for more reads; fails if a reader has.
	let more = async |readers: &mut JoinSet<()>, count: usize| {
		let enough = reads.load(Ordering::SeqCst) + count;
		while reads.load(Ordering::SeqCst) < enough {
			if let Some(failed) = readers.try_join_next() {
				failed.unwrap();
			}
			tokio::task::yield_now().await;
		}
	};
	more(&mut readers, 20).await;
	// Held, so that its id is not given to another one.
	let connection = peer.entry.live().unwrap();
	server.set_identity(next).unwrap();
	assert_eq!(server.node_key(), new);
	more(&mut readers, 20).await;
	// What was open goes on under the old key; who comes now is shown the new one.
	let live = peer.entry.live().unwrap();
	assert_eq!(live.stable_id(), connection.stable_id());
	assert_eq!(tls::peer_key(&live), Some(old));
	let late = grid(quick());
	let known = to(&late, &server);
	assert_eq!(known.key(), new);
	assert_eq!(known.get(id, 50_000).await.unwrap(), bytes);
	let both = grid(quick());
	let overlap = both.peer(old, vec![server.local_addr()]).or_key(Some(new));
	assert_eq!(overlap.get(id, 50_000).await.unwrap(), bytes);
	assert_eq!(tls::peer_key(&overlap.entry.live().unwrap()), Some(new));

	// The overlap ends: one connection was made under the old key, and is read from this moment.
	assert!(connection.close_reason().is_none());
	assert_eq!(server.retire(&old), 1);
	let ended = tokio::time::timeout(Duration::from_secs(60), connection.closed());
	let ended = ended.await.unwrap();
	assert!(
		matches!(&ended, ConnectionError::ApplicationClosed(close) if close.error_code == code::RETIRED),
		"{ended}"
	);
	more(&mut readers, 20).await;
	assert_eq!(tls::peer_key(&peer.entry.live().unwrap()), Some(new));
	stop.store(true, Ordering::SeqCst);
	while let Some(read) = readers.join_next().await {
		read.unwrap();
	}
	println!("{} reads, none failed", reads.load(Ordering::SeqCst));

	// Who knows only the old key is told that another node is there.
	let behind = grid(quick());
	let error = behind
		.peer(old, vec![server.local_addr()])
		.get(id, 50_000)
		.await
		.unwrap_err();
	let GridError::Unreachable { attempts, .. } = &error else {
		panic!("{error}")
	};
	assert!(matches!(attempts[0].cause, DialCause::WrongKey { offered } if offered == new));
	// And when the overlap is over for the reader as well, the old key is no longer enough for it.
	let peer = peer.or_key(None);
	peer.disconnect();
	assert!(peer.get(id, 50_000).await.is_err());
}

#[tokio::test]
async fn a_dialler_that_rotates_is_known_by_its_new_key() {
	let memory = Arc::new(Memory::default());
	let server = serving(quick(), memory.clone());
	let client = grid(quick());
	let peer = to(&client, &server);
	let old = client.node_key();
	let (meta, bytes) = shard(1, 5000, 0);
	store(&peer, &meta, bytes.clone()).await.unwrap();
	let next = identity();
	client.set_identity(next.clone()).unwrap();
	assert_ne!(client.node_key(), old);
	// No request waits or fails; soon one goes over a connection of the new key.
	loop {
		store(&peer, &meta, bytes.clone()).await.unwrap();
		let putters = memory.putters.lock().unwrap();
		if *putters.last().unwrap() == next.node_key() {
			assert_eq!(putters[0], old);
			break;
		}
	}
}
