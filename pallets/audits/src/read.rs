//! What is asked, as daemons and clients see it; changing the rules.

use crate::{
	ActiveRules, Answered, Cases, Config, DrawnAt, Error, Event, Open, OpenBlock, Pallet, Rules,
	Swept, Tick,
};
use alloc::vec::Vec;
use frame_support::ensure;
use hippius_primitives::{
	audit::{Ask, AskedOf},
	NodeIndex,
};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	/// The draws of an open block.
	pub(crate) fn asked_in(block: u32) -> Vec<AskedOf> {
		let deadline = ActiveRules::<T>::get().map_or(0, |rules| rules.deadline);
		match Open::<T>::get(block) {
			Some(open) => listed(block, &open, deadline),
			None => Vec::new(),
		}
	}

	/// All that a node is asked and has not answered, as far as it is open: at most one block for each
	/// tick up to the deadline, and the node's own tasks.
	pub(crate) fn open_for(node: NodeIndex) -> Vec<AskedOf> {
		let mut asked = Vec::new();
		let tick = Tick::<T>::get();
		let deadline = ActiveRules::<T>::get().map_or(0, |rules| rules.deadline);
		let first = Swept::<T>::get()
			.saturating_add(1)
			.max(tick.saturating_sub(deadline));
		for block in (first..=tick).filter_map(DrawnAt::<T>::get) {
			let Some(open) = Open::<T>::get(block) else {
				continue;
			};
			let answered = Answered::<T>::get(block);
			asked.extend(
				listed(block, &open, deadline)
					.into_iter()
					.enumerate()
					.filter(|(bit, asked)| {
						let bit = answered.checked_shr(*bit as u32).unwrap_or(0) & 1;
						asked.node == node && bit == 0
					})
					.map(|(_, asked)| asked),
			);
		}
		let tasks = Cases::<T>::get(node).map(|case| case.tasks);
		let tasks = tasks.into_iter().flatten();
		let open = tasks.filter(|task| task.due.is_none_or(|due| tick <= due));
		asked.extend(open.map(|task| AskedOf {
			ask: Ask::Task { id: task.id },
			node,
			pg: task.place.0,
			slot: task.place.1,
			offsets: task.offsets.into_inner(),
			seed: task.seed,
			due: task.due,
		}));
		asked
	}

	pub(crate) fn do_set_rules(rules: Rules) -> DispatchResult {
		rules.check().map_err(|flaw| {
			log::warn!(target: crate::LOG_TARGET, "rules refused: {flaw}");
			Error::<T>::BadRules
		})?;
		if let Some(present) = ActiveRules::<T>::get() {
			let grows = present.kept_randomness <= rules.kept_randomness;
			ensure!(grows, Error::<T>::LengthFixed);
		}
		crate::Tallies::<T>::mutate(|window| window.truncate(rules.outage_window as usize));
		ActiveRules::<T>::put(rules);
		Self::deposit_event(Event::RulesSet { rules });
		Ok(())
	}
}

fn listed(block: u32, open: &OpenBlock, deadline: u32) -> Vec<AskedOf> {
	open.draws
		.iter()
		.enumerate()
		.map(|(draw, drawn)| AskedOf {
			ask: Ask::Draw {
				block,
				draw: draw as u8,
			},
			node: drawn.node,
			pg: drawn.pg,
			slot: drawn.slot,
			offsets: drawn.offsets.to_vec(),
			seed: open.seed,
			due: Some(open.tick.saturating_add(deadline)),
		})
		.collect()
}
