//! Credits, and the alpha in escrow behind them.

use crate::{mul_div, mul_div_ceil, ALPHA};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Most batches of an account.
pub const MAX_BATCHES: u32 = 32;

/// Where a batch came from.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Funding {
	/// Alpha that its owner paid in.
	#[codec(index = 0)]
	Alpha,
	/// TAO that the payment service received.
	#[codec(index = 1)]
	Tao,
	/// Money that can be charged back.
	#[codec(index = 2)]
	Fiat {
		/// The payment.
		payment: [u8; 32],
		/// Unix time in ms until which what it pays for is not paid out.
		frozen_until: u64,
	},
}

impl Funding {
	/// The payment whose consumption is not paid out at `now`.
	pub fn frozen(&self, now_ms: u64) -> Option<[u8; 32]> {
		match self {
			Self::Fiat {
				payment,
				frozen_until,
			} if now_ms < *frozen_until => Some(*payment),
			_ => None,
		}
	}
}

/// Credits of one origin, and what is in escrow for them.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Batch {
	/// Its number, never used again.
	pub id: u64,
	/// Credits left; not 0.
	pub credits: u128,
	/// Rao left.
	pub alpha: u128,
	/// Where it came from.
	pub funding: Funding,
}

/// What was taken from one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
	/// Credits.
	pub credits: u128,
	/// The alpha that was behind them.
	pub alpha: u128,
	/// Where the batch came from.
	pub funding: Funding,
}

/// The account has as many batches as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(thiserror::Error))]
#[cfg_attr(
	feature = "std",
	error("an account has at most {MAX_BATCHES} batches: spend or refund one first")
)]
pub struct TooManyBatches;

/// Credits that `rao` are worth at `price` credits per alpha, rounded down.
pub fn credits_for(rao: u128, price: u128) -> Option<u128> {
	mul_div(rao, price, ALPHA)
}

/// The rao that `credits` are worth at `price` credits per alpha, rounded up: no credit is backed by
/// less than its worth.
pub fn alpha_for(credits: u128, price: u128) -> Option<u128> {
	mul_div_ceil(credits, ALPHA, price)
}

/// All credits. Saturates.
pub fn total(batches: &[Batch]) -> u128 {
	batches
		.iter()
		.fold(0, |sum, batch| sum.saturating_add(batch.credits))
}

/// Takes up to `amount` credits, oldest batch first. From each batch go rao pro rata, rounded down;
/// with its last credit goes all that is left. Empty batches are removed. What is given back adds up
/// to what was taken.
pub fn consume(batches: &mut Vec<Batch>, amount: u128) -> Vec<Used> {
	let mut wanted = amount;
	let mut used = Vec::new();
	for batch in batches.iter_mut() {
		if wanted == 0 {
			break;
		}
		let credits = wanted.min(batch.credits);
		let alpha = match credits == batch.credits {
			true => batch.alpha,
			// At most the batch's, so it fits.
			false => mul_div(credits, batch.alpha, batch.credits).unwrap_or(0),
		};
		batch.credits -= credits;
		batch.alpha -= alpha;
		wanted -= credits;
		used.push(Used {
			credits,
			alpha,
			funding: batch.funding,
		});
	}
	batches.retain(|batch| batch.credits > 0);
	used
}

/// Adds a batch as the newest. Merges it with one of the same origin (never fiat: each payment can be
/// charged back alone) and exactly the same alpha per credit, where there is one. Where there is no room
/// alpha is merged with the newest alpha, whatever its ratio: both keep their sums, and nobody is kept from
/// paying for what it stores.
pub fn insert(batches: &mut Vec<Batch>, new: Batch) -> Result<(), TooManyBatches> {
	let same = batches.iter_mut().find(|old| {
		old.funding == new.funding
			&& !matches!(new.funding, Funding::Fiat { .. })
			&& same_ratio(old, &new)
	});
	if same.is_some_and(|old| merge(old, &new)) {
		return Ok(());
	}
	if batches.len() < MAX_BATCHES as usize {
		batches.push(new);
		return Ok(());
	}
	let newest = batches
		.iter_mut()
		.rev()
		.find(|old| (old.funding, new.funding) == (Funding::Alpha, Funding::Alpha));
	match newest.is_some_and(|old| merge(old, &new)) {
		true => Ok(()),
		false => Err(TooManyBatches),
	}
}

/// Adds the second to the first, if the sums fit; whether they do.
fn merge(old: &mut Batch, new: &Batch) -> bool {
	let (Some(credits), Some(alpha)) = (
		old.credits.checked_add(new.credits),
		old.alpha.checked_add(new.alpha),
	) else {
		return false;
	};
	old.credits = credits;
	old.alpha = alpha;
	true
}

/// Whether both have the same alpha per credit.
fn same_ratio(a: &Batch, b: &Batch) -> bool {
	use primitive_types::U256;
	U256::from(a.alpha) * U256::from(b.credits) == U256::from(b.alpha) * U256::from(a.credits)
}
