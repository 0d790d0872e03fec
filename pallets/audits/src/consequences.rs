//! What follows from a miss, and how a node gets in and out of trouble.

use crate::{
	deadline::Looked,
	rules::PPM,
	types::{Jail, Offsets, Place, Task, Why, FRESH_DRAWS, MAX_MISSED},
	BalanceOf, CaseOf, Cases, Collecting, Config, Event, HostBlake2, NextTask, Outage, Pallet,
	Rules,
};
use alloc::vec::Vec;
use arion_storage_proof::{
	draw::{Draws, Lane},
	PgLedger,
};
use frame_support::BoundedVec;
use hippius_primitives::{
	registration::NodeStatus,
	traits::{AuditOutcomes, Liveness, LivenessState, NodePenalties},
	NodeIndex,
};

type TaskOf<T> = Task<<T as frame_system::Config>::AccountId, BalanceOf<T>>;
type WhyOf<T> = Why<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

impl<T: Config> Pallet<T> {
	/// Whether a node can be expected to answer. Who announced to be away is not.
	pub(crate) fn is_up(node: NodeIndex) -> bool {
		T::Liveness::liveness(node) == LivenessState::Up
	}

	/// Whether a node is up, and has been without a break since this block.
	pub(crate) fn was_up_since(node: NodeIndex, block: u32) -> bool {
		Self::is_up(node) && T::Liveness::up_since(node) <= block
	}

	/// Stores a node's case, or drops it if nothing of it need be kept.
	pub(crate) fn put_case(node: NodeIndex, case: CaseOf<T>, tick: u32, rules: &Rules) {
		if case.is_closed(tick, rules.blocks_per_day) {
			Cases::<T>::remove(node);
		} else {
			Cases::<T>::insert(node, case);
		}
	}

	pub(crate) fn next_task() -> u64 {
		NextTask::<T>::mutate(|next| {
			let id = *next;
			*next = next.wrapping_add(1);
			id
		})
	}

	/// Books a draw that a node did not answer although it was up.
	pub(crate) fn missed_while_up(
		node: NodeIndex,
		place: Place,
		offsets: &Offsets,
		reporter: Option<&T::AccountId>,
		tick: u32,
		rules: &Rules,
	) {
		let Some(standing) = T::Registry::standing(node) else {
			return;
		};
		if standing.status == NodeStatus::Evicted {
			return;
		}
		T::Outcomes::audited(node, false);
		let mut case = Cases::<T>::get(node).unwrap_or_default();
		let again = case.miss(tick, rules.blocks_per_day, place);
		Self::deposit_event(Event::DrawMissed {
			node,
			pg: place.0,
			slot: place.1,
			offsets: offsets.clone(),
		});
		if again || reporter.is_some() {
			let reporter = reporter.map(|account| account.clone().into());
			T::Registry::slash(node, rules.miss_slash_ppm, reporter);
		}
		if Self::record_is_too_bad(node, rules) {
			Self::evict(node, case, rules);
			return;
		}
		let misses = case.recent.count_ones();
		if case.jail.is_none() && misses >= rules.jail_misses.into() {
			Self::jail(node, &mut case, tick, rules);
		}
		Self::put_case(node, case, tick, rules);
	}

	/// Keeps a draw for when its node is back. Beyond a bound the others are let go: what is kept
	/// shows well enough whether the node still holds its bytes.
	pub(crate) fn hold_over(
		node: NodeIndex,
		why: WhyOf<T>,
		place: Place,
		offsets: &Offsets,
		seed: [u8; 32],
	) {
		if T::Registry::standing(node).is_none_or(|s| s.status == NodeStatus::Evicted) {
			return;
		}
		let mut case = Cases::<T>::get(node).unwrap_or_default();
		if case.count(|why| matches!(why, Why::Missed)) >= MAX_MISSED {
			return;
		}
		let id = Self::next_task();
		let task = Task {
			id,
			why,
			place,
			offsets: offsets.clone(),
			seed,
			due: None,
		};
		if case.tasks.try_push(task).is_ok() {
			Cases::<T>::insert(node, case);
			Self::deposit_event(Event::DrawHeldOver { node, id });
		}
	}

	fn record_is_too_bad(node: NodeIndex, rules: &Rules) -> bool {
		T::Outcomes::stood(node).is_some_and(|(passed, missed, samples)| {
			let all = u128::from(passed).saturating_add(missed.into());
			samples >= rules.evict_samples
				&& u128::from(passed).saturating_mul(PPM.into())
					< all.saturating_mul(rules.evict_below_ppm.into())
		})
	}

	fn jail(node: NodeIndex, case: &mut CaseOf<T>, tick: u32, rules: &Rules) {
		case.recent = 0;
		T::Registry::slash(node, rules.jail_slash_ppm, None);
		// A leaving node gets no new data anyway; it keeps leaving.
		if !T::Registry::jail(node) {
			return;
		}
		case.jail = Some(Jail {
			since: tick,
			round: tick,
			end: None,
			found: BoundedVec::new(),
			failed: false,
		});
		Self::collect(node);
		Self::deposit_event(Event::NodeJailed { node });
	}

