//! Audit draws: what is asked of whom, as everybody computes it from a block's randomness.
//!
//! A number is 128 bits of BLAKE2b-256 over [`DRAW_CONTEXT`], randomness, block, lane, draw and
//! item, all integers little endian. It is brought below `n` by multiplying and keeping the high
//! part, `x n / 2^128`: no loop, and each of the `n < 2^64` results has a probability within
//! `2^-128` of `1 / n`, so all together a bias below `2^-64`.

use crate::{sum::fill, Hash, SumHasher};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hippius_primitives::TOTAL_SHARDS;
use scale_info::TypeInfo;

/// What keeps draws apart from all else that is hashed from the same randomness.
pub const DRAW_CONTEXT: &[u8; 16] = b"arion/draw/v1\0\0\0";

/// A kind of audit.
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
pub enum Lane {
	/// Lane A: uniform over all live bytes.
	Bytes,
	/// Lane B: every node at least so often, however little it holds.
	Floor,
	/// Nodes that must prove themselves.
	Fresh,
}

/// How often nodes are asked.
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
pub struct Rates {
	/// Blocks of a day.
	pub blocks_per_day: u32,
	/// Lane A: samples per day for each node there is, as long as `most_per_block` allows it.
	pub samples_per_node: u32,
	/// Lane A: most draws of one block.
	pub most_per_block: u32,
	/// Lane B: chunks asked of a drawn node.
	pub floor_chunks: u32,
}

impl Default for Rates {
	fn default() -> Self {
		Self {
			blocks_per_day: 14_400,
			samples_per_node: 35,
			most_per_block: 24,
			floor_chunks: 4,
		}
	}
}

impl Rates {
	/// Lane A draws of one block among `nodes`: `min(most_per_block, ceil(samples_per_node nodes /
	/// blocks_per_day))`; none if there is no day.
	pub fn byte_draws(&self, nodes: u32) -> u32 {
		let samples = u64::from(self.samples_per_node).saturating_mul(nodes.into());
		let blocks = u64::from(self.blocks_per_day);
		if blocks == 0 {
			return 0;
		}
		u32::try_from(samples.div_ceil(blocks))
			.unwrap_or(u32::MAX)
			.min(self.most_per_block)
	}
}

/// The draws of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
	/// The block's randomness.
	pub randomness: Hash,
	/// The block.
	pub block: u32,
}

/// A lane A draw: byte `offset` of what each slot holds, and the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteDraw {
	/// A byte, `0..total`.
	pub offset: u64,
	/// A slot, `0..30`.
	pub slot: u8,
}

/// The count of lane B in a block is this draw.
const COUNT: u32 = u32::MAX;
/// Lane B: the item that names the node; chunks are items from 0.
const NODE: u32 = u32::MAX;

impl Draws {
	/// 128 random bits.
	pub fn number<H: SumHasher>(&self, lane: Lane, draw: u32, item: u32) -> u128 {
		let lane = match lane {
			Lane::Bytes => 0u8,
			Lane::Floor => 1,
			Lane::Fresh => 2,
		};
		let mut bytes = [0u8; 16 + 32 + 4 + 1 + 4 + 4];
		fill(
			&mut bytes,
			&[
				DRAW_CONTEXT,
				&self.randomness,
				&self.block.to_le_bytes(),
				&[lane],
				&draw.to_le_bytes(),
				&item.to_le_bytes(),
			],
		);
		let mut low = [0u8; 16];
		fill(&mut low, &[H::blake2_256(&bytes).split_at(16).0]);
		u128::from_le_bytes(low)
	}

	/// A number `0..n`; 0 if `n` is 0.
	pub fn below<H: SumHasher>(&self, lane: Lane, draw: u32, item: u32, n: u64) -> u64 {
		scale(self.number::<H>(lane, draw, item), n)
	}

	/// Lane A, draw `draw` of the block: every byte of every slot is as likely as any other.
	/// `total` is what one slot holds of all ledgers together; `None` if that is nothing.
	pub fn byte<H: SumHasher>(&self, draw: u32, total: u64) -> Option<ByteDraw> {
		if total == 0 {
			return None;
		}
		let slot = self.below::<H>(Lane::Bytes, draw, 1, TOTAL_SHARDS as u64);
		Some(ByteDraw {
			offset: self.below::<H>(Lane::Bytes, draw, 0, total),
			slot: u8::try_from(slot).ok()?,
		})
	}

	/// Lane B: how many nodes are drawn in the block. `nodes / blocks_per_day` on average: the rest
	/// of the division is decided by a coin.
	pub fn floor_draws<H: SumHasher>(&self, nodes: u32, rates: &Rates) -> u32 {
		let Some(whole) = nodes.checked_div(rates.blocks_per_day) else {
			return 0;
		};
		let rest = nodes.checked_rem(rates.blocks_per_day).unwrap_or(0);
		let coin = self.below::<H>(Lane::Floor, COUNT, 0, rates.blocks_per_day.into());
		whole.saturating_add(u32::from(coin < u64::from(rest)))
	}

	/// Lane B: the node draw `draw` of the block asks, as its place among `nodes`; `None` if there
	/// is none.
	pub fn floor_node<H: SumHasher>(&self, draw: u32, nodes: u32) -> Option<u32> {
		if nodes == 0 {
			return None;
		}
		u32::try_from(self.below::<H>(Lane::Floor, draw, NODE, nodes.into())).ok()
	}

	/// Lane B: byte `chunk` (`0..floor_chunks`) of the `bytes` the drawn node holds; `None` if it
	/// holds nothing.
	pub fn floor_byte<H: SumHasher>(&self, draw: u32, chunk: u32, bytes: u64) -> Option<u64> {
		(bytes > 0).then(|| self.below::<H>(Lane::Floor, draw, chunk, bytes))
	}
}

/// `x n / 2^128`, rounded down.
fn scale(x: u128, n: u64) -> u64 {
	let n = u128::from(n);
	let low = (x & u128::from(u64::MAX)).wrapping_mul(n) >> 64;
	// At most (2^64 - 1)^2 + 2^64 - 1: it fits, and its high half is below 2^64.
	((x >> 64).wrapping_mul(n).wrapping_add(low) >> 64) as u64
}

/// Which of the consecutive `parts` covers `offset`, and how far into it; `None` behind the last.
pub fn locate(parts: impl IntoIterator<Item = u64>, offset: u64) -> Option<(usize, u64)> {
	let mut rest = offset;
	for (index, part) in parts.into_iter().enumerate() {
		match rest.checked_sub(part) {
			None => return Some((index, rest)),
			Some(after) => rest = after,
		}
	}
	None
}
