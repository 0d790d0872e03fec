#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

mod arith;
mod batches;
mod chargeback;
mod draw;
pub mod index;
mod oracle;
mod payout;
mod prorate;
mod split;

pub use arith::{mul_div, mul_div_ceil};
pub use batches::{
	alpha_for, consume, credits_for, insert, total, Batch, Funding, TooManyBatches, Used,
	MAX_BATCHES,
};
pub use chargeback::{Chargeback, Paid};
pub use draw::{pick, place};
pub use oracle::{Oracle, PriceError, HOUR_MS, MAX_PPM_PER_HOUR};
pub use payout::{carry, share};
pub use prorate::used;
pub use split::{slash_split, split, SlashSplit, Split};

/// Rao of one alpha.
pub const ALPHA: u128 = 1_000_000_000;
/// Credits of one US dollar.
pub const DOLLAR: u128 = 1_000_000;
