//! Owners are charged for what is stored for them, or it is not stored.

use super::kit::*;
use crate::{
	ledger::{BatchPath, Permission},
	mock::*,
	Error, Ledgers,
};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::traits::UsageRefused;
use sp_runtime::AccountId32;

fn metered(owner: u8) -> u64 {
	Metered::get().get(&[owner; 32]).copied().unwrap_or(0)
}

#[test]
fn logical_bytes_are_metered_from_append_to_release() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let (first, second) = (tree(1, 9), tree(2, 4));
		assert_ok!(append_held_by(5, 1, &first, 30));
		assert_ok!(append_held_by(5, 1, &second, 20));
		assert_eq!(AskedBy::get(), Some(gateway().into()));
		// Ten of thirty slots' bytes: what was stored, without what makes it safe.
		let shares = |owner: u8| -> u64 {
			let all = owners(&first).into_iter().chain(owners(&second));
			let mine = all.filter(|share| share.owner == [owner; 32]);
			mine.map(|share| share.bytes).sum()
		};
		assert_eq!(metered(1), 10 * shares(1));
		assert_eq!(metered(2), 10 * shares(2));
		assert_eq!(
			metered(1) + metered(2),
			10 * (first.batch().bytes + second.batch().bytes)
		);

		// Each stripe as it goes.
		let batches = [first.batch(), second.batch()];
		let way = || -> BatchPath { mmr(&batches).prove(0).unwrap().try_into().unwrap() };
		let release = |stripes: &[u32]| {
			Groups::release(
				RuntimeOrigin::signed(AccountId32::new([1; 32])),
				5,
				0,
				first.batch(),
				way(),
				proofs(&first, stripes),
				Permission::Account,
			)
		};
		let before = (metered(1), metered(2));
		let len = |index: u32| first.entries()[index as usize].shard_len.bytes().unwrap();
		assert_ok!(release(&[0, 4]));
		assert_eq!(metered(1), before.0 - 10 * (len(0) + len(4)));
		assert_eq!(metered(2), before.1);
		// What was refused changes nothing.
		assert_noop!(release(&[0]), Error::<Test>::AlreadyReleased);
		assert_eq!(metered(1), before.0 - 10 * (len(0) + len(4)));
	});
}

#[test]
fn what_an_owner_does_not_pay_for_is_not_stored() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let tree = tree(1, 9);
		for (why, error) in [
			(UsageRefused::NoFunds, Error::<Test>::OwnerWithoutFunds),
			(UsageRefused::Locked, Error::<Test>::OwnerLocked),
			(UsageRefused::NotAuthorised, Error::<Test>::NotAuthorised),
			(UsageRefused::TooMuch, Error::<Test>::UsageOverflow),
		] {
			Refuses::set(Some(([1; 32], why)));
			assert_noop!(append_held_by(5, 1, &tree, 30), error);
		}
		assert_eq!(Ledgers::<Test>::get(5), None);
		assert_eq!(metered(1), 0);
	});
}
