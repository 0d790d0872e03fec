//! Who decides: a council, root through three quarters of it, and, on test networks, a sudo key.

use super::system_weights;
use crate::*;
use core::marker::PhantomData;
use frame_support::{
	dynamic_params::{dynamic_pallet_params, dynamic_params},
	parameter_types,
	traits::{AsEnsureOriginWithArg, ConstU32, Contains, EitherOfDiverse, Get},
	weights::Weight,
	BoundedVec,
};
use frame_system::EnsureRoot;
use sp_runtime::Perbill;

/// The council's instance of `pallet-collective`.
pub type CouncilCollective = pallet_collective::Instance1;

/// Root, or at least half of the council.
pub type EnsureRootOrHalfCouncil = EitherOfDiverse<
	EnsureRoot<AccountId>,
	pallet_collective::EnsureProportionAtLeast<AccountId, CouncilCollective, 1, 2>,
>;
/// Root, or at least two thirds of the council.
pub type EnsureRootOrTwoThirdsCouncil = EitherOfDiverse<
	EnsureRoot<AccountId>,
	pallet_collective::EnsureProportionAtLeast<AccountId, CouncilCollective, 2, 3>,
>;
/// Root, or at least three quarters of the council.
pub type EnsureRootOrThreeQuartersCouncil = EitherOfDiverse<
	EnsureRoot<AccountId>,
	pallet_collective::EnsureProportionAtLeast<AccountId, CouncilCollective, 3, 4>,
>;

parameter_types! {
	pub MaxProposalWeight: Weight = Perbill::from_percent(50) * system_weights().max_block;
}

impl pallet_collective::Config<CouncilCollective> for Runtime {
	type RuntimeOrigin = RuntimeOrigin;
	type Proposal = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type MotionDuration = ConstU32<{ 5 * units::DAYS }>;
	type MaxProposals = ConstU32<100>;
	type MaxMembers = ConstU32<100>;
	type DefaultVote = pallet_collective::PrimeDefaultVote;
	type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
	type SetMembersOrigin = EnsureRoot<AccountId>;
	type MaxProposalWeight = MaxProposalWeight;
	type DisapproveOrigin = EnsureRoot<AccountId>;
	type KillOrigin = EnsureRoot<AccountId>;
	type Consideration = ();
}

impl root_motion::Config for Runtime {
	type RuntimeCall = RuntimeCall;
	type DispatchOrigin =
		pallet_collective::EnsureProportionAtLeast<AccountId, CouncilCollective, 3, 4>;
}

impl pallet_sudo::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

/// Calls that must never be paused: without them the chain stops, loses its validators, or can no
/// longer be unpaused.
pub struct NeverPaused;

impl Contains<pallet_tx_pause::RuntimeCallNameOf<Runtime>> for NeverPaused {
	fn contains((pallet, call): &pallet_tx_pause::RuntimeCallNameOf<Runtime>) -> bool {
		// Who is kept from answering must not be punished for it.
		let is_answer = pallet.as_slice() == b"Audits" && call.as_slice() == b"answer";
		is_answer
			|| matches!(
				pallet.as_slice(),
				b"System"
					| b"Timestamp" | b"Babe"
					| b"Grandpa" | b"ImOnline"
					| b"Session" | b"Council"
					| b"RootMotion" | b"Sudo"
					| b"TxPause"
			)
	}
}

impl pallet_tx_pause::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type PauseOrigin = EnsureRootOrTwoThirdsCouncil;
	type UnpauseOrigin = EnsureRootOrHalfCouncil;
	type WhitelistedCalls = NeverPaused;
	type MaxNameLen = ConstU32<256>;
	type WeightInfo = pallet_tx_pause::weights::SubstrateWeight<Runtime>;
}

/// What root or the council may tune without a runtime upgrade.
#[dynamic_params(RuntimeParameters, pallet_parameters::Parameters::<Runtime>)]
pub mod dynamic_params {
	use super::*;

	/// What it costs to keep something in the chain's state.
	#[dynamic_pallet_params]
	#[codec(index = 0)]
	pub mod storage_price {
		/// Rao per entry.
		#[codec(index = 0)]
		pub static PerItem: Balance = 10 * units::MILLI_ALPHA;
		/// Rao per byte.
		#[codec(index = 1)]
		pub static PerByte: Balance = 100 * units::MICRO_ALPHA;
	}

