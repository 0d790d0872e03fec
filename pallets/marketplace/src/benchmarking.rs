//! What each call costs at worst.

use crate::*;
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::Mutate;
use frame_system::RawOrigin;
use hippius_economy::{
	index::{whole, Point},
	Batch, Funding, Oracle, MAX_BATCHES,
};
use hippius_primitives::{
	money::{chargeback_payload, EgressReceipt, Pool, Service, Source, Voucher},
	traits::ClusterMaps,
	Epoch, NodeIndex,
};
use sp_core::{crypto::KeyTypeId, ed25519};
use sp_runtime::MultiSignature;

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper<AccountId> {
	/// Sets Unix time, in ms.
	fn at(ms: u64);
	/// Registers a node.
	fn node() -> NodeIndex;
	/// Sets the epoch.
	fn epoch(epoch: Epoch);
}

/// Where benchmarks keep keys.
const KEYS: KeyTypeId = KeyTypeId(*b"hbmk");
const NOW: u64 = 1_700_000_000_000;
const RAO: u128 = 1_000_000_000_000_000;
const CREDITS: u128 = 1_000_000;
const FREEZE: u64 = 30 * 86_400_000;

/// Prices, a fresh price of alpha, time, funds of the pallet's accounts.
fn market<T: Config>() {
	frame_system::Pallet::<T>::set_block_number(1u32.into());
	frame_system::BlockHash::<T>::insert(
		frame_system::pallet_prelude::BlockNumberFor::<T>::from(0u32),
		T::Hash::from_iter_one(),
	);
	T::BenchmarkHelper::at(NOW);
	AlphaPrice::<T>::put(Oracle::new(10_000_000, NOW));
	for pool in Pool::ALL {
		let points = (0..32).map(|block| Point {
			block,
			index: whole(1) * u128::from(block),
			price: whole(1),
		});
		Prices::<T>::insert(pool, Points::truncate_from(points.collect()));
	}
	for account in [
		Pallet::<T>::escrow(),
		Pallet::<T>::float(),
		Pallet::<T>::reserve(),
	] {
		T::Currency::set_balance(&account, 1_000 * RAO);
	}
}

/// A hash that is not the default one.
trait NotDefault {
	fn from_iter_one() -> Self;
}
impl<H: Default + AsMut<[u8]>> NotDefault for H {
	fn from_iter_one() -> Self {
		let mut hash = H::default();
		hash.as_mut().fill(1);
		hash
	}
}

fn payment(number: u32) -> [u8; 32] {
	sp_io::hashing::blake2_256(&number.to_le_bytes())
}

/// As much as an account can have: 32 batches of as many frozen payments, all of which a charge spends;
/// a line per pool; four plans whose periods are over; eight gateways.
fn full<T: Config>(who: &T::AccountId, gateway: &T::AccountId) {
	let mut account = Account::default();
	for number in 0..MAX_BATCHES - 1 {
		let id = payment(number);
		let batch = Batch {
			id: number.into(),
			credits: 10,
			alpha: 1_000,
			funding: Funding::Fiat {
				payment: id,
				frozen_until: NOW + FREEZE,
			},
		};
		assert!(account.batches.try_push(batch).is_ok());
		assert!(account.frozen.try_push(id).is_ok());
		let known = Payment {
			voucher: [0; 32],
			user: who.clone(),
			alpha: 1_000_000,
			reversible: true,
			// The first is due.
			frozen_until: if number == 0 { NOW } else { NOW + FREEZE },
			pending: Pending::truncate_from(Pool::ALL.iter().map(|pool| (*pool, 1_000)).collect()),
			state: PaymentState::Frozen,
		};
		Payments::<T>::insert(id, known);
	}
	NextBatch::<T>::put(100);
	let last = Batch {
		id: 99,
		credits: 1_000_000_000_000,
		alpha: 100_000_000_000_000,
		funding: Funding::Tao,
	};
	assert!(account.batches.try_push(last).is_ok());
	for pool in Pool::ALL {
		let mut line = Line {
			pool,
			meter: Default::default(),
			debt: 1_000,
		};
		if Service::ALL.iter().any(|service| service.held() == pool) {
			line.meter.units = 1_000_000_000_000;
		}
		assert!(account.lines.try_push(line).is_ok());
	}
	for (service, id) in Service::ALL.into_iter().zip(0u32..) {
		let plan = Plan {
			service,
			price: 600,
			period: 200,
			included: 1_000_000,
		};
		account.locked += plan.price;
		assert!(account
			.subscriptions
			.try_push(Subscription {
				id,
				plan,
				start: 1,
				billed: 0,
				renew: true,
			})
			.is_ok());
		Plans::<T>::insert(id, plan);
	}
	let grant = Grant {
		units: u64::MAX,
		credits: u128::MAX,
		until: u32::MAX,
	};
	for number in 0..7 {
		let other = frame_benchmarking::account("gateway", number, 0);
		assert!(account.gateways.try_push((other, grant)).is_ok());
	}
	assert!(account.gateways.try_push((gateway.clone(), grant)).is_ok());
	Accounts::<T>::insert(who, account);
	T::Currency::set_balance(who, RAO);
	frame_system::Pallet::<T>::set_block_number(700u32.into());
}

