#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_registry;
use ed25519_dalek::{Signer, SigningKey};
use frame_support::{derive_impl, parameter_types, traits::tokens::imbalance::ResolveTo};
use hippius_primitives::{
	registration::{registration_payload, rotation_payload, KeyProof, NodeParams},
	traits::NodeEarnings,
	traits::Zones,
	NodeAddress, NodeIndex, NodeKey,
};
use sp_core::H256;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};

pub(crate) type AccountId = AccountId32;
type Block = frame_system::mocking::MockBlock<Test>;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeHoldReason,
		RuntimeFreezeReason,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(2)]
	pub type Registry = pallet_registry;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<u64>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
}

parameter_types! {
	pub static Deposit: u64 = 100;
	pub static StakePerTerabyte: u64 = 1_000;
	pub static MaxNodes: u32 = 40;
	pub static MaxNodesPerFamily: u32 = 4;
	pub RepairAccount: AccountId = account(90);
	pub TreasuryAccount: AccountId = account(91);
}

/// Zones 0 to 5.
pub struct SixZones;
impl Zones for SixZones {
	fn exists(zone: u8) -> bool {
		zone < 6
	}
}

pub(crate) const MIN_CAPACITY: u64 = 1_000_000_000;
pub(crate) const MAX_CAPACITY: u64 = 100_000_000_000_000;
pub(crate) const PROOF_LIFETIME: u32 = 50;
pub(crate) const OVERLAP: u64 = 10;
pub(crate) const UNBONDING: u64 = 20;

parameter_types! {
	/// What can still be taken of what nodes earned.
	pub static EarnedLeft: u128 = 0;
}

/// Takes of what nodes earned.
pub struct EarnedOf;
impl NodeEarnings for EarnedOf {
	fn slash(_: NodeIndex, rao: u128, _: Option<[u8; 32]>) -> u128 {
		let taken = rao.min(EarnedLeft::get());
		EarnedLeft::mutate(|left| *left -= taken);
		taken
	}
}

impl crate::Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Zones = SixZones;
	type Earnings = EarnedOf;
	type RepairFund = ResolveTo<RepairAccount, Balances>;
	type Treasury = ResolveTo<TreasuryAccount, Balances>;
	type RegistrationDeposit = Deposit;
	type StakePerTerabyte = StakePerTerabyte;
	type MinCapacity = frame_support::traits::ConstU64<MIN_CAPACITY>;
	type MaxCapacity = frame_support::traits::ConstU64<MAX_CAPACITY>;
	type MaxNodes = MaxNodes;
	type MaxNodesPerFamily = MaxNodesPerFamily;
	type MaxProofLifetime = frame_support::traits::ConstU64<{ PROOF_LIFETIME as u64 }>;
	type KeyOverlap = frame_support::traits::ConstU64<OVERLAP>;
	type UnbondingPeriod = frame_support::traits::ConstU64<UNBONDING>;
	type WeightInfo = ();
}

pub(crate) const GENESIS: [u8; 32] = [7; 32];
pub(crate) const TERABYTE: u64 = 1_000_000_000_000;

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

pub(crate) fn signer(seed: u8) -> SigningKey {
	SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn key(seed: u8) -> NodeKey {
	NodeKey(signer(seed).verifying_key().to_bytes())
}

pub(crate) fn params() -> NodeParams {
	NodeParams {
		zone: 1,
		host: b"rack-1".to_vec(),
		capacity: 2 * TERABYTE,
		addresses: vec![NodeAddress::V4 {
			ip: [127, 0, 0, 1],
			port: 4000,
		}],
	}
}

/// The proof of node key `seed` for `family`, good at the current block.
pub(crate) fn proof(family: &AccountId, seed: u8, params: &NodeParams, sequence: u32) -> KeyProof {
	let valid_until = System::block_number() as u32 + PROOF_LIFETIME;
	let payload = registration_payload(
		&GENESIS,
		&family.clone().into(),
		&key(seed),
		params,
		sequence,
		valid_until,
	);
	let signature = signer(seed).sign(&payload).to_bytes();
	KeyProof {
		genesis: GENESIS,
		sequence,
		valid_until,
		signature,
	}
}

/// The proof of the new key `seed` for a node of `family`.
pub(crate) fn rotation(family: &AccountId, node: NodeIndex, seed: u8, sequence: u32) -> KeyProof {
	let valid_until = System::block_number() as u32 + PROOF_LIFETIME;
	let payload = rotation_payload(
		&GENESIS,
		&family.clone().into(),
		node,
		&key(seed),
		sequence,
		valid_until,
	);
	let signature = signer(seed).sign(&payload).to_bytes();
	KeyProof {
		genesis: GENESIS,
		sequence,
		valid_until,
		signature,
	}
}

/// Registers the node with key `seed` for `family`; gives its number.
pub(crate) fn register(family: &AccountId, seed: u8) -> NodeIndex {
	let node = crate::NextNodeIndex::<Test>::get();
	let sequence = crate::ProofSequence::<Test>::get(key(seed));
	let params = params();
	let proof = proof(family, seed, &params, sequence);
	frame_support::assert_ok!(Registry::register_node(
		RuntimeOrigin::signed(family.clone()),
		key(seed),
		params,
		proof
	));
	node
}

/// Families 1, 2 and 3 are rich, 4 is poor.
#[derive(Default)]
pub(crate) struct ExtBuilder {
	without_genesis_hash: bool,
}

impl ExtBuilder {
	/// The state before block 1 has noted the genesis hash.
	pub(crate) fn without_genesis_hash(mut self) -> Self {
		self.without_genesis_hash = true;
		self
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		let mut storage = frame_system::GenesisConfig::<Test>::default()
			.build_storage()
			.unwrap();
		let rich = [1, 2, 3].map(|seed| (account(seed), 1_000_000));
		let balances = rich.into_iter().chain([(account(4), 2_000)]).collect();
		pallet_balances::GenesisConfig::<Test> {
			balances,
			..Default::default()
		}
		.assimilate_storage(&mut storage)
		.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			if self.without_genesis_hash {
				frame_system::BlockHash::<Test>::remove(0);
			} else {
				frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
			}
			test();
			Registry::do_try_state().unwrap();
		});
	}
}

pub(crate) fn last_event() -> RuntimeEvent {
	System::events().pop().unwrap().event
}
