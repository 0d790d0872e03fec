//! What must hold between blocks.

use crate::{
	types::{moment, State, RETRY_BLOCKS},
	Agenda, Config, NextOrder, OfferOf, Offering, Orders, OwnerOrders, Pallet, Parked, Serving,
	Waiting,
};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * The queue is a subset of the requested orders, each once; exactly the others of them are parked.
	/// * Each order is in the agenda, once, at the block at which something is due with it.
	/// * What is taken of an offer is what the orders given to its node are for; never more than it has.
	/// * What a node, and what all serve, is what their active orders are metered by.
	/// * Accounts' orders are counted; numbers were given out.
	/// * Exactly the nodes listed have an offer.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut waiting = BTreeMap::new();
		let mut agenda = BTreeSet::new();
		let mut taken = BTreeMap::new();
		let mut served = BTreeMap::new();
		let mut owners = BTreeMap::new();
		for (id, order) in Orders::<T>::iter() {
			ensure!(
				id < NextOrder::<T>::get(),
				"a number that was not given out"
			);
			let service = order.request.service;
			let count: &mut u32 = owners.entry(order.owner.clone()).or_default();
			*count = count.saturating_add(1);
			if let State::Requested { since } = order.state {
				waiting.insert(id, moment(since.saturating_add(RETRY_BLOCKS), id));
			}
			agenda.insert(moment(order.due(), id));
			if let Some(node) = order.state.node() {
				let sum: &mut u64 = taken.entry((service, node)).or_default();
				*sum = sum.saturating_add(order.request.units);
				for who in [Some(node), None] {
					let sum: &mut u128 = served.entry((service, who)).or_default();
					*sum = sum.saturating_add(order.metered().into());
				}
			}
		}
		let queue: Vec<u64> = Waiting::<T>::get().into_inner();
		ensure!(
			queue.iter().all(|id| waiting.remove(id).is_some()),
			"an order in the queue that does not wait, or waits twice"
		);
		let parked: BTreeSet<_> = Parked::<T>::iter_keys().collect();
		ensure!(
			waiting.into_values().collect::<BTreeSet<_>>() == parked,
			"the parked are not the requested that are not in the queue"
		);
		ensure!(
			Agenda::<T>::iter_keys().collect::<BTreeSet<_>>() == agenda,
			"the agenda is not what is due"
		);
		for (service, node, offer) in OfferOf::<T>::iter() {
			let sum = taken.remove(&(service, node)).unwrap_or(0);
			ensure!(offer.taken == sum, "taken is not what orders take");
			ensure!(offer.taken <= offer.capacity, "more taken than offered");
			ensure!(
				Offering::<T>::get(service).contains(&node),
				"an offer that is not listed"
			);
		}
		ensure!(taken.is_empty(), "an order of a node that offers nothing");
		let listed: usize = Offering::<T>::iter_values().map(|all| all.len()).sum();
		ensure!(
			listed == OfferOf::<T>::iter_keys().count(),
			"a node listed without an offer"
		);
		for (service, who, serving) in Serving::<T>::iter() {
			let sum = served.remove(&(service, who)).unwrap_or(0);
			ensure!(serving.units == sum, "served is not what is metered");
		}
		ensure!(
			served.values().all(|units| *units == 0),
			"an order served by nobody"
		);
		ensure!(
			OwnerOrders::<T>::iter().count() == owners.len()
				&& OwnerOrders::<T>::iter().all(|(who, n)| owners.get(&who) == Some(&n)),
			"orders miscounted"
		);
		Ok(())
	}
}
