//! The order of batches in this node's storage.
//!
//! An append leaves what is below each new node of a ledger, by offchain indexing. That is written with
//! every block this node executes, on all forks; reading starts from the peaks of one state and finds
//! only what belongs to it. A node that took over a state without executing the blocks before it has
//! nothing of them.

use alloc::vec::Vec;
use arion_storage_proof::{
	index::{batches_from, index_key, Below},
	Batch, Peaks,
};
use codec::{Decode, Encode};
use hippius_primitives::Pg;
use sp_core::offchain::StorageKind;

/// Leaves what is below a node of a group's ledger; to be called where the append is executed.
pub fn note(pg: Pg, node: &[u8; 32], below: &Below) {
	sp_io::offchain_index::set(&index_key(pg, node), &below.encode());
}

/// The batches of a group's ledger from number `from` on, at most `most`, as far as this node has them.
pub fn batches(pg: Pg, peaks: &Peaks, from: u64, most: usize) -> Vec<Batch> {
	batches_from(peaks, from, most, |node| {
		let bytes =
			sp_io::offchain::local_storage_get(StorageKind::PERSISTENT, &index_key(pg, node))?;
		Below::decode(&mut &bytes[..]).ok()
	})
}
