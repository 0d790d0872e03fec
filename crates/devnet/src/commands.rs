//! The command lines of the programs: the only place that knows their flags.

use crate::{
	plan::{self, family_suri, GatewayPlan, MinerPlan, NodePlan, Plan, RelayPlan},
	process::Spec,
	state::{Address, Entry, Kind, StateDir},
};
use std::path::{Path, PathBuf};

/// What each miner commits to hold. Small, because a miner reserves its volumes on disk.
pub const CAPACITY: &str = "4GiB";
/// The same, in bytes.
pub const CAPACITY_BYTES: u64 = 4 << 30;

/// The chain node.
pub const NODE: &str = "hippius-node";
/// The miner daemon.
pub const MINER: &str = "arion-miner";
/// The gateway.
pub const GATEWAY: &str = "arion-gateway";
/// The relay.
pub const RELAY: &str = "arion-relay";
/// The user's tool.
pub const ARION: &str = "arion";

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Bins(PathBuf);

impl Bins {
	/// In this folder.
	pub fn new(dir: PathBuf) -> Self {
		Self(dir)
	}

	/// The folder.
	pub fn dir(&self) -> &Path {
		&self.0
	}

	/// A program's file.
	pub fn path(&self, name: &str) -> PathBuf {
		self.0.join(name)
	}

	/// The first one the network needs that is not there.
	pub fn missing(&self, plan: &Plan) -> Option<PathBuf> {
		let relay = plan.relay.as_ref().map(|_| RELAY);
		[NODE, MINER, GATEWAY, ARION]
			.into_iter()
			.chain(relay)
			.map(|name| self.path(name))
			.find(|p| !p.is_file())
	}
}

fn args<const N: usize>(list: [&str; N]) -> Vec<String> {
	list.map(str::to_owned).to_vec()
}

fn path(path: &Path) -> String {
	path.display().to_string()
}

/// The local network's genesis as the nodes start from it.
fn chain_spec_file(dir: &StateDir) -> PathBuf {
	dir.path().join("chain-spec.json")
}

/// Writes the genesis state once: a node that starts from a network's name makes it with the runtime, which it
/// compiles for that.
pub fn chain_spec(bins: &Bins, dir: &StateDir) -> Spec {
	Spec {
		name: "hippius-node export-chain-spec".into(),
		program: bins.path(NODE),
		args: args([
			"export-chain-spec",
			"--chain",
			"local",
			"--raw",
			"--output",
			&path(&chain_spec_file(dir)),
		]),
		log: dir.log("chain-spec"),
	}
}

/// A chain node; `boot` are the multiaddresses of nodes that run already.
pub fn node(bins: &Bins, dir: &StateDir, plan: &Plan, node: &NodePlan, boot: &[String]) -> Entry {
	let mut list = args([
		"--chain",
		&path(&chain_spec_file(dir)),
		"--wasm-cache",
		&path(&dir.path().join("wasm-cache")),
		"--base-path",
		&path(&node.base_path),
		"--name",
		node.name,
		"--node-key",
		&node.node_key,
		"--rpc-port",
		&node.rpc_port.to_string(),
		"--rpc-cors",
		"all",
		"--rpc-max-connections",
		"1000",
		"--listen-addr",
		&format!("/ip4/127.0.0.1/tcp/{}", node.p2p_port),
		"--prometheus-port",
		&node.metrics_port.to_string(),
		"--no-telemetry",
		"--no-mdns",
		"--allow-private-ip",
	]);
	for address in boot {
		list.extend(args(["--bootnodes", address]));
	}
	if node.validator {
		// The well-known name stands for its keys, and implies `--validator`.
		list.push(format!("--{}", node.name));
		if let Some(port) = node.collector_port {
			list.extend(args(["--collector-listen", &format!("127.0.0.1:{port}")]));
		}
	} else {
		list.extend(args([
			"--offchain-worker",
			"always",
			"--state-pruning",
			"archive",
		]));
		for miner in &plan.miners {
			list.push("--arion-daemon".into());
			list.push(format!(
				"{},token-file={}",
				miner.control(),
				path(&miner.token_file())
			));
		}
	}
	Entry {
		name: node.name.into(),
		kind: if node.validator {
			Kind::Validator
		} else {
			Kind::FullNode
		},
		program: bins.path(NODE),
		args: list,
		log: dir.log(node.name),
		addresses: vec![
			Address::new("rpc", node.ws()),
			Address::new("p2p", format!("127.0.0.1:{}", node.p2p_port)),
			Address::new(
				"metrics",
				format!("http://127.0.0.1:{}/metrics", node.metrics_port),
			),
		],
		process: None,
	}
}

/// Makes a miner's folder, key and configuration.
/// It takes permits of one gateway only, that of the network.
pub fn miner_init(
	bins: &Bins,
	dir: &StateDir,
	miner: &MinerPlan,
	relay: Option<&RelayPlan>,
	issuer: &str,
) -> Spec {
	let mut list = relay.map_or_else(Vec::new, |relay| args(["--relay", &relay.url()]));
	list.splice(
		0..0,
		args([
			"init",
			"--base-path",
			&path(&miner.base_path),
			"--zone",
			&miner.zone.to_string(),
			"--host",
			&miner.host,
			"--capacity",
			CAPACITY,
			"--listen",
			&format!("127.0.0.1:{}", miner.grid_port),
			"--control",
			&format!("127.0.0.1:{}", miner.control_port),
			"--issuer",
			issuer,
		]),
	);
	Spec {
		name: format!("{} init", miner.name),
		program: bins.path(MINER),
		args: list,
		log: dir.log(&miner.name),
	}
}

