//! What is used over time, and what becomes of who cannot pay.

use crate::{mock::*, Error, Event, Prices, Status};
use frame_support::{assert_noop, assert_ok, assert_storage_noop, traits::Hooks, weights::Weight};
use hippius_economy::index::{ratio, whole, MAX_PRICE};
use hippius_primitives::{
	money::Service,
	traits::{StorageOwners, UsageMeter, UsageRefused},
};

const WEEK: u32 = 7 * DAY;

fn remove(user: u8, bytes: u64) {
	<Market as UsageMeter>::remove(Service::Arion, &[user; 32], bytes);
}

fn expired(user: u8) -> bool {
	<Market as StorageOwners>::expired(&[user; 32])
}

#[test]
fn what_could_be_added_is_told_without_any_effect() {
	run(|| {
		let can = |user: u8, bytes| {
			let who = [user; 32];
			<Market as UsageMeter>::can_add(Service::Arion, &who, &who, bytes)
		};
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		pass(600);
		// Neither what adding would charge before, nor what it would note.
		assert_storage_noop!(assert_ok!(can(1, GB)));
		assert_storage_noop!(assert_eq!(can(1, u64::MAX), Err(UsageRefused::TooMuch)));
		assert_storage_noop!(assert_eq!(
			can(1, 1_000_000 * GB),
			Err(UsageRefused::NoFunds)
		));
		// Who never paid has not even a byte's week.
		assert_storage_noop!(assert_eq!(can(2, 1), Err(UsageRefused::NoFunds)));
		let other = <Market as UsageMeter>::can_add(Service::Arion, &[1; 32], &[2; 32], 1);
		assert_eq!(other, Err(UsageRefused::NotAuthorised));
		for bytes in [1, GB, 1_000 * GB, 1_000_000 * GB] {
			assert_eq!(can(1, bytes), store(1, bytes));
		}
	});
}

