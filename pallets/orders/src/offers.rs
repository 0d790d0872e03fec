//! What nodes offer, and which of them is given an order.

use crate::{
	types::{Offer, Order, MAX_LOTS},
	Config, Error, Event, Largest, OfferOf, Offering, Pallet,
};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use hippius_economy::{accepted, place};
use hippius_primitives::{
	money::Service,
	registration::NodeStatus,
	traits::{Liveness, LivenessState, NodeRegistry, NodeScores},
	NodeIndex,
};
use sp_io::hashing::blake2_256;

/// The score of a node where nodes are not scored.
const ONE: u32 = 1 << 30;

impl<T: Config> Pallet<T> {
	/// The node is the family's.
	pub(crate) fn check_family(who: &T::AccountId, node: NodeIndex) -> Result<(), Error<T>> {
		let record = T::Registry::node(node).ok_or(Error::<T>::UnknownNode)?;
		ensure!(record.family == who.clone().into(), Error::<T>::NotYourNode);
		Ok(())
	}

	/// Offers so many units, or others than before.
	pub(crate) fn do_offer(
		who: T::AccountId,
		node: NodeIndex,
		service: Service,
		capacity: u64,
	) -> DispatchResult {
		Self::check_family(&who, node)?;
		ensure!(service != Service::Arion, Error::<T>::NotOrdered);
		let before = OfferOf::<T>::get(service, node);
		let taken = before.map_or(0, |offer| offer.taken);
		ensure!(capacity >= taken, Error::<T>::CapacityTaken);
		if capacity == 0 {
			ensure!(before.is_some(), Error::<T>::NoOffer);
			OfferOf::<T>::remove(service, node);
			Offering::<T>::mutate(service, |all| all.retain(|other| *other != node));
		} else {
			if before.is_none() {
				Offering::<T>::try_mutate(service, |all| all.try_push(node))
					.map_err(|_| Error::<T>::TooManyOffers)?;
			}
			let offer = Offer {
				capacity,
				taken,
				open: true,
			};
			OfferOf::<T>::insert(service, node, offer);
			Largest::<T>::mutate(service, |most| *most = (*most).max(capacity));
		}
		Self::deposit_event(Event::Offered {
			node,
			service,
			capacity,
		});
		Ok(())
	}

	/// Takes units of an offer, or gives them back.
	pub(crate) fn take_units(service: Service, node: NodeIndex, more: u64, less: u64) {
		OfferOf::<T>::mutate(service, node, |offer| {
			if let Some(offer) = offer {
				offer.taken = offer.taken.saturating_add(more).saturating_sub(less);
			}
		});
	}

	/// Whether a node can serve: active, and not known to be absent.
	pub(crate) fn able(node: NodeIndex) -> bool {
		T::Registry::node(node).is_some_and(|record| record.status == NodeStatus::Active)
			&& matches!(
				T::Liveness::liveness(node),
				LivenessState::Up | LivenessState::Unknown
			)
	}

	/// Draws the node that an order is given to: by score and free units, none that passed it on.
	pub(crate) fn draw(id: u64, order: &Order<T::AccountId>, seed: &T::Hash) -> Option<NodeIndex> {
		let service = order.request.service;
		let all = Offering::<T>::get(service);
		let largest = Largest::<T>::get(service);
		let mut spare = None;
		for lot in 0..MAX_LOTS {
			let hash = blake2_256(&codec::Encode::encode(&(seed, id, order.attempts, lot)));
			let (at, chance) = (word(&hash, 0), word(&hash, 8));
			let Some(node) = place(at, all.len() as u32)
				.and_then(|place| all.get(place as usize))
				.copied()
			else {
				break;
			};
			let Some(offer) = OfferOf::<T>::get(service, node) else {
				continue;
			};
			let fits = offer.open && offer.free() >= order.request.units;
			if !fits || order.passed.contains(&node) || !Self::able(node) {
				continue;
			}
			let score = T::Scores::score(node).unwrap_or(ONE);
			if score == 0 {
				continue;
			}
			if accepted(chance, score, offer.free(), largest) {
				return Some(node);
			}
			// All are far smaller than the largest: then the first that was drawn.
			spare = spare.or(Some(node));
		}
		spare
	}
}

/// Eight bytes of a hash as a number.
fn word(hash: &[u8; 32], from: usize) -> u64 {
	let bytes = hash.iter().skip(from).take(8);
	bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
