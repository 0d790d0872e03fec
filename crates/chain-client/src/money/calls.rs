//! Calls about money.

use super::{
	names,
	types::{OrderRequest, UsageGrant},
};
use crate::{
	client::ChainClient,
	contract::call,
	error::{request, ChainError},
	submit::{payload, Call, Included},
	view::ChainView,
};
use codec::{Compact, Encode};
use hippius_primitives::{
	money::{Pool, Voucher},
	NodeIndex,
};
use subxt_signer::sr25519::Keypair;

/// A call about money. Amounts of alpha are in rao.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyCall {
	/// Buys credits; refused if they were fewer than `least`.
	Deposit {
		/// Rao paid.
		alpha: u128,
		/// Fewest credits.
		least: u128,
	},
	/// Gives back the alpha behind what is left of a batch.
	Refund {
		/// The batch.
		batch: u64,
	},
	/// Brings a voucher, with at least two of the payment service's signatures.
	Redeem {
		/// The voucher.
		voucher: Voucher,
		/// Keys and signatures, at most three.
		signatures: Vec<([u8; 32], [u8; 64])>,
	},
	/// Repays what is owed for reversed payments.
	Repay,
	/// Charges an account for what it used until now.
	Settle {
		/// The account.
		who: [u8; 32],
	},
	/// Lets a gateway add and charge for the signing account.
	Authorize {
		/// The gateway's account.
		gateway: [u8; 32],
		/// What it may.
		grant: UsageGrant,
	},
	/// Takes that back.
	Revoke {
		/// The gateway's account.
		gateway: [u8; 32],
	},
	/// Sets the price of alpha; by the administrator.
	ForceAlphaPrice {
		/// Credits per alpha.
		price: u128,
	},
	/// Gives notice of a price; by the administrator.
	SetPrice {
		/// For what.
		pool: Pool,
		/// Credits per GB-hour held or GB sent, with 32 binary places.
		price: u128,
		/// From this block on.
		from: u32,
	},
	/// Credits the nodes of a page with their shares of an era.
	PayoutPage {
		/// The pool.
		pool: Pool,
		/// The era.
		era: u32,
		/// The page.
		page: u32,
	},
	/// Withdraws what a node earned; by its family.
	Withdraw {
		/// The node.
		node: NodeIndex,
	},
	/// Credits a validator, and a page of those who stake with it, with their shares of an era.
	PayoutValidator {
		/// The era of staking.
		era: u32,
		/// The validator.
		validator: [u8; 32],
		/// The page of its stakers.
		page: u32,
	},
	/// Withdraws what a validator or staker was credited with.
	WithdrawStake,
	/// Moves the treasury's pot to it.
	PayTreasury,
	/// Orders a service.
	Request(OrderRequest),
	/// Lets an order run, or stops it.
	SetRunning {
		/// The order.
		id: u64,
		/// Whether it shall run.
		running: bool,
	},
	/// Wants an order for longer.
	Renew {
		/// The order.
		id: u64,
		/// Blocks more.
		blocks: u32,
	},
	/// Ends an order.
	Cancel {
		/// The order.
		id: u64,
	},
}

