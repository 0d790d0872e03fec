//! The ledgers of placement groups.

use crate::{
	client::ChainClient,
	contract::{call, runtime_api},
	error::ChainError,
	submit::{payload, Call, Included},
	view::ChainView,
};
use arion_storage_proof::{Batch, Peaks};
use codec::{Decode, Encode};
use hippius_primitives::{
	ledger::{CompactReceipt, OwnerShare},
	Epoch, NodeIndex, Pg,
};
use subxt_signer::sr25519::Keypair;

/// A batch to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
	/// The placement group.
	pub pg: Pg,
	/// The epoch the receipts are of.
	pub epoch: Epoch,
	/// The batch.
	pub batch: Batch,
	/// What each owner has of it, by ascending owner.
	pub owners: Vec<OwnerShare>,
	/// At least 20 members' receipts, at most one of each.
	pub receipts: Vec<CompactReceipt>,
}

/// What a slot lacks of its group's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Gap {
	/// The first batch it lacks stripes of.
	pub first: u64,
	/// The last one.
	pub last: u64,
	/// How many stripes it lacked when their batches were appended.
	pub stripes: u64,
	/// Until this block nobody is asked for the slot's bytes.
	pub until: u32,
}

/// A group's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LedgerState {
	/// The range over all of its batches.
	pub peaks: Peaks,
	/// The range audits are checked against.
	pub challengeable: Peaks,
	/// Bytes of the batches that were released as a whole.
	pub released: u64,
	/// The group's last clean epoch.
	pub clean: Epoch,
	/// What slots lack, by slot.
	pub gaps: Vec<(u8, Gap)>,
	/// The nodes that must answer, by slot; `None` for holes and slots being filled.
	pub holders: Vec<Option<NodeIndex>>,
}

pub(crate) fn append(append: &Append) -> Call {
	payload(
		&call::APPEND,
		vec![
			append.pg.encode(),
			append.epoch.encode(),
			append.batch.encode(),
			append.owners.encode(),
			append.receipts.encode(),
		],
	)
}

impl ChainView {
	/// A group's ledger; `None` for a group that has none.
	pub async fn ledger(&self, pg: Pg) -> Result<Option<LedgerState>, ChainError> {
		self.call(&runtime_api::LEDGER, &pg.encode()).await
	}
}

impl ChainClient {
	/// Appends a batch to its group's ledger; done when it is `included`.
	pub async fn append_batch(
		&self,
		signer: &Keypair,
		batch: &Append,
		included: Included,
	) -> Result<(), ChainError> {
		self.submit(signer, &append(batch), included)
			.await
			.map(drop)
	}
}
