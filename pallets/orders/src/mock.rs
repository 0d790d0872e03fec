#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_orders;
use crate::{Event, Request, Spec, State};
use frame_support::{
	derive_impl, parameter_types,
	traits::{Hooks, Randomness},
	weights::Weight,
};
use hippius_primitives::{
	money::Service,
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{
		Liveness, LivenessState, NodeRegistry, NodeScores, StorageOwners, UsageMeter, UsageRefused,
	},
	NodeIndex, NodeKey,
};
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};
use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet},
};

pub(crate) type AccountId = AccountId32;
type Block = frame_system::mocking::MockBlock<Test>;
type Hash = <Test as frame_system::Config>::Hash;

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
	pub type OrdersPallet = pallet_orders;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
}

pub(crate) const ACCEPT: u32 = 10;
pub(crate) const ERA: u32 = 100;
pub(crate) const MAX_TERM: u32 = 5_000;

parameter_types! {
	pub static MaxOrders: u32 = 40;
}

impl crate::Config for Test {
	type Usage = World;
	type UsageWeight = ();
	type Owners = World;
	type Registry = World;
	type Liveness = World;
	type Scores = World;
	type Randomness = World;
	type AcceptBlocks = frame_support::traits::ConstU32<ACCEPT>;
	type MinTerm = frame_support::traits::ConstU32<5>;
	type MaxTerm = frame_support::traits::ConstU32<MAX_TERM>;
	type MaxOrders = MaxOrders;
	type EraBlocks = frame_support::traits::ConstU32<ERA>;
	type PerBlock = frame_support::traits::ConstU32<4>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = World;
}

/// What the other pallets would say, for tests to set by hand.
#[derive(Default)]
pub(crate) struct Facts {
	pub(crate) nodes: BTreeMap<NodeIndex, (AccountId, NodeStatus)>,
	pub(crate) liveness: BTreeMap<NodeIndex, LivenessState>,
	pub(crate) scores: BTreeMap<NodeIndex, u32>,
	pub(crate) used: BTreeMap<[u8; 32], u64>,
	pub(crate) broke: BTreeSet<[u8; 32]>,
	pub(crate) expired: BTreeSet<[u8; 32]>,
	/// Bytes that nodes registered; a terabyte where nothing is said.
	pub(crate) registered: BTreeMap<NodeIndex, u64>,
	/// How many blocks ago the lot could be known.
	pub(crate) known_before: u64,
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

impl UsageMeter for World {
	fn add(_: Service, owner: &[u8; 32], by: &[u8; 32], units: u64) -> Result<(), UsageRefused> {
		Self::can_add(Service::Compute, owner, by, units)?;
		Self::change(|facts| *facts.used.entry(*owner).or_default() += units);
		Ok(())
	}
	fn can_add(
		_: Service,
		owner: &[u8; 32],
		by: &[u8; 32],
		units: u64,
	) -> Result<(), UsageRefused> {
		assert_eq!(owner, by);
		Self::change(|facts| {
			let used = facts.used.get(owner).copied().unwrap_or(0);
			match used.checked_add(units) {
				_ if facts.expired.contains(owner) => Err(UsageRefused::Locked),
				_ if facts.broke.contains(owner) => Err(UsageRefused::NoFunds),
				None => Err(UsageRefused::TooMuch),
				Some(_) => Ok(()),
			}
		})
	}
	fn remove(_: Service, owner: &[u8; 32], units: u64) {
		Self::change(|facts| {
			let used = facts.used.get_mut(owner).unwrap();
			*used = used.checked_sub(units).unwrap();
		});
	}
}

impl StorageOwners for World {
	fn expired(owner: &[u8; 32]) -> bool {
		Self::change(|facts| facts.expired.contains(owner))
	}
}

impl NodeRegistry for World {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		let (family, status) = Self::change(|facts| facts.nodes.get(&index).cloned())?;
		let registered = Self::change(|facts| facts.registered.get(&index).copied());
		Some(NodeRecord {
			index,
			key: NodeKey([1; 32]),
			next_key: None,
			family: family.into(),
			params: NodeParams {
				zone: 0,
				host: Vec::new(),
				capacity: registered.unwrap_or(1 << 40),
				addresses: Vec::new(),
			},
			status,
		})
	}
	fn nodes_from(_: NodeIndex, _: u32) -> Vec<NodeRecord> {
		Vec::new()
	}
	fn revision() -> u64 {
		0
	}
}

impl Liveness for World {
	fn liveness(node: NodeIndex) -> LivenessState {
		let known = Self::change(|facts| facts.liveness.get(&node).copied());
		known.unwrap_or(LivenessState::Up)
	}
	fn uptime(_: NodeIndex) -> Option<(u32, u32)> {
		None
	}
}

impl NodeScores for World {
	fn score(node: NodeIndex) -> Option<u32> {
		Self::change(|facts| facts.scores.get(&node).copied())
	}
}

