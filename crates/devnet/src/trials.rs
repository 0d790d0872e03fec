//! What else a network must survive: a restarted full node, a killed validator, damaged disks, a
//! miner that stops.

use crate::{
	error::{Context as _, Error, Result},
	network::Network,
	plan::{MinerPlan, FULL_NODE},
};
use hippius_chain_client::{At, ChainClient, ChainError, ChainView};
use hippius_primitives::{traits::LivenessState, NodeIndex};
use rustix::process::Signal;
use std::{
	fs::File,
	os::unix::fs::FileExt as _,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

const CATCH_UP: Duration = Duration::from_secs(180);
/// Six windows of 36 seconds and more: until two are over, or two were missed and settled.
const JUDGED: Duration = Duration::from_secs(300);
const AUTHORED: Duration = Duration::from_secs(180);
const RESUMED: Duration = Duration::from_secs(180);
/// Bytes of a volume looked at in one go.
const BLOCK: usize = 1024 * 1024;
/// Blocks the other validators must author while one is down.
const BLOCKS_WITHOUT: u32 = 2;

pub(crate) fn chain(error: ChainError) -> Error {
	Error::Chain(error.to_string())
}

pub(crate) async fn connect(url: &str) -> Result<ChainClient> {
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

/// Waits until the chain says of all these nodes what is `wanted`; gives how long that took.
async fn judged(
	client: &ChainClient,
	nodes: &[NodeIndex],
	wanted: fn(&LivenessState) -> bool,
	what: &str,
) -> Result<Duration> {
	let started = Instant::now();
	let mut blocks = client.follow(At::Best).await.map_err(chain)?;
	let wait = async {
		loop {
			let view = client.at(At::Best).await.map_err(chain)?;
			let mut left = Vec::new();
			for node in nodes {
				let (state, _) = view.standing(*node).await.map_err(chain)?;
				if !wanted(&state) {
					left.push((*node, state));
				}
			}
			if left.is_empty() {
				return Ok(());
			}
			if started.elapsed() > JUDGED {
				return Err(Error::Chain(format!(
					"nodes are not {what} after {JUDGED:?}: {left:?}"
				)));
			}
			blocks.next().await.map_err(chain)?;
		}
	};
	// Blocks may stop altogether.
	match tokio::time::timeout(2 * JUDGED, wait).await {
		Ok(result) => result.map(|()| started.elapsed()),
		Err(_) => Err(Error::Chain(format!(
			"no node became {what}: the chain gave no block"
		))),
	}
}

/// Goes on with a process, whatever becomes of the trial.
pub(crate) struct Thaw(pub(crate) crate::process::Running);

impl Drop for Thaw {
	fn drop(&mut self) {
		// One that has ended needs no signal.
		let _ = self.0.signal(Signal::CONT);
	}
}

/// Freezes a miner's process until the chain calls its node down, then lets it go on until the chain
/// sees it again. All the others must be up all the while.
pub async fn a_frozen_miner_is_noticed(net: &Network) -> Result<()> {
	let Some(frozen) = net.plan.miners.last() else {
		return Ok(());
	};
	let story = net.story();
	let client = connect(&net.plan.full_node.ws()).await?;
	let mut nodes = Vec::new();
	let mut victim = None;
	for node in client.nodes().await.map_err(chain)? {
		if node.params.host == frozen.host.as_bytes() {
			victim = Some(node.index);
		} else {
			nodes.push(node.index);
		}
	}
	let victim = victim
		.ok_or_else(|| Error::Chain(format!("no registered node has the host {}", frozen.host)))?;
	let up = |state: &LivenessState| *state == LivenessState::Up;
	let all: Vec<_> = nodes.iter().copied().chain([victim]).collect();
	let took = judged(&client, &all, up, "up").await?;
	story.say(format!(
		"validators hear the heartbeats of all {} miners (waited {:.0} s)",
		all.len(),
		took.as_secs_f64()
	));
	let process = net.process(&frozen.name)?;
	process.signal(Signal::STOP)?;
	let thaw = Thaw(process);
	let at = client.best_block_number().await.map_err(chain)?;
	let down = |state: &LivenessState| matches!(state, LivenessState::Down { .. });
	let took = judged(&client, &[victim], down, "down").await?;
	let view = client.at(At::Best).await.map_err(chain)?;
	let within = down_in_time(&view, victim, at).await?;
	story.say(format!(
		"{} was frozen; the chain called it down after {:.0} s, {within}",
		frozen.name,
		took.as_secs_f64()
	));
	judged(&client, &nodes, up, "up").await?;
	drop(thaw);
	let took = judged(&client, &[victim], up, "up").await?;
	story.say(format!(
		"it goes on, and was seen again after {:.0} s",
		took.as_secs_f64()
	));
	Ok(())
}

/// Whether a node that was frozen at a block is down since the first window it could miss and no later
/// than the rules say; tells by how many blocks. A window more is granted: not every one has a quorum.
async fn down_in_time(view: &ChainView, node: NodeIndex, frozen_at: u32) -> Result<String> {
	let rules = view.beat_rules().await.map_err(chain)?;
	let rules = rules.ok_or_else(|| Error::Chain("the chain judges no heartbeats".into()))?;
	let (state, _) = view.standing(node).await.map_err(chain)?;
	let LivenessState::Down { since } = state else {
		return Err(Error::Chain(format!("the frozen miner is {state:?} again")));
	};
	let (now, due) = (view.number(), rules.down_by(since));
	let told = format!("in block {now}, frozen in {frozen_at}, silent since {since}, due by {due}");
	let first = rules.window_of(frozen_at) + 1;
	if rules.window_of(since) > first || now > due + rules.window_blocks {
		return Err(Error::Chain(format!(
			"the frozen miner was called down late: {told}"
		)));
	}
	Ok(told)
}

/// How far a miner has filled its newest volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
	volume: PathBuf,
	end: u64,
}

/// How far each miner has filled its newest volume; `None` where there is no volume yet.
pub fn filled(miners: &[&MinerPlan]) -> Result<Vec<Option<Filled>>> {
	miners
		.iter()
		.map(|miner| newest(&miner.base_path.join("store")))
		.collect()
}

fn newest(store: &Path) -> Result<Option<Filled>> {
	let what = || format!("read {}", store.display());
	let mut volumes = Vec::new();
	for entry in std::fs::read_dir(store).context(what)? {
		let path = entry.context(what)?.path();
		if path.extension().is_some_and(|extension| extension == "vol") {
			volumes.push(path);
		}
	}
	// Their names are numbers of equal length.
	let Some(volume) = volumes.into_iter().max() else {
		return Ok(None);
	};
	let file = File::open(&volume).context(what)?;
	let mut block = vec![0; BLOCK];
	let mut end = file.metadata().context(what)?.len();
	// Volumes are reserved on disk and filled from the front: behind the end there are zeros.
	while end > 0 {
		let start = end.saturating_sub(BLOCK as u64);
		let part = block.get_mut(..(end - start) as usize).unwrap_or_default();
		file.read_exact_at(part, start).context(what)?;
		if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
			return Ok(Some(Filled {
				volume,
				end: start + last as u64 + 1,
			}));
		}
		end = start;
	}
	Ok(Some(Filled { volume, end: 0 }))
}

