//! What is to be looked after first. Pure functions.

use super::eras::{Group, Standing};
use hippius_primitives::{NodeIndex, Pg, TOTAL_SHARDS};

/// Below so many shards a stripe is repaired at once, as fast as this node can.
pub const URGENT_BELOW: u8 = 16;
/// With at least so many, a node that is only out for now is waited for.
pub const LAZY_BELOW: u8 = 22;

/// How badly a stripe or placement group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Danger {
	/// Fewer than [`URGENT_BELOW`] shards.
	Urgent,
	/// Fewer than [`LAZY_BELOW`].
	Lazy,
	/// At least that many.
	Calm,
}

impl Danger {
	/// All, worst first.
	pub const ALL: [Self; 3] = [Self::Urgent, Self::Lazy, Self::Calm];

	/// The danger with so many shards left.
	pub fn of(live: u8) -> Self {
		match live {
			0..URGENT_BELOW => Self::Urgent,
			URGENT_BELOW..LAZY_BELOW => Self::Lazy,
			_ => Self::Calm,
		}
	}

	/// In one word.
	pub fn name(self) -> &'static str {
		match self {
			Self::Urgent => "urgent",
			Self::Lazy => "lazy",
			Self::Calm => "calm",
		}
	}
}

/// Why a slot may lack shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
	/// Its former holder has left the map, or there was none.
	Gone,
	/// Its former holder is marked out and may come back.
	Out,
	/// The map gave it to this node; the former holder still serves.
	Moved,
	/// It was this node's already, or nothing is known of before.
	Check,
}

/// One of this node's slots that has to be looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
	/// The placement group.
	pub(super) pg: Pg,
	/// The slot.
	pub(super) slot: u8,
	/// Why.
	pub(super) why: Why,
	/// Slots of the group whose shards somebody seems to serve.
	pub(super) live: u8,
}

impl Task {
	/// The task of looking through a slot. `standing` tells where a node stands in the newest map,
	/// `serves` whether it answers as far as is known.
	pub(super) fn new(
		group: &Group,
		slot: u8,
		me: NodeIndex,
		standing: impl Fn(NodeIndex) -> Standing,
		serves: impl Fn(NodeIndex) -> bool,
	) -> Self {
		Self {
			pg: group.pg,
			slot,
			why: why(group, slot, me, standing),
			live: live(group, me, serves),
		}
	}

	/// Its danger.
	pub(super) fn danger(&self) -> Danger {
		Danger::of(self.live)
	}

	/// Whether it can wait for the former holder to come back.
	pub(super) fn can_wait(&self) -> bool {
		self.why == Why::Out && self.danger() == Danger::Calm
	}

	/// What comes first: the fewest shards left, then what nobody else has, then by number.
	pub(super) fn order(&self) -> impl Ord {
		(self.danger(), self.live, self.why, self.pg, self.slot)
	}
}

fn why(group: &Group, slot: u8, me: NodeIndex, standing: impl Fn(NodeIndex) -> Standing) -> Why {
	let Some(before) = group.eras.get(1) else {
		return Why::Check;
	};
	match before.get(usize::from(slot)).copied().flatten() {
		None => Why::Gone,
		Some(former) if former == me => Why::Check,
		Some(former) => match standing(former) {
			Standing::In => Why::Moved,
			Standing::Out => Why::Out,
			Standing::Left => Why::Gone,
		},
	}
}

