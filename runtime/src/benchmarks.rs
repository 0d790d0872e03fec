//! What the pallets' benchmarks need: a network of nodes in the state, written past the calls.

use crate::*;
use alloc::{format, string::String, vec::Vec};
use arion_storage_proof::{sample, Batch, Mmr, Peaks};
use frame_benchmarking::{define_benchmarks, BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::{
	traits::{
		fungible::{Mutate, MutateHold},
		Get, Hooks, StorageInfo, StorageInfoTrait, WhitelistedStorageKeys,
	},
	BoundedVec,
};
use hippius_primitives::{
	heartbeat::PAGE_NODES, money::Service, registration::NodeStatus, Epoch, NodeAddress, NodeIndex,
	NodeKey, Pg,
};
use pallet_heartbeats::{NodeState, PageState};
use pallet_ranking::{EraEntry, EraTotals};
use sp_core::crypto::KeyTypeId;

define_benchmarks!(
	[pallet_placement_groups, PlacementGroups]
	[pallet_audits, Audits]
	[pallet_heartbeats, Heartbeats]
	[pallet_ranking, Ranking]
	[pallet_rewards, Rewards]
	[pallet_marketplace, Marketplace]
	[pallet_orders, Orders]
);

/// The benchmarks there are.
pub(crate) fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
	let mut list = Vec::new();
	list_benchmarks!(list, extra);
	(list, AllPalletsWithSystem::storage_info())
}

/// Runs one.
pub(crate) fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
	let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
	let mut batches = Vec::new();
	let params = (&config, &whitelist);
	add_benchmarks!(params, batches);
	Ok(batches)
}

/// Bytes each node commits.
const CAPACITY: u64 = 10_000_000_000_000;
/// Nodes that have put up what they must.
const BACKED: u32 = 32;
/// Placement groups.
const GROUPS: u32 = 16_384;

/// Writes a network into the state.
pub struct Network;

impl Network {
	/// A node whose key `key` is about to replace another: a signature by it takes two checks.
	fn node(index: NodeIndex, old: NodeKey, key: NodeKey, family: AccountId, backed: bool) {
		let deposit = dynamic_params::registry::Deposit::get();
		let per_terabyte = dynamic_params::registry::StakePerTerabyte::get();
		let stake = pallet_registry::stake_for(CAPACITY, per_terabyte);
		if backed {
			let money = deposit.saturating_add(stake).saturating_add(units::ALPHA);
			let reasons = [
				(pallet_registry::HoldReason::RegistrationDeposit, deposit),
				(pallet_registry::HoldReason::CapacityStake, stake),
			];
			Balances::mint_into(&family, money).expect("money can be made");
			for (reason, amount) in reasons {
				Balances::hold(&reason.into(), &family, amount).expect("it was just made");
			}
		}
		let address = NodeAddress::V4 {
			ip: [192, 0, 2, 1],
			port: 4_000,
		};
		let info = pallet_registry::NodeInfo {
			family: family.clone(),
			key: old,
			next_key: Some((key, 0)),
			zone: (index % 6) as u8,
			host: BoundedVec::truncate_from(format!("host-{index}").into_bytes()),
			capacity: CAPACITY,
			addresses: BoundedVec::truncate_from(alloc::vec![address; 4]),
			status: NodeStatus::Active,
			registered_at: 1,
			deposit,
			stake,
			claimable_at: None,
		};
		pallet_registry::Nodes::<Runtime>::insert(index, info);
		pallet_registry::NodeByKey::<Runtime>::insert(key, index);
		pallet_registry::FamilyNodes::<Runtime>::mutate(&family, |nodes| *nodes += 1);
		pallet_registry::NextNodeIndex::<Runtime>::mutate(|next| *next = (*next).max(index + 1));
		pallet_registry::LiveNodes::<Runtime>::mutate(index / 1_024, |words| {
			let place = index % 1_024;
			words.get_or_insert_default()[(place / 64) as usize] |= 1 << (place % 64);
		});
		pallet_registry::Revision::<Runtime>::mutate(|revision| *revision += 1);
	}

	fn family(index: NodeIndex) -> AccountId {
		sample::hash(u64::from(index) + 1_000_000).into()
	}

	/// The key nodes have had so far.
	fn old_key() -> NodeKey {
		NodeKey(sp_io::crypto::ed25519_generate(KeyTypeId(*b"hbok"), None).0)
	}

