//! The cluster map of an epoch, as the chain stores it and daemons receive it.

use crate::encoding::{PLAIN, WITH_EXCEPTIONS};
use crate::error::MapError;
use crate::map::{Bucket, BucketId, CrushMap, Item, MAX_DEVICE_ID, WEIGHT_ONE};
use crate::placement::{Placement, SLOTS};
use crate::upmap::UpmapItem;
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode};
use hippius_primitives::{Epoch, NodeIndex, Pg, StripeId};
use scale_info::TypeInfo;

/// Type of a host bucket; nodes have type 0.
pub const HOST: u16 = 1;
/// Type of a family bucket.
pub const FAMILY: u16 = 2;
/// Type of a zone bucket.
pub const ZONE: u16 = 3;

/// Longest encoded map, in bytes.
pub const MAX_BLOB_LEN: usize = 1024 * 1024;
/// Most placement groups.
pub const MAX_PG_NUM: u32 = 1 << 20;
/// Most tries a placement rule may set.
pub const MAX_PLACEMENT_TRIES: u32 = 1000;
/// Highest cap of the draws of one mapping.
pub const MAX_DRAWS: u32 = 1_000_000;

/// What two shards of a stripe within one zone must not share.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	codec::MaxEncodedLen,
	TypeInfo,
)]
pub enum FailureDomain {
	/// A machine of a family.
	#[codec(index = 1)]
	Host,
	/// An operator's account, hence also a machine.
	#[codec(index = 2)]
	Family,
}

/// How slots are filled. Per zone, in order: take the zone, choose `per_zone` failure domains and a
/// node below each, emit.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	codec::MaxEncodedLen,
	TypeInfo,
)]
pub struct PlacementRule {
	/// Slots of each zone; times the number of zones it is 30.
	pub per_zone: u8,
	/// What each slot of a zone has for itself.
	pub failure_domain: FailureDomain,
	/// Rounds over the open slots of a zone, 1 to [`MAX_PLACEMENT_TRIES`].
	#[codec(compact)]
	pub choose_tries: u32,
	/// Rounds below a chosen failure domain, 1 to [`MAX_PLACEMENT_TRIES`].
	#[codec(compact)]
	pub chooseleaf_tries: u32,
	/// Most draws of one mapping, 1 to [`MAX_DRAWS`]; beyond it the mapping is an error.
	#[codec(compact)]
	pub max_draws: u32,
}

impl PlacementRule {
	/// The usual limits: 100 and 5 tries, 20 000 draws.
	pub const fn new(per_zone: u8, failure_domain: FailureDomain) -> Self {
		Self {
			per_zone,
			failure_domain,
			choose_tries: 100,
			chooseleaf_tries: 5,
			max_draws: 20_000,
		}
	}
}

/// A placement zone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ZoneBucket {
	/// The zone's number.
	pub zone: u8,
	/// Bucket id, negative, unique in the map, never used again.
	pub id: BucketId,
	/// The families with nodes here. A family in several zones has one bucket in each.
	pub families: Vec<FamilyBucket>,
}

/// One operator's nodes in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct FamilyBucket {
	/// Bucket id, negative, unique in the map, never used again.
	pub id: BucketId,
	/// The family's machines here.
	pub hosts: Vec<HostBucket>,
}

/// The nodes of one machine.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct HostBucket {
	/// Bucket id, negative, unique in the map, never used again.
	pub id: BucketId,
	/// The nodes.
	pub nodes: Vec<MapNode>,
}

/// A node.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	codec::MaxEncodedLen,
	TypeInfo,
)]
pub struct MapNode {
	/// The node's number on chain, at most [`MAX_DEVICE_ID`].
	#[codec(compact)]
	pub index: NodeIndex,
	/// Share of the data, 16.16, at most 100.0.
	#[codec(compact)]
	pub weight: u32,
	/// Health, 16.16: 1.0 is in, 0 is out, a fraction keeps that share of the placement groups.
	#[codec(compact)]
	pub reweight: u32,
}

/// The cluster map of an epoch. Encoded as a version byte, then the fields in order, integers compact.
/// The version is 1 without exceptions, which are then left out, and 2 with them, so that there is one
/// encoding of each map. The order of zones is the order of the slots; the order of everything else
/// matters too, because ties go to the earlier item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMap {
	/// The epoch the map holds from.
	pub epoch: Epoch,
	/// Number of placement groups, a power of two of at most [`MAX_PG_NUM`].
	pub pg_num: u32,
	/// Hashed with the placement group; keeps pools apart.
	pub pool: u32,
	/// How slots are filled.
	pub rule: PlacementRule,
	/// The zones.
	pub zones: Vec<ZoneBucket>,
	/// Slots that other nodes hold than the rule says, at most
	/// [`MAX_EXCEPTIONS`](crate::upmap::MAX_EXCEPTIONS), ascending, in a group each node once. One that
	/// the map does not allow ([`Placement::verify_item`]) changes nothing.
	pub exceptions: Vec<UpmapItem>,
}

impl ClusterMap {
	/// A map without exceptions.
	pub const fn plain(
		epoch: Epoch,
		pg_num: u32,
		pool: u32,
		rule: PlacementRule,
		zones: Vec<ZoneBucket>,
	) -> Self {
		Self {
			epoch,
			pg_num,
			pool,
			rule,
			zones,
			exceptions: Vec::new(),
		}
	}