/// Slots whose shards somebody seems to serve: a holder by an older map, or by the newest if that is
/// all there is. A slot's new holder does not count, for it has yet to get them.
pub(super) fn live(group: &Group, me: NodeIndex, serves: impl Fn(NodeIndex) -> bool) -> u8 {
	let known = match group.eras.len() {
		1 => &group.eras[..],
		_ => &group.eras[1..],
	};
	let live = (0..TOTAL_SHARDS).filter(|slot| {
		let mut holders = known.iter().filter_map(|slots| *slots.get(*slot)?);
		holders.any(|node| node == me || serves(node))
	});
	u8::try_from(live.count()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use arion_crush::Slots;
	use hippius_primitives::TOTAL_SHARDS as SLOTS;
	use proptest::prelude::*;

	fn row(first: NodeIndex) -> Slots {
		std::array::from_fn(|slot| Some(first + slot as u32))
	}

	fn group(eras: Vec<Slots>) -> Group {
		Group { pg: 3, eras }
	}

	fn task(group: &Group, me: NodeIndex, out: &[NodeIndex], left: &[NodeIndex]) -> Task {
		let standing = |node| match (out.contains(&node), left.contains(&node)) {
			(true, _) => Standing::Out,
			(_, true) => Standing::Left,
			_ => Standing::In,
		};
		let serves = |node| !out.contains(&node) && !left.contains(&node);
		Task::new(group, 4, me, standing, serves)
	}

	#[test]
	fn who_is_out_is_waited_for_and_who_is_gone_is_not() {
		let (before, mut now) = (row(0), row(0));
		now[4] = Some(77);
		let moved = group(vec![now, before]);
		let calm = task(&moved, 77, &[], &[]);
		assert_eq!((calm.why, calm.live), (Why::Moved, 30));
		assert!(!calm.can_wait());
		let out = task(&moved, 77, &[4], &[]);
		assert_eq!(
			(out.why, out.live, out.danger()),
			(Why::Out, 29, Danger::Calm)
		);
		assert!(out.can_wait());
		let gone = task(&moved, 77, &[], &[4]);
		assert_eq!((gone.why, gone.live), (Why::Gone, 29));
		assert!(!gone.can_wait());
		// With 21 left nobody is waited for any more, with 15 it is urgent.
		let many: Vec<_> = (4..13).collect();
		let lazy = task(&moved, 77, &many, &[]);
		assert_eq!((lazy.live, lazy.danger()), (21, Danger::Lazy));
		assert!(!lazy.can_wait());
		let most: Vec<_> = (4..19).collect();
		let urgent = task(&moved, 77, &most, &[]);
		assert_eq!((urgent.live, urgent.danger()), (15, Danger::Urgent));
		assert!(urgent.order() < lazy.order() && lazy.order() < gone.order());
		assert!(gone.order() < out.order() && out.order() < calm.order());
	}

	#[test]
	fn without_a_past_the_slot_is_checked() {
		assert_eq!(task(&group(vec![row(0)]), 4, &[], &[]).why, Why::Check);
		assert_eq!(
			task(&group(vec![row(0), row(0)]), 4, &[], &[]).why,
			Why::Check
		);
		let mut hole = row(0);
		hole[4] = None;
		assert_eq!(task(&group(vec![row(0), hole]), 4, &[], &[]).why, Why::Gone);
	}

	#[test]
	fn a_slot_is_alive_while_any_former_holder_is() {
		let mut later = row(0);
		later[9] = Some(50);
		let mut now = later;
		now[9] = Some(60);
		let group = group(vec![now, later, row(0)]);
		let live_without = |dead: &[NodeIndex]| live(&group, 60, |node| !dead.contains(&node));
		assert_eq!(live_without(&[]), 30);
		assert_eq!(live_without(&[50]), 30);
		assert_eq!(live_without(&[9]), 30);
		assert_eq!(live_without(&[9, 50]), 29);
	}

	proptest! {
		#[test]
		fn more_dead_nodes_never_look_safer(
			eras in prop::collection::vec(prop::collection::vec(prop::option::of(0u32..40), SLOTS), 1..4),
			dead in prop::collection::btree_set(0u32..40, 0..30), one_more in 0u32..40,
		) {
			let eras: Vec<Slots> = eras.iter().map(|row| std::array::from_fn(|at| row[at])).collect();
			let group = group(eras);
			let live_without = |more: Option<u32>| {
				live(&group, 99, |node| !dead.contains(&node) && more != Some(node))
			};
			let (before, after) = (live_without(None), live_without(Some(one_more)));
			prop_assert!(after <= before);
			prop_assert!(Danger::of(after) <= Danger::of(before));
			prop_assert!(usize::from(before) <= SLOTS);
		}
	}
}
