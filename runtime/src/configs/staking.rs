//! Validators and their nominators.
//!
//! Staking elects and slashes; it never mints. Validators and stakers are paid from what users are
//! charged, by a pallet of our own.

use super::{
	consensus::SessionsPerEra, governance::EnsureRootOrThreeQuartersCouncil, money::TreasuryAccount,
};
use crate::*;
use frame_election_provider_support::{
	bounds::{ElectionBounds, ElectionBoundsBuilder},
	onchain, SequentialPhragmen,
};
use frame_support::{
	parameter_types,
	traits::{tokens::imbalance::ResolveTo, ConstBool, ConstU32, Nothing},
};
use sp_runtime::Perbill;
use sp_staking::{currency_to_vote::U128CurrencyToVote, EraIndex};

/// Most validators at a time.
pub type MaxActiveValidators = ConstU32<100>;
/// Most nominators behind one validator.
pub type MaxBackersPerWinner = ConstU32<1_000>;

parameter_types! {
	/// Eras until unbonded stake is free.
	pub const BondingDuration: EraIndex = 28;
	/// Eras in which a slash can be cancelled before it is applied.
	pub const SlashDeferDuration: EraIndex = 7;
	/// What an election looks at, at most.
	pub Bounds: ElectionBounds = ElectionBoundsBuilder::default()
		.voters_count(2_000.into())
		.targets_count(200.into())
		.build();
}

/// The election that runs inside a block.
pub struct OnChainPhragmen;

impl onchain::Config for OnChainPhragmen {
	type Sort = ConstBool<true>;
	type System = Runtime;
	type Solver = SequentialPhragmen<AccountId, Perbill>;
	type MaxBackersPerWinner = MaxBackersPerWinner;
	type MaxWinnersPerPage = MaxActiveValidators;
	type DataProvider = Staking;
	type WeightInfo = frame_election_provider_support::weights::SubstrateWeight<Runtime>;
	type Bounds = Bounds;
}

/// Sizes of the staking benchmarks.
pub struct StakingBenchmarks;

impl pallet_staking::BenchmarkingConfig for StakingBenchmarks {
	type MaxValidators = ConstU32<100>;
	type MaxNominators = ConstU32<1_000>;
}

impl pallet_staking::Config for Runtime {
	type OldCurrency = Balances;
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type CurrencyBalance = Balance;
	type UnixTime = Timestamp;
	type CurrencyToVote = U128CurrencyToVote;
	type ElectionProvider = onchain::OnChainExecution<OnChainPhragmen>;
	type GenesisElectionProvider = Self::ElectionProvider;
	type NominationsQuota = pallet_staking::FixedNominationsQuota<16>;
	type HistoryDepth = ConstU32<84>;
	type RewardRemainder = ();
	type RuntimeEvent = RuntimeEvent;
	type Slash = ResolveTo<TreasuryAccount, Balances>;
	type Reward = ();
	type SessionsPerEra = SessionsPerEra;
	type BondingDuration = BondingDuration;
	type SlashDeferDuration = SlashDeferDuration;
	type AdminOrigin = EnsureRootOrThreeQuartersCouncil;
	type SessionInterface = Self;
	type EraPayout = ();
	type NextNewSession = Session;
	type MaxExposurePageSize = ConstU32<64>;
	type MaxValidatorSet = MaxActiveValidators;
	type VoterList = pallet_staking::UseNominatorsAndValidatorsMap<Self>;
	type TargetList = pallet_staking::UseValidatorsMap<Self>;
	type MaxUnlockingChunks = ConstU32<32>;
	type MaxControllersInDeprecationBatch = ConstU32<100>;
	type EventListeners = ();
	type Filter = Nothing;
	type BenchmarkingConfig = StakingBenchmarks;
	type WeightInfo = pallet_staking::weights::SubstrateWeight<Runtime>;
}
