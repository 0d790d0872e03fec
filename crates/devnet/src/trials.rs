//! What the chain itself must survive: a restarted full node, a killed validator.

use crate::{
	error::{Error, Result},
	network::Network,
	plan::FULL_NODE,
};
use hippius_chain_client::{At, ChainClient, ChainError};
use std::time::{Duration, Instant};

const CATCH_UP: Duration = Duration::from_secs(180);
const AUTHORED: Duration = Duration::from_secs(180);
const RESUMED: Duration = Duration::from_secs(180);
/// Blocks the other validators must author while one is down.
const BLOCKS_WITHOUT: u32 = 2;

fn chain(error: ChainError) -> Error {
	Error::Chain(error.to_string())
}

async fn connect(url: &str) -> Result<ChainClient> {
	ChainClient::connect(url).await.map_err(chain)
}

/// Starts the stopped full node and waits until it has finalised what a validator had by then.
pub async fn full_node_catches_up(net: &Network) -> Result<()> {
	let Some(alice) = net.plan.validators.first() else {
		return Ok(());
	};
	let target = connect(&alice.ws())
		.await?
		.finalized_number()
		.await
		.map_err(chain)?;
	let started = Instant::now();
	net.restart(FULL_NODE).await?;
	let node = connect(&net.plan.full_node.ws()).await?;
	node.wait_for_block(At::Finalized, target, CATCH_UP)
		.await
		.map_err(chain)?;
	net.story().say(format!(
		"the full node is back and caught up to finalised block {target} in {:.1} s",
		started.elapsed().as_secs_f64()
	));
	Ok(())
}

/// Kills one of three validators. GRANDPA needs more than two thirds, that is all three, so
/// finality stands still while blocks go on; it must resume once the validator is back.
pub async fn finality_survives_a_validator(net: &Network) -> Result<()> {
	let (Some(alice), Some(last)) = (net.plan.validators.first(), net.plan.validators.last())
	else {
		return Ok(());
	};
	let story = net.story();
	let client = connect(&alice.ws()).await?;
	net.process(last.name)?.kill().await?;
	let best = client.best_block_number().await.map_err(chain)?;
	story.say(format!("killed validator {} at block {best}", last.name));
	let best = client
		.wait_for_block(At::Best, best + BLOCKS_WITHOUT, AUTHORED)
		.await
		.map_err(chain)?;
	let finalised = client.finalized_number().await.map_err(chain)?;
	story.say(format!(
		"the other two author on (block {best}); finality, which needs all three, waits at {finalised}"
	));
	let started = Instant::now();
	net.restart(last.name).await?;
	client
		.wait_for_block(At::Finalized, best, RESUMED)
		.await
		.map_err(chain)?;
	story.say(format!(
		"{} is back; block {best} was finalised {:.1} s after its start",
		last.name,
		started.elapsed().as_secs_f64()
	));
	Ok(())
}
