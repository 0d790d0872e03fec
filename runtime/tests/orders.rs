//! An order's whole life through whole blocks, with a scripted miner: offered, requested, assigned by a
//! lot nobody knew, accepted, metered, stopped, renewed, passed on when its node leaves, paid, cancelled.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
	account, externalities,
	money::{credits, deposit, fails, fee, seen, send, set_price, tell_price, watch},
	nodes::thirty_nodes,
	pair, signed, Chain,
};
use hippius_primitives::{money::Service, NodeIndex};
use hippius_runtime::*;
use pallet_orders::{Call as Do, Error, Request, State};
use sp_core::{sr25519, Pair as _};

const SERVICE: Service = Service::Compute;

fn family_of(node: u32) -> sr25519::Pair {
	pair(&format!("Family{}", node / 3))
}

fn state(id: u64) -> State {
	Orders::order_by_id(id).unwrap().state
}

/// A block whose parent's author left a VRF output, as all do on a network with such slots.
fn block(chain: &mut Chain, transactions: Vec<UncheckedExtrinsic>) {
	let output = sp_io::hashing::blake2_256(&chain.slot().to_le_bytes());
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(output));
	chain.open();
	pallet_babe::AuthorVrfRandomness::<Runtime>::kill();
	for transaction in transactions {
		Executive::apply_extrinsic(transaction).unwrap().unwrap();
	}
	chain.close();
}

fn assigned(chain: &mut Chain, id: u64) -> NodeIndex {
	for _ in 0..10 {
		if let State::Assigned { node, .. } = state(id) {
			return node;
		}
		block(chain, Vec::new());
	}
	panic!("not assigned: {:?}", state(id));
}

#[test]
fn an_order_lives_and_its_node_is_paid() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		watch(&mut chain);
		tell_price(&mut chain);
		// 600 units are a credit per block: the price is per 10^9 units and 600 blocks.
		set_price(&mut chain, SERVICE.held(), 1_000_000_000 << 32);
		deposit(&mut chain, "Dave", 100 * units::ALPHA);
		for node in [3, 9] {
			send(&mut chain, || {
				let call = Do::offer {
					node,
					service: SERVICE,
					capacity: 1_000_000,
				};
				vec![signed(&family_of(node), call)]
			});
		}
		let request = Request {
			service: SERVICE,
			spec: b"debian-13".to_vec().try_into().unwrap(),
			units: 600_000,
			idle_units: 60_000,
			term: 500,
		};
		let poor = fails(&mut chain, || {
			let mut request = request.clone();
			request.idle_units = 600_001;
			signed(&pair("Dave"), Do::request { request })
		});
		assert_eq!(poor, Error::<Runtime>::UnitsUnsound.into());
		send(&mut chain, || {
			let request = request.clone();
			vec![signed(&pair("Dave"), Do::request { request })]
		});
		let id = 0;
		let since = System::block_number();
		assert_eq!(state(id), State::Requested { since });
		// Without a VRF output there is no lot.
		chain.blocks(3);
		assert_eq!(state(id), State::Requested { since });
		let node = assigned(&mut chain, id);
		assert!([3, 9].contains(&node));
		let stranger = if node == 3 { 9 } else { 3 };
		let foreign = fails(&mut chain, || {
			signed(&family_of(stranger), Do::accept { id })
		});
		assert_eq!(foreign, Error::<Runtime>::NotYourNode.into());
		assert_eq!(seen().credits, 0);
		send(&mut chain, || {
			vec![signed(&family_of(node), Do::accept { id })]
		});

		// A thousand credits a block while it runs, a tenth of it while it is stopped.
		let settle = |chain: &mut Chain| {
			send(chain, || {
				let who = account("Dave");
				let call = pallet_marketplace::Call::settle { who };
				vec![signed(&pair("Charlie"), call)]
			});
		};
		let begun = System::block_number();
		chain.blocks(10);
		settle(&mut chain);
		let ran = u128::from(System::block_number() - begun);
		assert_eq!(seen().credits, ran * 1_000);
		let (before, begun) = (seen().credits, System::block_number());
		send(&mut chain, || {
			let running = false;
			vec![signed(&pair("Dave"), Do::set_running { id, running })]
		});
		let stopped = System::block_number();
		chain.blocks(10);
		settle(&mut chain);
		let idle = u128::from(System::block_number() - stopped);
		let full = u128::from(stopped - begun);
		assert_eq!(seen().credits, before + full * 1_000 + idle * 100);
		let until = Orders::order_by_id(id).unwrap().until;
		send(&mut chain, || {
			vec![signed(&pair("Dave"), Do::renew { id, blocks: 100 })]
		});
		assert_eq!(Orders::order_by_id(id).unwrap().until, until + 100);
		send(&mut chain, || {
			let running = true;
			vec![signed(&pair("Dave"), Do::set_running { id, running })]
		});

		// Its node leaves the network: another gets it, and nothing is charged meanwhile.
		send(&mut chain, || {
			let call = pallet_registry::Call::start_exit { node };
			vec![signed(&family_of(node), call)]
		});
		chain.until(10, || matches!(state(id), State::Requested { .. }));
		settle(&mut chain);
		let waiting = seen().credits;
		chain.blocks(5);
		settle(&mut chain);
		assert_eq!(seen().credits, waiting);
		let next = assigned(&mut chain, id);
		assert_eq!(next, stranger);
		send(&mut chain, || {
			vec![signed(&family_of(next), Do::accept { id })]
		});
		chain.blocks(25);

		// Both are paid by units times blocks, by the same pools as everybody.
		chain.until(60, || {
			Rewards::earnings(node).is_some() && Rewards::earnings(next).is_some()
		});
		let owner = AccountId::from(family_of(next).public());
		let (before, due) = (
			Balances::free_balance(&owner),
			Rewards::earnings(next).unwrap().accrued,
		);
		assert!(due > 0);
		send(&mut chain, || {
			let call = pallet_rewards::Call::withdraw { node: next };
			vec![signed(&family_of(next), call)]
		});
		assert_eq!(Balances::free_balance(&owner), before + due - fee());

		send(&mut chain, || {
			vec![signed(&pair("Dave"), Do::cancel { id })]
		});
		assert_eq!(Orders::order_by_id(id), None);
		let account_of = Marketplace::account(account("Dave")).unwrap();
		assert_eq!(account_of.all_units(), 0);
		settle(&mut chain);
		assert_eq!(credits(&account("Dave")), 1_000_000_000 - seen().credits);
		assert_eq!(seen().charged, seen().credits * 100);
	});
}
