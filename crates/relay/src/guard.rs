//! How fast connections are taken, by the network they come from.

use std::{collections::HashMap, net::IpAddr, time::Instant};

/// Networks remembered; beyond it those that have not come for longest are forgotten first.
const MOST: usize = 8192;

struct Bucket {
	left: f64,
	since: Instant,
}

/// A token bucket for each network.
pub struct Guard {
	per_second: f64,
	burst: f64,
	networks: HashMap<IpAddr, Bucket>,
}

/// The IPv4 /24 or IPv6 /56 of an address.
fn network(ip: IpAddr) -> IpAddr {
	match ip.to_canonical() {
		IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) & 0xffff_ff00).into()),
		IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 72 << 72).into()),
	}
}

impl Guard {
	/// So many at once from a network, and then per second.
	pub fn new(per_second: u32, burst: u32) -> Self {
		Self {
			per_second: per_second.into(),
			burst: burst.into(),
			networks: HashMap::new(),
		}
	}

	/// Whether a connection from `ip` is taken now.
	pub fn take(&mut self, ip: IpAddr, now: Instant) -> bool {
		let network = network(ip);
		if self.networks.len() >= MOST && !self.networks.contains_key(&network) {
			self.forget(now);
		}
		let bucket = self.networks.entry(network).or_insert(Bucket {
			left: self.burst,
			since: now,
		});
		let gained = now.saturating_duration_since(bucket.since).as_secs_f64() * self.per_second;
		bucket.left = (bucket.left + gained).min(self.burst);
		bucket.since = now;
		if bucket.left < 1.0 {
			return false;
		}
		bucket.left -= 1.0;
		true
	}

	/// Forgets the networks whose buckets are full again; if that is not half of them, the half
	/// that came longest ago.
	fn forget(&mut self, now: Instant) {
		let (per_second, burst) = (self.per_second, self.burst);
		self.networks.retain(|_, bucket| {
			let gained = now.saturating_duration_since(bucket.since).as_secs_f64() * per_second;
			bucket.left + gained < burst
		});
		if self.networks.len() > MOST / 2 {
			let mut times: Vec<_> = self.networks.values().map(|bucket| bucket.since).collect();
			let middle = times.len() / 2;
			let (_, median, _) = times.select_nth_unstable(middle);
			let median = *median;
			let mut spare = self.networks.len() - MOST / 2;
			self.networks.retain(|_, bucket| {
				let goes = spare > 0 && bucket.since <= median;
				spare -= usize::from(goes);
				!goes
			});
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use std::{net::Ipv4Addr, time::Duration};

	fn ip(text: &str) -> IpAddr {
		text.parse().unwrap()
	}

	#[test]
	fn a_network_has_a_burst_and_then_a_rate() {
		let mut guard = Guard::new(2, 5);
		let now = Instant::now();
		let taken = (0..10).filter(|_| guard.take(ip("192.0.2.1"), now)).count();
		assert_eq!(taken, 5);
		// Neighbours share it, others do not.
		assert!(!guard.take(ip("192.0.2.200"), now));
		assert!(!guard.take(ip("::ffff:192.0.2.7"), now));
		assert!(guard.take(ip("192.0.3.1"), now));
		let later = now + Duration::from_secs(1);
		let taken = (0..10)
			.filter(|_| guard.take(ip("192.0.2.1"), later))
			.count();
		assert_eq!(taken, 2);
		for n in 0..5 {
			assert!(guard.take(ip(&format!("2001:db8:0:{n:x}::1")), now));
		}
		assert!(!guard.take(ip("2001:db8:0:ff::1"), now));
		assert!(guard.take(ip("2001:db8:0:100::1"), now));
	}

	#[test]
	fn networks_are_remembered_up_to_a_bound() {
		let mut guard = Guard::new(1, 1);
		let now = Instant::now();
		for n in 0..100_000u32 {
			assert!(guard.take(IpAddr::V4(Ipv4Addr::from(n << 8)), now));
			assert!(guard.networks.len() <= MOST);
		}
	}
}
