//! `config.toml`.

use crate::payers::Payers;
use arion_object::MAX_ROOT_REFS;
use hippius_primitives::receipt::MAX_RECEIPT_STRIPES;
use serde::{Deserialize, Serialize};
use std::{
	net::SocketAddr,
	path::{Path, PathBuf},
	time::Duration,
};

/// Name of the file in the base path.
pub const CONFIG_FILE: &str = "config.toml";

/// The gateway's settings. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
	/// The node that tells of the chain.
	pub chain: ChainConfig,
	/// The HTTP side.
	pub http: HttpConfig,
	/// The QUIC side.
	pub grid: GridSection,
	/// Storing.
	pub put: PutConfig,
	/// Fetching.
	pub get: GetConfig,
	/// Appending what was stored to the ledgers on chain.
	pub ledger: LedgerConfig,
}

/// `[chain]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainConfig {
	/// RPC address of a node: `ws://` on this machine or `wss://` anywhere.
	pub url: String,
}

impl Default for ChainConfig {
	fn default() -> Self {
		Self {
			url: "ws://127.0.0.1:9944".into(),
		}
	}
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
	/// Where users reach the gateway; port 0 takes a free one.
	pub listen: SocketAddr,
	/// Permits an address other than loopback. What passes there is not encrypted, tokens
	/// included: put a TLS proxy before it.
	pub allow_remote: bool,
	/// Largest object taken, in bytes.
	pub max_object: u64,
	/// Requests served at a time.
	pub max_requests: usize,
}

impl Default for HttpConfig {
	fn default() -> Self {
		Self {
			listen: SocketAddr::from(([127, 0, 0, 1], 7090)),
			allow_remote: false,
			max_object: 1 << 40,
			max_requests: 64,
		}
	}
}

/// `[grid]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GridSection {
	/// UDP address that miners are dialled from.
	pub bind: SocketAddr,
	/// A silent connection counts as lost after this many milliseconds.
	pub idle_timeout_ms: u64,
	/// A dial may take this many milliseconds.
	pub dial_timeout_ms: u64,
	/// A miner that failed is asked last for this many milliseconds, doubled each time up to
	/// sixteenfold.
	pub avoid_ms: u64,
	/// A miner that sent wrong bytes is not asked for this many milliseconds.
	pub quarantine_ms: u64,
}

impl Default for GridSection {
	fn default() -> Self {
		Self {
			bind: SocketAddr::from(([0, 0, 0, 0], 0)),
			idle_timeout_ms: 10_000,
			dial_timeout_ms: 5_000,
			avoid_ms: 5_000,
			quarantine_ms: 600_000,
		}
	}
}

/// `[put]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PutConfig {
	/// Stripes of one upload on their way at a time.
	pub parallel_stripes: usize,
	/// Stripes held in memory by all uploads, those included whose last shards still travel after
	/// the acknowledgement (as far as they do); each takes up to 40 MiB.
	pub stripes_in_memory: usize,
	/// A shard must be acknowledged within this many milliseconds.
	pub shard_timeout_ms: u64,
	/// While fewer than 20 nodes have a stripe, those that failed are asked again for this many
	/// milliseconds before the upload fails.
	pub quorum_timeout_ms: u64,
	/// Stripe references kept in an object's root stripe (1 to 10000); beyond it they are stored in
	/// stripes of their own, which makes the root quicker to fetch and a read one step longer.
	pub root_refs: usize,
	/// After the quorum, an upload waits this many milliseconds at most for its remaining shards,
	/// so that what is reported as stored usually has all of them. 0 does not wait.
	pub settle_ms: u64,
}

impl Default for PutConfig {
	fn default() -> Self {
		Self {
			parallel_stripes: 3,
			stripes_in_memory: 8,
			shard_timeout_ms: 60_000,
			quorum_timeout_ms: 15_000,
			root_refs: MAX_ROOT_REFS,
			settle_ms: 3_000,
		}
	}
}

