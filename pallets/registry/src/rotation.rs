//! Key rotation: announce, overlap, activate.

use crate::{Config, Error, Event, NodeByKey, Nodes, Pallet};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use hippius_primitives::{
	registration::{rotation_payload, KeyProof},
	NodeIndex, NodeKey,
};
use sp_runtime::traits::Saturating;

impl<T: Config> Pallet<T> {
	/// Gives a node of `family` a second key.
	pub fn do_announce_key(
		family: T::AccountId,
		node: NodeIndex,
		new_key: NodeKey,
		proof: KeyProof,
	) -> DispatchResult {
		Self::check_proof_frame(&proof)?;
		let mut info = Self::node_of(&family, node)?;
		Self::check_key(&new_key, &proof)?;
		let payload = rotation_payload(
			&proof.genesis,
			&family.into(),
			node,
			&new_key,
			proof.sequence,
			proof.valid_until,
		);
		Self::spend_proof(&new_key, &proof, &payload)?;

		let now = frame_system::Pallet::<T>::block_number();
		let activation = now.saturating_add(T::KeyOverlap::get());
		if let Some((replaced, _)) = info.next_key.replace((new_key, activation)) {
			NodeByKey::<T>::remove(replaced);
		}
		NodeByKey::<T>::insert(new_key, node);
		Nodes::<T>::insert(node, info);
		Self::bump_revision();
		Self::deposit_event(Event::KeyAnnounced {
			node,
			key: new_key,
			activation,
		});
		Ok(())
	}

	/// Makes the announced key of a node its only one.
	pub fn do_activate_key(who: T::AccountId, node: NodeIndex) -> DispatchResult {
		let mut info = Nodes::<T>::get(node).ok_or(Error::<T>::UnknownNode)?;
		let (new, activation) = info.next_key.take().ok_or(Error::<T>::NoKeyAnnounced)?;
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(
			who == info.family || now >= activation,
			Error::<T>::OverlapNotOver
		);

		let old = core::mem::replace(&mut info.key, new);
		NodeByKey::<T>::remove(old);
		Nodes::<T>::insert(node, info);
		Self::bump_revision();
		Self::deposit_event(Event::KeyActivated { node, old, new });
		Ok(())
	}
}