	/// Decodes and validates bytes from anywhere: they must be one valid map and nothing else.
	pub fn decode_checked(bytes: &[u8]) -> Result<Self, MapError> {
		let map = Self::decode_unchecked(bytes)?;
		map.validate()?;
		Ok(map)
	}

	/// Decodes bytes of one map and nothing else; whether it is valid is not known yet.
	fn decode_unchecked(bytes: &[u8]) -> Result<Self, MapError> {
		if bytes.len() > MAX_BLOB_LEN {
			return Err(MapError::TooLong {
				len: bytes.len(),
				max: MAX_BLOB_LEN,
			});
		}
		match bytes.first() {
			Some(&(PLAIN | WITH_EXCEPTIONS)) | None => {}
			Some(&other) => return Err(MapError::UnknownVersion(other)),
		}
		Self::decode_all(&mut &bytes[..]).map_err(MapError::Malformed)
	}

	/// As [`Self::decode_checked`] and [`Self::placement`], validating once instead of twice.
	pub fn decode_placement(bytes: &[u8]) -> Result<(Self, Placement), MapError> {
		let map = Self::decode_unchecked(bytes)?;
		let placement = map.placement()?;
		Ok((map, placement))
	}

	/// Whether slots can be computed from the map.
	pub fn validate(&self) -> Result<(), MapError> {
		self.crush().map(drop)
	}

	/// The placement group of a stripe.
	///
	/// `pg_num` being a power of two, this is its remainder; one that is not gives what Ceph's stable
	/// modulus gives, and 0 gives 0.
	pub fn pg_of(&self, stripe: &StripeId) -> Pg {
		let seed = stripe.pg_seed();
		let mask = self
			.pg_num
			.checked_next_power_of_two()
			.unwrap_or(0)
			.wrapping_sub(1);
		let pg = seed & mask;
		if pg < self.pg_num {
			pg
		} else {
			seed & (mask >> 1)
		}
	}

	/// All nodes, in map order.
	pub fn nodes(&self) -> impl Iterator<Item = &MapNode> {
		self.zones
			.iter()
			.flat_map(|zone| &zone.families)
			.flat_map(|family| &family.hosts)
			.flat_map(|host| &host.nodes)
	}

	/// Validates the map and prepares it for computing slots.
	pub fn placement(&self) -> Result<Placement, MapError> {
		Ok(Placement::new(self, self.crush()?))
	}

	/// The map as plain CRUSH: rule 0 fills all slots, rule 1 + z those of the z-th zone.
	pub(crate) fn crush(&self) -> Result<CrushMap, MapError> {
		self.check_numbers()?;
		crate::upmap::check_exceptions(self)?;
		let mut buckets = Vec::new();
		for zone in &self.zones {
			let mut families = Vec::with_capacity(zone.families.len());
			for family in &zone.families {
				let mut hosts = Vec::with_capacity(family.hosts.len());
				for host in &family.hosts {
					let nodes = host.nodes.iter();
					let items = nodes.map(|node| Item {
						id: node.index as i32,
						weight: node.weight,
					});
					hosts.push(add(
						&mut buckets,
						Bucket::new(host.id, HOST, items.collect()),
					)?);
				}
				families.push(add(&mut buckets, Bucket::new(family.id, FAMILY, hosts))?);
			}
			add(&mut buckets, Bucket::new(zone.id, ZONE, families))?;
		}
		CrushMap::new(buckets, crate::placement::rules(self))
	}

	/// Everything that is not the tree's shape.
	fn check_numbers(&self) -> Result<(), MapError> {
		if !self.pg_num.is_power_of_two() || self.pg_num > MAX_PG_NUM {
			return Err(MapError::PgNum(self.pg_num));
		}
		let PlacementRule {
			per_zone,
			choose_tries,
			chooseleaf_tries,
			max_draws,
			..
		} = self.rule;
		for (field, value, max) in [
			("choose_tries", choose_tries, MAX_PLACEMENT_TRIES),
			("chooseleaf_tries", chooseleaf_tries, MAX_PLACEMENT_TRIES),
			("max_draws", max_draws, MAX_DRAWS),
		] {
			if !(1..=max).contains(&value) {
				return Err(MapError::PlacementLimit { field, value, max });
			}
		}
		if self.zones.len().saturating_mul(usize::from(per_zone)) != SLOTS {
			return Err(MapError::Slots {
				zones: self.zones.len(),
				per_zone,
			});
		}
		for (at, zone) in self.zones.iter().enumerate() {
			if self.zones[..at]
				.iter()
				.any(|earlier| earlier.zone == zone.zone)
			{
				return Err(MapError::ZoneTwice(zone.zone));
			}
		}
		for host in self
			.zones
			.iter()
			.flat_map(|z| &z.families)
			.flat_map(|f| &f.hosts)
		{
			for node in &host.nodes {
				if node.index > MAX_DEVICE_ID as u32 {
					return Err(MapError::DeviceId {
						bucket: host.id,
						device: node.index,
					});
				}
				if node.reweight > WEIGHT_ONE {
					let MapNode {
						index, reweight, ..
					} = *node;
					return Err(MapError::Reweight {
						node: index,
						reweight,
					});
				}
			}
		}
		Ok(())
	}
}

/// Adds a bucket; gives it as its parent's item, weighing what its items weigh.
fn add(buckets: &mut Vec<Bucket>, bucket: Bucket) -> Result<Item, MapError> {
	let item = Item {
		id: bucket.id,
		weight: bucket.weight().ok_or(MapError::BucketWeight(bucket.id))?,
	};
	buckets.push(bucket);
	Ok(item)
}
