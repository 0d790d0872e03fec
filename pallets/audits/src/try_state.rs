//! What must hold between blocks.

use crate::{
	types::Why, ActiveRules, Answered, BalanceOf, Cases, Collecting, Config, DrawnAt, HoldReason,
	NextTask, Open, Pallet, Randomness, Swept, Tallied, Tallies, Tick,
};
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{ensure, traits::fungible::InspectHold};
use hippius_primitives::{registration::NodeStatus, traits::NodePenalties};
use sp_runtime::{
	traits::{Saturating, Zero},
	TryRuntimeError,
};

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * No tick is swept before its answers were counted.
	/// * Each open block is found by its tick, which is after the last one swept and not ahead; only
	///   its draws have answers.
	/// * No more randomness is kept than the rules say, and no more tallies.
	/// * Task numbers were given out, each once. A node has fresh draws exactly while it is jailed and
	///   their round has a deadline, and it is jailed with the registry too.
	/// * Slots are looked for of jailed nodes that have no fresh draws yet.
	/// * What is held of challengers is the sum of their open challenges' deposits.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let Some(rules) = ActiveRules::<T>::get() else {
			return Ok(());
		};
		rules.check().map_err(TryRuntimeError::Other)?;
		ensure!(
			Randomness::<T>::iter().count() <= rules.kept_randomness as usize,
			"too much randomness is kept"
		);
		ensure!(
			Tallies::<T>::get().len() as u32 <= rules.outage_window,
			"too many tallies are kept"
		);
		Self::try_state_draws()?;
		Self::try_state_cases()
	}

	fn try_state_draws() -> Result<(), TryRuntimeError> {
		ensure!(
			Swept::<T>::get() <= Tallied::<T>::get() && Tallied::<T>::get() <= Tick::<T>::get(),
			"ticks are swept that were not counted, or have not come"
		);
		let mut open_blocks = 0usize;
		for (block, open) in Open::<T>::iter() {
			open_blocks = open_blocks.saturating_add(1);
			ensure!(
				DrawnAt::<T>::get(open.tick) == Some(block),
				"an open block is not found by its tick"
			);
			ensure!(
				open.tick > Swept::<T>::get() && open.tick <= Tick::<T>::get(),
				"an open block of a tick that was swept or has not come"
			);
			ensure!(!open.draws.is_empty(), "an open block without draws");
			let beyond = u64::from(Answered::<T>::get(block)) >> open.draws.len();
			ensure!(beyond == 0, "an answer to a draw there is not");
		}
		ensure!(
			DrawnAt::<T>::iter().count() == open_blocks,
			"a tick without an open block"
		);
		ensure!(
			Answered::<T>::iter_keys().all(Open::<T>::contains_key),
			"answers to a block that is not open"
		);
		Ok(())
	}

	fn try_state_cases() -> Result<(), TryRuntimeError> {
		let mut ids = BTreeSet::new();
		let mut deposits = BTreeMap::<T::AccountId, BalanceOf<T>>::new();
		for (node, case) in Cases::<T>::iter() {
			let fresh = case.count(|why| *why == Why::Fresh);
			let end = case.jail.as_ref().and_then(|jail| jail.end);
			ensure!(fresh == 0 || end.is_some(), "fresh draws out of jail");
			if case.jail.is_some() {
				let status = T::Registry::standing(node).map(|standing| standing.status);
				ensure!(
					status.is_none_or(|status| status == NodeStatus::Jailed),
					"jailed here, but not with the registry"
				);
			}
			for task in &case.tasks {
				ensure!(ids.insert(task.id), "a task number used twice");
				ensure!(
					task.id < NextTask::<T>::get(),
					"a task number that was not given out"
				);
				if let Why::Challenge { by, deposit } = &task.why {
					let sum = deposits.entry(by.clone()).or_insert_with(Zero::zero);
					*sum = sum.saturating_add(*deposit);
				}
			}
		}
		for node in Collecting::<T>::get() {
			let waits = Cases::<T>::get(node)
				.and_then(|case| case.jail)
				.is_some_and(|jail| jail.end.is_none());
			ensure!(waits, "slots are looked for of a node that needs none");
		}
		for account in frame_system::Account::<T>::iter_keys() {
			let held = T::Currency::balance_on_hold(&HoldReason::Challenge.into(), &account);
			let sum = deposits.remove(&account).unwrap_or_else(Zero::zero);
			ensure!(held == sum, "deposits and holds differ");
		}
		ensure!(deposits.is_empty(), "a deposit of an account there is not");
		Ok(())
	}
}
