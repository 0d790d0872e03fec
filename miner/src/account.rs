//! The family's account, and this node as the chain knows it.

use crate::{files, MinerError};
use hippius_chain_client::{
	account_of, signer_from_suri, At, ChainClient, ChainView, Keypair, NodeDetails,
};
use hippius_primitives::{NodeIndex, NodeKey};
use std::{path::PathBuf, time::Duration};

/// Most bytes of a file with an account's secret.
const MAX_SURI: usize = 4096;

/// Where the family's secret comes from.
#[derive(Clone)]
pub enum Secret {
	/// Given directly.
	Suri(String),
	/// The first line of a file.
	File(PathBuf),
}

impl std::fmt::Debug for Secret {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match self {
			Self::Suri(_) => f.write_str("Suri(..)"),
			Self::File(path) => f.debug_tuple("File").field(path).finish(),
		}
	}
}

impl Secret {
	/// The account's key pair.
	pub fn signer(&self) -> Result<Keypair, MinerError> {
		let suri = match self {
			Self::Suri(suri) => suri.clone(),
			Self::File(path) => {
				let wrong = |what| MinerError::Input(format!("{} {what}", path.display()));
				let bytes =
					files::read_limited(path, MAX_SURI)?.ok_or_else(|| wrong("does not exist"))?;
				let text = String::from_utf8(bytes).map_err(|_| wrong("does not hold text"))?;
				text.lines().next().unwrap_or_default().trim().to_owned()
			}
		};
		Ok(signer_from_suri(&suri)?)
	}
}

/// This node on chain, at one block.
pub struct OwnNode {
	/// The connection.
	pub chain: ChainClient,
	/// The newest block.
	pub view: ChainView,
	/// The node's number.
	pub index: NodeIndex,
	/// All the chain keeps of it.
	pub details: NodeDetails,
}

impl OwnNode {
	/// Finds the node with one of `keys`; `None` if the chain knows none of them.
	pub async fn find(chain: ChainClient, keys: &[NodeKey]) -> Result<Option<Self>, MinerError> {
		let view = chain.at(At::Best).await?;
		for key in keys {
			let Some(record) = view.node_by_key(*key).await? else {
				continue;
			};
			if let Some(details) = view.node_details(record.index).await? {
				return Ok(Some(Self {
					chain,
					view,
					index: record.index,
					details,
				}));
			}
		}
		Ok(None)
	}

	/// As [`Self::find`]; the node must be there, and must be the signer's.
	pub async fn of(url: &str, keys: &[NodeKey], signer: &Keypair) -> Result<Self, MinerError> {
		let chain = ChainClient::connect(url).await?;
		let node = Self::find(chain, keys).await?.ok_or_else(|| {
			MinerError::Input(
				"this node's key is not registered on that chain; run `arion-miner register`, or \
				 give the right --chain"
					.into(),
			)
		})?;
		if node.details.family != account_of(signer) {
			return Err(MinerError::Input(format!(
				"node {} belongs to another account (0x{}); give that one's secret",
				node.index,
				hex::encode(node.details.family)
			)));
		}
		Ok(node)
	}

	/// Seconds until a block, as far as the chain's block time tells.
	pub fn seconds_until(&self, block: u32) -> Option<u64> {
		let blocks = block.saturating_sub(self.view.number());
		let time = self.view.block_time()?;
		Some(time.saturating_mul(blocks).as_secs())
	}
}

/// A time for people: `3 min`, `5 h`, `12 d`.
pub fn rough(seconds: u64) -> String {
	let time = Duration::from_secs(seconds).as_secs();
	match time {
		0..120 => format!("{time} s"),
		120..7200 => format!("{} min", time / 60),
		7200..172_800 => format!("{} h", time / 3600),
		_ => format!("{} d", time / 86_400),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn secrets_come_from_text_or_a_file_and_are_not_printed() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("secret");
		std::fs::write(&path, "//Alice\nsecond line\n").unwrap();
		let from_file = Secret::File(path.clone()).signer().unwrap();
		let direct = Secret::Suri("//Alice".into());
		assert_eq!(
			account_of(&from_file),
			account_of(&direct.signer().unwrap())
		);
		assert!(!format!("{direct:?}").contains("Alice"));
		std::fs::write(&path, [0xff]).unwrap();
		let error = Secret::File(path).signer().unwrap_err();
		assert!(error.to_string().contains("does not hold text"), "{error}");
	}

	#[test]
	fn times_for_people() {
		for (seconds, text) in [
			(5, "5 s"),
			(600, "10 min"),
			(10_000, "2 h"),
			(2_419_200, "28 d"),
		] {
			assert_eq!(rough(seconds), text);
		}
	}
}
