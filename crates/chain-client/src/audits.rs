//! How nodes fare in audits.

use crate::{
	client::ChainClient,
	contract::{call, storage},
	error::ChainError,
	submit::{payload, Call, Included},
	view::ChainView,
};
use codec::{Decode, Encode};
use hippius_primitives::{
	heartbeat::{page_of, Page},
	NodeIndex, Pg,
};
use subxt_signer::sr25519::Keypair;

/// What the chain remembers of a node's audits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuditRecord {
	/// Passed, in units of 2^-20 audits; older ones weigh less.
	pub passed: u64,
	/// Failed, likewise. It grows with a failed audit only.
	pub failed: u64,
	/// Audits there were.
	pub samples: u32,
	/// Days with data and without jail.
	pub active_days: u32,
	/// The last of them.
	pub last_day: Option<u32>,
}

/// A node's score in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Placing {
	/// The score, 2^30 for the full one.
	pub score: u32,
	/// Bytes it held on average in the last era.
	pub bytes: u64,
}

pub(crate) fn challenge(pg: Pg, slot: u8, offset: u64) -> Call {
	payload(
		&call::CHALLENGE,
		vec![pg.encode(), slot.encode(), offset.encode()],
	)
}

impl ChainView {
	/// A node's record; `None` for one that was never audited.
	pub async fn audit_record(&self, node: NodeIndex) -> Result<Option<AuditRecord>, ChainError> {
		self.entry(&storage::RECORDS, node).await
	}

	/// A node's score in force; `None` before the first era in which it held anything ended.
	pub async fn placing(&self, node: NodeIndex) -> Result<Option<Placing>, ChainError> {
		let (page, place): (Page, usize) = page_of(node);
		let places: Option<Vec<Option<Placing>>> = self.entry(&storage::PLACES, page).await?;
		Ok(places.and_then(|places| places.get(place).copied().flatten()))
	}

	/// Whether so much goes unanswered that nobody is punished.
	pub async fn outage(&self) -> Result<bool, ChainError> {
		let outage: Option<bool> = self.read(&storage::OUTAGE, Vec::new()).await?;
		Ok(outage.unwrap_or(false))
	}
}

impl ChainClient {
	/// Has the holder of a slot asked for byte `offset` of its group's ledger, for a deposit; done when
	/// it is `included`.
	pub async fn challenge(
		&self,
		signer: &Keypair,
		pg: Pg,
		slot: u8,
		offset: u64,
		included: Included,
	) -> Result<(), ChainError> {
		self.submit(signer, &challenge(pg, slot, offset), included)
			.await
			.map(drop)
	}
}
