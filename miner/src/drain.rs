//! `arion-miner drain`: leaves the network in good order.

use crate::{
	account::{OwnNode, Secret},
	files::BasePath,
	keys::Keys,
	repair::handover::{DrainState, DrainStatus},
	status, MinerError,
};
use hippius_primitives::{registration::NodeStatus, NodeIndex};
use serde::Serialize;
use std::{fmt, time::Duration};

/// Exit code while shards are left.
pub const NOT_YET: u8 = 3;
/// Time between two questions to the daemon.
const POLL: Duration = Duration::from_secs(2);

/// How far a node is that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Drained {
	/// The node's number.
	pub node: NodeIndex,
	/// Whether this call started its exit.
	pub started: bool,
	/// What the daemon says; none while it does not run.
	pub drain: Option<DrainStatus>,
}

impl Drained {
	/// Whether the miner can be switched off without a shard being lost.
	pub fn is_safe(&self) -> bool {
		self.drain.is_some_and(|drain| drain.is_safe())
	}
}

impl fmt::Display for Drained {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Node {} is leaving: ", self.node)?;
		match &self.drain {
			None => f.write_str(
				"the miner does not run, so its shards cannot be copied: start it and keep it up",
			),
			Some(drain) if drain.state == DrainState::InMap => {
				write!(f, "{drain}; the next epoch's map will not")
			}
			Some(drain) => drain.fmt(f),
		}
	}
}

/// Starts the exit of the node of `base`, unless that was done before, and asks its daemon how far it
/// is. With `wait`, until the miner can be switched off; whenever that changes, `tell` hears of it.
/// The daemon and this call may be stopped and started again at any time.
pub async fn drain(
	base: &BasePath,
	url: &str,
	secret: &Secret,
	wait: bool,
	mut tell: impl FnMut(&Drained),
) -> Result<Drained, MinerError> {
	let keys = Keys::load(base)?;
	let signer = secret.signer()?;
	let node = OwnNode::of(url, &keys.public(), &signer).await?;
	if node.details.status == NodeStatus::Jailed {
		return Err(MinerError::Input(
			"the node is jailed for missed audits and cannot leave: keep the miner and its full node \
			 up until it has answered the fresh ones"
				.into(),
		));
	}
	let started = node.details.status == NodeStatus::Active;
	if started {
		node.chain.start_exit(&signer, node.index).await?;
	}
	let mut told = None;
	loop {
		let drained = Drained {
			node: node.index,
			started,
			drain: asked(base).await?,
		};
		if !wait || drained.is_safe() {
			return Ok(drained);
		}
		if told != Some(drained) {
			tell(&drained);
			told = Some(drained);
		}
		tokio::time::sleep(POLL).await;
	}
}

/// What the daemon says, none if it does not run.
async fn asked(base: &BasePath) -> Result<Option<DrainStatus>, MinerError> {
	match status::ask(base).await {
		Ok(status) => Ok(Some(status.drain)),
		Err(MinerError::NotRunning { .. }) => Ok(None),
		Err(error) => Err(error),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn only_safe_is_called_safe() {
		let with = |state, left| Drained {
			node: 7,
			started: true,
			drain: Some(DrainStatus {
				state,
				epoch: 4,
				shards: 10,
				confirmed: 10 - left,
				left,
				sampled: 3,
			}),
		};
		for (drained, safe, words) in [
			(with(DrainState::InMap, 10), false, "next epoch"),
			(with(DrainState::Unknown, 0), false, "no map"),
			(with(DrainState::Moving, 4), false, "4 of 10"),
			(with(DrainState::Moving, 0), false, "0 of 10"),
			(with(DrainState::Safe, 0), true, "safe to unplug: all 10"),
			(
				Drained {
					drain: None,
					..with(DrainState::Safe, 0)
				},
				false,
				"start it",
			),
		] {
			assert_eq!(drained.is_safe(), safe);
			let text = drained.to_string();
			assert!(text.contains(words), "{text}");
			assert_eq!(text.contains("safe"), safe, "{text}");
			let left = drained.drain.map(|drain| drain.unconfirmed(10));
			assert!(left.is_none_or(|left| (left == 0) == safe), "{text}");
		}
	}
}
