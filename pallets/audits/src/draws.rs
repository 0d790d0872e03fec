//! Randomness, and the draws that follow from it.

use crate::{
	types::{Draw, Offsets, OpenBlock, Place, MAX_DRAWS},
	Collecting, Config, DrawnAt, HostBlake2, Open, Pallet, Randomness, Rolling, Rules, Tick,
};
use alloc::vec::Vec;
use arion_storage_proof::{
	draw::{Draws, Lane},
	lanes::FloorPlan,
	PgLedger,
};
use frame_support::traits::Get;
use hippius_primitives::{
	registration::NodeStatus,
	traits::{NodePenalties, PlacementWeights},
	NodeIndex, Pg,
};

/// Groups looked at in a block for slots of jailed nodes, while there are any.
pub(crate) const FRESH_GROUPS: u32 = 4;

/// What a block's randomness picks.
#[derive(Debug, Default)]
pub(crate) struct Picked {
	/// The draws.
	pub(crate) draws: Vec<Draw>,
	/// Slots of nodes that must prove themselves.
	pub(crate) fresh: Vec<(NodeIndex, Place)>,
	/// Slots of lane A whose holders were asked for.
	pub(crate) bytes: u32,
	/// Groups looked at, of which the holders of all slots were asked for.
	pub(crate) looks: u32,
}

/// What drawing for a block came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drawn {
	/// Slots of lane A whose holders were asked for.
	pub(crate) bytes: u32,
	/// Groups looked at, of which the holders of all slots were asked for.
	pub(crate) looks: u32,
	/// Draws made.
	pub(crate) draws: u32,
	/// Slots found of nodes that must prove themselves.
	pub(crate) found: u32,
}

/// A group looked at: the look's number and the group.
struct Look {
	number: u32,
	pg: Pg,
	/// Its slots, in the order they are gone through, as places in the list of all holders asked for.
	first: usize,
	slots: Vec<u8>,
}

impl Look {
	/// The group's slots that somebody must answer for, in the order they are gone through.
	fn held(&self, holders: &[Option<NodeIndex>]) -> Vec<(u8, NodeIndex)> {
		let holders = holders.get(self.first..).unwrap_or_default();
		self.slots
			.iter()
			.zip(holders)
			.filter_map(|(slot, node)| Some((*slot, (*node)?)))
			.collect()
	}
}

