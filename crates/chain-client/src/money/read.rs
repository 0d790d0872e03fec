//! What can be read of money at one block.

use super::{
	names,
	types::{
		EraEntry, EraPool, EraTotals, MarketAccount, MarketStanding, NodeEarnings, Order,
		RevenueTotals, RunningEra,
	},
};
use crate::{
	client::ChainClient,
	error::{request, ChainError},
	view::{ChainView, Encoded},
};
use codec::{Decode, DecodeAll, Encode};
use hippius_primitives::{
	heartbeat::{page_of, Page},
	money::Pool,
	NodeIndex,
};
use subxt::utils::Static;

/// Most orders looked through for one owner's.
const MOST_ORDERS: usize = 100_000;

impl ChainView {
	/// What is kept of an account; `None` if it never had credits.
	pub async fn market_account(&self, who: [u8; 32]) -> Result<Option<MarketAccount>, ChainError> {
		self.entry(&names::ACCOUNTS, who).await
	}

	/// How an account stands now: credits, what they are spent on, how long they last.
	pub async fn market_standing(
		&self,
		who: [u8; 32],
	) -> Result<Option<MarketStanding>, ChainError> {
		self.ask(&names::STANDING, &who).await
	}

	/// Credits that a deposit of so many rao gives; `None` while there is no fresh price of alpha.
	pub async fn quote(&self, alpha: u128) -> Result<Option<u128>, ChainError> {
		self.ask(&names::QUOTE, &alpha).await
	}

	/// The price of something: credits per GB-hour held or GB sent, with 32 binary places.
	pub async fn service_price(&self, pool: Pool) -> Result<u128, ChainError> {
		self.ask(&names::PRICE, &pool).await
	}

	/// The accounts of escrow, float and reserve.
	pub async fn market_accounts(&self) -> Result<[[u8; 32]; 3], ChainError> {
		self.ask(&names::PALLET_ACCOUNTS, &()).await
	}

	/// The account that has what miners, validators and the treasury were not paid yet.
	pub fn rewards_account(&self) -> Result<[u8; 32], ChainError> {
		let id: [u8; 8] =
			self.constant("Rewards", "PalletId")
				.ok_or_else(|| ChainError::Incompatible {
					item: "constant Rewards.PalletId".into(),
					difference: "the node lacks it",
				})?;
		// As every pallet's account is made: `modl`, its id, zeros.
		let mut account = [0; 32];
		account[..4].copy_from_slice(b"modl");
		account[4..12].copy_from_slice(&id);
		Ok(account)
	}

	/// The least an account that lives has, in rao.
	pub fn existential_deposit(&self) -> Option<u128> {
		self.constant("Balances", "ExistentialDeposit")
	}

	/// All rao there are.
	pub async fn total_issuance(&self) -> Result<u128, ChainError> {
		Ok(self
			.read(&names::ISSUANCE, Vec::new())
			.await?
			.unwrap_or_default())
	}

	/// Sums of charges and payments since the beginning.
	pub async fn revenue(&self) -> Result<RevenueTotals, ChainError> {
		Ok(self
			.read(&names::SUMS, Vec::new())
			.await?
			.unwrap_or_default())
	}

	/// What a node has earned and its family not withdrawn.
	pub async fn earnings(&self, node: NodeIndex) -> Result<Option<NodeEarnings>, ChainError> {
		self.entry(&names::EARNED, node).await
	}

	/// What a validator or staker was credited with and did not withdraw, in rao.
	pub async fn stake_earnings(&self, who: [u8; 32]) -> Result<u128, ChainError> {
		Ok(self
			.entry(&names::STAKER_EARNED, who)
			.await?
			.unwrap_or_default())
	}

	/// The newest era of staking whose pot is frozen.
	pub async fn stakers_frozen(&self) -> Result<Option<u32>, ChainError> {
		self.read(&names::STAKERS_FROZEN, Vec::new()).await
	}

