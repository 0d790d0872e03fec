#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_rewards;
use frame_support::{derive_impl, parameter_types, PalletId};
use hippius_primitives::{
	money::{Pool, Service},
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{
		NodePenalties, NodeRegistry, PayWeights, RevenueSink, Staker, Standing, ValidatorEra,
		ValidatorStakes,
	},
	NodeIndex, NodeKey,
};
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};
use std::{cell::RefCell, collections::BTreeMap};

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
	pub static WithheldPpm: u32 = 500_000;
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

impl crate::Config for Test {
	type Currency = Balances;
	type Weights = World;
	type Registry = World;
	type Penalties = World;
	type Stakes = World;
	type RepairAccount = RepairAccount;
	type TreasuryAccount = TreasuryAccount;
	type WithheldPpm = WithheldPpm;
	type PalletId = RewardsId;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = World;
}

/// A validator in an era, with who stakes with it, page by page.
pub(crate) type Validating = (ValidatorEra, Vec<Vec<Staker<AccountId>>>);

/// What the other pallets would say, for tests to set by hand.
#[derive(Default)]
pub(crate) struct Facts {
	/// Families of nodes.
	pub(crate) nodes: BTreeMap<NodeIndex, AccountId>,
	/// What is bonded and must be; else as much as must be.
	pub(crate) bonds: BTreeMap<NodeIndex, (u128, u128)>,
	/// Weights by era.
	pub(crate) eras: BTreeMap<(Service, u32), BTreeMap<NodeIndex, u128>>,
	/// Validators by era.
	pub(crate) staking: BTreeMap<u32, BTreeMap<AccountId, Validating>>,
}

thread_local! {
	static FACTS: RefCell<Facts> = RefCell::default();
}

pub struct World;

impl World {
	pub(crate) fn change<R>(change: impl FnOnce(&mut Facts) -> R) -> R {
		FACTS.with_borrow_mut(change)
	}

	/// Registers nodes, each of its own family.
	pub(crate) fn nodes(count: u32) {
		Self::change(|facts| {
			facts.nodes = (0..count).map(|node| (node, family(node))).collect();
		});
	}

	/// Fixes the weights of an era.
	pub(crate) fn era(service: Service, era: u32, weights: impl IntoIterator<Item = (u32, u128)>) {
		Self::change(|facts| {
			facts
				.eras
				.insert((service, era), weights.into_iter().collect());
		});
	}
}

impl NodeRegistry for World {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		let family = Self::change(|facts| facts.nodes.get(&index).cloned())?;
		Some(NodeRecord {
			index,
			key: NodeKey([1; 32]),
			next_key: None,
			family: family.into(),
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
		let nodes: Vec<NodeIndex> = Self::change(|facts| {
			let range = facts.nodes.range(from..).take(limit as usize);
			range.map(|(node, _)| *node).collect()
		});
		nodes.into_iter().filter_map(Self::node).collect()
	}
	fn revision() -> u64 {
		0
	}
	fn end() -> NodeIndex {
		Self::change(|facts| facts.nodes.keys().last().map_or(0, |last| last + 1))
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
		Self::change(|facts| {
			facts.nodes.get(&node)?;
			let (held, required) = facts.bonds.get(&node).copied().unwrap_or((100, 100));
			Some(Standing {
				status: NodeStatus::Active,
				held,
				required,
			})
		})
	}
}

impl PayWeights for World {
	fn settled(service: Service) -> Option<u32> {
		Self::change(|facts| {
			let eras = facts.eras.keys().filter(|(of, _)| *of == service);
			eras.map(|(_, era)| *era).max()
		})
	}
	fn total(service: Service, era: u32) -> Option<u128> {
		Self::change(|facts| Some(facts.eras.get(&(service, era))?.values().sum()))
	}
	fn page(service: Service, era: u32, page: u32) -> Vec<(NodeIndex, u128)> {
		Self::change(|facts| {
			let Some(weights) = facts.eras.get(&(service, era)) else {
				return Vec::new();
			};
			let page = weights.range(page * 128..(page + 1) * 128);
			page.map(|(node, weight)| (*node, *weight)).collect()
		})
	}
}

impl ValidatorStakes<AccountId> for World {
	fn ended() -> Option<u32> {
		Self::change(|facts| facts.staking.keys().last().copied())
	}
	fn points(era: u32) -> Option<u32> {
		Self::change(|facts| {
			let era = facts.staking.get(&era)?;
			Some(era.values().map(|(how, _)| how.points).sum())
		})
	}
	fn validator(era: u32, who: &AccountId) -> Option<ValidatorEra> {
		Self::change(|facts| Some(facts.staking.get(&era)?.get(who)?.0))
	}
	fn stakers(era: u32, who: &AccountId, page: u32) -> Vec<Staker<AccountId>> {
		Self::change(|facts| {
			let pages = facts.staking.get(&era).and_then(|era| era.get(who));
			pages
				.and_then(|(_, pages)| pages.get(page as usize).cloned())
				.unwrap_or_default()
		})
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<AccountId> for World {
	fn settle(service: Service, era: u32, nodes: u32) {
		Self::nodes(nodes);
		Self::era(service, era, (0..nodes).map(|node| (node, 1 << 100)));
		Self::change(|facts| {
			facts.bonds = (0..nodes).map(|node| (node, (1, 1 << 60))).collect();
		});
	}
	fn forget(service: Service, era: u32) {
		Self::change(|facts| facts.eras.remove(&(service, era)));
	}
	fn family(node: NodeIndex) -> AccountId {
		family(node)
	}
	fn validate(era: u32, validator: &AccountId, stakers: u32) {
		let page = (0..stakers).map(|staker| Staker {
			who: family(staker),
			stake: 1,
		});
		let how = ValidatorEra {
			points: 20,
			commission_ppb: 1,
			own: 1,
			total: u128::from(stakers) + 1,
			pages: 1,
		};
		Self::change(|facts| {
			let validators = facts.staking.entry(era).or_default();
			validators.insert(validator.clone(), (how, vec![page.collect()]));
		});
	}
	fn forget_staking(era: u32) {
		Self::change(|facts| facts.staking.remove(&era));
	}
}

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

pub(crate) fn family(node: NodeIndex) -> AccountId {
	let mut bytes = [200; 32];
	bytes[..4].copy_from_slice(&node.to_le_bytes());
	AccountId::new(bytes)
}

/// Who pays charges.
pub(crate) fn payer() -> AccountId {
	account(1)
}

pub(crate) const ARION: Pool = Service::Arion.held();

pub(crate) fn charge(pool: Pool, rao: u128) {
	<Rewards as RevenueSink<AccountId>>::charge(&payer(), pool, rao).unwrap();
}

pub(crate) fn signed(seed: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(seed))
}

/// Three quarters of what can be counted.
pub(crate) const RICH: u128 = 3 << 126;

pub(crate) fn new_ext() -> sp_io::TestExternalities {
	let mut storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	pallet_balances::GenesisConfig::<Test> {
		balances: vec![(payer(), RICH), (account(91), LEAST), (account(90), LEAST)],
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	crate::GenesisConfig::<Test>::default()
		.assimilate_storage(&mut storage)
		.unwrap();
	let mut ext = sp_io::TestExternalities::new(storage);
	ext.execute_with(|| {
		System::set_block_number(1);
		World::change(|facts| *facts = Facts::default());
	});
	ext
}

pub(crate) fn run(test: impl FnOnce()) {
	new_ext().execute_with(|| {
		let issued = Balances::total_issuance();
		test();
		assert_eq!(Balances::total_issuance(), issued, "I5");
		Rewards::do_try_state().unwrap();
	});
}
