//! Authoring, finality, sessions and the punishment of those who break the rules.

use super::staking::{BondingDuration, MaxActiveValidators, MaxBackersPerWinner};
use crate::*;
use frame_support::{
	parameter_types,
	traits::{ConstU32, ConstU64, Get},
};
use pallet_session::{disabling::UpToLimitWithReEnablingDisablingStrategy, historical};
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_runtime::{traits::ConvertInto, transaction_validity::TransactionPriority};
use sp_staking::SessionIndex;

/// A quarter of the slots has a primary author on average; every slot has a secondary one, whose
/// VRF output still feeds the randomness.
pub const BABE_GENESIS_EPOCH_CONFIG: BabeEpochConfiguration = BabeEpochConfiguration {
	c: (1, 4),
	allowed_slots: AllowedSlots::PrimaryAndSecondaryVRFSlots,
};

/// Slots of an epoch, from genesis.
pub struct EpochDuration;

impl Get<u64> for EpochDuration {
	fn get() -> u64 {
		network::SlotsPerEpoch::<Runtime>::get()
	}
}

/// Sessions of an era, from genesis.
pub struct SessionsPerEra;

impl Get<SessionIndex> for SessionsPerEra {
	fn get() -> SessionIndex {
		network::SessionsPerEra::<Runtime>::get()
	}
}

/// Sessions within which stake can still be slashed.
pub struct SlashableSessions;

impl Get<u64> for SlashableSessions {
	fn get() -> u64 {
		u64::from(BondingDuration::get()).saturating_mul(u64::from(SessionsPerEra::get()))
	}
}

/// Blocks within which an equivocation can be reported: as long as the stake is bonded.
pub struct ReportLongevity;

impl Get<u64> for ReportLongevity {
	fn get() -> u64 {
		SlashableSessions::get().saturating_mul(EpochDuration::get())
	}
}

impl pallet_babe::Config for Runtime {
	type EpochDuration = EpochDuration;
	type ExpectedBlockTime = ConstU64<{ units::SLOT_MILLIS }>;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type DisabledValidators = Session;
	type WeightInfo = ();
	type MaxAuthorities = MaxActiveValidators;
	type MaxNominators = MaxBackersPerWinner;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_grandpa::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
	type MaxAuthorities = MaxActiveValidators;
	type MaxNominators = MaxBackersPerWinner;
	type MaxSetIdSessionEntries = SlashableSessions;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_authorship::Config for Runtime {
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
	type EventHandler = (Staking, ImOnline);
}

impl pallet_session::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = Babe;
	type NextSessionRotation = Babe;
	type SessionManager = historical::NoteHistoricalRoot<Self, Staking>;
	type SessionHandler = <SessionKeys as sp_runtime::traits::OpaqueKeys>::KeyTypeIdProviders;
	type Keys = SessionKeys;
	type DisablingStrategy = UpToLimitWithReEnablingDisablingStrategy;
	type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
	type Currency = Balances;
	type KeyDeposit = ();
}

impl historical::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = ();
	type FullIdentificationOf = pallet_staking::UnitIdentificationOf<Self>;
}

impl pallet_offences::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type IdentificationTuple = historical::IdentificationTuple<Self>;
	type OnOffenceHandler = Staking;
}

impl pallet_authority_discovery::Config for Runtime {
	type MaxAuthorities = MaxActiveValidators;
}

parameter_types! {
	pub const ImOnlinePriority: TransactionPriority = TransactionPriority::MAX / 2;
}

impl pallet_im_online::Config for Runtime {
	type AuthorityId = pallet_im_online::sr25519::AuthorityId;
	type MaxKeys = MaxActiveValidators;
	type MaxPeerInHeartbeats = ConstU32<1_000>;
	type RuntimeEvent = RuntimeEvent;
	type ValidatorSet = Historical;
	type NextSessionRotation = Babe;
	type ReportUnresponsiveness = Offences;
	type UnsignedPriority = ImOnlinePriority;
	type WeightInfo = pallet_im_online::weights::SubstrateWeight<Runtime>;
}
