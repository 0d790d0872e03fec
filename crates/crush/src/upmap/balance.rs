//! Proposes exceptions that bring every node nearer to its fair share of slots.

use crate::placement::{NodePlace, Placement};
use crate::table::PgTable;
use crate::upmap::{UpmapError, UpmapItem, MAX_PER_FAMILY};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use hippius_primitives::Pg;

/// Fraction bits of shares.
const ONE: i64 = 1 << 16;
/// Rounds over nodes for which no move was found before, as other moves may have opened one.
const ROUNDS: usize = 4;

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceOptions {
	/// Slots a node may be above or below its share without anything being done about it.
	pub max_deviation: u32,
	/// Most slots to propose exceptions for, of a million slots of the table.
	pub max_misplaced_ppm: u32,
	/// Most exceptions to propose.
	pub max_items: usize,
}

impl Default for BalanceOptions {
	/// One slot, 5 %, no other limit.
	fn default() -> Self {
		Self {
			max_deviation: 1,
			max_misplaced_ppm: 50_000,
			max_items: usize::MAX,
		}
	}
}

/// How far the numbers of slots are from the shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
	/// The most that a node is above its share, in slots, rounded down.
	pub max_excess: u32,
	/// The most that a node is below its share, in slots, rounded down.
	pub max_lack: u32,
	/// The sum of all nodes' squared distances from their shares, in squared slots, rounded down.
	pub squares: u64,
}

/// What [`Placement::balance`] proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
	/// New exceptions, sorted; each valid beside the existing ones, whichever of the others are made.
	pub items: Vec<UpmapItem>,
	/// With the existing exceptions.
	pub before: Spread,
	/// With the new ones too.
	pub after: Spread,
}

impl Placement {
	/// Proposes exceptions to the mapping in `raw`, a table of this placement without exceptions
	/// ([`Self::raw_table`]) or a part of one, in addition to the `existing` ones, all of which must be
	/// valid. Those of a map that the chain made ([`Self::exceptions`]) are.
	///
	/// A node's share of its zone's slots is by crush weight times reweight; what a failure domain
	/// cannot take because it gets one slot of a group at most goes to the others. Greedy: the fullest
	/// node gives to the emptiest that may take, while that lessens the sum of squares, then the
	/// emptiest takes. No move makes the highest or the lowest node worse. Deterministic.
	pub fn balance(
		&self,
		raw: &PgTable,
		existing: &[UpmapItem],
		options: &BalanceOptions,
	) -> Result<Balance, UpmapError> {
		let mut work = Work::new(self, raw)?;
		work.adopt(raw, existing)?;
		let before = work.spread();
		let slots = raw.pgs().len() as u64 * crate::placement::SLOTS as u64;
		let cap = slots.saturating_mul(options.max_misplaced_ppm.into()) / 1_000_000;
		let cap = options
			.max_items
			.min(usize::try_from(cap).unwrap_or(usize::MAX));
		work.run(i64::from(options.max_deviation) * ONE, cap);
		let after = work.spread();
		let mut items = work.new_items;
		items.sort_unstable();
		Ok(Balance {
			items,
			before,
			after,
		})
	}
}

/// A slot of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
	row: u32,
	slot: u8,
}

/// Nodes are named by their position in [`Placement::places`].
struct Work<'a> {
	placement: &'a Placement,
	first: Pg,
	/// Raw holders of all rows.
	rows: Vec<Vec<Option<u32>>>,
	/// Nodes that exceptions give slots of a row to.
	added: BTreeMap<u32, Vec<u32>>,
	/// Slots without an exception, by raw holder, ascending.
	held: Vec<Vec<Held>>,
	/// Slots held minus share, in 1/[`ONE`].
	deviation: Vec<i64>,
	/// All nodes with a share by zone: deviation and node.
	ranks: Vec<BTreeSet<(i64, u32)>>,
	new_items: Vec<UpmapItem>,
}

