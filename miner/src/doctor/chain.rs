//! The chain: reachable, the right one, and what it says of this node.

use super::report::Finding;
use crate::size::ByteSize;
use hippius_chain_client::NodeDetails;
use hippius_primitives::{registration::NodeStatus, Epoch, NodeAddress, NodeIndex, NodeKey};

/// What this miner is and declares, as far as it is set.
#[derive(Clone, Debug)]
pub struct Ours {
	/// The node key.
	pub key: NodeKey,
	/// The key made by `keys rotate`, if there is one.
	pub next_key: Option<NodeKey>,
	/// Addresses as configured; none if they cannot be told.
	pub addresses: Vec<NodeAddress>,
	/// What all disks together may take, in bytes.
	pub capacity: u64,
	/// Zone and host, if configured.
	pub zone: Option<u8>,
	/// Name of the machine, if configured.
	pub host: Option<String>,
}

/// The chain the miner is bound to against the one that answers.
pub fn genesis(bound: Option<[u8; 32]>, chain: [u8; 32]) -> Finding {
	let text = format!("genesis 0x{}", hex::encode(chain));
	match bound {
		Some(bound) if bound != chain => Finding::error(
			"chain-genesis",
			format!("{text}, and this miner belongs to 0x{}", hex::encode(bound)),
			"give --chain of the right network; a miner for another one needs a base path of its own",
		),
		Some(_) => Finding::ok("chain-genesis", text),
		None => Finding::ok("chain-genesis", format!("{text}; the miner is not bound yet")),
	}
}

/// The epoch held here against the chain's.
pub fn epoch(held: Epoch, chain: Epoch) -> Finding {
	let text = format!("the map of epoch {held} is held, the chain is at {chain}");
	let mend = "run a full node with --offchain-worker always --arion-daemon http://CONTROL,token-file=BASE/control.token and let it sync";
	match chain.saturating_sub(held) {
		0 => Finding::ok("epoch", text),
		_ if held == 0 => Finding::warning("epoch", "no map has been handed over yet", mend),
		// A new one is on its way.
		1 => Finding::ok("epoch", text),
		_ => Finding::warning("epoch", text, mend),
	}
}

/// What the chain says of this node; `held` is the stake held of its family.
pub fn node(found: Option<(NodeIndex, &NodeDetails)>, ours: &Ours, held: u128) -> Vec<Finding> {
	let Some((index, node)) = found else {
		return vec![Finding::error(
			"registered",
			format!("the chain knows no node with the key {}", ours.key),
			"run `arion-miner register`; if the key was replaced, put the registered one back",
		)];
	};
	vec![
		Finding::ok(
			"registered",
			format!("node {index} of family 0x{}", hex::encode(node.family)),
		),
		key(node, ours),
		status(node),
		addresses(node, ours),
		capacity(node, ours.capacity),
		declared(node, ours),
		stake(node, held),
	]
}

fn key(node: &NodeDetails, ours: &Ours) -> Finding {
	let next = node.next_key.map(|(key, _)| key);
	if ours.key == node.key {
		return match (next, ours.next_key) {
			(None, Some(_)) => Finding::warning(
				"key",
				"a next key is here that the chain does not know",
				"run `arion-miner keys rotate` again, or remove node.key.next",
			),
			(Some(theirs), mine) if mine != Some(theirs) => Finding::warning(
				"key",
				format!("the chain was told of the next key {theirs}, which is not here"),
				"run `arion-miner keys rotate`: it announces one that is here instead",
			),
			(Some(next), _) => Finding::ok("key", format!("is to be replaced by {next}")),
			(None, None) => Finding::ok("key", "is the one on chain"),
		};
	}
	if Some(ours.key) == next {
		return Finding::warning(
			"key",
			"this miner uses its next key already",
			"run `arion-miner keys activate --now`",
		);
	}
	if ours.next_key == Some(node.key) {
		return Finding::error(
			"key",
			"the chain has changed to the next key, this miner has not",
			"run `arion-miner keys activate`",
		);
	}
	Finding::error(
		"key",
		format!("the chain has the key {}", node.key),
		"put that key back from a backup",
	)
}

fn status(node: &NodeDetails) -> Finding {
	match (node.status, node.claimable_at) {
		(NodeStatus::Active, _) => Finding::ok("status", "active"),
		(NodeStatus::Draining, Some(block)) => Finding::warning(
			"status",
			format!("leaving; the exit can be claimed from block {block} on"),
			"keep the miner up until `arion-miner exit` has gone through",
		),
		(NodeStatus::Draining, None) => Finding::warning(
			"status",
			"leaving",
			"keep the miner up until `arion-miner exit` has gone through",
		),
		(NodeStatus::Jailed, _) => Finding::error(
			"status",
			"jailed: it missed too many audits and gets no new data",
			"keep the miner and its full node up: eight fresh audits answered release it",
		),
		(NodeStatus::Evicted, block) => Finding::error(
			"status",
			match block {
				Some(block) => {
					format!(
						"evicted; what is left of its stake can be claimed from block {block} on"
					)
				}
				None => "evicted".into(),
			},
			"run `arion-miner exit --abandon` then, and register anew with a new key or the same",
		),
	}
}

fn addresses(node: &NodeDetails, ours: &Ours) -> Finding {
	if ours.addresses.is_empty() {
		return Finding::skipped("declared-address", "none is configured");
	}
	match ours.addresses == node.addresses {
		true => Finding::ok("declared-address", "as configured"),
		false => Finding::error(
			"declared-address",
			format!(
				"the chain has {:?}, configured is {:?}",
				node.addresses, ours.addresses
			),
			"run `arion-miner update`, or set grid.public to what is declared",
		),
	}
}

