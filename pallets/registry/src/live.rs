//! The numbers in use, as pages of bits.

use crate::{Config, LiveNodes, NextNodeIndex, Pallet};
use alloc::vec::Vec;
use hippius_primitives::NodeIndex;

/// Words of a page.
pub(crate) const WORDS: usize = 16;
/// Numbers a page covers.
pub(crate) const PAGE: u32 = WORDS as u32 * u64::BITS;

/// Page, word and mask of a number.
fn place(node: NodeIndex) -> (u32, usize, u64) {
	let within = node % PAGE;
	(
		node / PAGE,
		(within / u64::BITS) as usize,
		1 << (within % u64::BITS),
	)
}

impl<T: Config> Pallet<T> {
	/// Notes whether `node` is in use.
	pub(crate) fn set_live(node: NodeIndex, live: bool) {
		let (page, word, mask) = place(node);
		LiveNodes::<T>::mutate_exists(page, |entry| {
			let mut words = entry.unwrap_or_default();
			if let Some(bits) = words.get_mut(word) {
				*bits = if live { *bits | mask } else { *bits & !mask };
			}
			*entry = words.iter().any(|bits| *bits != 0).then_some(words);
		});
	}

	/// Which of the 256 numbers from `quarter` * 256 on are in use; pages of other pallets are a
	/// quarter of a page here.
	pub(crate) fn live_quarter(quarter: u32) -> [u64; 4] {
		let words = LiveNodes::<T>::get(quarter / 4).unwrap_or_default();
		let first = (quarter % 4) as usize * 4;
		core::array::from_fn(|word| words.get(first + word).copied().unwrap_or(0))
	}

	/// At most `limit` numbers in use from `from` on, ascending. Reads one page per 1024 numbers
	/// passed, in use or not.
	pub(crate) fn live_from(from: NodeIndex, limit: u32) -> Vec<NodeIndex> {
		let mut found = Vec::new();
		let end = NextNodeIndex::<T>::get();
		if from >= end || limit == 0 {
			return found;
		}
		for page in from / PAGE..=(end - 1) / PAGE {
			let Some(words) = LiveNodes::<T>::get(page) else {
				continue;
			};
			for (word, mut bits) in words.into_iter().enumerate() {
				while bits != 0 {
					let node = page * PAGE + word as u32 * u64::BITS + bits.trailing_zeros();
					bits &= bits - 1;
					if node < from {
						continue;
					}
					found.push(node);
					if found.len() as u32 == limit {
						return found;
					}
				}
			}
		}
		found
	}
}
