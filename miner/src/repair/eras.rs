//! The maps of now and before, and who holds what by them.

use crate::epochs::Held;
use arion_crush::{Placement, Slots};
use arion_grid::Reach;
use hippius_primitives::{
	registration::NodeRecord, Epoch, NodeIndex, NodeKey, Pg, StripeId, TOTAL_SHARDS,
};
use std::{collections::BTreeSet, sync::Arc};

/// Most nodes asked about one placement group.
pub(super) const MAX_MEMBERS: usize = 64;

/// A map of now or before.
pub(super) struct Era {
	held: Arc<Held>,
	placement: Placement,
}

/// The maps, newest first; never empty. Maps with another number of placement groups than the newest
/// are left out: their groups are others.
pub(super) struct Eras {
	me: Option<NodeIndex>,
	eras: Vec<Era>,
}

/// Where a node stands in the newest map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
	/// It is in.
	In,
	/// It is in the map, but marked out: it may come back.
	Out,
	/// It is not in the map.
	Left,
}

impl Eras {
	/// Prepares the maps, the newest first. Blocks for a moment.
	pub(super) fn new(maps: &[Arc<Held>]) -> Result<Self, String> {
		let newest = maps.first().ok_or("there is no map")?;
		let pg_num = newest.map.pg_num;
		let mut eras = Vec::with_capacity(maps.len());
		for held in maps.iter().filter(|held| held.map.pg_num == pg_num) {
			let epoch = held.update.epoch;
			match held.map.placement() {
				Ok(placement) => eras.push(Era {
					held: held.clone(),
					placement,
				}),
				Err(error) if eras.is_empty() => return Err(error.to_string()),
				Err(error) => tracing::warn!(epoch, %error, "an older map is left out"),
			}
		}
		// A node that has left knows its number from the maps it was in.
		let me = maps.iter().find_map(|held| held.index);
		Ok(Self { me, eras })
	}

	fn newest(&self) -> &Era {
		&self.eras[0]
	}

	/// The newest epoch.
	pub(super) fn epoch(&self) -> Epoch {
		self.newest().held.update.epoch
	}

	/// This node's number, if it is or was in a map.
	pub(super) fn me(&self) -> Option<NodeIndex> {
		self.me
	}

	/// Whether this node is in the newest map.
	pub(super) fn is_in(&self) -> bool {
		self.newest().held.index.is_some()
	}

	/// Number of placement groups.
	pub(super) fn pg_num(&self) -> u32 {
		self.newest().held.map.pg_num
	}

	/// The placement group of a stripe.
	pub(super) fn pg_of(&self, stripe: &StripeId) -> Pg {
		self.newest().held.map.pg_of(stripe)
	}

	/// This node's slots by the newest map. Blocks for a moment the first time.
	pub(super) fn slots(&self) -> Result<&[(Pg, u8)], String> {
		self.newest().held.compute_slots().map_err(str::to_owned)
	}

	/// Where a node stands.
	pub(super) fn standing(&self, node: NodeIndex) -> Standing {
		let placement = &self.newest().placement;
		match (placement.contains(node), placement.reweight(node)) {
			(false, _) => Standing::Left,
			(true, 0) => Standing::Out,
			(true, _) => Standing::In,
		}
	}

	/// What the chain says of a node, by the newest map that has it.
	pub(super) fn record(&self, node: NodeIndex) -> Option<&NodeRecord> {
		self.eras
			.iter()
			.find_map(|era| era.held.update.nodes.iter().find(|r| r.index == node))
	}

	/// The node that has this key now or is about to.
	pub(super) fn node_of(&self, key: &NodeKey) -> Option<NodeIndex> {
		self.eras.iter().find_map(|era| {
			let mut nodes = era.held.update.nodes.iter();
			let found = nodes.find(|node| node.key == *key || node.next_key == Some(*key));
			found.map(|node| node.index)
		})
	}

	/// The holders of a placement group, map by map. An older map that cannot place it is left out.
	pub(super) fn group(&self, pg: Pg) -> Result<Group, String> {
		let mut eras: Vec<Slots> = Vec::with_capacity(self.eras.len());
		for era in &self.eras {
			match era.placement.up(pg) {
				Ok(up) => {
					let mut slots = [None; TOTAL_SHARDS];
					slots
						.iter_mut()
						.zip(up)
						.for_each(|(slot, node)| *slot = node);
					eras.push(slots);
				}
				Err(error) if eras.is_empty() => return Err(error.to_string()),
				Err(error) => tracing::debug!(pg, %error, "an older map does not place the group"),
			}
		}
		Ok(Group { pg, eras })
	}
}

/// Where a node can be reached, best first.
pub(super) fn reach(record: &NodeRecord) -> Reach {
	record.params.addresses.iter().collect()
}

/// The holders of a placement group's slots, map by map, newest first; never empty.
#[derive(Clone, Debug)]
pub(super) struct Group {
	/// The placement group.
	pub(super) pg: Pg,
	/// The slots by each map.
	pub(super) eras: Vec<Slots>,
}

impl Group {
	/// The slots by the newest map.
	pub(super) fn now(&self) -> &Slots {
		&self.eras[0]
	}

	/// Who holds or held a slot, newest first.
	pub(super) fn holders(&self, slot: u8) -> impl Iterator<Item = NodeIndex> + '_ {
		let mut seen = BTreeSet::new();
		self.eras
			.iter()
			.filter_map(move |slots| *slots.get(usize::from(slot))?)
			.filter(move |node| seen.insert(*node))
	}

	/// Whether a node held a slot by an older map.
	pub(super) fn held_before(&self, slot: u8, node: NodeIndex) -> bool {
		let mut older = self.eras.iter().skip(1);
		older.any(|slots| slots.get(usize::from(slot)) == Some(&Some(node)))
	}

	/// The slots a node holds or held, one bit each.
	pub(super) fn slots_of(&self, node: NodeIndex) -> u32 {
		let slots = self.eras.iter().flat_map(|slots| slots.iter().zip(0u32..));
		let held = slots.filter(|(holder, _)| **holder == Some(node));
		held.fold(0, |bits, (_, slot)| bits | 1 << slot)
	}

	/// Everyone who holds or held a slot: those of the newest map first, at most [`MAX_MEMBERS`].
	pub(super) fn members(&self) -> Vec<NodeIndex> {
		let mut seen = BTreeSet::new();
		self.eras
			.iter()
			.flatten()
			.flatten()
			.copied()
			.filter(|node| seen.insert(*node))
			.take(MAX_MEMBERS)
			.collect()
	}
}
