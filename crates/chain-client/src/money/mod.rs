//! Credits, orders and earnings: the pallets `marketplace`, `orders` and `rewards`.
//!
//! Amounts of alpha are in rao (10^9 to the alpha), credits in millionths of a US dollar.

mod calls;
mod events;
mod history;
pub mod names;
mod read;
mod types;

pub use calls::MoneyCall;
pub use events::MoneyEvent;
pub use types::{
	EraEntry, EraPool, EraTotals, MarketAccount, MarketLine, MarketStanding, MarketStatus,
	NodeEarnings, Order, OrderRequest, OrderState, RevenueTotals, RunningEra, ServicePlan,
	Subscription, UsageGrant,
};

#[cfg(test)]
mod tests;
