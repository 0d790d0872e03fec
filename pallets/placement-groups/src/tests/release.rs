use super::kit::*;
use crate::{
	ledger::{BatchPath, StripeProofs},
	mock::*,
	Error, Ledgers, Permission, ReleasedStripes,
};
use arion_storage_proof::{PgLedger, Sum, SumTree};
use ed25519_dalek::Signer;
use frame_support::{assert_noop, assert_ok, pallet_prelude::DispatchResult};
use hippius_primitives::ledger::release_payload;
use sp_core::ed25519;
use sp_runtime::{AccountId32, MultiSignature};

fn path(batches: &[&SumTree], number: u64) -> BatchPath {
	let batches: Vec<_> = batches.iter().map(|tree| tree.batch()).collect();
	mmr(&batches).prove(number).unwrap().try_into().unwrap()
}

fn release(
	by: [u8; 32],
	number: u64,
	tree: &SumTree,
	path: BatchPath,
	stripes: StripeProofs,
	permission: Permission,
) -> DispatchResult {
	let origin = RuntimeOrigin::signed(AccountId32::new(by));
	Groups::release(origin, 5, number, tree.batch(), path, stripes, permission)
}

#[test]
fn owners_release_their_stripes_only_and_once() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let (a, b) = (tree(1, 9), tree(2, 4));
		assert_ok!(append_held_by(5, 1, &a, 30));
		assert_ok!(append_held_by(5, 1, &b, 30));
		let way = || path(&[&a, &b], 0);
		let account = || Permission::Account;
		let first = [1; 32];
		// Every third stripe is of owner 2.
		assert_ok!(release(first, 0, &a, way(), proofs(&a, &[0, 4]), account()));
		let gone: Vec<u32> = (0..12).filter(|s| Groups::released(5, 0, *s)).collect();
		assert_eq!(gone, [0, 4]);
		assert!(!Groups::released(5, 1, 0) && !Groups::released(6, 0, 0));
		for (stripes, error) in [
			(vec![2], Error::<Test>::NotReleasable),
			(vec![1, 2], Error::<Test>::ManyOwners),
			(vec![3, 1], Error::<Test>::StripesNotAscending),
			(vec![1, 1], Error::<Test>::StripesNotAscending),
			(vec![1, 4], Error::<Test>::AlreadyReleased),
			(vec![], Error::<Test>::NoStripes),
		] {
			let refused = release(first, 0, &a, way(), proofs(&a, &stripes), account());
			assert_noop!(refused, error);
		}
		let expired = release(first, 0, &a, way(), proofs(&a, &[1]), Permission::Expired);
		assert_noop!(expired, Error::<Test>::NotReleasable);
	});
}

#[test]
fn an_owners_key_may_agree_and_an_expired_owner_need_not() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		// The owner is a key that signs.
		let key = signer(3);
		let owner = key.verifying_key().to_bytes();
		let mut entries = tree(1, 6).entries().to_vec();
		entries.iter_mut().for_each(|entry| entry.owner = owner);
		let tree = SumTree::build::<arion_storage_proof::Blake2>(entries).unwrap();
		assert_ok!(append_held_by(5, 1, &tree, 30));
		let signed = |stripes: &[u32], number| {
			let payload = release_payload(&GENESIS, 5, number, stripes);
			let signature = ed25519::Signature::from_raw(key.sign(&payload).to_bytes());
			Permission::Signature(MultiSignature::Ed25519(signature))
		};
		let go = |stripes: &[u32], permission| {
			let shown = proofs(&tree, stripes);
			release([8; 32], 0, &tree, path(&[&tree], 0), shown, permission)
		};
		assert_noop!(go(&[0, 1], signed(&[0], 0)), Error::<Test>::NotReleasable);
		assert_noop!(go(&[0], signed(&[0], 1)), Error::<Test>::NotReleasable);
		assert_noop!(go(&[0], Permission::Account), Error::<Test>::NotReleasable);
		assert_ok!(go(&[0, 1], signed(&[0, 1], 0)));
		assert_noop!(
			go(&[0, 1], signed(&[0, 1], 0)),
			Error::<Test>::AlreadyReleased
		);
		ExpiredOwner::set(Some(owner));
		assert_ok!(go(&[2, 3, 4], Permission::Expired));
		run_to(3 * PERIOD);
		let total = tree.batch().bytes;
		assert_eq!(Groups::live_bytes(5), total);
		assert_ok!(go(&[5], Permission::Expired));
		ExpiredOwner::set(None);
		// Now all of the batch is gone: it does not count as live, but its bytes stay in the total.
		assert_eq!((Groups::live_bytes(5), Groups::total_bytes()), (0, total));
		assert!((0..6).all(|stripe| Groups::released(5, 0, stripe)));
		assert_noop!(go(&[5], Permission::Expired), Error::<Test>::NotReleasable);
		assert_noop!(go(&[5], signed(&[5], 0)), Error::<Test>::AlreadyReleased);
		assert_eq!(Ledgers::<Test>::get(5).unwrap().released, total);
		assert_eq!(ReleasedStripes::<Test>::iter().count(), 1);
	});
}

#[test]
fn what_is_not_in_the_ledger_cannot_be_released() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let (a, b) = (tree(1, 9), tree(2, 4));
		let good = || proofs(&a, &[0]);
		let go = |number, of: &SumTree, path, stripes| {
			release([1; 32], number, of, path, stripes, Permission::Account)
		};
		assert_noop!(
			go(0, &a, path(&[&a], 0), good()),
			Error::<Test>::UnknownBatch
		);
		assert_ok!(append_held_by(5, 1, &a, 30));
		let old = path(&[&a], 0);
		assert_ok!(append_held_by(5, 1, &b, 30));
		// The way has grown by the second batch.
		assert_noop!(go(0, &a, old, good()), Error::<Test>::UnknownBatch);
		let way = || path(&[&a, &b], 0);
		assert_noop!(go(1, &a, way(), good()), Error::<Test>::UnknownBatch);
		assert_noop!(go(0, &b, way(), good()), Error::<Test>::UnknownBatch);
		let mut forged = way();
		forged[0].hash[0] ^= 1;
		assert_noop!(go(0, &a, forged, good()), Error::<Test>::UnknownBatch);
		let mut forged = way();
		forged[0].sum = Sum::new(64).unwrap();
		assert_noop!(go(0, &a, forged, good()), Error::<Test>::UnknownBatch);
		for edit in [
			(|stripes| stripes[0].index = 1) as fn(&mut StripeProofs),
			|stripes| stripes[0].index = u32::MAX,
			|stripes| stripes[0].path[0].hash[0] ^= 1,
			|stripes| stripes[0].path.truncate(1),
			|stripes| stripes[0].entry.stripe.0[9] ^= 1,
		] {
			let mut stripes = good();
			edit(&mut stripes);
			assert_noop!(go(0, &a, way(), stripes), Error::<Test>::NotInBatch);
		}
		// A stripe of another owner is not made one's own by saying so.
		let mut stolen = proofs(&a, &[2]);
		stolen[0].entry.owner = [1; 32];
		assert_noop!(go(0, &a, way(), stolen), Error::<Test>::NotInBatch);
		assert_ok!(go(0, &a, way(), good()));
	});
}
