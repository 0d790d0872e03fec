//! One alpha from deposit to payout: the numbers of `docs/economics.md`.

use crate::mock::*;
use frame_support::assert_ok;
use hippius_primitives::{money::Service, traits::UsageMeter};

#[test]
fn one_alpha_from_deposit_to_payout() {
	run(|| {
		let client = free(&account(1));

		// In: one alpha at ten dollars.
		assert_ok!(deposit(1, ALPHA));
		assert_eq!(credits(1), 10_000_000);

		// A day of a terabyte at 8 credits per GB-hour.
		assert_ok!(store(1, 1_000 * GB));
		pass(DAY);
		settle(1);
		assert_eq!(credits(1), 10_000_000 - 192_000);
		let sums = pallet_rewards::Sums::<Test>::get();
		assert_eq!(sums.revenue, 19_200_000);
		assert_eq!(sums.miners, 11_520_000);
		assert_eq!(sums.validators, 5_760_000);
		assert_eq!(sums.treasury, 1_920_000);

		// Three miners held the same.
		World::change(|facts| facts.eras.insert(0, 5));
		assert_ok!(Rewards::freeze(signed(9), Service::Arion));
		assert_ok!(Rewards::payout_page(signed(9), HELD, 0, 0));
		for node in 0..3 {
			let earned = pallet_rewards::Earned::<Test>::get(node).unwrap();
			// Half of 3840000 would be kept back, but the bond lacks only a million.
			assert_eq!((earned.accrued, earned.withheld), (2_840_000, 1_000_000));
			let mine = RuntimeOrigin::signed(family(node));
			assert_ok!(Rewards::withdraw(mine, node));
			assert_eq!(free(&family(node)), 2_840_000);
		}

		// A validator and who stakes with it.
		World::change(|facts| facts.staking = Some(7));
		assert_ok!(Rewards::freeze_stakers(signed(9)));
		assert_ok!(Rewards::payout_validator(signed(9), 7, account(40), 0));
		assert_ok!(Rewards::withdraw_stake(signed(40)));
		assert_ok!(Rewards::withdraw_stake(signed(41)));
		assert_eq!(free(&account(40)), 576_000 + 2_073_600);
		assert_eq!(free(&account(41)), 3_110_400);

		assert_ok!(Rewards::pay_treasury(signed(9)));
		assert_eq!(free(&account(91)), LEAST + 1_920_000);

		// The client deletes all and takes back the rest.
		<Market as UsageMeter>::remove(Service::Arion, &[1; 32], 1_000 * GB);
		let id = account_of(1).batches[0].id;
		assert_ok!(Market::refund(signed(1), id));
		assert_eq!(client - free(&account(1)), 19_200_000);

		// In is out and held, to the last rao.
		let out = 3 * 2_840_000 + 5_760_000 + 1_920_000 + (ALPHA - 19_200_000);
		assert_eq!(held(), 3 * 1_000_000);
		assert_eq!(ALPHA, out + held());
	});
}
