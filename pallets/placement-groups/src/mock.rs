#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_placement_groups;
use arion_crush::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
	WEIGHT_ONE,
};
use codec::Encode;
use ed25519_dalek::SigningKey;
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU32, ConstU64, Hooks},
};
use hippius_primitives::{
	money::Service,
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::{ClusterMaps, NodeRegistry, StorageOwners, UsageMeter, UsageRefused},
	Epoch, NodeIndex, NodeKey,
};
use sp_core::H256;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};
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
	pub type Groups = pallet_placement_groups;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountId = AccountId32;
	type Lookup = IdentityLookup<AccountId32>;
}

parameter_types! {
	pub static ExpiredOwner: Option<[u8; 32]> = None;
	pub static Gone: Vec<NodeIndex> = Vec::new();
	pub static NextKeys: bool = false;
}

pub(crate) const PERIOD: u64 = 10;
pub(crate) const BACKFILL: u64 = 50;
pub(crate) const RECENT: Epoch = 2;
pub(crate) const KEPT: Epoch = 8;
pub(crate) const GENESIS: [u8; 32] = [7; 32];

pub struct Owners;
impl StorageOwners for Owners {
	fn expired(owner: &[u8; 32]) -> bool {
		ExpiredOwner::get() == Some(*owner)
	}
}

parameter_types! {
	/// Units by owner.
	pub static Metered: BTreeMap<[u8; 32], u64> = BTreeMap::new();
	/// What the meter says to whom it is told of.
	pub static Refuses: Option<([u8; 32], UsageRefused)> = None;
	/// Who asked last.
	pub static AskedBy: Option<[u8; 32]> = None;
}

/// What is charged for.
pub struct Meter;
impl UsageMeter for Meter {
	fn add(
		service: Service,
		owner: &[u8; 32],
		by: &[u8; 32],
		units: u64,
	) -> Result<(), UsageRefused> {
		assert_eq!(service, Service::Arion);
		AskedBy::set(Some(*by));
		match Refuses::get() {
			Some((refused, why)) if refused == *owner => Err(why),
			_ => {
				Metered::mutate(|all| *all.entry(*owner).or_default() += units);
				Ok(())
			}
		}
	}

	fn can_add(_: Service, owner: &[u8; 32], _: &[u8; 32], _: u64) -> Result<(), UsageRefused> {
		match Refuses::get() {
			Some((refused, why)) if refused == *owner => Err(why),
			_ => Ok(()),
		}
	}

	fn remove(service: Service, owner: &[u8; 32], units: u64) {
		assert_eq!(service, Service::Arion);
		Metered::mutate(|all| {
			let held = all.entry(*owner).or_default();
			*held = held.checked_sub(units).unwrap();
		});
	}
}

impl crate::Config for Test {
	type Maps = Maps;
	type Registry = Nodes;
	type Owners = Owners;
	type Usage = Meter;
	type UsageWeight = ();
	type SnapshotPeriod = ConstU64<PERIOD>;
	type BackfillPeriod = ConstU64<BACKFILL>;
	type RecentEpochs = ConstU32<RECENT>;
	type KeptEpochs = ConstU32<KEPT>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = ();
}

thread_local! {
	static MAPS: RefCell<(Epoch, BTreeMap<Epoch, Vec<u8>>)> = RefCell::default();
}

/// A history that tests write by hand.
pub struct Maps;

impl Maps {
	/// Puts a map of `nodes` nodes in force.
	pub(crate) fn publish(epoch: Epoch, nodes: u32) -> ClusterMap {
		let map = map(epoch, nodes);
		Self::publish_blob(epoch, map.encode());
		map
	}

	pub(crate) fn publish_blob(epoch: Epoch, blob: Vec<u8>) {
		MAPS.with_borrow_mut(|(current, maps)| {
			*current = epoch;
			maps.insert(epoch, blob);
			maps.retain(|old, _| *old + KEPT > epoch);
		});
	}

	pub(crate) fn expire(epoch: Epoch) {
		MAPS.with_borrow_mut(|(_, maps)| maps.remove(&epoch).map(drop))
			.unwrap()
	}
}

impl ClusterMaps for Maps {
	fn current_epoch() -> Epoch {
		MAPS.with_borrow(|(current, _)| *current)
	}
	fn map_blob(epoch: Epoch) -> Option<Vec<u8>> {
		MAPS.with_borrow(|(_, maps)| maps.get(&epoch).cloned())
	}
	fn map_hash(epoch: Epoch) -> Option<[u8; 32]> {
		Self::map_blob(epoch).map(|blob| sp_io::hashing::blake2_256(&blob))
	}
}

/// A thousand nodes.
pub struct Nodes;

impl NodeRegistry for Nodes {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		(index < 1_000 && !Gone::get().contains(&index)).then(|| NodeRecord {
			index,
			family: [0; 32],
			key: NodeKey(signer(index).verifying_key().to_bytes()),
			next_key: NextKeys::get()
				.then(|| NodeKey(next_signer(index).verifying_key().to_bytes())),
			params: NodeParams {
				zone: 0,
				host: Vec::new(),
				capacity: 0,
				addresses: Vec::new(),
			},
			status: NodeStatus::Active,
		})
	}
	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		(from..1_000)
			.take(limit as usize)
			.filter_map(Self::node)
			.collect()
	}
	fn revision() -> u64 {
		0
	}
}

/// `nodes` nodes over six zones, each of its own family and host.
pub(crate) fn map(epoch: Epoch, nodes: u32) -> ClusterMap {
	let family = |index: u32| FamilyBucket {
		id: -10 - 2 * index as i32,
		hosts: vec![HostBucket {
			id: -11 - 2 * index as i32,
			nodes: vec![MapNode {
				index,
				weight: 64,
				reweight: WEIGHT_ONE,
			}],
		}],
	};
	let zone = |zone: u8| ZoneBucket {
		zone,
		id: -1 - i32::from(zone),
		families: (0..nodes)
			.filter(|index| index % 6 == u32::from(zone))
			.map(family)
			.collect(),
	};
	ClusterMap::plain(
		epoch,
		64,
		1,
		PlacementRule::new(5, FailureDomain::Family),
		(0..6).map(zone).collect(),
	)
}

/// The key of a node.
pub(crate) fn signer(index: NodeIndex) -> SigningKey {
	let mut seed = [1; 32];
	seed[..4].copy_from_slice(&index.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

/// The key that is about to replace it, in tests that say so.
pub(crate) fn next_signer(index: NodeIndex) -> SigningKey {
	let mut seed = [2; 32];
	seed[..4].copy_from_slice(&index.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

/// Goes on to a block.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Groups::on_initialize(next);
	}
}

/// Block 1.
pub(crate) fn build() -> sp_io::TestExternalities {
	MAPS.with_borrow_mut(|state| *state = Default::default());
	Metered::take();
	Refuses::take();
	let storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	let mut chain = sp_io::TestExternalities::new(storage);
	chain.execute_with(|| {
		System::set_block_number(1);
		frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
	});
	chain
}

pub(crate) fn build_and_execute(test: impl FnOnce()) {
	build().execute_with(|| {
		test();
		Groups::do_try_state().unwrap();
	});
}
