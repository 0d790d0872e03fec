//! The exceptions a cluster map carries: what is checked of them when the map is, and how they are put
//! into the mappings.

use crate::cluster::ClusterMap;
use crate::error::{MapError, PlaceError};
use crate::mapper::Workspace;
use crate::placement::{Placement, SLOTS};
use crate::table::Slots;
use crate::upmap::{apply_items, UpmapItem};
use alloc::vec::Vec;
use core::fmt;
use hippius_primitives::{NodeIndex, Pg};

/// Most exceptions of a map.
pub const MAX_EXCEPTIONS: usize = 1 << 14;

/// Why the exceptions of a map are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionsError {
	/// More than [`MAX_EXCEPTIONS`].
	TooMany(usize),
	/// The map does not have the placement group.
	UnknownPg {
		/// The group.
		pg: Pg,
		/// The map's number of groups.
		pg_num: u32,
	},
	/// They do not ascend by group and giving node.
	NotAscending {
		/// The position of the first that does not.
		at: usize,
	},
	/// A group has more exceptions than slots.
	TooManyOfPg {
		/// The group.
		pg: Pg,
		/// Its number of exceptions.
		count: usize,
	},
	/// Exceptions of a group name a node more than once.
	NodeTwice {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
	/// The map does not have the node.
	UnknownNode {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
}

impl fmt::Display for ExceptionsError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::TooMany(count) => write!(
				f,
				"{count} placement exceptions, more than the {MAX_EXCEPTIONS} allowed"
			),
			Self::UnknownPg { pg, pg_num } => write!(
				f,
				"an exception of placement group {pg}, but the map has only {pg_num}"
			),
			Self::NotAscending { at } => write!(
				f,
				"the placement exceptions are not in ascending order at position {at}"
			),
			Self::TooManyOfPg { pg, count } => write!(
				f,
				"placement group {pg} has {count} exceptions, more than the {SLOTS} slots"
			),
			Self::NodeTwice { pg, node } => write!(
				f,
				"the exceptions of placement group {pg} name node {node} more than once"
			),
			Self::UnknownNode { pg, node } => write!(
				f,
				"an exception of placement group {pg} names node {node}, which is not in the map"
			),
		}
	}
}

impl core::error::Error for ExceptionsError {}

/// Checks the form of a map's exceptions. Whether they are allowed depends on the mappings and is seen
/// when those are computed.
pub(crate) fn check_exceptions(map: &ClusterMap) -> Result<(), MapError> {
	check(map).map_err(MapError::Exceptions)
}

fn check(map: &ClusterMap) -> Result<(), ExceptionsError> {
	let items = &map.exceptions;
	if items.is_empty() {
		return Ok(());
	}
	if items.len() > MAX_EXCEPTIONS {
		return Err(ExceptionsError::TooMany(items.len()));
	}
	let mut known: Vec<NodeIndex> = map.nodes().map(|node| node.index).collect();
	known.sort_unstable();
	for (at, pair) in items.windows(2).enumerate() {
		if (pair[0].pg, pair[0].from) > (pair[1].pg, pair[1].from) {
			return Err(ExceptionsError::NotAscending { at: at + 1 });
		}
	}
	for group in items.chunk_by(|a, b| a.pg == b.pg) {
		let (pg, pg_num, count) = (group[0].pg, map.pg_num, group.len());
		if pg >= pg_num {
			return Err(ExceptionsError::UnknownPg { pg, pg_num });
		}
		if count > SLOTS {
			return Err(ExceptionsError::TooManyOfPg { pg, count });
		}
		let mut named: Vec<_> = group.iter().flat_map(|item| [item.from, item.to]).collect();
		named.sort_unstable();
		if let Some(pair) = named.windows(2).find(|pair| pair[0] == pair[1]) {
			let node = pair[0];
			return Err(ExceptionsError::NodeTwice { pg, node });
		}
		let unknown = named.iter().find(|node| known.binary_search(node).is_err());
		if let Some(&node) = unknown {
			return Err(ExceptionsError::UnknownNode { pg, node });
		}
	}
	Ok(())
}

impl Placement {
	/// All exceptions of the map, ascending, also those it does not allow.
	pub fn exceptions(&self) -> &[UpmapItem] {
		&self.exceptions
	}

	/// The mapping of a placement group by the rule alone, as exceptions are judged by.
	pub fn raw(&self, pg: Pg) -> Result<Slots, PlaceError> {
		self.raw_in(pg, &mut Workspace::default())
			.map(|(slots, _)| slots)
	}

	/// The map's exceptions of a group.
	fn exceptions_of(&self, pg: Pg) -> &[UpmapItem] {
		let from = self.exceptions.partition_point(|item| item.pg < pg);
		let items = &self.exceptions[from..];
		&items[..items.partition_point(|item| item.pg == pg)]
	}

	/// Puts the map's exceptions of a group into its raw mapping, or into a zone's part of it, in order,
	/// without those that are not allowed beside the ones before.
	///
	/// The rules compare nodes of one zone only, so a zone's part gives what the whole gives.
	pub(crate) fn except(&self, pg: Pg, slots: &mut Slots) {
		let items = self.exceptions_of(pg);
		if items.is_empty() {
			return;
		}
		let mut allowed = Vec::with_capacity(items.len());
		for item in items {
			if self.verify_item(slots, &allowed, item).is_ok() {
				allowed.push(*item);
			}
		}
		apply_items(slots, &allowed);
	}
}
