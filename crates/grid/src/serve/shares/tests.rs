#![allow(clippy::unwrap_used)]

use super::*;
use proptest::{collection::vec, prelude::*};
use std::{
	future::Future,
	pin::Pin,
	task::{Context, Poll, Waker},
};

fn key(of: u8) -> NodeKey {
	NodeKey([of; 32])
}

/// Somebody who asked for something, and whether it was seen to be granted.
struct Asked {
	future: Pin<Box<dyn Future<Output = Share>>>,
	got: Option<Share>,
}

impl Asked {
	fn new(shares: &Arc<Shares>, of: u8, amount: u32) -> Self {
		let shares = shares.clone();
		let mut asked = Self {
			future: Box::pin(async move { shares.acquire(key(of), amount).await }),
			got: None,
		};
		asked.look();
		asked
	}

	fn look(&mut self) -> bool {
		if self.got.is_none() {
			let mut context = Context::from_waker(Waker::noop());
			if let Poll::Ready(share) = self.future.as_mut().poll(&mut context) {
				self.got = Some(share);
			}
		}
		self.got.is_some()
	}
}

/// `of` asks for `amount` as often as it gets it; returns what it got, and what it waits for.
fn greedy(shares: &Arc<Shares>, of: u8, amount: u32) -> (Vec<Asked>, Asked) {
	let mut all = Vec::new();
	loop {
		let mut asked = Asked::new(shares, of, amount);
		match asked.look() {
			true => all.push(asked),
			false => return (all, asked),
		}
	}
}

fn is_idle(shares: &Arc<Shares>) -> bool {
	let mut idle = Box::pin(shares.idle());
	let mut context = Context::from_waker(Waker::noop());
	idle.as_mut().poll(&mut context).is_ready()
}

#[test]
fn the_greedy_leave_four_fifths_each_time() {
	let shares = Shares::new(1_000_000);
	let mut left = 1_000_000.0;
	let mut all = Vec::new();
	for of in 0..20 {
		all.push(greedy(&shares, of, 100));
		left *= 0.8;
		let free = f64::from(1_000_000 - shares.held());
		assert!((free - left).abs() < 500.0, "{of}: {free} of {left}");
	}
	drop(all);
	assert_eq!(shares.held(), 0);
	assert!(shares.state().accounts.is_empty() && shares.state().turns.is_empty());
}

#[test]
fn who_has_nothing_goes_first() {
	let shares = Shares::new(10);
	let mut all = Asked::new(&shares, 1, 10);
	assert!(all.look());
	let mut more = Asked::new(&shares, 1, 1);
	let mut second = Asked::new(&shares, 2, 1);
	let mut third = Asked::new(&shares, 3, 1);
	assert!(!more.look() && !second.look() && !third.look());
	if let Some(all) = &mut all.got {
		all.keep(9);
	}
	assert!(second.look() && !more.look() && !third.look());
	drop(second);
	assert!(third.look() && !more.look());
	drop((third, all));
	assert!(more.look());
}

#[test]
fn the_first_of_many_is_not_overtaken_by_less() {
	let shares = Shares::new(10);
	let (one, two) = (Asked::new(&shares, 1, 5), Asked::new(&shares, 2, 4));
	let mut large = Asked::new(&shares, 3, 6);
	let mut small = Asked::new(&shares, 4, 1);
	assert!(!large.look() && !small.look());
	drop(two);
	assert!(!large.look() && !small.look());
	drop(one);
	assert!(large.look() && small.look());
}

#[test]
fn who_gives_up_leaves_nothing_behind() {
	let shares = Shares::new(10);
	let one = Asked::new(&shares, 1, 8);
	let large = Asked::new(&shares, 2, 6);
	let mut small = Asked::new(&shares, 3, 2);
	assert!(!small.look());
	// It stood in the way.
	drop(large);
	assert!(small.look());
	drop(small);
	// Given, but its owner never looked.
	let mut unseen = Asked::new(&shares, 4, 6);
	drop(one);
	assert_eq!(shares.held(), 6);
	assert!(unseen.got.is_none());
	let mut next = Asked::new(&shares, 5, 10);
	drop(unseen.future);
	assert!(next.look());
	unseen = next;
	assert!(!is_idle(&shares));
	drop(unseen);
	assert!(is_idle(&shares));
	assert!(shares.state().accounts.is_empty());
}

