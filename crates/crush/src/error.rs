//! What can be wrong with a map, a rule run or a placement.

use crate::map::{
	BucketId, MAX_BUCKETS, MAX_BUCKET_WEIGHT, MAX_DEPTH, MAX_DEVICE_WEIGHT, MAX_FAN_OUT, MAX_RULES,
	MAX_RULE_STEPS, MAX_SLOTS, MAX_TRIES, MAX_WEIGHT_SETS, WEIGHT_ONE,
};
use crate::placement::SLOTS;
use crate::upmap::ExceptionsError;
use core::{fmt, ops::Range};
use hippius_primitives::{Epoch, NodeIndex, Pg};

/// Why a map is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapError {
	/// The encoded map is longer than any valid one.
	TooLong {
		/// Bytes given.
		len: usize,
		/// Most bytes accepted.
		max: usize,
	},
	/// The encoded map has a version this code does not know.
	UnknownVersion(u8),
	/// The bytes are not the SCALE encoding of a map, or others follow it.
	Malformed(codec::Error),
	/// More buckets than [`MAX_BUCKETS`].
	TooManyBuckets(usize),
	/// A bucket id is not negative.
	BucketIdNotNegative(BucketId),
	/// Two buckets have the same id.
	DuplicateBucket(BucketId),
	/// The bucket has type 0, which is the type of devices.
	BucketIsDevice(BucketId),
	/// The bucket has more items than [`MAX_FAN_OUT`].
	FanOut {
		/// The bucket.
		bucket: BucketId,
		/// Its number of items.
		items: usize,
	},
	/// The bucket holds a bucket that does not exist.
	UnknownItem {
		/// The bucket.
		bucket: BucketId,
		/// The missing item.
		item: i32,
	},
	/// A device id is one of the two numbers the calculator keeps for itself, or does not fit.
	DeviceId {
		/// The bucket.
		bucket: BucketId,
		/// The device id.
		device: u32,
	},
	/// The item has more than one parent, or stands twice in one.
	ItemTwice {
		/// The bucket in which it stands for the second time.
		bucket: BucketId,
		/// The item.
		item: i32,
	},
	/// A child's type is not below its parent's; every cycle has such a pair.
	ChildType {
		/// The parent.
		bucket: BucketId,
		/// The child.
		item: BucketId,
	},
	/// A child belongs to another device class's tree.
	ChildClass {
		/// The parent.
		bucket: BucketId,
		/// The child.
		item: BucketId,
	},
	/// More than [`MAX_DEPTH`] buckets above a device.
	TooDeep(BucketId),
	/// An item is heavier than [`MAX_DEVICE_WEIGHT`] (devices) or [`MAX_BUCKET_WEIGHT`] (buckets).
	ItemWeight {
		/// The bucket.
		bucket: BucketId,
		/// The item.
		item: i32,
		/// Its weight, 16.16.
		weight: u32,
	},
	/// A bucket's items weigh more than [`MAX_BUCKET_WEIGHT`] together.
	BucketWeight(BucketId),
	/// A bucket's replacement weights or ids do not fit its items.
	ChooseArgs(BucketId),
	/// A rule id is above the highest, [`MAX_RULES`] - 1.
	RuleId(u32),
	/// Two rules have the same id.
	DuplicateRule(u32),
	/// A rule has more steps than [`MAX_RULE_STEPS`].
	RuleTooLong(u32),
	/// A rule takes a bucket that does not exist.
	UnknownTake {
		/// The rule.
		rule: u32,
		/// What it takes.
		item: i32,
	},
	/// A rule sets more tries than [`MAX_TRIES`].
	RuleTries {
		/// The rule.
		rule: u32,
		/// The tries.
		tries: u32,
	},
	/// A rule's choose step asks for more than [`MAX_SLOTS`] items.
	RuleCount {
		/// The rule.
		rule: u32,
		/// The count.
		count: i32,
	},
	/// The number of placement groups is not a power of two within the limit.
	PgNum(u32),
	/// Two zone buckets have the same zone number.
	ZoneTwice(u8),
	/// Zones times slots per zone is not the number of shards.
	Slots {
		/// Number of zones.
		zones: usize,
		/// Slots in each.
		per_zone: u8,
	},
	/// A number of tries or the draw cap is outside its bounds.
	PlacementLimit {
		/// Which field.
		field: &'static str,
		/// Its value.
		value: u32,
		/// The highest allowed; the lowest is 1.
		max: u32,
	},
	/// A node's reweight is above 1.0.
	Reweight {
		/// The node.
		node: NodeIndex,
		/// Its reweight, 16.16.
		reweight: u32,
	},
	/// The placement exceptions are not as they must be.
	Exceptions(ExceptionsError),
}

