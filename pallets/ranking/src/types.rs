//! What is configured, and what is kept of nodes, eras and sweeps.

use alloc::{format, string::String};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::NodeIndex;
use hippius_score::{Explanation, Reputation, Q30};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Lengths, in blocks.
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
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EraConfig {
	/// Shortest era.
	pub era_blocks: u32,
	/// A day, of which an active node counts one.
	pub day_blocks: u32,
	/// From the beginning of one sweep to that of the next, at least.
	pub sweep_blocks: u32,
}

impl Default for EraConfig {
	/// The main network's: eras of 4 hours, swept hourly.
	fn default() -> Self {
		Self {
			era_blocks: 2_400,
			day_blocks: 14_400,
			sweep_blocks: 600,
		}
	}
}

impl EraConfig {
	/// Whether eras end by this; the error names the flaw.
	pub fn check(&self) -> Result<(), String> {
		let zero = [
			("eraBlocks", self.era_blocks),
			("dayBlocks", self.day_blocks),
			("sweepBlocks", self.sweep_blocks),
		];
		if let Some((name, _)) = zero.iter().find(|(_, blocks)| *blocks == 0) {
			return Err(format!("{name} must not be zero"));
		}
		if self.sweep_blocks > self.era_blocks {
			return Err("sweepBlocks must not exceed eraBlocks".into());
		}
		Ok(())
	}
}

/// What is remembered of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Record {
	/// What audits tell.
	pub reputation: Reputation,
	/// Audits there were.
	pub samples: u32,
	/// Days with data and without jail.
	pub active_days: u32,
	/// The last of them.
	pub last_day: Option<u32>,
}

/// A node's score in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Placing {
	/// The score.
	pub score: Q30,
	/// Bytes it held on average in the era.
	pub bytes: u64,
}

/// The running era.
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
pub struct Era {
	/// Its number, counted from 0.
	pub index: u32,
	/// Its first block.
	pub start: u32,
}

/// An era that is being settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Settling {
	/// The era.
	pub era: u32,
	/// Blocks it had.
	pub blocks: u32,
	/// The page that is next.
	pub page: u32,
}

/// What a node held in an era.
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
pub struct EraEntry {
	/// The node.
	pub node: NodeIndex,
	/// What it held, in bytes times blocks.
	pub byte_blocks: u128,
	/// Its score.
	pub score: Q30,
	/// What it is paid by: the one times the other.
	pub weight: u128,
}

/// Sums over an era.
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
pub struct EraTotals {
	/// Blocks it had.
	pub blocks: u32,
	/// Nodes that held anything.
	pub nodes: u32,
	/// What they held.
	pub byte_blocks: u128,
	/// Their pay weights.
	pub weight: u128,
	/// Whether all pages are in.
	pub complete: bool,
}

/// A sweep over the placement groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Sweep {
	/// Block at which it began.
	pub start: u32,
	/// Blocks it counts: those since the beginning of the one before.
	pub blocks: u32,
	/// The group that is next; `None` when it is done.
	pub group: Option<u32>,
}

/// Why a node's score is what it is.
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
pub struct Standing {
	/// The score in force.
	pub score: Q30,
	/// What it would be if the era ended now, and why.
	pub now: Explanation,
	/// Audits there were.
	pub samples: u32,
	/// Days with data and without jail.
	pub active_days: u32,
	/// Bytes the node held on average in the last settled era.
	pub bytes: u64,
}
