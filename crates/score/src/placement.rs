//! How much data a node may be given: capacity times score, slow to rise, quick to fall.

use crate::{fixed::Q30, ONE};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Significant bits of a weight: eight steps to each doubling, so that small changes of the score
/// move nothing.
const STEP_BITS: u32 = 4;
/// A new node starts with this part of what it could have.
const START: u32 = 8;
/// A weight does not fall by less than this part of it.
const HYSTERESIS: u32 = 8;

/// A node's weight and where its growth is counted from.
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
pub struct Growth {
	/// The weight, at least 1.
	pub weight: u32,
	/// The weight at `since`, of which it may become the double in a day.
	pub base: u32,
	/// The block growth is counted from.
	pub since: u32,
}

/// The weight a capacity's weight comes to with a score, rounded down, at least 1: a node is left out
/// by its reweight, not by weighing nothing.
pub fn target(capacity_weight: u32, score: Q30) -> u32 {
	let weight = (u64::from(capacity_weight) * u64::from(score.min(ONE))) >> 30;
	(weight as u32).max(1)
}

/// Rounded down to [`STEP_BITS`] significant bits, at least 1.
pub fn quantised(weight: u32) -> u32 {
	let weight = weight.max(1);
	let excess = (u32::BITS - weight.leading_zeros()).saturating_sub(STEP_BITS);
	(weight >> excess) << excess
}

impl Growth {
	/// A node's weight at block `now`, given the one it had, the one it should have (see [`target`])
	/// and the blocks of a day. Falls at once, at most doubles within a day, and stays as it is
	/// while the difference is less than an eighth.
	#[must_use]
	pub fn next(previous: Option<Self>, target: u32, now: u32, day: u32) -> Self {
		let target = target.max(1);
		let Some(old) = previous else {
			let weight = quantised(target / START);
			return Self {
				weight,
				base: weight,
				since: now,
			};
		};
		let elapsed = now.saturating_sub(old.since).min(day);
		let grown = u64::from(old.base) * u64::from(elapsed) / u64::from(day.max(1));
		let allowed = u32::try_from(u64::from(old.base).saturating_add(grown)).unwrap_or(u32::MAX);
		let wanted = target.min(allowed.max(old.weight));
		let least = (old.weight / HYSTERESIS).max(1);
		let weight = if old.weight.saturating_sub(wanted) >= least {
			quantised(wanted)
		} else {
			quantised(wanted).max(old.weight)
		};
		// What was lost has to be grown again; and a day later the next day's growth begins.
		if weight < old.weight || elapsed == day {
			Self {
				weight,
				base: weight,
				since: now,
			}
		} else {
			Self { weight, ..old }
		}
	}
}
