//! Learns from other nodes how this one is seen: whether there is a NAT before it, and which kind.

use crate::epochs::{Epochs, Held};
use arion_grid::{Grid, Nat, NatKind, Peer, Reach};
use std::{sync::Arc, time::Duration};
use tokio::{
	sync::watch,
	time::{interval, Instant, MissedTickBehavior},
};

/// How often a new map is looked for.
const LOOK: Duration = Duration::from_secs(15);
/// How long an answer is good for, and one that says nothing.
const FRESH: Duration = Duration::from_secs(600);
const VAGUE: Duration = Duration::from_secs(60);
/// Nodes asked.
const ASKED: usize = 3;

/// Asks a few nodes of the newest map, now and then, until `stop`.
pub async fn watch(grid: Arc<Grid>, epochs: Arc<Epochs>, mut stop: watch::Receiver<bool>) {
	let mut ticks = interval(LOOK);
	ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
	let mut learnt: Option<(Instant, Nat)> = None;
	loop {
		tokio::select! {
			biased;
			// An error means that the daemon is gone.
			_ = stop.wait_for(|stop| *stop) => return,
			_ = ticks.tick() => {}
		}
		let good = |nat: Nat| match nat.kind {
			NatKind::Unknown => VAGUE,
			_ => FRESH,
		};
		if learnt.is_some_and(|(at, nat)| at.elapsed() < good(nat)) {
			continue;
		}
		let Some(held) = epochs.held() else { continue };
		let peers = observers(&grid, &held);
		tokio::select! {
			biased;
			_ = stop.wait_for(|stop| *stop) => return,
			nat = grid.learn_nat(&peers) => {
				if learnt.is_none_or(|(_, before)| before != nat) {
					tracing::info!(kind = %nat.kind, address = ?nat.address, "network address translation");
				}
				learnt = Some((Instant::now(), nat));
			}
		}
	}
}

/// The nodes after this one in the map's table that have a UDP address. Each node asks others, so
/// the questions are spread.
fn observers(grid: &Grid, held: &Held) -> Vec<Peer> {
	let own = grid.node_key();
	let nodes = &held.update.nodes;
	let start = nodes.iter().position(|node| node.key == own).unwrap_or(0);
	let after = nodes.iter().cycle().skip(start).take(nodes.len());
	let reachable = after.filter(|node| node.key != own).filter_map(|node| {
		let reach: Reach = node.params.addresses.iter().collect();
		(!reach.direct.is_empty()).then(|| grid.peer(node.key, reach))
	});
	reachable.take(ASKED).collect()
}