#[test]
fn a_charge_is_split_sixty_thirty_ten() {
	run(|| {
		assert_ok!(deposit(1, 10 * ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		pass(600);
		settle(1);
		// 8000 credits, 100 rao each.
		let sums = pallet_rewards::Sums::<Test>::get();
		assert_eq!(sums.revenue, 800_000);
		assert_eq!(
			(sums.miners, sums.validators, sums.treasury),
			(480_000, 240_000, 80_000)
		);
		assert_eq!(held(), 10 * ALPHA);
	});
}

/// Upstream billed one hour, however long the gap.
#[test]
fn every_hour_is_billed_whatever_the_gap() {
	run(|| {
		for user in [1, 2] {
			assert_ok!(deposit(user, 100 * ALPHA));
			assert_ok!(store(user, 1_000 * GB));
		}
		for _ in 0..100 {
			pass(37);
			settle(1);
		}
		settle(2);
		assert_eq!(credits(1), credits(2));
		assert_eq!(1_000 * DOLLAR - credits(1), 8_000 * 3_700 / 600);
	});
}

/// Upstream rounded each account to whole GiB and hours.
#[test]
fn a_part_of_a_gigabyte_for_a_part_of_an_hour_is_billed_as_such() {
	run(|| {
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(deposit(2, ALPHA));
		assert_ok!(store(1, GB / 2));
		for _ in 0..1_000 {
			assert_ok!(store(2, GB / 2_000));
		}
		pass(300);
		settle(1);
		settle(2);
		// 8 * 0.5 * 0.5.
		assert_eq!(10 * DOLLAR - credits(1), 2);
		assert_eq!(10 * DOLLAR - credits(2), 2);
		pass(75);
		settle(1);
		assert_eq!(10 * DOLLAR - credits(1), 2, "half a credit waits");
		pass(75);
		settle(1);
		assert_eq!(10 * DOLLAR - credits(1), 3);
	});
}

#[test]
fn a_credit_takes_its_share_of_alpha_and_the_last_takes_the_rest() {
	run(|| {
		assert_ok!(Market::force_alpha_price(RuntimeOrigin::root(), 3_000_000));
		assert_ok!(deposit(1, ALPHA + 1));
		assert_ok!(store(1, GB));
		pass(600);
		settle(1);
		// 8 of 3000000 credits: floor(8 * (10^9 + 1) / 3000000).
		assert_eq!(pallet_rewards::Sums::<Test>::get().revenue, 2_666);
		assert_eq!(account_of(1).batches[0].alpha, ALPHA + 1 - 2_666);
	});
}

/// Upstream let users out of credit keep their storage.
#[test]
fn nobody_stores_for_nothing() {
	run(|| {
		assert_eq!(store(1, GB), Err(UsageRefused::NoFunds));
		assert_ok!(deposit(1, ALPHA));
		// A week of it: 8 * 24 * 7 per GB.
		let most = 10 * DOLLAR as u64 / (8 * 24 * 7);
		assert_eq!(store(1, (most + 1) * GB), Err(UsageRefused::NoFunds));
		assert_ok!(store(1, most * GB));
		assert_eq!(store(1, GB), Err(UsageRefused::NoFunds));
		assert_eq!(status(1), Status::Active);
		pass(600);
		settle(1);
		let since = now();
		assert_eq!(status(1), Status::Grace { since });
		assert_eq!(store(1, 1), Err(UsageRefused::NoFunds));
		pass(WEEK);
		settle(1);
		assert_eq!(status(1), Status::Expired { since: now() });
		assert!(expired(1));
		// Paid for every byte until then, but for what is owed of the last hour.
		let all = u128::from(most) * 8 * (24 * 7 + 1);
		assert_eq!(pallet_rewards::Sums::<Test>::get().revenue, ALPHA);
		assert_eq!(account_of(1).debt(), all - 10 * DOLLAR);
	});
}

#[test]
fn running_out_is_never_silent_and_never_without_grace() {
	run(|| {
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(store(1, 5_000 * GB));
		// Nobody looked for a month.
		pass(30 * DAY);
		settle(1);
		let since = now();
		assert_eq!(status(1), Status::Grace { since });
		assert!(!expired(1));
		assert!(events().contains(&Event::GraceStarted {
			who: account(1),
			credits: 0,
			until: since + WEEK,
		}));
		pass(WEEK - 1);
		settle(1);
		assert!(!expired(1));
		pass(1);
		settle(1);
		assert!(expired(1));
		let debt = account_of(1).debt();
		assert_eq!(debt, 5_000 * 8 * 24 * 37 - 10 * DOLLAR);
		assert!(events().contains(&Event::AccountExpired {
			who: account(1),
			units: 5_000 * GB,
			debt,
		}));
	});
}

#[test]
fn topping_up_pays_the_debt_first_and_saves_the_data() {
	run(|| {
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(store(1, 5_000 * GB));
		pass(30 * DAY);
		settle(1);
		pass(WEEK);
		settle(1);
		assert!(expired(1));
		let debt = account_of(1).debt();
		assert_eq!(store(1, 1), Err(UsageRefused::Locked));
		// Enough for the debt, not for a week.
		assert_ok!(deposit(1, debt.div_ceil(10) * 1_000));
		assert_eq!((account_of(1).debt(), expired(1)), (0, true));
		assert_ok!(deposit(1, 2 * ALPHA));
		assert_eq!(status(1), Status::Active);
		assert!(!expired(1));
		assert!(events().contains(&Event::AccountRestored { who: account(1) }));
		let revenue = pallet_rewards::Sums::<Test>::get().revenue;
		assert_eq!(revenue, (10 * DOLLAR + debt) * 100);
	});
}

#[test]
fn deleting_does_not_dodge_the_bill() {
	run(|| {
		assert_ok!(deposit(1, 10 * ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		pass(6_000);
		remove(1, 1_000 * GB);
		assert_eq!(100 * DOLLAR - credits(1), 80_000);
		pass(6_000);
		settle(1);
		assert_eq!(100 * DOLLAR - credits(1), 80_000);
		// Nothing is below nothing.
		remove(1, 5);
		assert_eq!(account_of(1).all_units(), 0);
		// Nothing is billed for the time nothing was held.
		assert_ok!(store(1, GB));
		settle(1);
		assert_eq!(100 * DOLLAR - credits(1), 80_000);
	});
}

#[test]
fn a_price_holds_from_its_block_on_and_is_told_a_week_before() {
	run(|| {
		let root = RuntimeOrigin::root;
		assert_ok!(deposit(1, 100 * ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		let from = now() + WEEK;
		assert_noop!(
			Market::set_price(root(), HELD, whole(16), from - 1),
			Error::<Test>::NoticeTooShort
		);
		assert_noop!(
			Market::set_price(root(), HELD, MAX_PRICE + 1, from),
			Error::<Test>::PriceTooHigh
		);
		assert!(Market::set_price(signed(1), HELD, whole(16), from).is_err());
		assert_ok!(Market::set_price(root(), HELD, whole(99), from));
		// Thought better of: the notice of before is void.
		assert_ok!(Market::set_price(root(), HELD, whole(16), from + 600));
		assert_eq!(Prices::<Test>::get(HELD).len(), 2);
		pass(WEEK + 1_200);
		settle(1);
		assert_eq!(1_000 * DOLLAR - credits(1), (168 + 1) * 8_000 + 16_000);
		assert_eq!(Market::price(HELD), whole(16));
	});
}

/// What was free until a price was told stays so, and a price that is told of is not in force yet.
#[test]
fn a_first_price_is_not_of_the_past_nor_in_force_before_its_block() {
	run(|| {
		let (root, ipfs) = (RuntimeOrigin::root, Service::Ipfs.held());
		let add = |bytes| <Market as UsageMeter>::add(Service::Ipfs, &[1; 32], &[1; 32], bytes);
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(add(1_000 * GB));
		pass(WEEK);
		for from in [0, now() - 1] {
			assert_noop!(
				Market::set_price(root(), ipfs, whole(1_000), from),
				Error::<Test>::NoticeTooShort
			);
		}
		assert_ok!(Market::set_price(root(), ipfs, whole(8), now() + WEEK));
		// Nothing costs anything yet, so nobody is short of a floor.
		assert_eq!(Market::price(ipfs), 0);
		assert_ok!(add(1_000_000 * GB));
		<Market as UsageMeter>::remove(Service::Ipfs, &[1; 32], 1_000_000 * GB);
		let standing = Market::standing(account(1)).unwrap();
		assert_eq!((standing.floor, standing.runway), (0, None));
		pass(WEEK);
		settle(1);
		assert_eq!(credits(1), 10 * DOLLAR);
		assert_eq!(Market::price(ipfs), whole(8));
		pass(600);
		settle(1);
		assert_eq!(credits(1), 10 * DOLLAR - 8_000);
	});
}

#[test]
fn more_price_changes_than_are_remembered_lose_nothing() {
	run(|| {
		assert_ok!(deposit(1, 1_000 * ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		let mut expected = 0;
		for step in 0..40u32 {
			let price = 8 + step;
			expected += u128::from(price) * 168_000;
			let from = now() + WEEK;
			assert_ok!(Market::set_price(
				RuntimeOrigin::root(),
				HELD,
				whole(price + 1),
				from
			));
			pass(WEEK);
		}
		assert_eq!(Prices::<Test>::get(HELD).len(), 32);
		settle(1);
		assert_eq!(10_000 * DOLLAR - credits(1), expected);
	});
}

#[test]
fn accounts_are_settled_by_the_blocks_themselves() {
	run(|| {
		for user in 1..=6 {
			assert_ok!(deposit(user, 10 * ALPHA));
			assert_ok!(store(user, 1_000 * GB));
		}
		pass(600);
		assert_eq!(Market::on_idle(1, Weight::zero()), Weight::zero());
		for _ in 0..3 {
			Market::on_idle(1, Weight::MAX);
		}
		for user in 1..=6 {
			assert_eq!(100 * DOLLAR - credits(user), 8_000);
		}
		let used = Market::on_idle(1, Weight::MAX);
		assert!(
			used.ref_time() < 200_000_000_000,
			"a tenth of a block: {used:?}"
		);
	});
}

#[test]
fn what_it_costs_and_how_long_it_lasts_can_be_asked() {
	run(|| {
		assert_ok!(deposit(1, ALPHA));
		assert_ok!(store(1, 1_000 * GB));
		pass(600);
		let standing = Market::standing(account(1)).unwrap();
		assert_eq!(standing.credits, 10 * DOLLAR - 8_000);
		assert_eq!(standing.per_day, 192_000);
		assert_eq!(standing.floor, 7 * 192_000);
		let runway = (10 * DOLLAR - 8_000) * u128::from(DAY) / 192_000;
		assert_eq!(standing.runway, Some(runway as u32));
		remove(1, 1_000 * GB);
		assert_eq!(Market::standing(account(1)).unwrap().runway, None);
	});
}

#[test]
fn the_greatest_amounts_of_all_neither_overflow_nor_panic() {
	run(|| {
		assert_ok!(Market::force_alpha_price(RuntimeOrigin::root(), 1 << 60));
		assert_ok!(deposit(1, 1 << 90));
		let from = now() + WEEK;
		assert_ok!(Market::set_price(
			RuntimeOrigin::root(),
			HELD,
			MAX_PRICE,
			from
		));
		assert_ok!(store(1, u64::MAX));
		assert_eq!(store(1, 1), Err(UsageRefused::TooMuch));
		pass(WEEK);
		System::set_block_number(u64::from(u32::MAX));
		settle(1);
		check();
		assert!(account_of(1).debt() > 0 || credits(1) > 0);
	});
}

#[test]
fn a_service_without_a_price_is_free() {
	run(|| {
		assert_ok!(<Market as UsageMeter>::add(
			Service::Ipfs,
			&[1; 32],
			&[1; 32],
			GB
		));
		pass(DAY);
		settle(1);
		assert_eq!(status(1), Status::Active);
		// Its first price needs no notice, and counts from its block on.
		assert_ok!(Market::set_price(
			RuntimeOrigin::root(),
			Service::Ipfs.held(),
			ratio(25, 3),
			now()
		));
		settle(1);
		assert_eq!(account_of(1).debt(), 0);
		assert_eq!(status(1), Status::Grace { since: now() });
	});
}

#[test]
fn every_call_fits_a_block_with_room() {
	use crate::WeightInfo;
	// A block has two seconds, three quarters of them for what is no system's.
	let percent = 20_000_000_000;
	assert!(<() as WeightInfo>::settle().ref_time() < 2 * percent);
	assert!(<() as WeightInfo>::chargeback().ref_time() < 2 * percent);
	assert!(<() as WeightInfo>::post_egress(crate::MAX_RECEIPTS).ref_time() < 60 * percent);
}

/// Each receipt may be of another client with as much as there can be to settle.
#[test]
fn receipts_cost_what_settling_as_many_clients_does() {
	use crate::WeightInfo;
	for receipts in [1, 2, crate::MAX_RECEIPTS] {
		let all = <() as WeightInfo>::settle().saturating_mul(receipts.into());
		assert!(<() as WeightInfo>::post_egress(receipts).all_gte(all));
	}
}
