//! Who may post what, and when.

use crate::{mock::*, Error, Reports, Settings};
use frame_support::{assert_noop, assert_ok};
use hippius_primitives::heartbeat::PageReport;
use sp_core::Pair;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	DispatchError,
};

fn refused(call: crate::Call<Test>) -> InvalidTransaction {
	match authorize(&call) {
		Err(TransactionValidityError::Invalid(why)) => why,
		other => panic!("{other:?}"),
	}
}

/// What is wrong with a report, besides its signature.
fn error_of(call: &crate::Call<Test>) -> DispatchError {
	let crate::Call::post_page { report, .. } = call else {
		panic!("another call")
	};
	let checked = Settings::<Test>::get()
		.ok_or(Error::<Test>::NotStarted)
		.and_then(|config| Heartbeats::check_report(&config, report));
	checked.unwrap_err().into()
}

/// The first collector of page 0 in window 1, and its seed.
fn first() -> (u32, u8) {
	let collector = collectors(1, 0)[0];
	(collector, collector as u8 + 1)
}

#[test]
fn a_collectors_report_is_taken_once() {
	ExtBuilder::default().build_and_execute(|| {
		reportable(1);
		let (collector, seed) = first();
		let call = signed(report(1, 0, collector, &[6, 5, 0]), seed);
		let valid = authorize(&call).unwrap();
		assert_eq!(valid.priority, 7);
		assert!(valid.propagate);
		assert_eq!(valid.longevity, 4);
		assert_eq!(valid.provides.len(), 1);
		assert_ok!(dispatch(call.clone()));
		assert_eq!(
			Reports::<Test>::get((1, 0, collector))
				.unwrap()
				.into_inner(),
			[6, 5, 0]
		);

		// A replay, and another report for the same place.
		assert_eq!(refused(call.clone()), InvalidTransaction::Stale);
		assert_eq!(error_of(&call), Error::<Test>::AlreadyPosted.into());
		let other = signed(report(1, 0, collector, &[6, 6, 6]), seed);
		assert_eq!(refused(other.clone()), InvalidTransaction::Stale);
		assert_eq!(error_of(&other), Error::<Test>::AlreadyPosted.into());
	});
}

#[test]
fn two_reports_of_one_collector_have_the_same_tag() {
	ExtBuilder::default().build_and_execute(|| {
		reportable(1);
		let (collector, seed) = first();
		let tags = |counts| {
			authorize(&signed(report(1, 0, collector, counts), seed))
				.unwrap()
				.provides
		};
		assert_eq!(tags(&[1]), tags(&[2]));
	});
}

#[test]
fn only_the_last_window_is_reported_and_only_in_time() {
	ExtBuilder::default().build_and_execute(|| {
		reportable(1);
		let (collector, seed) = first();
		let call = |window| signed(report(window, 0, collector, &[6]), seed);
		assert_eq!(refused(call(2)), InvalidTransaction::Future);
		assert_eq!(error_of(&call(2)), Error::<Test>::WindowNotOver.into());
		assert_eq!(refused(call(u32::MAX)), InvalidTransaction::Future);
		assert_eq!(refused(call(0)), InvalidTransaction::Stale);

		run_to(start(2) + 3);
		assert_ok!(authorize(&call(1)));
		run_to(start(2) + 4);
		assert_eq!(refused(call(1)), InvalidTransaction::Stale);
		assert_eq!(error_of(&call(1)), Error::<Test>::WindowClosed.into());
	});
}

#[test]
fn only_the_pages_collectors_post() {
	ExtBuilder::validators(20).build_and_execute(|| {
		reportable(1);
		let chosen = collectors(1, 0);
		assert_eq!(chosen.len(), 9);
		let not_a_collector = InvalidTransaction::Custom(4);
		for collector in (0..20).filter(|collector| !chosen.contains(collector)) {
			let call = signed(report(1, 0, collector, &[6]), collector as u8 + 1);
			assert_eq!(refused(call.clone()), not_a_collector);
			assert_eq!(error_of(&call), Error::<Test>::NotACollector.into());
		}
		for collector in [20, u32::MAX] {
			let call = signed(report(1, 0, collector, &[6]), 1);
			assert_eq!(refused(call), not_a_collector);
		}
	});
}

