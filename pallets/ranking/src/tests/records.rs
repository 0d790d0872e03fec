//! What audits leave, and what scores come of it.

use crate::{mock::*, Records};
use hippius_primitives::traits::{AuditOutcomes, NodeScores};
use hippius_score::{Inputs, Reputation, ONE};

fn audit(node: u32, passes: u32, failures: u32) {
	(0..passes).for_each(|_| Ranking::audited(node, true));
	(0..failures).for_each(|_| Ranking::audited(node, false));
}

#[test]
fn audits_are_remembered() {
	execute([0, 1], || {
		assert_eq!(Ranking::stood(0), None);
		audit(0, 100, 1);
		let (alpha, beta, samples) = Ranking::stood(0).unwrap();
		assert_eq!(samples, 101);
		let mut reputation = Reputation::NEW;
		for _ in 0..100 {
			reputation = reputation.audited(true);
		}
		reputation = reputation.audited(false);
		assert_eq!((alpha, beta), (reputation.alpha, reputation.beta));
		assert_eq!(Ranking::stood(1), None);
		Ranking::forget(0);
		assert_eq!(Ranking::stood(0), None);
	});
}

#[test]
fn audits_of_nobody_leave_nothing() {
	execute([0], || {
		for node in [1, 255, 256, u32::MAX] {
			Ranking::audited(node, true);
			assert_eq!(Ranking::stood(node), None);
			assert_eq!(Ranking::score(node), None);
			assert_eq!(Ranking::explain(node), None);
			Ranking::forget(node);
		}
		assert_eq!(Records::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_new_node_has_a_new_nodes_score_until_its_first_era_is_settled() {
	execute([0], || {
		let new = Inputs::new(100, 100).score();
		assert_eq!(Ranking::score(0), Some(new));
		audit(0, 600, 0);
		assert_eq!(Ranking::score(0), Some(new));
		run_to(21);
		let later = Ranking::score(0).unwrap();
		assert!(later > new);
		let why = Ranking::explain(0).unwrap();
		assert_eq!((why.score, why.now.score, why.samples), (later, later, 600));
	});
}

#[test]
fn a_jailed_node_has_no_score_at_once_and_until_it_is_free() {
	execute([0], || {
		audit(0, 600, 0);
		run_to(21);
		let score = Ranking::score(0).unwrap();
		World::jail(0, true);
		assert_eq!(Ranking::score(0), Some(0));
		let why = Ranking::explain(0).unwrap();
		assert!(why.now.jailed);
		assert_eq!(why.now.score, 0);
		run_to(42);
		assert_eq!(Ranking::score(0), Some(0));
		World::jail(0, false);
		// The era it was jailed in fixed it at 0.
		assert_eq!(Ranking::score(0), Some(0));
		run_to(63);
		assert_eq!(Ranking::score(0), Some(score));
	});
}

#[test]
fn uptime_audits_and_stake_show_in_the_score() {
	execute([0, 1, 2, 3], || {
		(0..4).for_each(|node| audit(node, 2_000, 0));
		World::change(|facts| {
			facts.uptimes.insert(0, (1_000, 1_000));
			facts.uptimes.insert(1, (800, 1_000));
			facts.uptimes.insert(2, (1_000, 1_000));
			facts.uptimes.insert(3, (0, 0));
			facts.nodes.get_mut(&2).unwrap().stake = 50;
		});
		run_to(21);
		let score = |node| Ranking::score(node).unwrap();
		// All of audits, stake, uptime, retrieval; half of age.
		assert_eq!(score(0), (u64::from(ONE) * 9 / 10) as u32);
		assert!(score(1) < score(0));
		assert_eq!(score(2), score(0) / 2);
		assert_eq!(score(3), score(0));
		let why = Ranking::explain(1).unwrap().now;
		assert_eq!(why.uptime.cost, score(0) - score(1));
		audit(0, 0, 40);
		assert!(Ranking::explain(0).unwrap().now.score < score(0));
		run_to(42);
		assert_eq!(score(0), 0);
	});
}
