//! The deadline counter, the sweep of what fell due, the outage breaker.

use crate::{
	draws::Drawn,
	types::{Tally, Why},
	ActiveRules, Answered, CaseCursor, Cases, Config, Congestion, DrawnAt, Event, FullBlocks, Open,
	Outage, Pallet, Rules, Swept, Tallies, Tick, WeightInfo,
};
use frame_support::weights::Weight;

/// Most ticks swept in one block.
const SWEPT_PER_BLOCK: u32 = 2;
/// Nodes in trouble looked after in one block.
pub(crate) const VISITS_PER_BLOCK: usize = 8;

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
		let (swept, missed) = Self::sweep(tick, &rules);
		let (visits, turns) = Self::visit_some(now, seed, tick, &rules);
		let drawn = match seed {
			Some(seed) => Self::draw(now, seed, &rules),
			None => Drawn::default(),
		};
		let draws = swept.saturating_add(drawn.draws);
		let booked = missed.saturating_add(turns).saturating_add(drawn.found);
		T::WeightInfo::block(drawn.bytes, drawn.looks, draws, visits, booked)
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

	/// Books what was not answered in time; gives the draws looked at, and those missed.
	pub(crate) fn sweep(tick: u32, rules: &Rules) -> (u32, u32) {
		let (mut looked, mut missed) = (0u32, 0u32);
		for _ in 0..SWEPT_PER_BLOCK {
			let next = Swept::<T>::get().saturating_add(1);
			if next.saturating_add(rules.deadline) >= tick {
				break;
			}
			Swept::<T>::put(next);
			let (draws, without) = Self::sweep_tick(next, tick, rules);
			looked = looked.saturating_add(draws);
			missed = missed.saturating_add(without);
		}
		(looked, missed)
	}

	fn sweep_tick(drawn: u32, tick: u32, rules: &Rules) -> (u32, u32) {
		let Some(block) = DrawnAt::<T>::take(drawn) else {
			Self::tally(Tally::default(), rules);
			return (0, 0);
		};
		let answered = Answered::<T>::take(block);
		let Some(open) = Open::<T>::take(block) else {
			return (0, 0);
		};
		let looked = open.draws.len() as u32;
		let mut tally = Tally::default();
		let mut missed = alloc::vec::Vec::new();
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
		let outage = Self::tally(tally, rules);
		if outage && tally.missed > 0 {
			Self::deposit_event(Event::OutageRecorded {
				block,
				due: tally.due.into(),
				missed: tally.missed.into(),
			});
			return (looked, 0);
		}
		for draw in missed {
			// An earlier one of these may have led to jail.
			if !Self::is_drawn(draw.node) {
				continue;
			}
			let place = (draw.pg, draw.slot);
			if Self::is_up(draw.node) {
				Self::missed_while_up(draw.node, place, &draw.offsets, None, tick, rules);
			} else {
				Self::hold_over(draw.node, Why::Missed, place, &draw.offsets, open.seed);
			}
		}
		(looked, tally.missed.into())
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

	/// Looks after the next few nodes in trouble; gives how many, and how many turns things took.
	pub(crate) fn visit_some(
		now: u32,
		seed: Option<[u8; 32]>,
		tick: u32,
		rules: &Rules,
	) -> (u32, u32) {
		let nodes: alloc::vec::Vec<_> = match CaseCursor::<T>::get() {
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
		let turns = nodes.iter().fold(0u32, |turns, node| {
			turns.saturating_add(Self::visit(*node, now, seed, tick, rules))
		});
		(nodes.len() as u32, turns)
	}
}
