//! What can go wrong.

use crate::{DATA_SHARDS, STRIPE_LEN, TOTAL_SHARDS};

/// Why a stripe could not be coded or recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
	/// Fewer shards are present than the code needs.
	#[error("{have} shards are present and {need} are needed: fetch {} more", need - have)]
	NotEnoughShards {
		/// Shards present.
		have: usize,
		/// Shards needed.
		need: usize,
	},
	/// A buffer's length differs from that of the others.
	#[error("buffer {index} holds {len} bytes, expected {expected}")]
	LengthMismatch {
		/// Position of the buffer in the call: inputs are counted first, then outputs.
		index: usize,
		/// Its length.
		len: usize,
		/// The length it must have.
		expected: usize,
	},
	/// The number of buffers is not what the call needs.
	#[error("{have} buffers were given, {need} are needed")]
	CountMismatch {
		/// Buffers given.
		have: usize,
		/// Buffers needed.
		need: usize,
	},
	/// There is no such slot.
	#[error("slot {slot} does not exist: a stripe has slots 0 to {}", TOTAL_SHARDS - 1)]
	BadSlot {
		/// The slot asked for.
		slot: usize,
	},
	/// A range of columns does not lie in the shards.
	#[error("columns {start} to {end} of shards of {shard_len} bytes: a range must start before it ends, within the shard")]
	ColumnRange {
		/// First byte asked for.
		start: usize,
		/// The byte after the last.
		end: usize,
		/// Bytes of a shard.
		shard_len: usize,
	},
	/// A stripe is empty or too long.
	#[error("a stripe of {len} bytes: the code takes 1 to {STRIPE_LEN}")]
	StripeLength {
		/// The length asked for.
		len: usize,
	},
}

impl CodecError {
	pub(crate) fn not_enough(have: usize) -> Self {
		Self::NotEnoughShards {
			have,
			need: DATA_SHARDS,
		}
	}
}
