//! The network: ports, socket buffers, declared addresses.

use super::report::Finding;
use arion_grid::{Grid, GridConfig, GridError, Identity};
use hippius_primitives::NodeKey;
use std::{
	io,
	net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
	sync::Arc,
};

/// Whether a port can be had, or is the running daemon's.
fn port(
	check: &'static str,
	setting: &str,
	bound: io::Result<()>,
	address: SocketAddr,
	daemon: Option<SocketAddr>,
) -> Finding {
	if let Some(used) = daemon {
		return Finding::ok(check, format!("{used} is served by the running miner"));
	}
	match bound {
		Ok(()) => Finding::ok(check, format!("{address} is free")),
		Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::error(
			check,
			format!("{address} is in use by another program"),
			format!("end that program (`ss -lpn` shows it), or choose another {setting}"),
		),
		Err(error) => Finding::error(
			check,
			format!("{address} cannot be used: {error}"),
			format!("set {setting} to an address of this machine and a port above 1023"),
		),
	}
}

/// The QUIC port; `daemon` is what the running miner serves on.
pub fn udp_port(address: SocketAddr, daemon: Option<SocketAddr>) -> Finding {
	let bound = match daemon {
		None => UdpSocket::bind(address).map(drop),
		Some(_) => Ok(()),
	};
	port("udp-port", "grid.listen", bound, address, daemon)
}

/// The control API's port.
pub fn control_port(address: SocketAddr, daemon: Option<SocketAddr>) -> Finding {
	let bound = match daemon {
		None => TcpListener::bind(address).map(drop),
		Some(_) => Ok(()),
	};
	port("control-port", "control.listen", bound, address, daemon)
}

/// A kernel limit on socket buffers, in bytes, against what the transport asks for.
pub fn buffer_limit(name: &'static str, limit: Option<u64>, wanted: u64) -> Finding {
	match limit {
		None => Finding::skipped(
			"socket-buffers",
			format!("net.core.{name} cannot be read here"),
		),
		Some(limit) if limit >= wanted => {
			Finding::ok("socket-buffers", format!("net.core.{name} is {limit}"))
		}
		Some(limit) => Finding::warning(
			"socket-buffers",
			format!(
				"net.core.{name} is {limit}, {wanted} is asked for: packets get lost under load"
			),
			format!("run `sysctl -w net.core.{name}={wanted}` and put it into /etc/sysctl.d/"),
		),
	}
}

/// Whether peers elsewhere could ever reach an address.
pub fn address(address: SocketAddr) -> Finding {
	let scope = match address.ip() {
		IpAddr::V4(ip) if ip.is_loopback() => Some("this machine"),
		IpAddr::V4(ip) if ip.is_link_local() => Some("this link"),
		IpAddr::V4(ip) if ip.is_private() || is_shared(ip.octets()) => Some("a private network"),
		IpAddr::V6(ip) if ip.is_loopback() => Some("this machine"),
		IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("this link"),
		IpAddr::V6(ip) if ip.is_unique_local() => Some("a private network"),
		_ => None,
	};
	match scope {
		None => Finding::ok("address", format!("{address} is a public address")),
		Some(scope) => Finding::warning(
			"address",
			format!("{address} reaches no further than {scope}"),
			"put the address others see into grid.public, and have the router forward its UDP port here",
		),
	}
}

/// Addresses of carrier-grade NAT, RFC 6598.
fn is_shared(ip: [u8; 4]) -> bool {
	ip[0] == 100 && ip[1] & 0xc0 == 64
}

/// Dials a declared address from here, as a peer would.
pub async fn dial(address: SocketAddr, key: NodeKey) -> Finding {
	let any = match address {
		SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
		SocketAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
	};
	let grid = match Identity::generate()
		.map_err(|error| error.to_string())
		.and_then(|identity| {
			Grid::bind(any, Arc::new(identity), GridConfig::default())
				.map_err(|error| error.to_string())
		}) {
		Ok(grid) => grid,
		Err(error) => return Finding::skipped("reachable", error),
	};
	let outcome = grid.peer(key, vec![address]).connect().await;
	grid.close().await;
	reached(address, outcome)
}

