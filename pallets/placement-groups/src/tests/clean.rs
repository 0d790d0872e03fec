use super::kit::*;
use crate::{
	ledger::CleanGroups, mock::*, CleanEpoch, CleanReports, Error, Event, Gaps, KeptActing,
};
use arion_crush::UpmapItem;
use arion_storage_proof::PgLedger;
use codec::Encode;
use ed25519_dalek::Signer;
use frame_support::{assert_noop, assert_ok, pallet_prelude::DispatchResult};
use frame_system::RawOrigin;
use hippius_primitives::{ledger::CleanReport, Epoch, NodeIndex, Pg};
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionSource};

fn signed(node: NodeIndex, epoch: Epoch, groups: &[(Pg, u64)]) -> [u8; 64] {
	let report = CleanReport {
		node,
		epoch,
		groups: groups.to_vec(),
	};
	signer(node).sign(&report.payload(&GENESIS)).to_bytes()
}

fn groups(groups: &[(Pg, u64)]) -> CleanGroups {
	groups.to_vec().try_into().unwrap()
}

fn report(node: NodeIndex, epoch: Epoch, said: &[(Pg, u64)]) -> DispatchResult {
	let signature = signed(node, epoch, said);
	let known = Groups::authorize_report(
		TransactionSource::External,
		&node,
		&epoch,
		&groups(said),
		&signature,
	);
	let done = Groups::report_clean(
		RawOrigin::Authorized.into(),
		node,
		epoch,
		groups(said),
		signature,
	);
	assert_eq!(known.is_ok(), done.is_ok(), "{known:?} {done:?}");
	done
}

/// A group that a new map moves, with the slots that moved.
fn moved(from: Epoch, to: Epoch) -> (Pg, Vec<usize>) {
	(0..64)
		.map(|pg| {
			let old = Groups::mapping_at(from, pg).unwrap();
			let new = Groups::mapping_at(to, pg).unwrap();
			let moved = (0..30).filter(|at| old[*at] != new[*at]).collect();
			(pg, moved)
		})
		.find(|(_, moved): &(Pg, Vec<usize>)| (3..20).contains(&moved.len()))
		.unwrap()
}

#[test]
fn a_group_is_clean_when_all_of_its_members_said_so() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		for pg in 0..64 {
			assert_ok!(append_held_by(pg, 1, &tree(1, 3), 30));
		}
		run_to(2);
		Maps::publish(2, 90);
		let (pg, slots) = moved(1, 2);
		run_to(3);
		let (old, up) = (
			Groups::mapping_at(1, pg).unwrap(),
			Groups::up_set(pg).unwrap(),
		);
		assert_eq!(Groups::acting_set(pg), Ok(old));
		for (slot, node) in (0u8..).zip(&up) {
			// Newcomers have time.
			let expected = node.filter(|_| !slots.contains(&usize::from(slot)));
			assert_eq!(Groups::holder(pg, slot), expected);
		}
		let nodes: Vec<u32> = up.iter().flatten().copied().collect();
		// One has left meanwhile and will never say anything; another is last.
		let silent = nodes
			.iter()
			.position(|node| *node != up[slots[0]].unwrap())
			.unwrap();
		Gone::set(vec![nodes[silent]]);
		let (last, others) = (
			up[slots[0]].unwrap(),
			nodes
				.iter()
				.filter(|n| **n != up[slots[0]].unwrap() && **n != nodes[silent]),
		);
		for node in others {
			assert_eq!(Groups::may_report(*node, &[99, pg]), [false, true]);
			assert_ok!(report(*node, 2, &[(pg, 1)]));
			let slot = nodes.iter().position(|n| n == node).unwrap() as u8;
			assert_eq!(Groups::holder(pg, slot), Some(*node));
			assert_noop!(report(*node, 2, &[(pg, 1)]), Error::<Test>::NothingToReport);
			assert_eq!(Groups::may_report(*node, &[pg]), [false]);
			assert_eq!(CleanEpoch::<Test>::get(pg), Some(1));
		}
		assert_eq!(CleanReports::<Test>::get(pg).slots.count_ones(), 28);
		assert_ok!(report(last, 2, &[(pg, 1)]));
		System::assert_last_event(Event::GroupClean { pg, epoch: 2 }.into());
		assert_eq!(CleanEpoch::<Test>::get(pg), Some(2));
		assert_eq!(Groups::acting_set(pg), Ok(up));
		assert_eq!(CleanReports::<Test>::iter().count(), 0);
		Gone::set(vec![]);
	});
}

