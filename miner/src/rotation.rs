//! Follows the chain through a rotation of the node key while the miner runs.
//!
//! While a map shows the next key beside the current one, peers accept either, so some time into the
//! overlap the miner begins to show the next one. When a map shows that key alone, connections made
//! under the old one are ended. The files are the business of `arion-miner keys` ([`crate::keys`]).

use crate::{epochs::Epochs, files::BasePath, keys::Keys, service::Signer, MinerError};
use arion_grid::{Grid, Identity};
use hippius_primitives::{daemon::EpochUpdate, NodeKey};
use std::{
	sync::{Arc, PoisonError},
	time::Duration,
};
use tokio::sync::Notify;

/// How long the miner waits with the next key after the first map that shows it: gateways get the
/// map at about the same time.
pub const SETTLE: Duration = Duration::from_secs(30);

/// What a map says of a node's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
	/// Nothing is to be done.
	Steady,
	/// The key may be shown beside the present one.
	Both(NodeKey),
	/// The key is the only one.
	Only(NodeKey),
}

/// `shown` is the key in use, `ours` those there are files of.
fn stage(update: &EpochUpdate, shown: NodeKey, ours: &[NodeKey]) -> Stage {
	for key in ours.iter().filter(|key| **key != shown) {
		for node in &update.nodes {
			if node.key == *key && node.next_key != Some(shown) {
				return Stage::Only(*key);
			}
			if node.key == shown && node.next_key == Some(*key) {
				return Stage::Both(*key);
			}
		}
	}
	Stage::Steady
}

/// Changes the key of a running miner.
pub struct KeySwitch {
	/// Where the keys are.
	pub base: BasePath,
	/// The transport.
	pub grid: Arc<Grid>,
	/// Who signs receipts.
	pub signer: Signer,
	/// The maps.
	pub epochs: Arc<Epochs>,
	/// See [`SETTLE`].
	pub settle: Duration,
	/// Told when there is a new map.
	pub changed: Notify,
}

impl KeySwitch {
	/// The node's key is `next` from now on: new connections are made under it, and receipts signed
	/// with it. Connections made before go on until [`Self::retire`].
	pub fn rotate(&self, next: Arc<Identity>) -> Result<(), MinerError> {
		let key = next.node_key();
		self.grid.set_identity(next.clone())?;
		*self.signer.write().unwrap_or_else(PoisonError::into_inner) = next;
		self.epochs.set_key(key);
		Ok(())
	}

	/// Ends the connections that were made under a key that is no longer valid; tells how many.
	pub fn retire(&self, old: &NodeKey) -> usize {
		self.grid.retire(old)
	}

	/// Does what each new map asks for, until dropped.
	pub async fn run(&self) {
		// The key in use before the present one, if connections may still be under it.
		let mut old = None;
		loop {
			if let Err(error) = self.follow(&mut old).await {
				tracing::error!(%error, "the node key cannot be changed");
			}
			self.changed.notified().await;
		}
	}

	/// Does what the held map asks for.
	pub async fn follow(&self, old: &mut Option<NodeKey>) -> Result<(), MinerError> {
		if let (Stage::Both(_), _) = self.look()? {
			// Another map in between is as good: by then everybody has this one.
			tokio::select! {
				() = tokio::time::sleep(self.settle) => {}
				() = self.changed.notified() => {}
			}
		}
		let (stage, keys) = self.look()?;
		let shown = self.grid.node_key();
		if let Stage::Both(key) | Stage::Only(key) = stage {
			let next = keys.into_iter().find(|identity| identity.node_key() == key);
			if let Some(next) = next {
				self.rotate(Arc::new(next))?;
				*old = Some(shown);
			}
		}
		let shown = self.grid.node_key();
		let Some(held) = self.epochs.held() else {
			return Ok(());
		};
		let nodes = &held.update.nodes;
		let alone = nodes.iter().any(|node| node.key == shown);
		if let Some(key) = old.filter(|_| alone) {
			let ended = self.retire(&key);
			tracing::info!(old = %key, connections = ended, "the old node key is no longer valid");
			*old = None;
		}
		Ok(())
	}

	fn look(&self) -> Result<(Stage, Vec<Identity>), MinerError> {
		let Some(held) = self.epochs.held() else {
			return Ok((Stage::Steady, Vec::new()));
		};
		let keys = Keys::load(&self.base)?;
		let ours = keys.public();
		let stage = stage(&held.update, self.grid.node_key(), &ours);
		Ok((
			stage,
			[Some(keys.current), keys.next]
				.into_iter()
				.flatten()
				.collect(),
		))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use hippius_primitives::registration::{NodeParams, NodeRecord, NodeStatus};

	const A: NodeKey = NodeKey([1; 32]);
	const B: NodeKey = NodeKey([2; 32]);
	const C: NodeKey = NodeKey([3; 32]);

	fn map(key: NodeKey, next_key: Option<NodeKey>) -> EpochUpdate {
		EpochUpdate {
			genesis: [1; 32],
			epoch: 1,
			map_hash: [0; 32],
			map: Vec::new(),
			nodes: vec![NodeRecord {
				index: 0,
				family: [0; 32],
				key,
				next_key,
				params: NodeParams {
					zone: 0,
					host: Vec::new(),
					capacity: 0,
					addresses: Vec::new(),
				},
				status: NodeStatus::Active,
			}],
		}
	}

	#[test]
	fn each_map_says_what_to_show() {
		for (update, shown, ours, expected) in [
			(map(A, None), A, vec![A], Stage::Steady),
			(map(A, None), A, vec![A, B], Stage::Steady),
			(map(A, Some(B)), A, vec![A, B], Stage::Both(B)),
			// Its file is not here.
			(map(A, Some(C)), A, vec![A, B], Stage::Steady),
			// Shown already.
			(map(A, Some(B)), B, vec![A, B], Stage::Steady),
			(map(B, None), B, vec![A, B], Stage::Steady),
			(map(B, None), A, vec![A, B], Stage::Only(B)),
			// Renamed meanwhile.
			(map(B, None), A, vec![B], Stage::Only(B)),
			// Another announced key took the place of the one that is shown.
			(map(A, None), B, vec![A, B], Stage::Only(A)),
		] {
			assert_eq!(stage(&update, shown, &ours), expected, "{update:?}");
		}
	}
}
