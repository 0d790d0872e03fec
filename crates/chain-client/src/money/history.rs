//! What happened to money in the last blocks.

use super::MoneyEvent;
use crate::{client::ChainClient, error::ChainError, view::At};
use futures_util::{stream, StreamExt as _};

/// Blocks asked for at a time.
const WIDTH: usize = 8;

impl ChainClient {
	/// What `pick` finds in the events about money of the `blocks` finalised blocks up to `newest`, newest
	/// block first, as far back as the node keeps them. A connection that is lost is an error.
	pub async fn money_history<T>(
		&self,
		newest: u32,
		blocks: u32,
		mut pick: impl FnMut(u32, Vec<MoneyEvent>) -> Vec<T>,
	) -> Result<Vec<T>, ChainError> {
		let oldest = newest.saturating_sub(blocks).max(1);
		let numbers = (oldest..=newest).rev().take(blocks as usize);
		let mut found = Vec::new();
		let mut reads = stream::iter(numbers)
			.map(|block| async move {
				let view = self.at_number(block).await?;
				view.money_events().await.map(|events| (block, events))
			})
			.buffered(WIDTH);
		while let Some(read) = reads.next().await {
			match read {
				Ok((block, events)) => found.extend(pick(block, events)),
				// A node says the same of a block whose state it has let go as of any other request it
				// cannot answer: what it has of the newest one tells whether it is the block.
				Err(ChainError::Request { .. }) => {
					drop(reads);
					self.at(At::Finalized).await?.money_events().await?;
					break;
				}
				Err(error) => return Err(error),
			}
		}
		Ok(found)
	}
}