impl Randomness<Hash, u64> for World {
	fn random(subject: &[u8]) -> (Hash, u64) {
		let now = System::block_number();
		let seed = codec::Encode::encode(&(subject, now));
		let known = now.saturating_sub(Self::change(|facts| facts.known_before));
		(sp_io::hashing::blake2_256(&seed).into(), known)
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<AccountId> for World {
	fn register(nodes: u32) -> AccountId {
		Self::change(|facts| {
			facts.nodes = (0..nodes)
				.map(|node| (node, (account(9), NodeStatus::Active)))
				.collect();
		});
		account(9)
	}
	fn fund(_: &AccountId) {}
	fn draw() {}
	fn fail(node: NodeIndex) {
		Self::change(|facts| facts.nodes.remove(&node));
	}
}

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

pub(crate) fn signed(seed: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(seed))
}

/// The family of a node: 100 and its number.
pub(crate) fn family(node: NodeIndex) -> RuntimeOrigin {
	signed(100 + node as u8)
}

/// Registers a node with an offer of so many units.
pub(crate) fn node(node: NodeIndex, capacity: u64) {
	World::change(|facts| {
		let family = account(100 + node as u8);
		facts.nodes.insert(node, (family, NodeStatus::Active));
	});
	OrdersPallet::offer(family(node), node, Service::Compute, capacity).unwrap();
}

pub(crate) fn wanted(units: u64) -> Request {
	Request {
		service: Service::Compute,
		spec: Spec::truncate_from(b"debian-13".to_vec()),
		units,
		idle_units: units.div_ceil(4),
		term: 1_000,
	}
}

/// Orders for user 1; gives the number.
pub(crate) fn order(units: u64) -> u64 {
	let id = crate::NextOrder::<Test>::get();
	OrdersPallet::request(signed(1), wanted(units)).unwrap();
	id
}

/// Blocks pass, each with room.
pub(crate) fn pass(blocks: u32) {
	for _ in 0..blocks {
		let now = System::block_number() + 1;
		System::set_block_number(now);
		OrdersPallet::on_initialize(now);
		OrdersPallet::on_idle(now, Weight::MAX);
	}
}

pub(crate) fn now() -> u32 {
	System::block_number() as u32
}

pub(crate) fn state(id: u64) -> Option<State> {
	crate::Orders::<Test>::get(id).map(|order| order.state)
}

pub(crate) fn taken(node: NodeIndex) -> u64 {
	let offer = crate::OfferOf::<Test>::get(Service::Compute, node);
	offer.unwrap().taken
}

pub(crate) fn ended(id: u64) -> Option<crate::Ended> {
	events().into_iter().find_map(|event| match event {
		Event::Ended { id: of, why, .. } if of == id => Some(why),
		_ => None,
	})
}

/// All nodes that are known fail, or are well again.
pub(crate) fn outage(down: bool) {
	let state = match down {
		true => LivenessState::Down { since: 0 },
		false => LivenessState::Up,
	};
	World::change(|facts| {
		facts.liveness = facts.nodes.keys().map(|node| (*node, state)).collect();
	});
}

/// So many orders of user 1 that node 0 serves.
pub(crate) fn served_by_zero(orders: u32) -> Vec<u64> {
	MaxOrders::set(u32::MAX);
	let ids = (0..orders).map(|_| {
		let id = order(1);
		pass(1);
		OrdersPallet::accept(family(0), id).unwrap();
		id
	});
	ids.collect()
}

/// Who was given an order accepts it.
pub(crate) fn accept_all() {
	let all: Vec<(u64, State)> = crate::Orders::<Test>::iter()
		.map(|(id, order)| (id, order.state))
		.collect();
	for (id, state) in all {
		if let State::Assigned { node, .. } = state {
			OrdersPallet::accept(family(node), id).unwrap();
		}
	}
}

pub(crate) fn holder(id: u64) -> NodeIndex {
	state(id).unwrap().node().unwrap()
}

pub(crate) fn used(user: u8) -> u64 {
	World::change(|facts| facts.used.get(&[user; 32]).copied().unwrap_or(0))
}

pub(crate) fn new_ext() -> sp_io::TestExternalities {
	let storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	let mut ext = sp_io::TestExternalities::new(storage);
	ext.execute_with(|| {
		System::set_block_number(1);
		World::change(|facts| *facts = Facts::default());
		MaxOrders::set(40);
	});
	ext
}

/// What is metered is what the active orders say; and the pallet's own invariants.
pub(crate) fn check() {
	OrdersPallet::do_try_state().unwrap();
	let mut metered = BTreeMap::<[u8; 32], u64>::new();
	for order in crate::Orders::<Test>::iter_values() {
		*metered.entry(order.owner.clone().into()).or_default() += order.metered();
	}
	World::change(|facts| {
		for (owner, units) in &facts.used {
			assert_eq!(metered.get(owner).copied().unwrap_or(0), *units);
		}
	});
}

pub(crate) fn run(test: impl FnOnce()) {
	new_ext().execute_with(|| {
		test();
		check();
	});
}

pub(crate) fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::OrdersPallet(event) => Some(event),
			_ => None,
		})
		.collect()
}
