//! How nodes fare, block by block.

use crate::{
	error::Result,
	trials::{chain, connect},
};
use futures_util::future::try_join_all;
use hippius_chain_client::{At, AuditRecord, BlockNumbers, ChainClient, ChainView};
use hippius_primitives::{registration::NodeStatus, NodeIndex};
use hippius_score::Reputation;
use std::collections::BTreeMap;

/// How a node has fared in audits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fared {
	record: Option<AuditRecord>,
	/// Blocks in which it failed an audit.
	pub(super) misses: u32,
}

impl Fared {
	pub(super) fn samples(&self) -> u32 {
		self.record.map_or(0, |record| record.samples)
	}

	/// Takes in a newer record: failures weigh less with every pass, and more only by another failure.
	fn see(&mut self, record: Option<AuditRecord>) {
		let failed = |record: Option<AuditRecord>| {
			record.map_or(Reputation::NEW.beta, |record| record.failed)
		};
		if record.is_some() && failed(record) > failed(self.record) {
			self.misses += 1;
		}
		self.record = record;
	}
}

/// Follows the finalised chain and remembers how all nodes fared. Not the newest blocks: when those are
/// replaced by others, a record goes back to what it was.
pub(super) struct Watch {
	pub(super) client: ChainClient,
	blocks: BlockNumbers,
	/// The newest finalised block.
	pub(super) block: u32,
	pub(super) fared: BTreeMap<NodeIndex, Fared>,
	pub(super) status: BTreeMap<NodeIndex, NodeStatus>,
	pub(super) outage: bool,
}

impl Watch {
	pub(super) async fn new(url: &str) -> Result<Self> {
		let client = connect(url).await?;
		let blocks = client.follow(At::Finalized).await.map_err(chain)?;
		let mut watch = Self {
			client,
			blocks,
			block: 0,
			fared: BTreeMap::new(),
			status: BTreeMap::new(),
			outage: false,
		};
		watch.next().await?;
		Ok(watch)
	}

	/// Waits for a finalised block.
	pub(super) async fn next(&mut self) -> Result<ChainView> {
		self.blocks.next().await.map_err(chain)?;
		let view = self.client.at(At::Finalized).await.map_err(chain)?;
		self.block = view.number();
		let nodes = view.nodes().await.map_err(chain)?;
		let records = try_join_all(nodes.iter().map(|node| view.audit_record(node.index)));
		let records = records.await.map_err(chain)?;
		for (node, record) in nodes.iter().zip(records) {
			self.fared.entry(node.index).or_default().see(record);
			self.status.insert(node.index, node.status);
		}
		self.outage |= view.outage().await.map_err(chain)?;
		Ok(view)
	}

	pub(super) fn fared(&self, node: NodeIndex) -> Fared {
		self.fared.get(&node).copied().unwrap_or_default()
	}

	/// Samples and misses of all but these.
	pub(super) fn of_others(&self, but: &[NodeIndex]) -> (u32, u32) {
		let others = self.fared.iter().filter(|(node, _)| !but.contains(node));
		others.fold((0, 0), |(samples, misses), (_, fared)| {
			(samples + fared.samples(), misses + fared.misses)
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn record(failed: u64, samples: u32) -> Option<AuditRecord> {
		Some(AuditRecord {
			passed: 1,
			failed,
			samples,
			active_days: 0,
			last_day: None,
		})
	}

	#[test]
	fn a_failed_audit_is_told_from_passes() {
		let mut fared = Fared::default();
		fared.see(None);
		fared.see(record(Reputation::NEW.beta - 10, 1));
		fared.see(record(Reputation::NEW.beta - 20, 2));
		assert_eq!((fared.samples(), fared.misses), (2, 0));
		fared.see(record(Reputation::NEW.beta + 5, 3));
		fared.see(record(Reputation::NEW.beta + 5, 3));
		assert_eq!((fared.samples(), fared.misses), (3, 1));
		// A first audit that failed.
		let mut fared = Fared::default();
		fared.see(record(Reputation::NEW.beta + 1, 1));
		assert_eq!(fared.misses, 1);
		// Forgotten at the eviction.
		fared.see(None);
		assert_eq!((fared.samples(), fared.misses), (0, 1));
	}
}
