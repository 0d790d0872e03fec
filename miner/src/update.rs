//! `arion-miner update`: declares anew what config.toml says of addresses, capacity and host.

use crate::{
	account::{OwnNode, Secret},
	config::Config,
	files::BasePath,
	keys::Keys,
	register::{params, Overrides},
	MinerError,
};
use hippius_primitives::NodeIndex;
use serde::Serialize;

/// What `update` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Updated {
	/// The node's number.
	pub node: NodeIndex,
	/// Declared capacity, in bytes.
	pub capacity: u64,
	/// What is held as its stake, in rao.
	pub stake: u128,
	/// Whether all was declared so already.
	pub already: bool,
}

/// Declares the node of `base` as `config.toml` and `overrides` say; done when finalised.
pub async fn update(
	base: &BasePath,
	url: &str,
	secret: &Secret,
	overrides: &Overrides,
) -> Result<Updated, MinerError> {
	let config = Config::load(&base.config())?;
	let keys = Keys::load(base)?;
	let signer = secret.signer()?;
	let node = OwnNode::of(url, &keys.public(), &signer).await?;
	let host = String::from_utf8(node.details.host.clone()).ok();
	// What is not set here stays as it was declared.
	let overrides = Overrides {
		zone: overrides
			.zone
			.or(config.node.zone)
			.or(Some(node.details.zone)),
		host: overrides
			.host
			.clone()
			.or_else(|| config.node.host.clone())
			.or(host),
		..overrides.clone()
	};
	let wanted = params(&config, &overrides)?;
	if wanted.zone != node.details.zone {
		return Err(MinerError::Input(format!(
			"the node is registered in zone {}, which is fixed: set node.zone to that, or make \
			 another miner for zone {}",
			node.details.zone, wanted.zone
		)));
	}
	let already = wanted == node.details.params();
	let details = match already {
		true => node.details,
		false => node.chain.update_node(&signer, node.index, &wanted).await?,
	};
	Ok(Updated {
		node: node.index,
		capacity: details.capacity,
		stake: details.stake,
		already,
	})
}
