//! Where collectors listen.

use crate::{mock::*, Call, Endpoints, Error, Event, ENDPOINT_BLOCKS};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::{collector::Endpoint, NodeAddress, NodeKey};
use sp_core::Pair;
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError};

fn refused(call: &Call<Test>) -> InvalidTransaction {
	match authorize(call) {
		Err(TransactionValidityError::Invalid(why)) => why,
		other => panic!("{other:?}"),
	}
}

fn endpoint(port: u16, sequence: u32) -> Endpoint {
	let ip = [127, 0, 0, 1];
	Endpoint {
		key: NodeKey([5; 32]),
		addresses: vec![NodeAddress::V4 { ip, port }].try_into().unwrap(),
		sequence,
	}
}

/// Announced for the validator with this seed, signed by `by`.
fn announced(seed: u8, endpoint: Endpoint, by: u8) -> Call<Test> {
	let key = collector(seed);
	let payload = endpoint.payload(&GENESIS, key.as_ref());
	Call::announce_endpoint {
		collector: key,
		endpoint,
		signature: collector_pair(by).sign(&payload).into(),
	}
}

fn honest(seed: u8, endpoint: Endpoint) -> Call<Test> {
	announced(seed, endpoint, seed)
}

#[test]
fn a_validator_says_where_it_collects_and_moves() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(12);
		let call = honest(1, endpoint(50, 10));
		let valid = authorize(&call).unwrap();
		assert_eq!(valid.priority, 7);
		assert!(valid.propagate);
		assert_eq!(valid.longevity, u64::from(ENDPOINT_BLOCKS) - 2);
		assert_ok!(dispatch(call.clone()));
		assert_eq!(Endpoints::<Test>::get(collector(1)), Some(endpoint(50, 10)));
		let said = Event::EndpointAnnounced {
			collector: collector(1),
		};
		assert_eq!(events(), [said]);

		// Neither again nor anything older.
		for old in [
			call,
			honest(1, endpoint(51, 10)),
			honest(1, endpoint(51, 9)),
		] {
			assert_eq!(refused(&old), InvalidTransaction::Stale);
			assert_noop!(dispatch(old), Error::<Test>::EndpointNotFresh);
		}
		submit(honest(1, endpoint(51, 12)));
		assert_eq!(Endpoints::<Test>::get(collector(1)), Some(endpoint(51, 12)));
	});
}

#[test]
fn announcements_of_long_ago_or_ahead_of_time_are_refused() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(70);
		for sequence in [0, 70 - ENDPOINT_BLOCKS - 1, 71, u32::MAX] {
			let call = honest(1, endpoint(50, sequence));
			assert_eq!(refused(&call), InvalidTransaction::Stale);
			assert_noop!(dispatch(call), Error::<Test>::EndpointNotFresh);
		}
		assert_ok!(authorize(&honest(1, endpoint(50, 70 - ENDPOINT_BLOCKS))));
	});
}

#[test]
fn addresses_at_which_nobody_is_reached_are_refused() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(12);
		let v4 = |ip, port| vec![NodeAddress::V4 { ip, port }];
		let mut mixed = v4([127, 0, 0, 1], 1);
		mixed.extend(v4([224, 0, 0, 1], 1));
		for addresses in [
			vec![],
			v4([127, 0, 0, 1], 0),
			v4([0; 4], 1),
			v4([255; 4], 1),
			mixed,
		] {
			let endpoint = Endpoint {
				addresses: addresses.try_into().unwrap(),
				..endpoint(1, 12)
			};
			let call = honest(1, endpoint);
			assert_eq!(refused(&call), InvalidTransaction::Custom(19));
			assert_noop!(dispatch(call), Error::<Test>::BadEndpoint);
		}
	});
}

#[test]
fn only_validators_announce_and_only_for_themselves() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(12);
		let stranger = honest(10, endpoint(50, 12));
		assert_eq!(refused(&stranger), InvalidTransaction::Custom(4));
		assert_noop!(dispatch(stranger), Error::<Test>::NotACollector);

		let forged = announced(1, endpoint(50, 12), 2);
		assert_eq!(refused(&forged), InvalidTransaction::BadProof);
		// One validator's endpoint is not another's.
		let Call::announce_endpoint { signature, .. } = honest(1, endpoint(50, 12)) else {
			panic!("another call")
		};
		let moved = Call::announce_endpoint {
			collector: collector(2),
			endpoint: endpoint(50, 12),
			signature,
		};
		assert_eq!(refused(&moved), InvalidTransaction::BadProof);
	});
}

#[test]
fn further_validators_than_collect_have_no_endpoint() {
	ExtBuilder::validators(40).build_and_execute(|| {
		run_to(12);
		assert_ok!(authorize(&honest(32, endpoint(50, 12))));
		let left_out = honest(33, endpoint(50, 12));
		assert_eq!(refused(&left_out), InvalidTransaction::Custom(4));
	});
}

#[test]
fn those_who_left_are_forgotten_when_a_window_opens() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(12);
		submit(honest(1, endpoint(50, 12)));
		submit(honest(2, endpoint(51, 12)));
		Validators::set(vec![2, 3]);
		run_to(19);
		assert!(Endpoints::<Test>::contains_key(collector(1)));
		run_to(20);
		assert!(!Endpoints::<Test>::contains_key(collector(1)));
		assert!(Endpoints::<Test>::contains_key(collector(2)));
	});
}

#[test]
fn nobody_but_the_extension_authorizes() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(12);
		let Call::announce_endpoint {
			collector,
			endpoint,
			signature,
		} = honest(1, endpoint(50, 12))
		else {
			panic!("another call")
		};
		for origin in [
			RuntimeOrigin::none(),
			RuntimeOrigin::root(),
			RuntimeOrigin::signed(account(1)),
		] {
			assert_noop!(
				Heartbeats::announce_endpoint(
					origin,
					collector.clone(),
					endpoint.clone(),
					signature.clone()
				),
				sp_runtime::DispatchError::BadOrigin
			);
		}
	});
}
