//! Learns from miners how this gateway is seen, so that miners behind NAT can be reached directly.

use crate::{gateway::Gateway, peers::Standing};
use arion_grid::{NatKind, Peer};
use std::{sync::Arc, time::Duration};
use tokio::time::{interval, Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether there is anything to learn.
const LOOK: Duration = Duration::from_secs(15);
/// How long an answer is good for, and one that says nothing.
const FRESH: Duration = Duration::from_secs(600);
const VAGUE: Duration = Duration::from_secs(60);
/// Miners asked.
const ASKED: usize = 3;

/// Asks a few miners now and then, if others are behind relays, until `stop`.
pub(crate) async fn watch(gateway: Arc<Gateway>, stop: CancellationToken) {
	let mut ticks = interval(LOOK);
	ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
	let mut good_until: Option<Instant> = None;
	loop {
		tokio::select! {
			biased;
			() = stop.cancelled() => return,
			_ = ticks.tick() => {}
		}
		if good_until.is_some_and(|until| Instant::now() < until) {
			continue;
		}
		let observers = observers(&gateway);
		if observers.is_empty() {
			continue;
		}
		tokio::select! {
			biased;
			() = stop.cancelled() => return,
			nat = gateway.peers().grid().learn_nat(&observers) => {
				tracing::debug!(kind = %nat.kind, address = ?nat.address, "network address translation");
				let good = match nat.kind {
					NatKind::Unknown => VAGUE,
					_ => FRESH,
				};
				good_until = Some(Instant::now() + good);
			}
		}
	}
}

/// Miners that are well and have UDP addresses; nobody if no miner is behind a relay.
fn observers(gateway: &Gateway) -> Vec<Peer> {
	let cluster = gateway.cluster();
	let Some(layout) = cluster.current() else {
		return Vec::new();
	};
	let nodes = layout.nodes();
	let nodes = || nodes.iter().filter_map(|index| cluster.node(*index));
	if !nodes().any(|node| node.relayed()) {
		return Vec::new();
	}
	let peers = gateway.peers();
	let known = nodes()
		.filter(|node| !node.addresses.is_empty() && peers.standing(&node.key) == Standing::Good);
	known.take(ASKED).map(|node| peers.peer(&node)).collect()
}
