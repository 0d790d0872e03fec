#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_audits;
use crate::Rules;
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	sample, AuditProof, Blake2, ChunkProof, EntryProof, Mmr, Outboard, Peaks, PgLedger, ShardLen,
	ShardPath, StripeEntry, SumTree,
};
use codec::Encode;
use ed25519_dalek::{Signer, SigningKey};
use frame_support::{
	derive_impl, parameter_types,
	traits::{tokens::imbalance::ResolveTo, Hooks},
};
use frame_system::EnsureRoot;
use hippius_primitives::{
	audit::{Ask, AskedOf},
	id::shard_id,
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{
		AuditOutcomes, Liveness, LivenessState, NodePenalties, NodeRegistry, PlacementWeights,
		Standing,
	},
	tree::stripe_id,
	NodeAddress, NodeIndex, NodeKey, Pg, ShardId, TOTAL_SHARDS,
};
use sp_core::H256;
use sp_runtime::{
	traits::{DispatchTransaction, IdentityLookup},
	AccountId32, BuildStorage,
};
use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet},
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
	pub type Audits = pallet_audits;
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
	pub static Vrf: Option<[u8; 32]> = None;
	pub static BlockFull: bool = false;
	pub static Migrating: bool = false;
	pub static FinalityLag: Option<u32> = None;
	pub static ChallengeDeposit: u64 = 100;
	pub TreasuryAccount: AccountId = account(91);
}

/// What tests say of the chain around the pallet.
pub struct Around;

impl crate::Congestion for Around {
	fn block_is_full() -> bool {
		BlockFull::get()
	}
	fn is_migrating() -> bool {
		Migrating::get()
	}
	fn finality_lag() -> Option<u32> {
		FinalityLag::get()
	}
}

impl crate::Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Vrf = Vrf;
	type Ledger = World;
	type Weights = World;
	type Registry = World;
	type Liveness = World;
	type Outcomes = World;
	type Congestion = Around;
	type Treasury = ResolveTo<TreasuryAccount, Balances>;
	type ChallengeDeposit = ChallengeDeposit;
	type AnswerPriority = frame_support::traits::ConstU64<1_000_000>;
	type AdminOrigin = EnsureRoot<AccountId>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = ();
}

/// A group's stripes with all their bytes.
#[derive(Clone)]
pub struct Group {
	/// Of each batch, of each stripe: its 30 shards.
	pub batches: Vec<Vec<Vec<Vec<u8>>>>,
	pub trees: Vec<SumTree>,
	pub mmr: Mmr,
}

impl Group {
	/// Batches with the given shard lengths.
	pub fn new(seed: u64, batches: &[&[usize]]) -> Self {
		let mut group = Self {
			batches: Vec::new(),
			trees: Vec::new(),
			mmr: Mmr::new(),
		};
		for lens in batches {
			group.append(seed + 1_000 * group.trees.len() as u64, lens);
		}
		group
	}

	pub fn append(&mut self, seed: u64, lens: &[usize]) {
		let (mut stripes, mut entries) = (Vec::new(), Vec::new());
		for (number, len) in lens.iter().enumerate() {
			let shards: Vec<Vec<u8>> = (0..TOTAL_SHARDS as u64)
				.map(|slot| sample::bytes(*len, seed * 7_919 + number as u64 * 31 + slot))
				.collect();
			entries.push(StripeEntry {
				stripe: stripe_id(&ids(&shards)),
				owner: [number as u8; 32],
				shard_len: ShardLen::new(*len as u64).unwrap(),
			});
			stripes.push(shards);
		}
		let tree = SumTree::build::<Blake2>(entries).unwrap();
		self.mmr.append::<Blake2>(&tree.batch()).unwrap();
		self.trees.push(tree);
		self.batches.push(stripes);
	}