impl fmt::Display for MapError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let one = decimal;
		match self {
			Self::TooLong { len, max } => {
				write!(
					f,
					"the encoded map has {len} bytes, more than the {max} allowed"
				)
			}
			Self::UnknownVersion(version) => {
				write!(
					f,
					"map version {version} is not known to this software; update it"
				)
			}
			Self::Malformed(error) => write!(f, "not an encoded map: {error}"),
			Self::TooManyBuckets(count) => {
				write!(f, "{count} buckets, more than the {MAX_BUCKETS} allowed")
			}
			Self::BucketIdNotNegative(id) => {
				write!(
					f,
					"bucket id {id} is not negative; ids from 0 up are devices"
				)
			}
			Self::DuplicateBucket(id) => write!(f, "bucket id {id} is used twice"),
			Self::BucketIsDevice(id) => {
				write!(f, "bucket {id} has type 0, which is the type of devices")
			}
			Self::FanOut { bucket, items } => {
				write!(
					f,
					"bucket {bucket} has {items} items, more than the {MAX_FAN_OUT} allowed"
				)
			}
			Self::UnknownItem { bucket, item } => {
				write!(
					f,
					"bucket {bucket} holds bucket {item}, which does not exist"
				)
			}
			Self::DeviceId { bucket, device } => {
				write!(
					f,
					"device id {device} in bucket {bucket} is above the highest, 2147483645"
				)
			}
			Self::ItemTwice { bucket, item } => {
				write!(
					f,
					"item {item} stands a second time in bucket {bucket}; each has one parent"
				)
			}
			Self::ChildType { bucket, item } => write!(
				f,
				"bucket {item} inside bucket {bucket} is not of a lower type, so the map could be cyclic"
			),
			Self::ChildClass { bucket, item } => {
				write!(
					f,
					"buckets {bucket} and {item} belong to trees of different device classes"
				)
			}
			Self::TooDeep(bucket) => {
				write!(
					f,
					"bucket {bucket} is the top of more than {MAX_DEPTH} levels"
				)
			}
			Self::ItemWeight {
				bucket,
				item,
				weight,
			} => write!(
				f,
				"item {item} of bucket {bucket} weighs {}, more than the {} allowed",
				one(*weight),
				one(if *item < 0 {
					MAX_BUCKET_WEIGHT
				} else {
					MAX_DEVICE_WEIGHT
				})
			),
			Self::BucketWeight(bucket) => write!(
				f,
				"the items of bucket {bucket} weigh more than {} together",
				one(MAX_BUCKET_WEIGHT)
			),
			Self::ChooseArgs(bucket) => write!(
				f,
				"the choose_args of bucket {bucket} do not give each item one id and one weight per \
				 row, in at most {MAX_WEIGHT_SETS} rows"
			),
			Self::RuleId(rule) => write!(f, "rule id {rule} is not below {MAX_RULES}"),
			Self::DuplicateRule(rule) => write!(f, "rule id {rule} is used twice"),
			Self::RuleTooLong(rule) => {
				write!(f, "rule {rule} has more than {MAX_RULE_STEPS} steps")
			}
			Self::UnknownTake { rule, item } => {
				write!(f, "rule {rule} takes {item}, which does not exist")
			}
			Self::RuleTries { rule, tries } => {
				write!(
					f,
					"rule {rule} sets {tries} tries, more than the {MAX_TRIES} allowed"
				)
			}
			Self::RuleCount { rule, count } => {
				write!(
					f,
					"rule {rule} chooses {count}, beyond the {MAX_SLOTS} allowed"
				)
			}
			Self::PgNum(pg_num) => write!(
				f,
				"{pg_num} placement groups; it must be a power of two of at most {}",
				crate::cluster::MAX_PG_NUM
			),
			Self::ZoneTwice(zone) => write!(f, "zone {zone} stands twice in the map"),
			Self::Slots { zones, per_zone } => {
				write!(
					f,
					"{zones} zones with {per_zone} slots each do not make {SLOTS} slots"
				)
			}
			Self::PlacementLimit { field, value, max } => {
				write!(f, "{field} is {value}; it must be from 1 to {max}")
			}
			Self::Reweight { node, reweight } => write!(
				f,
				"node {node} has reweight {}, more than {}",
				one(*reweight),
				one(WEIGHT_ONE)
			),
			Self::Exceptions(error) => error.fmt(f),
		}
	}
}

