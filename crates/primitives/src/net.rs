//! Where a node can be reached.

use alloc::{
	string::{String, ToString},
	vec::Vec,
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, net::IpAddr, str::FromStr};
use scale_info::TypeInfo;

/// Longest host name of a relay, in bytes.
pub const MAX_RELAY_HOST: u32 = 64;
/// Most relays a node lists.
pub const MAX_RELAYS: usize = 2;

/// Where a node can be reached: a UDP address on which it serves QUIC, or a relay it is connected
/// to.
#[derive(
	Clone,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum NodeAddress {
	/// IPv4 address and port.
	#[codec(index = 4)]
	V4 {
		/// The address in network order.
		ip: [u8; 4],
		/// The UDP port.
		port: u16,
	},
	/// IPv6 address and port.
	#[codec(index = 6)]
	V6 {
		/// The address in network order.
		ip: [u8; 16],
		/// The UDP port.
		port: u16,
	},
	/// A relay through which the node can be reached by its key.
	#[codec(index = 7)]
	Relay(RelayAddress),
}

impl NodeAddress {
	/// The port: UDP, or TCP of a relay.
	pub const fn port(&self) -> u16 {
		match self {
			Self::V4 { port, .. } | Self::V6 { port, .. } => *port,
			Self::Relay(relay) => relay.port,
		}
	}

	/// The relay, if it is one.
	pub const fn relay(&self) -> Option<&RelayAddress> {
		match self {
			Self::Relay(relay) => Some(relay),
			_ => None,
		}
	}

	/// Whether somebody could be reached there: no port 0, no unspecified, multicast or broadcast
	/// address, a sound relay. Addresses from elsewhere may be anything.
	pub fn is_sound(&self) -> bool {
		let ip_is_usable = match self {
			Self::V4 { ip, .. } => *ip != [0; 4] && *ip != [255; 4] && ip[0] & 0xf0 != 0xe0,
			Self::V6 { ip, .. } => *ip != [0; 16] && ip[0] != 0xff,
			Self::Relay(relay) => return relay.is_sound(),
		};
		ip_is_usable && self.port() != 0
	}

	/// The UDP address, if it is one.
	pub fn socket(&self) -> Option<core::net::SocketAddr> {
		match *self {
			Self::V4 { ip, port } => Some((ip, port).into()),
			Self::V6 { ip, port } => Some((ip, port).into()),
			Self::Relay(_) => None,
		}
	}
}

impl From<core::net::SocketAddr> for NodeAddress {
	fn from(address: core::net::SocketAddr) -> Self {
		let port = address.port();
		match address.ip() {
			IpAddr::V4(ip) => Self::V4 {
				ip: ip.octets(),
				port,
			},
			IpAddr::V6(ip) => Self::V6 {
				ip: ip.octets(),
				port,
			},
		}
	}
}

impl From<RelayAddress> for NodeAddress {
	fn from(relay: RelayAddress) -> Self {
		Self::Relay(relay)
	}
}

/// A relay for nodes without a reachable UDP address. Written `https://host:port`, or
/// `http://host:port` where there is no TLS.
#[derive(
	Clone,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct RelayAddress {
	/// Host name or IP address, without brackets.
	pub host: BoundedVec<u8, ConstU32<MAX_RELAY_HOST>>,
	/// The TCP port.
	pub port: u16,
	/// Whether it speaks TLS.
	pub tls: bool,
}

impl core::hash::Hash for RelayAddress {
	fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
		(self.host.as_slice(), self.port, self.tls).hash(state);
	}
}

/// Why a text or a triple is no relay's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayAddressError {
	/// It does not start with `https://` or `http://`.
	Scheme,
	/// The host is empty, too long, no name, or an IP address nobody can be reached at.
	Host,
	/// The port is no number from 1 to 65535.
	Port,
}

impl fmt::Display for RelayAddressError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Scheme => "a relay is written https://HOST:PORT (or http://HOST:PORT)",
			Self::Host => "the relay's host must be a name or IP address of at most 64 bytes",
			Self::Port => "the relay's port must be from 1 to 65535",
		})
	}
}

impl core::error::Error for RelayAddressError {}

impl RelayAddress {
	/// A relay at `host` and `port`.
	pub fn new(host: &str, port: u16, tls: bool) -> Result<Self, RelayAddressError> {
		let bytes: Vec<u8> = host.as_bytes().to_vec();
		let relay = Self {
			host: bytes.try_into().map_err(|_| RelayAddressError::Host)?,
			port,
			tls,
		};
		match (is_host(&relay.host), port) {
			(false, _) => Err(RelayAddressError::Host),
			(true, 0) => Err(RelayAddressError::Port),
			(true, _) => Ok(relay),
		}
	}

	/// Whether somebody could be reached there. Addresses from elsewhere may be anything.
	pub fn is_sound(&self) -> bool {
		is_host(&self.host) && self.port != 0
	}

	/// The host as text; empty if it is none.
	pub fn host(&self) -> &str {
		core::str::from_utf8(&self.host).unwrap_or_default()
	}
}