impl<'a> Work<'a> {
	fn new(placement: &'a Placement, raw: &PgTable) -> Result<Self, UpmapError> {
		if raw.epoch() != placement.epoch() {
			return Err(UpmapError::OtherEpoch {
				table: raw.epoch(),
				placement: placement.epoch(),
			});
		}
		if raw.pgs().end > placement.pg_num() {
			return Err(UpmapError::OtherGroups {
				table: raw.pgs(),
				pg_num: placement.pg_num(),
			});
		}
		let places = placement.places();
		let mut held = alloc::vec![Vec::new(); places.len()];
		let mut zone_slots = BTreeMap::new();
		let mut rows = Vec::with_capacity(raw.pgs().len());
		for ((pg, slots), row) in raw.iter().zip(0u32..) {
			let mut nodes = Vec::with_capacity(slots.len());
			for (node, slot) in slots.into_iter().zip(0u8..) {
				let Some(node) = node else {
					nodes.push(None);
					continue;
				};
				let found = places.binary_search_by_key(&node, |place| place.node);
				let at = found.map_err(|_| UpmapError::NotRaw { pg, slot })?;
				let zone = places[at].zone;
				if usize::from(slot) / placement.per_zone() != usize::from(zone) {
					return Err(UpmapError::NotRaw { pg, slot });
				}
				*zone_slots.entry(zone).or_insert(0u64) += 1;
				held[at].push(Held { row, slot });
				nodes.push(Some(at as u32));
			}
			rows.push(nodes);
		}
		let shares = shares(placement, &zone_slots, rows.len() as u64);
		let deviation = held.iter().zip(&shares);
		let deviation = deviation.map(|(held, share)| held.len() as i64 * ONE - share);
		let mut work = Self {
			placement,
			first: raw.pgs().start,
			rows,
			added: BTreeMap::new(),
			deviation: deviation.collect(),
			held,
			ranks: Vec::new(),
			new_items: Vec::new(),
		};
		for (at, place) in places.iter().enumerate() {
			let zone = usize::from(place.zone);
			if work.ranks.len() <= zone {
				work.ranks.resize_with(zone + 1, BTreeSet::new);
			}
			work.ranks[zone].insert((work.deviation[at], at as u32));
		}
		Ok(work)
	}

	/// Takes over existing exceptions.
	fn adopt(&mut self, raw: &PgTable, existing: &[UpmapItem]) -> Result<(), UpmapError> {
		let mut items = existing.to_vec();
		items.sort_unstable();
		let inside = |item: &UpmapItem| raw.pgs().contains(&item.pg);
		for (at, item) in items.iter().enumerate().filter(|(_, item)| inside(item)) {
			let same = items[..at]
				.iter()
				.rev()
				.take_while(|other| other.pg == item.pg);
			let others = at - same.count()..at;
			let slots = raw.slots(item.pg).ok_or(UpmapError::Stale(*item))?;
			let verified = self.placement.verify_item(&slots, &items[others], item);
			verified.map_err(|_| UpmapError::Stale(*item))?;
			let from = self.position(item.from).ok_or(UpmapError::Stale(*item))?;
			let to = self.position(item.to).ok_or(UpmapError::Stale(*item))?;
			let row = item.pg - self.first;
			let held = self.held[from as usize]
				.iter()
				.position(|held| held.row == row);
			self.shift(from, held.ok_or(UpmapError::Stale(*item))?, to);
		}
		Ok(())
	}

	fn position(&self, node: u32) -> Option<u32> {
		let places = self.placement.places();
		let found = places.binary_search_by_key(&node, |place| place.node);
		found.ok().map(|at| at as u32)
	}

	/// Gives a slot of `from` to `to`.
	fn shift(&mut self, from: u32, held: usize, to: u32) -> Held {
		let slot = self.held[from as usize].remove(held);
		self.added.entry(slot.row).or_default().push(to);
		for (node, change) in [(from, -ONE), (to, ONE)] {
			let zone = usize::from(self.placement.places()[node as usize].zone);
			let deviation = &mut self.deviation[node as usize];
			self.ranks[zone].remove(&(*deviation, node));
			*deviation += change;
			self.ranks[zone].insert((*deviation, node));
		}
		slot
	}

	fn propose(&mut self, from: u32, held: usize, to: u32) {
		let places = self.placement.places();
		let (source, target) = (places[from as usize].node, places[to as usize].node);
		let slot = self.shift(from, held, to);
		self.new_items.push(UpmapItem {
			pg: self.first + slot.row,
			from: source,
			to: target,
		});
	}

	/// Moves until every node is within `max` of its share, none can be brought nearer, or `cap` moves
	/// are made.
	fn run(&mut self, max: i64, cap: usize) {
		for _ in 0..ROUNDS {
			let before = self.new_items.len();
			self.round(max, cap, true);
			self.round(max, cap, false);
			if self.new_items.len() == before {
				break;
			}
		}
	}

	/// One round of giving (`over`) or of taking. The worst node of all zones is next, until it is
	/// within `max` or no move for it is found.
	fn round(&mut self, max: i64, cap: usize, over: bool) {
		let mut stuck = BTreeSet::new();
		while self.new_items.len() < cap {
			let fresh = |(_, node): &&(i64, u32)| !stuck.contains(node);
			let worst = if over {
				let fullest = self.ranks.iter().filter_map(|r| r.iter().rev().find(fresh));
				fullest.max_by_key(|(deviation, _)| *deviation)
			} else {
				let emptiest = self.ranks.iter().filter_map(|r| r.iter().find(fresh));
				emptiest.min_by_key(|(deviation, _)| *deviation)
			};
			let Some(&(deviation, node)) = worst else {
				break;
			};
			if (over && deviation <= max) || (!over && deviation >= -max) {
				break;
			}
			match self.find(node, over) {
				Some((from, held, to)) => self.propose(from, held, to),
				None => {
					stuck.insert(node);
				}
			}
		}
	}