	/// Batch, stripe and byte within the shard at an offset.
	pub fn find(&self, offset: u64) -> (u64, u32, u64) {
		let (batch, start) = self.mmr.locate(offset).unwrap();
		let (stripe, within) = self.trees[batch as usize].locate(offset - start).unwrap();
		(batch, stripe, offset - start - within)
	}

	/// The proof an honest node makes.
	pub fn prove(&self, slot: u8, offset: u64) -> AuditProof {
		let (batch, stripe, byte) = self.find(offset);
		let shards = &self.batches[batch as usize][stripe as usize];
		let shard = &shards[usize::from(slot)];
		let group = (byte / 16_384 * 16_384) as usize;
		let end = (group + 16_384).min(shard.len());
		AuditProof::assemble(
			ChunkProof::from_group(&Outboard::build(shard), &shard[group..end], byte / 1_024)
				.unwrap(),
			ShardPath::make(&ids(shards), slot).unwrap(),
			&self.trees[batch as usize],
			stripe,
			batch,
			&self.mmr.prove(batch).unwrap(),
		)
		.unwrap()
	}

	/// The proof that there is a stripe, without its bytes.
	pub fn entry(&self, offset: u64) -> EntryProof {
		let (batch, stripe, _) = self.find(offset);
		let tree = &self.trees[batch as usize];
		EntryProof::assemble(tree, stripe, batch, &self.mmr.prove(batch).unwrap()).unwrap()
	}
}

fn ids(shards: &[Vec<u8>]) -> [ShardId; TOTAL_SHARDS] {
	core::array::from_fn(|slot| shard_id(&shards[slot]))
}

/// A node as the mocks know it.
#[derive(Clone, Debug)]
pub struct Node {
	pub family: u8,
	pub status: NodeStatus,
	pub liveness: LivenessState,
	/// Block since which it is there without a break.
	pub up_since: u32,
	pub weight: u32,
	/// Passes and misses, in whole audits.
	pub outcomes: Vec<bool>,
	/// What was slashed, in ppm, and for whom.
	pub slashes: Vec<(u32, Option<[u8; 32]>)>,
	pub forgotten: bool,
}

/// Everything around the pallet that other pallets keep.
#[derive(Default)]
pub struct World {
	pub groups: BTreeMap<Pg, Group>,
	pub holders: BTreeMap<(Pg, u8), NodeIndex>,
	pub released: BTreeSet<(Pg, u64, u32)>,
	pub nodes: BTreeMap<NodeIndex, Node>,
	/// What `stood` says besides the outcomes.
	pub prior: (u64, u64),
	/// Block from which on heartbeats are still to be judged.
	pub unjudged: Option<u32>,
}

thread_local! {
	static WORLD: RefCell<World> = RefCell::default();
}

impl World {
	pub fn with<R>(work: impl FnOnce(&mut World) -> R) -> R {
		WORLD.with_borrow_mut(work)
	}

	pub fn node_mut<R>(node: NodeIndex, work: impl FnOnce(&mut Node) -> R) -> R {
		Self::with(|world| work(world.nodes.get_mut(&node).unwrap()))
	}

	pub fn status(node: NodeIndex) -> NodeStatus {
		Self::node_mut(node, |node| node.status)
	}

	pub fn set_liveness(node: NodeIndex, state: LivenessState) {
		Self::node_mut(node, |node| node.liveness = state);
	}

	pub fn outcomes(node: NodeIndex) -> (usize, usize) {
		Self::node_mut(node, |node| {
			let passed = node.outcomes.iter().filter(|passed| **passed).count();
			(passed, node.outcomes.len() - passed)
		})
	}

	pub fn slashed(node: NodeIndex) -> Vec<u32> {
		Self::node_mut(node, |node| {
			node.slashes.iter().map(|(ppm, _)| *ppm).collect()
		})
	}

