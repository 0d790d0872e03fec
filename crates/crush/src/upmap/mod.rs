//! Placement exceptions: single slots that another node holds than the calculator says.
//!
//! An exception is judged by the map and the raw mapping of its placement group, together with the
//! group's other exceptions. The rules are such that every part of a valid set is valid, in any order:
//! what an exception moves away still counts as used for the others. So exceptions can be proposed,
//! verified and dropped one by one.
//!
//! The map carries them ([`ClusterMap::exceptions`](crate::ClusterMap::exceptions)), and whatever a
//! [`Placement`] says of a group is with those of the map that it allows. [`Placement::raw`] is without.

mod balance;
mod error;
mod in_map;

pub use balance::{Balance, BalanceOptions, Spread};
pub use error::UpmapError;
pub(crate) use in_map::check_exceptions;
pub use in_map::{ExceptionsError, MAX_EXCEPTIONS};

use crate::error::PlaceError;
use crate::mapper::{is_out, Workspace};
use crate::placement::{NodePlace, Placement};
use crate::table::{PgTable, Slots};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::{NodeIndex, Pg};
use scale_info::TypeInfo;

/// Most shards of a stripe that a family may hold, under any rule.
pub const MAX_PER_FAMILY: usize = 3;

/// In placement group `pg`, the slot of `from` is held by `to`.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct UpmapItem {
	/// The placement group.
	#[codec(compact)]
	pub pg: Pg,
	/// The node whose slot it is by the raw mapping.
	#[codec(compact)]
	pub from: NodeIndex,
	/// The node that holds it instead.
	#[codec(compact)]
	pub to: NodeIndex,
}

/// Puts a group's exceptions into its raw mapping. One whose `from` holds no slot there, or whose `to`
/// already holds one, is left out; after [`Placement::verify_item`] there is none.
pub fn apply_items(slots: &mut Slots, items: &[UpmapItem]) {
	let raw = *slots;
	for item in items {
		let slot = raw.iter().position(|held| *held == Some(item.from));
		if let (Some(slot), false) = (slot, slots.contains(&Some(item.to))) {
			slots[slot] = Some(item.to);
		}
	}
}

impl PgTable {
	/// Puts exceptions into a table of raw mappings, as [`apply_items`] does for each group. Those of
	/// groups that are not in the table are left out.
	pub fn apply_items(&mut self, items: &[UpmapItem]) {
		let mut items = items.to_vec();
		items.sort_by_key(|item| item.pg);
		for items in items.chunk_by(|a, b| a.pg == b.pg) {
			let pg = items[0].pg;
			let Some(raw) = self.slots(pg) else { continue };
			let mut slots = raw;
			apply_items(&mut slots, items);
			for ((slot, before), after) in (0u8..).zip(raw).zip(slots) {
				if before != after {
					self.replace(pg, slot, after);
				}
			}
		}
	}
}

impl Placement {
	/// The slots of a placement group with these exceptions instead of the map's; those of other groups
	/// are left out.
	pub fn up_with(&self, pg: Pg, items: &[UpmapItem]) -> Result<Slots, PlaceError> {
		let mut slots = self.raw(pg)?;
		let items: Vec<_> = items.iter().copied().filter(|item| item.pg == pg).collect();
		apply_items(&mut slots, &items);
		Ok(slots)
	}

