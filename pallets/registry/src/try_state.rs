//! What must hold between blocks.

use crate::{
	Config, FamilyNodes, HoldReason, LiveNodes, NextNodeIndex, NodeByKey, Nodes, Pallet,
	ProofSequence,
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungible::InspectHold};
use sp_runtime::{
	traits::{Saturating, Zero},
	TryRuntimeError,
};

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * `NodeByKey` holds each node's key and announced key, and nothing else; each such key has at
	///   least one accepted proof.
	/// * `LiveNodes` has exactly the numbers of `Nodes`, all below `NextNodeIndex`; no empty page.
	/// * `FamilyNodes` counts the nodes of each family; no entry is zero.
	/// * A family's holds are the sums of its nodes' deposits and stakes.
	/// * A node has a block to claim its exit at exactly while it is draining or evicted.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_state_keys()?;
		Self::try_state_numbers()?;
		Self::try_state_families()
	}

	fn try_state_keys() -> Result<(), TryRuntimeError> {
		let mut keys = 0usize;
		for (index, node) in Nodes::<T>::iter() {
			for key in core::iter::once(node.key).chain(node.next_key.map(|(key, _)| key)) {
				ensure!(
					NodeByKey::<T>::get(key) == Some(index),
					"a node's key leads elsewhere"
				);
				ensure!(
					ProofSequence::<T>::get(key) > 0,
					"a key without an accepted proof"
				);
				keys = keys.saturating_add(1);
			}
		}
		ensure!(
			NodeByKey::<T>::iter().count() == keys,
			"a key that no node has"
		);
		Ok(())
	}

	fn try_state_numbers() -> Result<(), TryRuntimeError> {
		let live = Self::live_from(0, u32::MAX);
		ensure!(
			live.len() as u32 == Nodes::<T>::count(),
			"live numbers and nodes differ"
		);
		ensure!(
			Nodes::<T>::iter().count() as u32 == Nodes::<T>::count(),
			"the counter is off"
		);
		ensure!(
			live.iter().all(Nodes::<T>::contains_key),
			"a live number without a node"
		);
		ensure!(
			live.last()
				.is_none_or(|last| *last < NextNodeIndex::<T>::get()),
			"a number that was not yet given out"
		);
		ensure!(
			LiveNodes::<T>::iter_values().all(|words| words.iter().any(|bits| *bits != 0)),
			"an empty page of live numbers"
		);
		Ok(())
	}

	fn try_state_families() -> Result<(), TryRuntimeError> {
		let mut families = BTreeMap::new();
		for node in Nodes::<T>::iter_values() {
			ensure!(
				node.status.is_leaving() == node.claimable_at.is_some(),
				"status and exit disagree"
			);
			let (count, deposit, stake) =
				families
					.entry(node.family)
					.or_insert((0u32, Zero::zero(), Zero::zero()));
			*count = count.saturating_add(1);
			*deposit = node.deposit.saturating_add(*deposit);
			*stake = node.stake.saturating_add(*stake);
		}
		ensure!(
			FamilyNodes::<T>::iter().count() == families.len(),
			"a family counted without nodes"
		);
		for (family, (count, deposit, stake)) in families {
			ensure!(
				FamilyNodes::<T>::get(&family) == count,
				"a family's nodes miscounted"
			);
			let held = |reason: HoldReason| T::Currency::balance_on_hold(&reason.into(), &family);
			ensure!(
				held(HoldReason::RegistrationDeposit) == deposit,
				"deposits and holds differ"
			);
			ensure!(
				held(HoldReason::CapacityStake) == stake,
				"stakes and holds differ"
			);
		}
		Ok(())
	}
}
