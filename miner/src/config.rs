//! `config.toml`.

use crate::{files, size::ByteSize, MinerError};
use arion_shard_store::StoreConfig;
use hippius_primitives::{
	registration::{MAX_ADDRESSES, MAX_HOST_LEN},
	NodeAddress,
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
	/// Addresses others reach it at, best first; empty means `listen`.
	pub public: Vec<SocketAddr>,
}

impl Default for GridSection {
	fn default() -> Self {
		Self {
			listen: ([0, 0, 0, 0], 4100).into(),
			public: Vec::new(),
		}
	}
}

/// The shard store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
	/// Most disk space shards may take.
	pub capacity: ByteSize,
	/// Size of one volume file, preallocated.
	pub volume_size: Option<ByteSize>,
	/// Store operations that may run at the same time.
	#[serde(default = "default_jobs")]
	pub jobs: usize,
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

fn default_jobs() -> usize {
	64
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
		let config: Self =
			toml::from_str(text).map_err(|error| syntax(error.to_string().trim().to_owned()))?;
		config.validate()?;
		Ok(config)
	}

	/// Checks what TOML's types cannot.
	pub fn validate(&self) -> Result<(), ConfigError> {
		let fail = |field, problem: String| Err(ConfigError::Field { field, problem });
		if let Some(host) = &self.node.host {
			if host.is_empty() || host.len() > MAX_HOST_LEN as usize {
				let len = host.len();
				return fail(
					"node.host",
					format!("has {len} bytes; choose a name of 1 to {MAX_HOST_LEN} bytes"),
				);
			}
		}
		if self.grid.public.len() > MAX_ADDRESSES as usize {
			let count = self.grid.public.len();
			return fail(
				"grid.public",
				format!("has {count} addresses; keep at most {MAX_ADDRESSES}"),
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
		if !(1..=1024).contains(&self.store.jobs) {
			return fail(
				"store.jobs",
				format!("is {}; choose 1 to 1024", self.store.jobs),
			);
		}
		self.store_config()
			.validate()
			.map_err(|error| ConfigError::Field {
				field: "store",
				problem: error.to_string(),
			})
	}

	/// Sizes for the shard store.
	pub fn store_config(&self) -> StoreConfig {
		let capacity = self.store.capacity.0;
		let volume_size = self
			.store
			.volume_size
			.unwrap_or_else(|| default_volume(capacity))
			.0;
		StoreConfig {
			volume_size,
			..StoreConfig::new(capacity)
		}
	}

	/// The addresses to declare on chain.
	pub fn addresses(&self) -> Result<Vec<NodeAddress>, ConfigError> {
		if !self.grid.public.is_empty() {
			return Ok(self
				.grid
				.public
				.iter()
				.map(|address| (*address).into())
				.collect());
		}
		let listen = self.grid.listen;
		if listen.ip().is_unspecified() || listen.port() == 0 {
			return Err(ConfigError::Field {
				field: "grid.public",
				problem: format!(
					"is empty and grid.listen ({listen}) is no address others can use; give one"
				),
			});
		}
		Ok(vec![listen.into()])
	}

	/// `config.toml` with every setting explained.
	pub fn render(&self) -> String {
		let zone = match self.node.zone {
			Some(zone) => format!("zone = {zone}"),
			None => "# zone = 0".into(),
		};
		let text = |text: &str| toml::Value::String(text.into()).to_string();
		let host = match &self.node.host {
			Some(host) => format!("host = {}", text(host)),
			None => "# host = \"rack-1\"".into(),
		};
		let public: Vec<String> = self
			.grid
			.public
			.iter()
			.map(|address| text(&address.to_string()))
			.collect();
		let volume = self
			.store
			.volume_size
			.unwrap_or_else(|| default_volume(self.store.capacity.0));
		format!(
			"# Settings of an Arion miner. `arion-miner config check` tells whether they work.\n\
			\n\
			[node]\n\
			# Placement zone, one that the chain's cluster map knows. Declared by `register`.\n\
			{zone}\n\
			# Name of this machine, unique in your family: nodes of one host fail together.\n\
			{host}\n\
			\n\
			[grid]\n\
			# UDP address to serve QUIC on. Port 0 takes a free one.\n\
			listen = \"{listen}\"\n\
			# Addresses others reach this node at, best first, at most {MAX_ADDRESSES}. Empty: `listen`.\n\
			public = [{public}]\n\
			\n\
			[store]\n\
			# Most disk space shards may take. Also what `register` declares.\n\
			capacity = \"{capacity}\"\n\
			# Size of one volume file; each is reserved on disk as a whole.\n\
			volume_size = \"{volume}\"\n\
			# Store operations that may run at the same time.\n\
			jobs = {jobs}\n\
			\n\
			[control]\n\
			# TCP address of the control API, on loopback only. Port 0 takes a free one.\n\
			listen = \"{control}\"\n",
			listen = self.grid.listen,
			public = public.join(", "),
			capacity = self.store.capacity,
			jobs = self.store.jobs,
			control = self.control.listen,
		)
	}
}

/// A 64th of the capacity in whole MiB, at least 64 MiB, at most 1 GiB.
fn default_volume(capacity: u64) -> ByteSize {
	const MIB: u64 = 1 << 20;
	ByteSize((capacity / 64 / MIB * MIB).clamp(64 * MIB, 1024 * MIB))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn sample() -> Config {
		Config {
			node: NodeSection {
				zone: Some(3),
				host: Some("rack \"1\"".into()),
			},
			grid: GridSection {
				listen: "127.0.0.1:0".parse().unwrap(),
				public: vec![
					"192.0.2.1:4100".parse().unwrap(),
					"[2001:db8::1]:4100".parse().unwrap(),
				],
			},
			store: StoreSection {
				capacity: ByteSize(10 << 30),
				volume_size: Some(ByteSize(160 << 20)),
				jobs: 64,
			},
			control: ControlSection {
				listen: "[::1]:0".parse().unwrap(),
			},
		}
	}

	fn load(text: &str) -> Result<Config, MinerError> {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("config.toml");
		std::fs::write(&path, text).unwrap();
		Config::load(&path)
	}

	#[test]
	fn what_is_written_reads_back() {
		assert_eq!(load(&sample().render()).unwrap(), sample());
		let bare = Config {
			node: NodeSection::default(),
			..sample()
		};
		assert_eq!(load(&bare.render()).unwrap(), bare);
	}

	#[test]
	fn only_the_capacity_is_needed() {
		let config = load("[store]\ncapacity = \"10GiB\"\n").unwrap();
		assert_eq!(config.store_config().volume_size, 160 << 20);
		assert_eq!(config.control.listen.to_string(), "127.0.0.1:7070");
	}

	#[test]
	fn bad_settings_name_the_field_and_the_remedy() {
		let base = "[store]\ncapacity = \"1GiB\"\n";
		for (text, words) in [
			("", vec!["store"]),
			("[store]\n", vec!["capacity"]),
			("[store]\ncapacity = \"many\"\n", vec!["capacity", "10GiB"]),
			(
				"[store]\ncapacity = \"1GiB\"\nvolume = 3\n",
				vec!["volume", "unknown field"],
			),
			("[store]\ncapacity = \"1KiB\"\n", vec!["store", "capacity"]),
			(
				"[store]\ncapacity = \"1GiB\"\nvolume_size = \"1001MB\"\n",
				vec!["volume_size", "4096"],
			),
			(
				"[store]\ncapacity = \"1GiB\"\njobs = 0\n",
				vec!["store.jobs", "1 to 1024"],
			),
			(
				&format!("{base}[control]\nlisten = \"0.0.0.0:1\"\n"),
				vec!["control.listen", "127.0.0.1"],
			),
			(
				&format!("{base}[control]\nlisten = \"here\"\n"),
				vec!["listen", "line 4"],
			),
			(
				&format!("{base}[grid]\npublic = [\"0.0.0.0:1\"]\n"),
				vec!["grid.public", "others see"],
			),
			(
				&format!("{base}[grid]\npublic = [\"192.0.2.1:0\"]\n"),
				vec!["grid.public"],
			),
			(
				&format!("{base}[node]\nhost = \"\"\n"),
				vec!["node.host", "1 to 64"],
			),
			(&format!("{base}[node]\nzone = 300\n"), vec!["zone"]),
			(&format!("{base}[nodes]\n"), vec!["nodes"]),
			("[store\n", vec!["line 1"]),
		] {
			let error = load(text).unwrap_err().to_string();
			for word in words {
				assert!(error.contains(word), "{text}: {error}");
			}
		}
		let many = format!(
			"{base}[grid]\npublic = [{}]\n",
			"\"192.0.2.1:1\",".repeat(5)
		);
		assert!(load(&many).unwrap_err().to_string().contains("at most 4"));
		assert!(load(&" ".repeat(MAX_FILE + 1)).is_err());
		let missing = Config::load(Path::new("/nonexistent/config.toml"))
			.unwrap_err()
			.to_string();
		assert!(missing.contains("arion-miner init"), "{missing}");
	}

	#[test]
	fn declared_addresses_are_reachable_ones() {
		assert_eq!(sample().addresses().unwrap().len(), 2);
		let mut config = sample();
		config.grid.public.clear();
		assert!(config
			.addresses()
			.unwrap_err()
			.to_string()
			.contains("grid.public"));
		config.grid.listen = "127.0.0.1:4100".parse().unwrap();
		assert_eq!(config.addresses().unwrap().len(), 1);
	}
}
