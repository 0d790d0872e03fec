//! How placement works, and why an epoch may be skipped.

use alloc::{format, string::String, vec::Vec};
use arion_crush::{ClusterMap, FailureDomain, PlacementRule, ZoneBucket};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::{NodeIndex, TOTAL_SHARDS};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// How stripes are spread over the nodes, and how often the map may change.
#[derive(
	Clone,
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
pub struct PlacementConfig {
	/// Placement zones, numbered from 0; times `per_zone` this is 30.
	pub zones: u8,
	/// Shards of each stripe in each zone.
	pub per_zone: u8,
	/// Of what a zone holds at most one shard of a stripe: `"host"` or `"family"`.
	#[serde(with = "FailureDomainDef")]
	pub failure_domain: FailureDomain,
	/// Placement groups, a power of two.
	pub pg_num: u32,
	/// Mixed into the drawing, so that chains place differently.
	pub pool: u32,
	/// Rounds in which a zone's slots are drawn.
	pub choose_tries: u32,
	/// Rounds in which a node is drawn within a failure domain.
	pub chooseleaf_tries: u32,
	/// Most draws the mapping of one placement group may take.
	pub max_draws: u32,
	/// A map may change every this many blocks.
	pub epoch_blocks: u32,
	/// Blocks in which a node's weight may at most double.
	pub growth_blocks: u32,
}

/// Gives [`FailureDomain`] its names in a chain specification.
#[derive(Serialize, Deserialize)]
#[serde(remote = "FailureDomain", rename_all = "camelCase")]
enum FailureDomainDef {
	Host,
	Family,
}

impl Default for PlacementConfig {
	/// The main network's.
	fn default() -> Self {
		Self {
			zones: 6,
			per_zone: 5,
			failure_domain: FailureDomain::Family,
			pg_num: 1024,
			pool: 1,
			choose_tries: 100,
			chooseleaf_tries: 5,
			max_draws: 20_000,
			epoch_blocks: 600,
			growth_blocks: 14_400,
		}
	}
}

impl PlacementConfig {
	/// The rule that maps of this placement carry.
	pub fn rule(&self) -> PlacementRule {
		PlacementRule {
			per_zone: self.per_zone,
			failure_domain: self.failure_domain,
			choose_tries: self.choose_tries,
			chooseleaf_tries: self.chooseleaf_tries,
			max_draws: self.max_draws,
		}
	}

	/// Whether maps can be made by this; the error names the flaw.
	pub fn check(&self) -> Result<(), String> {
		if usize::from(self.zones) * usize::from(self.per_zone) != TOTAL_SHARDS {
			return Err(format!(
				"{} zones with {} shards each do not make {TOTAL_SHARDS}",
				self.zones, self.per_zone
			));
		}
		if self.epoch_blocks == 0 {
			return Err("an epoch needs at least one block".into());
		}
		if self.growth_blocks == 0 {
			return Err("weights need at least one block to grow".into());
		}
		let zones = (0..self.zones)
			.map(|zone| ZoneBucket {
				zone,
				id: -1 - i32::from(zone),
				families: Vec::new(),
			})
			.collect();
		let empty = ClusterMap::plain(1, self.pg_num, self.pool, self.rule(), zones);
		empty.validate().map_err(|error| format!("{error}"))
	}
}

/// What a map is built from, by the revisions of its sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Inputs {
	/// Revision of the registry.
	pub registry: u64,
	/// Revision of the reweights.
	pub reweights: u64,
	/// Revision of the scores.
	pub scores: u64,
	/// Revision of who is out.
	pub outs: u64,
	/// Revision of the exceptions.
	pub exceptions: u64,
}

/// In a placement group, the slot of a node is held by another.
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
pub struct Exception {
	/// The node whose slot it is by the calculator.
	#[codec(compact)]
	pub from: NodeIndex,
	/// The node that holds it instead.
	#[codec(compact)]
	pub to: NodeIndex,
}

/// All exceptions of a placement group; it has no more slots.
pub type GroupExceptions = BoundedVec<Exception, ConstU32<{ TOTAL_SHARDS as u32 }>>;

/// Why an epoch was skipped.
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
pub enum SkipReason {
	/// A zone has too few failure domains (families or hosts) to place its shards.
	#[codec(index = 0)]
	TooFewDomains {
		/// The first such zone.
		zone: u8,
		/// Failure domains it has.
		found: u32,
		/// Failure domains it needs.
		needed: u32,
	},
	/// The encoded map is longer than `MaxMapLen`.
	#[codec(index = 1)]
	MapTooLong {
		/// Its length, in bytes.
		len: u32,
	},
	/// The map did not validate; the node's log says why.
	#[codec(index = 2)]
	InvalidMap,
	/// All bucket ids were given out.
	#[codec(index = 3)]
	BucketIdsExhausted,
	/// All epoch numbers were used.
	#[codec(index = 4)]
	EpochsExhausted,
	/// A host name in the registry is longer than a bucket's key takes.
	#[codec(index = 5)]
	HostNameTooLong,
}
