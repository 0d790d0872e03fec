//! What root sets right again now and then: whatever it set by chance would otherwise stay, and a network
//! that cannot take nodes, or never shows its ledgers, shows nothing more.

use hippius_runtime::{
	dynamic_params::{audits, ledger, market, orders, registry, storage_price},
	*,
};

/// The local network's rules, and parameters that root changed by chance.
pub(crate) fn restored(rules: pallet_audits::Rules) -> RuntimeCall {
	use RuntimeParameters::{Audits as OfAudits, Ledger, Market, Orders as OfOrders, StoragePrice};
	let minute = units::MINUTES;
	let parameters = [
		StoragePrice(storage_price::Parameters::PerItem(
			storage_price::PerItem,
			None,
		)),
		StoragePrice(storage_price::Parameters::PerByte(
			storage_price::PerByte,
			None,
		)),
		RuntimeParameters::Registry(registry::Parameters::Deposit(registry::Deposit, None)),
		RuntimeParameters::Registry(registry::Parameters::StakePerTerabyte(
			registry::StakePerTerabyte,
			None,
		)),
		RuntimeParameters::Registry(registry::Parameters::KeyOverlap(
			registry::KeyOverlap,
			Some(minute),
		)),
		RuntimeParameters::Registry(registry::Parameters::UnbondingPeriod(
			registry::UnbondingPeriod,
			Some(2 * minute),
		)),
		Ledger(ledger::Parameters::SnapshotPeriod(
			ledger::SnapshotPeriod,
			Some(minute / 2),
		)),
		Ledger(ledger::Parameters::BackfillPeriod(
			ledger::BackfillPeriod,
			Some(2 * minute),
		)),
		OfAudits(audits::Parameters::ChallengeDeposit(
			audits::ChallengeDeposit,
			None,
		)),
		Market(market::Parameters::Oracles(market::Oracles, None)),
		OfOrders(orders::Parameters::AcceptBlocks(orders::AcceptBlocks, None)),
		OfOrders(orders::Parameters::MaxOrders(orders::MaxOrders, None)),
	];
	let set = |key_value| pallet_parameters::Call::set_parameter { key_value }.into();
	let mut calls: Vec<RuntimeCall> = parameters.into_iter().map(set).collect();
	// How long randomness is kept can only grow.
	let present = Audits::rules().unwrap();
	let kept_randomness = present.kept_randomness.max(rules.kept_randomness);
	let rules = pallet_audits::Rules {
		kept_randomness,
		..rules
	};
	calls.push(pallet_audits::Call::set_rules { rules }.into());
	pallet_utility::Call::batch { calls }.into()
}
