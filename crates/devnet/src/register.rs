//! Puts the miners on chain: funds the families, registers three nodes per family, waits until
//! the cluster map holds them all and every daemon has been handed that map.

use crate::{
	commands,
	error::{Error, Result},
	network::Network,
	plan::{family_suri, Plan},
	rpc, tool,
};
use futures_util::future::try_join_all;
use hippius_chain_client::{account_of, signer_from_suri, ss58, ChainClient, ChainError, Included};
use hippius_primitives::{Epoch, ALPHA};
use serde_json::{json, Value};
use std::time::Duration;

/// What each family gets: covers deposit and stake of its three nodes, and fees.
const FUNDS: u128 = 5_000 * ALPHA;
/// The development account that pays.
const PAYER: &str = "//Alice";
const IN_MAP: Duration = Duration::from_secs(240);
const HANDED_OVER: Duration = Duration::from_secs(120);
const AT_RELAY: Duration = Duration::from_secs(120);
const IN_POOL: Duration = Duration::from_secs(60);

fn chain(error: ChainError) -> Error {
	Error::Chain(error.to_string())
}

/// An account's id from its secret URI.
pub(crate) fn account(suri: &str) -> Result<[u8; 32]> {
	signer_from_suri(suri)
		.map(|signer| account_of(&signer))
		.map_err(|cause| Error::Chain(cause.to_string()))
}

/// Registers every miner and waits until the network can take files. Returns the map's epoch.
pub async fn register_all(net: &Network) -> Result<Epoch> {
	let story = net.story();
	let client = ChainClient::connect(&net.plan.full_node.ws())
		.await
		.map_err(chain)?;
	fund(&client, &net.plan).await?;
	story.say(format!(
		"{} family accounts hold {} alpha each",
		net.plan.families().len(),
		FUNDS / ALPHA
	));
	try_join_all(
		net.plan
			.families()
			.map(|family| register_family(net, family)),
	)
	.await?;
	let wanted = net.plan.miners.len();
	story.say(format!("{wanted} miners are registered on chain"));
	let map = client
		.wait_for_map(
			|map| {
				let nodes = map.zones.iter().flat_map(|zone| &zone.families);
				nodes
					.flat_map(|family| &family.hosts)
					.map(|host| host.nodes.len())
					.sum::<usize>() == wanted
			},
			IN_MAP,
		)
		.await
		.map_err(chain)?
		.map;
	story.say(format!(
		"cluster map epoch {} holds all of them: {} zones, {} placement groups",
		map.epoch,
		map.zones.len(),
		map.pg_num
	));
	wait_for_epoch(net, map.epoch).await?;
	story.say("the node's offchain worker has handed the map to every miner");
	wait_for_relay(net).await?;
	Ok(map.epoch)
}

/// Waits until every miner that is behind the relay is connected to it.
pub async fn wait_for_relay(net: &Network) -> Result<()> {
	let Some(relay) = &net.plan.relay else {
		return Ok(());
	};
	let miners = net.plan.miners.iter();
	let behind = miners.filter(|miner| net.plan.relay_of(miner).is_some());
	try_join_all(behind.map(|miner| async move {
		let what = format!("the connection of {} to the relay", miner.name);
		rpc::poll_until(&what, AT_RELAY, || async {
			let status = net.miner_status(miner).await?;
			let connected = status.pointer("/network/relays/0/connected");
			Ok((connected == Some(&Value::Bool(true))).then_some(()))
		})
		.await
	}))
	.await?;
	net.story().say(format!(
		"the miners of zone {} are at the relay",
		relay.zone
	));
	Ok(())
}

async fn fund(client: &ChainClient, plan: &Plan) -> Result<()> {
	let payer = signer_from_suri(PAYER).map_err(|cause| Error::Chain(cause.to_string()))?;
	let accounts = plan
		.families()
		.map(|family| account(&family_suri(family)))
		.collect::<Result<Vec<_>>>()?;
	client
		.fund(&payer, &accounts, FUNDS, Included::InBlock)
		.await
		.map_err(chain)
}

