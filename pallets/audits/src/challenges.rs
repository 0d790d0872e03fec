//! Challenges: anyone may have a node asked for a byte, and pays if it answers.

use crate::{
	types::{Offsets, Task, Why, MAX_CHALLENGES},
	ActiveRules, BalanceOf, Cases, Config, Error, Event, HoldReason, Pallet, Rolling, Tick,
};
use arion_storage_proof::PgLedger;
use frame_support::{
	ensure,
	traits::{
		fungible::{Balanced, BalancedHold, MutateHold},
		tokens::Precision,
		Get, Imbalance, OnUnbalanced,
	},
};
use hippius_primitives::{traits::NodeRegistry, NodeIndex, Pg};
use sp_runtime::{
	traits::{UniqueSaturatedFrom, UniqueSaturatedInto, Zero},
	DispatchResult,
};

impl<T: Config> Pallet<T> {
	/// Asks the holder of a slot for byte `offset` of the group's ledger.
	pub(crate) fn do_challenge(by: T::AccountId, pg: Pg, slot: u8, offset: u64) -> DispatchResult {
		let rules = ActiveRules::<T>::get().ok_or(Error::<T>::NotReady)?;
		ensure!(offset < Self::ledger_bytes(pg), Error::<T>::BeyondTheLedger);
		let node = T::Ledger::holder(pg, slot).ok_or(Error::<T>::NobodyHolds)?;
		ensure!(Self::is_drawn(node), Error::<T>::NotChallengeable);
		ensure!(Self::is_up(node), Error::<T>::NodeAway);
		let tick = Tick::<T>::get();
		let mut case = Cases::<T>::get(node).unwrap_or_default();
		let open = case.count(|why| matches!(why, Why::Challenge { .. }));
		ensure!(open < MAX_CHALLENGES, Error::<T>::TooManyChallenges);
		let today = tick.checked_div(rules.blocks_per_day).unwrap_or(0);
		if case.challenged.0 != today {
			case.challenged = (today, 0);
		}
		ensure!(
			case.challenged.1 < rules.challenges_per_day,
			Error::<T>::TooManyChallenges
		);
		case.challenged.1 = case.challenged.1.saturating_add(1);

		let deposit = T::ChallengeDeposit::get();
		if !deposit.is_zero() {
			T::Currency::hold(&HoldReason::Challenge.into(), &by, deposit)?;
		}
		let id = Self::next_task();
		let due = tick.saturating_add(rules.deadline);
		let task = Task {
			id,
			why: Why::Challenge {
				by: by.clone(),
				deposit,
			},
			place: (pg, slot),
			offsets: Offsets::truncate_from(alloc::vec![offset]),
			seed: Rolling::<T>::get(),
			due: Some(due),
		};
		case.tasks
			.try_push(task)
			.map_err(|_| Error::<T>::TooManyChallenges)?;
		Cases::<T>::insert(node, case);
		Self::deposit_event(Event::Challenged {
			id,
			node,
			by,
			deposit,
			due,
		});
		Ok(())
	}

	/// Gives a challenger his deposit back.
	pub(crate) fn refund(by: &T::AccountId, deposit: BalanceOf<T>) {
		if deposit.is_zero() {
			return;
		}
		let reason = HoldReason::Challenge.into();
		if let Err(error) = T::Currency::release(&reason, by, deposit, Precision::BestEffort) {
			log::error!(target: crate::LOG_TARGET, "a deposit cannot be released: {error:?}");
		}
	}

	/// The challenged node has answered: half of the deposit is its family's for the trouble, the rest
	/// the treasury's. All of it, if there was nothing to hold.
	pub(crate) fn challenge_lost(
		node: NodeIndex,
		by: &T::AccountId,
		deposit: BalanceOf<T>,
		shows_bytes: bool,
	) {
		if deposit.is_zero() {
			return;
		}
		let (taken, _) = T::Currency::slash(&HoldReason::Challenge.into(), by, deposit);
		let whole: u128 = taken.peek().unique_saturated_into();
		let half = if shows_bytes { whole / 2 } else { 0 };
		let (half, mut rest) = taken.split(BalanceOf::<T>::unique_saturated_from(half));
		match T::Registry::node(node) {
			Some(record) => {
				if let Err(unpaid) = T::Currency::resolve(&record.family.into(), half) {
					rest = rest.merge(unpaid);
				}
			}
			None => rest = rest.merge(half),
		}
		T::Treasury::on_unbalanced(rest);
	}
}