/// A funded account with all there can be.
fn funded<T: Config>() -> T::AccountId {
	market::<T>();
	let who = account("user", 0, 0);
	full::<T>(&who, &account("gateway", 100, 0));
	who
}

/// Without the batches: there is room for one more.
fn with_room<T: Config>(who: &T::AccountId) {
	Accounts::<T>::mutate(who, |account| {
		if let Some(account) = account {
			account.batches.retain(|batch| batch.id != 3);
			account.frozen.retain(|id| *id != payment(3));
		}
	});
	Payments::<T>::remove(payment(3));
}

/// The payment service's keys, three of them.
fn keys<T: Config>() -> Vec<ed25519::Public> {
	let keys: Vec<_> = (0..3)
		.map(|_| sp_io::crypto::ed25519_generate(KEYS, None))
		.collect();
	let raw = keys.iter().map(|key| key.0).collect();
	Keys::<T>::put(PaymentKeys::truncate_from(raw));
	keys
}

fn sign(keys: &[ed25519::Public], payload: &[u8]) -> KeySignatures {
	let signed = keys.iter().filter_map(|key| {
		let signature = sp_io::crypto::ed25519_sign(KEYS, key, payload)?;
		Some((key.0, signature.0))
	});
	KeySignatures::truncate_from(signed.collect())
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn deposit() {
		let who = funded::<T>();
		with_room::<T>(&who);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), RAO / 2, 1);

		assert!(AlphaPrice::<T>::exists());
	}

	#[benchmark]
	fn refund() {
		let who = funded::<T>();
		let more = Batch {
			id: 98,
			credits: 1_000,
			alpha: 100_000,
			funding: Funding::Tao,
		};
		with_room::<T>(&who);
		Accounts::<T>::mutate(&who, |account| {
			if let Some(account) = account {
				assert!(account.batches.try_push(more).is_ok());
			}
		});

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), 98);

		assert!(Accounts::<T>::contains_key(who));
	}

	#[benchmark]
	fn redeem() {
		let who = funded::<T>();
		with_room::<T>(&who);
		let keys = keys::<T>();
		let genesis = Pallet::<T>::genesis().unwrap_or_default();
		let voucher = Voucher {
			genesis,
			source: Source::Fiat,
			payment: [9; 32],
			user: who.into(),
			credits: CREDITS,
			expires: NOW + 1,
		};
		let signatures = sign(&keys, &voucher.payload());

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), voucher, signatures);

		assert!(Payments::<T>::contains_key([9; 32]));
	}

	#[benchmark]
	fn mature() {
		funded::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), payment(0));

		assert!(Payments::<T>::get(payment(0)).is_some_and(|p| p.pending.is_empty()));
	}

	#[benchmark]
	fn chargeback() {
		funded::<T>();
		let keys = keys::<T>();
		let genesis = Pallet::<T>::genesis().unwrap_or_default();
		let signatures = sign(&keys, &chargeback_payload(&genesis, &payment(30)));

		#[extrinsic_call]
		_(
			RawOrigin::Signed(whitelisted_caller()),
			payment(30),
			signatures,
		);

		assert!(Payments::<T>::get(payment(30)).is_some_and(|p| p.state == PaymentState::Reversed));
	}

	#[benchmark]
	fn repay() {
		let who = funded::<T>();
		Accounts::<T>::mutate(&who, |account| {
			if let Some(account) = account {
				account.owes = 1_000_000;
			}
		});

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(Accounts::<T>::get(who).is_some_and(|account| account.owes == 0));
	}

	#[benchmark]
	fn settle() {
		let who = funded::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), who.clone());

		assert!(Accounts::<T>::get(who).is_some_and(|account| account.debt() == 0));
	}

	#[benchmark]
	fn authorize_gateway() {
		let who = funded::<T>();
		let grant = Grant {
			units: 1,
			credits: 1,
			until: u32::MAX,
		};

		#[extrinsic_call]
		_(
			RawOrigin::Signed(who.clone()),
			account("gateway", 0, 0),
			grant,
		);

		assert!(Accounts::<T>::get(who).is_some_and(|account| account.gateways.len() == 8));
	}

	#[benchmark]
	fn revoke_gateway() {
		let who = funded::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), account("gateway", 0, 0));

		assert!(Accounts::<T>::get(who).is_some_and(|account| account.gateways.len() == 7));
	}

	#[benchmark]
	fn post_egress(r: Linear<0, { MAX_RECEIPTS }>) {
		market::<T>();
		let gateway: T::AccountId = account("gateway", 100, 0);
		let genesis = Pallet::<T>::genesis().unwrap_or_default();
		let node = T::BenchmarkHelper::node();
		let key = sp_io::crypto::ed25519_generate(KEYS, None);
		let client = T::AccountId::from(key.0);
		full::<T>(&client, &gateway);
		let mut receipts = Vec::new();
		for number in 0..r {
			let receipt = EgressReceipt {
				genesis,
				client: key.0,
				gateway: gateway.clone().into(),
				service: Service::Arion,
				node,
				epoch: T::Maps::current_epoch(),
				bytes: (u64::from(number) + 1) * 1_000_000_000,
			};
			if let Some(signature) = sp_io::crypto::ed25519_sign(KEYS, &key, &receipt.payload()) {
				receipts.push(SignedReceipt {
					receipt,
					signature: MultiSignature::Ed25519(signature),
				});
			}
		}

		#[extrinsic_call]
		_(
			RawOrigin::Signed(gateway),
			Receipts::truncate_from(receipts),
		);

		assert_eq!(EgressSeen::<T>::iter().count() as u32, r.min(1));
	}

	#[benchmark]
	fn subscribe() {
		let who = funded::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), 3, true);

		assert!(Accounts::<T>::get(who).is_some_and(|account| account.subscriptions.len() == 4));
	}

	#[benchmark]
	fn unsubscribe() {
		let who = funded::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), Service::Arion);

		assert!(Accounts::<T>::get(who).is_some_and(|account| account.subscriptions.len() == 3));
	}

	#[benchmark]
	fn set_alpha_price() {
		market::<T>();

		#[block]
		{
			assert!(Pallet::<T>::do_set_alpha_price(10_000_001, true).is_ok());
		}

		assert!(AlphaPrice::<T>::get().is_some_and(|oracle| oracle.price == 10_000_001));
	}

	#[benchmark]
	fn force_alpha_price() {
		market::<T>();

		#[block]
		{
			assert!(Pallet::<T>::do_set_alpha_price(1, false).is_ok());
		}

		assert!(AlphaPrice::<T>::get().is_some_and(|oracle| oracle.price == 1));
	}

	#[benchmark]
	fn set_price() {
		market::<T>();
		frame_system::Pallet::<T>::set_block_number(700u32.into());

		#[block]
		{
			let pool = Service::Arion.held();
			assert!(Pallet::<T>::do_set_price(pool, whole(2), u32::MAX).is_ok());
		}

		assert_eq!(Prices::<T>::get(Service::Arion.held()).len(), 32);
	}

	#[benchmark]
	fn set_plan() {
		let plan = Plan {
			service: Service::S3,
			price: 1,
			period: u32::MAX,
			included: 1,
		};

		#[block]
		{
			assert!(Pallet::<T>::do_set_plan(1, Some(plan)).is_ok());
		}

		assert!(Plans::<T>::contains_key(1));
	}

	#[benchmark]
	fn set_payment_keys() {
		keys::<T>();
		let next = PaymentKeys::truncate_from(vec![[1; 32], [2; 32], [3; 32]]);

		#[block]
		{
			assert!(Pallet::<T>::do_set_payment_keys(next.clone()).is_ok());
		}

		assert_eq!(Keys::<T>::get(), next);
	}

	#[benchmark]
	fn forget_receipts() {
		let from = EgressFrom::<T>::get();
		// Receipts of the epoch before the last no longer count.
		T::BenchmarkHelper::epoch(from.saturating_add(2));
		for number in 0..32u32 {
			EgressSeen::<T>::insert(from, payment(number), 1);
		}

		#[block]
		{
			Pallet::<T>::forget_receipts();
		}

		assert_eq!(EgressSeen::<T>::iter().count(), 0, "all are forgotten");
		assert!(EgressFrom::<T>::get() > from);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_ext(), crate::mock::Test);
}
