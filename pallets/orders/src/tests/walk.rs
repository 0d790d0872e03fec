//! Whatever happens in whatever order, what is taken, served and metered agree.

use crate::{mock::*, Orders};
use frame_support::storage::with_storage_layer;
use hippius_primitives::{
	money::Service,
	registration::NodeStatus,
	traits::{LivenessState, PayWeights},
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
	Offer(u32, u64),
	Request(u8, u64, u32),
	Accept(usize),
	Decline(usize),
	Run(usize, bool),
	Renew(usize, u32),
	Cancel(usize),
	Pass(u32),
	Jump(u32),
	Down(u32, bool),
	Leave(u32),
	Broke(u8, bool),
	Expired(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
	let node = || 0u32..3;
	let order = || 0usize..6;
	let user = || 1u8..3;
	let units = || prop::sample::select(vec![0u64, 1, 5, 6, 1_000, u64::MAX]);
	prop_oneof![
		2 => (node(), units()).prop_map(|(n, units)| Step::Offer(n, units)),
		4 => (user(), units(), prop::sample::select(vec![0u32, 5, 300, MAX_TERM]))
			.prop_map(|(u, units, term)| Step::Request(u, units, term)),
		6 => order().prop_map(Step::Accept),
		2 => order().prop_map(Step::Decline),
		2 => (order(), any::<bool>()).prop_map(|(o, run)| Step::Run(o, run)),
		1 => (order(), 0u32..100).prop_map(|(o, blocks)| Step::Renew(o, blocks)),
		1 => order().prop_map(Step::Cancel),
		4 => (1u32..4).prop_map(Step::Pass),
		1 => (1u32..900).prop_map(Step::Jump),
		1 => (node(), any::<bool>()).prop_map(|(n, down)| Step::Down(n, down)),
		1 => node().prop_map(Step::Leave),
		1 => (user(), any::<bool>()).prop_map(|(u, broke)| Step::Broke(u, broke)),
		1 => (user(), any::<bool>()).prop_map(|(u, expired)| Step::Expired(u, expired)),
	]
}

/// What is refused must have changed nothing: that is all that counts of it here.
fn attempt(call: impl FnOnce() -> sp_runtime::DispatchResult) {
	let _ = with_storage_layer(call);
}

fn take(step: Step) {
	let orders: Vec<u64> = Orders::<Test>::iter_keys().collect();
	let pick = |at: usize| orders.get(at).copied().unwrap_or(u64::MAX);
	let owner = |id: u64| {
		let order = Orders::<Test>::get(id);
		RuntimeOrigin::signed(order.map_or(account(1), |order| order.owner))
	};
	let holder = |id: u64| {
		let order = Orders::<Test>::get(id);
		family(order.and_then(|order| order.state.node()).unwrap_or(0))
	};
	match step {
		Step::Offer(node, units) => {
			World::change(|facts| {
				let family = account(100 + node as u8);
				facts
					.nodes
					.entry(node)
					.or_insert((family, NodeStatus::Active));
			});
			attempt(|| OrdersPallet::offer(family(node), node, Service::Compute, units));
		}
		Step::Request(user, units, term) => attempt(|| {
			let wanted = crate::Request {
				term,
				// So that sums of what one account is metered by fit.
				..wanted(units >> 8)
			};
			OrdersPallet::request(signed(user), wanted)
		}),
		Step::Accept(at) => attempt(|| OrdersPallet::accept(holder(pick(at)), pick(at))),
		Step::Decline(at) => attempt(|| OrdersPallet::decline(holder(pick(at)), pick(at))),
		Step::Run(at, run) => {
			attempt(|| OrdersPallet::set_running(owner(pick(at)), pick(at), run));
		}
		Step::Renew(at, blocks) => {
			attempt(|| OrdersPallet::renew(owner(pick(at)), pick(at), blocks))
		}
		Step::Cancel(at) => attempt(|| OrdersPallet::cancel(owner(pick(at)), pick(at))),
		Step::Pass(blocks) => pass(blocks),
		Step::Jump(blocks) => System::set_block_number(System::block_number() + u64::from(blocks)),
		Step::Down(node, down) => World::change(|facts| {
			let state = match down {
				true => LivenessState::Down { since: 0 },
				false => LivenessState::Up,
			};
			facts.liveness.insert(node, state);
		}),
		Step::Leave(node) => World::change(|facts| {
			facts.nodes.remove(&node);
		}),
		Step::Broke(user, broke) => World::change(|facts| {
			facts.broke.remove(&[user; 32]);
			if broke {
				facts.broke.insert([user; 32]);
			}
		}),
		Step::Expired(user, expired) => World::change(|facts| {
			facts.expired.remove(&[user; 32]);
			if expired {
				facts.expired.insert([user; 32]);
			}
		}),
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

	#[test]
	fn agreed(steps in prop::collection::vec(step(), 1..80)) {
		new_ext().execute_with(|| {
			for step in steps {
				take(step.clone());
				check();
				let newest = <OrdersPallet as PayWeights>::settled(Service::Compute);
				for era in newest.map_or(0, |era| era.saturating_sub(3))..newest.map_or(0, |era| era + 1) {
					let page = <OrdersPallet as PayWeights>::page(Service::Compute, era, 0);
					let sum: u128 = page.iter().map(|(_, weight)| weight).sum();
					assert_eq!(<OrdersPallet as PayWeights>::total(Service::Compute, era), Some(sum));
				}
			}
		});
	}
}
