//! `config.toml`.

mod render;
mod repair;
mod store;
#[cfg(test)]
mod tests;

pub use repair::RepairSection;
pub(crate) use store::overlap;
pub use store::{DiskPlan, DiskSection, StoreSection, MAX_DISKS};

pub use crate::permits::PermitsSection;
use crate::{files, MinerError};
use hippius_primitives::{
	net::MAX_RELAYS,
	registration::{MAX_ADDRESSES, MAX_HOST_LEN},
	NodeAddress, RelayAddress,
};
use serde::{Deserialize, Serialize};
use std::{
	net::SocketAddr,
	path::{Path, PathBuf},
};

/// Largest `config.toml`, in bytes.
const MAX_FILE: usize = 64 * 1024;

/// All settings of a miner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
	/// What is declared on chain.
	#[serde(default)]
	pub node: NodeSection,
	/// The QUIC endpoint.
	#[serde(default)]
	pub grid: GridSection,
	/// The shard store.
	pub store: StoreSection,
	/// The control API.
	#[serde(default)]
	pub control: ControlSection,
	/// Who may store here.
	#[serde(default)]
	pub permits: PermitsSection,
	/// How much repair may take.
	#[serde(default)]
	pub repair: RepairSection,
}

/// What `register` declares on chain, unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
	/// Placement zone, one that the chain's cluster map knows.
	pub zone: Option<u8>,
	/// Name of the machine; nodes of one host fail together.
	pub host: Option<String>,
}

/// The QUIC endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GridSection {
	/// UDP address to serve on; port 0 takes a free one.
	pub listen: SocketAddr,
	/// Addresses others reach it at, best first; empty means `listen`, or none if there are relays.
	pub public: Vec<SocketAddr>,
	/// Relays through which others reach it, best first, for nodes behind NAT.
	pub relays: Vec<RelayAddress>,
}

impl Default for GridSection {
	fn default() -> Self {
		Self {
			listen: ([0, 0, 0, 0], 4100).into(),
			public: Vec::new(),
			relays: Vec::new(),
		}
	}
}

/// The control API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSection {
	/// TCP address, on loopback; port 0 takes a free one.
	pub listen: SocketAddr,
}

impl Default for ControlSection {
	fn default() -> Self {
		Self {
			listen: ([127, 0, 0, 1], 7070).into(),
		}
	}
}

/// Why the settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
	/// There is no `config.toml`.
	#[error("{0} does not exist: make a miner with `arion-miner init --base-path ..`")]
	Missing(PathBuf),
	/// It is no valid TOML, or has an unknown or missing field; the text says which and where.
	#[error("{path}: {problem}")]
	Syntax {
		/// The file.
		path: PathBuf,
		/// What the parser says.
		problem: String,
	},
	/// A field has a value that cannot work.
	#[error("{field}: {problem}")]
	Field {
		/// Section and name, as in `store.capacity`.
		field: &'static str,
		/// What is wrong, and what would be right.
		problem: String,
	},
}

impl Config {
	/// Reads and checks `config.toml`.
	pub fn load(path: &Path) -> Result<Self, MinerError> {
		let bytes = files::read_limited(path, MAX_FILE)?
			.ok_or_else(|| ConfigError::Missing(path.into()))?;
		let syntax = |problem: String| ConfigError::Syntax {
			path: path.into(),
			problem,
		};
		let text = std::str::from_utf8(&bytes).map_err(|error| syntax(error.to_string()))?;
		let config: Self = toml::from_str(text).map_err(|error| {
			let mut problem = error.to_string().trim().to_owned();
			if let Some(name) = nearest(error.message()) {
				problem.push_str(&format!("; did you mean `{name}`?"));
			}
			syntax(problem)
		})?;
		config.validate()?;
		Ok(config)
	}

	/// Checks what TOML's types cannot.
	pub fn validate(&self) -> Result<(), ConfigError> {
		let fail = |field, problem: String| Err(ConfigError::Field { field, problem });
		self.repair.validate()?;
		if let Some(host) = &self.node.host {
			if host.is_empty() || host.len() > MAX_HOST_LEN as usize {
				let len = host.len();
				return fail(
					"node.host",
					format!("has {len} bytes; choose a name of 1 to {MAX_HOST_LEN} bytes"),
				);
			}
		}
		if self.grid.relays.len() > MAX_RELAYS {
			let count = self.grid.relays.len();
			return fail(
				"grid.relays",
				format!("has {count} relays; keep at most {MAX_RELAYS}"),
			);
		}
		let count = self.grid.public.len() + self.grid.relays.len();
		if count > MAX_ADDRESSES as usize {
			return fail(
				"grid.public",
				format!("has {count} addresses, relays included; keep at most {MAX_ADDRESSES}"),
			);
		}
		for address in &self.grid.public {
			if address.ip().is_unspecified() || address.port() == 0 {
				return fail(
					"grid.public",
					format!("nobody can reach {address}; give the IP and port others see"),
				);
			}
		}
		if !self.control.listen.ip().is_loopback() {
			return fail(
				"control.listen",
				format!(
					"{} is not on loopback; use 127.0.0.1:PORT",
					self.control.listen
				),
			);
		}
		self.store.validate()
	}

	/// The addresses to declare on chain.
	pub fn addresses(&self) -> Result<Vec<NodeAddress>, ConfigError> {
		let direct = self.grid.public.iter().map(|address| (*address).into());
		let relays = self.grid.relays.iter().cloned().map(NodeAddress::from);
		let given: Vec<NodeAddress> = direct.chain(relays).collect();
		if !given.is_empty() {
			return Ok(given);
		}
		let listen = self.grid.listen;
		if listen.ip().is_unspecified() || listen.port() == 0 {
			return Err(ConfigError::Field {
				field: "grid.public",
				problem: format!(
					"is empty and grid.listen ({listen}) is no address others can use; give one, or grid.relays"
				),
			});
		}
		Ok(vec![listen.into()])
	}
}

/// Of the names an "unknown field" message expects, the one most like the unknown one.
fn nearest(message: &str) -> Option<&str> {
	let mut quoted = message
		.strip_prefix("unknown field ")?
		.split('`')
		.skip(1)
		.step_by(2);
	let unknown = quoted.next()?;
	let score = |name: &str| strsim::jaro_winkler(unknown, name);
	let best = quoted.max_by(|a, b| score(a).total_cmp(&score(b)))?;
	(score(best) > 0.7).then_some(best)
}