/// Flips a bit on each miner's disk, in the middle of what was written since `before`.
pub fn damage(miners: &[&MinerPlan], before: &[Option<Filled>]) -> Result<()> {
	miners
		.iter()
		.zip(before)
		.zip(filled(miners)?)
		.try_for_each(|((miner, before), after)| {
			flip(before.as_ref(), after.as_ref())
				.context(|| format!("damage a shard of {}", miner.name))
		})
}

fn flip(before: Option<&Filled>, after: Option<&Filled>) -> std::io::Result<()> {
	let after = after.ok_or_else(|| std::io::Error::other("it has no volume"))?;
	let from = before
		.filter(|before| before.volume == after.volume)
		.map_or(0, |before| before.end);
	if from >= after.end {
		return Err(std::io::Error::other("it has stored nothing"));
	}
	let file = File::options().read(true).write(true).open(&after.volume)?;
	let mut byte = [0];
	let middle = from + (after.end - from) / 2;
	file.read_exact_at(&mut byte, middle)?;
	file.write_all_at(&byte.map(|byte| byte ^ 1), middle)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn one_bit_is_flipped_in_what_was_written_since() {
		let dir = tempfile::tempdir().unwrap();
		assert_eq!(newest(dir.path()).unwrap(), None);
		let path = dir.path().join("00000001.vol");
		let mut bytes = vec![0u8; 3 * BLOCK + 17];
		std::fs::write(&path, &bytes).unwrap();
		let empty = newest(dir.path()).unwrap();
		assert_eq!(empty.as_ref().unwrap().end, 0);
		assert!(flip(empty.as_ref(), empty.as_ref()).is_err());
		bytes[..2 * BLOCK].fill(7);
		std::fs::write(&path, &bytes).unwrap();
		std::fs::write(dir.path().join("SUPER"), "x").unwrap();
		let half = newest(dir.path()).unwrap();
		assert_eq!(half.as_ref().unwrap().end, 2 * BLOCK as u64);
		flip(empty.as_ref(), half.as_ref()).unwrap();
		bytes[BLOCK] ^= 1;
		assert_eq!(std::fs::read(&path).unwrap(), bytes);
		assert!(flip(half.as_ref(), None).is_err());
		assert!(newest(&dir.path().join("none")).is_err());
	}
}
