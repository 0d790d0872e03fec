//! What is done to a node that fails its audits: slash, jail, release, evict.

use crate::{BalanceOf, Config, Event, HoldReason, Nodes, Pallet};
use frame_support::traits::{
	fungible::{Balanced, BalancedHold, Credit},
	Get, Imbalance, OnUnbalanced,
};
use hippius_primitives::{
	registration::NodeStatus,
	traits::{NodeEarnings, NodePenalties, Standing},
	NodeIndex,
};
use sp_runtime::traits::{Saturating, UniqueSaturatedFrom, UniqueSaturatedInto, Zero};

/// Parts of a slash, in percent; the treasury has the rest.
const REPAIR_PERCENT: u32 = 50;
const REPORTER_PERCENT: u32 = 20;
/// Shares are given in millionths.
const PPM: u128 = 1_000_000;

type CreditOf<T> = Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;

/// `percent` of `amount`, rounded down.
fn part<B: UniqueSaturatedInto<u128> + UniqueSaturatedFrom<u128>>(amount: B, percent: u32) -> B {
	let amount: u128 = amount.unique_saturated_into();
	// Hundreds and rest apart, so that nothing overflows.
	let whole = (amount / 100).saturating_mul(percent.into());
	let rest = (amount % 100).saturating_mul(percent.into()) / 100;
	B::unique_saturated_from(whole.saturating_add(rest))
}

impl<T: Config> Pallet<T> {
	/// What a node of `capacity` must put up today.
	fn required(capacity: u64) -> BalanceOf<T> {
		T::RegistrationDeposit::get().saturating_add(Self::stake_of(capacity))
	}

	/// See [`NodePenalties::slash`].
	pub fn do_slash(
		node: NodeIndex,
		share_ppm: u32,
		reporter: Option<T::AccountId>,
	) -> BalanceOf<T> {
		let Some(mut info) = Nodes::<T>::get(node) else {
			return Zero::zero();
		};
		let required: u128 = Self::required(info.capacity).unique_saturated_into();
		let share = u128::from(share_ppm).min(PPM);
		let due = (required / PPM)
			.saturating_mul(share)
			.saturating_add((required % PPM).saturating_mul(share) / PPM);
		// What it earned first: withheld, then accrued.
		let by = reporter.as_ref().map(|reporter| reporter.clone().into());
		let earned = T::Earnings::slash(node, due, by).min(due);
		let due = BalanceOf::<T>::unique_saturated_from(due - earned);
		let earned = BalanceOf::<T>::unique_saturated_from(earned);
		// Stake first: the deposit is what keeps a node of no stake from costing nothing.
		let mut taken = CreditOf::<T>::zero();
		for (reason, held) in [
			(HoldReason::CapacityStake, &mut info.stake),
			(HoldReason::RegistrationDeposit, &mut info.deposit),
		] {
			let amount = due.saturating_sub(taken.peek()).min(*held);
			if amount.is_zero() {
				continue;
			}
			let (credit, _) = T::Currency::slash(&reason.into(), &info.family, amount);
			*held = held.saturating_sub(credit.peek());
			taken = taken.merge(credit);
		}
		let amount = taken.peek();
		if amount.is_zero() {
			return earned;
		}
		Nodes::<T>::insert(node, info);
		Self::distribute(taken, reporter.as_ref());
		Self::deposit_event(Event::NodeSlashed {
			node,
			amount,
			reporter,
		});
		amount.saturating_add(earned)
	}

	/// Half for repair, a fifth for the reporter, the rest for the treasury.
	fn distribute(taken: CreditOf<T>, reporter: Option<&T::AccountId>) {
		let whole = taken.peek();
		let (repair, rest) = taken.split(part(whole, REPAIR_PERCENT));
		let (reward, mut treasury) = rest.split(part(whole, REPORTER_PERCENT));
		T::RepairFund::on_unbalanced(repair);
		match reporter {
			// An account that cannot be paid, because so little would not keep it alive, gets nothing.
			Some(reporter) => {
				if let Err(unpaid) = T::Currency::resolve(reporter, reward) {
					treasury = treasury.merge(unpaid);
				}
			}
			None => treasury = treasury.merge(reward),
		}
		T::Treasury::on_unbalanced(treasury);
	}

	fn change_status(node: NodeIndex, from: &[NodeStatus], to: NodeStatus) -> bool {
		let Some(mut info) = Nodes::<T>::get(node) else {
			return false;
		};
		if !from.contains(&info.status) {
			return false;
		}
		info.status = to;
		if to == NodeStatus::Evicted && info.claimable_at.is_none() {
			let now = frame_system::Pallet::<T>::block_number();
			info.claimable_at = Some(now.saturating_add(T::UnbondingPeriod::get()));
		}
		let claimable = info.claimable_at;
		Nodes::<T>::insert(node, info);
		Self::bump_revision();
		Self::deposit_event(match (to, claimable) {
			(NodeStatus::Jailed, _) => Event::NodeJailed { node },
			(NodeStatus::Evicted, Some(claimable)) => Event::NodeEvicted { node, claimable },
			_ => Event::NodeReleased { node },
		});
		true
	}
}

impl<T: Config> NodePenalties for Pallet<T> {
	fn slash(node: NodeIndex, share_ppm: u32, reporter: Option<[u8; 32]>) -> u128 {
		Self::do_slash(node, share_ppm, reporter.map(T::AccountId::from)).unique_saturated_into()
	}

	fn jail(node: NodeIndex) -> bool {
		Self::change_status(node, &[NodeStatus::Active], NodeStatus::Jailed)
	}

	fn release(node: NodeIndex) -> bool {
		Self::change_status(node, &[NodeStatus::Jailed], NodeStatus::Active)
	}

	fn evict(node: NodeIndex) -> bool {
		let from = [NodeStatus::Active, NodeStatus::Jailed, NodeStatus::Draining];
		Self::change_status(node, &from, NodeStatus::Evicted)
	}

	fn standing(node: NodeIndex) -> Option<Standing> {
		let info = Nodes::<T>::get(node)?;
		Some(Standing {
			status: info.status,
			held: info
				.deposit
				.saturating_add(info.stake)
				.unique_saturated_into(),
			required: Self::required(info.capacity).unique_saturated_into(),
		})
	}
}
