//! Long random runs: no panic, no invariant broken.

use crate::mock::*;
use hippius_primitives::traits::NodeRegistry;
use proptest::prelude::*;

/// One thing somebody does.
#[derive(Clone, Debug)]
enum Act {
	Blocks(u8),
	Post(u32, u32, u8, Vec<u8>),
	Life(u32, u8),
	Away(u32, u8, u8),
	Home(u32),
	Register(u32),
	Leave(u32),
	Validators(u8),
}

fn act() -> impl Strategy<Value = Act> {
	let node = prop_oneof![0..8u32, 250..260u32];
	prop_oneof![
		6 => (1..12u8).prop_map(Act::Blocks),
		12 => (0..2u32, 0..3u32, 0..13u8, proptest::collection::vec(0..8u8, 0..12))
			.prop_map(|(back, page, collector, counts)| Act::Post(back, page, collector, counts)),
		2 => (node.clone(), 0..3u8).prop_map(|(node, key)| Act::Life(node, key)),
		1 => (node.clone(), 8..20u8, 0..30u8).prop_map(|(node, ahead, long)| Act::Away(node, ahead, long)),
		1 => node.clone().prop_map(Act::Home),
		1 => node.clone().prop_map(Act::Register),
		1 => node.prop_map(Act::Leave),
		1 => (1..13u8).prop_map(Act::Validators),
	]
}

fn play(act: Act) {
	let now = System::block_number();
	let window = (now / 10) as u32;
	let family = RuntimeOrigin::signed(account(1));
	// What is refused is refused; the state is checked after every act.
	match act {
		Act::Blocks(blocks) => run_to(now + u64::from(blocks)),
		Act::Post(back, page, collector, counts) => {
			let report = report(window.saturating_sub(back), page, collector.into(), &counts);
			let call = signed(report, collector + 1);
			if authorize(&call).is_ok() {
				dispatch(call).unwrap();
			}
		}
		Act::Life(node, key) => {
			let call = sign_of(node, window, &node_key(node + u32::from(key / 2)));
			if authorize(&call).is_ok() {
				dispatch(call).unwrap();
			}
		}
		Act::Away(node, ahead, long) => {
			let from = now as u32 + u32::from(ahead);
			let _ = Heartbeats::announce_absence(family, node, from, from + u32::from(long));
		}
		Act::Home(node) => {
			let _ = Heartbeats::end_absence(family, node);
		}
		Act::Register(node) => {
			// Numbers are never used twice.
			if node >= Nodes::end() {
				Nodes::register(node);
			}
		}
		Act::Leave(node) => {
			if Nodes::node(node).is_some() {
				Nodes::remove(node);
			}
		}
		Act::Validators(count) => Validators::set((1..=count).collect()),
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

	#[test]
	fn nothing_breaks(acts in proptest::collection::vec(act(), 1..250)) {
		ExtBuilder::validators(4).build_and_execute(|| {
			for act in acts {
				play(act);
				Heartbeats::do_try_state().unwrap();
			}
		});
	}
}
