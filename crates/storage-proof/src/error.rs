//! What can be wrong with a proof.

use codec::{DecodeAll, MaxEncodedLen};
use core::fmt;

/// Why a proof cannot be made or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
	/// A shard longer than [`SHARD_LEN`](hippius_primitives::coding::SHARD_LEN), or empty, or of a
	/// length no stripe gives.
	ShardLength(u64),
	/// The chunk number lies behind the end of the shard.
	ChunkIndex {
		/// The number.
		index: u64,
		/// Chunks the shard has.
		chunks: u64,
	},
	/// The chunk has the wrong length for its place.
	ChunkLength {
		/// Bytes given.
		given: usize,
		/// Bytes the chunk has.
		expected: usize,
	},
	/// The bytes are not those the outboard was built from.
	GroupMismatch(u64),
	/// A path has the wrong number of siblings for its leaf's place.
	PathLength {
		/// Siblings given.
		given: usize,
		/// Steps from the leaf to the root.
		expected: usize,
	},
	/// No such slot: they are numbered `0..30`.
	Slot(u8),
	/// The leaf number lies outside the tree.
	LeafIndex {
		/// The number.
		index: u64,
		/// Leaves the tree has.
		leaves: u64,
	},
	/// The tree has no leaves, or more than it may.
	LeafCount(u64),
	/// The bytes of the parts add up to more than 2^64 - 1.
	SumOverflow,
	/// A sum that is zero or not a multiple of 64 bytes.
	SumUnit(u64),
	/// The offset lies behind the end of the ledger.
	Offset {
		/// The offset, in bytes.
		offset: u64,
		/// Bytes there are.
		total: u64,
	},
	/// The proven leaf does not cover the offset asked for.
	NotCovered {
		/// The offset, in bytes.
		offset: u64,
		/// First byte of the proven leaf.
		start: u64,
		/// Its bytes.
		len: u64,
	},
	/// The path leads to another root: wrong bytes, wrong place, or a forged path.
	RootMismatch,
	/// A node needed for the proof is not stored.
	MissingNode {
		/// Height of the node above the leaves.
		level: u32,
		/// Its number in that level.
		index: u64,
	},
	/// A bad state: the peaks do not fit the number of leaves.
	PeakCount {
		/// Peaks given.
		given: usize,
		/// Peaks the number of leaves asks for.
		expected: usize,
	},
	/// The bytes are longer than any proof.
	TooLong {
		/// Bytes given.
		given: usize,
		/// Most bytes accepted.
		max: usize,
	},
	/// The bytes are not the encoding of a proof, or others follow it.
	Malformed,
}

impl fmt::Display for ProofError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::ShardLength(len) => write!(
				f,
				"no shard is {len} bytes long: lengths are multiples of 64 from 64 B to 1 MiB"
			),
			Self::ChunkIndex { index, chunks } => {
				write!(f, "chunk {index} asked for, the shard has {chunks}")
			}
			Self::ChunkLength { given, expected } => {
				write!(f, "the chunk has {given} bytes instead of {expected}")
			}
			Self::GroupMismatch(group) => write!(
				f,
				"group {group} does not hash to what the outboard says: read it again or repair the shard"
			),
			Self::PathLength { given, expected } => {
				write!(f, "the path has {given} siblings instead of {expected}")
			}
			Self::Slot(slot) => write!(f, "slot {slot} does not exist, the last one is 29"),
			Self::LeafIndex { index, leaves } => {
				write!(f, "leaf {index} asked for, the tree has {leaves}")
			}
			Self::LeafCount(leaves) => write!(f, "a tree cannot have {leaves} leaves"),
			Self::SumOverflow => f.write_str("the bytes add up to more than 64 bits hold"),
			Self::SumUnit(sum) => write!(
				f,
				"a sum of {sum} bytes: sums are multiples of 64 and never zero"
			),
			Self::Offset { offset, total } => {
				write!(f, "offset {offset} lies behind the {total} bytes there are")
			}
			Self::NotCovered { offset, start, len } => write!(
				f,
				"the proof is for bytes {start} and the {len} from there, offset {offset} was asked for"
			),
			Self::RootMismatch => f.write_str(
				"the path leads to another root: other bytes, another place or a forged path",
			),
			Self::MissingNode { level, index } => {
				write!(
					f,
					"node {index} of level {level} is not stored: fetch it from a peer"
				)
			}
			Self::PeakCount { given, expected } => {
				write!(f, "{given} peaks, the number of leaves asks for {expected}")
			}
			Self::TooLong { given, max } => {
				write!(
					f,
					"{given} bytes are longer than any proof, which has at most {max}"
				)
			}
			Self::Malformed => f.write_str("the bytes are not the encoding of a proof"),
		}
	}
}

impl core::error::Error for ProofError {}

/// Reads a value from bytes of unknown origin; they must be one value and nothing else, and no longer than
/// the longest there is.
pub(crate) fn decode_bounded<T: DecodeAll + MaxEncodedLen>(bytes: &[u8]) -> Result<T, ProofError> {
	let max = T::max_encoded_len();
	if bytes.len() > max {
		return Err(ProofError::TooLong {
			given: bytes.len(),
			max,
		});
	}
	T::decode_all(&mut &bytes[..]).map_err(|_| ProofError::Malformed)
}