	/// `nodes` nodes of weight 64 that are up, each slot of the groups held by the next of them.
	pub fn fill(nodes: u32, groups: Vec<Group>) {
		Self::with(|world| {
			*world = World::default();
			for index in 0..nodes {
				world.nodes.insert(
					index,
					Node {
						family: (index % 100) as u8 + 100,
						status: NodeStatus::Active,
						liveness: LivenessState::Up,
						up_since: 0,
						weight: 64,
						outcomes: Vec::new(),
						slashes: Vec::new(),
						forgotten: false,
					},
				);
			}
			let mut next = 0;
			for (pg, group) in groups.into_iter().enumerate() {
				for slot in 0..TOTAL_SHARDS as u8 {
					world.holders.insert((pg as Pg, slot), next % nodes);
					next += 1;
				}
				world.groups.insert(pg as Pg, group);
			}
		});
	}
}

impl PgLedger for World {
	fn total_bytes() -> u64 {
		Self::with(|world| {
			let totals = world.groups.values().map(|group| group.mmr.peaks().total());
			totals.map(|total| total.unwrap()).sum()
		})
	}
	fn locate(offset: u64) -> Option<(Pg, u64)> {
		Self::with(|world| {
			let mut rest = offset;
			for (pg, group) in &world.groups {
				let total = group.mmr.peaks().total().unwrap();
				if rest < total {
					return Some((*pg, rest));
				}
				rest -= total;
			}
			None
		})
	}
	fn peaks(pg: Pg) -> Option<Peaks> {
		Self::with(|world| Some(world.groups.get(&pg)?.mmr.peaks().clone()))
	}
	fn live_bytes(pg: Pg) -> u64 {
		Self::peaks(pg).map_or(0, |peaks| peaks.total().unwrap())
	}
	fn holder(pg: Pg, slot: u8) -> Option<NodeIndex> {
		Self::with(|world| world.holders.get(&(pg, slot)).copied())
	}
	fn released(pg: Pg, batch: u64, stripe: u32) -> bool {
		Self::with(|world| world.released.contains(&(pg, batch, stripe)))
	}
}

impl PlacementWeights for World {
	fn totals() -> (u32, u64) {
		Self::with(|world| {
			let weights = world.nodes.values().map(|node| u64::from(node.weight));
			(world.nodes.len() as u32, weights.sum())
		})
	}
	fn weights(nodes: &[NodeIndex]) -> Vec<u32> {
		Self::with(|world| {
			let weight = |node| world.nodes.get(node).map_or(0, |node| node.weight);
			nodes.iter().map(weight).collect()
		})
	}
}

impl NodeRegistry for World {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		Self::with(|world| {
			let node = world.nodes.get(&index)?;
			Some(NodeRecord {
				index,
				family: account(node.family).into(),
				key: key(index),
				next_key: None,
				params: NodeParams {
					zone: 0,
					host: b"host".to_vec(),
					capacity: 1 << 40,
					addresses: vec![NodeAddress::V4 {
						ip: [127, 0, 0, 1],
						port: 4000,
					}],
				},
				status: node.status,
			})
		})
	}
	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		let indexes: Vec<_> = Self::with(|world| {
			let range = world.nodes.range(from..).take(limit as usize);
			range.map(|(index, _)| *index).collect()
		});
		indexes.into_iter().filter_map(Self::node).collect()
	}
	fn revision() -> u64 {
		0
	}
}

impl NodePenalties for World {
	fn slash(node: NodeIndex, share_ppm: u32, reporter: Option<[u8; 32]>) -> u128 {
		Self::node_mut(node, |node| node.slashes.push((share_ppm, reporter)));
		share_ppm.into()
	}
	fn jail(node: NodeIndex) -> bool {
		change(node, &[NodeStatus::Active], NodeStatus::Jailed)
	}
	fn release(node: NodeIndex) -> bool {
		change(node, &[NodeStatus::Jailed], NodeStatus::Active)
	}
	fn evict(node: NodeIndex) -> bool {
		let from = [NodeStatus::Active, NodeStatus::Jailed, NodeStatus::Draining];
		change(node, &from, NodeStatus::Evicted)
	}
	fn standing(node: NodeIndex) -> Option<Standing> {
		Self::with(|world| {
			Some(Standing {
				status: world.nodes.get(&node)?.status,
				held: 1_000_000,
				required: 1_000_000,
			})
		})
	}
}

