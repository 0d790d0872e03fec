//! The hierarchy: buckets of weighted items, rules, and who is out.
//!
//! The tunables are always Ceph's jewel profile: 50 total tries, descend once, vary_r 1, stable 1,
//! no local tries.

use crate::error::MapError;
use alloc::vec::Vec;
use codec::{Decode, Encode, EncodeLike, Input, Output};
use scale_info::TypeInfo;

/// A device: 0 up to [`MAX_DEVICE_ID`].
pub type DeviceId = i32;
/// A bucket: below 0.
pub type BucketId = i32;

/// 1.0 as a weight or reweight (16.16 fixed point).
pub const WEIGHT_ONE: u32 = 0x1_0000;
/// The highest device id; the two above it mean "hole" and "undecided".
pub const MAX_DEVICE_ID: DeviceId = 0x7fff_fffd;
/// The heaviest a device may be: 100.0.
pub const MAX_DEVICE_WEIGHT: u32 = 100 * WEIGHT_ONE;
/// The heaviest a bucket may be: 65535.0.
pub const MAX_BUCKET_WEIGHT: u32 = 65_535 * WEIGHT_ONE;
/// Most items of a bucket.
pub const MAX_FAN_OUT: usize = 256;
/// Most buckets on the way from a root to a device.
pub const MAX_DEPTH: usize = 10;
/// Most buckets of a map.
pub const MAX_BUCKETS: usize = 65_536;
/// Rule ids are below this.
pub const MAX_RULES: u32 = 256;
/// Most steps of a rule.
pub const MAX_RULE_STEPS: usize = 1024;
/// Most tries a rule may set.
pub const MAX_TRIES: u32 = 65_536;
/// Most items a rule run may be asked for.
pub const MAX_SLOTS: u32 = 4096;
/// Most rows of replacement weights of a bucket.
pub const MAX_WEIGHT_SETS: usize = 4096;
/// Tries of a choose step unless the rule sets others: the profile's total tries, and the first.
pub(crate) const DEFAULT_TRIES: u32 = 51;

/// A child of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Item {
	/// A device or a bucket.
	pub id: i32,
	/// Its share, 16.16. The parent's number counts, whatever a child bucket's own items sum up to.
	pub weight: u32,
}

/// Replacements used for drawing only (Ceph's `choose_args`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ChooseArgs {
	/// Ids to hash instead of the items' own; empty to keep those.
	pub ids: Vec<i32>,
	/// Rows of weights per result position, the last for all further ones; empty to keep the items'.
	pub weight_sets: Vec<Vec<u32>>,
}

/// A straw2 bucket with hash rjenkins1. The order of the items matters: a tie goes to the earlier.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Bucket {
	/// The id, hashed when the bucket itself is drawn.
	pub id: BucketId,
	/// The type, above 0 and above that of every child.
	pub kind: u16,
	/// 0, or the device class whose shadow tree the bucket belongs to. Within a class, every item
	/// has one parent.
	pub class: u16,
	/// The children.
	pub items: Vec<Item>,
	/// Replacements for drawing.
	pub args: Option<ChooseArgs>,
}

impl Bucket {
	/// A bucket of the plain tree.
	pub fn new(id: BucketId, kind: u16, items: Vec<Item>) -> Self {
		Self {
			id,
			kind,
			class: 0,
			items,
			args: None,
		}
	}

	/// The sum of the items' weights; `None` if it overflows.
	pub fn weight(&self) -> Option<u32> {
		self.items
			.iter()
			.try_fold(0u32, |sum, item| sum.checked_add(item.weight))
	}
}

/// A step of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Step {
	/// Start from this bucket or device.
	#[codec(index = 1)]
	Take(i32),
	/// Rounds of the choose steps that follow; 0 changes nothing.
	#[codec(index = 2)]
	SetChooseTries(u32),
	/// Rounds of the leaf search of the chooseleaf steps that follow; 0 changes nothing.
	#[codec(index = 3)]
	SetChooseleafTries(u32),
	/// Choose items of a type below each bucket of the working list.
	#[codec(index = 4)]
	Choose {
		/// Go on to a device below each chosen item, and take that instead.
		leaf: bool,
		/// A slot that finds nothing becomes a hole (indep) instead of the list getting shorter
		/// (firstn).
		indep: bool,
		/// How many; 0 as many as asked for, below 0 that many fewer.
		count: i32,
		/// The type to choose, 0 for devices.
		kind: u16,
	},
	/// Append the working list to the result.
	#[codec(index = 5)]
	Emit,
}

