//! Rebuilding by transform instead of by matrix.

use crate::{
	gf,
	matrix::{Interpolation, Row},
	skew::COSETS,
	ShardSet, DATA_SHARDS,
};

/// How the transform of [`crate::skew`] rebuilds slots from ten others: the eight slots of a coset of
/// {0..7} give coefficients, and two neighbours give the two that are missing. One or two of the
/// eight need not be present: they are computed from the ten by a matrix.
#[derive(Clone, Debug)]
pub(crate) struct Route {
	/// The coset with sources.
	pub(super) coset: usize,
	/// For each slot of the coset which input it is, or ten plus the row of [`Self::missing`].
	pub(super) inputs: [u8; 8],
	/// What gives the slots of the coset that are no inputs.
	pub(super) missing: [Row; Self::MISSING],
	/// Rows used.
	pub(super) missing_count: usize,
	/// Which outputs they are.
	pub(super) missing_outputs: [u8; Self::MISSING],
	/// The even slot of the two neighbours.
	pub(super) pair: usize,
	/// Which input it is; the other is the next.
	pub(super) pair_at: u8,
	/// The skew from the source coset to each between elements 4 apart.
	pub(super) far: [u8; 4],
	/// What the two last coefficients count for on each coset.
	pub(super) scales: [u8; 4],
	/// Which output each slot of the other cosets is, or [`Self::NONE`].
	pub(super) outputs: [[u8; 8]; 4],
	/// A bit for each slot of a coset that is an output.
	pub(super) wanted: [u8; 4],
}

impl Route {
	/// No output.
	pub(super) const NONE: u8 = u8::MAX;
	/// Most slots of the coset that are computed by a matrix.
	pub(super) const MISSING: usize = 2;
	/// With fewer outputs than this the matrix costs less,
	const WORTH: usize = 5;
	/// and for each slot missing, as many more.
	const WORTH_MORE: usize = 2;

	/// Number of outputs.
	pub(super) fn count(&self) -> usize {
		let outputs = self.outputs.as_flattened().iter();
		let outputs = outputs.chain(&self.missing_outputs);
		outputs.filter(|index| **index != Self::NONE).count()
	}

	/// The sources and the route to `wanted`, if there is one and it is worth it.
	pub(crate) fn find(
		present: ShardSet,
		wanted: ShardSet,
	) -> Option<([usize; DATA_SHARDS], Self)> {
		let most = wanted.len().checked_sub(Self::WORTH)? / Self::WORTH_MORE;
		(0..=most.min(Self::MISSING))
			.flat_map(|missing| (0..3).map(move |coset| (missing, coset)))
			.find_map(|(missing, coset)| Self::by(coset, missing, present, wanted))
	}

	/// The route by a coset of which some slots are missing.
	fn by(
		coset: usize,
		missing: usize,
		present: ShardSet,
		wanted: ShardSet,
	) -> Option<([usize; DATA_SHARDS], Self)> {
		let slots = 8 * coset..8 * coset + 8;
		let given = slots.clone().filter(|slot| present.contains(*slot));
		let given = ShardSet::from_slots(given).ok()?;
		if given.len() + missing != slots.len() {
			return None;
		}
		let mut pairs = (0..30).step_by(2).filter(|pair| pair / 8 != coset);
		let pair = pairs.find(|pair| present.contains(*pair) && present.contains(pair + 1))?;
		let mut chosen = given.with(pair).ok()?.with(pair + 1).ok()?;
		for slot in present.without(chosen).iter().take(missing) {
			chosen = chosen.with(slot).ok()?;
		}
		if chosen.len() != DATA_SHARDS || !wanted.without(chosen).eq(&wanted) {
			return None;
		}
		let mut sources = [0; DATA_SHARDS];
		for (source, slot) in sources.iter_mut().zip(chosen.iter()) {
			*source = slot;
		}
		let input = |slot| sources.iter().position(|source| *source == slot);
		let output = |slot| {
			let index = wanted.iter().position(|other| other == slot);
			index.map_or(Self::NONE, |index| index as u8)
		};

		let interpolation = Interpolation::new(sources);
		let mut route = Self {
			coset,
			inputs: [0; 8],
			missing: [[0; DATA_SHARDS]; Self::MISSING],
			missing_count: 0,
			missing_outputs: [Self::NONE; Self::MISSING],
			pair,
			pair_at: input(pair)? as u8,
			far: [0; 4],
			scales: [0; 4],
			outputs: [[Self::NONE; 8]; 4],
			wanted: [0; 4],
		};
		for (at, slot) in slots.enumerate() {
			route.inputs[at] = match input(slot) {
				Some(index) => index as u8,
				None => {
					let row = route.missing_count;
					*route.missing.get_mut(row)? = interpolation.row(slot);
					route.missing_outputs[row] = output(slot);
					route.missing_count += 1;
					(DATA_SHARDS + row) as u8
				}
			};
		}
		let from = &COSETS[coset];
		let unit = gf::inv(from.top ^ COSETS[pair / 8].top)?;
		for (index, to) in COSETS
			.iter()
			.enumerate()
			.filter(|(index, _)| *index != coset)
		{
			route.far[index] = from.far ^ to.far;
			route.scales[index] = gf::mul(from.top ^ to.top, unit);
			for at in 0..8 {
				let output = output(8 * index + at);
				route.outputs[index][at] = output;
				route.wanted[index] |= u8::from(output != Self::NONE) << at;
			}
		}
		Some((sources, route))
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

	/// Whose absence costs the least.
	#[test]
	fn two_of_the_coset_may_be_missing() {
		let parity = ShardSet::from_slots(10..20).unwrap();
		let (sources, route) = Route::find(parity, ShardSet::DATA).unwrap();
		assert_eq!(sources, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
		assert_eq!((route.coset, route.pair, route.pair_at), (1, 16, 6));
		assert_eq!(route.inputs, [10, 11, 0, 1, 2, 3, 4, 5]);
		assert_eq!(route.missing_outputs, [8, 9]);
		assert_eq!(route.count(), 10);
		let few = ShardSet::from_slots(0..8).unwrap();
		assert_eq!(find(parity, few), None);
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
