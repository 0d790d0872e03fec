//! How nodes are doing, as the map shows it: a score makes a node weigh more or less, and who is gone
//! for long, or worthless, is out at once. Who is jailed keeps its place: it may still clear itself.

use crate::{build, Config, Event, Pallet, Reweight, TakenOut, WeightHistory};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use arion_crush::WEIGHT_ONE;
use frame_support::{traits::Get, BoundedVec};
use hippius_primitives::{
	registration::{NodeRecord, NodeStatus},
	traits::{Liveness, NodeScores},
	NodeIndex,
};
use hippius_score::placement::{target, Growth};

/// At most one in so many nodes is out by its health. When more seem to be, something else is wrong,
/// and moving their data would make it worse.
const OUTAGE_SHARE: usize = 4;

/// Weight and reweight of each node of a map.
pub(crate) struct Health {
	weights: BTreeMap<NodeIndex, u32>,
	/// Weights that depend on scores, with their growth.
	grown: Vec<(NodeIndex, Growth)>,
	/// Out by their health.
	out: BTreeSet<NodeIndex>,
	/// How many should be.
	wanted: usize,
}

impl Health {
	/// The node's weight.
	pub(crate) fn weight(&self, node: NodeIndex) -> u32 {
		self.weights.get(&node).copied().unwrap_or(1)
	}

	/// The node's reweight, where `set` is what was set by hand.
	pub(crate) fn reweight(&self, node: NodeIndex, set: Option<u32>) -> u32 {
		if self.out.contains(&node) {
			0
		} else {
			set.unwrap_or(WEIGHT_ONE)
		}
	}
}

impl<T: Config> Pallet<T> {
	/// What scores and liveness make of the nodes that get into a map.
	pub(crate) fn health(nodes: &[NodeRecord], now: u32, growth_blocks: u32) -> Health {
		let before: BTreeMap<NodeIndex, Growth> = WeightHistory::<T>::get().into_iter().collect();
		let out_before: BTreeSet<NodeIndex> = TakenOut::<T>::get().into_iter().collect();
		let mut weights = BTreeMap::new();
		let mut grown = Vec::new();
		let mut leaving = Vec::new();
		for node in nodes {
			let index = node.index;
			let capacity = build::node_weight(node.params.capacity, T::MaxNodes::get());
			let score = T::Scores::score(index);
			let weight = match score {
				None => capacity,
				Some(score) => {
					let before = before.get(&index).copied();
					let growth = Growth::next(before, target(capacity, score), now, growth_blocks);
					grown.push((index, growth));
					// The capacity may have become less by hand.
					growth.weight.min(capacity)
				}
			};
			weights.insert(index, weight);
			let worthless = score == Some(0) && node.status != NodeStatus::Jailed;
			if worthless || T::Liveness::is_out(index) {
				leaving.push(index);
			}
		}
		// Those that are out stay out; of the others the lowest numbers come first.
		leaving.sort_by_key(|index| (!out_before.contains(index), *index));
		let wanted = leaving.len();
		leaving.truncate(nodes.len() / OUTAGE_SHARE);
		Health {
			weights,
			grown,
			out: leaving.into_iter().collect(),
			wanted,
		}
	}

	/// Remembers what the next map depends on.
	pub(crate) fn remember(health: Health) {
		let out = health.out.len();
		if health.wanted > out {
			Self::deposit_event(Event::OutageSuspected {
				wanted: health.wanted as u32,
				out: out as u32,
			});
		}
		// Both have at most `MaxNodes`, as the map has.
		WeightHistory::<T>::put(BoundedVec::truncate_from(health.grown));
		TakenOut::<T>::put(BoundedVec::truncate_from(
			health.out.into_iter().collect::<Vec<_>>(),
		));
	}

	/// Which reweight a node has in the next map.
	pub(crate) fn reweight_of(health: &Health, node: NodeIndex) -> u32 {
		health.reweight(node, Reweight::<T>::get(node))
	}
}
