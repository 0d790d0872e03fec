//! Whatever happens in whatever order, nothing appears and nothing vanishes.

use crate::{mock::*, EraPools, Frozen, OpenEras};
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::Weight};
use hippius_primitives::{
	money::{Pool, Service},
	traits::{EgressWeights, NodeEarnings, RevenueSink},
};
use proptest::prelude::*;

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
			1 << 118
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
		2 => node().prop_map(Step::Withdraw),
		2 => (node(), amount(), any::<bool>()).prop_map(|(n, rao, by)| Step::Slash(n, rao, by)),
		1 => node().prop_map(Step::Leave),
		1 => (node(), amount(), amount()).prop_map(|(n, held, must)| Step::Bond(n, held, must)),
		1 => Just(Step::Forget),
		1 => Just(Step::Treasury),
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
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

	#[test]
	fn conserved(steps in prop::collection::vec(step(), 1..60)) {
		new_ext().execute_with(|| {
			let issued = Balances::total_issuance();
			for step in steps {
				take(step.clone());
				Rewards::do_try_state().unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
				assert_eq!(Balances::total_issuance(), issued, "I5 after {step:?}");
			}
			// The account has the pots to the last rao.
			let held = Rewards::held();
			let sum = held.pools + held.eras + held.nodes + held.stakers + held.treasury;
			assert_eq!(Balances::free_balance(Rewards::account()), sum + LEAST);
		});
	}
}
