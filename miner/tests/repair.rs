//! Repair in a network of miners.

#![allow(clippy::unwrap_used)]

mod common;

use arion_miner::{daemon::RunInfo, files::BasePath, repair::handover::DrainState, size::ByteSize};
use common::network::{hand_over, hand_over_to, holders, until, Network, Stripe};
use std::{
	io::{BufRead, BufReader},
	process::{Child, Command, Stdio},
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

/// A miner as a process of its own; killed when dropped.
struct Process {
	child: Child,
	info: RunInfo,
}

impl Process {
	fn start(base: &BasePath) -> Self {
		let mut command = Command::new(env!("CARGO_BIN_EXE_arion-miner"));
		command.args(["run", "--log-format", "json", "--base-path"]);
		command.arg(&base.0).env_remove("RUST_LOG");
		let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
		let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
		let ready = log
			.by_ref()
			.map(Result::unwrap)
			.any(|line| line.contains("\"ready\""));
		assert!(ready, "the miner ended before it was ready");
		// Read on, or a full pipe would stop it.
		std::thread::spawn(move || log.for_each(drop));
		let info = RunInfo::load(base).unwrap().unwrap();
		Self { child, info }
	}
}

impl Drop for Process {
	fn drop(&mut self) {
		// SIGKILL; fails only if it is gone.
		let _ = self.child.kill();
		let _ = self.child.wait();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_goes_on_after_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let mut network = Network::start(dir.path(), [6, 5, 5, 5, 5, 5]).await;
	let first = network.map(1, PGS, |_| true);
	network.hand_over(&first).await;
	network.settled(1).await;
	let stripes: Vec<Stripe> = (0..6).map(|seed| Stripe::new(seed, 640)).collect();
	for stripe in &stripes {
		network.store(&first, stripe).await;
	}
	let leaving = holders(&first, &stripes[0].id())[1];
	let held = stripes
		.iter()
		.filter(|stripe| holders(&first, &stripe.id()).contains(&leaving));
	let held = held.count() as u64;
	// Only the leaving node knows that it leaves: nobody takes its shards yet.
	let second = network.map(2, PGS, |node| node != leaving);
	let node = &network.nodes[leaving as usize];
	hand_over(&node.base, node.daemon.as_ref().unwrap(), &second).await;
	let moving = |network: &Network| {
		let node = &network.nodes[leaving as usize];
		node.daemon
			.as_ref()
			.unwrap()
			.repair()
			.progress()
			.borrow()
			.drain
	};
	let daemon = node.daemon.as_ref().unwrap();
	until(daemon, "moving", |p| p.drain.state == DrainState::Moving).await;

	// At the address that the others know.
	let address = network.nodes[leaving as usize].seat.address;
	network.stop(leaving).await;
	network.reconfigure(leaving, |config| config.grid.listen = address);
	network.restart(leaving).await;
	let daemon = network.nodes[leaving as usize].daemon.as_ref().unwrap();
	until(daemon, "moving again", |p| {
		p.drain.state == DrainState::Moving
	})
	.await;
	assert!(!moving(&network).is_safe());

	network.hand_over(&second).await;
	let daemon = network.nodes[leaving as usize].daemon.as_ref().unwrap();
	until(daemon, "safe", |p| p.drain.epoch == 2 && p.drain.is_safe()).await;
	let drain = moving(&network);
	assert_eq!((drain.shards, drain.confirmed, drain.left), (held, held, 0));
	// Once more: it is safe still, and says so only after it has asked again.
	network.stop(leaving).await;
	network.restart(leaving).await;
	let daemon = network.nodes[leaving as usize].daemon.as_ref().unwrap();
	until(daemon, "safe again", |p| {
		p.drain.epoch == 2 && p.drain.is_safe()
	})
	.await;
	network.settled(2).await;
	network.stop(leaving).await;
	for stripe in &stripes {
		network.check(&second, stripe).await;
	}
}
