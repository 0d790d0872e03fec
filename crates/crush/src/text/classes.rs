//! Device classes: per root and class, a shadow tree that holds only the devices of the class.
//!
//! A shadow bucket's id is hashed like any other, so ids the text does not give must be chosen in
//! `crushtool`'s order: roots by ascending id, in each the classes in order of first mention,
//! children before parents, each the highest negative id that nothing uses.

use crate::map::{Bucket, BucketId, DeviceId, Item};
use std::{
	collections::{BTreeSet, HashMap, HashSet},
	vec::Vec,
};

/// The classes of a text and their trees.
#[derive(Default)]
pub(super) struct Classes<'t> {
	/// By order of first mention; class n of [`Bucket::class`] is entry n - 1.
	names: Vec<&'t str>,
	/// Classes of devices.
	of_device: HashMap<DeviceId, u16>,
	/// Shadow buckets: first the ids the text gives, then all.
	shadows: HashMap<(BucketId, u16), BucketId>,
	/// The ids in `shadows`.
	taken: HashSet<BucketId>,
}

impl<'t> Classes<'t> {
	/// The class of this name, made if it is new; `None` if there are too many.
	pub(super) fn make(&mut self, name: &'t str) -> Option<u16> {
		if let Some(class) = self.find(name) {
			return Some(class);
		}
		self.names.push(name);
		u16::try_from(self.names.len()).ok()
	}

	pub(super) fn find(&self, name: &str) -> Option<u16> {
		let at = self.names.iter().position(|known| *known == name)?;
		u16::try_from(at + 1).ok()
	}

	pub(super) fn set_device(&mut self, device: DeviceId, class: u16) {
		self.of_device.insert(device, class);
	}

	/// Fixes the id of a bucket's shadow. Whether it was free to fix.
	pub(super) fn set_shadow(&mut self, bucket: BucketId, class: u16, shadow: BucketId) -> bool {
		self.taken.insert(shadow) && self.shadows.insert((bucket, class), shadow).is_none()
	}

	pub(super) fn is_shadow(&self, id: BucketId) -> bool {
		self.taken.contains(&id)
	}

	/// The shadow of a bucket.
	pub(super) fn shadow(&self, bucket: BucketId, class: u16) -> Option<BucketId> {
		self.shadows.get(&(bucket, class)).copied()
	}

	/// Adds the shadow trees of `buckets`, which are valid, so that recursion ends at their depth.
	pub(super) fn build(&mut self, buckets: &mut Vec<Bucket>) {
		let inner: HashSet<i32> = buckets
			.iter()
			.flat_map(|b| &b.items)
			.map(|i| i.id)
			.collect();
		let ids = buckets.iter().map(|bucket| bucket.id);
		let roots: BTreeSet<BucketId> = ids.clone().filter(|id| !inner.contains(id)).collect();
		let mut build = Build {
			used: ids.chain(self.shadows.values().copied()).collect(),
			by_id: buckets.iter().map(|bucket| (bucket.id, bucket)).collect(),
			classes: self,
			made: Vec::new(),
			next: -1,
		};
		for root in roots {
			for class in (1..).take(build.classes.names.len()) {
				build.shadow(root, class);
			}
		}
		let made = build.made;
		buckets.extend(made);
	}
}

struct Build<'a, 't> {
	used: HashSet<BucketId>,
	by_id: HashMap<BucketId, &'a Bucket>,
	classes: &'a mut Classes<'t>,
	made: Vec<Bucket>,
	/// Ids above this are used.
	next: BucketId,
}

impl Build<'_, '_> {
	/// Makes the shadow of a bucket; gives it as an item.
	fn shadow(&mut self, original: BucketId, class: u16) -> Option<Item> {
		let bucket = *self.by_id.get(&original)?;
		let mut items = Vec::new();
		for item in &bucket.items {
			if item.id < 0 {
				items.extend(self.shadow(item.id, class));
			} else if self.classes.of_device.get(&item.id) == Some(&class) {
				items.push(*item);
			}
		}
		let id = match self.classes.shadow(original, class) {
			Some(id) => id,
			None => self.free_id(),
		};
		self.classes.shadows.insert((original, class), id);
		self.classes.taken.insert(id);
		let shadow = Bucket {
			class,
			..Bucket::new(id, bucket.kind, items)
		};
		// At most the original's weight, which is valid.
		let weight = shadow.weight()?;
		self.made.push(shadow);
		Some(Item { id, weight })
	}

	fn free_id(&mut self) -> BucketId {
		while !self.used.insert(self.next) {
			self.next -= 1;
		}
		self.next
	}
}
