use super::kit::*;
use crate::{mock::*, CleanEpoch, Error, Event, Gaps, Ledgers, RecentRoots, RootsFrom};
use arion_storage_proof::PgLedger;
use ed25519_dalek::Signer;
use frame_support::{assert_noop, assert_ok};
use hippius_ocw::ledgers::batches as batches_of;
use hippius_primitives::{
	ledger::{full, CompactReceipt, Held, OwnerShare},
	receipt::{BatchRef, Receipt, ReceiptBody},
};
use sp_core::offchain::{testing::TestOffchainExt, OffchainDbExt};

#[test]
fn a_batch_all_members_hold_is_appended() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let tree = tree(1, 100);
		assert_ok!(append_held_by(5, 1, &tree, 30));
		let ledger = Ledgers::<Test>::get(5).unwrap();
		assert_eq!(ledger.peaks.newest(), mmr(&[tree.batch()]).peaks());
		assert_eq!(CleanEpoch::<Test>::get(5), Some(1));
		assert_eq!(Gaps::<Test>::iter().count(), 0);
		System::assert_last_event(
			Event::BatchAppended {
				pg: 5,
				batch: 0,
				epoch: 1,
				content: tree.batch(),
				owners: owners(&tree),
				by: gateway(),
			}
			.into(),
		);
		let second = super::kit::tree(2, 7);
		assert_ok!(append_held_by(5, 1, &second, 30));
		let state = Groups::ledger(5).unwrap();
		assert_eq!(&state.peaks, mmr(&[tree.batch(), second.batch()]).peaks());
		assert_eq!(state.challengeable.leaves(), 0);
		assert_eq!(state.holders, Groups::up_set(5).unwrap());
	});
}

#[test]
fn an_append_leaves_the_order_of_batches_with_who_executes_it() {
	let trees: Vec<_> = (1..=5).map(|seed| tree(seed, 3)).collect();
	let batches: Vec<_> = trees.iter().map(|tree| tree.batch()).collect();
	let mut chain = build();
	chain.execute_with(|| {
		Maps::publish(1, 60);
		for tree in &trees {
			assert_ok!(append_held_by(5, 1, tree, 30));
		}
		assert_ok!(append_held_by(6, 1, &trees[4], 30));
		// A refused one leaves nothing.
		assert_noop!(
			append_held_by(7, 1, &trees[0], 19),
			Error::<Test>::TooFewReceipts
		);
	});
	chain.persist_offchain_overlay();
	let storage = chain.offchain_db();
	let (worker, _) = TestOffchainExt::with_offchain_db(storage);
	chain.register_extension(OffchainDbExt::new(worker));
	chain.execute_with(|| {
		let (_, newest) = Groups::peaks_of(5).unwrap();
		assert_eq!(batches_of(5, &newest, 0, 99), batches);
		assert_eq!(batches_of(5, &newest, 3, 1), batches[3..4]);
		assert_eq!(batches_of(6, &newest, 0, 99), []);
		let (_, newest) = Groups::peaks_of(6).unwrap();
		assert_eq!(batches_of(6, &newest, 0, 99), batches[4..]);
		assert_eq!(Groups::peaks_of(7), None);
	});
}

#[test]
fn twenty_receipts_are_enough_and_nineteen_are_not() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let tree = tree(1, 10);
		assert_noop!(
			append_held_by(5, 1, &tree, 19),
			Error::<Test>::TooFewReceipts
		);
		assert_ok!(append_held_by(5, 1, &tree, 20));
		// The other ten are to be filled and nobody is asked for them before.
		let holders = Groups::ledger(5).unwrap().holders;
		let up = Groups::up_set(5).unwrap();
		assert_eq!(holders[..20], up[..20]);
		assert_eq!(holders[20..], [None; 10]);
		for slot in 20..30 {
			let gap = Gaps::<Test>::get(5, slot).unwrap();
			assert_eq!((gap.first, gap.last, gap.stripes), (0, 0, 10));
			assert_eq!(gap.until, 1 + BACKFILL);
		}
		let missing = (20..30).map(|slot| (slot, 10)).collect::<Vec<_>>();
		System::assert_last_event(
			Event::ShardsMissing {
				pg: 5,
				batch: 0,
				slots: missing.try_into().unwrap(),
			}
			.into(),
		);
		run_to(BACKFILL + 1);
		assert_eq!(Groups::ledger(5).unwrap().holders, up);
	});
}

