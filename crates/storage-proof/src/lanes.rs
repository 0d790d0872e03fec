//! Lane B without lists: how every node gets its floor of audits although nobody stores which groups
//! a node is in.
//!
//! Now and then a block looks at a group, drawn uniformly by bytes, and at all 30 nodes that hold it.
//! In a day a node of weight `w` among all of weight `W` is looked at about `E w / W` times, where `E`
//! is the number of looks of a day. Each look becomes an audit with probability `min(1, W / (E w))`,
//! so that a node is audited once a day whatever it weighs.
//!
//! What is not exact:
//! - A node's share of the looks is its share of the *bytes*. Where groups hold unequal amounts it
//!   differs from `w / W`, and by that factor the node is audited more or less often.
//! - A node so light that `E w < W` is audited at each look and so less than once a day. [`FloorPlan`]
//!   makes `E` at least [`LOOKS_PER_NODE`] times the number of nodes, as far as [`MAX_GROUPS`] allows:
//!   nodes down to a sixteenth of the average weight have their full floor.
//! - The chunks of one audit are all of one group, the next audit's of another.

use crate::draw::{Draws, Lane, Rates};
use crate::SumHasher;
use hippius_primitives::TOTAL_SHARDS;

/// Looks at an average node in a day that a plan aims at.
pub const LOOKS_PER_NODE: u64 = 16;
/// Most groups one block looks at.
pub const MAX_GROUPS: u32 = 4;

/// Items of a look: the group's byte, the slot the others are counted from.
const BYTE: u32 = 0;
const FIRST: u32 = 1;
/// Items from here on: a slot's number to be accepted by.
const ACCEPT: u32 = 64;
/// Items from here on: the chunks of each slot's audit.
const CHUNKS: u32 = 128;

/// How often groups are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorPlan {
	/// Every this many blocks; 0 for never.
	pub every: u32,
	/// This many groups.
	pub groups: u32,
}

impl FloorPlan {
	/// The plan for `nodes` nodes.
	pub fn new(nodes: u32, rates: &Rates) -> Self {
		let looks = LOOKS_PER_NODE.saturating_mul(nodes.into());
		let slots = (TOTAL_SHARDS as u64).saturating_mul(rates.blocks_per_day.into());
		if looks == 0 || slots == 0 {
			return Self {
				every: 0,
				groups: 0,
			};
		}
		let every = slots.checked_div(looks).unwrap_or(0);
		if every > 0 {
			let every = u32::try_from(every).unwrap_or(u32::MAX);
			return Self { every, groups: 1 };
		}
		let groups = looks.div_ceil(slots).min(MAX_GROUPS.into());
		Self {
			every: 1,
			groups: u32::try_from(groups).unwrap_or(MAX_GROUPS),
		}
	}

	/// Groups to look at in `block`.
	pub fn due(&self, block: u32) -> u32 {
		match block.checked_rem(self.every) {
			Some(0) => self.groups,
			_ => 0,
		}
	}

	/// Looks of a day.
	pub fn looks(&self, rates: &Rates) -> u64 {
		(TOTAL_SHARDS as u64)
			.saturating_mul(self.groups.into())
			.saturating_mul(rates.blocks_per_day.into())
			.checked_div(self.every.into())
			.unwrap_or(0)
	}
}

impl Draws {
	/// The byte, of all `total` that a slot of every group holds, whose group look `look` is at.
	pub fn look_byte<H: SumHasher>(&self, lane: Lane, look: u32, total: u64) -> Option<u64> {
		(total > 0).then(|| self.below::<H>(lane, look, BYTE, total))
	}

	/// The order in which look `look` goes through the 30 slots: round from a drawn one, so that none
	/// comes first more often where a block's draws run out.
	pub fn look_slots<H: SumHasher>(&self, lane: Lane, look: u32) -> impl Iterator<Item = u8> {
		let slots = TOTAL_SHARDS as u64;
		let first = self.below::<H>(lane, look, FIRST, slots);
		(0..slots).map(move |slot| {
			let slot = first.saturating_add(slot);
			(slot.checked_rem(slots).unwrap_or(0)) as u8
		})
	}

	/// Whether look `look` audits the node in `slot`, of weight `weight` among all of weight `total`,
	/// when a day has `looks` looks: with probability `min(1, total / (looks weight))`.
	pub fn look_accepts<H: SumHasher>(
		&self,
		look: u32,
		slot: u8,
		weight: u32,
		total: u64,
		looks: u64,
	) -> bool {
		if weight == 0 {
			return false;
		}
		let item = ACCEPT.saturating_add(slot.into());
		let scale = looks.saturating_mul(weight.into());
		self.below::<H>(Lane::Floor, look, item, scale.max(1)) < total
	}

	/// Byte `chunk` of the `bytes` a slot of the group holds, for the audit of `slot` at look `look`.
	pub fn look_chunk<H: SumHasher>(
		&self,
		lane: Lane,
		look: u32,
		slot: u8,
		chunk: u32,
		bytes: u64,
	) -> Option<u64> {
		let item = CHUNKS
			.saturating_add(u32::from(slot).saturating_mul(16))
			.saturating_add(chunk.min(15));
		(bytes > 0).then(|| self.below::<H>(lane, look, item, bytes))
	}
}