#[test]
fn an_exceptions_new_holder_acts_when_it_has_its_slot() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		assert_ok!(append_held_by(5, 1, &tree(1, 3), 30));
		run_to(2);
		let old = Groups::up_set(5).unwrap();
		let from = old[0].unwrap();
		// Zone and number agree modulo 6.
		let to = (0..60)
			.find(|node| node % 6 == from % 6 && !old.contains(&Some(*node)))
			.unwrap();
		let mut excepted = map(2, 60);
		excepted.exceptions = vec![UpmapItem { pg: 5, from, to }];
		Maps::publish_blob(2, excepted.encode());
		run_to(3);
		let up = Groups::up_set(5).unwrap();
		assert_eq!(up[0], Some(to));
		assert_eq!(up[1..], old[1..]);
		assert_eq!(Groups::mapping_at(2, 5), Ok(up.clone()));
		assert_eq!(Groups::acting_set(5), Ok(old.clone()));
		// The newcomer has time; the others go on.
		assert_eq!(Groups::holder(5, 0), None);
		assert_eq!(Groups::holder(5, 1), old[1]);
		let other = (0..64).find(|pg| *pg != 5).unwrap();
		assert_eq!(Groups::up_set(other), Groups::mapping_at(1, other));
		assert_noop!(report(from, 2, &[(5, 1)]), Error::<Test>::NotAMember);
		for node in up[1..].iter().flatten() {
			assert_ok!(report(*node, 2, &[(5, 1)]));
			assert_eq!(Groups::acting_set(5), Ok(old.clone()));
		}
		assert_eq!(Groups::may_report(to, &[5]), [true]);
		assert_ok!(report(to, 2, &[(5, 1)]));
		System::assert_last_event(Event::GroupClean { pg: 5, epoch: 2 }.into());
		assert_eq!(Groups::acting_set(5), Ok(up.clone()));
		assert_eq!(Groups::holder(5, 0), Some(to));

		// Without the exception the slot goes back, by the same way.
		Maps::publish(3, 60);
		run_to(4);
		assert_eq!(Groups::up_set(5), Ok(old.clone()));
		assert_eq!(Groups::acting_set(5), Ok(up));
		for node in old.iter().flatten() {
			assert_ok!(report(*node, 3, &[(5, 1)]));
		}
		assert_eq!(Groups::acting_set(5), Ok(old));
	});
}

#[test]
fn reports_close_gaps() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		assert_ok!(append_held_by(5, 1, &tree(1, 3), 20));
		assert_ok!(append_held_by(5, 1, &tree(2, 3), 29));
		let up = Groups::up_set(5).unwrap();
		let (a, b) = (up[25].unwrap(), up[29].unwrap());
		assert_eq!(Gaps::<Test>::get(5, 25).unwrap().last, 0);
		let gap = Gaps::<Test>::get(5, 29).unwrap();
		assert_eq!((gap.first, gap.last, gap.stripes), (0, 1, 6));
		let may = |node| Groups::may_report(node, &[5])[0];
		assert!(may(a) && may(b) && !may(up[0].unwrap()) && !may(999));
		assert_ok!(report(a, 1, &[(5, 1)]));
		assert!(!may(a) && may(b));
		assert_eq!(Groups::holder(5, 25), Some(a));
		System::assert_last_event(
			Event::SlotFilled {
				pg: 5,
				slot: 25,
				node: a,
			}
			.into(),
		);
		// It lacks of the second batch, too.
		assert_noop!(report(b, 1, &[(5, 1)]), Error::<Test>::NothingToReport);
		assert_eq!(Groups::holder(5, 29), None);
		assert_ok!(report(b, 1, &[(5, 2)]));
		assert_eq!(Groups::holder(5, 29), Some(b));
		assert_noop!(report(b, 1, &[(5, 2)]), Error::<Test>::NothingToReport);
	});
}

