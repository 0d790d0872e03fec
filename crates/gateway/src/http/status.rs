//! Status and metrics.

use super::{answer::Failure, Shared};
use arion_grid::{Grid, PathKind};
use axum::{extract::State, http::header, response::IntoResponse, Json};
use std::sync::Arc;

/// Miners whose speed the status shows, slowest first.
const SHOWN: usize = 10;
/// Connections the status shows, those that are not direct first.
const PEERS_SHOWN: usize = 64;

/// `GET /v1/status`
pub(crate) async fn status(
	State(shared): State<Arc<Shared>>,
) -> Result<Json<serde_json::Value>, Failure> {
	let gateway = &shared.gateway;
	let layout = gateway.cluster().current();
	let metrics = gateway.metrics();
	let (slowest, caution) = gateway.estimates(SHOWN);
	Ok(Json(serde_json::json!({
		"version": env!("CARGO_PKG_VERSION"),
		"node_key": gateway.peers().grid().node_key().to_string(),
		"account": gateway.account().map(hippius_chain_client::ss58),
		"cluster": gateway.cluster().describe(),
		"map": layout.map(|layout| serde_json::json!({
			"epoch": layout.epoch(),
			"pg_num": layout.map().pg_num,
			"nodes": layout.nodes().len(),
		})),
		"objects": gateway.count().await?,
		"connections": gateway.peers().grid().open_connections(),
		"network": network(gateway.peers().grid()),
		"nodes_avoided": gateway.peers().not_good(),
		"reads": {
			"fetched_bytes": metrics.shard_bytes_fetched.get(),
			"wasted_bytes": metrics.wasted_bytes.get(),
			"hedged": metrics.hedged_requests.get(),
			"cancelled": metrics.requests_cancelled.get(),
			"hedge_budget": gateway.hedge_budget(),
			"caution": caution,
			"slowest": slowest,
		},
	})))
}

/// Connections by path, the relays in use, and what stands between this gateway and others.
fn network(grid: &Grid) -> serde_json::Value {
	let (paths, nat, punches) = (grid.paths(), grid.nat(), grid.punches());
	let mut open = grid.peer_paths();
	open.sort_by_key(|open| (open.path == PathKind::Direct, open.key.0));
	let peers = open.into_iter().take(PEERS_SHOWN).map(|open| {
		serde_json::json!({
			"node_key": open.key.to_string(),
			"path": open.path.name(),
			"rtt_ms": u64::try_from(open.rtt.as_millis()).unwrap_or(u64::MAX),
		})
	});
	let relays = grid.relays().into_iter().map(|relay| {
		serde_json::json!({
			"address": relay.address.to_string(),
			"connected": relay.connected,
			"problem": relay.problem,
		})
	});
	serde_json::json!({
		"direct": paths.direct,
		"relayed": paths.relayed,
		"punched": paths.punched,
		"reversed": paths.reversed,
		"nat": nat.kind.name(),
		"seen_as": nat.address.map(|seen| seen.to_string()),
		"relays": relays.collect::<Vec<_>>(),
		"peers": peers.collect::<Vec<_>>(),
		"punching": {
			"attempts": punches.attempts,
			"punched": punches.punched,
			"reversed": punches.reversed,
			"hard": punches.hard,
			"no_address": punches.no_address,
			"silent": punches.silent,
			"refused": punches.refused,
			"dial_failed": punches.dial_failed,
			"fallbacks": punches.fallbacks,
		},
	})
}

/// `GET /metrics`
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
	let gateway = &shared.gateway;
	let cluster = gateway.cluster().describe();
	let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
	let paths = gateway.peers().grid().paths();
	let punches = gateway.peers().grid().punches();
	let text = gateway.metrics().render(&[
		(
			"map_epoch",
			"Newest cluster map known.",
			cluster.epoch.into(),
		),
		("nodes", "Nodes known.", count(cluster.nodes)),
		(
			"chain_following",
			"Whether the chain is being followed.",
			cluster.following.into(),
		),
		(
			"chain_block",
			"Newest finalised block seen.",
			cluster.block.unwrap_or(0).into(),
		),
		(
			"nodes_avoided",
			"Nodes that failed or stalled lately.",
			count(gateway.peers().not_good()),
		),
		(
			"hedge_budget_bytes",
			"Bytes that may be fetched now beyond those needed.",
			gateway.hedge_budget(),
		),
		(
			"connections",
			"Open connections to miners.",
			count(gateway.peers().grid().open_connections()),
		),
		(
			"direct_connections",
			"Connections to miners over UDP.",
			count(paths.direct),
		),
		(
			"relayed_connections",
			"Connections to miners through relays.",
			count(paths.relayed),
		),
		(
			"punched_connections",
			"Connections to miners behind NAT that do without their relay.",
			count(paths.punched),
		),
		(
			"reversed_connections",
			"The same, opened by the miner.",
			count(paths.reversed),
		),
		(
			"punch_attempts",
			"Attempts to do without a relay since start.",
			punches.attempts,
		),
		(
			"punch_hard",
			"Those given up because both NATs give every destination a port of its own.",
			punches.hard,
		),
		(
			"punch_fallbacks",
			"Direct connections that broke and were replaced by the relay since start.",
			punches.fallbacks,
		),
	]);
	([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
