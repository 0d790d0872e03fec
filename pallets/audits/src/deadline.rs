//! The deadline counter, the sweep of what fell due, the outage breaker.

use crate::{
	draws::Drawn,
	types::{Draw, OpenBlock, Place, Tally, Why},
	ActiveRules, Answered, CaseCursor, Cases, Config, Congestion, DrawnAt, Event, FullBlocks, Open,
	Outage, Pallet, Rules, Swept, Tallied, Tallies, Tick, WeightInfo,
};
use alloc::vec::Vec;
use arion_storage_proof::PgLedger;
use frame_support::weights::Weight;
use hippius_primitives::NodeIndex;

/// Most ticks whose answers are counted, and most whose misses are booked, in one block.
const SWEPT_PER_BLOCK: u32 = 2;
/// Nodes in trouble looked after in one block.
pub(crate) const VISITS_PER_BLOCK: usize = 8;

/// What a block's work came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
	/// Draws looked at.
	pub(crate) draws: u32,
	/// Nodes in trouble looked after.
	pub(crate) visits: u32,
	/// Misses booked, and other turns things took.
	pub(crate) booked: u32,
	/// How often the holders of slots were asked for.
	pub(crate) looks: u32,
}

impl Looked {
	pub(crate) fn add(&mut self, more: Self) {
		self.draws = self.draws.saturating_add(more.draws);
		self.visits = self.visits.saturating_add(more.visits);
		self.booked = self.booked.saturating_add(more.booked);
		self.looks = self.looks.saturating_add(more.looks);
	}
}

impl<T: Config> Pallet<T> {
	/// The work of a block; gives its weight.
	pub(crate) fn do_on_initialize(now: u32) -> Weight {
		let Some(rules) = ActiveRules::<T>::get() else {
			return T::WeightInfo::idle_block();
		};
		let seed = Self::roll(now, &rules);
		if Self::is_stopped(&rules) {
			return T::WeightInfo::idle_block();
		}
		let tick = Tick::<T>::mutate(|tick| {
			*tick = tick.saturating_add(1);
			*tick
		});
		let mut looked = Self::sweep(tick, &rules);
		looked.add(Self::visit_some(now, seed, tick, &rules));
		let drawn = match seed {
			Some(seed) => Self::draw(now, seed, &rules),
			None => Drawn::default(),
		};
		let looks = looked.looks.saturating_add(drawn.looks);
		let draws = looked.draws.saturating_add(drawn.draws);
		let booked = looked.booked.saturating_add(drawn.found);
		T::WeightInfo::block(drawn.bytes, looks, draws, looked.visits, booked)
	}

	/// Notes whether the block was full.
	pub(crate) fn do_on_finalize() {
		let full = u32::from(T::Congestion::block_is_full());
		FullBlocks::<T>::mutate(|bits| *bits = *bits << 1 | full);
	}

	/// Whether the deadline counter stands, because answers may not get in.
	pub(crate) fn is_stopped(rules: &Rules) -> bool {
		let window = u32::from(rules.congested_window);
		let mask = u32::MAX
			.checked_shr(32u32.saturating_sub(window))
			.unwrap_or(0);
		let full = (FullBlocks::<T>::get() & mask).count_ones();
		full.saturating_mul(100) > window.saturating_mul(rules.congested_percent.into())
			|| T::Congestion::is_migrating()
			|| T::Congestion::finality_lag().is_some_and(|lag| lag > rules.finality_lag)
	}

	/// Counts what was not answered in time, and some ticks later books it; gives what that took.
	pub(crate) fn sweep(tick: u32, rules: &Rules) -> Looked {
		let mut looked = Looked::default();
		for _ in 0..SWEPT_PER_BLOCK {
			let next = Tallied::<T>::get().max(Swept::<T>::get()).saturating_add(1);
			if next.saturating_add(rules.deadline) >= tick {
				break;
			}
			Tallied::<T>::put(next);
			looked.add(Self::tally_tick(next, rules));
		}
		for _ in 0..SWEPT_PER_BLOCK {
			let next = Swept::<T>::get().saturating_add(1);
			let booked = next
				.saturating_add(rules.deadline)
				.saturating_add(rules.patience);
			if booked >= tick || next > Tallied::<T>::get() {
				break;
			}
			Swept::<T>::put(next);
			looked.add(Self::book_tick(next, tick, rules));
		}
		looked
	}

	/// The draws of a tick that were not answered, with how many there were that count.
	fn unanswered(block: u32, open: &OpenBlock) -> (Tally, Vec<&Draw>) {
		let answered = Answered::<T>::get(block);
		let mut tally = Tally::default();
		let mut missed = Vec::new();
		for (bit, draw) in open.draws.iter().enumerate() {
			// Who was jailed, evicted or left meanwhile is dealt with elsewhere.
			if !Self::is_drawn(draw.node) {
				continue;
			}
			tally.due = tally.due.saturating_add(1);
			if answered.checked_shr(bit as u32).unwrap_or(0) & 1 == 0 {
				tally.missed = tally.missed.saturating_add(1);
				missed.push(draw);
			}
		}
		(tally, missed)
	}

