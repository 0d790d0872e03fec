//! Announced maintenance: a node that said in time that it would be away is not expected to answer.

use crate::{
	types::Maintenance, ActiveRules, Config, Error, Event, MaintenanceOf, MaintenanceSlots, Pallet,
	Rules,
};
use core::ops::RangeInclusive;
use frame_support::ensure;
use hippius_primitives::{
	registration::NodeStatus,
	traits::{MaintenancePlans, NodeRegistry, PlacementWeights},
	NodeIndex,
};
use sp_runtime::{traits::SaturatedConversion, DispatchResult};

/// The pieces of time, `maintenance_lead` long, that maintenance touches.
pub(crate) fn slots(plan: &Maintenance, lead: u32) -> RangeInclusive<u32> {
	let slot = |block: u32| block.checked_div(lead).unwrap_or(0);
	slot(plan.from)..=slot(plan.until.saturating_sub(1))
}

impl<T: Config> Pallet<T> {
	fn now() -> u32 {
		frame_system::Pallet::<T>::block_number().saturated_into()
	}

	/// Announces that a node of `family` will be away for `blocks` blocks from block `from` on.
	pub(crate) fn do_announce_maintenance(
		family: T::AccountId,
		node: NodeIndex,
		from: u32,
		blocks: u32,
	) -> DispatchResult {
		let rules = ActiveRules::<T>::get().ok_or(Error::<T>::NotReady)?;
		let record = T::Registry::node(node).ok_or(Error::<T>::UnknownNode)?;
		ensure!(record.family == family.into(), Error::<T>::NotYourNode);
		ensure!(
			matches!(record.status, NodeStatus::Active | NodeStatus::Draining),
			Error::<T>::NodeInTrouble
		);
		let now = Self::now();
		ensure!(
			from >= now.saturating_add(rules.maintenance_lead),
			Error::<T>::MaintenanceTooSoon
		);
		ensure!(
			from <= now.saturating_add(rules.maintenance_period),
			Error::<T>::MaintenanceTooFarAhead
		);
		ensure!(
			blocks > 0 && blocks <= rules.maintenance_most,
			Error::<T>::MaintenanceTooLong
		);
		let mut plans = MaintenanceOf::<T>::get(node);
		plans.retain(|plan| plan.until.saturating_add(rules.maintenance_period) > from);
		ensure!(
			plans.iter().all(|plan| plan.until <= now),
			Error::<T>::MaintenancePlanned
		);
		let used = plans.iter().fold(blocks, |sum, plan| {
			sum.saturating_add(plan.until.saturating_sub(plan.from))
		});
		ensure!(
			used <= rules.maintenance_most,
			Error::<T>::MaintenanceUsedUp
		);
		let plan = Maintenance {
			from,
			until: from.saturating_add(blocks),
		};
		let (nodes, _) = T::Weights::totals();
		let most = (u64::from(nodes).saturating_mul(rules.maintenance_percent.into()) / 100).max(1);
		for slot in slots(&plan, rules.maintenance_lead) {
			let away = MaintenanceSlots::<T>::get(slot);
			ensure!(u64::from(away) < most, Error::<T>::TooManyAway);
		}
		plans
			.try_push(plan)
			.map_err(|_| Error::<T>::MaintenanceUsedUp)?;
		Self::count(&plan, &rules, 0, true);
		MaintenanceOf::<T>::insert(node, plans);
		Self::deposit_event(Event::MaintenanceAnnounced {
			node,
			from,
			until: plan.until,
		});
		Ok(())
	}

	/// Ends or takes back a node's maintenance. Anyone may do so for a node that no longer exists.
	pub(crate) fn do_end_maintenance(who: T::AccountId, node: NodeIndex) -> DispatchResult {
		let rules = ActiveRules::<T>::get().ok_or(Error::<T>::NotReady)?;
		let record = T::Registry::node(node);
		if let Some(record) = &record {
			ensure!(record.family == who.into(), Error::<T>::NotYourNode);
		}
		let now = Self::now();
		let mut plans = MaintenanceOf::<T>::get(node);
		let open = plans.iter().position(|plan| plan.until > now);
		if let Some(at) = open {
			let plan = plans.remove(at);
			if plan.from > now {
				Self::count(&plan, &rules, 0, false);
			} else {
				let ended = Maintenance {
					until: now.saturating_add(1),
					..plan
				};
				let last = *slots(&ended, rules.maintenance_lead).end();
				Self::count(&plan, &rules, last.saturating_add(1), false);
				// One was removed.
				let _ = plans.try_push(ended);
			}
		}
		ensure!(
			open.is_some() || (record.is_none() && !plans.is_empty()),
			Error::<T>::NoMaintenance
		);
		match record {
			Some(_) if !plans.is_empty() => MaintenanceOf::<T>::insert(node, plans),
			_ => {
				// What is still counted of a node that is gone.
				for plan in plans.iter().filter(|plan| plan.until > now) {
					Self::count(plan, &rules, 0, false);
				}
				MaintenanceOf::<T>::remove(node);
			}
		}
		Self::deposit_event(Event::MaintenanceEnded { node });
		Ok(())
	}

	/// Counts a node as away, or no longer, in the plan's pieces of time from `first` on. Pieces that
	/// are past have no count.
	fn count(plan: &Maintenance, rules: &Rules, first: u32, away: bool) {
		let present = Self::now().checked_div(rules.maintenance_lead).unwrap_or(0);
		for slot in slots(plan, rules.maintenance_lead) {
			if slot < first.max(present) {
				continue;
			}
			MaintenanceSlots::<T>::mutate_exists(slot, |count| {
				let nodes = count.unwrap_or(0);
				let nodes = match away {
					true => nodes.saturating_add(1),
					false => nodes.saturating_sub(1),
				};
				*count = (nodes > 0).then_some(nodes);
			});
		}
	}
}

impl<T: Config> MaintenancePlans for Pallet<T> {
	fn away_until(node: NodeIndex) -> Option<u32> {
		let now = Self::now();
		MaintenanceOf::<T>::get(node)
			.iter()
			.find(|plan| plan.from <= now && now < plan.until)
			.map(|plan| plan.until)
	}
}
