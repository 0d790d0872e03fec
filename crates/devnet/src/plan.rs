//! What a local network consists of: names, ports, folders, zones and families. Pure.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Miners of the network; one per shard of a stripe.
pub const MINERS: u16 = 30;
/// Placement zones.
pub const ZONES: u16 = 6;
/// Miners per family.
pub const PER_FAMILY: u16 = 3;
/// Families.
pub const FAMILIES: u16 = MINERS / PER_FAMILY;
/// Validators, by their well-known development names.
pub const VALIDATORS: [&str; 3] = ["alice", "bob", "charlie"];
/// The libp2p identity of the first validator, which its fixed node key gives.
pub const BOOT_PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
/// The full node that hosts the miners' offchain workers.
pub const FULL_NODE: &str = "node";
/// The gateway.
pub const GATEWAY: &str = "gateway";
/// The relay.
pub const RELAY: &str = "relay";
/// First port used unless told otherwise; below the range systems draw outgoing ports from.
pub const DEFAULT_BASE_PORT: u16 = 21900;
/// Ports used, counted from the base.
pub const PORTS: u16 = 100;

const GATEWAY_OFFSET: u16 = 12;
const RELAY_OFFSET: u16 = 13;
const MINER_CONTROL_OFFSET: u16 = 20;
const COLLECTOR_OFFSET: u16 = 50;
const MINER_GRID_OFFSET: u16 = 60;
const SPARE_OFFSET: u16 = 95;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
	/// TCP.
	Tcp,
	/// UDP.
	Udp,
}

impl Protocol {
	/// Its usual name.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Tcp => "TCP",
			Self::Udp => "UDP",
		}
	}
}

/// A chain node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
	/// `alice`, `bob`, `charlie` or `node`.
	pub name: &'static str,
	/// JSON-RPC, HTTP and WebSocket on one port.
	pub rpc_port: u16,
	/// libp2p over TCP.
	pub p2p_port: u16,
	/// Prometheus.
	pub metrics_port: u16,
	/// Secret of its libp2p identity, hexadecimal; fixed, so that its peer id never changes.
	pub node_key: String,
	/// Data folder.
	pub base_path: PathBuf,
	/// Whether it authors blocks.
	pub validator: bool,
	/// Where a validator collects heartbeats, over QUIC.
	pub collector_port: Option<u16>,
}

impl NodePlan {
	/// What polkadot.js connects to.
	pub fn ws(&self) -> String {
		format!("ws://127.0.0.1:{}", self.rpc_port)
	}

	/// JSON-RPC over HTTP.
	pub fn http(&self) -> String {
		format!("http://127.0.0.1:{}", self.rpc_port)
	}
}

/// A miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerPlan {
	/// `miner-01` to `miner-30`.
	pub name: String,
	/// Zone, `0..ZONES`.
	pub zone: u16,
	/// Family, `0..FAMILIES`.
	pub family: u16,
	/// Host name declared on chain: each miner its own, as if on its own machine.
	pub host: String,
	/// Loopback control HTTP.
	pub control_port: u16,
	/// QUIC.
	pub grid_port: u16,
	/// Data folder.
	pub base_path: PathBuf,
}

impl MinerPlan {
	/// Control URL.
	pub fn control(&self) -> String {
		format!("http://127.0.0.1:{}", self.control_port)
	}

	/// The file with the control API's bearer token.
	pub fn token_file(&self) -> PathBuf {
		self.base_path.join("control.token")
	}
}

/// The gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPlan {
	/// Loopback HTTP.
	pub http_port: u16,
	/// Data folder.
	pub base_path: PathBuf,
}

impl GatewayPlan {
	/// HTTP URL.
	pub fn url(&self) -> String {
		format!("http://127.0.0.1:{}", self.http_port)
	}

	/// The file with the HTTP bearer token.
	pub fn token_file(&self) -> PathBuf {
		self.base_path.join("http.token")
	}

	/// The file with the secret of the account that appends to the ledgers.
	pub fn account_file(&self) -> PathBuf {
		self.base_path.with_extension("account")
	}
}

/// That account.
pub const GATEWAY_SURI: &str = "//Ferdie";
/// An account that may pay for uploads through the gateway, once it has authorised it.
pub const BUYER_SURI: &str = "//Buyer";

