//! Status and metrics.

use super::{answer::Failure, Shared};
use arion_grid::Grid;
use axum::{extract::State, http::header, response::IntoResponse, Json};
use std::sync::Arc;

/// Miners whose speed the status shows, slowest first.
const SHOWN: usize = 10;

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

/// Connections by path, and the relays in use.
fn network(grid: &Grid) -> serde_json::Value {
	let paths = grid.paths();
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
		"relays": relays.collect::<Vec<_>>(),
	})
}

/// `GET /metrics`
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
	let gateway = &shared.gateway;
	let cluster = gateway.cluster().describe();
	let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
	let paths = gateway.peers().grid().paths();
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
	]);
	([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