/// A name in the form of RFC 1123, or an IP address that is neither unspecified, multicast nor
/// broadcast.
fn is_host(host: &[u8]) -> bool {
	let Ok(host) = core::str::from_utf8(host) else {
		return false;
	};
	if let Ok(ip) = host.parse::<IpAddr>() {
		let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
		return !ip.is_unspecified() && !ip.is_multicast() && !broadcast;
	}
	let is_label = |label: &str| {
		(1..=63).contains(&label.len())
			&& !label.starts_with('-')
			&& !label.ends_with('-')
			&& label
				.bytes()
				.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
	};
	// A name whose last label is a number would be a malformed IPv4 address.
	let last = host.rsplit('.').next().unwrap_or_default();
	host.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for RelayAddress {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let scheme = if self.tls { "https" } else { "http" };
		let host = String::from_utf8_lossy(&self.host);
		match host.contains(':') {
			true => write!(f, "{scheme}://[{host}]:{}", self.port),
			false => write!(f, "{scheme}://{host}:{}", self.port),
		}
	}
}

impl fmt::Debug for RelayAddress {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.to_string())
	}
}

impl FromStr for RelayAddress {
	type Err = RelayAddressError;

	/// Reads what `Display` writes; a trailing slash is allowed, a left out port is 443, or 80
	/// without TLS.
	fn from_str(text: &str) -> Result<Self, Self::Err> {
		let (rest, tls) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
			(Some(rest), _) => (rest, true),
			(None, Some(rest)) => (rest, false),
			(None, None) => return Err(RelayAddressError::Scheme),
		};
		let rest = rest.strip_suffix('/').unwrap_or(rest);
		let (host, port) = match rest.strip_prefix('[') {
			Some(rest) => {
				let (host, after) = rest.split_once(']').ok_or(RelayAddressError::Host)?;
				let port = match after {
					"" => None,
					_ => Some(after.strip_prefix(':').ok_or(RelayAddressError::Port)?),
				};
				(host, port)
			}
			None => match rest.split_once(':') {
				Some((host, port)) => (host, Some(port)),
				None => (rest, None),
			},
		};
		let port = match port {
			Some(port) => port.parse().map_err(|_| RelayAddressError::Port)?,
			None if tls => 443,
			None => 80,
		};
		Self::new(host, port, tls)
	}
}

#[cfg(feature = "serde")]
impl serde::Serialize for RelayAddress {
	fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(self)
	}
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for RelayAddress {
	fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let text = String::deserialize(deserializer)?;
		text.parse().map_err(serde::de::Error::custom)
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	#[test]
	fn relays_are_read_as_written() {
		for text in [
			"https://relay.example.org:443",
			"http://127.0.0.1:3340",
			"https://[2001:db8::1]:8443",
			"http://localhost:1",
		] {
			let relay: RelayAddress = text.parse().unwrap();
			assert_eq!(relay.to_string(), text);
			let coded = NodeAddress::from(relay.clone()).encode();
			assert_eq!(
				NodeAddress::decode(&mut &coded[..]).unwrap().relay(),
				Some(&relay)
			);
			assert!(coded.len() <= NodeAddress::max_encoded_len());
		}
		let short: RelayAddress = "https://relay.example.org/".parse().unwrap();
		assert_eq!(short.port, 443);
		assert_eq!("http://[::1]".parse::<RelayAddress>().unwrap().port, 80);
	}

	#[test]
	fn what_is_no_relay_is_refused_and_why() {
		use RelayAddressError::{Host, Port, Scheme};
		let long = alloc::format!("https://{}:1", "a.".repeat(32) + "b");
		for (text, why) in [
			("relay.example.org:443", Scheme),
			("wss://relay.example.org:443", Scheme),
			("https://", Host),
			("https://:443", Host),
			("https://a..b:1", Host),
			("https://-a:1", Host),
			("https://a b:1", Host),
			("https://a/b:1", Host),
			("https://user@host:1", Host),
			("https://1.2.3.400:1", Host),
			("http://0.0.0.0:1", Host),
			("http://[::]:1", Host),
			("http://224.0.0.1:1", Host),
			("http://255.255.255.255:1", Host),
			("http://[::1:1", Host),
			(&long, Host),
			("http://[::1]1", Port),
			("https://a:0", Port),
			("https://a:70000", Port),
			("https://a:b", Port),
			("https://a:1/relay", Port),
		] {
			assert_eq!(text.parse::<RelayAddress>(), Err(why), "{text}");
		}
	}

	#[test]
	fn the_form_on_chain_is_pinned() {
		let relay = RelayAddress::new("ab", 258, true).unwrap();
		assert_eq!(
			NodeAddress::Relay(relay).encode(),
			[7, 8, b'a', b'b', 2, 1, 1]
		);
		let socket: core::net::SocketAddr = "1.2.3.4:5".parse().unwrap();
		assert_eq!(NodeAddress::from(socket).encode(), [4, 1, 2, 3, 4, 5, 0]);
		assert_eq!(NodeAddress::from(socket).socket(), Some(socket));
		// Longer than allowed: not even decoded.
		let mut over = alloc::vec![7];
		over.extend(codec::Compact(65u32).encode());
		over.extend([b'a'; 65]);
		over.extend([1, 0, 0]);
		assert!(NodeAddress::decode(&mut &over[..]).is_err());
	}
}
