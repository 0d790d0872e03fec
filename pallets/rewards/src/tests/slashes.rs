//! What is taken of earnings.

use crate::{mock::*, Earned, Earnings, Sums, TreasuryPot};
use hippius_primitives::traits::NodeEarnings;

fn earned(node: u32, accrued: u128, withheld: u128) {
	// As if an era had paid it.
	charge(ARION, (accrued + withheld).div_ceil(6) * 10);
	crate::Pots::<Test>::mutate(ARION, |pot| *pot -= accrued + withheld);
	Earned::<Test>::insert(
		node,
		Earnings {
			family: family(node).into(),
			accrued,
			withheld,
		},
	);
}

#[test]
fn the_withheld_goes_first_then_the_accrued_then_nothing() {
	run(|| {
		earned(0, 1_000, 300);
		assert_eq!(Rewards::slash(0, 200, None), 200);
		let rest = Earned::<Test>::get(0).unwrap();
		assert_eq!((rest.accrued, rest.withheld), (1_000, 100));
		assert_eq!(Rewards::slash(0, 250, None), 250);
		let rest = Earned::<Test>::get(0).unwrap();
		assert_eq!((rest.accrued, rest.withheld), (850, 0));
		// What it does not have the caller takes of the bond.
		assert_eq!(Rewards::slash(0, u128::MAX, None), 850);
		assert!(Earned::<Test>::get(0).is_none());
		assert_eq!(Rewards::slash(0, 10, None), 0);
		assert_eq!(Rewards::slash(77, 10, None), 0);
	});
}

#[test]
fn half_for_repair_a_fifth_for_the_reporter_the_rest_for_the_treasury() {
	run(|| {
		earned(0, 100_000, 0);
		let reporter = account(60);
		let treasury = TreasuryPot::<Test>::get();
		assert_eq!(
			Rewards::slash(0, 10_007, Some(reporter.clone().into())),
			10_007
		);
		assert_eq!(Balances::free_balance(account(90)), LEAST + 5_003);
		assert_eq!(Balances::free_balance(&reporter), 2_001);
		assert_eq!(TreasuryPot::<Test>::get(), treasury + 3_003);
		let sums = Sums::<Test>::get();
		assert_eq!(
			(sums.slash_repair, sums.slash_reporter, sums.slash_treasury),
			(5_003, 2_001, 3_003)
		);
	});
}

#[test]
fn a_reporter_that_cannot_be_paid_leaves_it_to_the_treasury() {
	run(|| {
		earned(0, 1_000, 0);
		let treasury = TreasuryPot::<Test>::get();
		assert_eq!(Rewards::slash(0, 100, Some([60; 32])), 100);
		assert_eq!(Balances::free_balance(account(60)), 0);
		assert_eq!(TreasuryPot::<Test>::get(), treasury + 50);
	});
}

#[test]
fn a_repair_account_that_is_not_alive_burns_nothing() {
	run(|| {
		earned(0, 1_000, 0);
		// Genesis sees to it that nobody can close it.
		let close =
			|| Balances::transfer_allow_death(RuntimeOrigin::signed(account(90)), payer(), LEAST);
		assert!(close().is_err());
		System::dec_consumers(&account(90));
		assert!(close().is_ok());
		let treasury = TreasuryPot::<Test>::get();
		assert_eq!(Rewards::slash(0, 100, None), 100);
		assert_eq!(TreasuryPot::<Test>::get(), treasury + 100);
	});
}
