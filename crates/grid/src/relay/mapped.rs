//! Addresses that stand for nodes behind relays.
//!
//! The transport knows socket addresses only. A node that is reached through a relay gets one from
//! a range that is on no network: 240.0.0.0/4 (reserved, RFC 1112) if our socket is IPv4, a local
//! IPv6 prefix otherwise, each with a random rest and port. A packet from the network that claims
//! such a source is dropped (see [`super::socket`]).

use super::RelayId;
use hippius_primitives::NodeKey;
use std::{
	collections::HashMap,
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Instant,
};

/// Addresses kept; the one unused longest gives way, unless a connection needs it.
const MOST: usize = 4096;
/// Nodes heard of for the first time that are taken at once, and then per second. A relay only
/// admits registered nodes, but a relay may be hostile.
const NEW_BURST: f64 = 256.0;
const NEW_PER_SECOND: f64 = 64.0;
/// The upper half of mapped IPv6 addresses: a unique local prefix (RFC 4193).
const PREFIX: [u16; 4] = [0xfd61, 0x7269, 0x6f6e, 0x7265];

/// Whether `address` stands for a node behind a relay.
pub(crate) fn is_mapped(address: &SocketAddr) -> bool {
	match address.ip() {
		IpAddr::V4(ip) => ip.octets()[0] >= 240 && !ip.is_broadcast(),
		IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
			Some(ip) => ip.octets()[0] >= 240 && !ip.is_broadcast(),
			None => ip.segments()[..4] == PREFIX,
		},
	}
}

/// Keeps a mapped address from being given up, as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Hold(#[allow(dead_code)] Arc<()>);

struct Entry {
	key: NodeKey,
	relay: RelayId,
	used: u64,
	holds: Arc<()>,
}

#[derive(Default)]
struct Table {
	entries: HashMap<SocketAddr, Entry>,
	addresses: HashMap<(NodeKey, RelayId), SocketAddr>,
	clock: u64,
	/// Newcomers that may still be taken, and when that was last counted.
	allowance: Option<(f64, Instant)>,
}

/// The table of mapped addresses.
pub(crate) struct Mapped {
	v6: bool,
	table: Mutex<Table>,
}

impl Mapped {
	pub(crate) fn new(v6: bool) -> Self {
		Self {
			v6,
			table: Mutex::default(),
		}
	}

	fn lock(&self) -> MutexGuard<'_, Table> {
		self.table.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The address of a node that we mean to reach. `None` if every address is in use, or there is
	/// no randomness.
	pub(crate) fn dial(&self, key: NodeKey, relay: RelayId) -> Option<(SocketAddr, Hold)> {
		let mut table = self.lock();
		let address = match table.addresses.get(&(key, relay)) {
			Some(address) => *address,
			None => table.insert(key, relay, self.v6)?,
		};
		let entry = table.entries.get(&address)?;
		Some((address, Hold(entry.holds.clone())))
	}

	/// The address of a node that a relay says it has a packet of. `None` if there are too many
	/// newcomers.
	pub(crate) fn heard(&self, key: NodeKey, relay: RelayId, now: Instant) -> Option<SocketAddr> {
		let mut table = self.lock();
		table.clock += 1;
		let used = table.clock;
		if let Some(address) = table.addresses.get(&(key, relay)).copied() {
			if let Some(entry) = table.entries.get_mut(&address) {
				entry.used = used;
			}
			return Some(address);
		}
		let (left, since) = table.allowance.unwrap_or((NEW_BURST, now));
		let gained = now.saturating_duration_since(since).as_secs_f64() * NEW_PER_SECOND;
		let left = (left + gained).min(NEW_BURST);
		table.allowance = Some((left, now));
		if left < 1.0 {
			return None;
		}
		table.allowance = Some((left - 1.0, now));
		table.insert(key, relay, self.v6)
	}

	/// The node and relay an address stands for.
	pub(crate) fn route(&self, address: &SocketAddr) -> Option<(NodeKey, RelayId)> {
		let mut table = self.lock();
		table.clock += 1;
		let used = table.clock;
		let entry = table.entries.get_mut(address)?;
		entry.used = used;
		Some((entry.key, entry.relay))
	}

	/// Keeps an address that is known.
	pub(crate) fn hold(&self, address: &SocketAddr) -> Option<Hold> {
		let table = self.lock();
		let entry = table.entries.get(address)?;
		Some(Hold(entry.holds.clone()))
	}

	/// Addresses in the table.
	#[cfg(test)]
	pub(crate) fn len(&self) -> usize {
		self.lock().entries.len()
	}
}