/// The relay.
pub fn relay_run(bins: &Bins, dir: &StateDir, relay: &RelayPlan, rpc: &str) -> Entry {
	Entry {
		name: plan::RELAY.into(),
		kind: Kind::Relay,
		program: bins.path(RELAY),
		args: args([
			"--listen",
			&format!("127.0.0.1:{}", relay.port),
			"--metrics",
			&format!("127.0.0.1:{}", relay.metrics_port),
			"--chain",
			rpc,
			"--allow-file",
			&path(&relay.allow_file),
			// All miners of a zone share the gateway's allowance, and this machine.
			"--rate",
			"20000000",
		]),
		log: dir.log(plan::RELAY),
		addresses: vec![
			Address::new("relay", relay.url()),
			Address::new("metrics", relay.metrics()),
		],
		process: None,
	}
}

/// Registers a miner on chain under its family's account.
pub fn miner_register(bins: &Bins, dir: &StateDir, miner: &MinerPlan, rpc: &str) -> Spec {
	Spec {
		name: format!("{} register", miner.name),
		program: bins.path(MINER),
		args: args([
			"register",
			"--base-path",
			&path(&miner.base_path),
			"--chain",
			rpc,
			"--suri",
			&family_suri(miner.family),
		]),
		log: dir.log(&miner.name),
	}
}

/// A miner.
pub fn miner_run(bins: &Bins, dir: &StateDir, miner: &MinerPlan) -> Entry {
	Entry {
		name: miner.name.clone(),
		kind: Kind::Miner,
		program: bins.path(MINER),
		args: args(["run", "--base-path", &path(&miner.base_path)]),
		log: dir.log(&miner.name),
		addresses: vec![
			Address::new("quic", format!("127.0.0.1:{}", miner.grid_port)),
			Address::new("control", miner.control()),
		],
		process: None,
	}
}

/// Makes the gateway's folder, key and configuration; uploads may be paid by `payer`.
pub fn gateway_init(
	bins: &Bins,
	dir: &StateDir,
	gateway: &GatewayPlan,
	rpc: &str,
	payer: &str,
) -> Spec {
	Spec {
		name: "gateway init".into(),
		program: bins.path(GATEWAY),
		args: args([
			"init",
			"--base-path",
			&path(&gateway.base_path),
			"--chain",
			rpc,
			"--listen",
			&format!("127.0.0.1:{}", gateway.http_port),
			"--account-file",
			&path(&gateway.account_file()),
			"--append-after",
			"20000",
			"--payer",
			payer,
		]),
		log: dir.log("gateway"),
	}
}

/// The gateway.
pub fn gateway_run(bins: &Bins, dir: &StateDir, gateway: &GatewayPlan) -> Entry {
	Entry {
		name: "gateway".into(),
		kind: Kind::Gateway,
		program: bins.path(GATEWAY),
		args: args(["run", "--base-path", &path(&gateway.base_path)]),
		log: dir.log("gateway"),
		addresses: vec![Address::new("http", gateway.url())],
		process: None,
	}
}

/// `arion` with the gateway's address and token.
pub fn arion(gateway: &GatewayPlan, rest: &[&str]) -> Vec<String> {
	let mut list = args([
		"--gateway",
		&gateway.url(),
		"--token-file",
		&path(&gateway.token_file()),
	]);
	list.extend(rest.iter().map(|text| (*text).to_owned()));
	list
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::plan::DEFAULT_BASE_PORT;

	#[test]
	fn the_full_node_knows_every_daemon_and_validators_none() {
		let temp = tempfile::tempdir().unwrap();
		let dir = StateDir::open(temp.path()).unwrap();
		let plan = Plan::new(DEFAULT_BASE_PORT, dir.path()).unwrap();
		let bins = Bins::new("/bin".into());
		let count = |entry: &Entry| {
			entry
				.args
				.iter()
				.filter(|arg| *arg == "--arion-daemon")
				.count()
		};
		assert_eq!(
			count(&node(&bins, &dir, &plan, &plan.full_node, &[])),
			plan.miners.len()
		);
		for validator in &plan.validators {
			let entry = node(&bins, &dir, &plan, validator, &["/ip4/x".into()]);
			assert_eq!(count(&entry), 0);
			assert!(entry.args.contains(&format!("--{}", validator.name)));
			assert!(entry.args.contains(&"/ip4/x".to_owned()));
			assert!(entry.args.contains(&"--collector-listen".to_owned()));
		}
	}

	#[test]
	fn a_missing_program_is_found_out() {
		let plan = Plan::new(DEFAULT_BASE_PORT, Path::new("/tmp/x")).unwrap();
		assert_eq!(
			Bins::new("/nowhere".into()).missing(&plan).unwrap(),
			Path::new("/nowhere/hippius-node")
		);
	}
}
