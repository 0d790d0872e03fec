//! The storage network: who its nodes are, the cluster map, placement.

use super::{
	governance::dynamic_params::{ledger, registry},
	money::{RepairFundAccount, TreasuryAccount},
};
use crate::*;
use frame_support::traits::{tokens::imbalance::ResolveTo, ConstU32, ConstU64};
use frame_system::EnsureRoot;

/// Most nodes of one cluster map.
pub type MaxNodes = ConstU32<2_048>;

impl pallet_registry::Config for Runtime {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Zones = ClusterMap;
	type RepairFund = ResolveTo<RepairFundAccount, Balances>;
	type Treasury = ResolveTo<TreasuryAccount, Balances>;
	type RegistrationDeposit = registry::Deposit;
	type StakePerTerabyte = registry::StakePerTerabyte;
	type MinCapacity = ConstU64<{ 1 << 30 }>;
	type MaxCapacity = ConstU64<{ 1 << 50 }>;
	type MaxNodes = MaxNodes;
	type MaxNodesPerFamily = ConstU32<256>;
	type MaxProofLifetime = ConstU32<{ 2 * units::HOURS }>;
	type KeyOverlap = registry::KeyOverlap;
	type UnbondingPeriod = registry::UnbondingPeriod;
	type WeightInfo = pallet_registry::weights::SubstrateWeight<Runtime>;
}

impl pallet_cluster_map::Config for Runtime {
	type Registry = Registry;
	type Scores = ();
	type Liveness = ();
	type AdminOrigin = EnsureRoot<AccountId>;
	type MaxNodes = MaxNodes;
	type MaxMapLen = ConstU32<131_072>;
	type WeightInfo = pallet_cluster_map::weights::SubstrateWeight<Runtime>;
}

impl pallet_placement_groups::Config for Runtime {
	type Maps = ClusterMap;
	type Registry = Registry;
	type Owners = ();
	type SnapshotPeriod = ledger::SnapshotPeriod;
	type BackfillPeriod = ledger::BackfillPeriod;
	type RecentEpochs = ConstU32<4>;
	type KeptEpochs = ConstU32<{ pallet_cluster_map::KEPT_EPOCHS }>;
	type WeightInfo = pallet_placement_groups::weights::SubstrateWeight<Runtime>;
}
