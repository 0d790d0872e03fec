//! What each call costs at worst, but for what the meter of usage costs.

use crate::*;
use frame_benchmarking::v2::*;
use frame_support::traits::Get;
use frame_system::RawOrigin;
use hippius_primitives::{money::Service, NodeIndex};

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper<AccountId> {
	/// Registers this many nodes of one family, numbered from 0; gives the family.
	fn register(nodes: u32) -> AccountId;
	/// Lets an account pay for anything.
	fn fund(who: &AccountId);
	/// Gives this block a lot that nobody knew four blocks ago.
	fn draw();
	/// Lets a node fail.
	fn fail(node: NodeIndex);
}

fn at<T: Config>(block: u32) {
	frame_system::Pallet::<T>::set_block_number(block.into());
}

fn request<T: Config>() -> Request {
	Request {
		service: Service::Compute,
		spec: Spec::truncate_from(alloc::vec![1; MAX_SPEC as usize]),
		units: 2,
		idle_units: 1,
		term: T::MaxTerm::get(),
	}
}

/// Nodes with offers, and an order that waits; gives the nodes' family, and the order's owner.
fn requested<T: Config>(nodes: u32) -> (T::AccountId, T::AccountId) {
	at::<T>(1);
	let family = T::BenchmarkHelper::register(nodes);
	for node in 0..nodes {
		let offer = Pallet::<T>::do_offer(family.clone(), node, Service::Compute, 1_000);
		assert!(offer.is_ok());
	}
	let owner: T::AccountId = account("owner", 0, 0);
	T::BenchmarkHelper::fund(&owner);
	assert!(Pallet::<T>::do_request(owner.clone(), request::<T>()).is_ok());
	at::<T>(9);
	T::BenchmarkHelper::draw();
	(family, owner)
}

/// As many new orders in the queue as can be, but for one: each of another account.
fn crowd<T: Config>() {
	let others = MAX_NEW.saturating_sub(Waiting::<T>::get().len() as u32);
	for other in 1..others {
		let owner: T::AccountId = account("other", other, 0);
		T::BenchmarkHelper::fund(&owner);
		assert!(Pallet::<T>::do_request(owner, request::<T>()).is_ok());
	}
}

/// The queue is full of orders that are not there.
fn full<T: Config>() {
	let all = (0..MAX_WAITING).map(|number| 1_000_000 + u64::from(number));
	Waiting::<T>::put(Queue::truncate_from(all.collect()));
}

fn assigned<T: Config>() -> (T::AccountId, T::AccountId) {
	let found = requested::<T>(64);
	Pallet::<T>::assign_waiting();
	assert!(Waiting::<T>::get().is_empty());
	found
}

fn active<T: Config>() -> (T::AccountId, T::AccountId) {
	let (family, owner) = assigned::<T>();
	assert!(Pallet::<T>::do_accept(family.clone(), 0).is_ok());
	// Some eras later.
	at::<T>(
		T::EraBlocks::get()
			.saturating_mul(6)
			.min(T::MaxTerm::get().saturating_sub(1)),
	);
	(family, owner)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn offer() {
		// The longest list loses one.
		let (family, _) = requested::<T>(MAX_OFFERS);

		#[extrinsic_call]
		_(RawOrigin::Signed(family), 3, Service::Compute, 0);

		assert!(!OfferOf::<T>::contains_key(Service::Compute, 3));
	}

	#[benchmark]
	fn request() {
		let (_, owner) = requested::<T>(64);
		crowd::<T>();
		let id = NextOrder::<T>::get();

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), super::request::<T>());

		assert!(Orders::<T>::contains_key(id));
	}

	#[benchmark]
	fn assign() {
		// Whoever is drawn evenly can take it, so that all is looked at. The others came too late.
		requested::<T>(MAX_OFFERS);
		crowd::<T>();

		#[block]
		{
			Pallet::<T>::assign_waiting();
		}

		assert!(Orders::<T>::get(0).is_some_and(|order| order.state.node().is_some()));
	}

	#[benchmark]
	fn accept() {
		let (family, _) = assigned::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(family), 0);

		assert!(Orders::<T>::get(0).is_some_and(|order| order.metered() == 2));
	}

	#[benchmark]
	fn decline() {
		let (family, _) = active::<T>();
		full::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(family), 0);

		assert_eq!(Parked::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn set_running() {
		let (_, owner) = active::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), 0, false);

		assert!(Orders::<T>::get(0).is_some_and(|order| order.metered() == 1));
	}

	#[benchmark]
	fn renew() {
		let (_, owner) = active::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), 0, 1);

		assert!(Orders::<T>::contains_key(0));
	}

	#[benchmark]
	fn cancel() {
		let (_, owner) = active::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), 0);

		assert!(!Orders::<T>::contains_key(0));
	}

	#[benchmark]
	fn advance() {
		active::<T>();
		if let Some(node) = Orders::<T>::get(0).and_then(|order| order.state.node()) {
			T::BenchmarkHelper::fail(node);
		}
		full::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), 0);

		assert_eq!(Parked::<T>::iter().count(), 1);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_ext(), crate::mock::Test);
}