/// Registers a family's nodes with the miner's own `register`. They share an account, so each is
/// submitted once the pool has taken the one before; all then wait for finality side by side.
async fn register_family(net: &Network, family: u16) -> Result<()> {
	let full = &net.plan.full_node;
	let rpc = net.rpc(full.http());
	let account = ss58(&account(&family_suri(family))?);
	let mut pending = Vec::new();
	for miner in net.plan.family(family) {
		let before = next_nonce(&rpc, &account).await?;
		let spec = commands::miner_register(&net.bins, &net.dir, miner, &full.ws());
		let dir = net.dir.path().to_owned();
		let mut running = Box::pin(async move { tool::run(&spec, &dir).await });
		let what = format!("{} in the transaction pool", miner.name);
		let taken = rpc::poll_until(&what, IN_POOL, || async {
			Ok((next_nonce(&rpc, &account).await? > before).then_some(()))
		});
		tokio::select! {
			done = &mut running => done?,
			taken = taken => {
				taken?;
				pending.push(running);
			},
		}
	}
	try_join_all(pending).await.map(drop)
}

async fn next_nonce(rpc: &rpc::Rpc, account: &str) -> Result<u64> {
	let value = rpc
		.call("system_accountNextIndex", json!([account]))
		.await?;
	value.as_u64().ok_or_else(|| Error::Answer {
		who: "system_accountNextIndex".into(),
		what: value.to_string(),
	})
}

/// The epoch a status tells, 0 if none: miners have it at the top, the gateway under `map`.
fn epoch_of(status: &Value) -> Epoch {
	let map = status.get("map").unwrap_or(status);
	let epoch = map.get("epoch").and_then(Value::as_u64);
	epoch
		.and_then(|epoch| Epoch::try_from(epoch).ok())
		.unwrap_or(0)
}

/// Waits until every miner and the gateway know a map of at least this epoch.
pub async fn wait_for_epoch(net: &Network, epoch: Epoch) -> Result<()> {
	let miners = net.plan.miners.iter().map(|miner| async move {
		let what = format!("the hand-over of map epoch {epoch} to {}", miner.name);
		rpc::poll_until(&what, HANDED_OVER, || async {
			Ok((epoch_of(&net.miner_status(miner).await?) >= epoch).then_some(()))
		})
		.await
	});
	try_join_all(miners).await?;
	rpc::poll_until(
		&format!("map epoch {epoch} at the gateway"),
		HANDED_OVER,
		|| async { Ok((epoch_of(&net.gateway_status().await?) >= epoch).then_some(())) },
	)
	.await
}

/// Waits until every miner knows the newest map, as after a restart.
pub async fn wait_until_whole(net: &Network) -> Result<()> {
	let client = ChainClient::connect(&net.plan.full_node.ws())
		.await
		.map_err(chain)?;
	let map = client
		.wait_for_map(|_| true, IN_MAP)
		.await
		.map_err(chain)?
		.map;
	wait_for_epoch(net, map.epoch).await?;
	wait_for_relay(net).await
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn family_accounts_are_distinct_development_accounts() {
		let accounts: std::collections::BTreeSet<[u8; 32]> = (0..11)
			.map(|family| account(&family_suri(family)).unwrap())
			.collect();
		assert_eq!(accounts.len(), 11);
		assert_ne!(accounts.first().unwrap(), &account(PAYER).unwrap());
	}

	#[test]
	fn accounts_are_written_with_prefix_and_checksum() {
		let alice = ss58(&account(PAYER).unwrap());
		assert_eq!(alice, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
	}

	#[test]
	fn a_status_without_an_epoch_counts_as_none() {
		assert_eq!(epoch_of(&json!({ "epoch": 3 })), 3);
		assert_eq!(epoch_of(&json!({ "map": { "epoch": 4 } })), 4);
		assert_eq!(epoch_of(&json!({ "map": null })), 0);
		for bad in [
			json!({}),
			json!({ "epoch": null }),
			json!({ "epoch": -1 }),
			json!([]),
		] {
			assert_eq!(epoch_of(&bad), 0);
		}
	}
}
