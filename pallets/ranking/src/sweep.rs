//! Who held how much: a sweep over the placement groups, a few per block.

use crate::{Config, EraConfig, Held, Pallet, Sweep, Sweeping, WeightInfo};
use frame_support::{traits::Get, weights::Weight};
use hippius_primitives::traits::GroupHoldings;

impl<T: Config> Pallet<T> {
	/// Sweeps a few groups more; gives the weight of that.
	pub(crate) fn sweep(config: &EraConfig, now: u32) -> Weight {
		let Some(mut sweep) = Sweeping::<T>::get() else {
			// What was held before is not known.
			Sweeping::<T>::put(Sweep {
				start: now,
				blocks: 0,
				group: None,
			});
			return T::WeightInfo::sweep(0);
		};
		if sweep.group.is_none() {
			let passed = now.saturating_sub(sweep.start);
			if passed < config.sweep_blocks {
				return T::WeightInfo::sweep(0);
			}
			sweep = Sweep {
				start: now,
				blocks: passed,
				group: Some(0),
			};
		}
		let groups = T::Holdings::groups();
		let first = sweep.group.unwrap_or(0).min(groups);
		let end = first.saturating_add(T::GroupsPerBlock::get()).min(groups);
		for group in first..end {
			let Some((bytes, holders)) = T::Holdings::holdings(group) else {
				continue;
			};
			let held = u128::from(bytes).saturating_mul(sweep.blocks.into());
			if held == 0 {
				continue;
			}
			for node in holders.into_iter().flatten() {
				Held::<T>::mutate(node, |sum| {
					*sum = Some(sum.unwrap_or(0).saturating_add(held));
				});
			}
		}
		sweep.group = (end < groups).then_some(end);
		Sweeping::<T>::put(sweep);
		T::WeightInfo::sweep(end - first)
	}
}
