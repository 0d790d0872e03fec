//! Whatever happens in whatever order, nothing appears and nothing vanishes.

use crate::{mock::*, EraPools, Event, Frozen, OpenEras, StakerEras, StakersFrozen};
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::Weight};
use hippius_primitives::{
	money::{Pool, Service},
	traits::{EgressWeights, NodeEarnings, RevenueSink, Staker, ValidatorEra},
};
use proptest::{
	prelude::*,
	test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeMap};

#[derive(Clone, Debug)]
enum Step {
	Charge(usize, u128),
	Sent(u32, u128),
	/// Nodes there are, of equal weight or none.
	Era(usize, u32, u128),
	Page(u32),
	Tick,
	Withdraw(u32),
	Slash(u32, u128, bool),
	Leave(u32),
	Bond(u32, u128, u128),
	Forget,
	Treasury,
	/// An era of staking ends: points, commission, stake of the validator and of those who stake with it,
	/// what is said to be the sum of all.
	Validators(u32, u32, u128, u128, u128),
	PayValidator(u8, u32),
	CloseStakers,
	ForgetStaking,
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
			1 << 126,
			1 << 127
		]),
		(0u32..=36).prop_map(|n| 10u128.pow(n)),
		0u128..100_000,
	]
}

fn step() -> impl Strategy<Value = Step> {
	let node = || prop::sample::select(vec![0u32, 1, 2, 127, 128]);
	prop_oneof![
		4 => (0usize..8, amount()).prop_map(|(pool, rao)| Step::Charge(pool, rao)),
		1 => (node(), amount()).prop_map(|(node, rao)| Step::Sent(node, rao)),
		2 => (
			0usize..4,
			prop::sample::select(vec![0u32, 1, 129]),
			prop::sample::select(vec![0, 1, u128::MAX >> 9]),
		)
			.prop_map(|(service, nodes, weight)| Step::Era(service, nodes, weight)),
		4 => (0u32..3).prop_map(Step::Page),
		2 => Just(Step::Tick),
		4 => node().prop_map(Step::Withdraw),
		3 => (node(), amount(), any::<bool>()).prop_map(|(n, rao, by)| Step::Slash(n, rao, by)),
		1 => node().prop_map(Step::Leave),
		2 => (node(), amount(), amount()).prop_map(|(n, held, must)| Step::Bond(n, held, must)),
		1 => Just(Step::Forget),
		1 => Just(Step::Treasury),
		2 => (
			prop::sample::select(vec![0u32, 1, 20, u32::MAX / 2]),
			prop::sample::select(vec![0u32, 1, 100_000_000, 1_000_000_000, u32::MAX]),
			amount(),
			amount(),
			amount(),
		)
			.prop_map(|(points, ppb, own, stake, sum)| {
				Step::Validators(points, ppb, own, stake, sum)
			}),
		3 => (40u8..42, 0u32..3).prop_map(|(who, page)| Step::PayValidator(who, page)),
		1 => Just(Step::CloseStakers),
		1 => Just(Step::ForgetStaking),
		3 => (40u8..46).prop_map(Step::WithdrawStake),
	]
}

fn take(step: Step) {
	// Refusals are fine here: what counts is that they change nothing.
	match step {
		Step::Charge(pool, rao) => {
			let _ = <Rewards as RevenueSink<AccountId>>::charge(&payer(), Pool::ALL[pool], rao);
		}
		Step::Sent(node, rao) => Rewards::sent(Service::Arion, node, rao),
		Step::Era(service, nodes, weight) => {
			let service = Service::ALL[service];
			let next = Frozen::<Test>::get(service).map_or(0, |era| era + 1);
			World::change(|facts| {
				for node in 0..nodes {
					facts.nodes.entry(node).or_insert_with(|| family(node));
				}
			});
			World::era(service, next, (0..nodes).map(|node| (node, weight)));
			let _ = Rewards::freeze(signed(5), service);
		}
		Step::Page(page) => {
			for (pool, era) in OpenEras::<Test>::get() {
				let before = EraPools::<Test>::get(pool, era).unwrap().is_paid(page);
				let again = with_storage_layer(|| Rewards::payout_page(signed(5), pool, era, page));
				assert!(!(before && again.is_ok()), "paid twice");
			}
		}
		Step::Tick => {
			Rewards::on_idle(2, Weight::MAX);
		}
		Step::Withdraw(node) => {
			let _ =
				with_storage_layer(|| Rewards::withdraw(RuntimeOrigin::signed(family(node)), node));
		}
		Step::Slash(node, rao, by) => {
			Rewards::slash(node, rao, by.then_some([60; 32]));
		}
		Step::Leave(node) => {
			World::change(|facts| facts.nodes.remove(&node));
		}
		Step::Bond(node, held, must) => {
			World::change(|facts| facts.bonds.insert(node, (held, must)));
		}
		Step::Forget => World::change(|facts| facts.eras.clear()),
		Step::Treasury => {
			let _ = with_storage_layer(|| Rewards::pay_treasury(signed(5)));
		}
		Step::Validators(points, commission_ppb, own, stake, total) => {
			let next = StakersFrozen::<Test>::get().map_or(0, |era| era + 1);
			World::change(|facts| {
				facts
					.staking
					.insert(next, validators(points, commission_ppb, own, stake, total))
			});
			let _ = with_storage_layer(|| Rewards::freeze_stakers(signed(5)));
		}
		Step::PayValidator(who, page) => {
			let eras: Vec<u32> = StakerEras::<Test>::iter_keys().collect();
			for era in eras {
				let pay = || Rewards::payout_validator(signed(5), era, account(who), page);
				let _ = with_storage_layer(pay);
				assert!(with_storage_layer(pay).is_err(), "paid twice");
			}
		}
		Step::CloseStakers => {
			let _ = with_storage_layer(|| Rewards::close_staker_era(signed(5)));
		}
		Step::ForgetStaking => World::change(|facts| facts.staking.clear()),
		Step::WithdrawStake(who) => {
			let _ = with_storage_layer(|| Rewards::withdraw_stake(signed(who)));
		}
	}
}

