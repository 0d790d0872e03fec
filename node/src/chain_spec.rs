//! The networks this node knows by name.

use crate::Block;
use hippius_primitives::{SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL};
use hippius_runtime::genesis;
use sc_chain_spec::ChainSpecExtension;
use sc_service::{ChainType, Properties};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a chain spec can carry besides the genesis.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ChainSpecExtension)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
	/// Blocks that must be on the chain.
	pub fork_blocks: sc_client_api::ForkBlocks<Block>,
	/// Blocks that must not.
	pub bad_blocks: sc_client_api::BadBlocks<Block>,
	/// Where a light client may start.
	pub light_sync_state: sc_sync_state_rpc::LightSyncStateExtension,
}

/// A chain spec of this node.
pub type ChainSpec = sc_service::GenericChainSpec<Extensions>;

/// Why there is no chain spec.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
	/// The binary carries no runtime.
	#[error(
		"this node was built without its runtime (SKIP_WASM_BUILD was set); build it again without \
		 that variable, or start it with --chain FILE"
	)]
	NoWasm,
	/// The file is no chain spec, or the name is unknown.
	#[error(
		"--chain {id}: {reason}; known names are dev, local and main, anything else is a file"
	)]
	Unknown {
		/// What was asked for.
		id: String,
		/// What is wrong with it.
		reason: String,
	},
}

/// The chain spec named `id`: `dev`, `local`, `main`, or the path of a JSON file.
pub fn load(id: &str) -> Result<ChainSpec, SpecError> {
	match id {
		"dev" => development(),
		"" | "local" => local(),
		"main" => main_network(),
		path => {
			ChainSpec::from_json_file(PathBuf::from(path)).map_err(|reason| SpecError::Unknown {
				id: id.into(),
				reason,
			})
		}
	}
}

/// One validator, Alice, on this machine.
pub fn development() -> Result<ChainSpec, SpecError> {
	spec(
		"Hippius Development",
		"hippius_dev",
		ChainType::Development,
		genesis::DEVELOPMENT,
	)
}

/// Three validators, Alice, Bob and Charlie, on this machine.
pub fn local() -> Result<ChainSpec, SpecError> {
	spec(
		"Hippius Local",
		"hippius_local",
		ChainType::Local,
		genesis::LOCAL,
	)
}

/// The main network. Its genesis keys are placeholders until the network is launched; a validator
/// refuses to start from it.
pub fn main_network() -> Result<ChainSpec, SpecError> {
	spec(
		"Hippius (placeholder genesis keys)",
		"hippius",
		ChainType::Live,
		genesis::MAIN,
	)
}

fn spec(name: &str, id: &str, kind: ChainType, preset: &str) -> Result<ChainSpec, SpecError> {
	let wasm = hippius_runtime::WASM_BINARY.ok_or(SpecError::NoWasm)?;
	Ok(ChainSpec::builder(wasm, Extensions::default())
		.with_name(name)
		.with_id(id)
		.with_chain_type(kind)
		.with_protocol_id("hippius")
		.with_properties(properties())
		.with_genesis_config_preset_name(preset)
		.build())
}

fn properties() -> Properties {
	let mut properties = Properties::new();
	properties.insert("tokenSymbol".into(), TOKEN_SYMBOL.into());
	properties.insert("tokenDecimals".into(), TOKEN_DECIMALS.into());
	properties.insert("ss58Format".into(), SS58_PREFIX.into());
	properties
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use sp_runtime::BuildStorage;

	#[test]
	fn every_network_says_what_wallets_need() {
		for id in ["dev", "local", "main"] {
			let json = load(id).unwrap().as_json(false).unwrap();
			let json: serde_json::Value = serde_json::from_str(&json).unwrap();
			assert_eq!(json["properties"]["tokenDecimals"], 9);
			assert_eq!(json["properties"]["tokenSymbol"], "ALPHA");
			assert_eq!(json["properties"]["ss58Format"], 42);
		}
	}

	#[test]
	fn the_main_networks_genesis_builds_in_the_wasm() {
		assert!(!load("main")
			.unwrap()
			.build_storage()
			.unwrap()
			.top
			.is_empty());
	}

	#[test]
	fn an_unknown_network_is_named_in_the_error() {
		let error = load("/nowhere/spec.json").err().unwrap().to_string();
		assert!(error.contains("/nowhere/spec.json"), "{error}");
	}
}
