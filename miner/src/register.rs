//! `arion-miner register`: puts the node on chain.

use crate::{account::Secret, config::Config, files::BasePath, size::ByteSize, MinerError};
use arion_grid::Identity;
use hippius_chain_client::{account_of, ChainClient};
use hippius_primitives::{
	registration::{registration_payload, KeyProof, NodeParams, MAX_HOST_LEN},
	NodeIndex, NodeKey,
};
use serde::Serialize;
use std::net::SocketAddr;

/// Blocks for which a proof may be used: enough for a slow chain, too few to be found later.
const PROOF_BLOCKS: u32 = 100;

/// What replaces the settings of `config.toml`.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
	/// Placement zone.
	pub zone: Option<u8>,
	/// Host name.
	pub host: Option<String>,
	/// Declared capacity.
	pub capacity: Option<ByteSize>,
	/// Declared UDP addresses; empty means those of the settings. Relays are always those.
	pub addresses: Vec<SocketAddr>,
}

/// What `register` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
	/// The node's number.
	pub node: NodeIndex,
	/// Its key.
	pub node_key: NodeKey,
	/// Whether it had been registered before.
	pub already: bool,
}

/// What is declared on chain: `config` with `overrides`.
pub fn params(config: &Config, overrides: &Overrides) -> Result<NodeParams, MinerError> {
	let missing = |field: &str, flag: &str| {
		MinerError::Input(format!(
			"no {field} is set: give {flag}, or node.{field} in config.toml"
		))
	};
	let zone = overrides
		.zone
		.or(config.node.zone)
		.ok_or_else(|| missing("zone", "--zone"))?;
	let host = overrides.host.clone().or_else(|| config.node.host.clone());
	let host = host.ok_or_else(|| missing("host", "--host"))?;
	if host.is_empty() || host.len() > MAX_HOST_LEN as usize {
		let len = host.len();
		return Err(MinerError::Input(format!(
			"the host name has {len} bytes; choose one of 1 to {MAX_HOST_LEN} bytes"
		)));
	}
	let total = config.store.total();
	let capacity = overrides.capacity.unwrap_or(total);
	if capacity > total {
		return Err(MinerError::Input(format!(
			"{capacity} is more than the disks may take ({total}): raise store.capacity in config.toml, or declare less"
		)));
	}
	let addresses = if overrides.addresses.is_empty() {
		config.addresses()?
	} else {
		let mut config = config.clone();
		config.grid.public = overrides.addresses.clone();
		config.validate()?;
		config.addresses()?
	};
	Ok(NodeParams {
		zone,
		host: host.into_bytes(),
		capacity: capacity.0,
		addresses,
	})
}

/// Registers the node of `base` under the account of `secret` with the chain at `url`; done when
/// the registration is finalised. A node that the account registered before is left as it is.
pub async fn register(
	base: &BasePath,
	url: &str,
	secret: &Secret,
	overrides: &Overrides,
) -> Result<Registered, MinerError> {
	let config = Config::load(&base.config())?;
	let identity = Identity::load(&base.node_key())?;
	let node_key = identity.node_key();
	let params = params(&config, overrides)?;
	let signer = secret.signer()?;
	let family = account_of(&signer);

	let chain = ChainClient::connect(url).await?;
	if let Some(node) = chain.node_by_key(node_key).await? {
		if node.family != family {
			return Err(MinerError::Input(format!(
				"this node key is registered as node {} by another account (0x{})",
				node.index,
				hex::encode(node.family)
			)));
		}
		return Ok(Registered {
			node: node.index,
			node_key,
			already: true,
		});
	}
	let genesis = chain.genesis_hash();
	let sequence = chain.proof_sequence(node_key).await?;
	let valid_until = chain
		.best_block_number()
		.await?
		.saturating_add(PROOF_BLOCKS);
	let payload =
		registration_payload(&genesis, &family, &node_key, &params, sequence, valid_until);
	let proof = KeyProof {
		genesis,
		sequence,
		valid_until,
		signature: identity.sign(&payload),
	};
	let node = chain
		.register_node(&signer, node_key, &params, &proof)
		.await?;
	Ok(Registered {
		node,
		node_key,
		already: false,
	})
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_primitives::NodeAddress;

	fn config(text: &str) -> Config {
		toml::from_str(&format!("{text}\n[store]\ncapacity = \"1GiB\"\n")).unwrap()
	}

	#[test]
	fn settings_and_overrides_make_the_declaration() {
		let set = config("[node]\nzone = 2\nhost = \"a\"\n[grid]\nlisten = \"127.0.0.1:4100\"");
		let declared = params(&set, &Overrides::default()).unwrap();
		assert_eq!((declared.zone, declared.capacity), (2, 1 << 30));
		assert_eq!(declared.host, b"a");
		let overrides = Overrides {
			zone: Some(5),
			host: Some("b".into()),
			capacity: Some(ByteSize(4096)),
			addresses: vec!["192.0.2.1:9".parse().unwrap()],
		};
		let declared = params(&config(""), &overrides).unwrap();
		assert_eq!((declared.zone, declared.capacity), (5, 4096));
		assert_eq!(
			declared.addresses,
			[NodeAddress::V4 {
				ip: [192, 0, 2, 1],
				port: 9
			}]
		);
	}

	#[test]
	fn what_cannot_be_declared_is_named() {
		let all = Overrides {
			zone: Some(0),
			host: Some("a".into()),
			capacity: None,
			addresses: vec!["192.0.2.1:9".parse().unwrap()],
		};
		let unreachable = vec!["0.0.0.0:9".parse().unwrap()];
		for (overrides, word) in [
			(
				Overrides {
					zone: None,
					..all.clone()
				},
				"--zone",
			),
			(
				Overrides {
					host: None,
					..all.clone()
				},
				"--host",
			),
			(
				Overrides {
					host: Some("x".repeat(65)),
					..all.clone()
				},
				"1 to 64",
			),
			(
				Overrides {
					capacity: Some(ByteSize(2 << 30)),
					..all.clone()
				},
				"store.capacity",
			),
			(
				Overrides {
					addresses: Vec::new(),
					..all.clone()
				},
				"grid.public",
			),
			(
				Overrides {
					addresses: unreachable,
					..all.clone()
				},
				"grid.public",
			),
			(
				Overrides {
					addresses: vec![all.addresses[0]; 5],
					..all.clone()
				},
				"at most 4",
			),
		] {
			let error = params(&config(""), &overrides).unwrap_err().to_string();
			assert!(error.contains(word), "{word}: {error}");
		}
	}
}
