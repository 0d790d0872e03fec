//! The data path against thirty miners.

#![allow(clippy::unwrap_used)]

mod common;

use arion_gateway::{cluster::Cluster, config::Config, Address, Fault, GetError, Part, PutError};
use common::*;
use std::{
	collections::HashSet,
	sync::{atomic::Ordering, Arc},
};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_of_thirty_may_go_and_twenty_one_may_not() {
	let mut network = Network::start();
	let gateway = network.gateway("a");
	// Two full stripes and a short one.
	let bytes = content(25 * MIB + 12_345, 1);
	let stored = put(&gateway, &bytes, "film.mkv").await.unwrap();
	assert_eq!((stored.size, stored.stripes), (bytes.len() as u64, 3));
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	gateway.settled().await;
	assert_eq!(gateway.metrics().shards_stored.get(), 4 * 30);
	let calm = network.calm_gateway("calm");
	let object = Arc::new(
		calm.find(&Address::Link(stored.link.clone()))
			.await
			.unwrap(),
	);
	assert!(read(&calm, &object, 0..stored.size).await.unwrap() == bytes);
	assert_eq!(
		calm.metrics().stripes_decoded.get(),
		0,
		"a healthy read needs no decoding"
	);

	// A second put of the same bytes shares nothing with the first.
	let twin = put(&gateway, &bytes[..MIB], "").await.unwrap();
	let again = put(&gateway, &bytes[..MIB], "").await.unwrap();
	let mut shards = HashSet::new();
	for stored in [&twin, &again] {
		let object = gateway.find(&Address::Id(stored.link.id)).await.unwrap();
		for reference in object.manifest.stripes() {
			assert!(reference.shards.iter().all(|shard| shards.insert(*shard)));
		}
	}

	gateway.settled().await;
	network.stop(0..20).await;
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	assert!(gateway.metrics().stripes_decoded.get() > 0);

	let object = Arc::new(gateway.find(&Address::Id(stored.link.id)).await.unwrap());
	network.stop([20]).await;
	match read(&gateway, &object, 0..stored.size).await {
		Err(GetError::NotEnoughShards {
			part: Part::Data(0),
			have: 9,
			missing: 21,
			..
		}) => {}
		other => panic!("{:?}", other.map(|bytes| bytes.len())),
	}
	let error = get(&gateway, &stored).await.unwrap_err();
	assert_eq!(error.code(), "not_enough_shards");
	let text = error.to_string();
	assert!(text.starts_with("root stripe ("), "{text}");
	assert!(
		text.contains("9 of 30 shards found, 21 missing, at least 10 are needed"),
		"{text}"
	);
	gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_and_damage_never_reach_the_caller() {
	let network = Network::start();
	let gateway = network.gateway("a");
	let bytes = content(12 * MIB, 2);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	network.behave(0..12, LIES);
	for miner in &network.miners[12..20] {
		miner.damage_volumes();
	}
	for _ in 0..2 {
		assert!(get(&gateway, &stored).await.unwrap() == bytes);
	}
	// One more liar than the code can bear: an error, never wrong bytes.
	network.behave(0..21, LIES);
	let fresh = network.gateway("b");
	let error = fresh
		.find(&Address::Link(stored.link.clone()))
		.await
		.err()
		.unwrap();
	assert!(
		matches!(
			error,
			GetError::NotEnoughShards {
				part: Part::Root,
				have: 9,
				..
			}
		),
		"{error}"
	);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_needs_twenty_nodes() {
	let mut network = Network::start();
	let mut config = Config::default();
	config.put.quorum_timeout_ms = 1;
	network.stop(0..10).await;
	let gateway = network.gateway_of("a", network.cluster(), config);
	let bytes = content(700_000, 3);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	network.stop([10]).await;
	match put(&gateway, &bytes, "").await {
		Err(
			error @ PutError::NotEnoughAcks {
				part: Part::Data(0),
				acks: 19,
				tried: 30,
				unplaced: 0,
				..
			},
		) => {
			assert_eq!(error.code(), "not_enough_acks");
		}
		other => panic!("{other:?}"),
	}
	assert_eq!(
		gateway.count().await.unwrap(),
		1,
		"a failed put leaves nothing in the catalog"
	);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_nodes_that_come_back() {
	let mut network = Network::start();
	let gateway = network.gateway("a");
	let bytes = content(700_000, 11);
	put(&gateway, &bytes, "").await.unwrap();
	network.stop(0..11).await;
	let running = tokio::spawn({
		let (gateway, bytes) = (gateway.clone(), bytes.clone());
		async move { put(&gateway, &bytes, "").await }
	});
	network.restart(10).await;
	let stored = running.await.unwrap().unwrap();
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_ranges() {
	let mut network = Network::start();
	let gateway = network.gateway("a");
	for len in [0, 1, 65_520, 65_521] {
		let bytes = content(len, 4);
		let stored = put(&gateway, &bytes, "").await.unwrap();
		assert_eq!((stored.size, stored.stripes), (len as u64, 1));
		assert!(get(&gateway, &stored).await.unwrap() == bytes, "{len}");
	}
	let bytes = content(11 * MIB, 5);
	let len = bytes.len() as u64;
	let stored = put(&gateway, &bytes, "").await.unwrap();
	let object = Arc::new(gateway.find(&Address::Id(stored.link.id)).await.unwrap());
	let boundary = 160 * 65_520;
	for range in [
		0..1,
		len - 1..len,
		0..len,
		5_000_000..5_000_001,
		boundary - 1..boundary + 1,
		65_519..65_521,
		7..7,
	] {
		let expected = &bytes[range.start as usize..range.end as usize];
		assert!(
			read(&gateway, &object, range.clone()).await.unwrap() == expected,
			"{range:?}"
		);
	}
	// One byte costs one sealed chunk.
	gateway.settled().await;
	let calm = network.calm_gateway("calm");
	let same = Arc::new(
		calm.find(&Address::Link(stored.link.clone()))
			.await
			.unwrap(),
	);
	let before = calm.metrics().shard_bytes_fetched.get();
	read(&calm, &same, 3_000_000..3_000_001).await.unwrap();
	assert_eq!(calm.metrics().shard_bytes_fetched.get(), before + 65_536);
	let beyond = read(&gateway, &object, len..len + 1).await.unwrap_err();
	assert!(matches!(beyond, GetError::BadRange { .. }));
	// A range whose shard is gone is decoded from others.
	network.stop(0..15).await;
	for start in (0..len - 1).step_by(3 * MIB) {
		let expected = &bytes[start as usize..start as usize + 2];
		assert!(read(&gateway, &object, start..start + 2).await.unwrap() == expected);
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn references_may_lie_in_stripes_of_their_own() {
	let network = Network::start();
	let mut config = Config::default();
	config.put.root_refs = 1;
	let gateway = network.gateway_of("a", network.cluster(), config);
	let bytes = content(22 * MIB, 10);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	let object = Arc::new(gateway.find(&Address::Id(stored.link.id)).await.unwrap());
	assert_eq!(
		(
			object.manifest.level(),
			object.manifest.stripes().len(),
			stored.stripes
		),
		(1, 1, 3)
	);
	assert!(read(&gateway, &object, 0..stored.size).await.unwrap() == bytes);
	let across = 2 * 160 * 65_520 - 10..2 * 160 * 65_520 + 10;
	let expected = &bytes[across.start as usize..across.end as usize];
	assert!(read(&gateway, &object, across).await.unwrap() == expected);
	network.behave(0..21, LIES);
	match read(&network.gateway("b"), &object, 0..1).await {
		Err(GetError::NotEnoughShards {
			part: Part::Index(1, 0),
			have: 9,
			..
		}) => {}
		other => panic!("{:?}", other.map(|bytes| bytes.len())),
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_enough_on_a_fresh_gateway() {
	let network = Network::start();
	let first = network.gateway("a");
	let bytes = content(300_000, 6);
	let stored = put(&first, &bytes, "notes.txt").await.unwrap();
	let second = network.gateway("b");
	let unknown = second
		.find(&Address::Id(stored.link.id))
		.await
		.err()
		.unwrap();
	assert!(matches!(unknown, GetError::NoKey(_)), "{unknown}");
	let object = Arc::new(
		second
			.find(&Address::Link(stored.link.clone()))
			.await
			.unwrap(),
	);
	assert_eq!(object.manifest.name(), "notes.txt");
	assert!(read(&second, &object, 0..stored.size).await.unwrap() == bytes);
	let mut wrong = stored.link.clone();
	wrong.key = arion_object::ObjectKey::generate().unwrap();
	let refused = second.find(&Address::Link(wrong)).await.err().unwrap();
	assert_eq!(refused.code(), "wrong_key");
	let mut nowhere = stored.link.clone();
	nowhere.id.0 .0[5] ^= 1;
	let missing = second.find(&Address::Link(nowhere)).await.err().unwrap();
	assert!(matches!(missing, GetError::NotFound(_)), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_older_epochs_stay_readable() {
	const ONE: u32 = 0x1_0000;
	let network = Network::start();
	let cluster = network.cluster();
	let gateway = network.gateway_of("a", cluster.clone(), Config::default());
	let bytes = content(2 * MIB, 7);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	// Slots move within each zone; nothing has moved with them.
	let newer = network.map(2, |index| if index % 5 < 2 { 4 * ONE } else { ONE });
	cluster.add(Arc::new(
		arion_gateway::cluster::Layout::new(newer.clone()).unwrap(),
	));
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	let later = put(&gateway, &bytes, "").await.unwrap();
	assert!(get(&gateway, &later).await.unwrap() == bytes);
	// A gateway that never saw epoch 1 searches.
	let late = Arc::new(Cluster::fixed([newer], network.nodes()).unwrap());
	let late = network.gateway_of("b", late, Config::default());
	let object = Arc::new(
		late.find(&Address::Link(stored.link.clone()))
			.await
			.unwrap(),
	);
	assert!(read(&late, &object, 0..stored.size).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_miners_are_passed_by() {
	let network = Network::start();
	let gateway = network.gateway("a");
	let bytes = content(3 * MIB, 8);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	network.behave(0..20, STALLS);
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	assert!(gateway.metrics().hedged_requests.get() > 0);
	assert!(gateway.peers().not_good() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_that_replace_their_keys_stay_readable() {
	let mut network = Network::start();
	let cluster = network.cluster();
	let gateway = network.gateway_of("a", cluster.clone(), Config::default());
	let bytes = content(3 * MIB, 9);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	// All others are gone, so every read needs ten of these.
	network.stop(12..30).await;
	let next = |index: u32| identity(100 + index).node_key();
	let mut nodes = network.nodes();
	nodes.truncate(12);
	for node in &mut nodes {
		node.next_key = Some(next(node.index));
	}
	cluster.set_nodes(nodes.clone());
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	for index in 0..12 {
		network.replace_key(index, identity(100 + index));
	}
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	// The chain has the new keys alone.
	for node in &mut nodes {
		node.key = next(node.index);
		node.next_key = None;
	}
	cluster.set_nodes(nodes);
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_map_nothing_is_promised() {
	let network = Network::start();
	let gateway = network.gateway_of("a", Arc::new(Cluster::default()), Config::default());
	let error = put(&gateway, b"x", "").await.unwrap_err();
	assert_eq!((error.code(), error.status()), ("no_map", 503));
	let unplaceable = Arc::new(Cluster::fixed([network.map(1, |_| 0x1_0000)], Vec::new()).unwrap());
	let gateway = network.gateway_of("b", unplaceable, Config::default());
	match put(&gateway, b"x", "").await.unwrap_err() {
		PutError::NotEnoughAcks {
			acks: 0,
			tried: 0,
			unplaced: 30,
			..
		} => {}
		other => panic!("{other}"),
	}
	let too_long = put(&gateway, b"x", &"n".repeat(2000)).await.unwrap_err();
	assert_eq!((too_long.code(), too_long.status()), ("bad_request", 400));
	assert_eq!(
		network
			.miners
			.iter()
			.map(|miner| miner.service.puts.load(Ordering::Relaxed))
			.sum::<usize>(),
		0
	);
}