impl MoneyCall {
	/// Its name.
	pub(super) fn name(&self) -> &'static call::Call {
		match self {
			Self::Deposit { .. } => &names::DEPOSIT,
			Self::Refund { .. } => &names::REFUND,
			Self::Redeem { .. } => &names::REDEEM,
			Self::Repay => &names::REPAY,
			Self::Settle { .. } => &names::SETTLE,
			Self::Authorize { .. } => &names::AUTHORIZE,
			Self::Revoke { .. } => &names::REVOKE,
			Self::ForceAlphaPrice { .. } => &names::FORCE_ALPHA_PRICE,
			Self::SetPrice { .. } => &names::SET_PRICE,
			Self::PayoutPage { .. } => &names::PAYOUT_PAGE,
			Self::Withdraw { .. } => &names::WITHDRAW,
			Self::PayoutValidator { .. } => &names::PAYOUT_VALIDATOR,
			Self::WithdrawStake => &names::WITHDRAW_STAKE,
			Self::PayTreasury => &names::PAY_TREASURY,
			Self::Request(_) => &names::REQUEST,
			Self::SetRunning { .. } => &names::SET_RUNNING,
			Self::Renew { .. } => &names::RENEW,
			Self::Cancel { .. } => &names::CANCEL,
		}
	}

	/// Its arguments, each encoded.
	pub(super) fn arguments(&self) -> Vec<Vec<u8>> {
		match self {
			Self::Deposit { alpha, least } => vec![alpha.encode(), least.encode()],
			Self::Refund { batch } => vec![batch.encode()],
			Self::Redeem {
				voucher,
				signatures,
			} => vec![voucher.encode(), signatures.encode()],
			Self::Repay | Self::WithdrawStake | Self::PayTreasury => Vec::new(),
			Self::Settle { who } => vec![who.encode()],
			Self::Authorize { gateway, grant } => vec![gateway.encode(), grant.encode()],
			Self::Revoke { gateway } => vec![gateway.encode()],
			Self::ForceAlphaPrice { price } => vec![price.encode()],
			Self::SetPrice { pool, price, from } => {
				vec![pool.encode(), price.encode(), from.encode()]
			}
			Self::PayoutPage { pool, era, page } => {
				vec![pool.encode(), era.encode(), page.encode()]
			}
			Self::Withdraw { node } => vec![node.encode()],
			Self::PayoutValidator {
				era,
				validator,
				page,
			} => vec![era.encode(), validator.encode(), page.encode()],
			Self::Request(request) => vec![request.encode()],
			Self::SetRunning { id, running } => vec![id.encode(), running.encode()],
			Self::Renew { id, blocks } => vec![id.encode(), blocks.encode()],
			Self::Cancel { id } => vec![id.encode()],
		}
	}

	pub(super) fn payload(&self) -> Call {
		payload(self.name(), self.arguments())
	}
}

impl ChainClient {
	/// Submits calls of one account, all or nothing; gives the state at the block they are in.
	pub async fn money(
		&self,
		signer: &Keypair,
		calls: &[MoneyCall],
		included: Included,
	) -> Result<ChainView, ChainError> {
		match calls {
			[call] => self.submit(signer, &call.payload(), included).await,
			calls => {
				let list = self.encoded(calls).await?;
				self.submit(signer, &payload(&call::BATCH_ALL, vec![list]), included)
					.await
			}
		}
	}

	/// Has the administrator of a test network make a call; gives the state at the block it is in. A
	/// failure of the call itself is told by the event `Sudo.Sudid`, not by an error.
	pub async fn sudo(
		&self,
		signer: &Keypair,
		calls: &[MoneyCall],
		included: Included,
	) -> Result<ChainView, ChainError> {
		let list = self.encoded(calls).await?;
		let action = "encoding a call";
		let at = self.api.at_current_block().await.map_err(request(action))?;
		let all = at
			.transactions()
			.call_data(&payload(&call::BATCH_ALL, vec![list]))
			.map_err(request(action))?;
		self.submit(signer, &payload(&names::SUDO, vec![all]), included)
			.await
	}

	/// A `Vec` of calls: its length, then each.
	async fn encoded(&self, calls: &[MoneyCall]) -> Result<Vec<u8>, ChainError> {
		let action = "encoding a batch of calls";
		let at = self.api.at_current_block().await.map_err(request(action))?;
		let transactions = at.transactions();
		let mut list = Compact(u32::try_from(calls.len()).unwrap_or(u32::MAX)).encode();
		for call in calls {
			let data = transactions
				.call_data(&call.payload())
				.map_err(request(action))?;
			list.extend(data);
		}
		Ok(list)
	}
}
