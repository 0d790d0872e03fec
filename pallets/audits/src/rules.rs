//! Every rate, time and share of the audits, so that a test network can live fast.

use crate::types::{MAX_BYTE_DRAWS, MAX_WINDOW};
use arion_storage_proof::draw::Rates;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::audit::MAX_CHUNKS;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// A whole, in millionths.
pub(crate) const PPM: u32 = 1_000_000;

/// The audits' rules. Ticks are blocks in which the deadline counter advanced.
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
pub struct Rules {
	/// Blocks, and ticks, of a day.
	pub blocks_per_day: u32,
	/// Lane A: samples per day for each node, as long as `most_per_block` allows it.
	pub samples_per_node: u32,
	/// Lane A: most draws of one block, at most 24.
	pub most_per_block: u32,
	/// Lane B: chunks asked of a drawn node, 1 to 4.
	pub floor_chunks: u32,
	/// Blocks whose randomness is kept.
	pub kept_randomness: u32,
	/// Ticks in which a draw must be answered.
	pub deadline: u32,
	/// Blocks looked back on for congestion, 1 to 32.
	pub congested_window: u8,
	/// The deadline counter stands while more than this percentage of them were full.
	pub congested_percent: u8,
	/// The deadline counter stands while finality lags by more blocks.
	pub finality_lag: u32,
	/// Ticks the outage breaker looks back, 1 to 100.
	pub outage_window: u32,
	/// Nobody is punished while more than this percentage of their draws was missed.
	pub outage_percent: u8,
	/// Ticks between a draw's deadline and what follows from missing it: long enough for an outage to be
	/// known as one, so that its beginning costs nobody anything.
	pub patience: u32,
	/// Ticks a node has, back from being away, to answer what it missed.
	pub return_time: u32,
	/// Misses among the last eight draws that lead to jail.
	pub jail_misses: u8,
	/// Ticks a jailed node has to answer its fresh draws.
	pub jail_round: u32,
	/// Ticks in which eight of a jailed node's slots are looked for, before fewer must do.
	pub jail_patience: u32,
	/// Ticks in jail after which a node is evicted.
	pub evict_after: u32,
	/// Audits before a node can be evicted by its record.
	pub evict_samples: u32,
	/// A node whose weighted share of passes is below this is evicted, in millionths.
	pub evict_below_ppm: u32,
	/// Slashed from the second miss in a day on, in millionths of the required collateral.
	pub miss_slash_ppm: u32,
	/// Slashed with jail.
	pub jail_slash_ppm: u32,
	/// Slashed with eviction.
	pub evict_slash_ppm: u32,
	/// Most challenges made to one node in a day.
	pub challenges_per_day: u32,
}

impl Default for Rules {
	/// The main network's, with blocks of six seconds.
	fn default() -> Self {
		const HOUR: u32 = 600;
		const DAY: u32 = 24 * HOUR;
		Self {
			blocks_per_day: DAY,
			samples_per_node: 35,
			most_per_block: 24,
			floor_chunks: 4,
			kept_randomness: 3 * DAY,
			deadline: 50,
			congested_window: 25,
			congested_percent: 50,
			finality_lag: 20,
			outage_window: 100,
			outage_percent: 20,
			patience: 50,
			return_time: HOUR,
			jail_misses: 3,
			jail_round: DAY,
			jail_patience: 6 * HOUR,
			evict_after: 3 * DAY,
			evict_samples: 100,
			evict_below_ppm: 960_000,
			miss_slash_ppm: 1_000,
			jail_slash_ppm: 10_000,
			evict_slash_ppm: 100_000,
			challenges_per_day: 24,
		}
	}
}

impl Rules {
	/// A network on which a node's whole life passes in ten minutes: a day has a hundred blocks.
	pub fn fast() -> Self {
		Self {
			blocks_per_day: 100,
			kept_randomness: 600,
			// More than a minute, so that a machine under load, or a daemon that is restarted, is in time.
			deadline: 10,
			outage_window: 12,
			patience: 6,
			return_time: 10,
			jail_round: 10,
			jail_patience: 3,
			evict_after: 30,
			evict_samples: 30,
			..Self::default()
		}
	}

	/// How often nodes are asked.
	pub fn rates(&self) -> Rates {
		Rates {
			blocks_per_day: self.blocks_per_day,
			samples_per_node: self.samples_per_node,
			most_per_block: self.most_per_block,
			floor_chunks: self.floor_chunks,
		}
	}

	/// Whether audits can work by these rules; the error names the flaw.
	pub fn check(&self) -> Result<(), &'static str> {
		let percents = [self.congested_percent, self.outage_percent];
		let shares = [
			self.evict_below_ppm,
			self.miss_slash_ppm,
			self.jail_slash_ppm,
			self.evict_slash_ppm,
		];
		let times = [
			self.blocks_per_day,
			self.deadline,
			self.kept_randomness,
			self.patience.max(1),
			self.return_time,
			self.jail_round,
			self.jail_patience,
		];
		let checks = [
			(times.iter().all(|time| *time > 0), "a time is zero"),
			(
				times.iter().all(|time| *time <= u32::MAX / 4),
				"a time is too long",
			),
			(
				self.most_per_block <= MAX_BYTE_DRAWS,
				"mostPerBlock is above 24",
			),
			(
				(1..=MAX_CHUNKS).contains(&self.floor_chunks),
				"floorChunks is not 1 to 4",
			),
			(
				(1..=32).contains(&self.congested_window),
				"congestedWindow is not 1 to 32",
			),
			(
				(1..=MAX_WINDOW).contains(&self.outage_window),
				"outageWindow is not 1 to 100",
			),
			(
				percents.iter().all(|percent| *percent <= 100),
				"a percentage is above 100",
			),
			(
				shares.iter().all(|share| *share <= PPM),
				"a share is above a million ppm",
			),
			(
				(1..=8).contains(&self.jail_misses),
				"jailMisses is not 1 to 8",
			),
			(
				self.evict_after >= self.jail_round,
				"evictAfter is shorter than one jailRound",
			),
		];
		match checks.iter().find(|(holds, _)| !holds) {
			Some((_, flaw)) => Err(flaw),
			None => Ok(()),
		}
	}
}
