//! Where a node may be probed. A peer says so of itself, and may lie to have others flooded.

use crate::relay::is_mapped;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses one side names, at most.
pub(crate) const MOST: usize = 8;
/// Lower ports belong to services that answer packets of strangers (DNS, NTP, ..): no probes there.
const LEAST_PORT: u16 = 1024;

/// An address without the differences that mean nothing: IPv4 in IPv6, scopes, flow labels.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
	SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Those of a peer's addresses that may be probed from here, each once, at most [`MOST`]. `local`
/// are this node's own: private addresses are taken only from its own networks.
pub(crate) fn sane(
	claimed: impl IntoIterator<Item = SocketAddr>,
	local: &[SocketAddr],
	v6: bool,
	loopback: bool,
) -> Vec<SocketAddr> {
	let mut taken = Vec::new();
	for address in claimed.into_iter().take(MOST).map(plain) {
		let shared = || local.iter().any(|own| is_shared(own.ip(), address.ip()));
		let ours = local.iter().any(|own| plain(*own) == address);
		let fits = match scope(&address) {
			Scope::Public => true,
			Scope::Private => shared(),
			Scope::Loopback => loopback,
			Scope::None => false,
		};
		let reachable = v6 || address.is_ipv4();
		if fits && reachable && !ours && !taken.contains(&address) {
			taken.push(address);
		}
	}
	taken
}

#[derive(Debug, PartialEq, Eq)]
enum Scope {
	Public,
	Private,
	Loopback,
	/// Nobody is there, or many are.
	None,
}

fn scope(address: &SocketAddr) -> Scope {
	if address.port() < LEAST_PORT || is_mapped(address) {
		return Scope::None;
	}
	match address.ip() {
		ip if ip.is_unspecified() || ip.is_multicast() => Scope::None,
		ip if ip.is_loopback() => Scope::Loopback,
		IpAddr::V4(ip) => match ip.octets() {
			[0, ..] | [255, 255, 255, 255] | [169, 254, ..] => Scope::None,
			// Shared between carrier and customer (RFC 6598).
			[100, b, ..] if b & 0xc0 == 64 => Scope::Private,
			_ if ip.is_private() => Scope::Private,
			_ => Scope::Public,
		},
		IpAddr::V6(ip) => match ip.segments()[0] {
			first if first & 0xfe00 == 0xfc00 => Scope::Private,
			// Only global unicast: not link-local, site-local, translated or deprecated.
			first if first & 0xe000 == 0x2000 => Scope::Public,
			_ => Scope::None,
		},
	}
}

/// Whether two addresses look as if they were on one network: /24 of IPv4, /64 of IPv6.
fn is_shared(a: IpAddr, b: IpAddr) -> bool {
	match (a.to_canonical(), b.to_canonical()) {
		(IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
		(IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..4] == b.segments()[..4],
		_ => false,
	}
}

/// Addresses of this machine that packets of the socket at `bound` leave with.
pub(crate) fn own(bound: SocketAddr) -> Vec<SocketAddr> {
	if !bound.ip().is_unspecified() {
		return vec![plain(bound)];
	}
	// Addresses for tests of devices (RFC 2544, RFC 5180): they are beyond the default route.
	let far: &[SocketAddr] = match bound.is_ipv6() {
		true => &[FAR_V4, FAR_V6],
		false => &[FAR_V4],
	};
	let sources = far.iter().filter_map(|far| source(*far));
	sources
		.filter(|ip| !ip.is_loopback())
		.map(|ip| plain(SocketAddr::new(ip, bound.port())))
		.collect()
}

const FAR_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1)), 9);
const FAR_V6: SocketAddr =
	SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1)), 9);

/// The address of this machine that packets to `to` leave with, if there is a way there; looks up
/// the route, and sends nothing.
pub(crate) fn source(to: SocketAddr) -> Option<IpAddr> {
	let any: IpAddr = match to {
		SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
		SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
	};
	let socket = UdpSocket::bind((any, 0)).ok()?;
	socket.connect(to).ok()?;
	let ip = socket.local_addr().ok()?.ip();
	(!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	fn list(text: &[&str]) -> Vec<SocketAddr> {
		text.iter().map(|text| text.parse().unwrap()).collect()
	}

	#[test]
	fn only_places_where_one_node_can_be_are_probed() {
		let local = list(&["10.1.2.3:4000", "[2001:db8:1:2::3]:4000"]);
		let taken = |text: &str| !sane(list(&[text]), &local, true, false).is_empty();
		for good in [
			"203.0.113.7:60000",
			"[::ffff:203.0.113.7]:60000",
			"[2001:db8::1]:4000",
			// On our own network.
			"10.1.2.9:4000",
		] {
			assert!(taken(good), "{good}");
		}
		for bad in [
			"0.0.0.0:4000",
			"0.1.2.3:4000",
			"255.255.255.255:4000",
			"224.0.0.251:5353",
			"[ff02::fb]:5353",
			"[::]:4000",
			"127.0.0.1:4000",
			"[::1]:4000",
			"[::ffff:127.0.0.1]:4000",
			"169.254.169.254:4000",
			"[fe80::1]:4000",
			"100.64.0.1:4000",
			"192.168.1.1:4000",
			"10.1.3.9:4000",
			"[fd00::1]:4000",
			"240.0.0.1:4000",
			"[fd61:7269:6f6e:7265::1]:4000",
			// A reflector, and no port at all.
			"203.0.113.7:53",
			"203.0.113.7:0",
			// Ourselves.
			"10.1.2.3:4000",
		] {
			assert!(!taken(bad), "{bad}");
		}
		let v4 = sane(list(&["[2001:db8::1]:4000"]), &local, false, false);
		assert!(v4.is_empty(), "a socket without IPv6 cannot send there");
		let test = sane(list(&["127.0.0.1:4000"]), &local, false, true);
		assert_eq!(test, list(&["127.0.0.1:4000"]));
	}

	#[test]
	fn a_long_list_and_repetitions_make_no_more_targets() {
		let many = (0..100u16).map(|n| SocketAddr::from(([203, 0, 113, 7], 2000 + n)));
		assert_eq!(sane(many, &[], false, false).len(), MOST);
		let same = list(&["203.0.113.7:2000", "[::ffff:203.0.113.7]:2000"]);
		assert_eq!(sane(same, &[], true, false), list(&["203.0.113.7:2000"]));
	}

	#[test]
	fn own_addresses_are_those_packets_leave_with() {
		let bound = list(&["127.0.0.1:4000"])[0];
		assert_eq!(own(bound), [bound]);
		for any in ["0.0.0.0:4000", "[::]:4000"] {
			for address in own(any.parse().unwrap()) {
				assert!(!address.ip().is_unspecified() && address.port() == 4000);
			}
		}
		for here in list(&["127.0.0.1:9", "[::1]:9"]) {
			assert!(source(here).is_none_or(|ip| ip == here.ip()), "{here}");
		}
	}
}