	/// The validators of the running session.
	pub async fn validators(&self) -> Result<Vec<[u8; 32]>, ChainError> {
		Ok(self
			.read(&names::VALIDATORS, Vec::new())
			.await?
			.unwrap_or_default())
	}

	/// The eras of pools that are being paid, oldest first.
	pub async fn open_eras(&self) -> Result<Vec<(Pool, u32)>, ChainError> {
		Ok(self
			.read(&names::OPEN_ERAS, Vec::new())
			.await?
			.unwrap_or_default())
	}

	/// An era of a pool that is being paid.
	pub async fn era_pool(&self, pool: Pool, era: u32) -> Result<Option<EraPool>, ChainError> {
		self.read(&names::ERA_POOLS, keys([pool.encode(), era.encode()]))
			.await
	}

	/// The running era of scores and pay weights.
	pub async fn running_era(&self) -> Result<RunningEra, ChainError> {
		Ok(self
			.read(&names::CURRENT_ERA, Vec::new())
			.await?
			.unwrap_or_default())
	}

	/// Sums over an era of scores; `None` if it is not over or no longer kept.
	pub async fn era_totals(&self, era: u32) -> Result<Option<EraTotals>, ChainError> {
		self.entry(&names::ERAS, era).await
	}

	/// What a node held in an era of scores; `None` if nothing, or if the era is no longer kept.
	pub async fn era_entry(
		&self,
		era: u32,
		node: NodeIndex,
	) -> Result<Option<EraEntry>, ChainError> {
		let (page, _): (Page, usize) = page_of(node);
		let entries: Option<Vec<EraEntry>> = self
			.read(&names::ERA_PAGES, keys([era.encode(), page.encode()]))
			.await?;
		let mut entries = entries.into_iter().flatten();
		Ok(entries.find(|entry| entry.node == node))
	}

	/// An order that has not ended.
	pub async fn order(&self, id: u64) -> Result<Option<Order>, ChainError> {
		self.entry(&names::ORDERS_BY_ID, id).await
	}

	/// The orders of an account, by number.
	pub async fn orders_of(&self, owner: [u8; 32]) -> Result<Vec<(u64, Order)>, ChainError> {
		let mut orders = self
			.entries::<u64, Order>(&names::ORDERS_BY_ID, MOST_ORDERS)
			.await?;
		orders.retain(|(_, order)| order.owner == owner);
		orders.sort_unstable_by_key(|(id, _)| *id);
		Ok(orders)
	}

	/// Asks a view function.
	pub(crate) async fn ask<R: Decode>(
		&self,
		function: &crate::contract::view_function::Function,
		arguments: &impl Encode,
	) -> Result<R, ChainError> {
		let action = function.action;
		let missing = |difference| ChainError::Incompatible {
			item: format!("view function {}.{}", function.pallet, function.name),
			difference,
		};
		let id = self
			.view_function_id(function)
			.ok_or_else(|| missing("the node lacks it"))?;
		let asked = (id, arguments.encode()).encode();
		let answer = self.view_function(action, &asked).await?;
		let wrong = |cause| ChainError::Decode { action, cause };
		// `Result<Vec<u8>, _>`.
		let bytes = match answer.split_first() {
			Some((0, bytes)) => Vec::<u8>::decode_all(&mut &*bytes).map_err(wrong)?,
			_ => return Err(missing("the node does not run it")),
		};
		R::decode_all(&mut bytes.as_slice()).map_err(wrong)
	}
}

fn keys<const N: usize>(keys: [Vec<u8>; N]) -> Vec<Static<Encoded>> {
	keys.map(|key| Static(Encoded(key))).into()
}

impl ChainClient {
	/// The state at a finalised block by its number; fails for one whose state the node no longer has.
	pub async fn at_number(&self, number: u32) -> Result<ChainView, ChainError> {
		let at = self.api.at_block(number).await;
		Ok(ChainView::new(at.map_err(request("reading a block"))?))
	}
}
