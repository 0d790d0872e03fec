//! Bytes a second.

use std::{
	sync::{Mutex, PoisonError},
	time::Duration,
};
use tokio::time::{sleep_until, Instant};

/// How much may be taken at once after a pause.
const BURST: Duration = Duration::from_secs(1);

/// A token bucket that goes into debt: how many bytes a repair takes is known only afterwards, so it
/// waits until earlier debts are paid, and pays for itself when it is done. On average, and over any
/// time longer than the debt of the repairs that run side by side, the rate holds.
pub(super) struct Bucket {
	rate: u64,
	/// When everything taken so far is paid for.
	paid: Mutex<Instant>,
}

impl Bucket {
	/// A bucket that fills with `rate` bytes a second (at least 1).
	pub(super) fn new(rate: u64) -> Self {
		let now = Instant::now();
		Self {
			rate: rate.max(1),
			paid: Mutex::new(now.checked_sub(BURST).unwrap_or(now)),
		}
	}

	fn paid(&self) -> std::sync::MutexGuard<'_, Instant> {
		self.paid.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Waits until there is no debt.
	pub(super) async fn ready(&self) {
		loop {
			let paid = self.paid_at();
			if paid <= Instant::now() {
				return;
			}
			sleep_until(paid).await;
		}
	}

	/// When there is no debt any more.
	fn paid_at(&self) -> Instant {
		*self.paid()
	}

	/// Takes `bytes`, into debt if need be.
	pub(super) fn take(&self, bytes: u64) {
		self.take_at(bytes, Instant::now());
	}

	fn take_at(&self, bytes: u64, now: Instant) {
		let earliest = now.checked_sub(BURST).unwrap_or(now);
		let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
		let mut paid = self.paid();
		*paid = (*paid).max(earliest) + cost;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Time after `start` at which the debt is paid, in milliseconds.
	fn paid_after(bucket: &Bucket, start: Instant) -> u128 {
		bucket
			.paid_at()
			.saturating_duration_since(start)
			.as_millis()
	}

	#[test]
	fn the_rate_holds_beyond_the_first_second() {
		let bucket = Bucket::new(1000);
		let start = Instant::now();
		let mut now = start;
		for _ in 0..100 {
			now = now.max(bucket.paid_at());
			bucket.take_at(100, now);
		}
		// 10 000 bytes, of which the first 1000 were there.
		let took = paid_after(&bucket, start);
		assert!((8900..=9010).contains(&took), "{took}");
	}

	#[test]
	fn a_pause_saves_up_one_second_and_no_more() {
		let bucket = Bucket::new(1000);
		let later = Instant::now() + Duration::from_secs(3600);
		bucket.take_at(5000, later);
		assert_eq!(paid_after(&bucket, later), 4000);
	}

	#[test]
	fn debts_of_repairs_side_by_side_add_up() {
		let bucket = Bucket::new(1000);
		let now = Instant::now() + Duration::from_secs(10);
		(0..4).for_each(|_| bucket.take_at(1000, now));
		assert_eq!(paid_after(&bucket, now), 3000);
	}

	#[tokio::test]
	async fn who_has_to_pay_waits() {
		let bucket = Bucket::new(1000);
		bucket.take(1100);
		let paid = bucket.paid_at();
		bucket.ready().await;
		assert!(Instant::now() >= paid);
		// Nothing to wait for.
		Bucket::new(1).ready().await;
	}
}
