//! The trees of thirty shards.

use super::{avx512, Group, CHUNK_LEN, GROUP_LEN, LANES};
use crate::TOTAL_SHARDS;
use blake3::{
	hazmat::{merge_subtrees_non_root, merge_subtrees_root, ChainingValue, HasherExt, Mode},
	Hasher,
};
use hippius_primitives::{coding::SHARD_LEN, ShardId};

/// Most groups of a shard.
const MAX_GROUPS: usize = SHARD_LEN / GROUP_LEN;
/// Complete subtrees that wait for their sibling: one for each bit of the number of groups.
const DEPTH: usize = MAX_GROUPS.ilog2() as usize + 1;
const EMPTY: Group = Group([[0; LANES]; 8]);

/// A group of one shard, and where to copy it.
pub(crate) struct GroupJob<'a> {
	pub(crate) input: &'a [u8; GROUP_LEN],
	/// `None` if it stays where it is.
	pub(crate) copy: Option<&'a mut [u8]>,
	/// Fetched into cache meanwhile, if there is a copy to make.
	pub(crate) fetch: &'a [u8],
}

/// What is known of thirty shards of equal length, at most [`SHARD_LEN`].
pub(crate) struct Trees {
	/// Waiting groups of each shard, the lowest last.
	waiting: [[Group; DEPTH]; TOTAL_SHARDS],
	/// Groups of each shard so far. Its bits say which levels are in `waiting`.
	groups: u64,
	/// What follows the last group: its chaining value, or the root if there is no group.
	tails: Option<[ChainingValue; TOTAL_SHARDS]>,
}

impl Trees {
	pub(crate) fn new() -> Box<Self> {
		Box::new(Self {
			waiting: [[EMPTY; DEPTH]; TOTAL_SHARDS],
			groups: 0,
			tails: None,
		})
	}

	/// The next group of every shard, in slot order. A copy is made past the caches, if its place
	/// begins at a cache line.
	pub(crate) fn push(&mut self, jobs: [GroupJob<'_>; TOTAL_SHARDS]) {
		assert!(self.groups < MAX_GROUPS as u64 && self.tails.is_none());
		let mut copies = false;
		let mut jobs = jobs.map(|GroupJob { input, copy, fetch }| {
			let copy = match copy.map(<&mut [u8; GROUP_LEN]>::try_from) {
				Some(Ok(place)) if avx512::streams_to(place) => Some(place),
				Some(Ok(place)) => {
					place.copy_from_slice(input);
					None
				}
				Some(Err(_)) => unreachable!("places are as long as groups"),
				None => None,
			};
			copies |= copy.is_some();
			avx512::Job { input, copy, fetch }
		});
		let mut hashed = [EMPTY; TOTAL_SHARDS];
		let first = self.groups * LANES as u64;
		if copies {
			avx512::hash_and_copy(&mut jobs, first, &mut hashed);
		} else {
			avx512::hash(&mut jobs, first, &mut hashed);
		}
		// As in binary counting: each trailing one is a sibling that waits.
		let merges = self.groups.trailing_ones() as usize;
		let depth = self.groups.count_ones() as usize;
		for (waiting, mut group) in self.waiting.iter_mut().zip(hashed) {
			for left in waiting[depth - merges..depth].iter().rev() {
				group = avx512::parents(left, &group);
			}
			waiting[depth - merges] = group;
		}
		self.groups += 1;
	}

	/// The ends of the shards: less than a group.
	pub(crate) fn push_tails<'a>(&mut self, tails: [&'a [u8]; TOTAL_SHARDS]) {
		assert!(self.tails.is_none() && tails[0].len() < GROUP_LEN);
		if tails[0].is_empty() {
			return;
		}
		let offset = self.groups * GROUP_LEN as u64;
		self.tails = Some(tails.map(|tail: &'a [u8]| {
			if offset == 0 {
				return *blake3::hash(tail).as_bytes();
			}
			let mut hasher = Hasher::new();
			hasher.set_input_offset(offset).update(tail);
			hasher.finalize_non_root()
		}));
	}

	/// The ids; the next shards begin.
	pub(crate) fn finish(&mut self) -> [ShardId; TOTAL_SHARDS] {
		let tails = self.tails.take();
		let depth = self.groups.count_ones() as usize;
		self.groups = 0;
		core::array::from_fn(|slot| {
			let tail = tails.map(|tails| tails[slot]);
			ShardId(root(&self.waiting[slot][..depth], tail))
		})
	}
}

