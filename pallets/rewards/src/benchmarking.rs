//! What each call costs at worst.

use crate::*;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::Mutate;
use frame_system::RawOrigin;
use hippius_primitives::{
	money::{Pool, Service},
	traits::EgressWeights,
	NodeIndex,
};

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper<AccountId> {
	/// Registers so many nodes, numbered from 0, whose bonds are short, and fixes an era in which all
	/// earned.
	fn settle(service: Service, era: u32, nodes: u32);
	/// Forgets the era's weights.
	fn forget(service: Service, era: u32);
	/// The family of a node.
	fn family(node: NodeIndex) -> AccountId;
	/// Ends an era of staking with a validator and one page of so many who stake with it.
	fn validate(era: u32, validator: &AccountId, stakers: u32);
	/// Forgets the era of staking.
	fn forget_staking(era: u32);
}

const ERA: u32 = 3;
const RAO: u128 = 1_000_000_000_000;
const HELD: Pool = Service::Arion.held();

/// Revenue in both pools of storage, and an era of two pages in which all earned.
fn earned<T: Config>() {
	earned_of::<T>(Service::Arion);
}

/// The same, of a service.
fn earned_of<T: Config>(service: Service) {
	T::BenchmarkHelper::settle(service, ERA, 2 * PAGE);
	let payer: T::AccountId = account("payer", 0, 0);
	T::Currency::set_balance(&payer, 10 * RAO);
	for pool in [service.held(), service.egress()] {
		assert!(Pallet::<T>::do_charge(&payer, pool, RAO).is_ok());
	}
	for node in 0..2 * PAGE {
		Pallet::<T>::sent(service, node, 1_000);
	}
}

/// The last page of an era of a pool, which ends the era.
fn last_page<T: Config>(pool: Pool) {
	earned_of::<T>(pool.service);
	assert!(Pallet::<T>::do_freeze(pool.service).is_ok());
	assert!(Pallet::<T>::do_payout_page(pool, ERA, 1).is_ok());
}

/// The era is over, and nodes of the page were paid.
fn paid<T: Config>(pool: Pool) {
	assert!(EraPools::<T>::get(pool, ERA).is_none());
	assert!((0..PAGE).all(Earned::<T>::contains_key));
}

fn validated<T: Config>() -> T::AccountId {
	let validator = account("validator", 0, 0);
	T::BenchmarkHelper::validate(ERA, &validator, 512);
	validator
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn freeze() {
		earned::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), Service::Arion);

		assert_eq!(OpenEras::<T>::decode_len(), Some(2));
	}

	#[benchmark]
	fn payout_page() {
		last_page::<T>(HELD);

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), HELD, ERA, 0);

		paid::<T>(HELD);
	}

	/// By what each sent, which is used up.
	#[benchmark]
	fn payout_egress_page() {
		let pool = Service::Arion.egress();
		last_page::<T>(pool);

		#[extrinsic_call]
		payout_page(RawOrigin::Signed(whitelisted_caller()), pool, ERA, 0);

		paid::<T>(pool);
	}

	/// By what each served of what is ordered, which has a record per node.
	#[benchmark]
	fn payout_ordered_page() {
		let pool = Service::S3.held();
		last_page::<T>(pool);

		#[extrinsic_call]
		payout_page(RawOrigin::Signed(whitelisted_caller()), pool, ERA, 0);

		paid::<T>(pool);
	}

	#[benchmark]
	fn close_era() {
		earned::<T>();
		assert!(Pallet::<T>::do_freeze(Service::Arion).is_ok());
		T::BenchmarkHelper::forget(Service::Arion, ERA);

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), HELD, ERA);

		assert!(EraPools::<T>::get(HELD, ERA).is_none());
	}

	#[benchmark]
	fn withdraw() {
		earned::<T>();
		assert!(Pallet::<T>::do_freeze(Service::Arion).is_ok());
		assert!(Pallet::<T>::do_payout_page(HELD, ERA, 0).is_ok());

		#[extrinsic_call]
		_(RawOrigin::Signed(T::BenchmarkHelper::family(0)), 0);

		assert!(Earned::<T>::get(0).is_none_or(|earned| earned.accrued == 0));
	}

	#[benchmark]
	fn freeze_stakers() {
		earned::<T>();
		validated::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()));

		assert!(StakerEras::<T>::contains_key(ERA));
	}

	#[benchmark]
	fn payout_validator() {
		earned::<T>();
		let validator = validated::<T>();
		assert!(Pallet::<T>::do_freeze_stakers().is_ok());

		#[extrinsic_call]
		_(
			RawOrigin::Signed(whitelisted_caller()),
			ERA,
			validator.clone(),
			0,
		);

		assert!(StakerEarned::<T>::contains_key(validator));
	}

	#[benchmark]
	fn close_staker_era() {
		earned::<T>();
		let validator = validated::<T>();
		assert!(Pallet::<T>::do_freeze_stakers().is_ok());
		assert!(Pallet::<T>::do_payout_validator(ERA, validator, 0).is_ok());
		for paid in 0..127 {
			StakerPagesPaid::<T>::insert(ERA, account::<T::AccountId>("paid", paid, 0), 1);
		}
		T::BenchmarkHelper::forget_staking(ERA);

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()));

		assert!(!StakerEras::<T>::contains_key(ERA));
	}

	#[benchmark]
	fn withdraw_stake() {
		earned::<T>();
		let validator = validated::<T>();
		assert!(Pallet::<T>::do_freeze_stakers().is_ok());
		assert!(Pallet::<T>::do_payout_validator(ERA, validator.clone(), 0).is_ok());

		#[extrinsic_call]
		_(RawOrigin::Signed(validator.clone()));

		assert!(!StakerEarned::<T>::contains_key(validator));
	}

	#[benchmark]
	fn pay_treasury() {
		earned::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()));

		assert_eq!(TreasuryPot::<T>::get(), 0);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_ext(), crate::mock::Test);
}
