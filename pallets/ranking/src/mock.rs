#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_ranking;
use crate::{EraConfig, Event};
use frame_support::{derive_impl, parameter_types, traits::Hooks};
use hippius_primitives::{
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{Backing, GroupHoldings, Liveness, LivenessState, NodeBacking, NodeRegistry},
	NodeIndex, NodeKey, Pg,
};
use sp_runtime::BuildStorage;
use std::{cell::RefCell, collections::BTreeMap};

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
	pub type Ranking = pallet_ranking;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
}

parameter_types! {
	pub static GroupsPerBlock: u32 = 4;
}

pub(crate) const KEPT_ERAS: u32 = 3;

impl crate::Config for Test {
	type Registry = World;
	type Liveness = World;
	type Backing = World;
	type Holdings = World;
	type GroupsPerBlock = GroupsPerBlock;
	type KeptEras = frame_support::traits::ConstU32<KEPT_ERAS>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Helper;
}

/// What the other pallets would say, for tests to set by hand.
#[derive(Default)]
pub(crate) struct Facts {
	pub(crate) nodes: BTreeMap<NodeIndex, Backing>,
	pub(crate) end: NodeIndex,
	pub(crate) uptimes: BTreeMap<NodeIndex, (u32, u32)>,
	/// Bytes of a slot, and who holds the slots.
	pub(crate) groups: Vec<Option<(u64, Vec<Option<NodeIndex>>)>>,
}

thread_local! {
	static FACTS: RefCell<Facts> = RefCell::default();
}

pub struct World;

impl World {
	pub(crate) fn change<R>(change: impl FnOnce(&mut Facts) -> R) -> R {
		FACTS.with_borrow_mut(change)
	}

	pub(crate) fn register(node: NodeIndex) {
		Self::change(|facts| {
			let backing = Backing {
				stake: 100,
				required: 100,
				jailed: false,
			};
			facts.nodes.insert(node, backing);
			facts.end = facts.end.max(node + 1);
		});
	}

	pub(crate) fn remove(node: NodeIndex) {
		Self::change(|facts| facts.nodes.remove(&node).unwrap());
	}

	pub(crate) fn jail(node: NodeIndex, jailed: bool) {
		Self::change(|facts| facts.nodes.get_mut(&node).unwrap().jailed = jailed);
	}
}

impl NodeRegistry for World {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		Self::nodes_from(index, 1)
			.into_iter()
			.find(|node| node.index == index)
	}

	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		let record = |index| NodeRecord {
			index,
			family: [1; 32],
			key: NodeKey([1; 32]),
			next_key: None,
			params: NodeParams {
				zone: 0,
				host: b"host".to_vec(),
				capacity: 1,
				addresses: Vec::new(),
			},
			status: NodeStatus::Active,
		};
		FACTS.with_borrow(|facts| {
			let nodes = facts.nodes.range(from..).take(limit as usize);
			nodes.map(|(index, _)| record(*index)).collect()
		})
	}

	fn revision() -> u64 {
		0
	}

	fn end() -> NodeIndex {
		FACTS.with_borrow(|facts| facts.end)
	}
}

impl Liveness for World {
	fn liveness(_: NodeIndex) -> LivenessState {
		LivenessState::Unknown
	}

	fn uptime(node: NodeIndex) -> Option<(u32, u32)> {
		FACTS.with_borrow(|facts| facts.uptimes.get(&node).copied())
	}
}

impl NodeBacking for World {
	fn backing(node: NodeIndex, _: u64) -> Option<Backing> {
		FACTS.with_borrow(|facts| facts.nodes.get(&node).copied())
	}
}

impl GroupHoldings for World {
	fn groups() -> u32 {
		FACTS.with_borrow(|facts| facts.groups.len() as u32)
	}

	fn holdings(pg: Pg) -> Option<(u64, Vec<Option<NodeIndex>>)> {
		FACTS.with_borrow(|facts| facts.groups.get(pg as usize).cloned().flatten())
	}
}

/// Eras of 20 blocks, days of 50, a sweep every 5 blocks.
pub(crate) const CONFIG: EraConfig = EraConfig {
	era_blocks: 20,
	day_blocks: 50,
	sweep_blocks: 5,
};

/// Runs a test with these nodes.
pub(crate) fn execute(nodes: impl IntoIterator<Item = NodeIndex>, test: impl FnOnce()) {
	World::change(|facts| *facts = Facts::default());
	nodes.into_iter().for_each(World::register);
	GroupsPerBlock::set(4);
	let mut storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	crate::GenesisConfig::<Test> {
		ranking: CONFIG,
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	sp_io::TestExternalities::new(storage).execute_with(|| {
		System::set_block_number(0);
		test();
		Ranking::do_try_state().unwrap();
	});
}

/// Goes on to this block, with all hooks, checking the state after each.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		System::reset_events();
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Ranking::on_initialize(next);
		Ranking::do_try_state().unwrap();
	}
}

/// The pallet's events of the present block.
pub(crate) fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Ranking(event) => Some(event),
			_ => None,
		})
		.collect()
}

/// Sets what the other pallets would say, for benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub struct Helper;

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper for Helper {
	fn register(nodes: u32) {
		(0..nodes).for_each(World::register);
	}

	fn hold(groups: u32) {
		let holders: Vec<_> = (0..30).map(Some).collect();
		World::change(|facts| facts.groups = vec![Some((1, holders)); groups as usize]);
	}
}

/// An empty state.
#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn benchmark_externalities() -> sp_io::TestExternalities {
	World::change(|facts| *facts = Facts::default());
	sp_io::TestExternalities::default()
}