	/// A tick's deadline has passed. Its draws stay only if something of them is to be booked.
	fn tally_tick(drawn: u32, rules: &Rules) -> Looked {
		let open = DrawnAt::<T>::get(drawn).and_then(|block| Some((block, Open::<T>::get(block)?)));
		let Some((block, open)) = open else {
			Self::tally(Tally::default(), rules);
			return Looked::default();
		};
		let (tally, _) = Self::unanswered(block, &open);
		let outage = Self::tally(tally, rules);
		if outage || tally.missed == 0 {
			Self::let_go(drawn, block);
			Self::record(block, tally);
		}
		Looked {
			draws: open.draws.len() as u32,
			..Looked::default()
		}
	}

	/// Notes that draws were missed in an outage.
	fn record(block: u32, tally: Tally) {
		if tally.missed > 0 {
			Self::deposit_event(Event::OutageRecorded {
				block,
				due: tally.due.into(),
				missed: tally.missed.into(),
			});
		}
	}

	fn let_go(drawn: u32, block: u32) {
		DrawnAt::<T>::remove(drawn);
		Answered::<T>::remove(block);
		Open::<T>::remove(block);
	}

	/// Books what was missed at a tick, unless an outage began meanwhile.
	fn book_tick(drawn: u32, tick: u32, rules: &Rules) -> Looked {
		let Some(block) = DrawnAt::<T>::get(drawn) else {
			return Looked::default();
		};
		let Some(open) = Open::<T>::get(block) else {
			DrawnAt::<T>::remove(drawn);
			return Looked::default();
		};
		let (tally, missed) = Self::unanswered(block, &open);
		Self::let_go(drawn, block);
		let mut looked = Looked {
			draws: open.draws.len() as u32,
			..Looked::default()
		};
		if Outage::<T>::get() {
			Self::record(block, tally);
			return looked;
		}
		let places: Vec<_> = missed.iter().map(|draw| (draw.pg, draw.slot)).collect();
		let holders = Self::holders_of(&places, &mut looked);
		for (draw, holder) in missed.into_iter().zip(holders) {
			// A slot that is another's by now was rightly given up. An earlier one of these may have led
			// to jail.
			if holder != Some(draw.node) || !Self::is_drawn(draw.node) {
				continue;
			}
			looked.booked = looked.booked.saturating_add(1);
			let place = (draw.pg, draw.slot);
			if Self::was_up_since(draw.node, block) {
				Self::missed_while_up(draw.node, place, &draw.offsets, None, tick, rules);
			} else {
				Self::hold_over(draw.node, Why::Missed, place, &draw.offsets, open.seed);
			}
		}
		looked
	}

	/// Who must answer for these slots now. Costs as much as a look at a group of lane B.
	pub(crate) fn holders_of(places: &[Place], looked: &mut Looked) -> Vec<Option<NodeIndex>> {
		if places.is_empty() {
			return Vec::new();
		}
		looked.looks = looked.looks.saturating_add(1);
		T::Ledger::holders(places)
	}

	/// Takes a tick's draws into the window; whether so many went unanswered that this is an outage.
	fn tally(tally: Tally, rules: &Rules) -> bool {
		let outage = Tallies::<T>::mutate(|window| {
			while window.len() as u32 >= rules.outage_window {
				window.remove(0);
			}
			// There is room now: the window is no longer than the bound.
			let _ = window.try_push(tally);
			let sum =
				|part: fn(&Tally) -> u8| window.iter().map(|t| u32::from(part(t))).sum::<u32>();
			let (due, missed) = (sum(|tally| tally.due), sum(|tally| tally.missed));
			missed.saturating_mul(100) > due.saturating_mul(rules.outage_percent.into())
		});
		if Outage::<T>::get() != outage {
			Outage::<T>::put(outage);
			Self::deposit_event(match outage {
				true => Event::OutageBegan,
				false => Event::OutageEnded,
			});
		}
		outage
	}

	/// Looks after the next few nodes in trouble; gives what that took.
	pub(crate) fn visit_some(now: u32, seed: Option<[u8; 32]>, tick: u32, rules: &Rules) -> Looked {
		let nodes: Vec<_> = match CaseCursor::<T>::get() {
			Some(last) => {
				let from = Cases::<T>::hashed_key_for(last);
				Cases::<T>::iter_keys_from(from)
					.take(VISITS_PER_BLOCK)
					.collect()
			}
			None => Cases::<T>::iter_keys().take(VISITS_PER_BLOCK).collect(),
		};
		match nodes.last() {
			Some(last) if nodes.len() == VISITS_PER_BLOCK => CaseCursor::<T>::put(*last),
			_ => CaseCursor::<T>::kill(),
		}
		let mut looked = Looked::default();
		for node in nodes {
			looked.visits = looked.visits.saturating_add(1);
			looked.add(Self::visit(node, now, seed, tick, rules));
		}
		looked
	}
}