fn change(node: NodeIndex, from: &[NodeStatus], to: NodeStatus) -> bool {
	World::with(|world| match world.nodes.get_mut(&node) {
		Some(node) if from.contains(&node.status) => {
			node.status = to;
			true
		}
		_ => false,
	})
}

impl Liveness for World {
	fn liveness(node: NodeIndex) -> LivenessState {
		Self::with(|world| {
			let node = world.nodes.get(&node);
			node.map_or(LivenessState::Unknown, |node| node.liveness)
		})
	}
	fn up_since(node: NodeIndex) -> u32 {
		Self::with(|world| world.nodes.get(&node).map_or(0, |node| node.up_since))
	}
	fn judged_until(_: NodeIndex) -> u32 {
		Self::with(|world| world.unjudged.unwrap_or(u32::MAX))
	}
	fn uptime(_: NodeIndex) -> Option<(u32, u32)> {
		None
	}
}

impl AuditOutcomes for World {
	fn audited(node: NodeIndex, passed: bool) {
		Self::node_mut(node, |node| node.outcomes.push(passed));
	}
	fn stood(node: NodeIndex) -> Option<(u64, u64, u32)> {
		let (passed, missed) = Self::outcomes(node);
		let prior = Self::with(|world| world.prior);
		let samples = (passed + missed) as u32;
		Some((prior.0 + passed as u64, prior.1 + missed as u64, samples))
	}
	fn forget(node: NodeIndex) {
		Self::with(|world| {
			if let Some(node) = world.nodes.get_mut(&node) {
				node.forgotten = true;
			}
		});
	}
}

pub(crate) const GENESIS: [u8; 32] = [7; 32];

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

