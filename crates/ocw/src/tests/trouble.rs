//! Daemons that are dead, slow, broken or lie.

use super::*;
use crate::{
	daemons::{BODY_MILLIS, MAX_DAEMONS},
	work::{RETRY_BLOCKS, RUN_MILLIS},
};
use arion_storage_proof::work::MAX_WORK_REPORT;

/// A daemon of node 8 that says this of all it is asked.
fn says(report: impl FnMut(&WorkOrder) -> WorkReport + Send + 'static) -> Vec<Behaviour> {
	vec![Behaviour::Works(Box::new(report))]
}

#[test]
fn nothing_is_done_without_daemons_or_chain() {
	with_node(|net| {
		assert_eq!(Chain::run(), []);
		StorageValueRef::persistent(DAEMONS_STORAGE_KEY).set(&0xffu8);
		assert_eq!(Chain::run(), []);
		net.serve(vec![honest()]);
		Chain::change(|state| state.genesis = None);
		assert_eq!(Chain::run(), []);
		Chain::change(|state| {
			state.genesis = Some(GENESIS);
			state.epoch = 0;
		});
		assert_eq!(Chain::run(), []);
		assert_eq!(net.orders().len(), 0);
	});
}

#[test]
fn one_run_at_a_time() {
	use sp_runtime::offchain::storage_lock::{StorageLock, Time};
	with_node(|net| {
		net.serve(vec![honest()]);
		{
			let mut lock = StorageLock::<Time>::new(b"hippius::arion-work::lock");
			let _guard = lock.try_lock().ok().unwrap();
			Chain::run();
			assert_eq!(net.orders().len(), 0);
		}
		Chain::run();
		assert_eq!(net.orders().len(), 1);
	});
}

#[test]
fn no_daemon_delays_what_others_say() {
	for bad in [
		Behaviour::Dead,
		Behaviour::Refusing,
		Behaviour::Stalls,
		Behaviour::Says(401, vec![]),
		Behaviour::Says(200, vec![1; 99]),
		Behaviour::Says(200, vec![0; MAX_WORK_REPORT + 1]),
		Behaviour::Slow(1_900, Box::new(honestly)),
	] {
		with_node(|net| {
			// It was good once.
			net.serve(vec![honest(), honest()]);
			Chain::run();
			Chain::change(|state| state.asked = vec![draw(100)]);
			net.orders();
			let began = net.net().now;
			net.serve(vec![bad, honest()]);
			assert!(!Chain::run().is_empty());
			assert_eq!(net.orders().len(), 2);
			assert!(net.net().now - began <= RUN_MILLIS + BODY_MILLIS);
		});
	}
}

#[test]
fn what_is_there_is_taken_before_the_rest_is_waited_for() {
	thread_local! {
		static TIMES: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
	}
	with_node(|net| {
		let access = |port: u16| DaemonAccess {
			url: format!("http://127.0.0.1:{port}").into_bytes(),
			token: b"secret".to_vec(),
		};
		let quick = || Behaviour::Slow(10, Box::new(honestly));
		net.serve(vec![
			Behaviour::Dead,
			quick(),
			Behaviour::Slow(300, Box::new(honestly)),
			quick(),
		]);
		let deadline = Timestamp::from_unix_millis(RUN_MILLIS);
		let order = WorkOrder {
			genesis: GENESIS,
			best: 1,
			epoch: 1,
			asked: vec![],
			ledgers: vec![],
			life: None,
		};
		let sent = (1..=4)
			.map(|port| {
				let daemon = crate::daemons::Daemon::new(&access(port)).unwrap();
				let request = daemon.post(WORK_PATH, &order.encode(), deadline);
				(port, request.unwrap())
			})
			.collect();
		crate::daemons::exchange(sent, deadline, |port, answer| {
			let now = net.net().now;
			TIMES.with_borrow_mut(|times| times.push(now));
			match port {
				1 => assert!(answer.is_err() && now == RUN_MILLIS),
				3 => assert!(answer.is_ok() && (300..=400).contains(&now)),
				_ => assert!(answer.is_ok() && now <= 20),
			}
		});
		assert_eq!(TIMES.with_borrow(Vec::len), 4);
	});
}

#[test]
fn answers_nobody_asked_for_are_not_submitted() {
	with_node(|net| {
		net.serve(vec![honest()]);
		Chain::run();
		Chain::change(|state| state.asked = vec![draw(99), draw(100)]);
		let (old, new) = (draw(99).ask, draw(100).ask);
		net.serve(says(move |_| WorkReport {
			node: Some(8),
			answers: vec![
				// What is not asked, alone or among what is.
				answer(0, &[draw(98).ask]),
				answer(1, &[draw(98).ask, old]),
				answer(2, &[]),
				// In another node's name.
				Answer {
					node: 9,
					..answer(3, &[old])
				},
				answer(4, &[new]),
				// Twice.
				answer(5, &[new]),
				answer(6, &[old, new]),
			],
			..Default::default()
		}));
		let submitted = Chain::run();
		assert_eq!(submitted, [Submission::Answer(answer(4, &[new]))]);
	});
}

#[test]
fn a_flood_of_answers_is_cut_off() {
	with_node(|net| {
		net.serve(vec![honest()]);
		Chain::run();
		Chain::change(|state| state.asked = (50..90).map(draw).collect());
		net.serve(says(|order| WorkReport {
			answers: order.asked.iter().map(|a| answer(0, &[a.ask])).collect(),
			..honestly(order)
		}));
		assert_eq!(Chain::run().len(), 8);
	});
}

#[test]
fn what_is_not_good_is_not_submitted_and_asked_for_again() {
	with_node(|net| {
		net.serve(vec![honest()]);
		Chain::run();
		Chain::change(|state| {
			state.asked = vec![draw(100)];
			state.silent = vec![8];
			state.refuses = Some(|_| true);
		});
		net.orders();
		assert_eq!(Chain::run(), []);
		Chain::change(|state| state.refuses = None);
		assert_eq!(Chain::run().len(), 2);
		assert!(net
			.orders()
			.iter()
			.all(|(_, order)| order.asked == [draw(100)]));
	});
}

#[test]
fn a_daemon_that_claims_another_node_gets_that_nodes_work() {
	with_node(|net| {
		net.serve(vec![honest()]);
		Chain::run();
		Chain::change(|state| state.asked = vec![draw(100)]);
		// It says it is node 9 now; what it says of node 8 counts for nothing from then on.
		net.serve(says(|order| WorkReport {
			node: Some(9),
			..honestly(order)
		}));
		assert_eq!(Chain::run().len(), 1);
		net.orders();
		assert_eq!(Chain::run_at(100 + RETRY_BLOCKS), []);
		assert_eq!(net.order().asked, []);
	});
}

#[test]
fn a_sign_of_life_nobody_asked_for_is_not_submitted() {
	with_node(|net| {
		net.serve(says(|_| WorkReport {
			node: Some(8),
			life: Some([1; 64]),
			..Default::default()
		}));
		assert_eq!(Chain::run(), []);
		assert_eq!(Chain::run(), []);
	});
}

#[test]
fn too_many_daemons_are_cut_off() {
	with_node(|net| {
		net.serve((0..MAX_DAEMONS + 3).map(|_| honest()).collect());
		Chain::run();
		assert_eq!(net.orders().len(), MAX_DAEMONS);
	});
}
