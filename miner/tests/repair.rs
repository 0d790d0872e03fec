//! Repair in a network of miners.

#![allow(clippy::unwrap_used)]

mod common;

use arion_miner::{
	files::{self, BasePath},
	repair::handover::{DrainState, DrainStatus},
	size::ByteSize,
};
use common::{
	network::{hand_over_to, holders, until, Network, Stripe},
	process::Process,
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_killed_in_the_middle_of_repair_goes_on() {
	let dir = tempfile::tempdir().unwrap();
	let mut network = Network::start(dir.path(), [6, 5, 5, 5, 5, 5]).await;
	// Of the first zone, whose other five have all of its slots.
	let late = 0;
	let first = network.map(1, PGS, |node| node != late);
	network.hand_over(&first).await;
	network.settled(1).await;
	let stripes: Vec<Stripe> = (0..16).map(|seed| Stripe::new(seed, 640 << 10)).collect();
	for stripe in &stripes {
		network.store(&first, stripe).await;
	}
	let second = network.map(2, PGS, |_| true);
	let missing = stripes.iter().filter_map(|stripe| {
		let slot = holders(&second, &stripe.id())
			.iter()
			.position(|node| *node == late)?;
		Some(stripe.meta.shards[slot])
	});
	let missing: Vec<_> = missing.collect();
	assert!(missing.len() > 4, "the node has slots: {}", missing.len());

	// So slow that it cannot be done before it is killed.
	network.stop(late).await;
	let slow = ByteSize(64 << 10);
	network.reconfigure(late, |config| config.repair.rate = slow);
	let base = network.nodes[late as usize].base.clone();
	let process = Process::start(&base);
	network.nodes[late as usize].seat.address = process.info.listen;
	network.hand_over(&second).await;
	hand_over_to(&base, process.info.control, &second).await;
	let held = async |network: &Network| {
		let held = network.peer(late).has(missing.clone()).await.unwrap();
		held.into_iter().filter(|held| *held).count()
	};
	let mut before = 0;
	while before == 0 {
		tokio::task::yield_now().await;
		before = held(&network).await;
	}
	assert!(before < missing.len());
	drop(process);
	// The transport alone would notice only after its idle timeout.
	network.peer(late).disconnect();

	// It has the map, and goes on by itself.
	network.reconfigure(late, |config| config.repair.rate = ByteSize(32 << 20));
	let process = Process::start(&base);
	network.nodes[late as usize].seat.address = process.info.listen;
	assert!(held(&network).await >= before, "what was repaired stays");
	while held(&network).await < missing.len() {
		tokio::task::yield_now().await;
	}
	network.settled(2).await;
	for stripe in &stripes {
		network.check(&second, stripe).await;
	}
}

/// Asks a miner until its drain is as wanted.
async fn drained(
	process: &Process,
	base: &BasePath,
	wanted: impl Fn(&DrainStatus) -> bool,
) -> DrainStatus {
	let client = reqwest::Client::builder().no_proxy().build().unwrap();
	let url = format!("http://{}/v1/drain", process.info.control);
	let token = files::read_token(&base.token()).unwrap();
	loop {
		let answer = client.get(&url).bearer_auth(&token).send().await.unwrap();
		let status: DrainStatus = answer.json().await.unwrap();
		if wanted(&status) {
			return status;
		}
		tokio::task::yield_now().await;
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_goes_on_after_kills() {
	let dir = tempfile::tempdir().unwrap();
	let mut network = Network::start(dir.path(), [6, 5, 5, 5, 5, 5]).await;
	let stripes: Vec<Stripe> = (0..6).map(|seed| Stripe::new(seed, 640)).collect();
	let leaving = holders(&network.map(1, PGS, |_| true), &stripes[0].id())[1];
	// It comes back where the others know it: at an address that is this process's alone, as a port
	// of 127.0.0.1 may be another's by then.
	let [.., high, low] = std::process::id().to_be_bytes();
	network.stop(leaving).await;
	let address = ([127, high.max(1), low, 9], 4433).into();
	network.reconfigure(leaving, |config| config.grid.listen = address);
	let base = network.nodes[leaving as usize].base.clone();
	let process = Process::start(&base);
	network.nodes[leaving as usize].seat.address = process.info.listen;

	let first = network.map(1, PGS, |_| true);
	network.hand_over(&first).await;
	hand_over_to(&base, process.info.control, &first).await;
	network.settled(1).await;
	for stripe in &stripes {
		network.store(&first, stripe).await;
	}
	let held = stripes
		.iter()
		.filter(|stripe| holders(&first, &stripe.id()).contains(&leaving));
	let held = held.count() as u64;
	// Only the leaving node knows that it leaves: nobody takes its shards yet.
	let second = network.map(2, PGS, |node| node != leaving);
	hand_over_to(&base, process.info.control, &second).await;
	let moving = |drain: &DrainStatus| drain.epoch == 2 && drain.state == DrainState::Moving;
	drained(&process, &base, moving).await;

	drop(process);
	let process = Process::start(&base);
	let drain = drained(&process, &base, moving).await;
	assert!(!drain.is_safe());

	network.hand_over(&second).await;
	let safe = |drain: &DrainStatus| drain.epoch == 2 && drain.is_safe();
	let drain = drained(&process, &base, safe).await;
	assert_eq!((drain.shards, drain.confirmed, drain.left), (held, held, 0));
	// Once more: it is safe still, and says so only after it has asked again.
	drop(process);
	let process = Process::start(&base);
	drained(&process, &base, safe).await;
	network.settled(2).await;
	drop(process);
	for stripe in &stripes {
		network.check(&second, stripe).await;
	}
}