impl Table {
	fn insert(&mut self, key: NodeKey, relay: RelayId, v6: bool) -> Option<SocketAddr> {
		if self.entries.len() >= MOST {
			let oldest = self
				.entries
				.iter()
				.filter(|(_, entry)| Arc::strong_count(&entry.holds) == 1)
				.min_by_key(|(_, entry)| entry.used)
				.map(|(address, _)| *address)?;
			if let Some(entry) = self.entries.remove(&oldest) {
				self.addresses.remove(&(entry.key, entry.relay));
			}
		}
		self.clock += 1;
		// A free one is all but certain at once.
		let address = (0..16).find_map(|_| {
			let address = random(v6)?;
			(!self.entries.contains_key(&address)).then_some(address)
		})?;
		self.entries.insert(
			address,
			Entry {
				key,
				relay,
				used: self.clock,
				holds: Arc::new(()),
			},
		);
		self.addresses.insert((key, relay), address);
		Some(address)
	}
}

fn random(v6: bool) -> Option<SocketAddr> {
	let mut bytes = [0u8; 10];
	getrandom::fill(&mut bytes).ok()?;
	let [a, b, c, d, e, f, g, h, i, j] = bytes;
	let port = u16::from_be_bytes([i, j]).max(1);
	let ip = match v6 {
		true => {
			let [p, q, r, s] = PREFIX;
			let word = |a, b| u16::from_be_bytes([a, b]);
			Ipv6Addr::new(p, q, r, s, word(a, b), word(c, d), word(e, f), word(g, h)).into()
		}
		// Never the broadcast address.
		false => Ipv4Addr::new(240 | a & 0x0f, b, c, d & 0xfe).into(),
	};
	Some(SocketAddr::new(ip, port))
}

/// How long [`NEW_BURST`] newcomers take to be earned again.
#[cfg(test)]
const REFILL: std::time::Duration =
	std::time::Duration::from_secs((NEW_BURST / NEW_PER_SECOND) as u64);

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	fn key(number: u32) -> NodeKey {
		let mut key = [0; 32];
		key[..4].copy_from_slice(&number.to_le_bytes());
		NodeKey(key)
	}

	#[test]
	fn mapped_addresses_are_told_from_real_ones() {
		for v6 in [false, true] {
			let mapped = Mapped::new(v6);
			for number in 0..100 {
				let (address, _) = mapped.dial(key(number), 0).unwrap();
				assert!(is_mapped(&address) && address.is_ipv6() == v6, "{address}");
				assert_eq!(mapped.route(&address), Some((key(number), 0)));
			}
		}
		for real in [
			"127.0.0.1:1",
			"239.255.255.255:1",
			"255.255.255.255:1",
			"[::1]:1",
			"[fd61:7269:6f6e:7266::1]:1",
			"[::ffff:10.0.0.1]:1",
		] {
			assert!(!is_mapped(&real.parse().unwrap()), "{real}");
		}
		assert!(is_mapped(&"[::ffff:240.0.0.1]:1".parse().unwrap()));
	}

	#[test]
	fn one_node_on_two_relays_has_two_addresses_that_stay() {
		let mapped = Mapped::new(false);
		let (a, _) = mapped.dial(key(1), 0).unwrap();
		let (b, _) = mapped.dial(key(1), 1).unwrap();
		assert_ne!(a, b);
		let now = Instant::now();
		assert_eq!(mapped.heard(key(1), 0, now), Some(a));
		assert_eq!(mapped.dial(key(1), 1).unwrap().0, b);
		assert_eq!(mapped.len(), 2);
	}

	#[test]
	fn a_flood_of_unknown_nodes_is_bounded_and_moves_no_connection() {
		let mapped = Mapped::new(true);
		let (used, hold) = mapped.dial(key(u32::MAX), 0).unwrap();
		let mut now = Instant::now();
		let mut taken = 0;
		for round in 0..40u32 {
			for number in 0..1000 {
				let newcomer = mapped.heard(key(round * 1000 + number), 0, now);
				taken += usize::from(newcomer.is_some());
			}
			now += REFILL;
		}
		assert_eq!(taken, 40 * NEW_BURST as usize);
		assert_eq!(mapped.len(), MOST);
		assert_eq!(mapped.route(&used), Some((key(u32::MAX), 0)));
		// Known ones are heard however many newcomers there are.
		assert_eq!(mapped.heard(key(u32::MAX), 0, now), Some(used));
		drop(hold);
	}

	#[test]
	fn with_every_address_in_use_no_new_one_is_given() {
		let mapped = Mapped::new(false);
		let holds: Vec<_> = (0..MOST as u32)
			.map(|number| mapped.dial(key(number), 0).unwrap())
			.collect();
		assert!(mapped.dial(key(u32::MAX), 0).is_none());
		assert!(mapped.heard(key(u32::MAX), 0, Instant::now()).is_none());
		drop(holds);
		assert!(mapped.dial(key(u32::MAX), 0).is_some());
	}
}
