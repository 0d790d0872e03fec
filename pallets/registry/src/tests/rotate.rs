use crate::{mock::*, Error, Event, NodeByKey, Nodes, ProofSequence};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use hippius_primitives::registration::KeyProof;

fn announce(family: u8, node: u32, seed: u8, sequence: u32) -> DispatchResult {
	let proof = rotation(&account(family), node, seed, sequence);
	Registry::announce_key(
		RuntimeOrigin::signed(account(family)),
		node,
		key(seed),
		proof,
	)
}

fn activate(who: u8) -> DispatchResult {
	Registry::activate_key(RuntimeOrigin::signed(account(who)), 0)
}

#[test]
fn both_keys_lead_to_the_node_until_the_new_one_is_activated() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		assert_ok!(announce(1, 0, 11, 0));
		let event = Event::KeyAnnounced {
			node: 0,
			key: key(11),
			activation: 1 + OVERLAP,
		};
		assert_eq!(last_event(), event.into());
		assert_eq!(NodeByKey::<Test>::get(key(10)), Some(0));
		assert_eq!(NodeByKey::<Test>::get(key(11)), Some(0));
		let record = Registry::node_by_key(key(11)).unwrap();
		assert_eq!((record.key, record.next_key), (key(10), Some(key(11))));

		assert_ok!(activate(1));
		let event = Event::KeyActivated {
			node: 0,
			old: key(10),
			new: key(11),
		};
		assert_eq!(last_event(), event.into());
		assert_eq!(NodeByKey::<Test>::get(key(10)), None);
		assert_eq!(Nodes::<Test>::get(0).unwrap().key, key(11));
		assert_eq!(Nodes::<Test>::get(0).unwrap().next_key, None);
		assert_noop!(activate(1), Error::<Test>::NoKeyAnnounced);
	});
}

#[test]
fn anyone_may_end_the_overlap_when_it_is_over() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		assert_noop!(activate(2), Error::<Test>::NoKeyAnnounced);
		assert_ok!(announce(1, 0, 11, 0));
		System::set_block_number(OVERLAP);
		assert_noop!(activate(2), Error::<Test>::OverlapNotOver);
		System::set_block_number(1 + OVERLAP);
		assert_ok!(activate(2));
	});
}

#[test]
fn announcing_again_replaces_the_announced_key() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		assert_ok!(announce(1, 0, 11, 0));
		assert_noop!(announce(1, 0, 11, 1), Error::<Test>::KeyAlreadyRegistered);
		assert_ok!(announce(1, 0, 12, 0));
		assert_eq!(NodeByKey::<Test>::get(key(11)), None);
		assert_eq!(ProofSequence::<Test>::get(key(11)), 1);
		// The replaced key is free for another node, with its next proof.
		register(&account(2), 11);
	});
}

#[test]
fn a_freed_key_needs_a_fresh_proof() {
	ExtBuilder::default().build_and_execute(|| {
		let old = proof(&account(1), 10, &params(), 0);
		register(&account(1), 10);
		assert_ok!(announce(1, 0, 11, 0));
		assert_ok!(activate(1));
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(1)), key(10), params(), old),
			Error::<Test>::ProofReplayed
		);
		assert_ok!(announce(1, 0, 10, 1));
	});
}

#[test]
fn a_rotation_proof_is_bound_to_family_node_and_key() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		register(&account(1), 20);
		register(&account(2), 30);
		let call = |family: u8, node, seed: u8, proof| {
			let origin = RuntimeOrigin::signed(account(family));
			Registry::announce_key(origin, node, key(seed), proof)
		};
		let good = || rotation(&account(1), 0, 11, 0);
		assert_noop!(call(1, 9, 11, good()), Error::<Test>::UnknownNode);
		assert_noop!(call(2, 0, 11, good()), Error::<Test>::NotYourNode);
		assert_noop!(call(1, 1, 11, good()), Error::<Test>::BadSignature);
		assert_noop!(call(2, 2, 11, good()), Error::<Test>::BadSignature);
		assert_noop!(call(1, 0, 12, good()), Error::<Test>::BadSignature);
		assert_noop!(call(1, 0, 20, good()), Error::<Test>::KeyAlreadyRegistered);
		assert_noop!(
			call(1, 0, 11, proof(&account(1), 11, &params(), 0)),
			Error::<Test>::BadSignature
		);
		let foreign = KeyProof {
			genesis: [1; 32],
			..good()
		};
		assert_noop!(call(1, 0, 11, foreign), Error::<Test>::WrongGenesis);
		let late = KeyProof {
			valid_until: 0,
			..good()
		};
		assert_noop!(call(1, 0, 11, late), Error::<Test>::ProofExpired);
		assert_ok!(call(1, 0, 11, good()));
	});
}
