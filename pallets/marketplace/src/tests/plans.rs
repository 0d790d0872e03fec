//! Prepaid periods.

use crate::{mock::*, Error, Event, Plan, Status};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::{money::Service, traits::UsageMeter};

const MONTH: u32 = 30 * DAY;
/// Four of them are a week.
const SHORTEST: u32 = 7 * DAY / 4;

fn plan(price: u128, included: u64) -> Plan {
	Plan {
		service: Service::Arion,
		price,
		period: MONTH,
		included,
	}
}

fn offer(id: u32, plan: Plan) {
	assert_ok!(Market::set_plan(RuntimeOrigin::root(), id, Some(plan)));
}

fn revenue() -> u128 {
	pallet_rewards::Sums::<Test>::get().revenue
}

#[test]
fn a_period_is_revenue_as_it_passes_and_what_it_includes_is_free() {
	run(|| {
		offer(1, plan(6 * DOLLAR, 1_000 * GB));
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(Market::subscribe(signed(1), 1, false));
		assert_ok!(store(1, 1_000 * GB));
		assert_eq!(
			(credits(1), account_of(1).locked),
			(10 * DOLLAR, 6 * DOLLAR)
		);
		pass(MONTH / 3);
		settle(1);
		assert_eq!((credits(1), account_of(1).locked), (8 * DOLLAR, 4 * DOLLAR));
		assert_eq!(revenue(), 2 * DOLLAR * 100);
		// Not renewed: from then on it is metered, exactly.
		pass(MONTH * 2 / 3 + 600);
		settle(1);
		assert!(account_of(1).subscriptions.is_empty());
		assert_eq!(credits(1), 4 * DOLLAR - 8_000);
		assert_eq!(status(1), Status::Active);
	});
}

#[test]
fn beyond_what_is_included_is_metered() {
	run(|| {
		offer(1, plan(6 * DOLLAR, 1_000 * GB));
		assert_ok!(deposit(1, 10 * ALPHA));
		assert_ok!(Market::subscribe(signed(1), 1, false));
		assert_ok!(store(1, 1_500 * GB));
		pass(600);
		settle(1);
		assert_eq!(100 * DOLLAR - credits(1), 4_000 + 6 * DOLLAR / 720);
	});
}

#[test]
fn what_is_prepaid_is_not_spent_on_anything_else() {
	run(|| {
		offer(1, plan(6 * DOLLAR, 0));
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		assert_ok!(Market::subscribe(signed(1), 1, false));
		// 8000 an hour: four dollars last 500 hours.
		pass(600 * 510);
		settle(1);
		assert_eq!(account_of(1).debt(), 80_000);
		assert_eq!(account_of(1).locked, 6 * DOLLAR - 6 * DOLLAR * 510 / 720);
		assert!(matches!(status(1), Status::Grace { .. }));
	});
}

#[test]
fn ending_early_gives_back_the_unused_part() {
	run(|| {
		offer(1, plan(6 * DOLLAR, 0));
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(Market::subscribe(signed(1), 1, true));
		pass(MONTH / 4);
		assert_noop!(
			Market::unsubscribe(signed(1), Service::S3),
			Error::<Test>::NotSubscribed
		);
		assert_ok!(Market::unsubscribe(signed(1), Service::Arion));
		assert_eq!((credits(1), account_of(1).locked), (8_500_000, 0));
		assert!(events().contains(&Event::SubscriptionEnded {
			who: account(1),
			service: Service::Arion,
			returned: 4_500_000,
		}));
		let id = account_of(1).batches[0].id;
		assert_ok!(Market::refund(signed(1), id));
	});
}

#[test]
fn changing_plans_charges_each_for_its_time() {
	run(|| {
		offer(1, plan(6 * DOLLAR, 0));
		offer(2, plan(9 * DOLLAR, 0));
		assert_ok!(deposit(1, 2 * ALPHA));
		assert_ok!(Market::subscribe(signed(1), 1, false));
		pass(MONTH / 2);
		assert_ok!(Market::subscribe(signed(1), 2, false));
		assert_eq!(account_of(1).subscriptions.len(), 1);
		pass(MONTH);
		settle(1);
		assert_eq!(credits(1), 20 * DOLLAR - 3 * DOLLAR - 9 * DOLLAR);
		assert_eq!(revenue(), 12 * DOLLAR * 100);
	});
}