	/// Has slots of the node looked for; with too many others waiting, its next visit tries again.
	fn collect(node: NodeIndex) {
		Collecting::<T>::mutate(|nodes| {
			if !nodes.contains(&node) {
				let _ = nodes.try_push(node);
			}
		});
	}

	fn stop_collecting(node: NodeIndex) {
		Collecting::<T>::mutate(|nodes| nodes.retain(|other| *other != node));
	}

	/// Notes that a jailed node holds a slot.
	pub(crate) fn found_slot(node: NodeIndex, place: Place) {
		let Some(mut case) = Cases::<T>::get(node) else {
			return;
		};
		let Some(jail) = case.jail.as_mut().filter(|jail| jail.end.is_none()) else {
			return;
		};
		if !jail.found.contains(&place) && jail.found.try_push(place).is_ok() {
			Cases::<T>::insert(node, case);
		}
	}

	/// Lets a node out of jail, its record of misses forgotten.
	pub(crate) fn release(node: NodeIndex, case: &mut CaseOf<T>) {
		case.jail = None;
		case.recent = 0;
		case.missed = BoundedVec::new();
		case.tasks.retain(|task| task.why != Why::Fresh);
		Self::stop_collecting(node);
		if T::Registry::release(node) {
			Self::deposit_event(Event::NodeReleased { node });
		}
	}

	/// Throws a node out. Whoever challenged it gets his deposit back.
	pub(crate) fn evict(node: NodeIndex, case: CaseOf<T>, rules: &Rules) {
		T::Registry::slash(node, rules.evict_slash_ppm, None);
		T::Registry::evict(node);
		Self::close(node, case);
		Self::deposit_event(Event::NodeEvicted { node });
	}

	/// Forgets a node that is gone or thrown out.
	fn close(node: NodeIndex, case: CaseOf<T>) {
		for task in case.tasks {
			if let Why::Challenge { by, deposit } = task.why {
				Self::refund(&by, deposit);
			}
		}
		Cases::<T>::remove(node);
		Self::stop_collecting(node);
		T::Outcomes::forget(node);
	}

	/// Looks after a node in trouble: asks again what it missed when it is back, books what it did
	/// not answer, goes on with its jail. Gives what that took.
	pub(crate) fn visit(
		node: NodeIndex,
		now: u32,
		seed: Option<[u8; 32]>,
		tick: u32,
		rules: &Rules,
	) -> Looked {
		let mut looked = Looked::default();
		let Some(mut case) = Cases::<T>::get(node) else {
			return looked;
		};
		if T::Registry::standing(node).is_none_or(|s| s.status == NodeStatus::Evicted) {
			Self::close(node, case);
			looked.booked = 1;
			return looked;
		}
		let up = Self::is_up(node);
		let outage = Outage::<T>::get();
		let mut missed = Vec::new();
		let mut kept = Vec::new();
		for mut task in core::mem::take(&mut case.tasks) {
			let late = task.due.is_some_and(|due| tick > due);
			looked.booked = looked.booked.saturating_add(late.into());
			match &task.why {
				Why::Missed if task.due.is_none() && up => {
					task.due = Some(tick.saturating_add(rules.return_time));
					Self::deposit_event(Event::DrawAskedAgain { node, id: task.id });
					kept.push(task);
				}
				// Who goes away again has all of the time when he is back.
				Why::Missed if !up => {
					task.due = None;
					kept.push(task);
				}
				Why::Challenge { by, deposit } if !up => {
					Self::refund(by, *deposit);
					task.why = Why::Missed;
					task.due = None;
					if kept.len() < MAX_MISSED as usize {
						kept.push(task);
					}
				}
				_ if !late => kept.push(task),
				Why::Fresh => {
					if let Some(jail) = case.jail.as_mut() {
						jail.failed = true;
					}
					// Whoever is away loses time in jail, but not his record.
					if up && !outage {
						T::Outcomes::audited(node, false);
					}
				}
				Why::Missed if outage => {
					task.due = Some(tick.saturating_add(rules.deadline));
					kept.push(task);
				}
				Why::Missed => match Self::was_there(node, now, tick, &task, rules.return_time) {
					Some(true) => missed.push((task, None)),
					Some(false) => {
						task.due = None;
						kept.push(task);
					}
					None => kept.push(task),
				},
				Why::Challenge { by, deposit } => {
					let there = Self::was_there(node, now, tick, &task, rules.deadline);
					if !outage && there.is_none() {
						kept.push(task);
						continue;
					}
					Self::refund(by, *deposit);
					let by = by.clone();
					if outage {
						continue;
					}
					if there == Some(true) {
						missed.push((task, Some(by)));
					} else if kept.len() < MAX_MISSED as usize {
						task.why = Why::Missed;
						task.due = None;
						kept.push(task);
					}
				}
			}
		}
		// No more than there were.
		case.tasks = BoundedVec::truncate_from(kept);
		Self::put_case(node, case, tick, rules);
		let places: Vec<_> = missed.iter().map(|(task, _)| task.place).collect();
		let holders = Self::holders_of(&places, &mut looked);
		for ((task, reporter), holder) in missed.into_iter().zip(holders) {
			// A slot that is another's by now was rightly given up.
			if holder == Some(node) {
				let (place, offsets) = (task.place, &task.offsets);
				Self::missed_while_up(node, place, offsets, reporter.as_ref(), tick, rules);
			}
		}
		looked.add(Self::visit_jail(node, now, seed, tick, rules));
		looked
	}

