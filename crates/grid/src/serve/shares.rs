//! Something scarce, shared so that nobody can take all of it.

use hippius_primitives::NodeKey;
use std::{
	collections::{hash_map::Entry, BTreeMap, HashMap, VecDeque},
	future::pending,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{oneshot, Notify};

/// Who holds something gets more as long as all of it then is at most this part of what stays free.
const PART: u32 = 4;

/// A semaphore that knows who holds what: dynamic thresholds as of Choudhury and Hahne, "Dynamic queue
/// length thresholds for shared-memory packet switches" (1998), with a quarter of what is free as the
/// threshold. However greedy, k holders that each get what they want leave `(4/5)^k` of it to others.
/// Who holds nothing gets its first share before anybody gets another one.
pub(super) struct Shares {
	total: u32,
	state: Mutex<State>,
	idle: Notify,
}

#[derive(Default)]
struct State {
	free: u32,
	accounts: HashMap<NodeKey, Account>,
	/// Whose turn it is: the waiting holders by the number of the first thing they wait for.
	turns: BTreeMap<u64, NodeKey>,
	/// The next number.
	next: u64,
}

/// What a holder has and wants; there is one for those who have or want anything.
#[derive(Default)]
struct Account {
	/// Shares that have not been given back. One that has nothing may hold shares of nothing.
	shares: usize,
	held: u32,
	waiting: VecDeque<Waiting>,
}

struct Waiting {
	number: u64,
	amount: u32,
	granted: oneshot::Sender<()>,
}

impl Shares {
	pub(super) fn new(total: usize) -> Arc<Self> {
		let total = u32::try_from(total).unwrap_or(u32::MAX);
		Arc::new(Self {
			total,
			state: Mutex::new(State {
				free: total,
				..State::default()
			}),
			idle: Notify::new(),
		})
	}

	/// Waits for `amount`, or for all there is if that is less. Requests of one holder are served in
	/// their order.
	pub(super) async fn acquire(self: &Arc<Self>, key: NodeKey, amount: u32) -> Share {
		let amount = amount.min(self.total);
		let (granted, turn) = oneshot::channel();
		// Takes back what was asked for, or got, if this is dropped meanwhile.
		let mut claim = {
			let mut state = self.state();
			let number = state.ask(key, amount, granted);
			state.grant();
			Claim {
				shares: self.clone(),
				key,
				amount,
				number,
				settled: false,
			}
		};
		if turn.await.is_err() {
			// Cannot be: only the claim takes it out of the queue without granting it.
			pending::<()>().await;
		}
		claim.settled = true;
		Share {
			shares: self.clone(),
			key,
			amount,
		}
	}

	/// Resolves when nobody holds anything.
	pub(super) async fn idle(&self) {
		loop {
			let notified = self.idle.notified();
			if self.state().free == self.total {
				return;
			}
			notified.await;
		}
	}

	/// How much is held.
	pub(super) fn held(&self) -> u32 {
		self.total - self.state().free
	}

	fn give_back(&self, key: &NodeKey, amount: u32, whole: bool) {
		let mut state = self.state();
		state.give_back(key, amount, whole);
		state.grant();
		let idle = state.free == self.total;
		drop(state);
		if idle {
			self.idle.notify_waiters();
		}
	}

	fn state(&self) -> MutexGuard<'_, State> {
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

impl State {
	fn ask(&mut self, key: NodeKey, amount: u32, granted: oneshot::Sender<()>) -> u64 {
		let number = self.next;
		self.next += 1;
		let account = self.accounts.entry(key).or_default();
		if account.waiting.is_empty() {
			self.turns.insert(number, key);
		}
		account.waiting.push_back(Waiting {
			number,
			amount,
			granted,
		});
		number
	}

	/// Gives what can be given.
	fn grant(&mut self) {
		// Each grant changes what the others may have, and may put its holder at the end of the line.
		while let Some(number) = self.lucky() {
			let Some(key) = self.turns.remove(&number) else {
				return;
			};
			let Some(account) = self.accounts.get_mut(&key) else {
				return;
			};
			let Some(first) = account.waiting.pop_front() else {
				return;
			};
			account.shares += 1;
			account.held += first.amount;
			self.free -= first.amount;
			if let Some(next) = account.waiting.front() {
				self.turns.insert(next.number, key);
			}
			// Who is gone gives it back by its claim.
			let _ = first.granted.send(());
		}
	}

	/// Whose turn it is, by number.
	fn lucky(&self) -> Option<u64> {
		let mut found = None;
		for (number, key) in &self.turns {
			let account = self.accounts.get(key)?;
			let amount = account.waiting.front()?.amount;
			if account.shares == 0 {
				// Nobody goes before the first of those who have nothing, or it might wait for ever.
				return if amount <= self.free {
					Some(*number)
				} else {
					None
				};
			}
			if found.is_none() && self.may_have(account.held, amount) {
				found = Some(*number);
			}
		}
		found
	}

	/// Whether one that holds `held` may have `amount` more.
	fn may_have(&self, held: u32, amount: u32) -> bool {
		let Some(left) = self.free.checked_sub(amount) else {
			return false;
		};
		u64::from(held) + u64::from(amount) <= u64::from(left / PART)
	}

	fn give_back(&mut self, key: &NodeKey, amount: u32, whole: bool) {
		self.free += amount;
		if let Entry::Occupied(mut account) = self.accounts.entry(*key) {
			account.get_mut().held -= amount;
			if whole {
				account.get_mut().shares -= 1;
			}
			if account.get().shares == 0 && account.get().waiting.is_empty() {
				account.remove();
			}
		}
	}

	/// Takes a request out of its queue; says whether it was there.
	fn withdraw(&mut self, key: &NodeKey, number: u64) -> bool {
		let Entry::Occupied(mut entry) = self.accounts.entry(*key) else {
			return false;
		};
		let account = entry.get_mut();
		let Some(at) = account.waiting.iter().position(|w| w.number == number) else {
			return false;
		};
		account.waiting.remove(at);
		if at == 0 {
			self.turns.remove(&number);
			if let Some(next) = account.waiting.front() {
				self.turns.insert(next.number, *key);
			}
		}
		if account.shares == 0 && account.waiting.is_empty() {
			entry.remove();
		}
		true
	}
}

/// A request that nobody has the answer to yet.
struct Claim {
	shares: Arc<Shares>,
	key: NodeKey,
	amount: u32,
	number: u64,
	settled: bool,
}

impl Drop for Claim {
	fn drop(&mut self) {
		if self.settled {
			return;
		}
		let mut state = self.shares.state();
		if state.withdraw(&self.key, self.number) {
			// It may have stood in others' way.
			state.grant();
			return;
		}
		drop(state);
		self.shares.give_back(&self.key, self.amount, true);
	}
}

/// Held until dropped.
pub(super) struct Share {
	shares: Arc<Shares>,
	key: NodeKey,
	amount: u32,
}

impl Share {
	/// Gives back all but `rest`.
	pub(super) fn keep(&mut self, rest: u32) {
		let spare = self.amount.saturating_sub(rest);
		self.amount -= spare;
		self.shares.give_back(&self.key, spare, false);
	}
}

impl Drop for Share {
	fn drop(&mut self) {
		self.shares.give_back(&self.key, self.amount, true);
	}
}

#[cfg(test)]
mod tests;