#[test]
fn a_plan_renews_as_long_as_there_are_credits_also_when_nobody_looked() {
	run(|| {
		offer(1, plan(3 * DOLLAR, 1_000 * GB));
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(Market::subscribe(signed(1), 1, true));
		assert_ok!(store(1, 1_000 * GB));
		// Three periods are paid for, the fourth is not: it is metered.
		pass(3 * MONTH + 600);
		settle(1);
		settle(1);
		assert!(account_of(1).subscriptions.is_empty());
		assert_eq!(credits(1), DOLLAR - 8_000);
	});
}

#[test]
fn many_periods_behind_are_caught_up_without_a_gap() {
	run(|| {
		offer(
			1,
			Plan {
				period: SHORTEST,
				..plan(100, GB)
			},
		);
		assert_ok!(deposit(1, 10 * ALPHA));
		assert_ok!(Market::subscribe(signed(1), 1, true));
		assert_ok!(store(1, 2 * GB));
		pass(60 * SHORTEST);
		for _ in 0..20 {
			settle(1);
		}
		// 60 periods of 42 hours, and 8 an hour for the gigabyte that is not included.
		assert_eq!(100 * DOLLAR - credits(1), 60 * (100 + 8 * 42));
	});
}

/// The units of before are charged until they change, and those of after from then on, however far behind
/// the periods are.
#[test]
fn what_changes_while_periods_are_behind_is_charged_for_its_time() {
	run(|| {
		let short = Plan {
			period: SHORTEST,
			..plan(100, GB)
		};
		offer(1, short);
		for user in [1, 2] {
			assert_ok!(deposit(user, 100 * ALPHA));
			assert_ok!(Market::subscribe(signed(user), 1, true));
			assert_ok!(store(user, 2 * GB));
		}
		pass(60 * SHORTEST);
		<Market as UsageMeter>::remove(Service::Arion, &[1; 32], 2 * GB);
		assert_ok!(store(2, 1_000 * GB));
		for user in [1, 2].repeat(20) {
			settle(user);
		}
		for user in [1, 2] {
			assert_eq!(1_000 * DOLLAR - credits(user), 60 * (100 + 8 * 42));
		}
		pass(600);
		settle(1);
		settle(2);
		// Of 42 hours that a period has.
		let hour = 100 / 42;
		assert_eq!(1_000 * DOLLAR - credits(1), 60 * (100 + 8 * 42) + hour);
		assert_eq!(
			1_000 * DOLLAR - credits(2),
			60 * (100 + 8 * 42) + hour + 8 * 1_001
		);
	});
}

#[test]
fn a_plan_of_periods_that_cannot_be_followed_is_not_offered() {
	run(|| {
		let root = RuntimeOrigin::root;
		for period in [0, 1, SHORTEST - 1] {
			let short = Plan {
				period,
				..plan(1, 1)
			};
			assert_noop!(
				Market::set_plan(root(), 1, Some(short)),
				Error::<Test>::PlanUnsound
			);
		}
		offer(
			1,
			Plan {
				period: SHORTEST,
				..plan(1, 1)
			},
		);
	});
}

#[test]
fn what_cannot_be_offered_or_paid_is_refused() {
	run(|| {
		assert!(Market::set_plan(signed(1), 1, None).is_err());
		let unsound = Plan {
			period: 0,
			..plan(1, 1)
		};
		assert_noop!(
			Market::set_plan(RuntimeOrigin::root(), 1, Some(unsound)),
			Error::<Test>::PlanUnsound
		);
		offer(1, plan(11 * DOLLAR, 0));
		assert_ok!(deposit(1, ALPHA));
		assert_noop!(
			Market::subscribe(signed(1), 1, true),
			Error::<Test>::NotEnoughCredits
		);
		assert_noop!(
			Market::subscribe(signed(1), 2, true),
			Error::<Test>::UnknownPlan
		);
		assert_ok!(Market::set_plan(RuntimeOrigin::root(), 1, None));
		assert_noop!(
			Market::subscribe(signed(1), 1, true),
			Error::<Test>::UnknownPlan
		);
	});
}
