//! Whatever happens in whatever order, what is taken, served and metered agree.

use crate::{mock::*, Orders, State};
use frame_support::storage::with_storage_layer;
use hippius_primitives::{
	money::Service,
	registration::NodeStatus,
	traits::{LivenessState, PayWeights},
};
use proptest::{
	prelude::*,
	test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeMap};

#[derive(Clone, Debug)]
enum Step {
	Offer(u32, u64),
	Request(u8, u64, u64, u32),
	Accept(usize),
	Decline(usize),
	Run(usize, bool),
	Renew(usize, u32),
	Cancel(usize),
	Advance(usize),
	Pass(u32),
	Jump(u32),
	Down(u32, bool),
	Leave(u32),
	Broke(u8, bool),
	Expired(u8, bool),
}

/// Amounts where mistakes are likely: small, powers of ten, near the limits of 64 bits, alone and in sums.
fn units() -> impl Strategy<Value = u64> {
	prop_oneof![
		2 => prop::sample::select(vec![0u64, 1, 5, 6]),
		3 => (0u32..20).prop_map(|power| 10u64.pow(power)),
		2 => (0u32..3, 0u64..3).prop_map(|(half, less)| (u64::MAX >> half) - less),
	]
}

fn step() -> impl Strategy<Value = Step> {
	let node = || 0u32..3;
	let order = || 0usize..6;
	let user = || 1u8..3;
	let term = prop::sample::select(vec![0u32, 5, 300, MAX_TERM, u32::MAX]);
	let blocks = prop_oneof![0u32..100, Just(u32::MAX)];
	prop_oneof![
		3 => (node(), units()).prop_map(|(n, units)| Step::Offer(n, units)),
		4 => (user(), units(), 0u64..12, term)
			.prop_map(|(u, units, part, term)| Step::Request(u, units, part, term)),
		6 => order().prop_map(Step::Accept),
		2 => order().prop_map(Step::Decline),
		3 => (order(), any::<bool>()).prop_map(|(o, run)| Step::Run(o, run)),
		2 => (order(), blocks).prop_map(|(o, blocks)| Step::Renew(o, blocks)),
		1 => order().prop_map(Step::Cancel),
		2 => order().prop_map(Step::Advance),
		4 => (1u32..4).prop_map(Step::Pass),
		1 => (1u32..900).prop_map(Step::Jump),
		1 => (node(), any::<bool>()).prop_map(|(n, down)| Step::Down(n, down)),
		1 => node().prop_map(Step::Leave),
		1 => (user(), prop::bool::weighted(0.3)).prop_map(|(u, broke)| Step::Broke(u, broke)),
		1 => (user(), prop::bool::weighted(0.3)).prop_map(|(u, expired)| Step::Expired(u, expired)),
	]
}

thread_local! {
	/// How often each call succeeded, by name; and those with amounts near the limits once more.
	static DONE: RefCell<BTreeMap<&'static str, u32>> = RefCell::default();
}

/// What is refused must have changed nothing; what is done is counted.
fn attempt(name: &'static str, call: impl FnOnce() -> sp_runtime::DispatchResult) -> bool {
	let done = with_storage_layer(call).is_ok();
	if done {
		DONE.with_borrow_mut(|all| *all.entry(name).or_default() += 1);
	}
	done
}

