//! The shape all trees here share: a node's left subtree is the largest full one that leaves
//! something for the right. It is BLAKE3's shape, and pairing nodes level by level, the last one of
//! an odd level moving up unpaired, gives the same.

/// One step from a node to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
	/// Height of the node and its sibling, 0 for leaves.
	pub(crate) level: u32,
	/// The sibling's number in its level.
	pub(crate) sibling: u64,
	/// Whether the sibling is the left child.
	pub(crate) sibling_is_left: bool,
}

/// The steps from leaf `index` of `count` to the root. Nothing for an index outside the tree; at
/// most 64 steps.
#[derive(Clone, Debug)]
pub(crate) struct Climb {
	index: u64,
	count: u64,
	level: u32,
}

impl Climb {
	pub(crate) fn new(index: u64, count: u64) -> Self {
		Self {
			index,
			count: if index < count { count } else { 0 },
			level: 0,
		}
	}

	/// How many steps there are.
	pub(crate) fn depth(index: u64, count: u64) -> usize {
		Self::new(index, count).count()
	}
}

impl Iterator for Climb {
	type Item = Step;

	fn next(&mut self) -> Option<Step> {
		while self.count > 1 {
			let (index, count, level) = (self.index, self.count, self.level);
			self.index = index >> 1;
			self.count = (count >> 1).saturating_add(count & 1);
			self.level = level.saturating_add(1);
			let sibling = index ^ 1;
			if sibling < count {
				return Some(Step {
					level,
					sibling,
					sibling_is_left: sibling < index,
				});
			}
		}
		None
	}
}

/// Leaves of the left subtree of a tree of `leaves`; 0 if it has no subtrees.
pub(crate) fn left_leaves(leaves: u64) -> u64 {
	match leaves.checked_sub(1) {
		None | Some(0) => 0,
		Some(last) => 1u64.checked_shl(last.ilog2()).unwrap_or(0),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use alloc::vec::Vec;

	/// The steps by the recursive definition: left subtree a full one.
	fn recursive(index: u64, first: u64, count: u64, out: &mut Vec<(u64, u64, bool)>) {
		if count <= 1 {
			return;
		}
		let left = left_leaves(count);
		if index < first + left {
			recursive(index, first, left, out);
			out.push((first + left, count - left, false));
		} else {
			recursive(index, first + left, count - left, out);
			out.push((first, left, true));
		}
	}

	#[test]
	fn climbing_agrees_with_the_recursive_shape() {
		for count in 1..=70u64 {
			for index in 0..count {
				let mut expected = Vec::new();
				recursive(index, 0, count, &mut expected);
				let got: Vec<_> = Climb::new(index, count)
					.map(|step| {
						let first = step.sibling << step.level;
						let end = ((step.sibling + 1) << step.level).min(count);
						(first, end - first, step.sibling_is_left)
					})
					.collect();
				assert_eq!(got, expected, "{index} of {count}");
			}
		}
	}

	#[test]
	fn nothing_outside_the_tree_and_nothing_overflows() {
		assert_eq!(Climb::depth(0, 0), 0);
		assert_eq!(Climb::depth(5, 5), 0);
		assert_eq!(Climb::depth(0, u64::MAX), 64);
		assert_eq!(Climb::depth(u64::MAX - 1, u64::MAX), 63);
		assert_eq!(left_leaves(0), 0);
		assert_eq!(left_leaves(1), 0);
		assert_eq!(left_leaves(2), 1);
		assert_eq!(left_leaves(5), 4);
		assert_eq!(left_leaves(u64::MAX), 1 << 63);
	}
}
