//! Where a full node that executed the appends finds the batches of a ledger again.
//!
//! The chain's state has only a ledger's peaks. Whoever executes an append leaves each node of the
//! range that comes to be in local storage, under its hash, with what is below it. From the peaks of
//! any state one finds the way down to any batch, whatever other forks left there: a hash leads to one
//! thing only.

use crate::{mmr::mountains, Batch, Hash, Peaks};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use hippius_primitives::Pg;

const PREFIX: &[u8] = b"hippius::ledger::";

/// What is below a node of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Below {
	/// It is a batch.
	#[codec(index = 0)]
	Batch(Batch),
	/// Two nodes.
	#[codec(index = 1)]
	Pair {
		/// The earlier batches.
		left: Hash,
		/// The later ones.
		right: Hash,
	},
}

/// The key under which the node `hash` of a group's ledger is left in a full node's persistent offchain
/// storage, as SCALE of [`Below`].
pub fn index_key(pg: Pg, hash: &Hash) -> Vec<u8> {
	let mut key = PREFIX.to_vec();
	key.extend_from_slice(&pg.to_le_bytes());
	key.extend_from_slice(hash);
	key
}

/// The batches from number `from` on, at most `most`, of the ledger with these peaks. `below` looks
/// nodes up; where it finds nothing, the batches end.
pub fn batches_from(
	peaks: &Peaks,
	from: u64,
	most: usize,
	below: impl FnMut(&Hash) -> Option<Below>,
) -> Vec<Batch> {
	let mut walk = Walk {
		from,
		most,
		below,
		found: Vec::new(),
	};
	for ((height, first), peak) in mountains(peaks.leaves()).zip(peaks.peaks()) {
		if !walk.descend(&peak.hash, height, first) {
			break;
		}
	}
	walk.found
}

struct Walk<F> {
	from: u64,
	most: usize,
	below: F,
	found: Vec<Batch>,
}

impl<F: FnMut(&Hash) -> Option<Below>> Walk<F> {
	/// Takes the batches under a node of height `height`, at most 63, the first of which has number
	/// `first`; whether to go on.
	fn descend(&mut self, node: &Hash, height: u32, first: u64) -> bool {
		let size = 1u64.checked_shl(height).unwrap_or(u64::MAX);
		if first.saturating_add(size) <= self.from {
			return true;
		}
		if self.found.len() >= self.most {
			return false;
		}
		match ((self.below)(node), height.checked_sub(1)) {
			(Some(Below::Batch(batch)), None) => {
				self.found.push(batch);
				true
			}
			(Some(Below::Pair { left, right }), Some(lower)) => {
				let middle = first.saturating_add(size / 2);
				self.descend(&left, lower, first) && self.descend(&right, lower, middle)
			}
			_ => false,
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::{Blake2, Mmr};
	use alloc::collections::BTreeMap;

	type Index = BTreeMap<Hash, Below>;

	fn batch(number: u64, fork: u8) -> Batch {
		let mut root = [fork; 32];
		root[..8].copy_from_slice(&number.to_le_bytes());
		Batch {
			root,
			bytes: 64 * (number + 1),
			stripes: 1,
		}
	}

	fn append(peaks: &mut Peaks, index: &mut Index, batch: &Batch) {
		let note = |hash: &Hash, below| {
			index.insert(*hash, below);
		};
		peaks.append_noting::<Blake2>(batch, note).unwrap();
	}

	#[test]
	fn every_batch_is_found_from_every_later_state() {
		let (mut peaks, mut index) = (Peaks::new(), Index::new());
		let mut plain = Mmr::new();
		for number in 0..70 {
			append(&mut peaks, &mut index, &batch(number, 0));
			plain.append::<Blake2>(&batch(number, 0)).unwrap();
			assert_eq!(&peaks, plain.peaks());
			for from in 0..=number + 1 {
				for most in [0, 1, 3, 100] {
					let found = batches_from(&peaks, from, most, |hash| index.get(hash).copied());
					let wanted = (from..=number).take(most).map(|number| batch(number, 0));
					assert_eq!(found, wanted.collect::<Vec<_>>());
				}
			}
		}
		// A node under each batch, and one over each pair.
		assert!(index.len() < 140);
	}

	#[test]
	fn forks_do_not_mix() {
		let mut index = Index::new();
		let mut common = Peaks::new();
		for number in 0..5 {
			append(&mut common, &mut index, &batch(number, 0));
		}
		let mut forks = [common.clone(), common];
		for number in 5..20 {
			for (fork, peaks) in (1..).zip(&mut forks) {
				append(peaks, &mut index, &batch(number, fork));
			}
		}
		for (fork, peaks) in (1..).zip(&forks) {
			let found = batches_from(peaks, 3, 100, |hash| index.get(hash).copied());
			let forked = |number| batch(number, if number < 5 { 0 } else { fork });
			assert_eq!(found, (3..20).map(forked).collect::<Vec<_>>());
		}
	}

	#[test]
	fn what_is_missing_or_wrong_ends_the_batches() {
		let (mut peaks, mut index) = (Peaks::new(), Index::new());
		for number in 0..13 {
			append(&mut peaks, &mut index, &batch(number, 0));
		}
		let leaf = batch(6, 0).leaf::<Blake2>().hash;
		let without = |hash: &Hash| index.get(hash).filter(|_| *hash != leaf).copied();
		assert_eq!(batches_from(&peaks, 2, 100, without).len(), 4);
		assert_eq!(batches_from(&peaks, 6, 100, without), []);
		assert_eq!(batches_from(&peaks, 7, 100, without).len(), 6);
		assert_eq!(batches_from(&peaks, 0, 100, |_| None), []);
		// A pair that leads to itself, a batch where a pair should be.
		let pair = |hash: &Hash| {
			Some(Below::Pair {
				left: *hash,
				right: *hash,
			})
		};
		assert_eq!(batches_from(&peaks, 0, 100, pair), []);
		let leaves = |_: &Hash| Some(Below::Batch(batch(0, 0)));
		assert_eq!(batches_from(&peaks, 0, 100, leaves), []);
		assert_eq!(batches_from(&Peaks::new(), 0, 100, leaves), []);
	}

	#[test]
	fn groups_have_keys_of_their_own() {
		assert_ne!(index_key(1, &[0; 32]), index_key(2, &[0; 32]));
		assert!(index_key(1, &[0; 32]).starts_with(PREFIX));
	}
}
