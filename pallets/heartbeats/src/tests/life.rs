//! Signs of life.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::{
	heartbeat::LifeSign,
	traits::{Liveness, LivenessState},
};
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError};

fn refused(call: crate::Call<Test>) -> InvalidTransaction {
	match authorize(&call) {
		Err(TransactionValidityError::Invalid(why)) => why,
		other => panic!("{other:?}"),
	}
}

/// Node 0 is down since window 2; it is window 4.
fn down() {
	pass(1, &[6, 6, 6]);
	pass(2, &[0, 6, 6]);
	pass(3, &[0, 6, 6]);
	System::reset_events();
	assert!(matches!(
		Heartbeats::liveness(0),
		LivenessState::Down { .. }
	));
}

#[test]
fn a_node_marked_down_clears_itself() {
	ExtBuilder::default().build_and_execute(|| {
		down();
		let call = sign_of(0, 4, &node_key(0));
		let valid = authorize(&call).unwrap();
		assert_eq!(valid.longevity, 6);
		assert!(valid.propagate);
		assert_ok!(dispatch(call));
		assert_eq!(
			events(),
			[
				Event::LifeShown { node: 0, window: 4 },
				Event::NodeBack { node: 0 }
			]
		);
		assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
		// Some time in this window: what was asked before its end it may not have heard.
		assert_eq!(Heartbeats::up_since(0), 5 * CONFIG.window_blocks);
		// The window in which only it says so does not count.
		pass(4, &[0, 6, 6]);
		assert_eq!(Heartbeats::uptime(0), Some((0, 12)));
		assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
		pass(5, &[0, 6, 6]);
		assert_eq!(Heartbeats::liveness(0), LivenessState::Silent);
	});
}

#[test]
fn a_node_is_told_when_a_sign_is_due() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Heartbeats::life_due(0), None);
		down();
		let anchor = crate::Windows::<Test>::get(4).unwrap().anchor;
		let sign = LifeSign { node: 0, window: 4 };
		assert_eq!(Heartbeats::life_due(0), Some((sign, anchor)));
		// Not those who are up, nor who is none.
		assert_eq!(Heartbeats::life_due(1), None);
		assert_eq!(Heartbeats::life_due(99), None);
		submit(sign_of(0, 4, &node_key(0)));
		assert_eq!(Heartbeats::life_due(0), None);
	});
}

#[test]
fn a_sign_outlives_the_window_before_it() {
	ExtBuilder::default().build_and_execute(|| {
		down();
		run_to(start(5));
		submit(sign_of(0, 5, &node_key(0)));
		// Window 4 is settled after the sign of window 5: it was missed, but that is over.
		post_all(4, 0, &[0, 6, 6]);
		settled(4);
		assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
		assert_eq!(Heartbeats::uptime(0), Some((0, 18)));
	});
}

#[test]
fn a_node_that_is_out_comes_back() {
	ExtBuilder::default().build_and_execute(|| {
		for window in 1..7 {
			pass(window, &[0, 6, 6]);
		}
		assert!(Heartbeats::is_out(0));
		let revision = Heartbeats::out_revision();
		submit(sign_of(0, 7, &node_key(0)));
		assert!(!Heartbeats::is_out(0));
		assert_ne!(Heartbeats::out_revision(), revision);
	});
}

#[test]
fn one_sign_per_node_and_window() {
	ExtBuilder::default().build_and_execute(|| {
		down();
		let call = sign_of(0, 4, &node_key(0));
		submit(call.clone());
		assert_eq!(refused(call.clone()), InvalidTransaction::Stale);
		assert_noop!(dispatch(call.clone()), Error::<Test>::AlreadyShown);
		run_to(start(5));
		assert_eq!(refused(call), InvalidTransaction::Stale);
	});
}

#[test]
fn a_sign_is_good_in_its_window_only_and_cannot_be_made_ahead() {
	ExtBuilder::default().build_and_execute(|| {
		down();
		for window in [0, 3, 5, u32::MAX] {
			let call = sign_of(0, window, &node_key(0));
			assert_eq!(refused(call.clone()), InvalidTransaction::Stale);
			assert_noop!(dispatch(call), Error::<Test>::OtherWindow);
		}
		// Signed before the block it is anchored to was known.
		let ahead = sign_of(0, 5, &node_key(0));
		run_to(start(5));
		assert_eq!(refused(ahead), InvalidTransaction::BadProof);
	});
}

#[test]
fn nobody_else_signs_for_a_node() {
	ExtBuilder::default().build_and_execute(|| {
		down();
		let bad = InvalidTransaction::BadProof;
		assert_eq!(refused(sign_of(0, 4, &node_key(1))), bad);
		let crate::Call::show_life { signature, .. } = sign_of(1, 4, &node_key(0)) else {
			panic!("another call")
		};
		let sign = LifeSign { node: 0, window: 4 };
		assert_eq!(refused(crate::Call::show_life { sign, signature }), bad);
		// Its announced next key is its own.
		Nodes::change(0, |node| node.next_key = Some(public(&node_key(77))));
		assert_ok!(authorize(&sign_of(0, 4, &node_key(77))));
	});
}

#[test]
fn who_is_not_silent_or_not_there_has_nothing_to_show() {
	ExtBuilder::default().build_and_execute(|| {
		down();
		let call = |node| sign_of(node, 4, &node_key(node));
		assert_eq!(refused(call(1)), InvalidTransaction::Custom(10));
		assert_noop!(dispatch(call(1)), Error::<Test>::NotSilent);
		for node in [3, 700, u32::MAX] {
			assert_eq!(refused(call(node)), InvalidTransaction::Custom(9));
			assert_noop!(dispatch(call(node)), Error::<Test>::UnknownNode);
		}
		// Registered, but not yet judged.
		Nodes::register(300);
		assert_eq!(refused(call(300)), InvalidTransaction::Custom(10));
	});
}
