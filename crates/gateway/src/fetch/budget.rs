//! What hedging may cost: a token bucket of bytes.

/// The bucket holds at most this many bytes, so that a long calm pays for no storm of requests.
const CAPACITY: i64 = 64 * 1024 * 1024;
/// A fresh gateway has this many bytes to learn with.
const START: i64 = 16 * 1024 * 1024;

/// Bytes that may be fetched beyond those needed. Earned as a share of the bytes that were needed,
/// reserved when an extra request starts, and paid for by what really arrived in vain.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
	percent: i64,
	balance: i64,
}

impl Budget {
	/// Of `percent` extra bytes per byte needed; 0 permits none at all.
	pub(crate) fn new(percent: u32) -> Self {
		Self {
			percent: percent.into(),
			balance: if percent == 0 { 0 } else { START },
		}
	}

	/// Bytes that may still be reserved; 0 while more was spent than earned.
	pub(crate) fn left(&self) -> u64 {
		self.balance.try_into().unwrap_or(0)
	}

	/// Takes `cost` bytes out, if they are there.
	pub(crate) fn reserve(&mut self, cost: u64) -> bool {
		let granted = cost <= self.left();
		if granted {
			self.balance -= signed(cost);
		}
		granted
	}

	/// Ends a read that needed `needed` bytes and received `wasted` bytes beyond them: gives back
	/// what it had reserved and takes what it really cost, which may leave a debt.
	pub(crate) fn settle(&mut self, reserved: u64, needed: u64, wasted: u64) {
		let earned = signed(needed).saturating_mul(self.percent) / 100;
		self.balance = self
			.balance
			.saturating_add(signed(reserved))
			.saturating_add(earned)
			.saturating_sub(signed(wasted))
			.min(if self.percent == 0 { 0 } else { CAPACITY });
	}
}

fn signed(bytes: u64) -> i64 {
	i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn without_a_share_nothing_is_granted() {
		let mut budget = Budget::new(0);
		budget.settle(0, 1 << 40, 0);
		assert!(!budget.reserve(1));
		assert!(budget.reserve(0));
	}

	#[test]
	fn what_arrived_in_vain_is_paid_for_and_the_rest_comes_back() {
		let mut budget = Budget::new(20);
		let start = budget.left();
		assert!(budget.reserve(start));
		assert!(!budget.reserve(1));
		budget.settle(start, 1000, 300);
		assert_eq!(budget.left(), start + 200 - 300);
		budget.settle(0, 0, 2 * start);
		assert_eq!(budget.left(), 0);
		assert!(!budget.reserve(1), "a debt comes first");
	}

	proptest! {
		/// However reads end, what is granted stays within the start and the share earned, if no
		/// read wastes more than it reserved.
		#[test]
		fn grants_stay_within_what_was_earned(
			reads in proptest::collection::vec((0u64..1 << 24, 0u64..1 << 24, 0u64..=100), 1..200)
		) {
			let mut budget = Budget::new(20);
			let (mut earned, mut wasted) = (START as u64, 0);
			for (cost, needed, share) in reads {
				let reserved = if budget.reserve(cost) { cost } else { 0 };
				let waste = reserved * share / 100;
				budget.settle(reserved, needed, waste);
				earned += needed / 5;
				wasted += waste;
				prop_assert!(wasted <= earned);
				prop_assert!(budget.left() <= CAPACITY as u64);
			}
		}
	}
}
