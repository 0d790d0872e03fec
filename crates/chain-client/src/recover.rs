//! Transactions that a node's pool gave up: they may be in a block all the same.

use crate::{
	client::ChainClient,
	error::{request, ChainError},
	submit::MORTALITY,
	view::{At, ChainView},
};
use subxt::utils::AccountId32;

/// How often a transaction is signed.
const ATTEMPTS: u32 = 4;

/// A transaction, as often as it was signed. All bear one number, so at most one gets into a block.
pub(crate) struct Sent {
	account: AccountId32,
	/// The number.
	pub(crate) nonce: u64,
	/// Of each time the pool took it.
	pub(crate) hashes: Vec<[u8; 32]>,
	/// How often it was signed.
	pub(crate) attempts: u32,
	/// The newest finalised block that was looked through.
	looked: Option<u32>,
}

impl Sent {
	pub(crate) fn new(account: AccountId32, nonce: u64) -> Self {
		Self {
			account,
			nonce,
			hashes: Vec::new(),
			attempts: 0,
			looked: None,
		}
	}
}

/// What to do about a transaction that is in no finalised block yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
	/// A block that is not final may hold it.
	Wait,
	/// No block holds one with its number.
	SignAnew,
	/// It will not be in any block.
	GiveUp,
}

/// Decides by the number the account's next transaction has in the finalised and in the newest block, and
/// by whether all that was there when the pool gave the transaction up is final.
fn next(nonce: u64, finalized: u64, best: u64, settled: bool, attempts: u32) -> Next {
	if finalized > nonce {
		// Another transaction took the number.
		Next::GiveUp
	} else if !settled || best > nonce {
		Next::Wait
	} else if attempts >= ATTEMPTS {
		Next::GiveUp
	} else {
		Next::SignAnew
	}
}

impl ChainClient {
	/// Looks for a transaction that the pool gave up. `None`: no block holds it, and its number is free.
	pub(crate) async fn search(
		&self,
		sent: &mut Sent,
		why: &str,
	) -> Result<Option<ChainView>, ChainError> {
		let mut blocks = self.follow(At::Finalized).await?;
		let mut target = None;
		loop {
			let last = self.at(At::Finalized).await?;
			let newest = self.at(At::Best).await?;
			let target = *target.get_or_insert(newest.number());
			// Older ones cannot hold it: it was valid for no longer.
			let mortality = u32::try_from(MORTALITY).unwrap_or(u32::MAX);
			let oldest = last.number().saturating_sub(mortality);
			let first = sent
				.looked
				.map_or(oldest, |looked| looked.saturating_add(1));
			for number in first..=last.number() {
				let hash = self.rpc.chain_get_block_hash(Some(number.into())).await;
				let hash = hash.map_err(request("looking for a transaction"))?;
				let Some(hash) = hash else { continue };
				if let Some(view) = self.outcome_in(hash, &sent.hashes).await? {
					return Ok(Some(view));
				}
			}
			sent.looked = Some(last.number());
			let finalized = last.nonce(&sent.account).await?;
			let best = newest.nonce(&sent.account).await?;
			let settled = last.number() >= target;
			match next(sent.nonce, finalized, best, settled, sent.attempts) {
				Next::Wait => blocks.next().await?,
				Next::SignAnew => return Ok(None),
				Next::GiveUp => return Err(ChainError::NotIncluded(why.to_owned())),
			};
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_number_is_used_again_only_when_no_block_can_hold_it() {
		// The newest blocks are not final yet, or one of them holds it.
		assert_eq!(next(5, 5, 5, false, 1), Next::Wait);
		assert_eq!(next(5, 4, 5, false, 1), Next::Wait);
		assert_eq!(next(5, 5, 6, true, 1), Next::Wait);
		assert_eq!(next(5, 5, 5, true, 1), Next::SignAnew);
		// An earlier one of the same account was forgotten, too: this one can wait for it in the pool.
		assert_eq!(next(5, 4, 4, true, 1), Next::SignAnew);
	}

	#[test]
	fn it_ends() {
		assert_eq!(next(5, 6, 6, false, 1), Next::GiveUp);
		assert_eq!(next(5, 5, 5, true, ATTEMPTS), Next::GiveUp);
	}
}
