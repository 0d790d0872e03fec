//! What of these pallets is used, by name. [`crate::ChainClient::connect`] compares all of it.

use crate::contract::{
	call::Call,
	storage::Entry,
	view_function::{self, Function},
};

const MARKET: &str = "Marketplace";
const REWARDS: &str = "Rewards";
const ORDERS: &str = "Orders";

const fn call(pallet: &'static str, name: &'static str) -> Call {
	Call {
		pallet,
		name,
		closed: true,
	}
}

/// `deposit(alpha: u128, least: u128)`.
pub const DEPOSIT: Call = call(MARKET, "deposit");
/// `refund(batch: u64)`.
pub const REFUND: Call = call(MARKET, "refund");
/// `redeem(voucher: Voucher, signatures: Vec<([u8; 32], [u8; 64])>)`.
pub const REDEEM: Call = call(MARKET, "redeem");
/// `repay()`.
pub const REPAY: Call = call(MARKET, "repay");
/// `settle(who: AccountId)`.
pub const SETTLE: Call = call(MARKET, "settle");
/// `authorize_gateway(gateway: AccountId, grant: Grant)`.
pub const AUTHORIZE: Call = call(MARKET, "authorize_gateway");
/// `revoke_gateway(gateway: AccountId)`.
pub const REVOKE: Call = call(MARKET, "revoke_gateway");
/// `force_alpha_price(price: u128)`.
pub const FORCE_ALPHA_PRICE: Call = call(MARKET, "force_alpha_price");
/// `set_price(pool: Pool, price: u128, from: u32)`.
pub const SET_PRICE: Call = call(MARKET, "set_price");
/// `payout_page(pool: Pool, era: u32, page: u32)`.
pub const PAYOUT_PAGE: Call = call(REWARDS, "payout_page");
/// `withdraw(node: NodeIndex)`.
pub const WITHDRAW: Call = call(REWARDS, "withdraw");
/// `payout_validator(era: u32, validator: AccountId, page: u32)`.
pub const PAYOUT_VALIDATOR: Call = call(REWARDS, "payout_validator");
/// `withdraw_stake()`.
pub const WITHDRAW_STAKE: Call = call(REWARDS, "withdraw_stake");
/// `pay_treasury()`.
pub const PAY_TREASURY: Call = call(REWARDS, "pay_treasury");
/// `request(request: Request)`.
pub const REQUEST: Call = call(ORDERS, "request");
/// `set_running(id: u64, running: bool)`.
pub const SET_RUNNING: Call = call(ORDERS, "set_running");
/// `renew(id: u64, blocks: u32)`.
pub const RENEW: Call = call(ORDERS, "renew");
/// `cancel(id: u64)`.
pub const CANCEL: Call = call(ORDERS, "cancel");
/// `sudo(call: RuntimeCall)`, on test networks.
pub const SUDO: Call = Call {
	pallet: "Sudo",
	name: "sudo",
	closed: false,
};
/// All calls.
pub const CALLS: [&Call; 19] = [
	&DEPOSIT,
	&REFUND,
	&REDEEM,
	&REPAY,
	&SETTLE,
	&AUTHORIZE,
	&REVOKE,
	&FORCE_ALPHA_PRICE,
	&SET_PRICE,
	&PAYOUT_PAGE,
	&WITHDRAW,
	&PAYOUT_VALIDATOR,
	&WITHDRAW_STAKE,
	&PAY_TREASURY,
	&REQUEST,
	&SET_RUNNING,
	&RENEW,
	&CANCEL,
	&SUDO,
];

