//! Why a placement exception is refused.

use crate::error::PlaceError;
use crate::upmap::{UpmapItem, MAX_PER_FAMILY};
use core::{fmt, ops::Range};
use hippius_primitives::{Epoch, NodeIndex, Pg};

/// Why an exception is refused, or nothing can be balanced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpmapError {
	/// The placement group does not exist or cannot be mapped.
	Place(PlaceError),
	/// The node holds no slot by the raw mapping.
	NotHeld {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
	/// The map does not have the node.
	UnknownNode {
		/// The node.
		node: NodeIndex,
	},
	/// The node's crush weight is 0: it is to be emptied, not filled.
	NoWeight {
		/// The node.
		node: NodeIndex,
	},
	/// The node is out for the placement group.
	Out {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
	/// The nodes are in different zones.
	OtherZone {
		/// The node that gives.
		from: NodeIndex,
		/// The node that takes.
		to: NodeIndex,
	},
	/// The node already has a slot of the group, by the raw mapping or another exception.
	AlreadyHolds {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
	/// The node's slot already has an exception.
	MovedTwice {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
	/// The failure domain of the node has a slot of the group already.
	DomainUsed {
		/// The group.
		pg: Pg,
		/// The node that was to take a slot.
		to: NodeIndex,
		/// The other node of its failure domain.
		by: NodeIndex,
	},
	/// The family of the node would have more than [`MAX_PER_FAMILY`] slots of the group.
	FamilyFull {
		/// The group.
		pg: Pg,
		/// The node that was to take a slot.
		to: NodeIndex,
	},
	/// The table to be balanced is of another epoch than the placement.
	OtherEpoch {
		/// Epoch of the table.
		table: Epoch,
		/// Epoch of the placement.
		placement: Epoch,
	},
	/// The table to be balanced has groups that the placement does not have.
	OtherGroups {
		/// Groups of the table.
		table: Range<Pg>,
		/// Number of groups of the placement.
		pg_num: u32,
	},
	/// The table to be balanced gives a slot to a node of another zone or to none of the map.
	NotRaw {
		/// The group.
		pg: Pg,
		/// The slot.
		slot: u8,
	},
	/// An exception that exists is not valid by this map; drop such first.
	Stale(UpmapItem),
}

impl fmt::Display for UpmapError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Place(error) => error.fmt(f),
			Self::NotHeld { pg, node } => write!(
				f,
				"node {node} holds no slot of placement group {pg} by the map"
			),
			Self::UnknownNode { node } => write!(f, "node {node} is not in the map"),
			Self::NoWeight { node } => {
				write!(f, "node {node} has weight 0 and must not get more slots")
			}
			Self::Out { pg, node } => {
				write!(f, "node {node} is out for placement group {pg}")
			}
			Self::OtherZone { from, to } => {
				write!(f, "nodes {from} and {to} are in different zones")
			}
			Self::AlreadyHolds { pg, node } => {
				write!(
					f,
					"node {node} already holds a slot of placement group {pg}"
				)
			}
			Self::MovedTwice { pg, node } => write!(
				f,
				"the slot of node {node} in placement group {pg} already has an exception"
			),
			Self::DomainUsed { pg, to, by } => write!(
				f,
				"placement group {pg}: node {to} shares its failure domain with node {by}, which has a slot"
			),
			Self::FamilyFull { pg, to } => write!(
				f,
				"placement group {pg}: the family of node {to} already has {MAX_PER_FAMILY} slots"
			),
			Self::OtherEpoch { table, placement } => write!(
				f,
				"the table is of epoch {table}, the map of epoch {placement}"
			),
			Self::OtherGroups { table, pg_num } => write!(
				f,
				"the table has the placement groups {}..{}, the map only {pg_num}",
				table.start, table.end
			),
			Self::NotRaw { pg, slot } => write!(
				f,
				"slot {slot} of placement group {pg} in the table is not what the map can give"
			),
			Self::Stale(item) => write!(
				f,
				"the exception of placement group {} from node {} to node {} is not valid any more; \
				 drop such before balancing",
				item.pg, item.from, item.to
			),
		}
	}
}

impl core::error::Error for UpmapError {
	fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
		match self {
			Self::Place(error) => Some(error),
			_ => None,
		}
	}
}
