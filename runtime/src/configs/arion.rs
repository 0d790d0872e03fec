//! The storage network: who its nodes are, the cluster map, placement, audits.

use super::{
	governance::dynamic_params::{audits, ledger, registry},
	money::{RepairFundAccount, TreasuryAccount},
};
use crate::*;
use frame_support::{
	dispatch::DispatchClass,
	migrations::MultiStepMigrator,
	parameter_types,
	traits::{tokens::imbalance::ResolveTo, ConstU32, ConstU64, Get},
};
use frame_system::{limits::BlockLength, EnsureRoot};
use sp_runtime::transaction_validity::TransactionPriority;

/// Most nodes of one cluster map.
pub type MaxNodes = ConstU32<2_048>;

parameter_types! {
	/// Answers to audits come before what pays, below the reports of validators.
	pub const AnswerPriority: TransactionPriority = TransactionPriority::MAX / 4;
}

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

/// The parent's author's VRF output. BABE keeps it at the end of each block, so that in the hooks at the
/// beginning of the next one it is the parent's.
pub struct AuthorVrf;

impl Get<Option<[u8; 32]>> for AuthorVrf {
	fn get() -> Option<[u8; 32]> {
		pallet_babe::AuthorVrfRandomness::<Runtime>::get()
	}
}

/// Whether answers to audits can get into blocks.
pub struct Congestion;

impl pallet_audits::Congestion for Congestion {
	/// Nine tenths of what ordinary transactions may take of weight or length are taken.
	fn block_is_full() -> bool {
		let class = DispatchClass::Normal;
		let used = *frame_system::BlockWeight::<Runtime>::get().get(class);
		let weights = <Runtime as frame_system::Config>::BlockWeights::get();
		let heavy = weights.get(class).max_total.is_some_and(|most| {
			let most = most.saturating_mul(9) / 10;
			used.any_gt(most)
		});
		let lengths: BlockLength = <Runtime as frame_system::Config>::BlockLength::get();
		let most = lengths.max.get(class) / 10 * 9;
		heavy || System::block_size() > most
	}

	fn is_migrating() -> bool {
		<Migrations as MultiStepMigrator>::ongoing()
	}

	/// The chain's state does not say what is finalised.
	fn finality_lag() -> Option<u32> {
		None
	}
}

impl pallet_audits::Config for Runtime {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Vrf = AuthorVrf;
	type Ledger = PlacementGroups;
	type Weights = ClusterMap;
	type Registry = Registry;
	type Liveness = ();
	type Outcomes = ();
	type Congestion = Congestion;
	type Treasury = ResolveTo<TreasuryAccount, Balances>;
	type ChallengeDeposit = audits::ChallengeDeposit;
	type AnswerPriority = AnswerPriority;
	type AdminOrigin = EnsureRoot<AccountId>;
	type WeightInfo = pallet_audits::weights::SubstrateWeight<Runtime>;
}
