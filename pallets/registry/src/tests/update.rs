use crate::{mock::*, Error, Event, HoldReason, Nodes, Revision};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{InspectHold, Mutate},
};
use hippius_primitives::{registration::NodeParams, NodeAddress};

fn update(family: u8, params: NodeParams) -> frame_support::dispatch::DispatchResult {
	Registry::update_node(RuntimeOrigin::signed(account(family)), 0, params)
}

fn stake() -> u64 {
	Balances::balance_on_hold(&HoldReason::CapacityStake.into(), &account(1))
}

#[test]
fn host_and_addresses_change() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		let new = NodeParams {
			host: "räck-2".into(),
			addresses: vec![NodeAddress::V6 {
				ip: [1; 16],
				port: 1,
			}],
			..params()
		};
		assert_ok!(update(1, new.clone()));
		let event = Event::NodeUpdated {
			node: 0,
			capacity: 2 * TERABYTE,
			stake: 2_000,
		};
		assert_eq!(last_event(), event.into());
		assert_eq!(Registry::node(0).unwrap().params, new);
		assert_eq!(Revision::<Test>::get(), 2);
	});
}

#[test]
fn more_capacity_needs_more_stake_and_less_releases_none() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		assert_ok!(update(
			1,
			NodeParams {
				capacity: 3 * TERABYTE,
				..params()
			}
		));
		assert_eq!(stake(), 3_000);
		assert_ok!(update(
			1,
			NodeParams {
				capacity: TERABYTE,
				..params()
			}
		));
		assert_eq!(stake(), 3_000);
		assert_eq!(Nodes::<Test>::get(0).unwrap().capacity, TERABYTE);
		// What is held already counts.
		assert_ok!(update(
			1,
			NodeParams {
				capacity: 4 * TERABYTE,
				..params()
			}
		));
		assert_eq!(stake(), 4_000);
	});
}

#[test]
fn a_raised_rate_concerns_only_a_raised_capacity() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		StakePerTerabyte::set(5_000);
		assert_ok!(update(1, params()));
		assert_eq!(stake(), 2_000);
		assert_ok!(update(
			1,
			NodeParams {
				capacity: 3 * TERABYTE,
				..params()
			}
		));
		assert_eq!(stake(), 15_000);
	});
}

#[test]
fn more_capacity_than_the_balance_covers_is_refused() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		Balances::set_balance(&account(1), 1_000);
		assert_noop!(
			update(
				1,
				NodeParams {
					capacity: 4 * TERABYTE,
					..params()
				}
			),
			Error::<Test>::StakeTooLow
		);
	});
}

#[test]
fn only_the_family_may_and_the_zone_stays() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(update(1, params()), Error::<Test>::UnknownNode);
		register(&account(1), 10);
		assert_noop!(update(2, params()), Error::<Test>::NotYourNode);
		assert_noop!(
			update(
				1,
				NodeParams {
					zone: 2,
					..params()
				}
			),
			Error::<Test>::ZoneFixed
		);
		assert_noop!(
			update(
				1,
				NodeParams {
					host: vec![],
					..params()
				}
			),
			Error::<Test>::HostEmpty
		);
		assert_noop!(
			Registry::update_node(RuntimeOrigin::none(), 0, params()),
			sp_runtime::DispatchError::BadOrigin
		);
	});
}

#[test]
fn a_leaving_node_changes_only_its_addresses() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		assert_ok!(Registry::start_exit(RuntimeOrigin::signed(account(1)), 0));
		assert_noop!(
			update(
				1,
				NodeParams {
					capacity: TERABYTE,
					..params()
				}
			),
			Error::<Test>::NodeDraining
		);
		assert_noop!(
			update(
				1,
				NodeParams {
					host: b"other".to_vec(),
					..params()
				}
			),
			Error::<Test>::NodeDraining
		);
		let addresses = vec![NodeAddress::V4 {
			ip: [10, 0, 0, 1],
			port: 9,
		}];
		assert_ok!(update(
			1,
			NodeParams {
				addresses,
				..params()
			}
		));
	});
}