#[test]
fn every_stripe_needs_twenty_holders() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let tree = tree(1, 20);
		let batch = tree.batch();
		let members = Groups::up_set(3).unwrap();
		// Each node lacks stripes, so that stripe `s` is lacked by `lacking` nodes.
		let with = |lacking: u32| {
			let made = (0u32..).zip(members.iter().flatten()).map(|(at, node)| {
				let mut held = full(20);
				if at < lacking {
					held[0] &= !1;
				}
				if at >= 30 - lacking {
					held[2] &= !0b1000;
				}
				receipt(reference(3, 1, &batch), *node, held)
			});
			made.collect::<Vec<_>>().try_into().unwrap()
		};
		let refused = append(3, 1, &batch, owners(&tree), with(11));
		assert_noop!(refused, Error::<Test>::TooFewHolders);
		assert_ok!(append(3, 1, &batch, owners(&tree), with(10)));
		let gaps: Vec<_> = (0..30).map(|slot| Gaps::<Test>::get(3, slot)).collect();
		assert!(gaps[..10]
			.iter()
			.chain(&gaps[20..])
			.all(|gap| gap.is_some_and(|g| g.stripes == 1)));
		assert!(gaps[10..20].iter().all(Option::is_none));
	});
}

/// An append with one receipt changed.
fn with_receipt(edit: impl FnOnce(&mut CompactReceipt)) -> sp_runtime::DispatchResult {
	let tree = tree(1, 10);
	let batch = tree.batch();
	let mut receipts = receipts(5, 1, &batch, 20);
	edit(&mut receipts[7]);
	append(5, 1, &batch, owners(&tree), receipts)
}

#[test]
fn bad_receipts_have_their_own_errors() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let batch = tree(1, 10).batch();
		let members = Groups::up_set(5).unwrap();
		let forged = with_receipt(|receipt| receipt.signature[3] ^= 1);
		assert_noop!(forged, Error::<Test>::BadSignature);
		let first = receipts(5, 1, &batch, 20)[0].clone();
		let twice = with_receipt(|receipt| *receipt = first);
		assert_noop!(twice, Error::<Test>::DuplicateSigner);
		let node = members[7].unwrap();
		let of = |edit: fn(&mut BatchRef)| {
			let mut other = reference(5, 1, &batch);
			edit(&mut other);
			receipt(other, node, full(other.stripes))
		};
		let other = with_receipt(|receipt| *receipt = of(|batch| batch.root[0] ^= 1));
		assert_noop!(other, Error::<Test>::ReceiptOfOtherBatch);
		let other = with_receipt(|receipt| *receipt = of(|batch| batch.epoch = 2));
		assert_noop!(other, Error::<Test>::ReceiptOfOtherEpoch);
		let other = with_receipt(|receipt| *receipt = of(|batch| batch.pg = 6));
		assert_noop!(other, Error::<Test>::ReceiptOfOtherGroup);
		// What the receipt does not say openly is in its signature.
		for edit in [
			(|batch| batch.root[31] ^= 1) as fn(&mut BatchRef),
			|batch| batch.genesis[0] ^= 1,
			|batch| batch.bytes += 64,
			|batch| batch.stripes += 1,
			|batch| batch.owners[7] ^= 1,
		] {
			let hidden = with_receipt(|receipt| *receipt = of(edit));
			assert!(
				hidden == Err(Error::<Test>::BadSignature.into())
					|| hidden == Err(Error::<Test>::BitmapUnsound.into())
			);
			let relabelled = with_receipt(|receipt| {
				*receipt = of(edit);
				receipt.held = Held::All;
			});
			assert_noop!(relabelled, Error::<Test>::BadSignature);
		}
		let stranger = (0..60)
			.find(|node| !members.contains(&Some(*node)))
			.unwrap();
		let foreign = receipt(reference(5, 1, &batch), stranger, full(10));
		let foreign = with_receipt(|receipt| *receipt = foreign);
		assert_noop!(foreign, Error::<Test>::NotAMember);
		for bits in [
			vec![],
			vec![0xff],
			vec![0xff, 0b111],
			vec![0; 3],
			vec![0; 100_000],
		] {
			let unsound = with_receipt(|receipt| receipt.held = Held::Some(bits));
			assert_noop!(unsound, Error::<Test>::BitmapUnsound);
		}
		// Another bitmap than the one signed.
		let widened = with_receipt(|receipt| {
			*receipt = super::kit::receipt(reference(5, 1, &batch), node, vec![0xff, 1]);
			receipt.held = Held::All;
		});
		assert_noop!(widened, Error::<Test>::BadSignature);
		Gone::set(vec![node]);
		assert_noop!(with_receipt(|_| {}), Error::<Test>::UnknownNode);
		Gone::set(vec![]);
		assert_ok!(with_receipt(|_| {}));
	});
}

