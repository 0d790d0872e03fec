//! Who served how much, by era: what nodes are paid by. Eras are of fixed length, so what was served in
//! one without a change needs no record, and nothing need be swept.

use crate::{
	types::{Served, KEPT_ERAS},
	Config, EraServed, Pallet, Serving,
};
use alloc::vec::Vec;
use frame_support::traits::Get;
use hippius_primitives::{money::Service, traits::PayWeights, NodeIndex};

impl<T: Config> Pallet<T> {
	fn era_of(block: u32) -> u32 {
		block / T::EraBlocks::get().max(1)
	}

	fn era_start(era: u32) -> u32 {
		era.saturating_mul(T::EraBlocks::get().max(1))
	}

	/// A node serves so many units more, or less; and so do all.
	pub(crate) fn note_served(service: Service, node: NodeIndex, more: u64, less: u64) {
		for who in [Some(node), None] {
			let mut serving = Self::rolled(service, who);
			serving.units = serving
				.units
				.saturating_add(more.into())
				.saturating_sub(less.into());
			Serving::<T>::insert(service, who, serving);
		}
	}

	/// What `who` serves, counted up to now; closes the eras in between.
	fn rolled(service: Service, who: Option<NodeIndex>) -> Served {
		let now = Self::block();
		let mut serving = Serving::<T>::get(service, who);
		let (then, era) = (Self::era_of(serving.block), Self::era_of(now));
		if then == era {
			serving.sum = serving.until(now);
			serving.block = now;
			return serving;
		}
		let oldest = era.saturating_sub(KEPT_ERAS);
		for closed in then.max(oldest)..era {
			let sum = Self::served_in(&serving, closed);
			if sum > 0 {
				EraServed::<T>::insert((service, closed), who, sum);
			}
		}
		// As many as were written may have to go.
		let before = then.saturating_sub(KEPT_ERAS);
		for old in before..oldest.min(before.saturating_add(KEPT_ERAS.saturating_mul(2))) {
			EraServed::<T>::remove((service, old), who);
		}
		Served {
			units: serving.units,
			block: now,
			sum: serving
				.units
				.saturating_mul(now.saturating_sub(Self::era_start(era)).into()),
		}
	}

	/// What was served in an era that is not before that of the last change.
	fn served_in(serving: &Served, era: u32) -> u128 {
		let end = Self::era_start(era.saturating_add(1));
		match Self::era_of(serving.block) == era {
			true => serving.until(end),
			false => serving.units.saturating_mul(T::EraBlocks::get().into()),
		}
	}

	/// What `who` served in an era that is over.
	fn served(service: Service, era: u32, who: Option<NodeIndex>) -> u128 {
		let serving = Serving::<T>::get(service, who);
		match Self::era_of(serving.block) > era {
			true => EraServed::<T>::get((service, era), who),
			false => Self::served_in(&serving, era),
		}
	}
}

impl<T: Config> PayWeights for Pallet<T> {
	fn settled(_: Service) -> Option<u32> {
		Self::era_of(Self::block()).checked_sub(1)
	}

	fn total(service: Service, era: u32) -> Option<u128> {
		let now = Self::era_of(Self::block());
		(era < now && era.saturating_add(KEPT_ERAS) >= now)
			.then(|| Self::served(service, era, None))
	}

	fn page(service: Service, era: u32, page: u32) -> Vec<(NodeIndex, u128)> {
		let first = page.saturating_mul(128);
		(first..first.saturating_add(128))
			.map(|node| (node, Self::served(service, era, Some(node))))
			.filter(|(_, weight)| *weight > 0)
			.collect()
	}
}