/// `[get]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GetConfig {
	/// Stripes fetched ahead of the one being delivered.
	pub prefetch: usize,
	/// Stripes fetched at a time by all downloads; each takes up to 40 MiB.
	pub stripes_in_memory: usize,
	/// A miner of whose speed nothing is known is late after this many milliseconds; none counts
	/// as stalled sooner.
	pub hedge_ms: u64,
	/// Bytes that may be fetched beyond those needed, because miners are late, per hundred needed.
	/// 0 never asks another miner before one has failed or stalled.
	pub hedge_percent: u32,
	/// Asks all 30 miners of a stripe at once and takes the fastest ten: fast, and up to three
	/// times the traffic.
	pub turbo: bool,
	/// A stripe that cannot be completed within this many milliseconds fails.
	pub stripe_timeout_ms: u64,
}

impl Default for GetConfig {
	fn default() -> Self {
		Self {
			prefetch: 2,
			stripes_in_memory: 6,
			hedge_ms: 250,
			hedge_percent: 20,
			turbo: false,
			stripe_timeout_ms: 30_000,
		}
	}
}

/// `[ledger]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerConfig {
	/// File whose first line is the secret of the account that pays for appending: a mnemonic
	/// phrase, a `0x` seed or `//Alice`. Empty: nothing is appended, so what this gateway stores is
	/// neither proved nor paid.
	///
	/// This account also pays for the storage itself, unless an upload names another.
	pub account_file: PathBuf,
	/// Accounts that uploads may name as those who pay (`?payer=`), besides the gateway's own: whoever
	/// has the gateway's token can then store at their cost. Each must have authorised the gateway's
	/// account on chain (`arion credits authorise`), which sets the limits.
	pub payers: Vec<String>,
	/// A batch is made as soon as a placement group has so many stripes (1 to 1024).
	pub max_stripes: u32,
	/// A batch is made as soon as a stripe has waited so many milliseconds.
	pub max_age_ms: u64,
	/// A miner is waited for so many milliseconds for its receipt.
	pub receipt_timeout_ms: u64,
}

impl Default for LedgerConfig {
	fn default() -> Self {
		Self {
			account_file: PathBuf::new(),
			payers: Vec::new(),
			max_stripes: 512,
			max_age_ms: 600_000,
			receipt_timeout_ms: 20_000,
		}
	}
}

impl LedgerConfig {
	/// Whether what is stored is appended.
	pub fn is_on(&self) -> bool {
		!self.account_file.as_os_str().is_empty()
	}
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
	/// The file cannot be read.
	#[error("cannot read {}: {cause}; `arion-gateway init --base-path DIR` makes one", path.display())]
	Read {
		/// The file.
		path: PathBuf,
		/// Why.
		cause: std::io::Error,
	},
	/// It is no TOML of the right shape.
	#[error("{}: {cause}", path.display())]
	Parse {
		/// The file.
		path: PathBuf,
		/// What and where.
		cause: Box<toml::de::Error>,
	},
	/// A value cannot work.
	#[error("{setting}: {reason}")]
	Value {
		/// Section and field.
		setting: &'static str,
		/// What is wrong and what would do.
		reason: String,
	},
}