/// What came of dialling a declared address.
fn reached(address: SocketAddr, outcome: Result<(), GridError>) -> Finding {
	match outcome {
		Ok(()) => Finding::ok(
			"reachable",
			format!("{address} answers under this node's key, asked from this machine"),
		),
		Err(error) => Finding::warning(
			"reachable",
			format!("{address} does not answer from this machine: {error}"),
			"open the UDP port in firewall and router; if the router cannot lead its own network back to itself, ask from elsewhere",
		),
	}
}

/// What other nodes told the running miner of the NAT before it, and whether it is behind relays.
pub fn nat(kind: Option<&str>, relays: bool) -> Finding {
	match kind {
		Some("none") => Finding::ok("nat", "other nodes see this node's own address"),
		Some(kind @ ("easy" | "hard")) if relays => Finding::ok(
			"nat",
			format!("there is a NAT ({kind}), and a relay for it"),
		),
		Some("easy") => Finding::warning(
			"nat",
			"there is a NAT that keeps one port for all",
			"have the router forward the UDP port of grid.listen, or set grid.relays",
		),
		Some("hard") => Finding::warning(
			"nat",
			"there is a NAT that gives every peer another port: nobody gets through uninvited",
			"have the router forward the UDP port of grid.listen, or set grid.relays",
		),
		_ => Finding::skipped(
			"nat",
			"not known: the miner does not run, or two other nodes have not answered yet",
		),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::doctor::report::Level;

	#[test]
	fn nats_are_told_with_their_mend() {
		for (kind, relays, level) in [
			(Some("none"), false, Level::Ok),
			(Some("easy"), true, Level::Ok),
			(Some("easy"), false, Level::Warning),
			(Some("hard"), false, Level::Warning),
			(Some("unknown"), true, Level::Skipped),
			(None, false, Level::Skipped),
		] {
			assert_eq!(nat(kind, relays).level, level, "{kind:?} {relays}");
		}
	}

	#[test]
	fn ports_that_are_taken_free_or_ours() {
		let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
		let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
		let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
		for finding in [udp_port(udp_at, None), control_port(tcp_at, None)] {
			assert_eq!(finding.level, Level::Error);
			assert!(finding.text.contains("in use"), "{}", finding.text);
		}
		assert_eq!(udp_port(udp_at, Some(udp_at)).level, Level::Ok);
		assert_eq!(control_port(tcp_at, Some(tcp_at)).level, Level::Ok);
		drop((udp, tcp));
		assert_eq!(udp_port(udp_at, None).level, Level::Ok);
		let elsewhere = "192.0.2.1:4100".parse().unwrap();
		assert_eq!(udp_port(elsewhere, None).level, Level::Error);
	}

	#[test]
	fn buffers_that_are_small() {
		assert_eq!(buffer_limit("rmem_max", Some(7), 7).level, Level::Ok);
		assert_eq!(buffer_limit("rmem_max", None, 7).level, Level::Skipped);
		let small = buffer_limit("wmem_max", Some(6), 7);
		assert_eq!(small.level, Level::Warning);
		assert!(small
			.mend
			.unwrap()
			.contains("sysctl -w net.core.wmem_max=7"));
	}

	#[test]
	fn addresses_others_cannot_reach() {
		for near in [
			"127.0.0.1:1",
			"10.0.0.1:1",
			"192.168.1.1:1",
			"100.64.0.1:1",
			"169.254.0.1:1",
			"[::1]:1",
			"[fe80::1]:1",
			"[fd00::1]:1",
		] {
			assert_eq!(
				address(near.parse().unwrap()).level,
				Level::Warning,
				"{near}"
			);
		}
		for far in ["203.0.113.7:4100", "100.128.0.1:1", "[2001:db8::1]:1"] {
			assert_eq!(address(far.parse().unwrap()).level, Level::Ok, "{far}");
		}
	}
}