#[test]
fn more_than_there_is_means_all() {
	let shares = Shares::new(3);
	let mut all = Asked::new(&shares, 1, 100);
	assert!(all.look());
	assert_eq!(shares.held(), 3);
	let mut other = Asked::new(&shares, 2, 1);
	assert!(!other.look());
	drop(all);
	assert!(other.look());
}

#[tokio::test]
async fn idle_is_told() {
	let shares = Shares::new(3);
	let one = shares.acquire(key(1), 1).await;
	let waiting = tokio::spawn({
		let shares = shares.clone();
		async move { shares.idle().await }
	});
	tokio::task::yield_now().await;
	assert!(!waiting.is_finished());
	drop(one);
	waiting.await.unwrap();
}

#[derive(Clone, Debug)]
enum Step {
	Ask(u8, u32),
	/// Looks whether it was granted.
	Look(prop::sample::Index),
	/// Gives up, or back.
	Drop(prop::sample::Index),
	/// Gives back all but this much.
	Keep(prop::sample::Index, u32),
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		3 => (0..6u8, 0..40u32).prop_map(|(of, amount)| Step::Ask(of, amount)),
		1 => any::<prop::sample::Index>().prop_map(Step::Look),
		2 => any::<prop::sample::Index>().prop_map(Step::Drop),
		1 => (any::<prop::sample::Index>(), 0..40u32).prop_map(|(at, rest)| Step::Keep(at, rest)),
	]
}

/// What must hold after each step: the books fit, and nobody waits who could be served.
fn check(shares: &Shares) {
	let state = shares.state();
	let held: u32 = state.accounts.values().map(|account| account.held).sum();
	assert_eq!(held + state.free, shares.total);
	let mut first = None;
	for (key, account) in &state.accounts {
		assert!(account.shares > 0 || !account.waiting.is_empty());
		assert!(account.shares > 0 || account.held == 0);
		let Some(front) = account.waiting.front() else {
			continue;
		};
		assert_eq!(state.turns.get(&front.number), Some(key));
		let order = account.waiting.iter().map(|waiting| waiting.number);
		assert!(order.is_sorted());
		if account.shares == 0 && first.is_none_or(|(number, _)| front.number < number) {
			first = Some((front.number, front.amount));
		}
	}
	let waiting = state.accounts.values().filter(|a| !a.waiting.is_empty());
	assert_eq!(state.turns.len(), waiting.clone().count());
	match first {
		Some((_, amount)) => assert!(amount > state.free),
		None => {
			for account in waiting {
				let amount = account.waiting[0].amount;
				let fits =
					amount <= state.free && account.held + amount <= (state.free - amount) / 4;
				assert!(
					!fits,
					"{} waits for {amount} of {}",
					account.held, state.free
				);
			}
		}
	}
}

proptest! {
	#[test]
	fn nothing_is_lost_and_nobody_waits_in_vain(steps in vec(step(), 1..200)) {
		let shares = Shares::new(100);
		let mut all: Vec<Asked> = Vec::new();
		for step in steps {
			match step {
				Step::Ask(of, amount) => all.push(Asked::new(&shares, of, amount)),
				_ if all.is_empty() => {}
				Step::Look(at) => {
					at.get_mut(&mut all).look();
				}
				Step::Drop(at) => drop(all.swap_remove(at.index(all.len()))),
				Step::Keep(at, rest) => {
					if let Some(share) = &mut at.get_mut(&mut all).got {
						share.keep(rest);
					}
				}
			}
			check(&shares);
		}
		drop(all);
		prop_assert_eq!(shares.held(), 0);
		prop_assert!(shares.state().accounts.is_empty() && shares.state().turns.is_empty());
	}
}
