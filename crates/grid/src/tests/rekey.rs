//! Traffic keys are replaced while a connection is used.

use super::support::{pair, quick, shard, store, Memory, Pair};
use crate::GridConfig;
use std::{cell::Cell, fmt, sync::Arc, time::Duration};
use tracing::{
	field::{Field, Visit},
	span, Event, Metadata, Subscriber,
};

thread_local! {
	static UPDATES: Cell<usize> = const { Cell::new(0) };
}

/// Counts, per thread, the transport's notices of key updates; no statistic does. Set for the
/// whole process, because notices first given on a thread without it would be lost everywhere.
struct KeyUpdates;

struct Message;

impl Visit for Message {
	fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
		if field.name() == "message" && format!("{value:?}") == "executing key update" {
			UPDATES.set(UPDATES.get() + 1);
		}
	}
}

impl Subscriber for KeyUpdates {
	fn enabled(&self, metadata: &Metadata<'_>) -> bool {
		metadata.target().starts_with("quinn_proto")
	}
	fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
		span::Id::from_u64(1)
	}
	fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
	fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
	fn event(&self, event: &Event<'_>) {
		event.record(&mut Message);
	}
	fn enter(&self, _: &span::Id) {}
	fn exit(&self, _: &span::Id) {}
}

/// Set once for the process, whichever test comes first.
fn watch_updates() {
	let _ = tracing::subscriber::set_global_default(KeyUpdates);
	UPDATES.set(0);
}

/// Reads until the keys were replaced eight times more. All of it goes over the connection there was
/// before, and no other was ever made: a renewal in place of new keys does not count.
async fn read_through_updates(ends: &Pair, len: usize) {
	let (meta, bytes) = shard(1, len, 1);
	let id = meta.shard().unwrap();
	store(&ends.peer, &meta, bytes.clone()).await.unwrap();
	// Held, so that its id is not given to another one.
	let connection = ends.peer.entry.live().unwrap();
	assert_eq!(ends.peer.get(id, len).await.unwrap(), bytes);
	let (enough, start) = (UPDATES.get() + 8, connection.stats().udp_rx.bytes);
	let mut reads = 0;
	let reading = async {
		while UPDATES.get() < enough {
			assert_eq!(ends.peer.get(id, len).await.unwrap(), bytes);
			reads += 1;
		}
		// And once more with the last keys.
		assert_eq!(ends.peer.get(id, len).await.unwrap(), bytes);
		reads += 1;
	};
	tokio::time::timeout(Duration::from_secs(120), reading)
		.await
		.unwrap();
	let live = ends.peer.entry.live().unwrap();
	assert_eq!(live.stable_id(), connection.stable_id());
	let moved = connection.stats().udp_rx.bytes - start;
	assert!(
		moved >= reads * len as u64,
		"{moved} bytes in {reads} reads"
	);
	assert_eq!(ends.server.serve_stats().unwrap().accepted, 1);
	println!("{reads} reads of {len} bytes over one connection, none failed");
}

#[tokio::test]
async fn keys_are_replaced_by_age_and_transfers_go_on() {
	watch_updates();
	let config = GridConfig {
		rekey_interval: Duration::from_nanos(1),
		rekey_bytes: u64::MAX,
		..quick()
	};
	read_through_updates(&pair(config, Arc::new(Memory::default())), 3000).await;
}

#[tokio::test]
async fn keys_are_replaced_by_volume_and_transfers_go_on() {
	// The test's runtime has one thread, so this counts all tasks of both ends, and no others.
	watch_updates();
	let config = GridConfig {
		rekey_bytes: 256 * 1024,
		..quick()
	};
	// The transport makes at most one update per end of its own, early on. It passes over ours
	// while the previous one is settling, so this goes on until enough were made.
	read_through_updates(&pair(config, Arc::new(Memory::default())), 300_000).await;
}