	/// Nodes, all up, and two maps with all of them.
	fn mapped(nodes: u32, key: NodeKey) {
		let old = Self::old_key();
		for index in 0..nodes {
			Self::node(index, old, key, Self::family(index), index < BACKED);
		}
		for page in 0..nodes.div_ceil(PAGE_NODES) {
			let node = NodeState {
				seen: 100,
				due: 100,
				..NodeState::default()
			};
			let up = alloc::vec![Some(node); PAGE_NODES as usize];
			let state = PageState {
				day: 0,
				nodes: BoundedVec::truncate_from(up),
			};
			pallet_heartbeats::Pages::<Runtime>::insert(page, state);
		}
		let placement = pallet_cluster_map::PlacementConfig {
			pg_num: GROUPS,
			..Default::default()
		};
		let length = placement.epoch_blocks;
		pallet_cluster_map::Placement::<Runtime>::put(placement);
		for epoch in 1..=2 {
			ClusterMap::on_initialize(epoch * length);
			pallet_registry::Revision::<Runtime>::mutate(|revision| *revision += 1);
		}
		assert_eq!(ClusterMap::epoch(), 2, "the maps are in force");
	}
}

impl pallet_placement_groups::BenchmarkHelper for Network {
	fn network(nodes: u32, key: NodeKey) {
		Self::mapped(nodes, key);
	}

	fn allow(owner: [u8; 32], by: [u8; 32]) {
		let grant = pallet_marketplace::Grant {
			units: u64::MAX,
			credits: 0,
			until: u32::MAX,
		};
		let account = pallet_marketplace::Account {
			gateways: BoundedVec::truncate_from(alloc::vec![(by.into(), grant)]),
			..Default::default()
		};
		pallet_marketplace::Accounts::<Runtime>::insert(AccountId::from(owner), account);
	}
}

impl pallet_audits::BenchmarkHelper for Network {
	fn network(nodes: u32, key: NodeKey) {
		Self::mapped(nodes.max(BACKED), key);
	}

	fn ledger(pg: Pg, peaks: Peaks) {
		PlacementGroups::put_ledger(pg, peaks);
	}

	fn show() {
		PlacementGroups::show_ledgers();
	}

	fn vrf() {
		pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some([7; 32]));
	}

	fn fund(account: [u8; 32]) {
		Balances::mint_into(&account.into(), 1_000_000 * units::ALPHA).expect("money can be made");
	}
}

impl pallet_heartbeats::BenchmarkHelper for Network {
	fn register(node: NodeIndex, key: NodeKey, family: [u8; 32]) {
		Self::node(node, Self::old_key(), key, family.into(), false);
	}

	fn collect(key: &[u8]) {
		use codec::Decode;
		let most = configs::staking::MaxActiveValidators::get();
		let others = (1..most).map(|at| sample::hash(at.into()).to_vec());
		let keys: Vec<_> = others
			.chain([key.to_vec()])
			.map(|key| Decode::decode(&mut &key[..]).expect("a key has 32 bytes"))
			.collect();
		pallet_im_online::Keys::<Runtime>::put(frame_support::WeakBoundedVec::force_from(
			keys, None,
		));
	}
}

impl pallet_ranking::BenchmarkHelper for Network {
	fn register(nodes: u32) {
		Self::mapped(nodes, NodeKey([1; 32]));
	}

	fn hold(groups: u32) {
		let batch = Batch {
			root: [1; 32],
			bytes: 1 << 30,
			stripes: 1_024,
		};
		let mut mmr = Mmr::new();
		for _ in 0..1_000 {
			mmr.append::<pallet_audits::HostBlake2>(&batch)
				.expect("there is room");
		}
		for pg in 0..groups {
			PlacementGroups::put_ledger(pg, mmr.peaks().clone());
		}
		PlacementGroups::show_ledgers();
	}
}

impl pallet_marketplace::BenchmarkHelper<AccountId> for Network {
	fn at(ms: u64) {
		pallet_timestamp::Now::<Runtime>::put(ms);
	}

	fn node() -> NodeIndex {
		let key = Self::old_key();
		Self::node(0, key, key, Self::family(0), true);
		0
	}

	fn epoch(epoch: Epoch) {
		pallet_cluster_map::CurrentEpoch::<Runtime>::put(epoch);
	}
}

impl Network {
	/// What nodes served of what is ordered in an era: all have changed since, so that each has a record
	/// of that era besides.
	fn served(service: Service, era: u32, nodes: u32) {
		let blocks = configs::economy::OrderEra::get();
		let end = (era + 1) * blocks;
		System::set_block_number(end + 1);
		let all = (u128::from(nodes) << 40, None);
		let each = (0..nodes).map(|node| (1 << 40, Some(node)));
		for (units, who) in each.chain([all]) {
			let serving = pallet_orders::Served {
				units,
				block: end,
				sum: 0,
			};
			pallet_orders::Serving::<Runtime>::insert(service, who, serving);
			let key = (service, era);
			pallet_orders::EraServed::<Runtime>::insert(key, who, units * u128::from(blocks));
		}
	}
}

