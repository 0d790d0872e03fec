//! What must hold between blocks.

use crate::{
	types::PaymentState, Accounts, Config, Keys, NextBatch, Pallet, Payments, Prices, RevokedKeys,
};
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{ensure, traits::fungible::Inspect};
use hippius_economy::{index::GB_HOUR, Funding};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * I1: escrow has what is behind all live batches and what of payments is pending, and what
	///   keeps it alive (I4). It may have more: anyone can give it something.
	/// * No batch is empty; batch numbers were given out; none is twice.
	/// * What subscriptions prepaid is among the credits, and is what is locked.
	/// * A payment has pending alpha only while it is frozen, never more than was paid for it with what
	///   is left of its batch; an account lists exactly its frozen payments.
	/// * Prices ascend by block, and each index is where the one before leads to.
	/// * No key is both the payment service's and revoked.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let behind = Self::try_state_accounts()?;
		let pending = Self::try_state_payments()?;
		let liable = behind
			.checked_add(pending)
			.and_then(|sum| sum.checked_add(T::Currency::minimum_balance()))
			.ok_or("more alpha than there can be")?;
		ensure!(
			T::Currency::balance(&Self::escrow()) >= liable,
			"escrow has less than what credits are backed with"
		);
		for (pool, points) in Prices::<T>::iter() {
			let _ = pool;
			for (a, b) in points.iter().zip(points.iter().skip(1)) {
				ensure!(a.block < b.block, "prices out of order");
				ensure!(b.index == a.at(b.block), "an index that jumps");
			}
		}
		ensure!(
			!Keys::<T>::get().iter().any(RevokedKeys::<T>::contains_key),
			"a revoked key is in force"
		);
		Ok(())
	}

	/// Checks the accounts; gives the alpha behind their credits.
	fn try_state_accounts() -> Result<u128, TryRuntimeError> {
		let mut behind = 0u128;
		let mut ids = BTreeSet::new();
		for (who, account) in Accounts::<T>::iter() {
			ensure!(
				!account.is_empty() || account.minted.1 > 0,
				"an account of nothing"
			);
			for batch in &account.batches {
				ensure!(batch.credits > 0, "an empty batch");
				ensure!(
					batch.id < NextBatch::<T>::get() && ids.insert(batch.id),
					"a batch number that was not given out, or twice"
				);
				behind = behind
					.checked_add(batch.alpha)
					.ok_or("more alpha than there can be")?;
			}
			ensure!(
				account.locked <= account.credits(),
				"prepaid, but not there"
			);
			let mut unused = 0u128;
			let mut services = BTreeSet::new();
			for running in &account.subscriptions {
				unused = unused.saturating_add(running.unused());
				ensure!(
					services.insert(running.plan.service),
					"two plans for one service"
				);
			}
			ensure!(unused == account.locked, "locked is not what is prepaid");
			let mut pools = BTreeSet::new();
			for line in &account.lines {
				ensure!(pools.insert(line.pool), "two lines of one pool");
				ensure!(line.meter.rest < GB_HOUR, "a rest that makes a credit");
			}
			for payment in &account.frozen {
				ensure!(
					Payments::<T>::get(payment).is_some_and(|payment| {
						payment.state == PaymentState::Frozen && payment.user == who
					}),
					"a payment listed that is not frozen"
				);
			}
		}
		Ok(behind)
	}

	/// Checks the payments; gives what of them is pending.
	fn try_state_payments() -> Result<u128, TryRuntimeError> {
		let mut left = BTreeMap::<[u8; 32], u128>::new();
		let mut listed = BTreeSet::new();
		for account in Accounts::<T>::iter_values() {
			listed.extend(account.frozen.iter().copied());
			for batch in &account.batches {
				if let Funding::Fiat { payment, .. } = batch.funding {
					let sum = left.entry(payment).or_default();
					*sum = sum.saturating_add(batch.alpha);
				}
			}
		}
		let mut all = 0u128;
		for (id, payment) in Payments::<T>::iter() {
			let pending = payment.pending_total();
			let unspent = left.get(&id).copied().unwrap_or(0);
			ensure!(
				pending.saturating_add(unspent) <= payment.alpha,
				"a payment paid for more than it brought"
			);
			ensure!(
				pending == 0 || payment.state == PaymentState::Frozen,
				"pending alpha of a payment that is not frozen"
			);
			ensure!(
				(payment.state == PaymentState::Frozen) == listed.contains(&id),
				"a frozen payment that no account lists"
			);
			ensure!(
				payment.state != PaymentState::Reversed || unspent == 0,
				"credits of a reversed payment"
			);
			all = all
				.checked_add(pending)
				.ok_or("more alpha than there can be")?;
		}
		Ok(all)
	}
}
