//! The storage network: who its nodes are, the cluster map, placement, ledgers, audits, who is there, what
//! they are worth.

use super::{
	governance::dynamic_params::{audits, ledger, registry},
	money::{RepairFundAccount, TreasuryAccount},
	staking::MaxActiveValidators,
};
use crate::*;
use alloc::vec::Vec;
use arion_storage_proof::PgLedger;
use frame_support::{
	dispatch::DispatchClass,
	migrations::MultiStepMigrator,
	parameter_types,
	traits::{tokens::imbalance::ResolveTo, ConstU32, ConstU64, Get},
};
use frame_system::{limits::BlockLength, EnsureRoot};
use hippius_primitives::{
	registration::NodeStatus,
	traits::{Backing, GroupHoldings, NodeBacking},
	NodeIndex, Pg, TOTAL_SHARDS,
};
use pallet_im_online::sr25519::AuthorityId as CollectorId;
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
	type Earnings = Rewards;
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
	type Scores = Ranking;
	type Liveness = Heartbeats;
	type AdminOrigin = EnsureRoot<AccountId>;
	type MaxNodes = MaxNodes;
	type MaxMapLen = ConstU32<131_072>;
	type MaxExceptions = ConstU32<1_024>;
	type MaxExceptionGroups = ConstU32<256>;
	type WeightInfo = pallet_cluster_map::weights::SubstrateWeight<Runtime>;
}

impl pallet_placement_groups::Config for Runtime {
	type Maps = ClusterMap;
	type Registry = Registry;
	type Owners = Marketplace;
	type Usage = Marketplace;
	type UsageWeight = super::economy::UsageWeight;
	type SnapshotPeriod = ledger::SnapshotPeriod;
	type BackfillPeriod = ledger::BackfillPeriod;
	type RecentEpochs = ConstU32<4>;
	type KeptEpochs = ConstU32<{ pallet_cluster_map::KEPT_EPOCHS }>;
	type WeightInfo = pallet_placement_groups::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
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
	type Liveness = Heartbeats;
	type Outcomes = Ranking;
	type Congestion = Congestion;
	type Treasury = ResolveTo<TreasuryAccount, Balances>;
	type ChallengeDeposit = audits::ChallengeDeposit;
	type AnswerPriority = AnswerPriority;
	type AdminOrigin = EnsureRoot<AccountId>;
	type WeightInfo = pallet_audits::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
}

/// Collectors sign with the keys that validators are held to be online by: one key for one duty.
pub struct CollectorKeys;

impl Get<Vec<CollectorId>> for CollectorKeys {
	fn get() -> Vec<CollectorId> {
		pallet_im_online::Keys::<Runtime>::get().into_inner()
	}
}

impl pallet_heartbeats::Config for Runtime {
	type CollectorId = CollectorId;
	type Collectors = CollectorKeys;
	type MaxCollectors = MaxActiveValidators;
	type Registry = Registry;
	type Randomness = pallet_babe::RandomnessFromOneEpochAgo<Runtime>;
	type PagesPerBlock = ConstU32<4>;
	// Below the validators' own heartbeats, above everything that pays.
	type Priority = ConstU64<{ TransactionPriority::MAX / 4 }>;
	type WeightInfo = pallet_heartbeats::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
}

/// The registry's stakes.
pub struct Stakes;

impl NodeBacking for Stakes {
	fn backing(node: NodeIndex, bytes: u64) -> Option<Backing> {
		let info = pallet_registry::Nodes::<Runtime>::get(node)?;
		Some(Backing {
			stake: info.stake,
			required: pallet_registry::stake_for(bytes, registry::StakePerTerabyte::get()),
			jailed: info.status == NodeStatus::Jailed,
		})
	}
}

/// What the ledgers say, by placement group.
pub struct Holdings;

impl GroupHoldings for Holdings {
	fn groups() -> u32 {
		pallet_cluster_map::Placement::<Runtime>::get().map_or(0, |placement| placement.pg_num)
	}

	fn holdings(pg: Pg) -> Option<(u64, Vec<Option<NodeIndex>>)> {
		let bytes = PlacementGroups::live_bytes(pg);
		if bytes == 0 {
			return None;
		}
		let slots: Vec<_> = (0..TOTAL_SHARDS as u8).map(|slot| (pg, slot)).collect();
		Some((bytes, PlacementGroups::holders(&slots)))
	}
}

impl pallet_ranking::Config for Runtime {
	type Registry = Registry;
	type Liveness = Heartbeats;
	type Backing = Stakes;
	type Holdings = Holdings;
	type GroupsPerBlock = ConstU32<4>;
	// Two weeks of eras of four hours.
	type KeptEras = ConstU32<84>;
	type WeightInfo = pallet_ranking::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
}