#[test]
fn a_key_that_is_being_replaced_signs_as_well() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let resign = |receipt: &mut CompactReceipt| {
			let body: ReceiptBody = receipt.body(&reference(5, 1, &tree(1, 10).batch()));
			let signature = next_signer(receipt.node).sign(&body.payload()).to_bytes();
			*receipt = CompactReceipt::new(&Receipt { body, signature });
		};
		assert_noop!(with_receipt(resign), Error::<Test>::BadSignature);
		NextKeys::set(true);
		assert_ok!(with_receipt(resign));
		NextKeys::set(false);
	});
}

#[test]
fn shares_and_sizes_must_fit() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		let tree = tree(1, 10);
		let (batch, good) = (tree.batch(), owners(&tree));
		let signed = receipts(5, 1, &batch, 20);
		let with = |edit: fn(&mut Vec<OwnerShare>)| {
			let mut shares = good.to_vec();
			edit(&mut shares);
			append(5, 1, &batch, shares.try_into().unwrap(), signed.clone())
		};
		assert_noop!(with(|s| s[0].bytes += 64), Error::<Test>::OwnersSum);
		assert_noop!(with(|s| s.truncate(1)), Error::<Test>::OwnersSum);
		assert_noop!(with(Vec::clear), Error::<Test>::OwnersSum);
		assert_noop!(with(|s| s.swap(0, 1)), Error::<Test>::OwnersNotAscending);
		assert_noop!(
			with(|s| s[1].owner = s[0].owner),
			Error::<Test>::OwnersNotAscending
		);
		assert_noop!(with(|s| s[0].bytes += 1), Error::<Test>::OwnerBytes);
		assert_noop!(with(|s| s[0].bytes = 0), Error::<Test>::OwnerBytes);
		let huge = |s: &mut Vec<OwnerShare>| s.iter_mut().for_each(|s| s.bytes = 1 << 63);
		assert_noop!(with(huge), Error::<Test>::SumOverflow);
		// Sums that fit, but are not those that the members saw in the entries.
		let shifted = |s: &mut Vec<OwnerShare>| {
			s[0].bytes -= 64;
			s[1].bytes += 64;
		};
		assert_noop!(with(shifted), Error::<Test>::BadSignature);
		assert_noop!(with(|s| s[1].owner[9] ^= 1), Error::<Test>::BadSignature);
		for stripes in [0, 1025, u32::MAX] {
			let mut bad = batch;
			bad.stripes = stripes;
			let refused = append(5, 1, &bad, good.clone(), signed.clone());
			assert_noop!(refused, Error::<Test>::BatchStripes);
		}
		for bytes in [0, 63, 10 * 64 - 64, (10 << 20) + 64, u64::MAX] {
			let mut bad = batch;
			bad.bytes = bytes;
			let refused = append(5, 1, &bad, good.clone(), signed.clone());
			assert_noop!(refused, Error::<Test>::BatchBytes);
		}
	});
}

