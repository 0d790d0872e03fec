//! What users pay and order, and what miners, validators and those who stake with them are paid.

use super::{
	governance::dynamic_params::{market, orders},
	money::{RepairFundAccount, TreasuryAccount},
};
use crate::*;
use alloc::vec::Vec;
use frame_support::{
	parameter_types,
	traits::{ConstU32, EnsureOrigin, Get, Randomness},
	weights::Weight,
	PalletId,
};
use frame_system::{EnsureRoot, RawOrigin};
use hippius_primitives::{
	heartbeat::PAGE_NODES,
	money::Service,
	traits::{PayWeights, Staker, ValidatorEra, ValidatorStakes},
	NodeIndex,
};
use pallet_rewards::PAGE;

parameter_types! {
	pub const RewardsPalletId: PalletId = PalletId(*b"hi/rewrd");
	pub const MarketPalletId: PalletId = PalletId(*b"hi/markt");
}

/// Root, or an account that the parameters name as an oracle of alpha's price.
pub struct EnsureOracle;

impl EnsureOrigin<RuntimeOrigin> for EnsureOracle {
	type Success = ();

	fn try_origin(origin: RuntimeOrigin) -> Result<(), RuntimeOrigin> {
		let raw: Result<RawOrigin<AccountId>, RuntimeOrigin> = origin.into();
		match raw? {
			RawOrigin::Root => Ok(()),
			RawOrigin::Signed(who) if market::Oracles::get().contains(&who) => Ok(()),
			other => Err(other.into()),
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn try_successful_origin() -> Result<RuntimeOrigin, ()> {
		Ok(RuntimeOrigin::root())
	}
}

/// What nodes are paid by, service by service: shards by the ranking, all that is ordered by the orders.
pub struct Weights;

/// Pages of payouts in one of the ranking's.
const PARTS: u32 = PAGE_NODES / PAGE;

const _: () = assert!(
	PAGE_NODES.is_multiple_of(PAGE),
	"pages of payouts are parts of the ranking's"
);

impl PayWeights for Weights {
	fn settled(service: Service) -> Option<u32> {
		if service != Service::Arion {
			return Orders::settled(service);
		}
		let newest = pallet_ranking::CurrentEra::<Runtime>::get()
			.index
			.checked_sub(1)?;
		// The newest may still be in the making.
		[Some(newest), newest.checked_sub(1)]
			.into_iter()
			.flatten()
			.find(|era| Self::total(service, *era).is_some())
	}

	fn total(service: Service, era: u32) -> Option<u128> {
		let totals = match service {
			Service::Arion => pallet_ranking::Eras::<Runtime>::get(era),
			Service::S3 | Service::Ipfs | Service::Compute => return Orders::total(service, era),
		};
		totals
			.filter(|totals| totals.complete)
			.map(|totals| totals.weight)
	}

	fn page(service: Service, era: u32, page: u32) -> Vec<(NodeIndex, u128)> {
		if service != Service::Arion {
			return Orders::page(service, era, page);
		}
		let first = page.saturating_mul(PAGE);
		let nodes = first..first.saturating_add(PAGE);
		pallet_ranking::EraPages::<Runtime>::get(era, page / PARTS)
			.into_iter()
			.filter(|entry| nodes.contains(&entry.node))
			.map(|entry| (entry.node, entry.weight))
			.collect()
	}
}

/// Eras of staking.
pub struct StakingEras;

impl ValidatorStakes<AccountId> for StakingEras {
	fn ended() -> Option<u32> {
		pallet_staking::ActiveEra::<Runtime>::get()?
			.index
			.checked_sub(1)
	}

	fn points(era: u32) -> Option<u32> {
		pallet_staking::ErasStartSessionIndex::<Runtime>::get(era)?;
		Some(pallet_staking::ErasRewardPoints::<Runtime>::get(era).total)
	}

	fn validator(era: u32, who: &AccountId) -> Option<ValidatorEra> {
		let exposure = pallet_staking::ErasStakersOverview::<Runtime>::get(era, who)?;
		let points = pallet_staking::ErasRewardPoints::<Runtime>::get(era);
		let prefs = pallet_staking::ErasValidatorPrefs::<Runtime>::get(era, who);
		Some(ValidatorEra {
			points: points.individual.get(who).copied().unwrap_or(0),
			commission_ppb: prefs.commission.deconstruct(),
			own: exposure.own,
			total: exposure.total,
			pages: exposure.page_count,
		})
	}

	fn stakers(era: u32, who: &AccountId, page: u32) -> Vec<Staker<AccountId>> {
		pallet_staking::ErasStakersPaged::<Runtime>::get((era, who, page))
			.map(|page| page.others)
			.unwrap_or_default()
			.into_iter()
			.map(|other| Staker {
				who: other.who,
				stake: other.value,
			})
			.collect()
	}
}

parameter_types! {
	/// Half of what a node earns while its bond is short fills it up.
	pub const WithheldPpm: u32 = 500_000;
}

impl pallet_rewards::Config for Runtime {
	type Currency = Balances;
	type Weights = Weights;
	type Registry = Registry;
	type Penalties = Registry;
	type Stakes = StakingEras;
	type RepairAccount = RepairFundAccount;
	type TreasuryAccount = TreasuryAccount;
	type WithheldPpm = WithheldPpm;
	type PalletId = RewardsPalletId;
	type WeightInfo = pallet_rewards::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
}

impl pallet_marketplace::Config for Runtime {
	type Currency = Balances;
	type Revenue = Rewards;
	type Egress = Rewards;
	type Maps = ClusterMap;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<AccountId>;
	type OracleOrigin = EnsureOracle;
	type PalletId = MarketPalletId;
	type SettlePerBlock = ConstU32<16>;
	type WeightInfo = pallet_marketplace::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
}

/// What charging one owner costs at most.
pub struct UsageWeight;

impl Get<Weight> for UsageWeight {
	fn get() -> Weight {
		use pallet_marketplace::WeightInfo;
		<Runtime as pallet_marketplace::Config>::WeightInfo::settle()
	}
}

/// The audits' randomness: each block's follows from the VRF output of its parent's author, so that who
/// acts in a block does not know what comes two blocks later.
pub struct AuditRandomness;

impl Randomness<Hash, BlockNumber> for AuditRandomness {
	/// The newest, for `subject`, and the block after which it was known to nobody: only what was done
	/// before it was done without knowledge of it.
	fn random(subject: &[u8]) -> (Hash, BlockNumber) {
		let now = System::block_number();
		match pallet_audits::Randomness::<Runtime>::get(now) {
			// The author of the parent knew its output when it made the parent.
			Some(seed) => {
				let hash = sp_io::hashing::blake2_256(&codec::Encode::encode(&(subject, seed)));
				(hash.into(), now.saturating_sub(1))
			}
			// Without an output there is no lot that nobody knew.
			None => (Hash::default(), 0),
		}
	}
}

/// Eras of what is ordered are as long as those of the ranking, which genesis sets for ever.
pub struct OrderEra;

impl Get<u32> for OrderEra {
	fn get() -> u32 {
		pallet_ranking::Settings::<Runtime>::get()
			.unwrap_or_default()
			.era_blocks
	}
}

impl pallet_orders::Config for Runtime {
	type Usage = Marketplace;
	type UsageWeight = UsageWeight;
	type Owners = Marketplace;
	type Registry = Registry;
	type Liveness = Heartbeats;
	type Scores = Ranking;
	type Randomness = AuditRandomness;
	type AcceptBlocks = orders::AcceptBlocks;
	type MinTerm = ConstU32<{ units::MINUTES }>;
	type MaxTerm = ConstU32<{ 366 * units::DAYS }>;
	type MaxOrders = orders::MaxOrders;
	type EraBlocks = OrderEra;
	type PerBlock = ConstU32<8>;
	type WeightInfo = pallet_orders::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = benchmarks::Network;
}
