//! The score, and why it is what it is.

use crate::{
	fixed::{cover, mul, ramp, share, Ratio, Q30},
	Reputation, ONE,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::cmp::Reverse;
use scale_info::TypeInfo;

/// Share of audits passed at which a node is worth nothing, and in full.
const AUDITS: (Q30, Q30) = (share(95, 100), share(999, 1_000));
/// The same of uptime.
const UPTIME: (Q30, Q30) = (share(60, 100), share(995, 1_000));
/// The same of retrievals.
const RETRIEVAL: (Q30, Q30) = (share(80, 100), share(99, 100));
/// Active days after which age counts in full.
const FULL_AGE: u32 = 180;
/// Hundredths of the score that uptime, age and retrieval make up.
const PARTS: (u64, u64, u64) = (45, 20, 35);

/// What a score is made of.
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
pub struct Inputs {
	/// What audits tell.
	pub reputation: Reputation,
	/// Beats seen, of those counted, in the last 30 days.
	pub uptime: Ratio,
	/// Days with data and without jail.
	pub active_days: u32,
	/// Retrievals answered in time, of those tried.
	pub retrieval: Ratio,
	/// Held behind the node.
	pub stake: u128,
	/// To be held for the bytes it has.
	pub required: u128,
	/// Whether it gets no new data and no pay until it has proved itself.
	pub jailed: bool,
}

/// One term of the score.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Term {
	/// What was measured, as a share.
	pub measured: Q30,
	/// What it gives: the factor in the formula.
	pub factor: Q30,
	/// By how much the score would be higher if this factor were full.
	pub cost: Q30,
}

/// Why a score is what it is.
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
pub struct Explanation {
	/// The score.
	pub score: Q30,
	/// Whether it is 0 because the node is jailed.
	pub jailed: bool,
	/// Gate `mA`: share of audits passed.
	pub audits: Term,
	/// Gate `mK`: share of the required stake that is held.
	pub stake: Term,
	/// `mU`, 45 %: uptime.
	pub uptime: Term,
	/// `mG`, 20 %: share of 180 days.
	pub age: Term,
	/// `mL`, 35 %: share of retrievals answered in time.
	pub retrieval: Term,
}

/// The formula's factors.
#[derive(Clone, Copy)]
struct Factors {
	audits: Q30,
	stake: Q30,
	uptime: Q30,
	age: Q30,
	retrieval: Q30,
}

impl Factors {
	fn score(self) -> Q30 {
		let sum = PARTS.0 * u64::from(self.uptime)
			+ PARTS.1 * u64::from(self.age)
			+ PARTS.2 * u64::from(self.retrieval);
		// The parts make a hundred, so this is a share again.
		let quality = (sum / 100) as Q30;
		mul(mul(self.audits, self.stake), quality)
	}
}

impl Inputs {
	/// A node of which nothing is known yet but its stake.
	pub const fn new(stake: u128, required: u128) -> Self {
		Self {
			reputation: Reputation::NEW,
			uptime: Ratio {
				good: 0,
				counted: 0,
			},
			active_days: 0,
			retrieval: Ratio {
				good: 0,
				counted: 0,
			},
			stake,
			required,
			jailed: false,
		}
	}

	/// The score `R`.
	pub fn score(&self) -> Q30 {
		if self.jailed {
			0
		} else {
			self.factors().0.score()
		}
	}

	/// The factors, and the measured shares behind them.
	fn factors(&self) -> (Factors, Factors) {
		let measured = Factors {
			audits: self.reputation.share(),
			stake: cover(self.stake, self.required),
			uptime: self.uptime.share(),
			age: share(self.active_days, FULL_AGE),
			retrieval: self.retrieval.share(),
		};
		let factors = Factors {
			audits: ramp(measured.audits, AUDITS.0, AUDITS.1),
			stake: measured.stake,
			uptime: ramp(measured.uptime, UPTIME.0, UPTIME.1),
			age: ONE / 2 + measured.age / 2,
			retrieval: ramp(measured.retrieval, RETRIEVAL.0, RETRIEVAL.1),
		};
		(factors, measured)
	}

	/// The score with each term's part in it.
	pub fn explain(&self) -> Explanation {
		let (factors, measured) = self.factors();
		let score = self.score();
		let term = |measured, factor, full: Factors| Term {
			measured,
			factor,
			cost: if self.jailed {
				0
			} else {
				full.score().saturating_sub(score)
			},
		};
		Explanation {
			score,
			jailed: self.jailed,
			audits: term(
				measured.audits,
				factors.audits,
				Factors {
					audits: ONE,
					..factors
				},
			),
			stake: term(
				measured.stake,
				factors.stake,
				Factors {
					stake: ONE,
					..factors
				},
			),
			uptime: term(
				measured.uptime,
				factors.uptime,
				Factors {
					uptime: ONE,
					..factors
				},
			),
			age: term(
				measured.age,
				factors.age,
				Factors {
					age: ONE,
					..factors
				},
			),
			retrieval: term(
				measured.retrieval,
				factors.retrieval,
				Factors {
					retrieval: ONE,
					..factors
				},
			),
		}
	}
}

/// What a node is paid by: what it held (bytes times blocks) times its score, rounded down. Linear,
/// so nobody gains by splitting one node into several.
pub const fn pay_weight(byte_blocks: u128, score: Q30) -> u128 {
	let score = if score > ONE { ONE } else { score } as u128;
	// In two parts, each of which fits.
	let (high, low) = (byte_blocks >> 30, byte_blocks & (ONE as u128 - 1));
	high * score + ((low * score) >> 30)
}

/// A node in the ranking.
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
pub struct Ranked {
	/// The node's number.
	pub node: u32,
	/// Its score.
	pub score: Q30,
	/// Bytes it holds.
	pub bytes: u64,
}

/// Sorts the best first: by score, then by bytes, then the lower number.
pub fn sort_by_rank(nodes: &mut [Ranked]) {
	nodes.sort_by_key(|node| (Reverse(node.score), Reverse(node.bytes), node.node));
}