#[test]
fn epochs_and_groups_must_be_of_now() {
	build_and_execute(|| {
		let tree = tree(1, 10);
		let good = {
			Maps::publish(1, 60);
			receipts(5, 1, &tree.batch(), 20)
		};
		let at = |pg, epoch| {
			let mut receipts = good.clone();
			receipts
				.iter_mut()
				.for_each(|r| (r.pg, r.epoch) = (pg, epoch));
			append(pg, epoch, &tree.batch(), owners(&tree), receipts)
		};
		assert_noop!(at(5, 0), Error::<Test>::EpochNotStarted);
		assert_noop!(at(5, 2), Error::<Test>::EpochNotStarted);
		assert_noop!(at(64, 1), Error::<Test>::UnknownGroup);
		assert_noop!(at(6, 1), Error::<Test>::NotAMember);
		Maps::publish(1 + RECENT, 60);
		assert_ok!(at(5, 1));
		Maps::publish(2 + RECENT, 60);
		let late = super::kit::tree(2, 10);
		let old = receipts(5, 1, &late.batch(), 20);
		let refused = append(5, 1, &late.batch(), owners(&late), old);
		assert_noop!(refused, Error::<Test>::EpochExpired);
	});
}

#[test]
fn a_batch_counts_once() {
	build_and_execute(|| {
		let tree = tree(1, 10);
		for epoch in 1..=RECENT + 1 {
			Maps::publish(epoch, 60);
			run_to(u64::from(epoch) + 1);
			if epoch == 1 {
				assert_ok!(append_held_by(5, epoch, &tree, 30));
			} else {
				// Not under another epoch either.
				let again = append_held_by(5, epoch, &tree, 30);
				assert_noop!(again, Error::<Test>::DuplicateBatch);
			}
		}
		assert_eq!(RecentRoots::<Test>::iter().count(), 1);
		Maps::publish(RECENT + 2, 60);
		run_to(20);
		assert_eq!(RecentRoots::<Test>::iter().count(), 0);
		assert_eq!(RootsFrom::<Test>::get(), 2);
		// Receipts of the first epoch do not count any more.
		assert_noop!(append_held_by(5, 1, &tree, 30), Error::<Test>::EpochExpired);
	});
}

#[test]
fn many_roots_are_forgotten_a_few_at_a_time() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		for seed in 0..40 {
			assert_ok!(append_held_by(u32::from(seed), 1, &tree(seed, 1), 30));
		}
		Maps::publish(2 + RECENT, 60);
		let mut left = Vec::new();
		for block in 2..8 {
			run_to(block);
			left.push(RecentRoots::<Test>::iter().count());
		}
		assert_eq!(left, [40, 24, 8, 0, 0, 0]);
	});
}

#[test]
fn what_was_stored_by_an_older_map_is_missing_where_members_changed() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		Maps::publish(2, 90);
		let (old, new) = (
			Groups::mapping_at(1, 7).unwrap(),
			Groups::mapping_at(2, 7).unwrap(),
		);
		let moved: Vec<usize> = (0..30).filter(|at| old[*at] != new[*at]).collect();
		assert!(!moved.is_empty() && moved.len() < 30);
		assert_ok!(append_held_by(7, 1, &tree(1, 10), 30));
		let gaps: Vec<usize> = (0..30)
			.filter(|at| Gaps::<Test>::contains_key(7, *at as u8))
			.collect();
		assert_eq!(gaps, moved);
		for slot in 0..30u8 {
			let at = usize::from(slot);
			let expected = (!moved.contains(&at)).then(|| new[at].unwrap());
			assert_eq!(Groups::holder(7, slot), expected);
		}
		assert_eq!(Groups::acting_set(7), Ok(old));
	});
}
