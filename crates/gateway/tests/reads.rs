//! What reads cost, and what miners that stall or lie do to them.

#![allow(clippy::unwrap_used)]

mod common;

use arion_gateway::{config::Config, peers::Standing, Address};
use common::*;
use std::{
	sync::{atomic::Ordering, Arc},
	time::Duration,
};
use tokio::time::timeout;

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn losers_are_stopped_at_the_miner_and_counted() {
	let network = Network::start();
	let mut config = Config::default();
	config.get.turbo = true;
	let gateway = network.gateway_of("a", network.cluster(), config);
	let bytes = content(3 * MIB, 1);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	network.behave(0..5, STALLS);
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	// Their streams are stopped although nobody ever sends on them again: the stop that went out
	// when the tenth shard came is all they hear.
	for miner in &network.miners[0..5] {
		let taken = miner.service.stalled.load(Ordering::Relaxed);
		let mut cancelled = miner.service.cancelled.subscribe();
		let all = cancelled.wait_for(|count| *count >= taken);
		// Only so that a fault does not hang the tests.
		timeout(Duration::from_secs(60), all)
			.await
			.unwrap()
			.unwrap();
	}
	assert!(gateway.metrics().requests_cancelled.get() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_read_moves_little_more_than_it_gives() {
	let network = Network::start();
	let gateway = network.calm_gateway("a");
	let bytes = content(25 * MIB, 2);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	let object = Arc::new(gateway.find(&Address::Id(stored.link.id)).await.unwrap());
	let metrics = gateway.metrics();
	for range in [0..stored.size, 3_000_000..20_000_000, 5_000_000..5_900_000] {
		let before = metrics.shard_bytes_fetched.get();
		let got = read(&gateway, &object, range.clone()).await.unwrap();
		assert!(got == bytes[range.start as usize..range.end as usize]);
		let moved = metrics.shard_bytes_fetched.get() - before;
		let asked = range.end - range.start;
		assert!(moved as f64 / asked as f64 <= 1.15, "{moved} for {asked}");
	}
	assert_eq!(metrics.wasted_bytes.get(), 0);
	assert_eq!(metrics.stripes_decoded.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_a_lost_shard_is_computed_from_the_same_columns_of_others() {
	let network = Network::start();
	let gateway = network.calm_gateway("a");
	let bytes = content(11 * MIB, 5);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	let object = Arc::new(gateway.find(&Address::Id(stored.link.id)).await.unwrap());
	network.behave(0..15, LIES);
	let metrics = gateway.metrics();
	let mut decoded = 0;
	for start in (0..10 * MIB as u64).step_by(1_000_003) {
		let before = (
			metrics.stripes_decoded.get(),
			metrics.shard_bytes_fetched.get(),
		);
		let got = read(&gateway, &object, start..start + 100).await.unwrap();
		assert!(got == bytes[start as usize..start as usize + 100]);
		let moved = metrics.shard_bytes_fetched.get() - before.1;
		let was_decoded = metrics.stripes_decoded.get() > before.0;
		// Up to two chunks; ten times that if it had to be computed, and what liars sent besides.
		let columns = if was_decoded { 30 } else { 1 };
		assert!(moved <= columns * 2 * 65_536, "{moved}");
		decoded += u64::from(was_decoded);
	}
	assert!(decoded > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_that_never_answer_cost_no_more_than_the_budget() {
	let network = Network::start();
	let gateway = network.gateway("a");
	let bytes = content(25 * MIB, 3);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	let start = gateway.hedge_budget();
	network.behave(0..5, STALLS);
	for _ in 0..3 {
		assert!(get(&gateway, &stored).await.unwrap() == bytes);
	}
	let metrics = gateway.metrics();
	let needed = metrics.shard_bytes_fetched.get() - metrics.wasted_bytes.get();
	assert!(metrics.wasted_bytes.get() <= start + needed / 5);
	assert!(gateway.peers().not_good() > 0);
	let (slowest, caution) = gateway.estimates(5);
	assert_eq!(slowest.len(), 5);
	assert!(caution >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_bit_is_enough_for_quarantine() {
	let network = Network::start();
	let gateway = network.gateway("a");
	let bytes = content(12 * MIB, 4);
	let stored = put(&gateway, &bytes, "").await.unwrap();
	gateway.settled().await;
	// Enough of them that a read meets one.
	network.behave(0..12, LIES);
	assert!(get(&gateway, &stored).await.unwrap() == bytes);
	let quarantined = network
		.miners
		.iter()
		.filter(|miner| gateway.peers().standing(&miner.node.key) == Standing::Quarantined);
	let quarantined = quarantined.count();
	assert!((1..=12).contains(&quarantined), "{quarantined}");
}
