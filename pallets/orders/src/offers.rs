//! What nodes offer, and which of them is given an order.

use crate::{
	types::{Offer, Order, Request, MAX_LOTS, MAX_WEIGHED},
	Config, Error, Event, OfferOf, Offering, Pallet,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::DispatchResult};
use hippius_economy::{pick, place};
use hippius_primitives::{
	money::Service,
	registration::NodeStatus,
	traits::{Liveness, LivenessState, NodeRegistry, NodeScores},
	NodeIndex,
};
use sp_io::hashing::blake2_256;

/// The greatest score, and that of a node where nodes are not scored.
const ONE: u32 = 1 << 30;

impl<T: Config> Pallet<T> {
	/// The node is the family's.
	pub(crate) fn check_family(who: &T::AccountId, node: NodeIndex) -> Result<(), Error<T>> {
		let record = T::Registry::node(node).ok_or(Error::<T>::UnknownNode)?;
		ensure!(record.family == who.clone().into(), Error::<T>::NotYourNode);
		Ok(())
	}

	/// Whether a node gets no orders any more: leaving, evicted, or not there.
	pub(crate) fn gone(node: NodeIndex) -> bool {
		T::Registry::node(node).is_none_or(|record| record.status.is_leaving())
	}

	/// Offers so many units, or others than before.
	pub(crate) fn do_offer(
		who: T::AccountId,
		node: NodeIndex,
		service: Service,
		capacity: u64,
	) -> DispatchResult {
		let (before, gone) = (OfferOf::<T>::get(service, node), Self::gone(node));
		// Who is gone cannot clean up: anyone may.
		if !(gone && capacity == 0 && before.is_some()) {
			Self::check_family(&who, node)?;
		}
		ensure!(service != Service::Arion, Error::<T>::NotOrdered);
		ensure!(capacity == 0 || !gone, Error::<T>::NodeLeaving);
		let taken = before.map_or(0, |offer| offer.taken);
		ensure!(capacity >= taken, Error::<T>::CapacityTaken);
		if capacity == 0 {
			ensure!(before.is_some(), Error::<T>::NoOffer);
			Self::withdraw(service, node);
			return Ok(());
		}
		if before.is_none() {
			Offering::<T>::try_mutate(service, |all| all.try_push(node))
				.map_err(|_| Error::<T>::TooManyOffers)?;
		}
		OfferOf::<T>::insert(service, node, Offer { capacity, taken });
		Self::deposit_event(Event::Offered {
			node,
			service,
			capacity,
		});
		Ok(())
	}

	/// Ends an offer that nothing is taken of.
	pub(crate) fn withdraw(service: Service, node: NodeIndex) {
		OfferOf::<T>::remove(service, node);
		Offering::<T>::mutate(service, |all| all.retain(|other| *other != node));
		Self::deposit_event(Event::Offered {
			node,
			service,
			capacity: 0,
		});
	}

	/// Takes units of an offer, or gives them back.
	pub(crate) fn take_units(service: Service, node: NodeIndex, more: u64, less: u64) {
		OfferOf::<T>::mutate(service, node, |offer| {
			if let Some(offer) = offer {
				offer.taken = offer.taken.saturating_add(more).saturating_sub(less);
			}
		});
	}

	/// What a node weighs in the draw for an order: its score times its free units. None if the order does
	/// not fit, or the node passed it on, is not active, or known to be absent, or worth nothing.
	fn weight_of(node: NodeIndex, order: &Order<T::AccountId>) -> Option<u128> {
		let Request { service, units, .. } = order.request;
		let offer = OfferOf::<T>::get(service, node)?;
		if offer.free(u64::MAX) < units || order.passed.contains(&node) {
			return None;
		}
		let record = T::Registry::node(node)?;
		// An offer is only said; so it counts up to what is attested, or can be believed.
		let free = match service {
			Service::Compute => offer.free(u64::MAX).min(MAX_WEIGHED),
			Service::Arion | Service::S3 | Service::Ipfs => {
				let free = offer.free(record.params.capacity);
				(free >= units).then_some(free)?
			}
		};
		let able = record.status == NodeStatus::Active
			&& matches!(
				T::Liveness::liveness(node),
				LivenessState::Up | LivenessState::Unknown
			);
		let score = T::Scores::score(node).unwrap_or(ONE).min(ONE);
		let weight = u128::from(score).saturating_mul(free.into());
		(able && weight > 0).then_some(weight)
	}

	/// Draws the node that an order is given to: some of all evenly, and of those that can take it one, by
	/// score and free units.
	pub(crate) fn draw(id: u64, order: &Order<T::AccountId>, seed: &T::Hash) -> Option<NodeIndex> {
		let word = |lot: u32| {
			let hash = blake2_256(&codec::Encode::encode(&(seed, id, order.attempts, lot)));
			first_word(&hash)
		};
		let mut all = Offering::<T>::get(order.request.service).into_inner();
		let (mut nodes, mut weights) = (Vec::new(), Vec::new());
		for lot in 0..MAX_LOTS {
			let Some(at) = place(word(lot), all.len() as u32) else {
				break;
			};
			// None twice. A place is one of all.
			let node = all.swap_remove(at as usize);
			if let Some(weight) = Self::weight_of(node, order) {
				nodes.push(node);
				weights.push(weight);
			}
		}
		nodes.get(pick(word(MAX_LOTS), &weights)?).copied()
	}
}

/// The first eight bytes of a hash as a number.
fn first_word(hash: &[u8; 32]) -> u64 {
	let bytes = hash.iter().take(8);
	bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
