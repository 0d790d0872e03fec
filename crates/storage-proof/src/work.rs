//! What the chain's offchain worker and a miner daemon say to each other about ledgers and audits.
//!
//! In each run the worker sends one [`WorkOrder`] and gets one [`WorkReport`]; both are SCALE over
//! loopback HTTP. Neither side trusts the other beyond that: the daemon signs only for its own node and
//! for the chain it is bound to, the chain checks all that is signed.

use crate::{answer::Answer, Batch, Peaks};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use hippius_primitives::{
	audit::AskedOf, heartbeat::LifeSign, ledger::CleanReport, Epoch, NodeIndex, Pg,
};

/// `POST` takes a [`WorkOrder`] and answers a [`WorkReport`].
pub const WORK_PATH: &str = "/v1/work";
/// Largest body of a [`WorkOrder`] a daemon takes, in bytes.
pub const MAX_WORK_ORDER: usize = 4 * 1024 * 1024;
/// Largest [`WorkReport`] a worker reads, in bytes.
pub const MAX_WORK_REPORT: usize = 1024 * 1024;
/// Most things asked of a node in one order.
pub const MAX_ORDER_ASKED: usize = 64;
/// Most groups an order brings ledgers of, and a report wants.
pub const MAX_ORDER_LEDGERS: usize = 64;
/// Most batches an order brings, over all its groups.
pub const MAX_ORDER_BATCHES: usize = 16_384;

/// What a worker tells a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WorkOrder {
	/// Hash of the chain's block 0; a daemon bound to another chain refuses.
	pub genesis: [u8; 32],
	/// The block whose state this is, its number.
	pub best: u32,
	/// The epoch of the current map.
	pub epoch: Epoch,
	/// What is asked of the node and not answered in the chain, at most [`MAX_ORDER_ASKED`]; empty as
	/// long as the worker does not know the node's number.
	pub asked: Vec<AskedOf>,
	/// The ledgers of groups that are asked about or that the daemon's last report wanted, at most
	/// [`MAX_ORDER_LEDGERS`].
	pub ledgers: Vec<GroupLedger>,
	/// What to sign if the node is called silent and lives.
	pub life: Option<LifeOrder>,
}

/// What the chain has of a group's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GroupLedger {
	/// The group.
	pub pg: Pg,
	/// What proofs must lead to: the ledger as of the last snapshot.
	pub challengeable: Peaks,
	/// The ledger now; a clean report is about all of its batches.
	pub newest: Peaks,
	/// The number of the first of `batches`.
	pub first: u64,
	/// Batches in their order, as far as the worker has them; they are to be checked against peaks.
	pub batches: Vec<Batch>,
	/// Whether a report of the node that the group is clean may count: the group is not clean at the
	/// order's epoch, or the node's slot has a gap. A report that says nothing new of one of its groups
	/// is refused as a whole, so nothing is reported of other groups.
	pub unclean: bool,
}

/// The sign of life a silent node may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LifeOrder {
	/// What to sign.
	pub sign: LifeSign,
	/// Hash of the block before the sign's window.
	pub anchor: [u8; 32],
}

/// What a daemon has for the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct WorkReport {
	/// The node's number, as far as a map told it.
	pub node: Option<NodeIndex>,
	/// Answers that are ready, to be submitted now. An answer whose proof takes long comes with a later
	/// report; one is given again for as long as it is asked for.
	pub answers: Vec<Answer>,
	/// That groups are clean, with the signature over [`CleanReport::payload`].
	pub clean: Option<(CleanReport, [u8; 64])>,
	/// Signature over [`LifeSign::payload`] of the order's sign.
	pub life: Option<[u8; 64]>,
	/// Groups of which the daemon lacks the order of batches (or wants to compare peaks) and the number of
	/// the first batch it lacks, at most [`MAX_ORDER_LEDGERS`].
	pub wants: Vec<(Pg, u64)>,
}