/// Merges what waits, from the end of the shard to its start.
fn root(waiting: &[Group], tail: Option<ChainingValue>) -> [u8; 32] {
	let Some((first, others)) = waiting.split_first() else {
		return tail.unwrap_or_else(|| *blake3::hash(&[]).as_bytes());
	};
	let mut right = tail;
	for group in others.iter().rev() {
		let (a, b) = halves(group);
		let left = merge_subtrees_non_root(&a, &b, Mode::Hash);
		right = Some(match right {
			Some(right) => merge_subtrees_non_root(&left, &right, Mode::Hash),
			None => left,
		});
	}
	let (a, b) = halves(first);
	let hash = match right {
		Some(right) => {
			let left = merge_subtrees_non_root(&a, &b, Mode::Hash);
			merge_subtrees_root(&left, &right, Mode::Hash)
		}
		None => merge_subtrees_root(&a, &b, Mode::Hash),
	};
	*hash.as_bytes()
}

/// The left and the right half of the tree over the sixteen values.
fn halves(group: &Group) -> (ChainingValue, ChainingValue) {
	let mut group = *group;
	for _ in 0..(LANES / 2).ilog2() {
		group = avx512::parents(&group, &EMPTY);
	}
	let value = |lane: usize| {
		let mut bytes = [0; 32];
		for (bytes, words) in bytes.chunks_mut(4).zip(&group.0) {
			bytes.copy_from_slice(&words[lane].to_le_bytes());
		}
		bytes
	};
	(value(0), value(1))
}

const _: () = assert!(CHUNK_LEN * LANES == GROUP_LEN && MAX_GROUPS < 1 << DEPTH);

#[cfg(test)]
mod tests {
	use super::*;

	fn bytes(len: usize) -> Vec<u8> {
		let mut state = 0x9E37_79B9_7F4A_7C15u64;
		let mut next = move || {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			state as u8
		};
		(0..len).map(|_| next()).collect()
	}

	fn value(group: &Group, lane: usize) -> ChainingValue {
		let mut out = [0; 32];
		for (out, words) in out.chunks_mut(4).zip(&group.0) {
			out.copy_from_slice(&words[lane].to_le_bytes());
		}
		out
	}

	/// Every lane of several groups in a row, at counters beyond 32 bits too, copied and not.
	#[test]
	fn lanes_are_chunks_and_parents() {
		if !avx512::is_available() {
			println!("skipped: this machine has no AVX-512");
			return;
		}
		for offset in [0, 1, 63] {
			let input = bytes(5 * GROUP_LEN + offset);
			let groups: Vec<&[u8; GROUP_LEN]> = input[offset..]
				.chunks_exact(GROUP_LEN)
				.filter_map(|group| group.try_into().ok())
				.collect();
			for first in [0u64, 16, 48, (1 << 32) - 16, 1 << 32, (1 << 40) + 16] {
				for count in 0..=5 {
					let mut places = vec![0u8; 5 * GROUP_LEN + 64];
					let start = places.as_ptr().align_offset(64);
					let mut copies = places[start..].chunks_exact_mut(GROUP_LEN);
					let copied = count % 2 == 1;
					let jobs = groups[..count].iter().map(|input| {
						let place = copies.next().and_then(|place| place.try_into().ok());
						let copy = place.filter(|_| copied);
						let fetch = &input[..];
						avx512::Job { input, copy, fetch }
					});
					let mut jobs: Vec<avx512::Job<'_>> = jobs.collect();
					let mut out = vec![EMPTY; count];
					if copied {
						avx512::hash_and_copy(&mut jobs, first, &mut out);
					} else {
						avx512::hash(&mut jobs, first, &mut out);
					}
					for (group, input) in out.iter().zip(&groups) {
						for (lane, chunk) in input.chunks(CHUNK_LEN).enumerate() {
							let mut hasher = Hasher::new();
							hasher.set_input_offset((first + lane as u64) * CHUNK_LEN as u64);
							hasher.update(chunk);
							assert_eq!(value(group, lane), hasher.finalize_non_root());
						}
					}
					if copied {
						let len = count * GROUP_LEN;
						assert!(places[start..start + len] == input[offset..offset + len]);
					}
					if let [left, right, ..] = &out[..] {
						let made = avx512::parents(left, right);
						for lane in 0..LANES {
							let side = if lane < 8 { left } else { right };
							let (a, b) = (value(side, lane % 8 * 2), value(side, lane % 8 * 2 + 1));
							let expected = merge_subtrees_non_root(&a, &b, Mode::Hash);
							assert_eq!(value(&made, lane), expected);
						}
					}
				}
			}
		}
	}
}
