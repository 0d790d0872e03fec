//! Where a node can be reached.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A UDP address on which a node serves QUIC.
#[derive(
	Clone,
	Copy,
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
}

impl NodeAddress {
	/// The UDP port.
	pub const fn port(&self) -> u16 {
		match self {
			Self::V4 { port, .. } | Self::V6 { port, .. } => *port,
		}
	}
}

#[cfg(feature = "std")]
impl From<std::net::SocketAddr> for NodeAddress {
	fn from(address: std::net::SocketAddr) -> Self {
		let port = address.port();
		match address.ip() {
			std::net::IpAddr::V4(ip) => Self::V4 {
				ip: ip.octets(),
				port,
			},
			std::net::IpAddr::V6(ip) => Self::V6 {
				ip: ip.octets(),
				port,
			},
		}
	}
}

#[cfg(feature = "std")]
impl From<NodeAddress> for std::net::SocketAddr {
	fn from(address: NodeAddress) -> Self {
		match address {
			NodeAddress::V4 { ip, port } => (ip, port).into(),
			NodeAddress::V6 { ip, port } => (ip, port).into(),
		}
	}
}
