use crate::{mock::*, Cases, Error, HoldReason, Refusal};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{Inspect, InspectHold},
};
use hippius_primitives::{
	registration::NodeStatus,
	traits::{LivenessState, NodePenalties},
};

fn challenge(by: u8, pg: u32, slot: u8, offset: u64) -> sp_runtime::DispatchResult {
	Audits::challenge(RuntimeOrigin::signed(account(by)), pg, slot, offset)
}

fn free(seed: u8) -> u64 {
	Balances::balance(&account(seed))
}

fn held(seed: u8) -> u64 {
	Balances::balance_on_hold(&HoldReason::Challenge.into(), &account(seed))
}

#[test]
fn an_answered_challenge_pays_the_family_and_the_treasury() {
	ExtBuilder::default().build_and_execute(|| {
		next_block_with(Some([1; 32]));
		let issuance = Balances::total_issuance();
		// Slot 5 of group 0 is node 5's, whose family is 105.
		assert_ok!(challenge(1, 0, 5, 1_500));
		assert_eq!((free(1), held(1)), (9_900, 100));
		let asked = tasks(5);
		assert_eq!(
			(asked.len(), asked[0].offsets[0], asked[0].pg),
			(1, 1_500, 0)
		);
		// No other may answer.
		let other = signed(6, 0, &asked, vec![honest(&asked[0])]);
		assert_eq!(Audits::check_answer(&other), Err(Refusal::NotAsked));

		submit(answer_to(&asked)).unwrap();
		assert_eq!((free(1), held(1)), (9_900, 0));
		assert_eq!((free(105), free(91)), (10_050, 10_050));
		assert_eq!(Balances::total_issuance(), issuance);
		// Nobody can buy himself a record.
		assert_eq!(World::outcomes(5), (0, 0));
		assert_eq!(
			Audits::check_answer(&answer_to(&asked)),
			Err(Refusal::NotAsked)
		);
	});
}

#[test]
fn an_unanswered_challenge_is_refunded_and_slashed_for_the_challenger() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(challenge(1, 0, 5, 1_500));
		quiet_blocks(5);
		assert_eq!(held(1), 100);
		quiet_blocks(2);
		assert_eq!((free(1), held(1)), (10_000, 0));
		assert_eq!(World::outcomes(5), (0, 1));
		let slashes = World::node_mut(5, |node| node.slashes.clone());
		assert_eq!(slashes, [(1_000, Some([1; 32]))]);
		assert!(Cases::<Test>::get(5).is_some());
	});
}

#[test]
fn whoever_goes_away_is_asked_when_he_is_back() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(challenge(1, 0, 5, 1_500));
		World::set_liveness(5, LivenessState::Silent);
		quiet_blocks(8);
		assert_eq!((free(1), held(1)), (10_000, 0));
		assert_eq!(World::outcomes(5), (0, 0));
		assert_eq!(tasks(5).len(), 1);
		World::set_liveness(5, LivenessState::Up);
		quiet_blocks(2);
		submit(answer_to(&tasks(5))).unwrap();
		assert_eq!(World::outcomes(5), (1, 0));
	});
}

#[test]
fn a_challenge_is_decided_when_heartbeats_tell_whether_the_node_was_there() {
	for there in [true, false] {
		ExtBuilder::default().build_and_execute(|| {
			World::with(|world| world.unjudged = Some(1));
			assert_ok!(challenge(1, 0, 5, 1_500));
			// It looks as if it were up, which was true a while ago.
			quiet_blocks(30);
			assert_eq!(held(1), 100);
			assert!(tasks(5).is_empty());
			World::node_mut(5, |node| node.up_since = if there { 0 } else { 25 });
			World::with(|world| world.unjudged = Some(20));
			quiet_blocks(1);
			assert_eq!((free(1), held(1)), (10_000, 0));
			assert_eq!(World::outcomes(5), (0, usize::from(there)));
			assert_eq!(tasks(5).len(), usize::from(!there));
		});
	}
}

