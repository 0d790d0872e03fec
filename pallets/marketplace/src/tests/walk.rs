//! Whatever happens in whatever order, nothing appears and nothing vanishes: both pallets together.

use crate::{mock::*, Accounts, Grant, Payments, Plan, Receipts, SignedReceipt};
use frame_support::{
	storage::with_storage_layer,
	traits::{fungible::Mutate, Hooks},
	weights::Weight,
};
use hippius_primitives::{
	money::{EgressReceipt, Pool, Service, Source, Voucher},
	traits::{NodeEarnings, UsageMeter},
};
use proptest::{
	prelude::*,
	test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use sp_core::{ed25519, Pair};
use sp_runtime::MultiSignature;
use std::{cell::RefCell, collections::BTreeMap};

/// One with half of all alpha that can be counted, one with a quarter, one with some; the last pays by card,
/// mostly.
const USERS: u8 = 4;

#[derive(Clone, Debug)]
enum Step {
	Deposit(u8, u128),
	Refund(u8, usize),
	Voucher(u8, u8, u128, bool),
	Chargeback(u8),
	Mature(u8),
	/// By all who owe.
	Repay,
	Add(u8, u64),
	Remove(u8, u64),
	Egress(u8, u64),
	Pass(u32),
	/// Twice a month, at whose end all are settled.
	Months,
	Idle,
	Price(usize, u64),
	AlphaPrice(u128),
	Subscribe(u8, u32, bool),
	Unsubscribe(u8),
	Era(u32),
	Page(u32),
	Withdraw(u32),
	Slash(u32, u128),
	Exit(u32),
	Treasury,
	/// An era of staking ends, and is paid.
	Validators,
	WithdrawStake(u8),
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
			1 << 98,
			1 << 126,
			1 << 127
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
		(1u64..1_000).prop_map(|n| n * 1_000 * GB),
	]
}

/// Credits of a card payment: within its caps, mostly.
fn paid_by_card() -> impl Strategy<Value = u128> {
	prop_oneof![1 => amount(), 4 => (1u128..500).prop_map(|dollars| dollars * DOLLAR + 1)]
}

/// Users' keys, so that they can sign receipts.
fn pair(user: u8) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[user; 32])
}

fn id(user: u8) -> AccountId {
	AccountId::new(pair(user).public().0)
}

fn step() -> impl Strategy<Value = Step> {
	let user = || 1u8..=USERS;
	let card = || prop_oneof![1 => user(), 3 => Just(USERS)];
	let few = || 0u8..16;
	let node = || prop::sample::select(vec![0u32, 1, 2, 3, 4, 128]);
	prop_oneof![
		4 => (user(), amount()).prop_map(|(u, rao)| Step::Deposit(u, rao)),
		2 => (1u8..=2, prop::sample::select(vec![1 << 126, (1 << 126) - 1, 1 << 127]))
			.prop_map(|(u, rao)| Step::Deposit(u, rao)),
		2 => (user(), 0usize..4).prop_map(|(u, at)| Step::Refund(u, at)),
		6 => (few(), card(), paid_by_card(), prop::bool::weighted(0.2))
			.prop_map(|(p, u, credits, tao)| Step::Voucher(p, u, credits, tao)),
		3 => few().prop_map(Step::Chargeback),
		1 => few().prop_map(Step::Mature),
		4 => Just(Step::Repay),
		6 => (card(), bytes()).prop_map(|(u, b)| Step::Add(u, b)),
		2 => (user(), bytes()).prop_map(|(u, b)| Step::Remove(u, b)),
		3 => (card(), bytes()).prop_map(|(u, b)| Step::Egress(u, b)),
		6 => prop::sample::select(vec![1, 599, DAY, 7 * DAY, 31 * DAY]).prop_map(Step::Pass),
		2 => Just(Step::Months),
		6 => Just(Step::Idle),
		1 => (0usize..8, any::<u64>()).prop_map(|(p, price)| Step::Price(p, price)),
		1 => amount().prop_map(Step::AlphaPrice),
		2 => (user(), 0u32..3, any::<bool>()).prop_map(|(u, p, r)| Step::Subscribe(u, p, r)),
		1 => user().prop_map(Step::Unsubscribe),
		3 => prop::sample::select(vec![0u32, 1, 129]).prop_map(Step::Era),
		3 => (0u32..3).prop_map(Step::Page),
		4 => node().prop_map(Step::Withdraw),
		2 => (node(), amount()).prop_map(|(n, rao)| Step::Slash(n, rao)),
		2 => node().prop_map(Step::Exit),
		1 => Just(Step::Treasury),
		2 => Just(Step::Validators),
		2 => (40u8..42).prop_map(Step::WithdrawStake),
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
		Step::Chargeback(at) => {
			let mut known: Vec<_> = Payments::<Test>::iter_keys().map(|id| id[0]).collect();
			known.sort_unstable();
			let payment = known.get(usize::from(at) % known.len().max(1));
			attempt(|| chargeback(payment.copied().unwrap_or(at)));
		}
		Step::Mature(payment) => attempt(|| Market::mature(signed(9), [payment; 32])),
		Step::Repay => (1..=USERS).for_each(|user| attempt(|| Market::repay(by(user)))),
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
		Step::Months => {
			for _month in 0..2 {
				pass(31 * DAY);
				for user in 1..=USERS {
					attempt(|| Market::settle(signed(9), id(user)));
				}
			}
		}
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
		Step::Exit(node) => World::change(|facts| {
			facts.gone.insert(node);
		}),
		Step::Treasury => attempt(|| Rewards::pay_treasury(signed(9))),
		Step::Validators => {
			let next = World::change(|facts| {
				let next = facts.staking.map_or(0, |era| era + 1);
				facts.staking = Some(next);
				next
			});
			attempt(|| Rewards::freeze_stakers(signed(9)));
			for _twice in 0..2 {
				attempt(|| Rewards::payout_validator(signed(9), next, account(40), 0));
			}
		}
		Step::WithdrawStake(who) => attempt(|| Rewards::withdraw_stake(signed(who))),
	}
}

