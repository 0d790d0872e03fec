//! A node's life: registered, updated, leaving, gone.

use crate::{
	stake_for, BalanceOf, Config, Error, Event, FamilyNodes, HoldReason, NextNodeIndex, NodeByKey,
	NodeInfo, NodeInfoOf, Nodes, Pallet, Revision,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::{InspectHold, MutateHold},
		tokens::Precision,
		Defensive, Get,
	},
};
use hippius_primitives::{
	registration::{registration_payload, KeyProof, NodeParams, NodeStatus},
	NodeIndex, NodeKey,
};
use sp_runtime::{
	traits::{Saturating, UniqueSaturatedFrom, UniqueSaturatedInto, Zero},
	DispatchError,
};

impl<T: Config> Pallet<T> {
	/// Registers a node of `family`.
	pub fn do_register_node(
		family: T::AccountId,
		key: NodeKey,
		params: NodeParams,
		proof: KeyProof,
	) -> DispatchResult {
		Self::check_proof_frame(&proof)?;
		let (host, addresses) = Self::check_params(&params)?;
		let of_family = FamilyNodes::<T>::get(&family);
		ensure!(
			of_family < T::MaxNodesPerFamily::get(),
			Error::<T>::TooManyNodes
		);
		ensure!(
			Nodes::<T>::count() < T::MaxNodes::get(),
			Error::<T>::RegistryFull
		);
		Self::check_key(&key, &proof)?;
		let deposit = T::RegistrationDeposit::get();
		let stake = Self::stake_of(params.capacity);
		Self::ensure_can_hold(&family, deposit.saturating_add(stake))?;
		let node = NextNodeIndex::<T>::get();
		let next = node.checked_add(1).ok_or(Error::<T>::IndexesExhausted)?;

		let payload = registration_payload(
			&proof.genesis,
			&family.clone().into(),
			&key,
			&params,
			proof.sequence,
			proof.valid_until,
		);
		Self::spend_proof(&key, &proof, &payload)?;

		Self::hold(HoldReason::RegistrationDeposit, &family, deposit)?;
		Self::hold(HoldReason::CapacityStake, &family, stake)?;
		NextNodeIndex::<T>::put(next);
		FamilyNodes::<T>::insert(&family, of_family.saturating_add(1));
		NodeByKey::<T>::insert(key, node);
		Self::set_live(node, true);
		Nodes::<T>::insert(
			node,
			NodeInfo {
				family: family.clone(),
				key,
				next_key: None,
				zone: params.zone,
				host,
				capacity: params.capacity,
				addresses,
				status: NodeStatus::Active,
				registered_at: frame_system::Pallet::<T>::block_number(),
				deposit,
				stake,
				claimable_at: None,
			},
		);
		Self::bump_revision();
		Self::deposit_event(Event::NodeRegistered { node, family, key });
		Ok(())
	}

	/// Takes a new declaration of a node of `family`.
	pub fn do_update_node(
		family: T::AccountId,
		node: NodeIndex,
		params: NodeParams,
	) -> DispatchResult {
		let mut info = Self::node_of(&family, node)?;
		ensure!(params.zone == info.zone, Error::<T>::ZoneFixed);
		let (host, addresses) = Self::check_params(&params)?;
		if host != info.host || params.capacity != info.capacity {
			Self::ensure_active(info.status)?;
		}
		if params.capacity > info.capacity {
			let missing = Self::stake_of(params.capacity).saturating_sub(info.stake);
			Self::ensure_can_hold(&family, missing)?;
			Self::hold(HoldReason::CapacityStake, &family, missing)?;
			info.stake = info.stake.saturating_add(missing);
		}
		info.host = host;
		info.addresses = addresses;
		info.capacity = params.capacity;
		let (capacity, stake) = (info.capacity, info.stake);
		Nodes::<T>::insert(node, info);
		Self::bump_revision();
		Self::deposit_event(Event::NodeUpdated {
			node,
			capacity,
			stake,
		});
		Ok(())
	}

