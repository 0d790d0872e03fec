//! What must hold between blocks.

use crate::{
	Config, Earned, EgressSent, EgressTotal, EraPools, OpenEgress, OpenEras, Pallet, StakerEras,
	Sums,
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungible::Inspect};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants, numbered as in the README.
	///
	/// # Invariants
	///
	/// * I2: revenue is miners' and validators' and the treasury's parts, to the last rao.
	/// * I3: miners' parts are what is in pools, in eras, credited, withdrawn and slashed; validators'
	///   and the treasury's parts likewise.
	/// * I4: the account has what the pots say, and what keeps it alive.
	/// * I5: the accounts have what was issued, so nothing was made or lost on the way. That what was issued
	///   stays the same is a matter of two moments, which the tests compare.
	/// * I6: an era pays no more than it has; its paid pages are those marked.
	/// * I7: slashes are what repair, reporters and treasury got.
	/// * Exactly the eras with a pool are open. What was sent adds up to its sum.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let sums = Sums::<T>::get();
		let held = Self::held();
		let add = |parts: &[u128]| {
			parts
				.iter()
				.try_fold(0u128, |sum, part| sum.checked_add(*part))
				.ok_or("more than there can be")
		};
		ensure!(
			add(&[sums.miners, sums.validators, sums.treasury])? == sums.revenue,
			"the split is not the whole"
		);
		ensure!(
			add(&[
				held.pools,
				held.eras,
				held.nodes,
				sums.miners_withdrawn,
				sums.slashed
			])? == sums.miners,
			"miners' parts are not accounted for"
		);
		ensure!(
			add(&[held.stakers, sums.stakers_withdrawn])? == sums.validators,
			"validators' parts are not accounted for"
		);
		ensure!(
			add(&[held.treasury, sums.treasury_paid])?
				== add(&[sums.treasury, sums.slash_treasury])?,
			"the treasury's parts are not accounted for"
		);
		ensure!(
			add(&[sums.slash_repair, sums.slash_reporter, sums.slash_treasury])? == sums.slashed,
			"slashes are not accounted for"
		);
		let liable = add(&[
			held.pools,
			held.eras,
			held.nodes,
			held.stakers,
			held.treasury,
			T::Currency::minimum_balance(),
		])?;
		ensure!(
			T::Currency::balance(&Self::account()) >= liable,
			"the account has less than the pots say"
		);
		let all = frame_system::Account::<T>::iter_keys()
			.map(|account| T::Currency::total_balance(&account))
			.try_fold(0u128, |sum, part| sum.checked_add(part))
			.ok_or("more than there can be")?;
		ensure!(
			all == T::Currency::total_issuance(),
			"the accounts do not have what was issued"
		);
		Self::try_state_eras()
	}

	fn try_state_eras() -> Result<(), TryRuntimeError> {
		let open = OpenEras::<T>::get();
		for (pool, era, frozen) in EraPools::<T>::iter() {
			ensure!(open.contains(&(pool, era)), "an era that is not open");
			ensure!(frozen.paid <= frozen.amount, "an era pays more than it has");
			let done: u32 = frozen.done.iter().map(|word| word.count_ones()).sum();
			ensure!(
				done.saturating_add(frozen.left) == frozen.pages && frozen.left > 0,
				"pages miscounted"
			);
		}
		ensure!(
			EraPools::<T>::iter_keys().count() == open.len(),
			"an open era without a pool"
		);
		for era in StakerEras::<T>::iter_values() {
			ensure!(era.paid <= era.amount, "an era of validators pays too much");
		}
		for earned in Earned::<T>::iter_values() {
			ensure!(
				earned.accrued > 0 || earned.withheld > 0,
				"earnings of nothing"
			);
		}
		let mut sent = BTreeMap::new();
		for ((service, period), _, bytes) in EgressSent::<T>::iter() {
			if period == OpenEgress::<T>::get(service) {
				let sum: &mut u128 = sent.entry(service).or_default();
				*sum = sum.saturating_add(bytes);
			}
		}
		for (service, sum) in EgressTotal::<T>::iter() {
			ensure!(
				sent.get(&service).copied().unwrap_or(0) == sum,
				"what was sent does not add up"
			);
		}
		Ok(())
	}
}