#[test]
fn a_page_without_numbers_is_unknown() {
	ExtBuilder::nodes([0, 256]).build_and_execute(|| {
		reportable(1);
		for page in [2, u32::MAX] {
			let call = signed(report(1, page, 0, &[6]), 1);
			assert_eq!(refused(call.clone()), InvalidTransaction::Custom(3));
			assert_eq!(error_of(&call), Error::<Test>::UnknownPage.into());
		}
		// Each page has its own nine of the nine validators.
		post_all(1, 1, &[6]);
	});
}

#[test]
fn forged_signatures_are_refused() {
	ExtBuilder::default().build_and_execute(|| {
		reportable(1);
		let (collector, seed) = first();
		let honest = report(1, 0, collector, &[6, 6, 6]);
		let bad = InvalidTransaction::BadProof;
		// By another validator.
		assert_eq!(refused(signed(honest.clone(), seed % 9 + 1)), bad);
		// Of another report, window, page, place or genesis.
		let changed = [
			PageReport {
				counts: vec![0].try_into().unwrap(),
				..honest.clone()
			},
			PageReport {
				evidence: [0; 32],
				..honest.clone()
			},
		];
		let signature: crate::CollectorSignature<Test> =
			collector_pair(seed).sign(&honest.payload(&GENESIS)).into();
		for report in changed {
			let call = crate::Call::post_page {
				report,
				signature: signature.clone(),
			};
			assert_eq!(refused(call), bad);
		}
		let elsewhere = crate::Call::post_page {
			signature: collector_pair(seed).sign(&honest.payload(&[8; 32])).into(),
			report: honest,
		};
		assert_eq!(refused(elsewhere), bad);
	});
}

#[test]
fn a_count_beyond_the_beats_due_is_refused() {
	ExtBuilder::default().build_and_execute(|| {
		reportable(1);
		let (collector, seed) = first();
		let call = signed(report(1, 0, collector, &[6, 7]), seed);
		assert_eq!(refused(call.clone()), InvalidTransaction::Custom(6));
		assert_eq!(error_of(&call), Error::<Test>::ImpossibleCount.into());
	});
}

#[test]
fn the_validators_of_the_window_report_it_though_they_changed() {
	ExtBuilder::default().build_and_execute(|| {
		run_to(start(1) + 5);
		Validators::set(vec![100, 101]);
		pass(1, &[6, 6, 6]);
		assert_eq!(Heartbeats::standing(0).1, None);
		// Two validators are few, but all of them.
		run_to(start(3));
		for (collector, seed) in [(0, 100), (1, 101)] {
			submit(signed(report(2, 0, collector, &[6, 6, 6]), seed));
		}
		settled(2);
		assert_eq!(Heartbeats::standing(0).1, Some((6, 6)));
	});
}

#[test]
fn nobody_but_the_extension_authorizes() {
	ExtBuilder::default().build_and_execute(|| {
		reportable(1);
		let (collector, seed) = first();
		let crate::Call::post_page { report, signature } =
			signed(report(1, 0, collector, &[6]), seed)
		else {
			panic!("another call")
		};
		for origin in [
			RuntimeOrigin::none(),
			RuntimeOrigin::root(),
			RuntimeOrigin::signed(account(1)),
		] {
			assert_noop!(
				Heartbeats::post_page(origin, report.clone(), signature.clone()),
				sp_runtime::DispatchError::BadOrigin
			);
		}
	});
}

#[test]
fn without_its_genesis_the_pallet_rests() {
	ExtBuilder::default().build_and_execute(|| {
		Settings::<Test>::kill();
		run_to(30);
		assert_eq!(Heartbeats::window(), None);
		assert!(Heartbeats::collectors(0).is_empty());
		let call = signed(report(1, 0, 0, &[6]), 1);
		assert_eq!(refused(call.clone()), InvalidTransaction::Custom(0));
		assert_eq!(error_of(&call), Error::<Test>::NotStarted.into());
	});
}

#[test]
fn collectors_rotate_with_the_seed() {
	ExtBuilder::validators(20).build_and_execute(|| {
		run_to(start(3));
		let now = collectors(3, 0);
		let keys: Vec<_> = now
			.iter()
			.map(|place| collector(*place as u8 + 1))
			.collect();
		assert_eq!(Heartbeats::collectors(0), keys);
		RandomByte::set(2);
		run_to(start(5));
		assert_eq!(collectors(5, 0), now);
		run_to(start(6));
		assert_ne!(collectors(6, 0), now);
	});
}