#[test]
fn in_an_outage_the_deposit_goes_back_and_nobody_is_punished() {
	ExtBuilder::default()
		.rules(|rules| rules.outage_percent = 0)
		.build_and_execute(|| {
			for _ in 0..10 {
				next_block();
			}
			assert!(crate::Outage::<Test>::get());
			assert_ok!(challenge(1, 0, 5, 1_500));
			let before = World::outcomes(5);
			quiet_blocks(8);
			assert_eq!((free(1), held(1)), (10_000, 0));
			assert_eq!(World::outcomes(5), before);
		});
}

#[test]
fn what_cannot_be_challenged() {
	ExtBuilder::default().build_and_execute(|| {
		let end = crate::Pallet::<Test>::ledger_bytes(0);
		assert_noop!(challenge(1, 0, 5, end), Error::<Test>::BeyondTheLedger);
		assert_noop!(challenge(1, 9, 5, 0), Error::<Test>::BeyondTheLedger);
		assert_noop!(challenge(1, 0, 30, 0), Error::<Test>::NobodyHolds);
		World::with(|world| world.holders.remove(&(0, 4)));
		assert_noop!(challenge(1, 0, 4, 0), Error::<Test>::NobodyHolds);
		World::set_liveness(5, LivenessState::Down { since: 0 });
		assert_noop!(challenge(1, 0, 5, 0), Error::<Test>::NodeAway);
		World::set_liveness(5, LivenessState::Up);
		World::node_mut(5, |node| node.status = NodeStatus::Jailed);
		assert_noop!(challenge(1, 0, 5, 0), Error::<Test>::NotChallengeable);
		assert!(challenge(200, 0, 6, 0).is_err());
	});
}

#[test]
fn nobody_is_challenged_too_often() {
	ExtBuilder::default().build_and_execute(|| {
		for offset in 0..4 {
			assert_ok!(challenge(1, 0, 5, offset * 64));
		}
		assert_noop!(challenge(2, 0, 5, 0), Error::<Test>::TooManyChallenges);
		for asked in tasks(5) {
			submit(answer_to(&[asked])).unwrap();
		}
		// Five a day.
		assert_ok!(challenge(2, 0, 5, 0));
		submit(answer_to(&tasks(5))).unwrap();
		assert_noop!(challenge(2, 0, 5, 0), Error::<Test>::TooManyChallenges);
		// Others may still be challenged, and the same tomorrow.
		assert_ok!(challenge(2, 0, 6, 0));
		quiet_blocks(101);
		assert_ok!(challenge(2, 0, 5, 0));
	});
}

#[test]
fn who_is_evicted_owes_no_answers() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(challenge(1, 0, 5, 64));
		assert!(World::evict(5));
		quiet_blocks(1);
		assert_eq!((free(1), held(1)), (10_000, 0));
		assert!(!Cases::<Test>::contains_key(5));
	});
}

#[test]
fn a_released_stripe_pays_only_the_treasury() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(challenge(1, 0, 5, 64));
		let asked = tasks(5);
		let entry = World::with(|world| {
			let entry = world.groups[&0].entry(64);
			world.released.insert((0, entry.batch, entry.stripe));
			entry
		});
		let shown = arion_storage_proof::answer::Shown::Released(
			codec::Encode::encode(&entry).try_into().unwrap(),
		);
		submit(signed(5, 0, &asked, vec![vec![shown]])).unwrap();
		assert_eq!((free(105), free(91)), (10_000, 10_100));
	});
}

#[test]
fn a_free_challenge_needs_no_account() {
	ExtBuilder::default().build_and_execute(|| {
		ChallengeDeposit::set(0);
		assert_ok!(challenge(250, 0, 5, 64));
		submit(answer_to(&tasks(5))).unwrap();
		assert_ok!(challenge(250, 0, 5, 64));
		quiet_blocks(10);
		assert_eq!(World::outcomes(5), (0, 1));
		ChallengeDeposit::set(100);
	});
}
