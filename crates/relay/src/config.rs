//! The settings: a TOML file, flags over it.

use serde::{Deserialize, Serialize};
use std::{
	net::SocketAddr,
	num::NonZeroU32,
	path::{Path, PathBuf},
};

/// All settings. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
	/// TCP address for clients. Without a certificate it must be on loopback.
	pub listen: SocketAddr,
	/// Permits other addresses without a certificate: behind a TLS proxy, or in tests.
	pub allow_plain: bool,
	/// PEM file of the certificate chain.
	pub cert: Option<PathBuf>,
	/// PEM file of its private key.
	pub key: Option<PathBuf>,
	/// RPC address of a chain node whose registered nodes are admitted.
	pub chain: Option<String>,
	/// Node keys (hexadecimal) that are admitted besides, for gateways.
	pub allow: Vec<String>,
	/// File with more such keys, one per line, `#` starts a comment; read again every half minute.
	pub allow_file: Option<PathBuf>,
	/// When the chain could not be read for so many seconds, only allowed keys are admitted.
	pub stale_after: u64,
	/// Bytes per second taken from one client.
	pub rate: NonZeroU32,
	/// Bytes taken from one client at once; at least 1 MiB, which is the longest message.
	pub burst: NonZeroU32,
	/// Clients connected at a time.
	pub max_clients: usize,
	/// Connections of one key at a time.
	pub max_per_key: usize,
	/// New connections per second from one network (IPv4 /24, IPv6 /56), and at once.
	pub accepts: u32,
	/// See `accepts`.
	pub accept_burst: u32,
	/// TCP address for Prometheus.
	pub metrics: Option<SocketAddr>,
}

impl Default for Config {
	fn default() -> Self {
		Self {
			listen: ([127, 0, 0, 1], 3340).into(),
			allow_plain: false,
			cert: None,
			key: None,
			chain: None,
			allow: Vec::new(),
			allow_file: None,
			stale_after: 3600,
			rate: NonZeroU32::MIN.saturating_add(2_000_000 - 1),
			burst: NonZeroU32::MIN.saturating_add(4_000_000 - 1),
			max_clients: 4096,
			max_per_key: 4,
			accepts: 20,
			accept_burst: 100,
			metrics: None,
		}
	}
}

/// Longest message of the protocol: a smaller burst would never let it pass.
const LONGEST_MESSAGE: u32 = 1024 * 1024;

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
	/// A file cannot be read.
	#[error("cannot read {}: {cause}", path.display())]
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
		/// The setting.
		setting: &'static str,
		/// What is wrong and what would do.
		reason: String,
	},
}

impl Config {
	/// Reads a file; not yet checked, because flags may replace what is wrong with it.
	pub fn load(path: &Path) -> Result<Self, ConfigError> {
		let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read {
			path: path.into(),
			cause,
		})?;
		toml::from_str(&text).map_err(|cause| ConfigError::Parse {
			path: path.into(),
			cause: Box::new(cause),
		})
	}

	/// Refuses what cannot work.
	pub fn validate(&self) -> Result<(), ConfigError> {
		let refuse = |setting, reason: &str| {
			Err(ConfigError::Value {
				setting,
				reason: reason.into(),
			})
		};
		if self.cert.is_some() != self.key.is_some() {
			return refuse(
				"cert",
				"a certificate needs its key, and a key its certificate",
			);
		}
		if self.cert.is_none() && !self.listen.ip().is_loopback() && !self.allow_plain {
			return refuse(
				"listen",
				"is not on loopback: give cert and key (allow_plain = true permits it without)",
			);
		}
		if self.chain.is_none() && self.allow.is_empty() && self.allow_file.is_none() {
			return refuse(
				"chain",
				"nobody could be admitted: give chain, allow or allow_file",
			);
		}
		if self.burst.get() < LONGEST_MESSAGE {
			return refuse("burst", "must be at least 1048576");
		}
		let counts = [
			("max_clients", self.max_clients),
			("max_per_key", self.max_per_key),
			("accepts", self.accepts as usize),
			("accept_burst", self.accept_burst as usize),
		];
		for (setting, value) in counts {
			if value == 0 || value > 1 << 20 {
				return refuse(setting, "must be from 1 to 1048576");
			}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	fn parse(text: &str) -> Result<Config, ConfigError> {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("relay.toml");
		std::fs::write(&path, text).unwrap();
		let config = Config::load(&path)?;
		config.validate().map(|()| config)
	}

	#[test]
	fn a_few_words_are_enough_and_the_limits_are_as_documented() {
		let config = parse("chain = \"ws://127.0.0.1:9944\"").unwrap();
		assert_eq!(
			(config.rate.get(), config.burst.get()),
			(2_000_000, 4_000_000)
		);
		assert!(parse("allow = [\"00\"]").is_ok());
	}

	#[test]
	fn bad_settings_are_named() {
		let chain = "chain = \"ws://127.0.0.1:9944\"\n";
		for (text, word) in [
			("", "nobody could be admitted"),
			("chian = \"x\"", "unknown field"),
			("listen = \"0.0.0.0:1\"", "cert and key"),
			("cert = \"a.pem\"", "needs its key"),
			("burst = 1000", "1048576"),
			("rate = 0", "rate"),
			("max_clients = 0", "max_clients"),
			("accepts = 9999999", "accepts"),
		] {
			let text = if text.is_empty() || text.starts_with("chi") {
				text.into()
			} else {
				format!("{chain}{text}")
			};
			let error = parse(&text).unwrap_err().to_string();
			assert!(error.contains(word), "{text}: {error}");
		}
		assert!(parse(&format!(
			"{chain}listen = \"0.0.0.0:1\"\nallow_plain = true"
		))
		.is_ok());
		let missing = Config::load(Path::new("/nonexistent")).unwrap_err();
		assert!(missing.to_string().contains("/nonexistent"));
	}
}