	/// Whether a node was there for all of the `time` it had for a task that is late; `None` as long as
	/// heartbeats do not tell.
	fn was_there(
		node: NodeIndex,
		now: u32,
		tick: u32,
		task: &TaskOf<T>,
		time: u32,
	) -> Option<bool> {
		// The counter may have stood since: the deadline was in this block or before it.
		let due = now.saturating_sub(task.due.map_or(0, |due| tick.saturating_sub(due)));
		if T::Liveness::judged_until(node) <= due {
			return None;
		}
		Some(Self::was_up_since(node, due.saturating_sub(time)))
	}

	fn visit_jail(
		node: NodeIndex,
		now: u32,
		seed: Option<[u8; 32]>,
		tick: u32,
		rules: &Rules,
	) -> Looked {
		let mut looked = Looked::default();
		let Some(mut case) = Cases::<T>::get(node) else {
			return looked;
		};
		let Some(jail) = case.jail.as_mut() else {
			return looked;
		};
		if Outage::<T>::get() {
			// Afterwards there is time for another round, at least.
			let round = rules.jail_patience.saturating_add(rules.jail_round);
			let latest = tick.saturating_add(round).saturating_sub(rules.evict_after);
			if jail.since < latest {
				jail.since = latest;
				Self::put_case(node, case, tick, rules);
			}
			return looked;
		}
		looked.booked = 1;
		if tick.saturating_sub(jail.since) > rules.evict_after {
			Self::evict(node, case, rules);
			return looked;
		}
		match (jail.end, seed) {
			(Some(end), _) if tick > end => {
				jail.round = tick;
				jail.end = None;
				jail.found = BoundedVec::new();
				jail.failed = false;
				Self::collect(node);
			}
			(None, Some(seed)) => {
				let waited = tick.saturating_sub(jail.round) >= rules.jail_patience;
				if jail.found.is_full() || waited {
					looked.looks = 1;
					Self::ask_fresh(node, &mut case, now, seed, tick, rules);
				} else {
					Self::collect(node);
					return Looked::default();
				}
			}
			_ => return Looked::default(),
		}
		Self::put_case(node, case, tick, rules);
		looked
	}

	/// Asks a jailed node for fresh draws, from the slots found and those it failed in; from the same
	/// slots several times if there are not enough. A node that holds nothing has nothing to prove.
	fn ask_fresh(
		node: NodeIndex,
		case: &mut CaseOf<T>,
		now: u32,
		seed: [u8; 32],
		tick: u32,
		rules: &Rules,
	) {
		let Some(jail) = case.jail.as_mut() else {
			return;
		};
		let candidates: Vec<Place> = jail.found.iter().chain(&case.missed).copied().collect();
		let holders = T::Ledger::holders(&candidates);
		let places: Vec<(Place, u64)> = candidates
			.into_iter()
			.zip(holders)
			.filter(|(_, holder)| *holder == Some(node))
			.map(|(place, _)| (place, Self::ledger_bytes(place.0)))
			.filter(|(_, bytes)| *bytes > 0)
			.collect();
		if places.is_empty() {
			Self::release(node, case);
			return;
		}
		let end = tick.saturating_add(rules.jail_round);
		jail.end = Some(end);
		jail.failed = false;
		Self::stop_collecting(node);
		let draws = Draws {
			randomness: seed,
			block: now,
		};
		for (number, (place, bytes)) in (0..FRESH_DRAWS).zip(places.iter().cycle()) {
			// Numbers above those of looks, and the node, keep these draws apart from all others.
			let number = number.saturating_add(1_000);
			let offset = draws.below::<HostBlake2>(Lane::Fresh, number, node, *bytes);
			let id = Self::next_task();
			let task = Task {
				id,
				why: Why::Fresh,
				place: *place,
				offsets: BoundedVec::truncate_from(alloc::vec![offset]),
				seed,
				due: Some(end),
			};
			// There is room for all tasks of all kinds.
			let _ = case.tasks.try_push(task);
		}
		Self::deposit_event(Event::FreshDrawsAsked { node, due: end });
	}
}
