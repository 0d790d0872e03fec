//! What audits tell of a node.

use crate::{fixed::Q30, ONE};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// One audit.
const UNIT: u64 = 1 << 20;
/// Each audit takes 1/512 of what is remembered.
const DECAY: u32 = 9;

/// Audits passed and failed, older ones weighing less: each audit takes 1/512 of both counts and adds
/// one to one of them, so that about the last 512 count.
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
pub struct Reputation {
	/// Passed, in units of 2^-20.
	pub alpha: u64,
	/// Failed, in units of 2^-20.
	pub beta: u64,
}

impl Reputation {
	/// A new node's: 0.9707, so that a fresh registration is worth less than a good record.
	pub const NEW: Self = Self {
		alpha: 497 * UNIT,
		beta: 15 * UNIT,
	};

	/// With one audit more.
	#[must_use]
	pub const fn audited(self, passed: bool) -> Self {
		let alpha = self.alpha - (self.alpha >> DECAY);
		let beta = self.beta - (self.beta >> DECAY);
		// Saturating only matters for counts that no sequence of audits leads to.
		if passed {
			Self {
				alpha: alpha.saturating_add(UNIT),
				beta,
			}
		} else {
			Self {
				alpha,
				beta: beta.saturating_add(UNIT),
			}
		}
	}

	/// The share passed. Of no audits at all: 0.
	pub const fn share(self) -> Q30 {
		let (alpha, all) = (self.alpha as u128, self.alpha as u128 + self.beta as u128);
		if all == 0 {
			return 0;
		}
		(alpha * ONE as u128 / all) as Q30
	}
}

impl Default for Reputation {
	fn default() -> Self {
		Self::NEW
	}
}