	/// Whether an exception may be added to the `existing` ones, of which only those of its own group
	/// count. `raw` is the group's mapping by the rule alone ([`Self::raw`]).
	///
	/// `from` holds a slot of the group, of which there is no exception yet. `to` is in the map, weighs
	/// something, is not out for the group, and neither the raw mapping nor another exception gives it
	/// a slot. Both are in the same zone. The failure domain of `to` is used by no other node of the raw
	/// mapping and no other exception, and its family has at most [`MAX_PER_FAMILY`] slots.
	///
	/// Families are counted by their buckets, that is within a zone. Under family domains a family
	/// keeps at most one slot per zone, so the zones that the map lets it be in bound its slots.
	pub fn verify_item(
		&self,
		raw: &Slots,
		existing: &[UpmapItem],
		item: &UpmapItem,
	) -> Result<(), UpmapError> {
		let UpmapItem { pg, from, to } = *item;
		self.check_pg(pg).map_err(UpmapError::Place)?;
		let (Some(source), Some(target)) = (self.place(from), self.place(to)) else {
			let known = self.contains(from);
			let node = if known { to } else { from };
			return Err(UpmapError::UnknownNode { node });
		};
		if !raw.contains(&Some(from)) {
			return Err(UpmapError::NotHeld { pg, node: from });
		}
		if target.weight == 0 {
			return Err(UpmapError::NoWeight { node: to });
		}
		if self.is_out_for(pg, to) {
			return Err(UpmapError::Out { pg, node: to });
		}
		if target.zone != source.zone {
			return Err(UpmapError::OtherZone { from, to });
		}
		if raw.contains(&Some(to)) {
			return Err(UpmapError::AlreadyHolds { pg, node: to });
		}
		let others = || existing.iter().filter(|other| other.pg == pg);
		if others().any(|other| other.from == from) {
			return Err(UpmapError::MovedTwice { pg, node: from });
		}
		if others().any(|other| other.to == to) {
			return Err(UpmapError::AlreadyHolds { pg, node: to });
		}
		let stay = raw.iter().flatten().copied().filter(|node| *node != from);
		let used = stay.chain(others().map(|other| other.to));
		let mut family = 1;
		for node in used {
			let Some(place) = self.place(node) else {
				continue;
			};
			if place.domain == target.domain {
				return Err(UpmapError::DomainUsed { pg, to, by: node });
			}
			family += usize::from(place.family == target.family);
		}
		if family > MAX_PER_FAMILY {
			return Err(UpmapError::FamilyFull { pg, to });
		}
		Ok(())
	}

	/// Drops the exceptions that this map does not allow any more, and gives them with the reason. What
	/// stays is sorted, each verified beside those before it.
	pub fn retain_valid(&self, items: &mut Vec<UpmapItem>) -> Vec<(UpmapItem, UpmapError)> {
		self.retain_valid_counted(items).0
	}

	/// As [`Self::retain_valid`], with the number of draws it took.
	pub fn retain_valid_counted(
		&self,
		items: &mut Vec<UpmapItem>,
	) -> (Vec<(UpmapItem, UpmapError)>, u64) {
		items.sort_unstable();
		let mut draws = 0u64;
		let mut kept: Vec<UpmapItem> = Vec::with_capacity(items.len());
		let mut dropped = Vec::new();
		let mut work = Workspace::default();
		for group in items.chunk_by(|a, b| a.pg == b.pg) {
			let first = kept.len();
			let raw = self.raw_in(group[0].pg, &mut work);
			// One that fails may have taken all it was allowed.
			let spent = raw.as_ref().map_or(self.max_draws(), |(_, draws)| *draws);
			draws = draws.saturating_add(spent);
			for item in group {
				let verified = match &raw {
					Ok((raw, _)) => self.verify_item(raw, &kept[first..], item),
					Err(error) => Err(UpmapError::Place(*error)),
				};
				match verified {
					Ok(()) => kept.push(*item),
					Err(error) => dropped.push((*item, error)),
				}
			}
		}
		*items = kept;
		(dropped, draws)
	}

	/// Where a node stands in the map.
	pub(crate) fn place(&self, node: NodeIndex) -> Option<&NodePlace> {
		let places = self.places();
		let at = places
			.binary_search_by_key(&node, |place| place.node)
			.ok()?;
		places.get(at)
	}

	/// Whether the node, which is in the map, is out for the placement group.
	pub(crate) fn is_out_for(&self, pg: Pg, node: NodeIndex) -> bool {
		is_out(self.reweights(), node as i32, self.input(pg))
	}
}
