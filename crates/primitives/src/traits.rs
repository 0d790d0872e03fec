//! Seams between pallets: each is one trait, and `()` implements it.

use crate::{registration::NodeRecord, Epoch, NodeIndex};
use alloc::vec::Vec;

/// Read access to the registered nodes.
pub trait NodeRegistry {
	/// A node by its number.
	fn node(index: NodeIndex) -> Option<NodeRecord>;
	/// At most `limit` nodes with numbers of at least `from`, in ascending order.
	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord>;
	/// Changes whenever anything that the cluster map depends on changes.
	fn revision() -> u64;
}

impl NodeRegistry for () {
	fn node(_: NodeIndex) -> Option<NodeRecord> {
		None
	}
	fn nodes_from(_: NodeIndex, _: u32) -> Vec<NodeRecord> {
		Vec::new()
	}
	fn revision() -> u64 {
		0
	}
}

/// Read access to the cluster map's history.
pub trait ClusterMaps {
	/// The newest epoch, 0 if there is none.
	fn current_epoch() -> Epoch;
	/// SCALE of the map of `epoch`, while it is kept.
	fn map_blob(epoch: Epoch) -> Option<Vec<u8>>;
	/// blake2-256 of the map of `epoch`; kept for ever.
	fn map_hash(epoch: Epoch) -> Option<[u8; 32]>;
}

impl ClusterMaps for () {
	fn current_epoch() -> Epoch {
		0
	}
	fn map_blob(_: Epoch) -> Option<Vec<u8>> {
		None
	}
	fn map_hash(_: Epoch) -> Option<[u8; 32]> {
		None
	}
}

/// Which zones nodes may name.
pub trait Zones {
	/// Whether the placement zone exists.
	fn exists(zone: u8) -> bool;
}

impl Zones for () {
	fn exists(_: u8) -> bool {
		true
	}
}