pub(crate) fn signer(node: NodeIndex) -> SigningKey {
	let mut seed = [3; 32];
	seed[..4].copy_from_slice(&node.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

pub(crate) fn key(node: NodeIndex) -> NodeKey {
	NodeKey(signer(node).verifying_key().to_bytes())
}

/// Signs what is shown for `asked`, as node `node`.
pub(crate) fn signed(
	node: NodeIndex,
	place: u8,
	asked: &[AskedOf],
	shown: Vec<Vec<Shown>>,
) -> Answer {
	let items: Vec<Item> = asked
		.iter()
		.zip(shown)
		.map(|(asked, shown)| Item {
			ask: asked.ask,
			shown: shown.try_into().unwrap(),
		})
		.collect();
	let seeds: Vec<_> = asked.iter().map(|asked| asked.seed).collect();
	let mut answer = Answer {
		node,
		place,
		items: items.try_into().unwrap(),
		signature: [0; 64],
	};
	let payload = answer.payload(&GENESIS, &seeds);
	answer.signature = signer(node).sign(&payload).to_bytes();
	answer
}

/// The proofs an honest node shows for one thing asked.
pub(crate) fn honest(asked: &AskedOf) -> Vec<Shown> {
	World::with(|world| {
		let group = &world.groups[&asked.pg];
		let prove = |offset: &u64| bytes(&group.prove(asked.slot, *offset));
		asked.offsets.iter().map(prove).collect()
	})
}

pub(crate) fn bytes(proof: &AuditProof) -> Shown {
	Shown::Bytes(proof.encode().try_into().unwrap())
}

/// An honest node's answer.
pub(crate) fn answer_to(asked: &[AskedOf]) -> Answer {
	let shown = asked.iter().map(honest).collect();
	signed(asked[0].node, 0, asked, shown)
}

/// Puts an answer through validation and dispatch, as a block does.
pub(crate) fn submit(
	answer: Answer,
) -> Result<(), sp_runtime::transaction_validity::TransactionValidityError> {
	let call = RuntimeCall::Audits(crate::Call::answer { answer });
	let extension = frame_system::AuthorizeCall::<Test>::new();
	let origin = frame_system::RawOrigin::None.into();
	extension
		.dispatch_transaction(origin, call, &Default::default(), 0, 5)?
		.map_err(|error| panic!("authorized, but not dispatched: {error:?}"))
		.map(|_| ())
}

/// What is asked of all nodes in the block, without what others asked.
pub(crate) fn drawn(block: u32) -> Vec<AskedOf> {
	Audits::draws(block)
}

pub(crate) fn asked(node: NodeIndex) -> Vec<AskedOf> {
	Audits::asked_of(node)
}

pub(crate) fn tasks(node: NodeIndex) -> Vec<AskedOf> {
	let is_task = |asked: &AskedOf| matches!(asked.ask, Ask::Task { .. });
	asked(node).into_iter().filter(is_task).collect()
}

/// Finishes the block and begins the next, whose parent's author left the given VRF output.
pub(crate) fn next_block_with(vrf: Option<[u8; 32]>) -> u32 {
	let now = System::block_number();
	Audits::on_finalize(now);
	System::set_block_number(now + 1);
	Vrf::set(vrf);
	Audits::on_initialize(now + 1);
	(now + 1) as u32
}

/// The next block, with a VRF output.
pub(crate) fn next_block() -> u32 {
	let now = System::block_number();
	next_block_with(Some(sample::hash(now)))
}

/// `count` blocks without draws.
pub(crate) fn quiet_blocks(count: u32) {
	for _ in 0..count {
		next_block_with(None);
	}
}

/// Rules by which tests count easily.
pub(crate) fn rules() -> Rules {
	Rules {
		blocks_per_day: 100,
		samples_per_node: 10,
		deadline: 5,
		kept_randomness: 40,
		outage_window: 20,
		outage_percent: 100,
		patience: 0,
		return_time: 10,
		jail_round: 20,
		jail_patience: 6,
		evict_after: 60,
		evict_samples: 30,
		challenges_per_day: 5,
		..Rules::default()
	}
}

pub(crate) struct ExtBuilder {
	rules: Rules,
	nodes: u32,
	groups: Vec<Group>,
}

impl Default for ExtBuilder {
	/// Four groups, 30 nodes.
	fn default() -> Self {
		let group = |seed| Group::new(seed, &[&[2_048, 64], &[1_088], &[4_096, 512, 64]]);
		Self {
			rules: rules(),
			nodes: 30,
			groups: (0..4).map(group).collect(),
		}
	}
}

impl ExtBuilder {
	pub(crate) fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
		change(&mut self.rules);
		self
	}

	pub(crate) fn nodes(mut self, nodes: u32) -> Self {
		self.nodes = nodes;
		self
	}

	pub(crate) fn groups(mut self, groups: Vec<Group>) -> Self {
		self.groups = groups;
		self
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		World::fill(self.nodes, self.groups);
		World::with(|world| world.prior = (497, 15));
		Vrf::set(None);
		BlockFull::set(false);
		Migrating::set(false);
		FinalityLag::set(None);
		let mut storage = frame_system::GenesisConfig::<Test>::default()
			.build_storage()
			.unwrap();
		pallet_balances::GenesisConfig::<Test> {
			balances: (0..120).map(|seed| (account(seed), 10_000)).collect(),
			..Default::default()
		}
		.assimilate_storage(&mut storage)
		.unwrap();
		crate::GenesisConfig::<Test>::new(self.rules)
			.assimilate_storage(&mut storage)
			.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
			test();
			Audits::do_try_state().unwrap();
		});
	}
}

pub(crate) fn events() -> Vec<crate::Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Audits(event) => Some(event),
			_ => None,
		})
		.collect()
}
