#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_marketplace;
use crate::{Account, Accounts, KeySignatures, Status, Terms};
use ed25519_dalek::{Signer, SigningKey};
use frame_support::{derive_impl, parameter_types, traits::UnixTime, PalletId};
use frame_system::EnsureRoot;
use hippius_economy::index::whole;
use hippius_primitives::{
	money::{chargeback_payload, Pool, Service, Source, Voucher},
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{
		ClusterMaps, NodePenalties, NodeRegistry, PayWeights, Staker, Standing, UsageMeter,
		ValidatorEra, ValidatorStakes,
	},
	Epoch, NodeIndex, NodeKey,
};
use sp_core::H256;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};
use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

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
	pub type Rewards = pallet_rewards;
	#[runtime::pallet_index(3)]
	pub type Market = pallet_marketplace;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<u128>;
}

pub(crate) const LEAST: u128 = 500;

parameter_types! {
	pub const ExistentialDeposit: u128 = LEAST;
	pub RepairAccount: AccountId = account(90);
	pub TreasuryAccount: AccountId = account(91);
	pub const RewardsId: PalletId = PalletId(*b"hip/rewd");
	pub const MarketId: PalletId = PalletId(*b"hip/mrkt");
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type Balance = u128;
	type ExistentialDeposit = ExistentialDeposit;
	// As in the runtime: nothing is burned.
	type DustRemoval =
		frame_support::traits::tokens::imbalance::ResolveTo<TreasuryAccount, Balances>;
}

impl pallet_rewards::Config for Test {
	type Currency = Balances;
	type Weights = World;
	type Registry = World;
	type Penalties = World;
	type Stakes = World;
	type RepairAccount = RepairAccount;
	type TreasuryAccount = TreasuryAccount;
	type WithheldPpm = frame_support::traits::ConstU32<500_000>;
	type PalletId = RewardsId;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = World;
}

impl crate::Config for Test {
	type Currency = Balances;
	type Revenue = Rewards;
	type Egress = Rewards;
	type Maps = World;
	type Time = World;
	type AdminOrigin = EnsureRoot<AccountId>;
	type OracleOrigin = frame_system::EnsureSignedBy<Oracles, AccountId>;
	type PalletId = MarketId;
	type SettlePerBlock = frame_support::traits::ConstU32<4>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = World;
}

/// Who tells the price of alpha.
pub struct Oracles;
impl frame_support::traits::SortedMembers<AccountId> for Oracles {
	fn sorted_members() -> Vec<AccountId> {
		vec![account(80)]
	}
}

/// What the other pallets would say, for tests to set by hand.
#[derive(Default)]
pub(crate) struct Facts {
	pub(crate) now_ms: u64,
	pub(crate) epoch: Epoch,
	pub(crate) nodes: u32,
	pub(crate) eras: BTreeMap<u32, u128>,
	/// Nodes that left.
	pub(crate) gone: BTreeSet<NodeIndex>,
	/// The newest era of staking that is over.
	pub(crate) staking: Option<u32>,
}

thread_local! {
	static FACTS: RefCell<Facts> = RefCell::default();
}

pub struct World;

impl World {
	pub(crate) fn change<R>(change: impl FnOnce(&mut Facts) -> R) -> R {
		FACTS.with_borrow_mut(change)
	}
}

impl UnixTime for World {
	fn now() -> Duration {
		Duration::from_millis(Self::change(|facts| facts.now_ms))
	}
}

impl ClusterMaps for World {
	fn current_epoch() -> Epoch {
		Self::change(|facts| facts.epoch)
	}
	fn map_blob(_: Epoch) -> Option<Vec<u8>> {
		None
	}
	fn map_hash(_: Epoch) -> Option<[u8; 32]> {
		None
	}
}

impl NodeRegistry for World {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		let gone = Self::change(|facts| facts.gone.contains(&index));
		(index < Self::end() && !gone).then(|| NodeRecord {
			index,
			key: NodeKey([1; 32]),
			next_key: None,
			family: family(index).into(),
			params: NodeParams {
				zone: 0,
				host: Vec::new(),
				capacity: 1,
				addresses: Vec::new(),
			},
			status: NodeStatus::Active,
		})
	}
	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		(from..from.saturating_add(limit))
			.filter_map(Self::node)
			.collect()
	}
	fn revision() -> u64 {
		0
	}
	fn end() -> NodeIndex {
		Self::change(|facts| facts.nodes)
	}
}

