//! Gathering the receipts of a batch from the members of its placement group.

use crate::{
	cluster::{ClusterError, ClusterSource, Node},
	peers::Peers,
};
use arion_storage_proof::{stripes::owner_shares, Blake2, ProofError, StripeEntry, SumTree};
use futures_util::{stream, StreamExt};
use hippius_primitives::{
	ledger::{owners_hash, OwnerShare},
	receipt::{verify_receipt, BatchRef, Receipt, MAX_RECEIPT_STRIPES},
	Epoch, NodeIndex, Pg,
};
use std::time::Duration;

/// Members asked at a time.
const WIDTH: usize = 30;

/// Why no receipts can be asked for.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
	/// Too many stripes, or a bad length.
	#[error("a batch of {stripes} stripes: {cause}; at most {MAX_RECEIPT_STRIPES} fit")]
	Batch {
		/// Stripes given.
		stripes: usize,
		/// What is wrong.
		cause: ProofError,
	},
	/// The group's members are not known.
	#[error(transparent)]
	Cluster(#[from] ClusterError),
}

/// A batch and what its group's members signed for it.
#[derive(Clone, Debug)]
pub struct Receipts {
	/// The batch.
	pub batch: BatchRef,
	/// Checked receipts with the slot of who signed, by slot.
	pub receipts: Vec<(u8, Receipt)>,
	/// Members without one: slot, node if the map has one, reason.
	pub missing: Vec<(u8, Option<NodeIndex>, String)>,
}

impl Receipts {
	/// Members that hold **all** stripes of the batch: what an append to the ledger counts.
	pub fn complete(&self) -> usize {
		let stripes = self.batch.stripes;
		let whole = |(_, receipt): &&(u8, Receipt)| receipt.body.count() == stripes;
		self.receipts.iter().filter(whole).count()
	}
}

/// What each owner has of these entries, by ascending owner.
///
/// # Errors
/// [`ReceiptsError::Batch`] if an entry's length is none, or they add up to too much.
pub fn shares_of(entries: &[StripeEntry]) -> Result<Vec<OwnerShare>, ReceiptsError> {
	owner_shares(entries).map_err(|cause| ReceiptsError::Batch {
		stripes: entries.len(),
		cause,
	})
}

/// The batch that these entries of placement group `pg` make, in their order.
pub fn batch_of(
	genesis: [u8; 32],
	pg: Pg,
	epoch: Epoch,
	entries: &[StripeEntry],
) -> Result<BatchRef, ReceiptsError> {
	let bad = |cause| ReceiptsError::Batch {
		stripes: entries.len(),
		cause,
	};
	if entries.len() > MAX_RECEIPT_STRIPES as usize {
		return Err(bad(ProofError::LeafCount(entries.len() as u64)));
	}
	let made = SumTree::build::<Blake2>(entries.to_vec())
		.map_err(bad)?
		.batch();
	Ok(BatchRef {
		genesis,
		pg,
		epoch,
		root: made.root,
		bytes: made.bytes,
		stripes: made.stripes,
		owners: owners_hash(&shares_of(entries)?),
	})
}

/// Asks every member of the batch's placement group for its receipt, all at once, each for at most
/// `patience`. Only receipts that count on chain are kept: of this batch, of that node, signed by
/// its key.
pub async fn collect_receipts(
	cluster: &dyn ClusterSource,
	peers: &Peers,
	batch: BatchRef,
	entries: &[StripeEntry],
	patience: Duration,
) -> Result<Receipts, ReceiptsError> {
	let layout = cluster
		.layout(batch.epoch)
		.await?
		.ok_or(ClusterError::NoMap)?;
	let members = (0u8..).zip(layout.members(batch.pg)?);
	let asked = members.map(|(slot, index)| async move {
		let Some(node) = index.and_then(|index| cluster.node(index)) else {
			return (slot, index, Err("no such node is known".to_owned()));
		};
		let receipt = ask(peers, &node, &batch, entries, patience).await;
		(slot, Some(node.index), receipt)
	});
	let mut answers: Vec<_> = stream::iter(asked).buffer_unordered(WIDTH).collect().await;
	answers.sort_by_key(|(slot, _, _)| *slot);
	let (mut receipts, mut missing) = (Vec::new(), Vec::new());
	for (slot, index, answer) in answers {
		match answer {
			Ok(receipt) => receipts.push((slot, receipt)),
			Err(reason) => missing.push((slot, index, reason)),
		}
	}
	Ok(Receipts {
		batch,
		receipts,
		missing,
	})
}

async fn ask(
	peers: &Peers,
	node: &Node,
	batch: &BatchRef,
	entries: &[StripeEntry],
	patience: Duration,
) -> Result<Receipt, String> {
	let peer = peers.peer(node);
	let receipt = tokio::time::timeout(patience, peer.receipt(batch, entries))
		.await
		.map_err(|_| format!("no receipt within {patience:?}"))?
		.map_err(|error| error.to_string())?;
	verify_receipt(&receipt, batch, node.index, &node.key, arion_grid::verify)
		.map_err(|error| error.to_string())?;
	Ok(receipt)
}
