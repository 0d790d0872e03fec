//! Sets of slots.

use crate::{CodecError, DATA_SHARDS, TOTAL_SHARDS};
use core::fmt;

/// A set of slots of a stripe.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ShardSet(u32);

impl ShardSet {
	/// No slot.
	pub const EMPTY: Self = Self(0);
	/// All 30 slots.
	pub const ALL: Self = Self((1 << TOTAL_SHARDS) - 1);
	/// The ten data slots.
	pub const DATA: Self = Self((1 << DATA_SHARDS) - 1);

	/// The set of these slots.
	///
	/// # Errors
	/// [`CodecError::BadSlot`] if a slot does not exist.
	pub fn from_slots(slots: impl IntoIterator<Item = usize>) -> Result<Self, CodecError> {
		slots.into_iter().try_fold(Self::EMPTY, Self::with)
	}

	/// The set with `slot` added.
	///
	/// # Errors
	/// [`CodecError::BadSlot`] if the slot does not exist.
	pub fn with(self, slot: usize) -> Result<Self, CodecError> {
		if slot >= TOTAL_SHARDS {
			return Err(CodecError::BadSlot { slot });
		}
		Ok(Self(self.0 | 1 << slot))
	}

	/// Whether `slot` is in the set.
	pub const fn contains(self, slot: usize) -> bool {
		slot < TOTAL_SHARDS && self.0 >> slot & 1 == 1
	}

	/// Number of slots in the set.
	pub const fn len(self) -> usize {
		self.0.count_ones() as usize
	}

	/// Whether no slot is in the set.
	pub const fn is_empty(self) -> bool {
		self.0 == 0
	}

	/// The slots of `self` that are not in `other`.
	pub const fn without(self, other: Self) -> Self {
		Self(self.0 & !other.0)
	}

	/// The slots in ascending order.
	pub fn iter(self) -> impl Iterator<Item = usize> {
		(0..TOTAL_SHARDS).filter(move |slot| self.contains(*slot))
	}
}

impl fmt::Debug for ShardSet {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_set().entries(self.iter()).finish()
	}
}
