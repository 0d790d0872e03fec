//! Rebuilding by transform instead of by matrix.

use crate::{gf, skew::COSETS, ShardSet, DATA_SHARDS};

/// From which ten slots the transform of [`crate::skew`] rebuilds others: all eight of a coset of
/// {0..7}, which give coefficients, and two neighbours, which give the two that are missing.
#[derive(Clone, Debug)]
pub(crate) struct Route {
	/// The coset with eight sources.
	pub(crate) coset: usize,
	/// Where they start among the inputs.
	pub(crate) coset_at: usize,
	/// The even slot of the two further sources.
	pub(crate) pair: usize,
	/// Where they start among the inputs.
	pub(crate) pair_at: usize,
	/// What the two last coefficients count for on each coset.
	pub(crate) scales: [u8; 4],
	/// Which output each slot of each coset is, or [`Self::NONE`].
	pub(crate) outputs: [[u8; 8]; 4],
}

impl Route {
	/// No output.
	pub(crate) const NONE: u8 = u8::MAX;
	/// No output in a whole coset.
	pub(crate) const NOTHING: [u8; 8] = [Self::NONE; 8];
	/// With fewer outputs than this the matrix costs less.
	const WORTH: usize = 5;

	/// Number of outputs.
	pub(super) fn count(&self) -> usize {
		let outputs = self.outputs.as_flattened().iter();
		outputs.filter(|index| **index != Self::NONE).count()
	}

	/// The sources and the route to `wanted`, if there is one and it is worth it.
	pub(crate) fn find(
		present: ShardSet,
		wanted: ShardSet,
	) -> Option<([usize; DATA_SHARDS], Self)> {
		if wanted.len() < Self::WORTH {
			return None;
		}
		// Data first, so that as few slots as possible are computed.
		let coset = (0..3).find(|coset| (0..8).all(|i| present.contains(8 * coset + i)))?;
		let mut pairs = (0..15)
			.map(|pair| 2 * pair)
			.filter(|pair| pair / 8 != coset);
		let pair = pairs.find(|pair| present.contains(*pair) && present.contains(pair + 1))?;
		let (coset_at, pair_at) = if pair < 8 * coset { (2, 0) } else { (0, 8) };
		let sources = core::array::from_fn(|i| match i.checked_sub(coset_at) {
			Some(i) if i < 8 => 8 * coset + i,
			_ => pair + (i - pair_at),
		});
		if wanted.iter().any(|slot| sources.contains(&slot)) {
			return None;
		}
		let top = |index: usize| COSETS[coset].top ^ COSETS[index].top;
		let unit = gf::inv(top(pair / 8))?;
		let mut outputs = [Self::NOTHING; 4];
		for (index, slot) in wanted.iter().enumerate() {
			outputs[slot / 8][slot % 8] = index as u8;
		}
		let scales = core::array::from_fn(|index| gf::mul(top(index), unit));
		Some((
			sources,
			Self {
				coset,
				coset_at,
				pair,
				pair_at,
				scales,
				outputs,
			},
		))
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn find(present: ShardSet, wanted: ShardSet) -> Option<[usize; DATA_SHARDS]> {
		Route::find(present, wanted).map(|(sources, _)| sources)
	}

	#[test]
	fn a_whole_coset_and_two_neighbours_are_chosen() {
		let parity = ShardSet::ALL.without(ShardSet::DATA);
		assert_eq!(
			find(ShardSet::DATA, parity),
			Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
		);
		assert_eq!(
			find(parity, ShardSet::DATA),
			Some([10, 11, 16, 17, 18, 19, 20, 21, 22, 23])
		);
		let upper = ShardSet::from_slots(16..26).unwrap();
		assert_eq!(
			find(upper, ShardSet::DATA),
			Some([16, 17, 18, 19, 20, 21, 22, 23, 24, 25])
		);
	}

	#[test]
	fn there_is_none_without_them_or_for_few_outputs() {
		let even = ShardSet::from_slots((0..30).step_by(2)).unwrap();
		assert_eq!(find(even, ShardSet::ALL.without(even)), None);
		let few = ShardSet::from_slots([20, 21, 22, 23]).unwrap();
		assert_eq!(find(ShardSet::DATA, few), None);
		assert_eq!(find(ShardSet::ALL, ShardSet::ALL), None);
		// Neighbours are two slots that differ in the lowest bit.
		let apart = ShardSet::from_slots((0..8).chain([9, 10, 28])).unwrap();
		assert_eq!(find(apart, ShardSet::from_slots(16..24).unwrap()), None);
	}
}