/// What was done and did something, from the events.
fn kinds(step: &Step) -> Vec<&'static str> {
	use crate::Event as Bought;
	use pallet_rewards::Event as Paid;
	let mut kinds = Vec::new();
	for record in System::events() {
		kinds.push(match record.event {
			RuntimeEvent::Market(Bought::Deposited { alpha, .. }) if alpha >= 1 << 126 => {
				"deposit near the limit"
			}
			RuntimeEvent::Market(Bought::Deposited { .. }) => "deposit",
			RuntimeEvent::Market(Bought::Refunded { .. }) => "refund",
			RuntimeEvent::Market(Bought::VoucherRedeemed { .. }) => "voucher",
			RuntimeEvent::Market(Bought::PaymentMatured { alpha, .. }) if alpha > 0 => "maturity",
			RuntimeEvent::Market(Bought::ChargedBack { owed, .. }) if owed > 0 => {
				"chargeback of what is spent"
			}
			RuntimeEvent::Market(Bought::ChargedBack { .. }) => "chargeback",
			RuntimeEvent::Market(Bought::Repaid { .. }) => "repayment",
			RuntimeEvent::Market(Bought::Charged { alpha, .. }) if alpha > 0 => "charge",
			RuntimeEvent::Market(Bought::Charged { pending, .. }) if pending > 0 => "frozen charge",
			RuntimeEvent::Market(Bought::EgressCharged { credits, .. }) if credits > 0 => "egress",
			RuntimeEvent::Market(Bought::GraceStarted { .. }) => "grace",
			RuntimeEvent::Market(Bought::AccountExpired { .. }) => "expiry",
			RuntimeEvent::Market(Bought::Subscribed { .. }) => "subscription",
			RuntimeEvent::Market(Bought::PriceSet { .. }) => "price",
			RuntimeEvent::Rewards(Paid::PagePaid { page, amount, .. })
				if amount > 0 && page > 0 =>
			{
				"second page"
			}
			RuntimeEvent::Rewards(Paid::PagePaid { amount, .. }) if amount > 0 => "page",
			RuntimeEvent::Rewards(Paid::Withdrawn { .. }) => "payout",
			RuntimeEvent::Rewards(Paid::EarningsSlashed { .. }) => "slash",
			RuntimeEvent::Rewards(Paid::TreasuryPaid { .. }) => "treasury",
			RuntimeEvent::Rewards(Paid::ValidatorPaid { amount, .. }) if amount > 0 => "validator",
			RuntimeEvent::Rewards(Paid::StakeWithdrawn { .. }) => "payout of stakers",
			_ => continue,
		});
	}
	System::reset_events();
	if let (Step::Exit(_), true) = (step, Rewards::held().nodes > 0) {
		kinds.push("exit");
	}
	kinds
}

/// Each must have happened in some walk.
const KINDS: [&str; 23] = [
	"deposit",
	"deposit near the limit",
	"refund",
	"voucher",
	"maturity",
	"chargeback",
	"chargeback of what is spent",
	"repayment",
	"charge",
	"frozen charge",
	"egress",
	"grace",
	"expiry",
	"subscription",
	"price",
	"page",
	"second page",
	"payout",
	"slash",
	"exit",
	"treasury",
	"validator",
	"payout of stakers",
];

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
	// No part of a pool of egress is without the weight that it was paid with.
	for service in Service::ALL {
		let weight = pallet_rewards::EgressTotal::<Test>::get(service);
		let pot = pallet_rewards::Pots::<Test>::get(service.egress());
		assert!(pot <= weight / 5 * 3 + 3, "{pot} of {weight}");
	}
}

fn walk(steps: Vec<Step>, done: &RefCell<BTreeMap<&'static str, u32>>) {
	new_ext().execute_with(|| {
		let alpha = [1 << 127, 1 << 126, 1_000 * ALPHA, 10_000 * ALPHA];
		for (user, rao) in (1..=USERS).zip(alpha) {
			Balances::mint_into(&id(user), rao).unwrap();
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
			for kind in kinds(&step) {
				*done.borrow_mut().entry(kind).or_default() += 1;
			}
		}
	});
}

#[test]
fn conserved() {
	let done = RefCell::default();
	let config = ProptestConfig {
		cases: 64,
		failure_persistence: None,
		..ProptestConfig::default()
	};
	// The same walks each time, so that what they reach is known.
	let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
	TestRunner::new_with_rng(config, rng)
		.run(&prop::collection::vec(step(), 60..160), |steps| {
			walk(steps, &done);
			Ok(())
		})
		.unwrap_or_else(|error| panic!("{error}"));
	let done = done.into_inner();
	println!("{done:?}");
	for kind in KINDS {
		assert!(done.contains_key(kind), "no {kind} in {done:?}");
	}
}
