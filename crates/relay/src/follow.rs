//! Keeps the list of registered keys as the chain has it.

use crate::admission::Admission;
use hippius_chain_client::{At, ChainClient, ChainError};
use hippius_primitives::NodeKey;
use std::{collections::HashSet, convert::Infallible, time::Duration};

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(30);
/// The registry is read again every so many finalised blocks.
const EVERY: u32 = 2;

/// Follows the node at `url` for ever, connecting anew whenever the connection breaks. What was
/// read last stays in force until it is stale.
pub async fn follow(url: String, admission: Admission) -> Infallible {
	let mut wait = RETRY_FIRST;
	loop {
		let Err(error) = session(&url, &admission, &mut wait).await;
		tracing::warn!(%error, retry_in = ?wait, "lost the chain");
		tokio::time::sleep(wait).await;
		wait = (wait * 2).min(RETRY_MOST);
	}
}

async fn session(
	url: &str,
	admission: &Admission,
	wait: &mut Duration,
) -> Result<Infallible, ChainError> {
	let chain = ChainClient::connect(url).await?;
	let mut blocks = chain.follow(At::Finalized).await?;
	tracing::info!(url, "following the chain");
	let mut read_at: Option<u32> = None;
	loop {
		let view = chain.at(At::Finalized).await?;
		if read_at.is_none_or(|at| view.number().saturating_sub(at) >= EVERY) {
			let nodes = view.nodes().await?;
			let keys: HashSet<NodeKey> = nodes
				.iter()
				.flat_map(|node| [Some(node.key), node.next_key])
				.flatten()
				.collect();
			tracing::debug!(block = view.number(), keys = keys.len(), "registry read");
			admission.set_registered(keys);
			read_at = Some(view.number());
			*wait = RETRY_FIRST;
		}
		blocks.next().await?;
	}
}