	/// What a node's operator puts up, and how long it stays.
	#[dynamic_pallet_params]
	#[codec(index = 1)]
	pub mod registry {
		/// Rao held per registered node.
		#[codec(index = 0)]
		pub static Deposit: Balance = 10 * units::ALPHA;
		/// Rao held per committed terabyte.
		#[codec(index = 1)]
		pub static StakePerTerabyte: Balance = 100 * units::ALPHA;
		/// Blocks in which a node's old and new key are both valid.
		#[codec(index = 2)]
		pub static KeyOverlap: BlockNumber = units::DAYS;
		/// Blocks from the start of an exit until deposit and stake are free.
		#[codec(index = 3)]
		pub static UnbondingPeriod: BlockNumber = 28 * units::DAYS;
	}

	/// When what was stored must be proved.
	#[dynamic_pallet_params]
	#[codec(index = 2)]
	pub mod ledger {
		/// Blocks from one snapshot of the ledgers to the next.
		#[codec(index = 0)]
		pub static SnapshotPeriod: BlockNumber = units::HOURS;
		/// Blocks a node has to fill a slot before it is asked for its bytes.
		#[codec(index = 1)]
		pub static BackfillPeriod: BlockNumber = 6 * units::HOURS;
	}

	/// Audits.
	#[dynamic_pallet_params]
	#[codec(index = 4)]
	pub mod audits {
		/// Rao held for a challenge: about twice what an answer of 2.5 KB would pay in fees.
		#[codec(index = 0)]
		pub static ChallengeDeposit: Balance = 5 * units::MILLI_ALPHA;
	}

	/// Credits.
	#[dynamic_pallet_params]
	#[codec(index = 5)]
	pub mod market {
		/// The accounts that tell the price of alpha, besides root.
		#[codec(index = 0)]
		pub static Oracles: BoundedVec<AccountId, ConstU32<4>> = BoundedVec::new();
	}

	/// Orders of services.
	#[dynamic_pallet_params]
	#[codec(index = 6)]
	pub mod orders {
		/// Blocks a node has to accept an order.
		#[codec(index = 0)]
		pub static AcceptBlocks: BlockNumber = 5 * units::MINUTES;
		/// Most orders of one account at one time.
		#[codec(index = 1)]
		pub static MaxOrders: u32 = 100;
	}
}

/// Most that [`ItemDeposit`] asks, whatever the council sets: pallets multiply it by counts, unchecked.
const MAX_ITEM_DEPOSIT: Balance = 1_000_000_000 * units::ALPHA;

/// The deposit for `ITEMS` entries with `BYTES` bytes in the chain's state.
pub struct ItemDeposit<const ITEMS: u32, const BYTES: u32>(PhantomData<()>);

impl<const ITEMS: u32, const BYTES: u32> Get<Balance> for ItemDeposit<ITEMS, BYTES> {
	fn get() -> Balance {
		use dynamic_params::storage_price::{PerByte, PerItem};
		let items = Balance::from(ITEMS).saturating_mul(PerItem::get());
		let bytes = Balance::from(BYTES).saturating_mul(PerByte::get());
		items.saturating_add(bytes).min(MAX_ITEM_DEPOSIT)
	}
}

/// Sets, at genesis, the parameters that a short-lived network wants shorter.
pub struct Tuning;

impl network::GenesisTuning<BlockNumber> for Tuning {
	fn set(name: network::Tunable, value: BlockNumber) -> sp_runtime::DispatchResult {
		use dynamic_params::{
			ledger::{self, BackfillPeriod, SnapshotPeriod},
			registry::{self, KeyOverlap, UnbondingPeriod},
		};
		use network::Tunable;
		use RuntimeParameters::{Ledger, Registry};
		let parameter = match name {
			Tunable::KeyOverlap => {
				Registry(registry::Parameters::KeyOverlap(KeyOverlap, Some(value)))
			}
			Tunable::UnbondingPeriod => Registry(registry::Parameters::UnbondingPeriod(
				UnbondingPeriod,
				Some(value),
			)),
			Tunable::SnapshotPeriod => Ledger(ledger::Parameters::SnapshotPeriod(
				SnapshotPeriod,
				Some(value),
			)),
			Tunable::BackfillPeriod => Ledger(ledger::Parameters::BackfillPeriod(
				BackfillPeriod,
				Some(value),
			)),
		};
		crate::Parameters::set_parameter(RuntimeOrigin::root(), parameter)
	}
}

impl pallet_parameters::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeParameters = RuntimeParameters;
	type AdminOrigin = AsEnsureOriginWithArg<EnsureRootOrTwoThirdsCouncil>;
	type WeightInfo = ();
}