	/// Starts the exit of a node of `family`.
	pub fn do_start_exit(family: T::AccountId, node: NodeIndex) -> DispatchResult {
		let mut info = Self::node_of(&family, node)?;
		Self::ensure_active(info.status)?;
		let now = frame_system::Pallet::<T>::block_number();
		let claimable = now.saturating_add(T::UnbondingPeriod::get());
		info.status = NodeStatus::Draining;
		info.claimable_at = Some(claimable);
		Nodes::<T>::insert(node, info);
		Self::bump_revision();
		Self::deposit_event(Event::ExitStarted { node, claimable });
		Ok(())
	}

	/// Ends the exit of a node of `family`.
	pub fn do_claim_exit(family: T::AccountId, node: NodeIndex) -> DispatchResult {
		let info = Self::node_of(&family, node)?;
		let claimable = info.claimable_at.ok_or(Error::<T>::NotDraining)?;
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(now >= claimable, Error::<T>::StillBonded);

		// What a slash took meanwhile is no longer there to be released.
		let deposit = Self::release(HoldReason::RegistrationDeposit, &family, info.deposit)?;
		let stake = Self::release(HoldReason::CapacityStake, &family, info.stake)?;
		NodeByKey::<T>::remove(info.key);
		if let Some((next_key, _)) = info.next_key {
			NodeByKey::<T>::remove(next_key);
		}
		FamilyNodes::<T>::mutate_exists(&family, |count| {
			*count = count
				.defensive_unwrap_or_default()
				.checked_sub(1)
				.filter(|remaining| *remaining > 0);
		});
		Self::set_live(node, false);
		Nodes::<T>::remove(node);
		Self::bump_revision();
		let released = deposit.saturating_add(stake);
		Self::deposit_event(Event::NodeRemoved {
			node,
			family,
			released,
		});
		Ok(())
	}

	/// The node, if it is one of `family`.
	pub(crate) fn node_of(
		family: &T::AccountId,
		node: NodeIndex,
	) -> Result<NodeInfoOf<T>, Error<T>> {
		let info = Nodes::<T>::get(node).ok_or(Error::<T>::UnknownNode)?;
		ensure!(info.family == *family, Error::<T>::NotYourNode);
		Ok(info)
	}

	fn ensure_active(status: NodeStatus) -> Result<(), Error<T>> {
		match status {
			NodeStatus::Active => Ok(()),
			NodeStatus::Jailed => Err(Error::<T>::NodeJailed),
			NodeStatus::Draining | NodeStatus::Evicted => Err(Error::<T>::NodeDraining),
		}
	}

	/// Tells readers of the registry that it changed.
	pub(crate) fn bump_revision() {
		Revision::<T>::mutate(|revision| *revision = revision.wrapping_add(1));
	}

	pub(crate) fn stake_of(capacity: u64) -> BalanceOf<T> {
		let per_terabyte: u128 = T::StakePerTerabyte::get().unique_saturated_into();
		BalanceOf::<T>::unique_saturated_from(stake_for(capacity, per_terabyte))
	}

	fn ensure_can_hold(family: &T::AccountId, amount: BalanceOf<T>) -> Result<(), Error<T>> {
		let possible = amount.is_zero()
			|| [HoldReason::RegistrationDeposit, HoldReason::CapacityStake]
				.into_iter()
				.all(|reason| T::Currency::can_hold(&reason.into(), family, amount));
		ensure!(possible, Error::<T>::StakeTooLow);
		Ok(())
	}

	fn hold(reason: HoldReason, family: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		if amount.is_zero() {
			// A hold of nothing would still ask for a provider reference.
			return Ok(());
		}
		T::Currency::hold(&reason.into(), family, amount)
	}

	fn release(
		reason: HoldReason,
		family: &T::AccountId,
		amount: BalanceOf<T>,
	) -> Result<BalanceOf<T>, DispatchError> {
		if amount.is_zero() {
			return Ok(amount);
		}
		T::Currency::release(&reason.into(), family, amount, Precision::BestEffort)
	}
}
