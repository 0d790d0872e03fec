//! Values that are read as they were a while ago.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A value in three versions, so that what is written in snapshot period `k` is seen from period
/// `k + 2` on, everywhere at the same moment and without anybody going through all values.
#[derive(
	Clone,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Lagged<V> {
	/// The period of the last change.
	period: u32,
	/// What was written before the period before.
	before: V,
	/// What was written before the period.
	last: V,
	/// All that was written.
	newest: V,
}

impl<V: Clone> Lagged<V> {
	/// The value as it was when the period before `now` began.
	pub fn seen(&self, now: u32) -> &V {
		match now.saturating_sub(self.period) {
			0 => &self.before,
			1 => &self.last,
			_ => &self.newest,
		}
	}

	/// The value with all that was written.
	pub fn newest(&self) -> &V {
		&self.newest
	}

	/// The value to be changed in period `now`; periods only grow.
	pub fn change(&mut self, now: u32) -> &mut V {
		match now.saturating_sub(self.period) {
			0 => {}
			1 => self.before = core::mem::replace(&mut self.last, self.newest.clone()),
			_ => {
				self.before = self.newest.clone();
				self.last = self.newest.clone();
			}
		}
		self.period = self.period.max(now);
		&mut self.newest
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn a_change_is_seen_after_a_whole_period() {
		let mut value = Lagged::<u64>::default();
		*value.change(5) = 7;
		assert_eq!([5, 6, 7, 99].map(|now| *value.seen(now)), [0, 0, 7, 7]);
		*value.change(6) = 8;
		assert_eq!([6, 7, 8].map(|now| *value.seen(now)), [0, 7, 8]);
		*value.change(6) = 9;
		assert_eq!([6, 7, 8].map(|now| *value.seen(now)), [0, 7, 9]);
		*value.change(8) = 10;
		assert_eq!([8, 9, 10].map(|now| *value.seen(now)), [9, 9, 10]);
	}

	proptest! {
		#[test]
		fn seen_is_what_was_written_two_periods_ago(
			steps in proptest::collection::vec((0u32..4, 1u64..100), 1..40)
		) {
			let mut value = Lagged::<u64>::default();
			let mut history = vec![(0u32, 0u64)];
			let mut now = 0;
			for (step, add) in steps {
				now += step;
				*value.change(now) += add;
				history.push((now, history.last().unwrap().1 + add));
				for ahead in 0..4 {
					let at = now + ahead;
					let old = history.iter().rfind(|(period, sum)| period + 2 <= at || *sum == 0);
					prop_assert_eq!(*value.seen(at), old.unwrap().1);
				}
			}
		}
	}
}
