//! Eras of miners: frozen when their weights are, paid page by page.

use crate::{
	types::{Earnings, EraPool, MAX_WORDS, PAGE},
	Config, Earned, EgressSent, EgressTotal, EraPools, Error, Event, Frozen, OpenEgress, OpenEras,
	Pallet, Pots, WeightInfo,
};
use alloc::vec::Vec;
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	storage::with_storage_layer,
	traits::Get,
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use hippius_economy::{carry, mul_div, share};
use hippius_primitives::{
	money::{Pool, Service, Usage},
	traits::{NodePenalties, NodeRegistry, PayWeights},
	NodeIndex,
};

/// Shares are given in millionths.
const PPM: u128 = 1_000_000;

impl<T: Config> Pallet<T> {
	/// Freezes what a service's pools have, if the weights of an era are fixed since.
	pub(crate) fn do_freeze(service: Service) -> DispatchResult {
		let era = T::Weights::settled(service).ok_or(Error::<T>::NothingToFreeze)?;
		let before = Frozen::<T>::get(service);
		ensure!(
			before.is_none_or(|frozen| frozen < era),
			Error::<T>::NothingToFreeze
		);
		// Two more than there are now must fit.
		let open = OpenEras::<T>::decode_len().unwrap_or(0);
		ensure!(
			open.saturating_add(2) <= crate::types::MAX_OPEN as usize,
			Error::<T>::TooManyEras
		);
		Frozen::<T>::insert(service, era);
		let weight = T::Weights::total(service, era).unwrap_or(0);
		Self::freeze_pool(service.held(), era, weight);
		// What is sent from now on counts for the next.
		let sent = EgressTotal::<T>::get(service);
		if Self::freeze_pool(service.egress(), era, sent) {
			EgressTotal::<T>::remove(service);
			OpenEgress::<T>::mutate(service, |period| *period = period.saturating_add(1));
		}
		Ok(())
	}

	/// Freezes what a pool has; whether it did. Where nobody earned, or nothing is there, it is carried
	/// over.
	fn freeze_pool(pool: Pool, era: u32, weight: u128) -> bool {
		let amount = Pots::<T>::get(pool);
		let pages = T::Registry::end().div_ceil(PAGE);
		let words = pages.div_ceil(64);
		if amount == 0 || weight == 0 || pages == 0 || words > MAX_WORDS {
			Self::deposit_event(Event::EraCarried { pool, era, amount });
			return false;
		}
		Pots::<T>::remove(pool);
		EraPools::<T>::insert(
			pool,
			era,
			EraPool {
				amount,
				weight,
				period: OpenEgress::<T>::get(pool.service),
				paid: 0,
				pages,
				left: pages,
				done: BoundedVec::truncate_from(alloc::vec![0; words as usize]),
			},
		);
		OpenEras::<T>::mutate(|open| {
			// There was room for two.
			let _fits = open.try_push((pool, era));
		});
		Self::deposit_event(Event::EraFrozen {
			pool,
			era,
			amount,
			weight,
			pages,
		});
		true
	}
}

impl<T: Config> Pallet<T> {
	/// Credits the nodes of a page with their shares.
	pub(crate) fn do_payout_page(pool: Pool, era: u32, page: u32) -> DispatchResult {
		let mut frozen = EraPools::<T>::get(pool, era).ok_or(Error::<T>::UnknownEra)?;
		ensure!(page < frozen.pages, Error::<T>::UnknownPage);
		ensure!(!frozen.is_paid(page), Error::<T>::PageAlreadyPaid);
		let before = frozen.paid;
		let mut nodes = 0u32;
		for (node, weight) in Self::weights(pool, era, &frozen, page)? {
			// Weights that add up to more than their sum cannot pay more than there is.
			let rest = carry(frozen.amount, frozen.paid);
			let due = share(frozen.amount, weight, frozen.weight).min(rest);
			if due > 0 && Self::credit(node, due) {
				frozen.paid = frozen.paid.saturating_add(due);
				nodes = nodes.saturating_add(1);
			}
		}
		if let Some(word) = frozen.done.get_mut((page / 64) as usize) {
			*word |= 1 << (page % 64);
		}
		frozen.left = frozen.left.saturating_sub(1);
		Self::deposit_event(Event::PagePaid {
			pool,
			era,
			page,
			nodes,
			amount: frozen.paid.saturating_sub(before),
		});
		match frozen.left {
			0 => Self::close(pool, era, &frozen),
			_ => EraPools::<T>::insert(pool, era, frozen),
		}
		Ok(())
	}