#[test]
fn bad_reports_are_refused() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		assert_ok!(append_held_by(5, 1, &tree(1, 3), 20));
		assert_ok!(append_held_by(6, 1, &tree(1, 3), 20));
		let node = Groups::up_set(5).unwrap()[25].unwrap();
		let stranger = (0..60)
			.find(|node| !Groups::up_set(5).unwrap().contains(&Some(*node)))
			.unwrap();
		assert_noop!(report(node, 2, &[(5, 1)]), Error::<Test>::NotCurrentEpoch);
		assert_noop!(report(node, 1, &[]), Error::<Test>::GroupsNotAscending);
		assert_noop!(
			report(node, 1, &[(6, 1), (5, 1)]),
			Error::<Test>::GroupsNotAscending
		);
		assert_noop!(
			report(node, 1, &[(5, 1), (5, 1)]),
			Error::<Test>::GroupsNotAscending
		);
		assert_noop!(report(node, 1, &[(7, 1)]), Error::<Test>::UnknownGroup);
		assert_noop!(report(node, 1, &[(5, 2)]), Error::<Test>::WrongBatchCount);
		assert_noop!(report(stranger, 1, &[(5, 1)]), Error::<Test>::NotAMember);
		let forged = Groups::report_clean(
			RawOrigin::Authorized.into(),
			node,
			1,
			groups(&[(5, 1)]),
			signed(stranger, 1, &[(5, 1)]),
		);
		assert_noop!(forged, Error::<Test>::BadSignature);
		let by = RuntimeOrigin::signed(gateway());
		let signature = signed(node, 1, &[(5, 1)]);
		let unauthorized = Groups::report_clean(by, node, 1, groups(&[(5, 1)]), signature);
		assert!(unauthorized.is_err());
		let authorize = |epoch, signature: &[u8; 64]| {
			let source = TransactionSource::External;
			Groups::authorize_report(source, &node, &epoch, &groups(&[(5, 1)]), signature)
		};
		assert_eq!(
			authorize(2, &signature).unwrap_err(),
			InvalidTransaction::Stale.into()
		);
		assert_eq!(
			authorize(1, &[0; 64]).unwrap_err(),
			InvalidTransaction::BadProof.into()
		);
		let (valid, _) = authorize(1, &signature).unwrap();
		assert!(valid.propagate && valid.provides.len() == 1);
		// Batches that audits ask for already may not be left out.
		run_to(3 * PERIOD);
		assert_noop!(report(node, 1, &[(5, 0)]), Error::<Test>::WrongBatchCount);
		assert_ok!(report(node, 1, &[(5, 1)]));
	});
}

#[test]
fn newcomers_are_asked_after_a_while_even_if_they_say_nothing() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		run_to(2);
		for pg in 0..64 {
			assert_ok!(append_held_by(pg, 1, &tree(1, 3), 30));
		}
		Maps::publish(2, 90);
		let (pg, slots) = moved(1, 2);
		let slot = slots[0] as u8;
		run_to(3);
		assert_eq!(Groups::holder(pg, slot), None);
		run_to(3 + BACKFILL - 1);
		assert_eq!(Groups::holder(pg, slot), None);
		// Another map that leaves the slot as it is does not give it more time.
		Maps::publish(3, 91);
		run_to(3 + BACKFILL);
		let stays = Groups::mapping_at(2, pg).unwrap()[slots[0]];
		let expected = (Groups::up_set(pg).unwrap()[slots[0]] == stays)
			.then_some(stays)
			.flatten();
		assert_eq!(Groups::holder(pg, slot), expected);
		run_to(3 + 2 * BACKFILL);
		assert_eq!(
			Groups::holder(pg, slot),
			Groups::up_set(pg).unwrap()[slots[0]]
		);
	});
}

#[test]
fn acting_sets_outlive_their_maps() {
	build_and_execute(|| {
		Maps::publish(1, 60);
		for pg in 0..64 {
			assert_ok!(append_held_by(pg, 1, &tree(1, 3), 30));
		}
		let acting: Vec<_> = (0..64).map(|pg| Groups::acting_set(pg).unwrap()).collect();
		run_to(2);
		for epoch in 2..=KEPT + 3 {
			Maps::publish(epoch, 90);
			run_to(System::block_number() + 40);
		}
		assert_eq!(
			Groups::mapping_at(1, 0),
			Err(crate::PlacementError::EpochNotKept)
		);
		let mut kept = 0;
		for (pg, acting) in (0u32..).zip(&acting) {
			assert_eq!(Groups::acting_set(pg).as_ref(), Ok(acting));
			kept += usize::from(KeptActing::<Test>::contains_key(pg));
			let same = Groups::up_set(pg).as_ref() == Ok(acting);
			assert_eq!(KeptActing::<Test>::contains_key(pg), !same);
		}
		assert!(kept > 50, "{kept}");
		// Clean at last.
		let pg = KeptActing::<Test>::iter_keys().next().unwrap();
		let up = Groups::up_set(pg).unwrap();
		for node in up.iter().flatten() {
			assert_ok!(report(*node, KEPT + 3, &[(pg, 1)]));
		}
		assert!(!KeptActing::<Test>::contains_key(pg));
		assert_eq!(Groups::acting_set(pg), Ok(up));
	});
}
