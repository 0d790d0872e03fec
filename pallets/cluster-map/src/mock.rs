#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_cluster_map;
use crate::PlacementConfig;
use arion_crush::{ClusterMap, FailureDomain};
use frame_support::{derive_impl, parameter_types, traits::Hooks, weights::Weight};
use frame_system::EnsureRoot;
use hippius_primitives::{
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{Liveness, LivenessState, NodeRegistry, NodeScores},
	NodeAddress, NodeIndex, NodeKey,
};
use sp_core::H256;
use sp_runtime::BuildStorage;
use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet},
};

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
	pub type Maps = pallet_cluster_map;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
}

parameter_types! {
	pub static MaxNodes: u32 = 1_000;
	pub static MaxMapLen: u32 = 64 * 1024;
	pub static MaxExceptions: u32 = 64;
	pub static MaxExceptionGroups: u32 = 16;
}

impl crate::Config for Test {
	type Registry = Nodes;
	type Scores = Doctor;
	type Liveness = Doctor;
	type AdminOrigin = EnsureRoot<u64>;
	type MaxNodes = MaxNodes;
	type MaxMapLen = MaxMapLen;
	type MaxExceptions = MaxExceptions;
	type MaxExceptionGroups = MaxExceptionGroups;
	type WeightInfo = ();
}

thread_local! {
	static NODES: RefCell<(BTreeMap<NodeIndex, NodeRecord>, u64)> = RefCell::default();
}

/// A registry that tests fill by hand.
pub struct Nodes;

impl Nodes {
	pub(crate) fn change(change: impl FnOnce(&mut BTreeMap<NodeIndex, NodeRecord>)) {
		NODES.with_borrow_mut(|(nodes, revision)| {
			change(nodes);
			*revision += 1;
		});
	}

	pub(crate) fn insert(record: NodeRecord) {
		Self::change(|nodes| {
			nodes.insert(record.index, record);
		});
	}

	pub(crate) fn drain(index: NodeIndex) {
		Self::change(|nodes| nodes.get_mut(&index).unwrap().status = NodeStatus::Draining);
	}

	pub(crate) fn remove(index: NodeIndex) {
		Self::change(|nodes| {
			nodes.remove(&index).unwrap();
		});
	}
}

impl NodeRegistry for Nodes {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		NODES.with_borrow(|(nodes, _)| nodes.get(&index).cloned())
	}

	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		NODES.with_borrow(|(nodes, _)| {
			nodes
				.range(from..)
				.take(limit as usize)
				.map(|(_, node)| node.clone())
				.collect()
		})
	}

	fn revision() -> u64 {
		NODES.with_borrow(|(_, revision)| *revision)
	}
}

/// Scores and liveness that tests set by hand; without, nodes are not scored.
#[derive(Default)]
pub struct Doctor {
	pub(crate) scores: Option<BTreeMap<NodeIndex, u32>>,
	pub(crate) outs: BTreeSet<NodeIndex>,
	revision: u64,
}

thread_local! {
	static DOCTOR: RefCell<Doctor> = RefCell::default();
}

impl Doctor {
	pub(crate) fn change(change: impl FnOnce(&mut Self)) {
		DOCTOR.with_borrow_mut(|doctor| {
			change(doctor);
			doctor.revision += 1;
		});
	}

	/// Gives the nodes 0 to 29 this score.
	pub(crate) fn score_all(score: u32) {
		Self::change(|doctor| doctor.scores = Some((0..30).map(|node| (node, score)).collect()));
	}

	pub(crate) fn score_of(node: NodeIndex, score: u32) {
		Self::change(|doctor| {
			doctor.scores.get_or_insert_default().insert(node, score);
		});
	}
}

impl NodeScores for Doctor {
	fn score(node: NodeIndex) -> Option<u32> {
		DOCTOR.with_borrow(|doctor| doctor.scores.as_ref()?.get(&node).copied())
	}

	fn revision() -> u64 {
		DOCTOR.with_borrow(|doctor| doctor.revision)
	}
}

impl Liveness for Doctor {
	fn liveness(_: NodeIndex) -> LivenessState {
		LivenessState::Unknown
	}

	fn uptime(_: NodeIndex) -> Option<(u32, u32)> {
		None
	}

	fn is_out(node: NodeIndex) -> bool {
		DOCTOR.with_borrow(|doctor| doctor.outs.contains(&node))
	}

	fn out_revision() -> u64 {
		DOCTOR.with_borrow(|doctor| doctor.revision)
	}
}

pub(crate) const GENESIS: [u8; 32] = [7; 32];
pub(crate) const EPOCH_BLOCKS: u64 = 10;

/// A node of 1 TiB on a host of its own.
pub(crate) fn node(index: NodeIndex, zone: u8, family: u8) -> NodeRecord {
	NodeRecord {
		index,
		family: [family; 32],
		key: NodeKey([index as u8; 32]),
		next_key: None,
		params: NodeParams {
			zone,
			host: format!("host-{index}").into_bytes(),
			capacity: 1 << 40,
			addresses: vec![NodeAddress::V4 {
				ip: [127, 0, 0, 1],
				port: 4000,
			}],
		},
		status: NodeStatus::Active,
	}
}

/// The local network: 30 nodes of 10 families, 5 in each zone, a family's three in different zones.
pub(crate) fn thirty_nodes() {
	for index in 0..30 {
		Nodes::insert(node(index, (index % 6) as u8, (index / 3) as u8));
	}
}

pub(crate) struct ExtBuilder {
	placement: PlacementConfig,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self {
			placement: PlacementConfig {
				failure_domain: FailureDomain::Host,
				pg_num: 64,
				epoch_blocks: EPOCH_BLOCKS as u32,
				growth_blocks: 4 * EPOCH_BLOCKS as u32,
				..Default::default()
			},
		}
	}
}

impl ExtBuilder {
	pub(crate) fn family_domains(mut self) -> Self {
		self.placement.failure_domain = FailureDomain::Family;
		self
	}

	pub(crate) fn build(self) -> sp_io::TestExternalities {
		NODES.with_borrow_mut(|state| *state = Default::default());
		DOCTOR.with_borrow_mut(|doctor| *doctor = Default::default());
		let mut storage = frame_system::GenesisConfig::<Test>::default()
			.build_storage()
			.unwrap();
		crate::GenesisConfig::<Test>::new(self.placement)
			.assimilate_storage(&mut storage)
			.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
		});
		ext
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Maps::do_try_state().unwrap();
		});
	}
}

/// Goes to the next block at which an epoch is due; gives the hook's weight.
pub(crate) fn next_epoch() -> Weight {
	let next = (System::block_number() / EPOCH_BLOCKS + 1) * EPOCH_BLOCKS;
	System::set_block_number(next);
	Maps::on_initialize(next)
}

/// The map in force.
pub(crate) fn current() -> ClusterMap {
	ClusterMap::decode_checked(&Maps::map(None).unwrap()).unwrap()
}

pub(crate) fn indexes(map: &ClusterMap) -> Vec<NodeIndex> {
	let mut indexes: Vec<_> = map.nodes().map(|node| node.index).collect();
	indexes.sort_unstable();
	indexes
}

pub(crate) fn last_event() -> crate::Event<Test> {
	match System::events().pop().unwrap().event {
		RuntimeEvent::Maps(event) => event,
		other => panic!("an event of another pallet: {other:?}"),
	}
}
