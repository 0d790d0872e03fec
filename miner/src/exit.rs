//! `arion-miner exit`: ends a node's exit, once nothing depends on the node any more.

use crate::{
	account::{rough, OwnNode, Secret},
	files::BasePath,
	keys::Keys,
	status::{self, Status},
	MinerError,
};
use hippius_primitives::{registration::NodeStatus, NodeIndex};
use serde::Serialize;
use std::fmt;

/// What `exit` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Exited {
	/// The exit was started, without waiting for the shards to be elsewhere.
	Started {
		/// The node's number.
		node: NodeIndex,
		/// From this block on it can be ended.
		claimable: u32,
		/// Seconds until then, roughly.
		seconds: Option<u64>,
	},
	/// Deposit and stake are back, the node is gone.
	Left {
		/// The number it had.
		node: NodeIndex,
		/// What was held for it, in rao.
		deposit: u128,
		/// What was held for its capacity, in rao.
		stake: u128,
	},
}

impl fmt::Display for Exited {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Started {
				node,
				claimable,
				seconds,
			} => {
				let when = seconds.map_or(String::new(), |s| format!(", in about {}", rough(s)));
				write!(
					f,
					"Node {node} is leaving; `arion-miner exit` can end that from block \
					 {claimable} on{when}"
				)
			}
			Self::Left {
				node,
				deposit,
				stake,
			} => write!(
				f,
				"Node {node} has left; deposit {deposit} and stake {stake} rao are free, less what \
				 was slashed. The miner can be stopped and its disks wiped."
			),
		}
	}
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Step {
	Start,
	Claim,
}

/// Decides, or says why not. `unconfirmed` is how many shards may be nowhere else; `None` if that
/// cannot be known.
fn step(node: &OwnSide, unconfirmed: Option<u64>, abandon: bool) -> Result<Step, MinerError> {
	match (node.status, node.claimable_at) {
		(NodeStatus::Active, _) if abandon => return Ok(Step::Start),
		(NodeStatus::Active, _) => {
			return Err(MinerError::Input(
				"the node is not leaving: run `arion-miner drain` first, which brings its shards \
				 elsewhere; --abandon starts the exit at once and leaves that to repair"
					.into(),
			))
		}
		(NodeStatus::Jailed, _) => return Err(MinerError::Input(
			"the node is jailed for missed audits and cannot leave: keep the miner and its full \
				 node up until it has answered the fresh ones"
				.into(),
		)),
		(NodeStatus::Draining | NodeStatus::Evicted, Some(block)) if node.now < block => {
			return Err(MinerError::TooEarly {
				what: "the unbonding period",
				now: node.now,
				block,
				when: node
					.seconds
					.map_or(String::new(), |s| format!(", in about {}", rough(s))),
				hint: "; keep the miner up until then",
			})
		}
		_ => {}
	}
	match unconfirmed {
		_ if abandon => Ok(Step::Claim),
		Some(0) => Ok(Step::Claim),
		Some(shards) => Err(MinerError::Input(format!(
			"{shards} shards are not confirmed to be elsewhere: keep the miner up and look at \
			 `arion-miner status`; --abandon leaves them to repair"
		))),
		None => Err(MinerError::Input(
			"the miner does not run, so nobody can tell whether its shards are elsewhere: start \
			 it, or give --abandon to leave them to repair"
				.into(),
		)),
	}
}

/// What the chain says of the node.
struct OwnSide {
	status: NodeStatus,
	claimable_at: Option<u32>,
	now: u32,
	seconds: Option<u64>,
}

/// Shards the running miner does not know to be elsewhere.
fn unconfirmed(status: &Status) -> u64 {
	status.drain.unconfirmed(status.store.shards)
}

/// Ends the exit of the node of `base`, or, with `abandon`, starts it; done when finalised.
pub async fn exit(
	base: &BasePath,
	url: &str,
	secret: &Secret,
	abandon: bool,
) -> Result<Exited, MinerError> {
	let keys = Keys::load(base)?;
	let signer = secret.signer()?;
	let node = OwnNode::of(url, &keys.public(), &signer).await?;
	let shards = match status::ask(base).await {
		Ok(status) => Some(unconfirmed(&status)),
		Err(MinerError::NotRunning { .. }) => None,
		Err(error) => return Err(error),
	};
	let claimable_at = node.details.claimable_at;
	let side = OwnSide {
		status: node.details.status,
		claimable_at,
		now: node.view.number(),
		seconds: claimable_at.and_then(|block| node.seconds_until(block)),
	};
	match step(&side, shards, abandon)? {
		Step::Start => {
			let details = node.chain.start_exit(&signer, node.index).await?;
			let claimable = details.claimable_at.unwrap_or(side.now);
			Ok(Exited::Started {
				node: node.index,
				claimable,
				seconds: node.seconds_until(claimable),
			})
		}
		Step::Claim => {
			node.chain.claim_exit(&signer, node.index).await?;
			Ok(Exited::Left {
				node: node.index,
				deposit: node.details.deposit,
				stake: node.details.stake,
			})
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn side(status: NodeStatus, claimable_at: Option<u32>) -> OwnSide {
		OwnSide {
			status,
			claimable_at,
			now: 100,
			seconds: Some(7200),
		}
	}

	#[test]
	fn only_what_is_safe_is_done_unless_abandoned() {
		let active = side(NodeStatus::Active, None);
		let bonded = side(NodeStatus::Draining, Some(101));
		let free = side(NodeStatus::Draining, Some(100));
		assert_eq!(step(&free, Some(0), false).unwrap(), Step::Claim);
		assert_eq!(step(&active, None, true).unwrap(), Step::Start);
		let evicted = side(NodeStatus::Evicted, Some(100));
		assert_eq!(step(&evicted, None, true).unwrap(), Step::Claim);
		for shards in [Some(5), None] {
			assert_eq!(step(&free, shards, true).unwrap(), Step::Claim);
		}
		for (side, shards, abandon, words) in [
			(&active, Some(0), false, ["arion-miner drain", "--abandon"]),
			(
				&side(NodeStatus::Jailed, None),
				Some(0),
				true,
				["jailed", "audits"],
			),
			(
				&side(NodeStatus::Evicted, Some(101)),
				None,
				true,
				["block 101", "2 h"],
			),
			(&bonded, Some(0), false, ["block 101", "2 h"]),
			(&bonded, Some(0), true, ["block 101", "block 100"]),
			(&free, Some(5), false, ["5 shards", "--abandon"]),
			(&free, None, false, ["does not run", "--abandon"]),
		] {
			let error = step(side, shards, abandon).unwrap_err().to_string();
			for word in words {
				assert!(error.contains(word), "{word}: {error}");
			}
		}
	}
}