/// The relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPlan {
	/// Clients' TCP port.
	pub port: u16,
	/// Prometheus.
	pub metrics_port: u16,
	/// The zone whose miners are behind it.
	pub zone: u16,
	/// File with the keys that are admitted besides registered nodes.
	pub allow_file: PathBuf,
}

impl RelayPlan {
	/// As nodes name it.
	pub fn url(&self) -> String {
		format!("http://127.0.0.1:{}", self.port)
	}

	/// Where Prometheus reads.
	pub fn metrics(&self) -> String {
		format!("http://127.0.0.1:{}/metrics", self.metrics_port)
	}
}

/// The whole network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
	/// First port.
	pub base_port: u16,
	/// Validators, the first one also being the boot node.
	pub validators: Vec<NodePlan>,
	/// The full node with the offchain worker.
	pub full_node: NodePlan,
	/// Miners.
	pub miners: Vec<MinerPlan>,
	/// Gateway.
	pub gateway: GatewayPlan,
	/// The relay, if there is one.
	pub relay: Option<RelayPlan>,
	/// The zone with a miner more than the others, if there is one.
	pub spare_zone: Option<u16>,
}

impl Plan {
	/// Lays the network out from a first port and a state folder.
	pub fn new(base_port: u16, dir: &Path) -> Result<Self> {
		let most = u16::MAX - PORTS + 1;
		if base_port < 1024 || base_port > most {
			return Err(Error::PortRange {
				base: base_port,
				needed: PORTS,
				most,
			});
		}
		let node = |name: &'static str, offset: u16, validator: bool| NodePlan {
			name,
			rpc_port: base_port + offset * 3,
			p2p_port: base_port + offset * 3 + 1,
			metrics_port: base_port + offset * 3 + 2,
			node_key: format!("{:064x}", offset + 1),
			base_path: dir.join("nodes").join(name),
			validator,
			collector_port: validator.then_some(base_port + COLLECTOR_OFFSET + offset),
		};
		let validators = VALIDATORS
			.iter()
			.zip(0..)
			.map(|(name, offset)| node(name, offset, true))
			.collect();
		let miners = (0..MINERS)
			.map(|number| miner(number, number % ZONES, base_port, dir))
			.collect();
		Ok(Self {
			base_port,
			validators,
			full_node: node(FULL_NODE, 3, false),
			miners,
			gateway: GatewayPlan {
				http_port: base_port + GATEWAY_OFFSET,
				base_path: dir.join("gateway"),
			},
			relay: None,
			spare_zone: None,
		})
	}

	/// Adds a miner to a zone, of a family of its own: without it a zone that loses a miner has too few
	/// for the placement rule, and the map stays as it is.
	pub fn with_spare(mut self, zone: Option<u16>, dir: &Path) -> Result<Self> {
		let Some(zone) = zone else { return Ok(self) };
		if zone >= ZONES {
			return Err(Error::Usage(format!(
				"--spare-zone {zone}: zones are 0 to {}",
				ZONES - 1
			)));
		}
		self.spare_zone = Some(zone);
		self.miners.push(miner(MINERS, zone, self.base_port, dir));
		Ok(self)
	}

	/// The families, by number.
	pub fn families(&self) -> std::ops::Range<u16> {
		0..FAMILIES + u16::from(self.spare_zone.is_some())
	}

	/// Puts the miners of a zone behind a relay.
	pub fn with_relay(mut self, zone: Option<u16>, dir: &Path) -> Result<Self> {
		if let Some(zone) = zone {
			if zone >= ZONES {
				return Err(Error::Usage(format!(
					"--relayed-zone {zone}: zones are 0 to {}",
					ZONES - 1
				)));
			}
			self.relay = Some(RelayPlan {
				port: self.base_port + RELAY_OFFSET,
				metrics_port: self.base_port + RELAY_OFFSET + 1,
				zone,
				allow_file: dir.join("relay-keys"),
			});
		}
		Ok(self)
	}

	/// The relay a miner is behind, if it is.
	pub fn relay_of(&self, miner: &MinerPlan) -> Option<&RelayPlan> {
		self.relay.as_ref().filter(|relay| relay.zone == miner.zone)
	}

	/// Every port with its user.
	pub fn ports(&self) -> Vec<(Protocol, u16, String)> {
		let mut ports = Vec::new();
		for node in self.nodes() {
			ports.push((
				Protocol::Tcp,
				node.rpc_port,
				format!("RPC of {}", node.name),
			));
			ports.push((
				Protocol::Tcp,
				node.p2p_port,
				format!("p2p of {}", node.name),
			));
			ports.push((
				Protocol::Tcp,
				node.metrics_port,
				format!("metrics of {}", node.name),
			));
			if let Some(port) = node.collector_port {
				ports.push((Protocol::Udp, port, format!("collector of {}", node.name)));
			}
		}
		ports.push((
			Protocol::Tcp,
			self.gateway.http_port,
			"HTTP of gateway".into(),
		));
		if let Some(relay) = &self.relay {
			ports.push((Protocol::Tcp, relay.port, "clients of relay".into()));
			ports.push((Protocol::Tcp, relay.metrics_port, "metrics of relay".into()));
		}
		for miner in &self.miners {
			ports.push((
				Protocol::Tcp,
				miner.control_port,
				format!("control of {}", miner.name),
			));
			ports.push((
				Protocol::Udp,
				miner.grid_port,
				format!("QUIC of {}", miner.name),
			));
		}
		ports
	}

	/// Chain nodes, validators first.
	pub fn nodes(&self) -> impl Iterator<Item = &NodePlan> {
		self.validators
			.iter()
			.chain(std::iter::once(&self.full_node))
	}

	/// The members of a family, in order.
	pub fn family(&self, family: u16) -> impl Iterator<Item = &MinerPlan> {
		self.miners
			.iter()
			.filter(move |miner| miner.family == family)
	}

	/// Fails with the first port of the plan that is in use.
	pub fn check_ports(&self) -> Result<()> {
		for (protocol, port, what) in self.ports() {
			let address = (std::net::Ipv4Addr::LOCALHOST, port);
			let free = match protocol {
				Protocol::Tcp => std::net::TcpListener::bind(address).map(drop),
				Protocol::Udp => std::net::UdpSocket::bind(address).map(drop),
			};
			if let Err(cause) = free {
				return Err(match cause.kind() {
					std::io::ErrorKind::AddrInUse => Error::PortTaken {
						port,
						protocol: protocol.name(),
						what,
					},
					_ => Error::Io {
						what: format!("listen on {} port {port} ({what})", protocol.name()),
						source: cause,
					},
				});
			}
		}
		Ok(())
	}
}