impl Config {
	/// Reads and checks a file.
	pub fn load(path: &Path) -> Result<Self, ConfigError> {
		let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read {
			path: path.to_owned(),
			cause,
		})?;
		let config: Self = toml::from_str(&text).map_err(|cause| ConfigError::Parse {
			path: path.to_owned(),
			cause: Box::new(cause),
		})?;
		config.validate()?;
		Ok(config)
	}

	/// Refuses values that cannot work.
	pub fn validate(&self) -> Result<(), ConfigError> {
		let refuse = |setting, reason: &str| {
			Err(ConfigError::Value {
				setting,
				reason: reason.into(),
			})
		};
		if !self.http.listen.ip().is_loopback() && !self.http.allow_remote {
			return refuse(
				"http.listen",
				"is not a loopback address; anybody on the network could read the token there (allow_remote = true permits it)",
			);
		}
		let counts = [
			("put.parallel_stripes", self.put.parallel_stripes, 64),
			("put.stripes_in_memory", self.put.stripes_in_memory, 4096),
			("put.root_refs", self.put.root_refs, MAX_ROOT_REFS),
			("get.stripes_in_memory", self.get.stripes_in_memory, 4096),
			("http.max_requests", self.http.max_requests, 65_536),
		];
		for (setting, value, most) in counts {
			if value == 0 || value > most {
				return refuse(setting, &format!("must be from 1 to {most}"));
			}
		}
		if !(1..=MAX_RECEIPT_STRIPES).contains(&self.ledger.max_stripes) {
			return refuse("ledger.max_stripes", "must be from 1 to 1024");
		}
		Payers::new([0; 32], &self.ledger)?;
		if !self.ledger.payers.is_empty() && !self.ledger.is_on() {
			return refuse(
				"ledger.payers",
				"nobody is charged without ledger.account_file",
			);
		}
		if self.get.prefetch > 64 {
			return refuse("get.prefetch", "must be at most 64");
		}
		if self.get.hedge_percent > 200 {
			return refuse("get.hedge_percent", "must be at most 200");
		}
		let waits = [
			("grid.idle_timeout_ms", self.grid.idle_timeout_ms),
			("grid.dial_timeout_ms", self.grid.dial_timeout_ms),
			("grid.avoid_ms", self.grid.avoid_ms),
			("grid.quarantine_ms", self.grid.quarantine_ms),
			("put.shard_timeout_ms", self.put.shard_timeout_ms),
			("put.quorum_timeout_ms", self.put.quorum_timeout_ms),
			("get.hedge_ms", self.get.hedge_ms),
			("ledger.max_age_ms", self.ledger.max_age_ms),
			("ledger.receipt_timeout_ms", self.ledger.receipt_timeout_ms),
			("get.stripe_timeout_ms", self.get.stripe_timeout_ms),
		];
		if self.put.settle_ms > 86_400_000 {
			return refuse("put.settle_ms", "must be at most 86400000 (a day)");
		}
		for (setting, value) in waits {
			if value == 0 || value > 86_400_000 {
				return refuse(setting, "must be from 1 to 86400000 (a day)");
			}
		}
		Ok(())
	}

	/// The file `init` writes: every setting with its default.
	pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
		let body = toml::to_string(self)?;
		Ok(format!(
			"# Settings of an Arion gateway. Every line may be left out.\n{body}"
		))
	}
}

impl GridSection {
	/// [`Self::idle_timeout_ms`].
	pub fn idle_timeout(&self) -> Duration {
		Duration::from_millis(self.idle_timeout_ms)
	}

	/// [`Self::dial_timeout_ms`].
	pub fn dial_timeout(&self) -> Duration {
		Duration::from_millis(self.dial_timeout_ms)
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn parse(text: &str) -> Result<Config, ConfigError> {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join(CONFIG_FILE);
		std::fs::write(&path, text).unwrap();
		Config::load(&path)
	}

	#[test]
	fn defaults_survive_a_round_trip() {
		assert_eq!(parse("").unwrap(), Config::default());
		assert_eq!(
			parse(&Config::default().to_toml().unwrap()).unwrap(),
			Config::default()
		);
	}

	#[test]
	fn bad_settings_are_refused_by_name() {
		assert!(matches!(
			parse("[put]\nparalel_stripes = 1"),
			Err(ConfigError::Parse { .. })
		));
		assert!(matches!(parse("nonsense"), Err(ConfigError::Parse { .. })));
		for (text, name) in [
			("[http]\nlisten = \"0.0.0.0:7090\"", "http.listen"),
			("[put]\nparallel_stripes = 0", "put.parallel_stripes"),
			("[get]\nprefetch = 65", "get.prefetch"),
			("[get]\nhedge_ms = 0", "get.hedge_ms"),
			("[get]\nhedge_percent = 201", "get.hedge_percent"),
			("[ledger]\nmax_stripes = 1025", "ledger.max_stripes"),
			("[ledger]\nmax_age_ms = 0", "ledger.max_age_ms"),
			("[ledger]\npayers = [\"me\"]", "ledger.payers"),
			(
				"[ledger]\npayers = [\"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"]",
				"ledger.payers",
			),
			("[put]\nroot_refs = 0", "put.root_refs"),
			("[grid]\navoid_ms = 99999999999", "grid.avoid_ms"),
		] {
			match parse(text) {
				Err(ConfigError::Value { setting, .. }) => assert_eq!(setting, name),
				other => panic!("{text}: {other:?}"),
			}
		}
		assert!(parse("[http]\nlisten = \"0.0.0.0:7090\"\nallow_remote = true").is_ok());
		assert!(matches!(
			Config::load(Path::new("/nonexistent/config.toml")),
			Err(ConfigError::Read { .. })
		));
	}
}