/// `AccountId -> Account`, which is [`super::MarketAccount`].
pub const ACCOUNTS: Entry = Entry {
	pallet: MARKET,
	name: "Accounts",
	action: "reading Marketplace.Accounts",
};
/// `Totals`, no key, which is [`super::RevenueTotals`].
pub const SUMS: Entry = Entry {
	pallet: REWARDS,
	name: "Sums",
	action: "reading Rewards.Sums",
};
/// `NodeIndex -> Earnings`, which is [`super::NodeEarnings`].
pub const EARNED: Entry = Entry {
	pallet: REWARDS,
	name: "Earned",
	action: "reading Rewards.Earned",
};
/// `AccountId -> u128`.
pub const STAKER_EARNED: Entry = Entry {
	pallet: REWARDS,
	name: "StakerEarned",
	action: "reading Rewards.StakerEarned",
};
/// `u32`, no key: the newest era of staking that was frozen.
pub const STAKERS_FROZEN: Entry = Entry {
	pallet: REWARDS,
	name: "StakersFrozen",
	action: "reading Rewards.StakersFrozen",
};
/// `Vec<(Pool, u32)>`, no key: the eras that are being paid, oldest first.
pub const OPEN_ERAS: Entry = Entry {
	pallet: REWARDS,
	name: "OpenEras",
	action: "reading Rewards.OpenEras",
};
/// `Pool, u32 -> EraPool`, which is [`super::EraPool`].
pub const ERA_POOLS: Entry = Entry {
	pallet: REWARDS,
	name: "EraPools",
	action: "reading Rewards.EraPools",
};
/// `u64 -> Order`, which is [`super::Order`].
pub const ORDERS_BY_ID: Entry = Entry {
	pallet: ORDERS,
	name: "Orders",
	action: "reading Orders.Orders",
};
/// `Era`, no key, which is [`super::RunningEra`].
pub const CURRENT_ERA: Entry = Entry {
	pallet: "Ranking",
	name: "CurrentEra",
	action: "reading Ranking.CurrentEra",
};
/// `u32 -> EraTotals`, which is [`super::EraTotals`].
pub const ERAS: Entry = Entry {
	pallet: "Ranking",
	name: "Eras",
	action: "reading Ranking.Eras",
};
/// `u32, Page -> Vec<EraEntry>`, which is [`super::EraEntry`].
pub const ERA_PAGES: Entry = Entry {
	pallet: "Ranking",
	name: "EraPages",
	action: "reading Ranking.EraPages",
};
/// `Balance`, no key.
pub const ISSUANCE: Entry = Entry {
	pallet: "Balances",
	name: "TotalIssuance",
	action: "reading Balances.TotalIssuance",
};
/// `Vec<AccountId>`, no key.
pub const VALIDATORS: Entry = Entry {
	pallet: "Session",
	name: "Validators",
	action: "reading Session.Validators",
};
/// All storage.
pub const STORAGE: [&Entry; 13] = [
	&ACCOUNTS,
	&SUMS,
	&EARNED,
	&STAKER_EARNED,
	&STAKERS_FROZEN,
	&OPEN_ERAS,
	&ERA_POOLS,
	&ORDERS_BY_ID,
	&CURRENT_ERA,
	&ERAS,
	&ERA_PAGES,
	&ISSUANCE,
	&VALIDATORS,
];

/// `standing(who: AccountId) -> Option<Standing>`, which is [`super::MarketStanding`].
pub const STANDING: Function = Function {
	pallet: MARKET,
	name: "standing",
	action: "asking Marketplace.standing",
};
/// `quote(alpha: u128) -> Option<u128>`.
pub const QUOTE: Function = Function {
	pallet: MARKET,
	name: "quote",
	action: "asking Marketplace.quote",
};
/// `price(pool: Pool) -> u128`.
pub const PRICE: Function = Function {
	pallet: MARKET,
	name: "price",
	action: "asking Marketplace.price",
};
/// `pallet_accounts() -> (AccountId, AccountId, AccountId)`: escrow, float, reserve.
pub const PALLET_ACCOUNTS: Function = Function {
	pallet: MARKET,
	name: "pallet_accounts",
	action: "asking Marketplace.pallet_accounts",
};
/// All view functions.
pub const VIEWS: [&view_function::Function; 4] = [&STANDING, &QUOTE, &PRICE, &PALLET_ACCOUNTS];