/// The miner with this number, counted from 0; one beyond the usual has ports behind all others.
fn miner(number: u16, zone: u16, base_port: u16, dir: &Path) -> MinerPlan {
	let name = miner_name(number);
	let (control, grid) = match number {
		0..MINERS => (MINER_CONTROL_OFFSET + number, MINER_GRID_OFFSET + number),
		_ => (SPARE_OFFSET, SPARE_OFFSET),
	};
	MinerPlan {
		zone,
		family: number / PER_FAMILY,
		host: format!("host-{:02}", number + 1),
		control_port: base_port + control,
		grid_port: base_port + grid,
		base_path: dir.join("miners").join(&name),
		name,
	}
}

/// Name of the miner with this number, counted from 0.
pub fn miner_name(index: u16) -> String {
	format!("miner-{:02}", index + 1)
}

/// The secret URI of a family's account: a well-known development key, worth nothing elsewhere.
pub fn family_suri(family: u16) -> String {
	format!("//Family{:02}", family + 1)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use std::collections::{BTreeMap, BTreeSet};

	fn plan() -> Plan {
		Plan::new(DEFAULT_BASE_PORT, Path::new("/tmp/x")).unwrap()
	}

	#[test]
	fn ports_are_distinct_and_within_the_range() {
		let plan = plan();
		let ports = plan.ports();
		let numbers: BTreeSet<u16> = ports.iter().map(|(_, port, _)| *port).collect();
		assert_eq!(numbers.len(), ports.len());
		assert_eq!(ports.len(), 4 * 3 + 3 + 1 + 2 * 30);
		assert!(numbers
			.iter()
			.all(|p| (plan.base_port..plan.base_port + PORTS).contains(p)));
	}

	#[test]
	fn one_zone_is_behind_the_relay() {
		let plan = plan().with_relay(Some(2), Path::new("/tmp/x")).unwrap();
		let behind = plan
			.miners
			.iter()
			.filter(|miner| plan.relay_of(miner).is_some());
		assert!(behind.clone().all(|miner| miner.zone == 2));
		assert_eq!(behind.count(), 5);
		let numbers: BTreeSet<u16> = plan.ports().iter().map(|(_, port, _)| *port).collect();
		assert_eq!(numbers.len(), 4 * 3 + 3 + 1 + 2 + 2 * 30);
		assert!(super::tests::plan()
			.with_relay(Some(ZONES), Path::new("/"))
			.is_err());
	}

	#[test]
	fn one_zone_has_a_miner_more() {
		let dir = Path::new("/tmp/x");
		let plan = plan().with_spare(Some(2), dir).unwrap();
		let of_zone = plan.miners.iter().filter(|miner| miner.zone == 2);
		assert_eq!((plan.miners.len(), of_zone.count()), (31, 6));
		let numbers: BTreeSet<(Protocol, u16)> = plan
			.ports()
			.iter()
			.map(|(protocol, port, _)| (*protocol, *port))
			.collect();
		assert_eq!(numbers.len(), 4 * 3 + 3 + 1 + 2 * 31);
		let spare = plan.miners.last().unwrap();
		assert_eq!((spare.name.as_str(), spare.family), ("miner-31", 10));
		assert_eq!(plan.families(), 0..11);
		assert_eq!(plan.family(10).count(), 1);
		assert!(super::tests::plan().with_spare(Some(ZONES), dir).is_err());
	}

	#[test]
	fn zones_are_even_and_a_family_never_shares_a_zone() {
		let plan = plan();
		let mut zones: BTreeMap<u16, usize> = BTreeMap::new();
		for miner in &plan.miners {
			*zones.entry(miner.zone).or_default() += 1;
		}
		assert_eq!(zones.len(), usize::from(ZONES));
		assert!(zones.values().all(|count| *count == 5));
		for family in 0..FAMILIES {
			let zones: BTreeSet<u16> = plan.family(family).map(|miner| miner.zone).collect();
			assert_eq!(zones.len(), usize::from(PER_FAMILY));
		}
	}

	#[test]
	fn names_and_folders_are_distinct() {
		let plan = plan();
		let mut seen = BTreeSet::new();
		for path in plan
			.nodes()
			.map(|node| &node.base_path)
			.chain(plan.miners.iter().map(|miner| &miner.base_path))
			.chain([&plan.gateway.base_path])
		{
			assert!(seen.insert(path.clone()), "{path:?} twice");
		}
		assert_eq!(plan.miners.first().unwrap().name, "miner-01");
		assert_eq!(plan.miners.last().unwrap().name, "miner-30");
		let accounts: BTreeSet<String> = (0..FAMILIES).map(family_suri).collect();
		assert_eq!(accounts.len(), 10);
	}

	#[test]
	fn a_base_port_without_room_is_refused() {
		let most = u16::MAX - PORTS + 1;
		assert!(Plan::new(most, Path::new("/tmp/x")).is_ok());
		assert!(matches!(
			Plan::new(most + 1, Path::new("/tmp/x")),
			Err(Error::PortRange { needed: PORTS, .. })
		));
		assert!(Plan::new(80, Path::new("/tmp/x")).is_err());
	}

	/// Finds a range in which nothing listens, then takes one port of it.
	#[test]
	fn a_taken_port_is_named_with_the_mend() {
		for base in (20000..30000).step_by(usize::from(PORTS)) {
			let plan = Plan::new(base, Path::new("/tmp/x")).unwrap();
			if plan.check_ports().is_err() {
				continue;
			}
			let miner = plan.miners.get(4).unwrap();
			let Ok(_held) = std::net::UdpSocket::bind(("127.0.0.1", miner.grid_port)) else {
				continue;
			};
			let message = plan.check_ports().unwrap_err().to_string();
			assert!(
				message.contains(&format!("UDP port {}", miner.grid_port)),
				"{message}"
			);
			assert!(message.contains("QUIC of miner-05"), "{message}");
			assert!(message.contains("--base-port"), "{message}");
			return;
		}
		panic!("no free range between 20000 and 30000");
	}
}
