//! Repair in a network of miners.

#![allow(clippy::unwrap_used)]

mod common;

use arion_miner::repair::handover::DrainState;
use common::network::{holders, until, Network, Stripe};

const PGS: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_leave_by_crash_and_by_drain_and_every_stripe_is_whole_again() {
	let dir = tempfile::tempdir().unwrap();
	let mut network = Network::start(dir.path(), [7, 5, 5, 5, 5, 5]).await;
	let first = network.map(1, PGS, |_| true);
	network.hand_over(&first).await;
	network.settled(1).await;
	let stripes: Vec<Stripe> = (0..8).map(|seed| Stripe::new(seed, 640)).collect();
	for stripe in &stripes {
		network.store(&first, stripe).await;
	}

	// One node is gone for good, without a word.
	// Only the first zone, which has slots 0 to 4, can spare nodes.
	let dead = holders(&first, &stripes[0].id())[3];
	network.stop(dead).await;
	let second = network.map(2, PGS, |node| node != dead);
	network.hand_over(&second).await;
	network.settled(2).await;
	for stripe in &stripes {
		network.check(&second, stripe).await;
	}
	let rebuilt = network.count(|daemon| daemon.repair().stats().get(|s| &s.rebuilt));
	assert!(rebuilt > 0);

	// Another one leaves in good order.
	let leaving = holders(&second, &stripes[1].id())[2];
	let third = network.map(3, PGS, |node| node != dead && node != leaving);
	network.hand_over(&third).await;
	let daemon = network.nodes[leaving as usize].daemon.as_ref().unwrap();
	until(daemon, "safe", |p| p.drain.epoch == 3 && p.drain.is_safe()).await;
	let drain = daemon.repair().progress().borrow().drain;
	assert_eq!((drain.state, drain.left), (DrainState::Safe, 0));
	assert_eq!(drain.confirmed, drain.shards);
	assert!(drain.confirmed > 0 && drain.sampled > 0);
	network.settled(3).await;
	let again = network.count(|daemon| daemon.repair().stats().get(|s| &s.rebuilt));
	assert_eq!(again, rebuilt, "a node that still serves is copied from");
	network.stop(leaving).await;
	for stripe in &stripes {
		network.check(&third, stripe).await;
	}
}