fn capacity(node: &NodeDetails, disks: u64) -> Finding {
	let text = format!(
		"{} are declared, the disks may take {}",
		ByteSize(node.capacity),
		ByteSize(disks)
	);
	match node.capacity <= disks {
		true => Finding::ok("capacity", text),
		false => Finding::error(
			"capacity",
			text,
			"add disks or raise their capacity, or declare less with `arion-miner update`",
		),
	}
}

fn declared(node: &NodeDetails, ours: &Ours) -> Finding {
	let host = String::from_utf8_lossy(&node.host);
	if ours.zone.is_some_and(|zone| zone != node.zone) {
		return Finding::warning(
			"declared-place",
			format!("the chain has zone {}, config.toml another", node.zone),
			"set node.zone to the registered one: a node's zone is fixed",
		);
	}
	if ours.host.as_ref().is_some_and(|own| *own != host) {
		return Finding::warning(
			"declared-place",
			format!("the chain has host {host}, config.toml another"),
			"run `arion-miner update`, so that nodes of one machine are known to fail together",
		);
	}
	Finding::ok("declared-place", format!("zone {}, host {host}", node.zone))
}

fn stake(node: &NodeDetails, held: u128) -> Finding {
	let text = format!(
		"{held} rao are held of the family, this node's stake is {}",
		node.stake
	);
	match held >= node.stake {
		true => Finding::ok("stake", text),
		false => Finding::error(
			"stake",
			format!("{text}: some was slashed"),
			"leaving and registering anew holds the full stake again; find out why first",
		),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::doctor::report::Level;

	const A: NodeKey = NodeKey([1; 32]);
	const B: NodeKey = NodeKey([2; 32]);
	const C: NodeKey = NodeKey([3; 32]);

	fn details() -> NodeDetails {
		NodeDetails {
			family: [9; 32],
			key: A,
			next_key: None,
			zone: 1,
			host: b"h".to_vec(),
			capacity: 1 << 40,
			addresses: vec![NodeAddress::from(
				"203.0.113.7:1".parse::<std::net::SocketAddr>().unwrap(),
			)],
			status: NodeStatus::Active,
			registered_at: 5,
			deposit: 10,
			stake: 100,
			claimable_at: None,
		}
	}

	fn ours() -> Ours {
		Ours {
			key: A,
			next_key: None,
			addresses: details().addresses,
			capacity: 1 << 40,
			zone: Some(1),
			host: Some("h".into()),
		}
	}

	fn found(node: &NodeDetails, ours: &Ours) -> Vec<Finding> {
		super::node(Some((3, node)), ours, 100)
	}

	fn level(findings: &[Finding], check: &str) -> Level {
		findings.iter().find(|f| f.check == check).unwrap().level
	}

	#[test]
	fn a_node_as_it_should_be() {
		let findings = found(&details(), &ours());
		assert!(
			findings.iter().all(|f| f.level == Level::Ok),
			"{findings:?}"
		);
	}

	#[test]
	fn what_differs_from_the_chain_is_found() {
		let (node, own) = (details(), ours());
		let none = super::node(None, &own, 0);
		assert_eq!((none.len(), none[0].level), (1, Level::Error));

		let rotating = NodeDetails {
			next_key: Some((B, 99)),
			..node.clone()
		};
		let with = |key, next_key| Ours {
			key,
			next_key,
			..own.clone()
		};
		for (node, ours, expected) in [
			(&rotating, with(A, Some(B)), Level::Ok),
			(&rotating, with(A, None), Level::Warning),
			(&rotating, with(A, Some(C)), Level::Warning),
			(&rotating, with(B, None), Level::Warning),
			(&node, with(A, Some(B)), Level::Warning),
			(&node, with(B, Some(A)), Level::Error),
			(&node, with(B, None), Level::Error),
		] {
			assert_eq!(level(&found(node, &ours), "key"), expected, "{ours:?}");
		}

		let leaving = NodeDetails {
			status: NodeStatus::Draining,
			claimable_at: Some(77),
			..node.clone()
		};
		let finding = status(&leaving);
		assert_eq!(finding.level, Level::Warning);
		assert!(finding.text.contains("77"));

		let mut moved = own.clone();
		moved.addresses.clear();
		assert_eq!(
			level(&found(&node, &moved), "declared-address"),
			Level::Skipped
		);
		moved.addresses = vec![NodeAddress::V4 {
			ip: [1; 4],
			port: 1,
		}];
		assert_eq!(
			level(&found(&node, &moved), "declared-address"),
			Level::Error
		);

		let small = Ours {
			capacity: (1 << 40) - 1,
			..own.clone()
		};
		assert_eq!(level(&found(&node, &small), "capacity"), Level::Error);
		for other in [
			Ours {
				zone: Some(2),
				..own.clone()
			},
			Ours {
				host: Some("x".into()),
				..own.clone()
			},
		] {
			assert_eq!(
				level(&found(&node, &other), "declared-place"),
				Level::Warning
			);
		}
		let slashed = super::node(Some((3, &node)), &own, 99);
		assert_eq!(level(&slashed, "stake"), Level::Error);
	}

	#[test]
	fn another_chain_and_old_maps() {
		assert_eq!(genesis(None, [1; 32]).level, Level::Ok);
		assert_eq!(genesis(Some([1; 32]), [1; 32]).level, Level::Ok);
		assert_eq!(genesis(Some([2; 32]), [1; 32]).level, Level::Error);
		for (held, chain, expected) in [
			(0, 0, Level::Ok),
			(0, 5, Level::Warning),
			(5, 5, Level::Ok),
			(4, 5, Level::Ok),
			(3, 5, Level::Warning),
			(6, 5, Level::Ok),
		] {
			assert_eq!(epoch(held, chain).level, expected, "{held} {chain}");
		}
	}
}