impl NodePenalties for World {
	fn slash(_: NodeIndex, _: u32, _: Option<[u8; 32]>) -> u128 {
		0
	}
	fn jail(_: NodeIndex) -> bool {
		false
	}
	fn release(_: NodeIndex) -> bool {
		false
	}
	fn evict(_: NodeIndex) -> bool {
		false
	}
	fn standing(node: NodeIndex) -> Option<Standing> {
		Self::node(node).map(|_| Standing {
			status: NodeStatus::Active,
			held: 0,
			required: 1_000_000,
		})
	}
}

/// One validator, 40, that has 400 of its own and takes a tenth; 41 stakes 600 with it.
impl ValidatorStakes<AccountId> for World {
	fn ended() -> Option<u32> {
		Self::change(|facts| facts.staking)
	}
	fn points(era: u32) -> Option<u32> {
		(Some(era) <= Self::ended()).then_some(20)
	}
	fn validator(_: u32, who: &AccountId) -> Option<ValidatorEra> {
		(*who == account(40)).then_some(ValidatorEra {
			points: 20,
			commission_ppb: 100_000_000,
			own: 400,
			total: 1_000,
			pages: 1,
		})
	}
	fn stakers(_: u32, _: &AccountId, _: u32) -> Vec<Staker<AccountId>> {
		vec![Staker {
			who: account(41),
			stake: 600,
		}]
	}
}