	/// The best move from (`over`) or to the node: giver, number of the slot in its list, taker. For
	/// every taker the lowest placement group is tried first, so that exceptions share groups.
	fn find(&self, node: u32, over: bool) -> Option<(u32, usize, u32)> {
		let places = self.placement.places();
		let zone = &self.ranks[usize::from(places[node as usize].zone)];
		let own = self.deviation[node as usize];
		let slot = |from: u32, to: u32| {
			let held = &self.held[from as usize];
			let found = held.iter().position(|held| self.allows(*held, from, to));
			found.map(|held| (from, held, to))
		};
		// A move lessens the sum of squares if the difference is above one slot.
		if over {
			let takers = zone.iter().take_while(|(other, _)| own - other > ONE);
			let mut takers = takers.filter(|(_, other)| self.takes(*other));
			takers.find_map(|(_, other)| slot(node, *other))
		} else if self.takes(node) {
			let givers = zone.iter().rev();
			let mut givers = givers.take_while(|(other, _)| other - own > ONE);
			givers.find_map(|(_, other)| slot(*other, node))
		} else {
			None
		}
	}

	/// Whether the node may get slots of any group.
	fn takes(&self, node: u32) -> bool {
		let place = &self.placement.places()[node as usize];
		place.weight > 0 && self.placement.reweight(place.node) > 0
	}

	/// The rules of [`Placement::verify_item`] that are left for a giver of the slot and a taker of the
	/// same zone.
	fn allows(&self, held: Held, from: u32, to: u32) -> bool {
		let places = self.placement.places();
		let target = &places[to as usize];
		let place = |node: u32| -> &NodePlace { &places[node as usize] };
		let raw = self.rows[held.row as usize].iter().flatten().copied();
		let raw = raw.filter(|node| *node != from);
		let added = self.added.get(&held.row).into_iter().flatten().copied();
		let mut family = 1;
		for node in raw.chain(added) {
			if node == to || place(node).domain == target.domain {
				return false;
			}
			family += usize::from(place(node).family == target.family);
		}
		family <= MAX_PER_FAMILY
			&& from != to
			&& !self
				.placement
				.is_out_for(self.first + held.row, target.node)
	}

	fn spread(&self) -> Spread {
		let slots = |deviation: i64| u32::try_from(deviation / ONE).unwrap_or(u32::MAX);
		let highest = self.deviation.iter().copied().max().unwrap_or(0).max(0);
		let lowest = self.deviation.iter().copied().min().unwrap_or(0).min(0);
		let square = |deviation: &i64| i128::from(*deviation) * i128::from(*deviation);
		let squares: i128 = self.deviation.iter().map(square).sum();
		Spread {
			max_excess: slots(highest),
			max_lack: slots(-lowest),
			squares: u64::try_from(squares >> 32).unwrap_or(u64::MAX),
		}
	}
}

/// The share of every node, in 1/[`ONE`] slots.
fn shares(placement: &Placement, zone_slots: &BTreeMap<u8, u64>, groups: u64) -> Vec<i64> {
	let places = placement.places();
	let weight = |place: &NodePlace| {
		(u64::from(place.weight) * u64::from(placement.reweight(place.node))) >> 16
	};
	// Weight of each failure domain, by zone.
	let mut zones: BTreeMap<u8, BTreeMap<u32, u64>> = BTreeMap::new();
	for place in places {
		let domains = zones.entry(place.zone).or_default();
		*domains.entry(place.domain).or_insert(0) += weight(place);
	}
	let one = ONE as u128;
	let mut domain_share: BTreeMap<u32, (u128, u64)> = BTreeMap::new();
	for (zone, domains) in zones {
		let mut slots = u128::from(zone_slots.get(&zone).copied().unwrap_or(0)) * one;
		let mut total: u128 = domains.values().map(|weight| u128::from(*weight)).sum();
		// Heaviest first: as soon as one is not too heavy for its share, none is.
		let mut order: Vec<(u32, u64)> = domains.into_iter().collect();
		order.sort_by_key(|(_, weight)| core::cmp::Reverse(*weight));
		let most = u128::from(groups) * one;
		for (domain, weight) in order {
			let fair = (slots * u128::from(weight)).checked_div(total).unwrap_or(0);
			if fair > most {
				slots -= most;
				total -= u128::from(weight);
				domain_share.insert(domain, (most, weight));
			} else {
				// Neither sum changes any more, so the others get the same part of their weight.
				domain_share.insert(domain, (fair, weight));
			}
		}
	}
	let share = |place: &NodePlace| {
		let (share, total) = domain_share.get(&place.domain).copied().unwrap_or((0, 0));
		let share = (share * u128::from(weight(place))).checked_div(total.into());
		i64::try_from(share.unwrap_or(0)).unwrap_or(i64::MAX)
	};
	places.iter().map(share).collect()
}