/// A way to choose devices.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Rule {
	/// The number the rule is called by.
	pub id: u32,
	/// Its steps, in order.
	pub steps: Vec<Step>,
}

/// A map that passed validation, laid out for drawing.
///
/// Its encoding is that of `(Vec<Bucket>, Vec<Rule>)`; decoding validates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrushMap {
	/// By descending id.
	entries: Vec<Entry>,
	/// Ids, weights and child entries of all buckets' items, bucket after bucket.
	ids: Vec<i32>,
	weights: Vec<u32>,
	children: Vec<u32>,
	args: Vec<ChooseArgs>,
	rules: Vec<Rule>,
	#[cfg(feature = "std")]
	fast: crate::fast::FastStraws,
}

/// In `children`: the item is a device. In `Entry::args`: there are none.
const ABSENT: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
	id: BucketId,
	kind: u16,
	class: u16,
	start: u32,
	len: u32,
	args: u32,
}

/// What a draw works on: the bucket's items as parallel slices of one length.
pub(crate) struct Straws<'a> {
	pub(crate) ids: &'a [i32],
	/// Entries of the items that are buckets.
	children: &'a [u32],
	weights: &'a [u32],
	args: Option<&'a ChooseArgs>,
}

impl<'a> Straws<'a> {
	/// The ids to hash.
	pub(crate) fn hash_ids(&self) -> &'a [i32] {
		self.args.map_or(self.ids, |args| {
			if args.ids.is_empty() {
				self.ids
			} else {
				&args.ids
			}
		})
	}

	/// The weights for result position `position`.
	pub(crate) fn weights(&self, position: usize) -> &'a [u32] {
		let rows = self.args.map_or(&[][..], |args| &args.weight_sets);
		rows.get(position)
			.or(rows.last())
			.map_or(self.weights, Vec::as_slice)
	}

	/// The entry of the item at `at`; `None` for a device.
	pub(crate) fn child(&self, at: usize) -> Option<usize> {
		let child = self.children[at];
		(child != ABSENT).then_some(child as usize)
	}
}

impl CrushMap {
	/// Validates and lays out a map. The order of buckets and rules does not matter.
	pub fn new(mut buckets: Vec<Bucket>, mut rules: Vec<Rule>) -> Result<Self, MapError> {
		buckets.sort_unstable_by_key(|bucket| core::cmp::Reverse(bucket.id));
		rules.sort_by_key(|rule| rule.id);
		crate::validate::buckets(&buckets)?;
		crate::validate::rules(&rules, &buckets)?;

		let total = buckets.iter().map(|bucket| bucket.items.len()).sum();
		let mut map = Self {
			entries: Vec::with_capacity(buckets.len()),
			ids: Vec::with_capacity(total),
			weights: Vec::with_capacity(total),
			children: Vec::with_capacity(total),
			args: Vec::new(),
			rules,
			#[cfg(feature = "std")]
			fast: crate::fast::FastStraws::new(buckets.iter().map(|bucket| {
				let items = bucket.items.iter().map(|item| (item.id, item.weight));
				bucket.args.is_none().then_some(items)
			})),
		};
		for bucket in &buckets {
			for item in &bucket.items {
				map.ids.push(item.id);
				map.weights.push(item.weight);
				map.children
					.push(position(&buckets, item.id).map_or(ABSENT, |at| at as u32));
			}
		}
		let mut start = 0;
		for bucket in buckets {
			let len = bucket.items.len() as u32;
			let args = bucket.args.map_or(ABSENT, |args| {
				map.args.push(args);
				map.args.len() as u32 - 1
			});
			let Bucket {
				id, kind, class, ..
			} = bucket;
			map.entries.push(Entry {
				id,
				kind,
				class,
				start,
				len,
				args,
			});
			start += len;
		}
		Ok(map)
	}

