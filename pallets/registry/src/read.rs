//! Reading the registry: the view functions' bodies and the seam to other pallets.

use crate::{Config, NextNodeIndex, NodeInfoOf, Nodes, Pallet, Revision};
use alloc::vec::Vec;
use hippius_primitives::{
	registration::{NodeParams, NodeRecord},
	traits::NodeRegistry,
	NodeIndex,
};

impl<T: Config> Pallet<T> {
	/// A node as clients see it.
	pub(crate) fn record(index: NodeIndex) -> Option<NodeRecord> {
		Nodes::<T>::get(index).map(|info| into_record::<T>(index, info))
	}

	/// At most `limit` nodes from `from` on, ascending.
	pub(crate) fn records_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		Self::live_from(from, limit)
			.into_iter()
			.filter_map(Self::record)
			.collect()
	}
}

fn into_record<T: Config>(index: NodeIndex, info: NodeInfoOf<T>) -> NodeRecord {
	NodeRecord {
		index,
		family: info.family.into(),
		key: info.key,
		next_key: info.next_key.map(|(key, _)| key),
		params: NodeParams {
			zone: info.zone,
			host: info.host.into_inner(),
			capacity: info.capacity,
			addresses: info.addresses.into_inner(),
		},
		status: info.status,
	}
}

impl<T: Config> NodeRegistry for Pallet<T> {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		Self::record(index)
	}

	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		Self::records_from(from, limit)
	}

	fn revision() -> u64 {
		Revision::<T>::get()
	}

	fn end() -> NodeIndex {
		NextNodeIndex::<T>::get()
	}

	fn count() -> u32 {
		Nodes::<T>::count()
	}

	fn live(page: u32) -> [u64; 4] {
		Self::live_quarter(page)
	}
}