impl<T: Config> Pallet<T> {
	/// Takes in the newest VRF output; gives the block's randomness, `None` if there was no output.
	///
	/// `R_b = blake2_256(R_{b-1} | output | b)`.
	pub(crate) fn roll(now: u32, rules: &Rules) -> Option<[u8; 32]> {
		if let Some(expired) = now.checked_sub(rules.kept_randomness) {
			Randomness::<T>::remove(expired);
		}
		let output = T::Vrf::get()?;
		let mut bytes = [0u8; 32 + 32 + 4];
		let parts: [&[u8]; 3] = [&Rolling::<T>::get(), &output, &now.to_le_bytes()];
		for (byte, value) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
			*byte = *value;
		}
		let rolled = sp_io::hashing::blake2_256(&bytes);
		Rolling::<T>::put(rolled);
		Randomness::<T>::insert(now, rolled);
		Some(rolled)
	}

	/// Draws for block `now` and keeps the draws until their deadline; gives what that came to.
	pub(crate) fn draw(now: u32, seed: [u8; 32], rules: &Rules) -> Drawn {
		let picked = Self::pick(now, seed, rules, &Collecting::<T>::get());
		let drawn = Drawn {
			bytes: picked.bytes,
			looks: picked.looks,
			draws: picked.draws.len() as u32,
			found: picked.fresh.len() as u32,
		};
		for (node, place) in picked.fresh {
			Self::found_slot(node, place);
		}
		// `pick` keeps to the bound.
		if let Ok(draws) = picked.draws.try_into() {
			if drawn.draws > 0 {
				let tick = Tick::<T>::get();
				DrawnAt::<T>::insert(tick, now);
				Open::<T>::insert(now, OpenBlock { tick, seed, draws });
			}
		}
		drawn
	}

	/// The draws of block `block` if its randomness is `seed`, by the present state: whoever runs it
	/// on the state in which the block was begun gets the block's draws.
	pub fn compute_draws(block: u32, seed: [u8; 32]) -> Vec<Draw> {
		match crate::ActiveRules::<T>::get() {
			Some(rules) => Self::pick(block, seed, &rules, &[]).draws,
			None => Vec::new(),
		}
	}

	/// Everything a block's randomness picks. `fresh` are the nodes whose slots are looked for.
	pub(crate) fn pick(block: u32, seed: [u8; 32], rules: &Rules, fresh: &[NodeIndex]) -> Picked {
		let total = T::Ledger::total_bytes();
		let (nodes, weight) = T::Weights::totals();
		let rates = rules.rates();
		let draws = Draws {
			randomness: seed,
			block,
		};
		let mut places: Vec<Place> = Vec::new();

		let mut bytes: Vec<(Place, u64)> = Vec::new();
		for number in 0..rates.byte_draws(nodes) {
			let Some(drawn) = draws.byte::<HostBlake2>(number, total) else {
				break;
			};
			let Some((pg, offset)) = T::Ledger::locate(drawn.offset) else {
				continue;
			};
			bytes.push(((pg, drawn.slot), offset));
			places.push((pg, drawn.slot));
		}
		let plan = FloorPlan::new(nodes, &rates);
		let floor = Self::looks(&draws, Lane::Floor, plan.due(block), total, &mut places);
		let count = if fresh.is_empty() { 0 } else { FRESH_GROUPS };
		let search = Self::looks(&draws, Lane::Fresh, count, total, &mut places);
		let holders = T::Ledger::holders(&places);

		let mut picked = Picked {
			bytes: bytes.len() as u32,
			looks: (floor.len() as u32).saturating_add(search.len() as u32),
			..Default::default()
		};
		for (index, (place, offset)) in bytes.into_iter().enumerate() {
			let Some(node) = holders.get(index).copied().flatten() else {
				continue;
			};
			Self::push(&mut picked, Lane::Bytes, node, place, &[offset]);
		}
		let looks = plan.looks(&rates);
		let held: Vec<_> = floor.iter().map(|look| look.held(&holders)).collect();
		let nodes: Vec<NodeIndex> = held.iter().flatten().map(|(_, node)| *node).collect();
		let mut weights = T::Weights::weights(&nodes).into_iter();
		for (look, held) in floor.iter().zip(held) {
			for ((slot, node), own) in held.into_iter().zip(&mut weights) {
				if draws.look_accepts::<HostBlake2>(look.number, slot, own, weight, looks) {
					Self::pick_floor(&mut picked, &draws, rules, look, (slot, node));
				}
			}
		}
		for look in search {
			for (at, slot) in look.slots.iter().enumerate() {
				let holder = holders
					.get(look.first.saturating_add(at))
					.copied()
					.flatten();
				if let Some(node) = holder.filter(|node| fresh.contains(node)) {
					picked.fresh.push((node, (look.pg, *slot)));
				}
			}
		}
		picked
	}

	/// The groups of `count` looks; all their slots are added to `places`.
	fn looks(
		draws: &Draws,
		lane: Lane,
		count: u32,
		total: u64,
		places: &mut Vec<Place>,
	) -> Vec<Look> {
		let mut looks = Vec::new();
		for number in 0..count {
			let located = draws
				.look_byte::<HostBlake2>(lane, number, total)
				.and_then(T::Ledger::locate);
			let Some((pg, _)) = located else { continue };
			let slots: Vec<u8> = draws.look_slots::<HostBlake2>(lane, number).collect();
			let first = places.len();
			places.extend(slots.iter().map(|slot| (pg, *slot)));
			looks.push(Look {
				number,
				pg,
				first,
				slots,
			});
		}
		looks
	}

	/// Lane B: chunks of the group looked at for a node the look falls on.
	fn pick_floor(
		picked: &mut Picked,
		draws: &Draws,
		rules: &Rules,
		look: &Look,
		(slot, node): (u8, NodeIndex),
	) {
		let bytes = Self::ledger_bytes(look.pg);
		let offsets: Vec<u64> = (0..rules.floor_chunks)
			.filter_map(|chunk| {
				draws.look_chunk::<HostBlake2>(Lane::Floor, look.number, slot, chunk, bytes)
			})
			.collect();
		Self::push(picked, Lane::Floor, node, (look.pg, slot), &offsets);
	}

	/// The bytes one slot holds of a group by its ledger, those released among them.
	pub(crate) fn ledger_bytes(pg: Pg) -> u64 {
		T::Ledger::peaks(pg)
			.and_then(|peaks| peaks.total().ok())
			.unwrap_or(0)
	}

	/// Adds a draw, if there is room and the node is one that is drawn.
	fn push(picked: &mut Picked, lane: Lane, node: NodeIndex, place: Place, offsets: &[u64]) {
		let full = picked.draws.len() >= MAX_DRAWS as usize;
		if full || offsets.is_empty() || !Self::is_drawn(node) {
			return;
		}
		if let Ok(offsets) = Offsets::try_from(offsets.to_vec()) {
			picked.draws.push(Draw {
				lane,
				node,
				pg: place.0,
				slot: place.1,
				offsets,
			});
		}
	}

	/// Whether blocks draw the node: jailed ones have draws of their own, evicted ones none.
	pub(crate) fn is_drawn(node: NodeIndex) -> bool {
		T::Registry::standing(node).is_some_and(|standing| {
			matches!(standing.status, NodeStatus::Active | NodeStatus::Draining)
		})
	}
}