/// Two, each with three who stake with it on two pages. The sum of all stake may be said wrong.
fn validators(
	points: u32,
	commission_ppb: u32,
	own: u128,
	stake: u128,
	total: u128,
) -> BTreeMap<AccountId, Validating> {
	let staker = |who| Staker {
		who: account(who),
		stake,
	};
	let how = ValidatorEra {
		points,
		commission_ppb,
		own,
		total,
		pages: 2,
	};
	let true_sum = ValidatorEra {
		total: (stake >> 2) * 3 + (own >> 2),
		own: own >> 2,
		..how
	};
	let quarter = |who| Staker {
		stake: stake >> 2,
		..staker(who)
	};
	let wrong = vec![vec![staker(42), staker(43)], vec![staker(44)]];
	let right = vec![vec![quarter(42), quarter(43)], vec![quarter(45)]];
	[
		(account(40), (how, wrong)),
		(account(41), (true_sum, right)),
	]
	.into()
}

/// What was done and did something, from the walk's events.
fn kinds(step: &Step) -> Vec<&'static str> {
	let mut kinds = Vec::new();
	for record in System::events() {
		let RuntimeEvent::Rewards(event) = record.event else {
			continue;
		};
		kinds.push(match event {
			Event::RevenueSplit { amount, .. } if amount >= 1 << 126 => "charge near the limit",
			Event::RevenueSplit { .. } => "charge",
			Event::PagePaid { page, amount, .. } if amount > 0 && page > 0 => "second page",
			Event::PagePaid { amount, .. } if amount > 0 => "page",
			Event::NodeCredited { withheld, .. } if withheld > 0 => "withheld",
			Event::EraPaid { carried, .. } if carried > 0 => "carried over",
			Event::Withdrawn { .. } => "payout",
			Event::EarningsSlashed { .. } => "slash",
			Event::TreasuryPaid { .. } => "treasury",
			Event::ValidatorPaid { amount, page, .. } if amount > 0 && page > 0 => {
				"second page of stakers"
			}
			Event::ValidatorPaid { amount, .. } if amount > 0 => "validator",
			Event::StakerEraClosed { .. } => "end of an era of staking",
			Event::StakeWithdrawn { .. } => "payout of stakers",
			_ => continue,
		});
	}
	System::reset_events();
	if let (Step::Leave(_), true) = (step, Rewards::held().nodes > 0) {
		kinds.push("exit");
	}
	kinds
}

/// Each must have happened in some walk.
const KINDS: [&str; 14] = [
	"charge",
	"charge near the limit",
	"page",
	"second page",
	"withheld",
	"carried over",
	"payout",
	"slash",
	"exit",
	"treasury",
	"validator",
	"second page of stakers",
	"end of an era of staking",
	"payout of stakers",
];

fn walk(steps: Vec<Step>, done: &RefCell<BTreeMap<&'static str, u32>>) {
	new_ext().execute_with(|| {
		let issued = Balances::total_issuance();
		for step in steps {
			take(step.clone());
			Rewards::do_try_state().unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
			assert_eq!(Balances::total_issuance(), issued, "I5 after {step:?}");
			for kind in kinds(&step) {
				*done.borrow_mut().entry(kind).or_default() += 1;
			}
		}
		// The account has the pots to the last rao.
		let held = Rewards::held();
		let sum = held.pools + held.eras + held.nodes + held.stakers + held.treasury;
		assert_eq!(Balances::free_balance(Rewards::account()), sum + LEAST);
	});
}

#[test]
fn conserved() {
	let done = RefCell::default();
	let config = ProptestConfig {
		cases: 160,
		failure_persistence: None,
		..ProptestConfig::default()
	};
	// The same walks each time, so that what they reach is known.
	let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
	TestRunner::new_with_rng(config, rng)
		.run(&prop::collection::vec(step(), 20..160), |steps| {
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
