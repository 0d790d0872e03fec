//! What daemons are told, and what becomes of what they say.

use super::*;
use crate::work::{MAX_GROUP_BATCHES, RETRY_BLOCKS};
use arion_storage_proof::work::{
	MAX_ORDER_ASKED, MAX_ORDER_BATCHES, MAX_ORDER_LEDGERS, MAX_WORK_ORDER,
};
use hippius_primitives::ledger::CleanReport;

#[test]
fn a_daemon_is_asked_once_it_said_whose_it_is() {
	with_node(|net| {
		net.serve(vec![honest()]);
		Chain::change(|state| state.asked = vec![draw(100)]);
		assert_eq!(Chain::run(), []);
		let order = net.order();
		assert_eq!((order.genesis, order.best, order.epoch), (GENESIS, 100, 3));
		assert_eq!(
			(order.asked, order.ledgers, order.life),
			(vec![], vec![], None)
		);

		let submitted = Chain::run();
		let order = net.order();
		assert_eq!(order.asked, [draw(100)]);
		let ledger = Chain::ledger(1).unwrap();
		assert_eq!(order.ledgers.len(), 1);
		assert_eq!(order.ledgers[0].pg, 1);
		assert_eq!(order.ledgers[0].challengeable, ledger.challengeable);
		assert_eq!(order.ledgers[0].newest, ledger.newest);
		assert_eq!(
			(order.ledgers[0].first, order.ledgers[0].batches.len()),
			(5, 0)
		);
		assert!(!order.ledgers[0].unclean);
		assert_eq!(answered(&submitted), [draw(100).ask]);
	});
}

/// Lets the daemon say whose it is.
fn known(net: &Loopback) {
	assert_eq!(Chain::run(), []);
	net.orders();
}

#[test]
fn an_answer_the_chain_does_not_show_is_asked_for_again() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::change(|state| state.asked = vec![draw(100)]);
		assert_eq!(Chain::run().len(), 1);
		net.orders();
		// It waits in the pool.
		for block in 100..100 + RETRY_BLOCKS {
			assert_eq!(Chain::run_at(block), []);
			assert_eq!(net.order().asked, []);
		}
		// It got lost.
		assert_eq!(Chain::run_at(100 + RETRY_BLOCKS).len(), 1);
		assert_eq!(net.order().asked, [draw(100)]);
		// Blocks that are skipped do no harm.
		assert_eq!(Chain::run_at(140).len(), 1);
		// The chain has it.
		Chain::change(|state| state.asked.clear());
		assert_eq!(Chain::run_at(150), []);
	});
}

#[test]
fn what_comes_later_does_not_wait_for_what_is_in_the_pool() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::change(|state| state.asked = vec![draw(100)]);
		assert_eq!(answered(&Chain::run()), [draw(100).ask]);
		Chain::change(|state| state.asked = vec![draw(100), draw(101)]);
		assert_eq!(answered(&Chain::run_at(101)), [draw(101).ask]);
	});
}

#[test]
fn another_fork_asks_at_once() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::change(|state| state.asked = vec![draw(100)]);
		assert_eq!(Chain::run_at(101).len(), 1);
		// The same draw of another block 100: the old answer is worth nothing.
		let other = AskedOf {
			seed: [77; 32],
			offsets: vec![6],
			..draw(100)
		};
		Chain::change(|state| state.asked = vec![other.clone()]);
		net.orders();
		assert_eq!(Chain::run_at(101).len(), 1);
		assert_eq!(net.order().asked, [other]);
		// Back on a chain that is shorter: what was submitted at a later block was on the other one.
		assert_eq!(Chain::run_at(99).len(), 1);
	});
}

#[test]
fn a_new_snapshot_asks_at_once() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::change(|state| state.asked = vec![draw(100)]);
		assert_eq!(Chain::run().len(), 1);
		// Not by an append alone.
		let before = Chain::ledger(1).unwrap();
		grow(1, 1);
		Chain::change(|state| {
			let ledger = state.ledgers.get_mut(&1).unwrap();
			ledger.challengeable = before.challengeable;
		});
		assert_eq!(Chain::run_at(101), []);
		grow(1, 0);
		assert_eq!(Chain::run_at(101).len(), 1);
	});
}

#[test]
fn it_goes_on_after_a_restart_with_or_without_what_was_kept() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::change(|state| state.asked = vec![draw(100)]);
		// The node was restarted: all there is is in storage. The daemon does not know its number yet.
		net.serve(vec![Behaviour::Works(Box::new(|order| WorkReport {
			node: None,
			..honestly(order)
		}))]);
		assert_eq!(Chain::run().len(), 1);
		assert_eq!(Chain::run_at(120).len(), 1);
		// The database is another one, or cannot be read.
		let key = [
			&b"hippius::arion-work::daemon::"[..],
			&sp_io::hashing::blake2_128(b"http://127.0.0.1:1"),
		]
		.concat();
		assert!(sp_io::offchain::local_storage_get(StorageKind::PERSISTENT, &key).is_some());
		sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, &key, &[0xff; 3]);
		net.serve(vec![honest()]);
		assert_eq!(Chain::run_at(121).len(), 0);
		assert_eq!(Chain::run_at(122).len(), 1);
	});
}