	/// The weights of a page. Those of egress are used up by it.
	fn weights(
		pool: Pool,
		era: u32,
		frozen: &EraPool,
		page: u32,
	) -> Result<Vec<(NodeIndex, u128)>, Error<T>> {
		let first = page.saturating_mul(PAGE);
		let last = first.saturating_add(PAGE);
		match pool.usage {
			Usage::Egress => Ok((first..last)
				.filter_map(|node| {
					let sent = EgressSent::<T>::take((pool.service, frozen.period), node);
					(sent > 0).then_some((node, sent))
				})
				.collect()),
			Usage::Held => {
				ensure!(
					T::Weights::total(pool.service, era).is_some(),
					Error::<T>::EraNotKept
				);
				let mut weights = T::Weights::page(pool.service, era, page);
				weights.retain(|(node, _)| (first..last).contains(node));
				weights.sort_unstable();
				weights.dedup_by_key(|(node, _)| *node);
				Ok(weights)
			}
		}
	}

	/// Credits a node; whether there is one. What its bond lacks is kept back from it.
	fn credit(node: NodeIndex, due: u128) -> bool {
		let Some(record) = T::Registry::node(node) else {
			return false;
		};
		let mut earnings = Earned::<T>::get(node).unwrap_or(Earnings {
			family: record.family,
			accrued: 0,
			withheld: 0,
		});
		let short = T::Penalties::standing(node).map_or(0, |standing| {
			standing
				.required
				.saturating_sub(standing.held.saturating_add(earnings.withheld))
		});
		let share = mul_div(due, T::WithheldPpm::get().into(), PPM).unwrap_or(0);
		let withheld = share.min(short).min(due);
		earnings.withheld = earnings.withheld.saturating_add(withheld);
		earnings.accrued = earnings.accrued.saturating_add(due - withheld);
		Earned::<T>::insert(node, earnings);
		Self::deposit_event(Event::NodeCredited {
			node,
			amount: due,
			withheld,
		});
		true
	}

	/// Ends an era: what nobody got is carried over. What was sent weighs by what was paid for it, so money
	/// without its weight must not stay in that pool: little of one's own would earn much of it. It goes to
	/// those who hold.
	fn close(pool: Pool, era: u32, frozen: &EraPool) {
		let carried = carry(frozen.amount, frozen.paid);
		EraPools::<T>::remove(pool, era);
		OpenEras::<T>::mutate(|open| open.retain(|other| *other != (pool, era)));
		Pots::<T>::mutate(pool.service.held(), |pot| {
			*pot = pot.saturating_add(carried)
		});
		Self::deposit_event(Event::EraPaid {
			pool,
			era,
			amount: frozen.paid,
			carried,
		});
	}

	/// Ends an era whose weights are no longer kept: its unpaid pages' shares are carried over.
	pub(crate) fn do_close_era(pool: Pool, era: u32) -> DispatchResult {
		let frozen = EraPools::<T>::get(pool, era).ok_or(Error::<T>::UnknownEra)?;
		ensure!(
			pool.usage == Usage::Held && T::Weights::total(pool.service, era).is_none(),
			Error::<T>::EraIsKept
		);
		Self::close(pool, era, &frozen);
		Ok(())
	}

	/// Freezes what is due and pays a page, as far as the block has room.
	pub(crate) fn tick(room: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(room);
		for service in Service::ALL {
			if meter.try_consume(T::WeightInfo::freeze()).is_err() {
				return meter.consumed();
			}
			// Mostly there is nothing to freeze.
			let _nothing = with_storage_layer(|| Self::do_freeze(service));
		}
		if meter.try_consume(T::WeightInfo::freeze_stakers()).is_err() {
			return meter.consumed();
		}
		let _nothing = with_storage_layer(Self::do_freeze_stakers);
		if meter
			.try_consume(T::WeightInfo::payout_page().max(T::WeightInfo::close_era()))
			.is_err()
		{
			return meter.consumed();
		}
		let Some((pool, era)) = OpenEras::<T>::get().first().copied() else {
			return meter.consumed();
		};
		let page = EraPools::<T>::get(pool, era).and_then(|frozen| frozen.first_unpaid());
		let done = match page {
			Some(page) => with_storage_layer(|| Self::do_payout_page(pool, era, page))
				.or_else(|_| Self::do_close_era(pool, era)),
			None => Self::do_close_era(pool, era),
		};
		if let Err(error) = done {
			frame_support::defensive!("an era that can neither be paid nor closed", error);
		}
		meter.consumed()
	}
}
