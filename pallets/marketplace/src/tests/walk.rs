//! Whatever happens in whatever order, nothing appears and nothing vanishes: both pallets together.

use crate::{mock::*, Accounts, Grant, Payments, Plan, Receipts, SignedReceipt};
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::Weight};
use hippius_primitives::{
	money::{EgressReceipt, Pool, Service, Source, Voucher},
	traits::{NodeEarnings, UsageMeter},
};
use proptest::prelude::*;
use sp_core::{ed25519, Pair};
use sp_runtime::MultiSignature;

#[derive(Clone, Debug)]
enum Step {
	Deposit(u8, u128),
	Refund(u8, usize),
	Voucher(u8, u8, u128, bool),
	Chargeback(u8),
	Mature(u8),
	Repay(u8),
	Add(u8, u64),
	Remove(u8, u64),
	Egress(u8, u64),
	Pass(u32),
	Idle,
	Price(usize, u64),
	AlphaPrice(u128),
	Subscribe(u8, u32, bool),
	Unsubscribe(u8),
	Era(u32),
	Page(u32),
	Withdraw(u32),
	Slash(u32, u128),
	Treasury,
}

fn amount() -> impl Strategy<Value = u128> {
	prop_oneof![
		prop::sample::select(vec![
			0,
			1,
			5,
			6,
			u128::from(u64::MAX),
			u128::MAX,
			1 << 84,
			1 << 98
		]),
		(0u32..=38).prop_map(|n| 10u128.pow(n)),
		(1u128..1_000).prop_map(|n| n * ALPHA / 10),
	]
}

fn bytes() -> impl Strategy<Value = u64> {
	prop_oneof![
		prop::sample::select(vec![0, 1, 5, 6, u64::MAX]),
		(0u32..=19).prop_map(|n| 10u64.pow(n)),
		(1u64..10_000).prop_map(|n| n * GB / 7),
	]
}

/// Users' keys, so that they can sign receipts.
fn pair(user: u8) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[user; 32])
}

fn id(user: u8) -> AccountId {
	AccountId::new(pair(user).public().0)
}

fn step() -> impl Strategy<Value = Step> {
	let user = || 1u8..4;
	let few = || 0u8..6;
	let node = || prop::sample::select(vec![0u32, 1, 128]);
	prop_oneof![
		4 => (user(), amount()).prop_map(|(u, rao)| Step::Deposit(u, rao)),
		1 => (user(), 0usize..4).prop_map(|(u, at)| Step::Refund(u, at)),
		3 => (few(), user(), amount(), any::<bool>())
			.prop_map(|(p, u, credits, tao)| Step::Voucher(p, u, credits, tao)),
		1 => few().prop_map(Step::Chargeback),
		1 => few().prop_map(Step::Mature),
		1 => user().prop_map(Step::Repay),
		4 => (user(), bytes()).prop_map(|(u, b)| Step::Add(u, b)),
		2 => (user(), bytes()).prop_map(|(u, b)| Step::Remove(u, b)),
		2 => (user(), bytes()).prop_map(|(u, b)| Step::Egress(u, b)),
		4 => prop::sample::select(vec![1, 599, DAY, 7 * DAY, 31 * DAY]).prop_map(Step::Pass),
		3 => Just(Step::Idle),
		1 => (0usize..8, any::<u64>()).prop_map(|(p, price)| Step::Price(p, price)),
		1 => amount().prop_map(Step::AlphaPrice),
		2 => (user(), 0u32..3, any::<bool>()).prop_map(|(u, p, r)| Step::Subscribe(u, p, r)),
		1 => user().prop_map(Step::Unsubscribe),
		2 => prop::sample::select(vec![0u32, 1, 129]).prop_map(Step::Era),
		2 => (0u32..3).prop_map(Step::Page),
		1 => node().prop_map(Step::Withdraw),
		1 => (node(), amount()).prop_map(|(n, rao)| Step::Slash(n, rao)),
		1 => Just(Step::Treasury),
	]
}

/// What is refused must have changed nothing: that is all that counts of it here.
fn attempt(call: impl FnOnce() -> sp_runtime::DispatchResult) {
	let _ = with_storage_layer(call);
}

