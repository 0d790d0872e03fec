//! Validators and those who stake with them.

use crate::{mock::*, Error, OldestStakerEra, StakerEarned, StakerEras, StakersPot};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use hippius_primitives::traits::{Staker, ValidatorEra};

/// Two validators: 2 with 60 points, a tenth of commission and three nominators on two pages; 3 with
/// 40 points and nobody.
fn era(number: u32) {
	let stakers = |stakes: &[(u8, u128)]| {
		let stakers = stakes.iter().map(|(seed, stake)| Staker {
			who: account(*seed),
			stake: *stake,
		});
		stakers.collect::<Vec<_>>()
	};
	let two = ValidatorEra {
		points: 60,
		commission_ppb: 100_000_000,
		own: 400,
		total: 1_000,
		pages: 2,
	};
	let three = ValidatorEra {
		points: 40,
		commission_ppb: 0,
		own: 10,
		total: 10,
		pages: 0,
	};
	World::change(|facts| {
		let pages = vec![stakers(&[(20, 300), (21, 200)]), stakers(&[(22, 100)])];
		facts.staking.insert(
			number,
			[
				(account(2), (two, pages)),
				(account(3), (three, Vec::new())),
			]
			.into(),
		);
	});
}

fn due(seed: u8) -> u128 {
	StakerEarned::<Test>::get(account(seed))
}

#[test]
fn points_commission_and_exposure_decide() {
	run(|| {
		era(1);
		charge(ARION, 100_000);
		assert_ok!(Rewards::freeze_stakers(signed(5)));
		assert_noop!(
			Rewards::freeze_stakers(signed(5)),
			Error::<Test>::NothingToFreeze
		);
		assert_eq!(StakersPot::<Test>::get(), 0);
		assert_ok!(Rewards::payout_validator(signed(5), 1, account(2), 1));
		assert_ok!(Rewards::payout_validator(signed(5), 1, account(2), 0));
		assert_ok!(Rewards::payout_validator(signed(5), 1, account(3), 0));
		// 30000 * 0.6 = 18000: 1800 commission, then by stake.
		assert_eq!(due(2), 1_800 + 16_200 * 4 / 10);
		assert_eq!((due(20), due(21), due(22)), (4_860, 3_240, 1_620));
		assert_eq!(due(3), 12_000);
		assert_noop!(
			Rewards::payout_validator(signed(5), 1, account(2), 0),
			Error::<Test>::PageAlreadyPaid
		);
		assert_noop!(
			Rewards::payout_validator(signed(5), 1, account(2), 2),
			Error::<Test>::UnknownPage
		);
		assert_noop!(
			Rewards::payout_validator(signed(5), 1, account(4), 0),
			Error::<Test>::NotAValidator
		);
		assert_noop!(
			Rewards::payout_validator(signed(5), 2, account(2), 0),
			Error::<Test>::UnknownEra
		);
		assert_ok!(Rewards::withdraw_stake(signed(22)));
		assert_eq!(Balances::free_balance(account(22)), 1_620);
		assert_noop!(
			Rewards::withdraw_stake(signed(22)),
			Error::<Test>::NothingToPay
		);
	});
}

#[test]
fn an_era_that_staking_forgets_is_carried_over() {
	run(|| {
		era(1);
		charge(ARION, 100_001);
		assert_ok!(Rewards::freeze_stakers(signed(5)));
		assert_ok!(Rewards::payout_validator(signed(5), 1, account(3), 0));
		assert_noop!(
			Rewards::close_staker_era(signed(5)),
			Error::<Test>::EraIsKept
		);
		World::change(|facts| facts.staking.remove(&1));
		assert_noop!(
			Rewards::payout_validator(signed(5), 1, account(2), 0),
			Error::<Test>::EraNotKept
		);
		// Another was frozen meanwhile, much later.
		era(60);
		charge(ARION, 1_000);
		assert_ok!(Rewards::freeze_stakers(signed(5)));
		assert_ok!(Rewards::close_staker_era(signed(5)));
		assert_eq!(StakersPot::<Test>::get(), 18_000);
		for _ in 0..4 {
			if OldestStakerEra::<Test>::get() == Some(60) {
				break;
			}
			assert_ok!(Rewards::close_staker_era(signed(5)));
		}
		assert_eq!(OldestStakerEra::<Test>::get(), Some(60));
		World::change(|facts| facts.staking.clear());
		assert_ok!(Rewards::close_staker_era(signed(5)));
		assert_eq!(StakersPot::<Test>::get(), 18_300);
		assert!(StakerEras::<Test>::iter().next().is_none());
		assert_noop!(
			Rewards::close_staker_era(signed(5)),
			Error::<Test>::UnknownEra
		);
	});
}

#[test]
fn a_block_with_room_freezes_the_pot_by_itself() {
	run(|| {
		era(1);
		charge(ARION, 1_000);
		Rewards::on_idle(2, Weight::MAX);
		assert_eq!(StakerEras::<Test>::get(1).unwrap().amount, 300);
		charge(ARION, 1_000);
		Rewards::on_idle(3, Weight::MAX);
		assert_eq!(StakersPot::<Test>::get(), 300, "once per era");
	});
}

#[test]
fn an_era_without_points_carries_the_pot() {
	run(|| {
		World::change(|facts| facts.staking.insert(1, Default::default()));
		charge(ARION, 100);
		assert_ok!(Rewards::freeze_stakers(signed(5)));
		assert_eq!(StakersPot::<Test>::get(), 30);
	});
}

#[test]
fn a_validator_with_nothing_behind_it_keeps_all() {
	run(|| {
		World::change(|facts| {
			let alone = ValidatorEra {
				points: 1,
				..Default::default()
			};
			facts
				.staking
				.insert(1, [(account(2), (alone, Vec::new()))].into());
		});
		charge(ARION, 100);
		assert_ok!(Rewards::freeze_stakers(signed(5)));
		assert_ok!(Rewards::payout_validator(signed(5), 1, account(2), 0));
		assert_eq!(due(2), 30);
	});
}
