//! How many handshakes a network may begin.

use std::{collections::HashMap, net::IpAddr, time::Instant};

/// Networks counted at most; about 40 bytes each.
pub(super) const MOST_SOURCES: usize = 8192;

/// What becomes of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
	Enter,
	/// It must show first that the address is its own: no state is kept of it until then.
	Prove,
	Refuse,
}

/// Token buckets by network: /24 of IPv4, /56 of IPv6. Addresses that were proved are counted apart
/// from those that were not, so that who borrows somebody's address cannot shut that one out.
pub(super) struct Buckets {
	rate: f64,
	burst: f64,
	start: Instant,
	/// Tokens left, at this many seconds after the start.
	table: HashMap<(u64, bool), (f64, f64)>,
	swept: f64,
}

/// The network of an address.
fn network(address: IpAddr) -> u64 {
	match address.to_canonical() {
		IpAddr::V4(address) => u64::from(u32::from(address) >> 8),
		// The first bit tells the two kinds apart.
		IpAddr::V6(address) => (u128::from(address) >> 72) as u64 | 1 << 63,
	}
}

impl Buckets {
	/// `rate` handshakes a second, `burst` at once.
	pub(super) fn new(rate: u32, burst: u32, start: Instant) -> Self {
		Self {
			rate: rate.into(),
			burst: burst.into(),
			start,
			table: HashMap::new(),
			swept: 0.0,
		}
	}

	/// Networks counted now.
	pub(super) fn len(&self) -> usize {
		self.table.len()
	}

	/// Whether somebody at `address` may begin a handshake now.
	pub(super) fn take(&mut self, address: IpAddr, proved: bool, now: Instant) -> Verdict {
		let now = now.saturating_duration_since(self.start).as_secs_f64();
		let short = match proved {
			true => Verdict::Refuse,
			false => Verdict::Prove,
		};
		let (rate, burst) = (self.rate, self.burst);
		let left = |(tokens, at): (f64, f64)| (tokens + (now - at) * rate).min(burst);
		let key = (network(address), proved);
		// Full buckets say nothing. Looked through at most once a second, however many come.
		if self.table.len() >= MOST_SOURCES && !self.table.contains_key(&key) {
			if now - self.swept >= 1.0 {
				self.swept = now;
				self.table.retain(|_, bucket| left(*bucket) < burst);
			}
			if self.table.len() >= MOST_SOURCES {
				// Too many networks at once to count: those who prove their address get in.
				return match proved {
					true => Verdict::Enter,
					false => Verdict::Prove,
				};
			}
		}
		let bucket = self.table.entry(key).or_insert((burst, now));
		let tokens = left(*bucket);
		if tokens < 1.0 {
			*bucket = (tokens, now);
			return short;
		}
		*bucket = (tokens - 1.0, now);
		Verdict::Enter
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use std::{net::Ipv4Addr, time::Duration};

	#[test]
	fn a_network_gets_its_burst_then_its_rate() {
		let start = Instant::now();
		let mut buckets = Buckets::new(5, 20, start);
		let one: IpAddr = "192.0.2.1".parse().unwrap();
		let same: IpAddr = "::ffff:192.0.2.250".parse().unwrap();
		let other: IpAddr = "192.0.3.1".parse().unwrap();
		for _ in 0..10 {
			assert_eq!(buckets.take(one, false, start), Verdict::Enter);
			assert_eq!(buckets.take(same, false, start), Verdict::Enter);
		}
		assert_eq!(buckets.take(one, false, start), Verdict::Prove);
		// Who proved the address is counted apart, and other networks are.
		for _ in 0..20 {
			assert_eq!(buckets.take(one, true, start), Verdict::Enter);
		}
		assert_eq!(buckets.take(one, true, start), Verdict::Refuse);
		assert_eq!(buckets.take(other, false, start), Verdict::Enter);
		let later = start + Duration::from_secs(1);
		let entered = (0..20).filter(|_| buckets.take(one, true, later) == Verdict::Enter);
		assert_eq!(entered.count(), 5);
		let six: IpAddr = "2001:db8:0:1100::1".parse().unwrap();
		let near: IpAddr = "2001:db8:0:11ff::9".parse().unwrap();
		let far: IpAddr = "2001:db8:0:1200::1".parse().unwrap();
		for _ in 0..20 {
			assert_eq!(buckets.take(six, true, later), Verdict::Enter);
		}
		assert_eq!(buckets.take(near, true, later), Verdict::Refuse);
		assert_eq!(buckets.take(far, true, later), Verdict::Enter);
	}

	#[test]
	fn the_table_is_bounded_and_empties() {
		let start = Instant::now();
		let mut buckets = Buckets::new(5, 20, start);
		let address = |at: u32| IpAddr::from(Ipv4Addr::from(at << 8));
		for at in 0..100_000 {
			let verdict = buckets.take(address(at), false, start);
			let expected = match (at as usize) < MOST_SOURCES {
				true => Verdict::Enter,
				false => Verdict::Prove,
			};
			assert_eq!(verdict, expected);
		}
		println!("{} networks are counted at most", buckets.len());
		assert_eq!(buckets.len(), MOST_SOURCES);
		// Who proves the address still gets in.
		assert_eq!(buckets.take(address(99_999), true, start), Verdict::Enter);
		let later = start + Duration::from_secs(2);
		assert_eq!(buckets.take(address(99_999), false, later), Verdict::Enter);
		assert_eq!(buckets.len(), 1);
	}
}
