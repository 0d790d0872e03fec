//! Waiting for blocks and for what they bring.

use crate::{
	client::{ChainClient, Config},
	error::{request, ChainError},
	view::{At, VerifiedMap},
};
use arion_crush::cluster::ClusterMap;
use hippius_primitives::Epoch;
use std::time::Duration;
use subxt::{
	config::{substrate::SubstrateHeader, HashFor},
	rpcs::client::RpcSubscription,
};

/// Numbers of new blocks as the node reports them; may skip some when several come at once.
pub struct BlockNumbers {
	headers: RpcSubscription<SubstrateHeader<HashFor<Config>>>,
}

impl BlockNumbers {
	/// The next one. An error, [`ChainError::Closed`] included, is final.
	pub async fn next(&mut self) -> Result<u32, ChainError> {
		let header = self.headers.next().await.ok_or(ChainError::Closed)?;
		let header = header.map_err(request("following blocks"))?;
		Ok(u32::try_from(header.number).unwrap_or(u32::MAX))
	}
}

impl ChainClient {
	/// Follows the newest (or the newest finalised) block.
	pub async fn follow(&self, at: At) -> Result<BlockNumbers, ChainError> {
		let headers = match at {
			At::Best => self.rpc.chain_subscribe_new_heads().await,
			At::Finalized => self.rpc.chain_subscribe_finalized_heads().await,
		};
		Ok(BlockNumbers {
			headers: headers.map_err(request("following blocks"))?,
		})
	}

	/// Waits until the finalised cluster map satisfies `wanted`, at most `deadline`.
	pub async fn wait_for_map(
		&self,
		wanted: impl Fn(&ClusterMap) -> bool,
		deadline: Duration,
	) -> Result<VerifiedMap, ChainError> {
		let mut epoch: Epoch = 0;
		let search = async {
			// Subscribed before the first look, so that nothing slips between.
			let mut blocks = self.follow(At::Finalized).await?;
			loop {
				if let Some(verified) = self.at(At::Finalized).await?.verified_map(None).await? {
					epoch = verified.map.epoch;
					if wanted(&verified.map) {
						return Ok(verified);
					}
				}
				blocks.next().await?;
			}
		};
		match tokio::time::timeout(deadline, search).await {
			Ok(found) => found,
			Err(_) => Err(ChainError::Deadline {
				what: "the cluster map",
				waited: deadline,
				epoch,
			}),
		}
	}

	/// Waits until block `number` is finalised (or merely there), at most `deadline`.
	pub async fn wait_for_block(
		&self,
		at: At,
		number: u32,
		deadline: Duration,
	) -> Result<u32, ChainError> {
		let search = async {
			let mut blocks = self.follow(at).await?;
			let mut now = self.at(at).await?.number();
			while now < number {
				now = blocks.next().await?;
			}
			Ok(now)
		};
		match tokio::time::timeout(deadline, search).await {
			Ok(found) => found,
			Err(_) => Err(ChainError::Deadline {
				what: "a block",
				waited: deadline,
				epoch: 0,
			}),
		}
	}
}