/// Prints a 16.16 number with three decimals, cut, not rounded; no floats in the runtime.
fn decimal(weight: u32) -> impl fmt::Display {
	struct Fixed(u32);
	impl fmt::Display for Fixed {
		fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
			let thousandths = (u64::from(self.0 & 0xffff) * 1000) >> 16;
			write!(f, "{}.{thousandths:03}", self.0 >> 16)
		}
	}
	Fixed(weight)
}

/// Why a rule could not be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapperError {
	/// The map has no rule of this id.
	NoSuchRule(u32),
	/// More than [`MAX_SLOTS`] items asked for.
	TooManySlots(u32),
	/// The mapping took more draws than the meter allows.
	DrawCap(u64),
}

impl fmt::Display for MapperError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::NoSuchRule(rule) => write!(f, "the map has no rule {rule}"),
			Self::TooManySlots(count) => {
				write!(
					f,
					"{count} items asked for, more than the {MAX_SLOTS} allowed"
				)
			}
			Self::DrawCap(cap) => write!(
				f,
				"the mapping needs more than {cap} draws: too few nodes are in for the rule"
			),
		}
	}
}

/// Why a placement group has no placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceError {
	/// The map has fewer placement groups.
	UnknownPg {
		/// The group asked for.
		pg: Pg,
		/// The map's number of groups.
		pg_num: u32,
	},
	/// The rule could not be run to its end.
	Mapper {
		/// The group.
		pg: Pg,
		/// Why.
		error: MapperError,
	},
	/// The rule gave another number of slots than it must.
	Slots {
		/// The group.
		pg: Pg,
		/// Slots given.
		given: usize,
	},
	/// A slot holds something that is no node.
	NotANode {
		/// The group.
		pg: Pg,
		/// What the slot holds.
		item: i32,
	},
	/// A node holds two slots.
	NodeTwice {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
	/// A node that is out for this group holds a slot.
	NodeOut {
		/// The group.
		pg: Pg,
		/// The node.
		node: NodeIndex,
	},
}

impl fmt::Display for PlaceError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::UnknownPg { pg, pg_num } => {
				write!(
					f,
					"placement group {pg} does not exist; the map has {pg_num}"
				)
			}
			Self::Mapper { pg, error } => write!(f, "placement group {pg}: {error}"),
			Self::Slots { pg, given } => {
				write!(
					f,
					"placement group {pg} got {given} slots instead of {SLOTS}"
				)
			}
			Self::NotANode { pg, item } => {
				write!(
					f,
					"a slot of placement group {pg} holds {item}, which is no node"
				)
			}
			Self::NodeTwice { pg, node } => {
				write!(f, "node {node} holds two slots of placement group {pg}")
			}
			Self::NodeOut { pg, node } => {
				write!(
					f,
					"node {node} holds a slot of placement group {pg} although it is out"
				)
			}
		}
	}
}

/// Why two tables of slots cannot be compared, or a plan not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffError {
	/// The tables are of other placement groups. After a change of their number, map the new groups to
	/// the old ones they came from first.
	OtherGroups {
		/// Groups of the old table.
		old: Range<Pg>,
		/// Groups of the new table.
		new: Range<Pg>,
	},
	/// The plan begins at another epoch than the table's.
	OtherEpoch {
		/// Epoch of the table.
		table: Epoch,
		/// Epoch the plan begins at.
		plan: Epoch,
	},
	/// The table has no such slot, or another holder in it than the plan takes it from.
	OtherHolder {
		/// The group.
		pg: Pg,
		/// The slot.
		slot: u8,
	},
	/// The slots of an epoch could not be computed.
	Place {
		/// The epoch.
		epoch: Epoch,
		/// Why.
		error: PlaceError,
	},
}

impl fmt::Display for DiffError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::OtherGroups { old, new } => write!(
				f,
				"placement groups {}..{} cannot be compared with {}..{}",
				old.start, old.end, new.start, new.end
			),
			Self::OtherEpoch { table, plan } => {
				write!(
					f,
					"the plan begins at epoch {plan}, the table is of epoch {table}"
				)
			}
			Self::OtherHolder { pg, slot } => write!(
				f,
				"slot {slot} of placement group {pg} is not held by whom the plan takes it from"
			),
			Self::Place { epoch, error } => write!(f, "epoch {epoch}: {error}"),
		}
	}
}

impl core::error::Error for DiffError {}
impl core::error::Error for MapError {
	fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
		match self {
			Self::Exceptions(error) => Some(error),
			_ => None,
		}
	}
}
impl core::error::Error for MapperError {}
impl core::error::Error for PlaceError {}