#[test]
fn the_most_urgent_comes_first() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		let task = |id, due| AskedOf {
			ask: Ask::Task { id },
			due,
			..draw(0)
		};
		let mut asked: Vec<_> = (0..100).map(|id| task(id, Some(500 - id as u32))).collect();
		asked.push(task(100, None));
		Chain::change(|state| state.asked = asked);
		assert_eq!(Chain::run().len(), 8);
		let order = net.order();
		assert_eq!(order.asked.len(), MAX_ORDER_ASKED);
		assert_eq!(order.asked[0].ask, Ask::Task { id: 99 });
		// The rest comes while the first wait in the pool.
		assert_eq!(answered(&Chain::run_at(101)).len(), 37);
	});
}

#[test]
fn a_daemon_gets_the_batches_it_wants() {
	with_node(|net| {
		grow(2, 3);
		let wants = |_: &WorkOrder| WorkReport {
			node: Some(8),
			wants: vec![(1, 2), (2, 0), (9, 0), (2, 1)],
			..Default::default()
		};
		net.serve(vec![Behaviour::Works(Box::new(wants))]);
		known(net);
		Chain::change(|state| state.asked = vec![draw(100)]);
		Chain::run();
		let ledgers = net.order().ledgers;
		let said: Vec<_> = ledgers
			.iter()
			.map(|ledger| (ledger.pg, ledger.first, ledger.batches.clone()))
			.collect();
		let batches = |pg, from: u64, to| (from..to).map(|n| batch(pg, n)).collect::<Vec<_>>();
		assert_eq!(said, [(1, 2, batches(1, 2, 5)), (2, 0, batches(2, 0, 3))]);
		assert!(ledgers.iter().all(|ledger| !ledger.unclean));
		Chain::change(|state| state.unclean = vec![(8, 2), (7, 1)]);
		Chain::run_at(101);
		let unclean: Vec<_> = net.order().ledgers.iter().map(|l| l.unclean).collect();
		assert_eq!(unclean, [false, true]);
		// It has them.
		net.serve(vec![honest()]);
		Chain::run();
		net.orders();
		Chain::run_at(110);
		assert_eq!(net.order().ledgers[0].batches, []);
	});
}

#[test]
fn an_order_is_bounded() {
	with_node(|net| {
		let groups = 0..2 * MAX_ORDER_LEDGERS as u32;
		groups.clone().for_each(|pg| grow(10 + pg, 300));
		grow(9, 5_000);
		let wants = move |_: &WorkOrder| WorkReport {
			node: Some(8),
			wants: core::iter::once((9, 0))
				.chain(groups.clone().map(|pg| (10 + pg, 0)))
				.collect(),
			..Default::default()
		};
		net.serve(vec![Behaviour::Works(Box::new(wants))]);
		known(net);
		Chain::run();
		let order = net.order();
		assert_eq!(order.ledgers.len(), MAX_ORDER_LEDGERS);
		assert_eq!(order.ledgers[0].batches.len(), MAX_GROUP_BATCHES);
		let all: usize = order.ledgers.iter().map(|l| l.batches.len()).sum();
		assert_eq!(all, MAX_ORDER_BATCHES);
		assert!(order.encoded_size() < MAX_WORK_ORDER);
	});
}

#[test]
fn a_clean_report_is_submitted() {
	with_node(|net| {
		let report = CleanReport {
			node: 8,
			epoch: 3,
			groups: vec![(1, 5)],
		};
		let given = report.clone();
		net.serve(vec![Behaviour::Works(Box::new(move |_| WorkReport {
			node: Some(8),
			clean: Some((given.clone(), [4; 64])),
			..Default::default()
		}))]);
		let submission = Submission::Clean(report, [4; 64]);
		assert_eq!(Chain::run(), std::slice::from_ref(&submission));
		assert_eq!(Chain::run_at(102), []);
		assert_eq!(Chain::run_at(103), [submission]);
		// The chain knows it.
		Chain::change(|state| state.refuses = Some(|_| true));
		assert_eq!(Chain::run_at(110), []);
	});
}

#[test]
fn a_silent_nodes_daemon_shows_that_it_lives() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::run();
		assert_eq!(net.order().life, None);
		Chain::change(|state| state.silent = vec![8]);
		assert_eq!(Chain::run(), [Submission::Life(life(8).sign, [3; 64])]);
		assert_eq!(net.order().life, Some(life(8)));
		assert_eq!(Chain::run_at(102), []);
		assert_eq!(net.order().life, None);
		assert_eq!(Chain::run_at(103).len(), 1);
	});
}

#[test]
fn what_the_pool_does_not_take_is_tried_with_the_next_block() {
	with_node(|net| {
		net.serve(vec![honest()]);
		known(net);
		Chain::change(|state| {
			state.asked = vec![draw(100)];
			state.silent = vec![8];
			state.full = true;
		});
		assert_eq!(Chain::run(), []);
		Chain::change(|state| state.full = false);
		assert_eq!(Chain::run_at(101).len(), 2);
	});
}