impl pallet_rewards::BenchmarkHelper<AccountId> for Network {
	fn settle(service: Service, era: u32, nodes: u32) {
		let key = Self::old_key();
		for index in 0..nodes {
			Self::node(index, key, key, Self::family(index), false);
			pallet_registry::Nodes::<Runtime>::mutate(index, |info| {
				if let Some(info) = info {
					info.stake = 0;
				}
			});
		}
		if service != Service::Arion {
			return Self::served(service, era, nodes);
		}
		for page in 0..nodes.div_ceil(PAGE_NODES) {
			let first = page * PAGE_NODES;
			let entries = (first..(first + PAGE_NODES).min(nodes)).map(|node| EraEntry {
				node,
				byte_blocks: 1 << 60,
				score: 1 << 30,
				weight: 1 << 90,
			});
			let entries = BoundedVec::truncate_from(entries.collect());
			pallet_ranking::EraPages::<Runtime>::insert(era, page, entries);
		}
		let totals = EraTotals {
			blocks: 2_400,
			nodes,
			byte_blocks: u128::from(nodes) << 60,
			weight: u128::from(nodes) << 90,
			complete: true,
		};
		pallet_ranking::Eras::<Runtime>::insert(era, totals);
		pallet_ranking::CurrentEra::<Runtime>::mutate(|current| current.index = era + 1);
	}

	fn forget(_: Service, era: u32) {
		pallet_ranking::Eras::<Runtime>::remove(era);
	}

	fn family(node: NodeIndex) -> AccountId {
		Self::family(node)
	}

	fn validate(era: u32, validator: &AccountId, stakers: u32) {
		use pallet_staking::{
			ActiveEra, ActiveEraInfo, EraRewardPoints, ErasRewardPoints, ErasStakersOverview,
			ErasStakersPaged, ErasStartSessionIndex, ErasValidatorPrefs, ValidatorPrefs,
		};
		use sp_staking::{ExposurePage, IndividualExposure, PagedExposureMetadata};
		let stake = units::ALPHA;
		let all = u128::from(stakers) * stake;
		ActiveEra::<Runtime>::put(ActiveEraInfo {
			index: era + 1,
			start: None,
		});
		ErasStartSessionIndex::<Runtime>::insert(era, 1);
		let mut points = EraRewardPoints::default();
		for number in 0..configs::staking::MaxActiveValidators::get() {
			points.individual.insert(Self::family(number), 20);
			points.total += 20;
		}
		points.individual.insert(validator.clone(), 20);
		points.total += 20;
		ErasRewardPoints::<Runtime>::insert(era, points);
		ErasValidatorPrefs::<Runtime>::insert(
			era,
			validator,
			ValidatorPrefs {
				commission: sp_runtime::Perbill::from_percent(10),
				blocked: false,
			},
		);
		ErasStakersOverview::<Runtime>::insert(
			era,
			validator,
			PagedExposureMetadata {
				total: all + stake,
				own: stake,
				nominator_count: stakers,
				page_count: 1,
			},
		);
		let others = (0..stakers).map(|number| IndividualExposure {
			who: Self::family(number),
			value: stake,
		});
		let page = ExposurePage {
			page_total: all,
			others: others.collect(),
		};
		ErasStakersPaged::<Runtime>::insert((era, validator, 0), page);
	}

	fn forget_staking(era: u32) {
		pallet_staking::ErasStartSessionIndex::<Runtime>::remove(era);
	}
}

impl pallet_orders::BenchmarkHelper<AccountId> for Network {
	fn register(nodes: u32) -> AccountId {
		let (key, family) = (Self::old_key(), Self::family(0));
		for index in 0..nodes {
			Self::node(index, key, key, family.clone(), false);
		}
		family
	}

	fn fund(_: &AccountId) {
		// Nothing has a price.
	}

	fn draw() {
		pallet_audits::Randomness::<Runtime>::insert(System::block_number(), [7; 32]);
	}

	fn fail(node: NodeIndex) {
		pallet_registry::Nodes::<Runtime>::mutate(node, |info| {
			if let Some(info) = info {
				info.status = NodeStatus::Draining;
			}
		});
	}
}