/// All nodes weigh the same; by era.
impl PayWeights for World {
	fn settled(_: Service) -> Option<u32> {
		Self::change(|facts| facts.eras.keys().last().copied())
	}
	fn total(_: Service, era: u32) -> Option<u128> {
		Self::change(|facts| Some(facts.eras.get(&era)? * u128::from(facts.nodes)))
	}
	fn page(_: Service, era: u32, page: u32) -> Vec<(NodeIndex, u128)> {
		Self::change(|facts| {
			let weight = facts.eras.get(&era).copied().unwrap_or(0);
			(page * 128..((page + 1) * 128).min(facts.nodes))
				.map(|node| (node, weight))
				.collect()
		})
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<AccountId> for World {
	fn at(ms: u64) {
		Self::change(|facts| facts.now_ms = ms);
	}
	fn node() -> NodeIndex {
		Self::change(|facts| facts.nodes = 1);
		0
	}
	fn epoch(epoch: Epoch) {
		Self::change(|facts| facts.epoch = epoch);
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl pallet_rewards::BenchmarkHelper<AccountId> for World {
	fn settle(_: Service, _: u32, _: u32) {}
	fn forget(_: Service, _: u32) {}
	fn family(node: NodeIndex) -> AccountId {
		family(node)
	}
	fn validate(_: u32, _: &AccountId, _: u32) {}
	fn forget_staking(_: u32) {}
}

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

pub(crate) fn family(node: NodeIndex) -> AccountId {
	let mut bytes = [200; 32];
	bytes[..4].copy_from_slice(&node.to_le_bytes());
	AccountId::new(bytes)
}

pub(crate) fn signed(seed: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(seed))
}

pub(crate) const GENESIS: [u8; 32] = [7; 32];
pub(crate) const ALPHA: u128 = 1_000_000_000;
pub(crate) const DOLLAR: u128 = 1_000_000;
pub(crate) const GB: u64 = 1_000_000_000;
pub(crate) const DAY: u32 = 14_400;
pub(crate) const DAY_MS: u64 = 86_400_000;
pub(crate) const HELD: Pool = Service::Arion.held();
pub(crate) const EGRESS: Pool = Service::Arion.egress();
/// Credits per GB-hour, and per GB sent.
pub(crate) const PRICE: u32 = 8;
pub(crate) const EGRESS_PRICE: u32 = 2_000;
/// Credits per alpha.
pub(crate) const ALPHA_PRICE: u128 = 10_000_000;
/// Unix time in ms of the first block.
pub(crate) const START_MS: u64 = 1_000 * DAY_MS;

pub(crate) fn payment_key(seed: u8) -> SigningKey {
	SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> [u8; 32] {
	payment_key(seed).verifying_key().to_bytes()
}

pub(crate) fn sign(payload: &[u8], keys: &[u8]) -> KeySignatures {
	let signed = |seed: &u8| (public(*seed), payment_key(*seed).sign(payload).to_bytes());
	KeySignatures::truncate_from(keys.iter().map(signed).collect())
}

pub(crate) fn voucher(payment: u8, user: u8, credits: u128) -> Voucher {
	Voucher {
		genesis: GENESIS,
		source: Source::Fiat,
		payment: [payment; 32],
		user: [user; 32],
		credits,
		expires: World::change(|facts| facts.now_ms) + DAY_MS,
	}
}

pub(crate) fn redeem(voucher: Voucher) -> sp_runtime::DispatchResult {
	Market::redeem(signed(70), voucher, sign(&voucher.payload(), &[1, 2]))
}

pub(crate) fn chargeback(payment: u8) -> sp_runtime::DispatchResult {
	let payload = chargeback_payload(&GENESIS, &[payment; 32]);
	Market::chargeback(signed(70), [payment; 32], sign(&payload, &[2, 3]))
}

pub(crate) fn deposit(user: u8, rao: u128) -> sp_runtime::DispatchResult {
	Market::deposit(signed(user), rao, 0)
}

/// Time passes, with its blocks; the price of alpha is told every half hour.
pub(crate) fn pass(blocks: u32) {
	let now = System::block_number() + u64::from(blocks);
	System::set_block_number(now);
	World::change(|facts| facts.now_ms += u64::from(blocks) * 6_000);
	let price = crate::AlphaPrice::<Test>::get().unwrap().price;
	let _ = Market::set_alpha_price(signed(80), price);
}

pub(crate) fn now() -> u32 {
	System::block_number() as u32
}

pub(crate) fn credits(user: u8) -> u128 {
	account_of(user).credits()
}

pub(crate) fn account_of(user: u8) -> Account<AccountId> {
	Accounts::<Test>::get(account(user)).unwrap_or_default()
}

pub(crate) fn status(user: u8) -> Status {
	account_of(user).status
}

pub(crate) fn settle(user: u8) {
	frame_support::assert_ok!(Market::settle(signed(70), account(user)));
}

/// The user stores so many bytes more.
pub(crate) fn store(user: u8, bytes: u64) -> Result<(), hippius_primitives::traits::UsageRefused> {
	<Market as UsageMeter>::add(Service::Arion, &[user; 32], &[user; 32], bytes)
}

pub(crate) fn free(who: &AccountId) -> u128 {
	Balances::free_balance(who)
}

/// All alpha that came into this pallet's and the rewards' accounts, beyond what keeps these alive.
pub(crate) fn held() -> u128 {
	free(&Market::escrow()) + free(&Rewards::account()) - 2 * LEAST
}

pub(crate) const RICH: u128 = 1 << 100;

pub(crate) fn new_ext() -> sp_io::TestExternalities {
	let mut storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	let users = (1..10).map(|seed| (account(seed), RICH));
	let float = (Market::float(), 1_000_000 * ALPHA);
	pallet_balances::GenesisConfig::<Test> {
		balances: users.chain([float, (account(91), LEAST)]).collect(),
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	pallet_rewards::GenesisConfig::<Test>::default()
		.assimilate_storage(&mut storage)
		.unwrap();
	World::change(|facts| {
		*facts = Facts {
			now_ms: START_MS,
			epoch: 5,
			nodes: 3,
			..Default::default()
		};
	});
	crate::GenesisConfig::<Test> {
		market: Terms {
			least_credits: 1,
			..Terms::default()
		},
		prices: vec![
			(HELD, whole(PRICE) as u64),
			(EGRESS, whole(EGRESS_PRICE) as u64),
		],
		alpha_price: 0,
		payment_keys: vec![public(1), public(2), public(3)],
		_config: Default::default(),
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	let mut ext = sp_io::TestExternalities::new(storage);
	// Benchmarks sign with it.
	let keystore = sp_keystore::testing::MemoryKeystore::new();
	ext.register_extension(sp_keystore::KeystoreExt::new(keystore));
	ext.execute_with(|| {
		System::set_block_number(1);
		frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
		Market::force_alpha_price(RuntimeOrigin::root(), ALPHA_PRICE).unwrap();
	});
	ext
}

pub(crate) fn check() {
	Market::do_try_state().unwrap();
	Rewards::do_try_state().unwrap();
}

pub(crate) fn run(test: impl FnOnce()) {
	new_ext().execute_with(|| {
		let issued = Balances::total_issuance();
		test();
		assert_eq!(Balances::total_issuance(), issued, "I5");
		check();
	});
}

pub(crate) fn events() -> Vec<crate::Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Market(event) => Some(event),
			_ => None,
		})
		.collect()
}