fn take(step: Step) {
	let orders: Vec<u64> = Orders::<Test>::iter_keys().collect();
	let of = |at: usize, fits: &dyn Fn(&State) -> bool| {
		let fitting = orders
			.iter()
			.filter(|id| state(**id).is_some_and(|s| fits(&s)));
		let all: Vec<u64> = fitting.copied().collect();
		let at = at
			.checked_rem(all.len())
			.and_then(|at| all.get(at).copied());
		at.unwrap_or(u64::MAX)
	};
	let pick = |at: usize| of(at, &|_| true);
	let owner = |id: u64| {
		let order = Orders::<Test>::get(id);
		RuntimeOrigin::signed(order.map_or(account(1), |order| order.owner))
	};
	let holder = |id: u64| {
		let order = Orders::<Test>::get(id);
		family(order.and_then(|order| order.state.node()).unwrap_or(0))
	};
	let huge = |id: u64| Orders::<Test>::get(id).is_some_and(|o| o.request.units > u64::MAX >> 3);
	match step {
		Step::Offer(node, units) => {
			World::change(|facts| {
				let family = account(100 + node as u8);
				facts
					.nodes
					.entry(node)
					.or_insert((family, NodeStatus::Active));
			});
			let name = match units {
				0 => "withdraw",
				1..=1_000 => "offer",
				_ => "offer much",
			};
			attempt(name, || {
				OrdersPallet::offer(family(node), node, Service::Compute, units)
			});
		}
		Step::Request(user, units, part, term) => {
			let idle = u128::from(units) * u128::from(part) / 10;
			let wanted = crate::Request {
				term,
				idle_units: idle.min(u64::MAX.into()) as u64,
				..wanted(units)
			};
			attempt("request", || OrdersPallet::request(signed(user), wanted));
		}
		Step::Accept(at) => {
			let id = of(at, &|state| matches!(state, State::Assigned { .. }));
			let name = ["accept", "accept much"];
			attempt(name[usize::from(huge(id))], || {
				OrdersPallet::accept(holder(id), id)
			});
		}
		Step::Decline(at) => {
			attempt("decline", || {
				OrdersPallet::decline(holder(pick(at)), pick(at))
			});
		}
		Step::Run(at, run) => {
			attempt(if run { "start" } else { "stop" }, || {
				let id = of(at, &|state| matches!(state, State::Active { .. }));
				OrdersPallet::set_running(owner(id), id, run)
			});
		}
		Step::Renew(at, blocks) => {
			attempt("renew", || {
				OrdersPallet::renew(owner(pick(at)), pick(at), blocks)
			});
		}
		Step::Cancel(at) => {
			attempt("cancel", || OrdersPallet::cancel(owner(pick(at)), pick(at)));
		}
		Step::Advance(at) => {
			attempt("advance", || OrdersPallet::advance(signed(9), pick(at)));
		}
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

fn walk(steps: Vec<Step>) {
	new_ext().execute_with(|| {
		for step in steps {
			take(step);
			check();
			let newest = <OrdersPallet as PayWeights>::settled(Service::Compute);
			let oldest = newest.map_or(0, |era| era.saturating_sub(3));
			for era in oldest..newest.map_or(0, |era| era + 1) {
				let page = <OrdersPallet as PayWeights>::page(Service::Compute, era, 0);
				let sum: u128 = page.iter().map(|(_, weight)| weight).sum();
				let total = <OrdersPallet as PayWeights>::total(Service::Compute, era);
				assert_eq!(total, Some(sum));
			}
		}
		for event in events() {
			let name = match event {
				crate::Event::Assigned { .. } => "assigned",
				crate::Event::Reassigned { .. } => "reassigned",
				crate::Event::Ended { why, .. } => match why {
					crate::Ended::Cancelled => "cancelled",
					crate::Ended::TermOver => "term over",
					crate::Ended::Unpaid => "unpaid",
					crate::Ended::NoNode => "no node",
				},
				_ => continue,
			};
			DONE.with_borrow_mut(|all| *all.entry(name).or_default() += 1);
		}
	});
}

#[test]
fn agreed() {
	let config = Config {
		cases: 96,
		failure_persistence: None,
		..Config::default()
	};
	// The same walks each time, so that what they reach is known.
	let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
	let mut runner = TestRunner::new_with_rng(config, rng);
	let all = prop::collection::vec(step(), 1..120);
	let walked = runner.run(&all, |steps| {
		walk(steps);
		Ok(())
	});
	if let Err(error) = walked {
		panic!("{error}");
	}
	let done = DONE.take();
	let names = [
		"offer",
		"offer much",
		"withdraw",
		"request",
		"accept",
		"accept much",
		"decline",
		"start",
		"stop",
		"renew",
		"cancel",
		"advance",
		"assigned",
		"reassigned",
		"cancelled",
		"term over",
		"unpaid",
	];
	for name in names {
		assert!(done.contains_key(name), "never: {name} of {done:?}");
	}
}