	/// The buckets, by descending id.
	pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
		self.entries.iter().enumerate().map(|(at, entry)| {
			let straws = self.straws(at);
			let items = straws.ids.iter().zip(straws.weights);
			Bucket {
				id: entry.id,
				kind: entry.kind,
				class: entry.class,
				items: items.map(|(&id, &weight)| Item { id, weight }).collect(),
				args: straws.args.cloned(),
			}
		})
	}

	/// The rules, by ascending id.
	pub fn rules(&self) -> &[Rule] {
		&self.rules
	}

	/// The rule of this id.
	pub fn rule(&self, id: u32) -> Option<&Rule> {
		let at = self.rules.binary_search_by_key(&id, |rule| rule.id).ok()?;
		self.rules.get(at)
	}

	/// Devices that are in some bucket; those in shadow trees come again.
	pub fn devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
		self.ids.iter().copied().filter(|id| *id >= 0)
	}

	/// Number of buckets.
	pub(crate) fn buckets_len(&self) -> usize {
		self.entries.len()
	}

	/// Where the bucket stands.
	pub(crate) fn entry(&self, id: BucketId) -> Option<usize> {
		if id >= 0 {
			return None;
		}
		self.entries
			.binary_search_by(|entry| id.cmp(&entry.id))
			.ok()
	}

	/// Type of the bucket at `at`.
	pub(crate) fn kind(&self, at: usize) -> u16 {
		self.entries[at].kind
	}

	/// What is drawn from natively.
	#[cfg(feature = "std")]
	pub(crate) fn fast(&self) -> &crate::fast::FastStraws {
		&self.fast
	}

	/// Items of the bucket at `at`.
	pub(crate) fn straws(&self, at: usize) -> Straws<'_> {
		let entry = &self.entries[at];
		let range = entry.start as usize..(entry.start + entry.len) as usize;
		Straws {
			ids: &self.ids[range.clone()],
			children: &self.children[range.clone()],
			weights: &self.weights[range],
			args: self.args.get(entry.args as usize),
		}
	}
}

/// Where a bucket stands in a list by descending id; `None` also for devices.
pub(crate) fn position(buckets: &[Bucket], id: i32) -> Option<usize> {
	if id >= 0 {
		return None;
	}
	buckets.binary_search_by(|bucket| id.cmp(&bucket.id)).ok()
}

impl Encode for CrushMap {
	fn encode_to<T: Output + ?Sized>(&self, dest: &mut T) {
		self.buckets().collect::<Vec<_>>().encode_to(dest);
		self.rules.encode_to(dest);
	}
}

impl EncodeLike for CrushMap {}

impl Decode for CrushMap {
	fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
		let (buckets, rules) = Decode::decode(input)?;
		Self::new(buckets, rules).map_err(|_| "the crush map is not valid".into())
	}
}

impl TypeInfo for CrushMap {
	type Identity = (Vec<Bucket>, Vec<Rule>);

	fn type_info() -> scale_info::Type {
		Self::Identity::type_info()
	}
}

/// In/out weights of devices, 16.16, apart from their crush weights: [`WEIGHT_ONE`] or more is in,
/// 0 is out, a fraction is in for that share of the inputs. A device that is not listed is out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, TypeInfo)]
pub struct Reweights(Vec<(DeviceId, u32)>);

impl Reweights {
	/// From pairs in any order; of several for one device the last counts.
	pub fn new(pairs: impl IntoIterator<Item = (DeviceId, u32)>) -> Self {
		let mut list: Vec<_> = pairs.into_iter().collect();
		list.sort_by_key(|(device, _)| *device);
		let mut unique: Vec<(DeviceId, u32)> = Vec::with_capacity(list.len());
		for pair in list {
			match unique.last_mut() {
				Some(last) if last.0 == pair.0 => *last = pair,
				_ => unique.push(pair),
			}
		}
		Self(unique)
	}

	/// Every device of the map fully in.
	pub fn all_in(map: &CrushMap) -> Self {
		Self::new(map.devices().map(|device| (device, WEIGHT_ONE)))
	}

	/// The device's reweight.
	pub fn get(&self, device: DeviceId) -> u32 {
		// Numbers mostly follow each other without gaps, so that the device stands where it would then.
		let first = self.0.first().map_or(0, |(first, _)| *first);
		match self.0.get(device.wrapping_sub(first) as usize) {
			Some((found, weight)) if *found == device => *weight,
			_ => self
				.0
				.binary_search_by_key(&device, |(device, _)| *device)
				.map_or(0, |at| self.0[at].1),
		}
	}
}

impl Decode for Reweights {
	fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
		Ok(Self::new(Vec::decode(input)?))
	}
}
