//! Shards go where the map's exceptions say, and are found there.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{
	cluster::{ClusterMap, FamilyBucket, HostBucket, MapNode},
	UpmapItem, WEIGHT_ONE,
};
use arion_gateway::{cluster::Cluster, config::Config, Address};
use codec::Encode;
use common::*;
use std::sync::{atomic::Ordering, Arc};

/// The node that takes part by exceptions only.
const NEW: u32 = MINERS;

/// The thirty nodes' map with a sixth node in its first zone. Exceptions give all of its slots to the node
/// of the zone that has none.
fn map(network: &Network) -> ClusterMap {
	let mut map = network.map(1, |_| WEIGHT_ONE);
	map.zones[0].families.push(FamilyBucket {
		id: -1_000,
		hosts: vec![HostBucket {
			id: -1_001,
			nodes: vec![MapNode {
				index: NEW,
				weight: WEIGHT_ONE,
				reweight: WEIGHT_ONE,
			}],
		}],
	});
	let placement = map.placement().unwrap();
	let away = |pg| {
		let raw = placement.raw(pg).unwrap();
		let to = (0..5).find(|node| !raw.contains(&Some(*node)))?;
		Some(UpmapItem { pg, from: NEW, to })
	};
	map.exceptions = (0..map.pg_num).filter_map(away).collect();
	assert!(map.exceptions.len() > 128);
	// As the daemons get it.
	ClusterMap::decode_checked(&map.encode()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_and_a_get_follow_the_exceptions() {
	let mut network = Network::of(MINERS + 1);
	let map = map(&network);
	let placement = map.placement().unwrap();
	let cluster = Arc::new(Cluster::fixed([map.clone()], network.nodes()).unwrap());
	let gateway = network.gateway_of("a", cluster, Config::default());
	// Until a stripe's group has an exception, as most have.
	let (object, bytes, pg) = loop {
		let bytes = content(700_000, 1);
		let stored = put(&gateway, &bytes, "").await.unwrap();
		let object = gateway.find(&Address::Id(stored.link.id)).await.unwrap();
		let pg = map.pg_of(&object.manifest.stripes()[0].id());
		if placement.raw(pg).unwrap().contains(&Some(NEW)) {
			break (Arc::new(object), bytes, pg);
		}
	};
	gateway.settled().await;
	let puts = |node: u32| {
		network.miners[node as usize]
			.service
			.puts
			.load(Ordering::Relaxed)
	};
	assert_eq!(puts(NEW), 0, "the node whose slots others hold got nothing");
	let item = map.exceptions.iter().find(|item| item.pg == pg).unwrap();
	assert!(puts(item.to) > 0);

	// Ten miners live, the one by exception among them, so its shard is needed.
	let up = placement.up(pg).unwrap();
	let others = up.iter().flatten().filter(|node| **node != item.to);
	let live: Vec<usize> = others
		.take(9)
		.chain([&item.to])
		.map(|node| *node as usize)
		.collect();
	let dead: Vec<usize> = (0..=NEW as usize)
		.filter(|node| !live.contains(node))
		.collect();
	network.stop(dead).await;
	let size = object.manifest.size();
	assert!(read(&gateway, &object, 0..size).await.unwrap() == bytes);
}