fn take(step: Step) {
	let root = RuntimeOrigin::root;
	let by = |user: u8| RuntimeOrigin::signed(id(user));
	match step {
		Step::Deposit(user, rao) => attempt(|| Market::deposit(by(user), rao, 0)),
		Step::Refund(user, at) => {
			let batches = Accounts::<Test>::get(id(user)).map(|account| account.batches);
			let batch = batches.and_then(|all| all.get(at).map(|batch| batch.id));
			attempt(|| Market::refund(by(user), batch.unwrap_or(0)));
		}
		Step::Voucher(payment, user, credits, tao) => attempt(|| {
			redeem(Voucher {
				user: id(user).into(),
				source: if tao { Source::Tao } else { Source::Fiat },
				..voucher(payment, user, credits)
			})
		}),
		Step::Chargeback(payment) => attempt(|| chargeback(payment)),
		Step::Mature(payment) => attempt(|| Market::mature(signed(9), [payment; 32])),
		Step::Repay(user) => attempt(|| Market::repay(by(user))),
		Step::Add(user, bytes) => {
			let owner = id(user).into();
			let _ = <Market as UsageMeter>::add(Service::Arion, &owner, &owner, bytes);
		}
		Step::Remove(user, bytes) => {
			<Market as UsageMeter>::remove(Service::Arion, &id(user).into(), bytes);
		}
		Step::Egress(user, bytes) => attempt(|| {
			let grant = Grant {
				units: 0,
				credits: u128::MAX,
				until: u32::MAX,
			};
			Market::authorize_gateway(by(user), account(60), grant)?;
			let receipt = EgressReceipt {
				genesis: GENESIS,
				client: id(user).into(),
				gateway: [60; 32],
				service: Service::Arion,
				node: u32::from(user),
				epoch: 5,
				bytes,
			};
			let signature = MultiSignature::Ed25519(pair(user).sign(&receipt.payload()));
			let receipts = vec![SignedReceipt { receipt, signature }];
			Market::post_egress(signed(60), Receipts::truncate_from(receipts))
		}),
		Step::Pass(blocks) => pass(blocks),
		Step::Idle => {
			Market::on_idle(1, Weight::MAX);
			Rewards::on_idle(1, Weight::MAX);
		}
		Step::Price(pool, price) => {
			attempt(|| Market::set_price(root(), Pool::ALL[pool], price.into(), now() + 7 * DAY))
		}
		Step::AlphaPrice(price) => attempt(|| Market::force_alpha_price(root(), price)),
		Step::Subscribe(user, plan, renew) => {
			attempt(|| Market::subscribe(by(user), plan, renew));
		}
		Step::Unsubscribe(user) => attempt(|| Market::unsubscribe(by(user), Service::Arion)),
		Step::Era(nodes) => {
			World::change(|facts| {
				facts.nodes = facts.nodes.max(nodes);
				let next = facts.eras.keys().last().map_or(0, |last| last + 1);
				facts.eras.insert(next, u128::from(nodes.min(1)));
			});
			attempt(|| Rewards::freeze(signed(9), Service::Arion));
		}
		Step::Page(page) => {
			for (pool, era) in pallet_rewards::OpenEras::<Test>::get() {
				attempt(|| Rewards::payout_page(signed(9), pool, era, page));
				// Twice changes nothing.
				attempt(|| Rewards::payout_page(signed(9), pool, era, page));
			}
		}
		Step::Withdraw(node) => {
			attempt(|| Rewards::withdraw(RuntimeOrigin::signed(family(node)), node));
		}
		Step::Slash(node, rao) => {
			Rewards::slash(node, rao, None);
		}
		Step::Treasury => attempt(|| Rewards::pay_treasury(signed(9))),
	}
}

/// I1 to the rao: escrow has what is behind credits and what is pending.
fn escrow_is_exact() {
	let behind: u128 = Accounts::<Test>::iter_values()
		.flat_map(|account| account.batches.into_inner())
		.map(|batch| batch.alpha)
		.sum();
	let pending: u128 = Payments::<Test>::iter_values()
		.map(|payment| payment.pending_total())
		.sum();
	assert_eq!(free(&Market::escrow()), behind + pending + LEAST);
	let held = Rewards::held();
	let pots = held.pools + held.eras + held.nodes + held.stakers + held.treasury;
	assert_eq!(free(&Rewards::account()), pots + LEAST);
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

	#[test]
	fn conserved(steps in prop::collection::vec(step(), 1..60)) {
		new_ext().execute_with(|| {
			for user in 1..4 {
				Balances::transfer_allow_death(signed(user), id(user), RICH / 2).unwrap();
			}
			for (plan, period) in [(0, 7 * DAY / 4), (1, 30 * DAY)] {
				let offered = Plan {
					service: Service::Arion,
					price: 7 * DOLLAR + 1,
					period,
					included: 100 * GB,
				};
				Market::set_plan(RuntimeOrigin::root(), plan, Some(offered)).unwrap();
			}
			let issued = Balances::total_issuance();
			for step in steps {
				take(step.clone());
				let state = Market::do_try_state().and_then(|_| Rewards::do_try_state());
				state.unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
				escrow_is_exact();
				assert_eq!(Balances::total_issuance(), issued, "I5 after {step:?}");
			}
		});
	}
}
