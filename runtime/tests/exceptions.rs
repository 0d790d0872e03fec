//! Placement exceptions: from root's call by way of the next epoch's map to the sets everybody reads.
#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{ClusterMap as Map, UpmapItem};
use common::{
	beats::authorized,
	externalities,
	nodes::{node_key, register, thirty_nodes},
	pair, signed,
	stored::{Stored, PG},
	Chain,
};
use ed25519_dalek::Signer;
use frame_support::{
	dispatch::{DispatchClass, GetDispatchInfo},
	traits::Get,
};
use hippius_primitives::{ledger::CleanReport, NodeIndex, Pg};
use hippius_runtime::*;
use pallet_cluster_map::{
	weights::SubstrateWeight, Call, Error, Event, Exception, Refusal, WeightInfo,
};
use pallet_placement_groups::runtime_api::runtime_decl_for_placement_groups_api::PlacementGroupsApiV1 as Api;
use sp_runtime::DispatchResult;

/// What root's call gives.
fn root(chain: &mut Chain, call: Call<Runtime>) -> DispatchResult {
	let call = RuntimeCall::Sudo(pallet_sudo::Call::sudo {
		call: Box::new(call.into()),
	});
	chain.block_of(vec![signed(&pair("Alice"), call)]);
	let mut events = System::events().into_iter().map(|record| record.event);
	let result = events.find_map(|event| match event {
		RuntimeEvent::Sudo(pallet_sudo::Event::Sudid { sudo_result }) => Some(sudo_result),
		_ => None,
	});
	result.unwrap()
}

fn set(pg: Pg, pairs: &[(NodeIndex, NodeIndex)]) -> Call<Runtime> {
	let pairs = pairs.iter().map(|&(from, to)| Exception { from, to });
	let exceptions = pairs.collect::<Vec<_>>().try_into().unwrap();
	Call::set_exceptions { pg, exceptions }
}

fn map() -> Map {
	Map::decode_checked(&Runtime::cluster_map(None).unwrap()).unwrap()
}

/// Goes on to the next epoch.
fn next_epoch(chain: &mut Chain) {
	let epoch = ClusterMap::epoch();
	chain.until(12, || ClusterMap::epoch() > epoch);
}

/// The transaction by which a node says that it has all of its slot.
fn clean(node: NodeIndex) -> UncheckedExtrinsic {
	let epoch = ClusterMap::epoch();
	let groups = vec![(PG, 1)];
	let report = CleanReport {
		node,
		epoch,
		groups: groups.clone(),
	};
	let payload = report.payload(&System::block_hash(0).0);
	authorized(pallet_placement_groups::Call::report_clean {
		node,
		epoch,
		groups: groups.try_into().unwrap(),
		signature: node_key(node).sign(&payload).to_bytes(),
	})
}

#[test]
fn an_exception_moves_a_slot_and_goes_with_its_node() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		// A sixth node for the first zone.
		let family = pair("Ferdie");
		chain.block_of(vec![signed(&family, register(&family, 30, 0))]);
		chain.until(20, || {
			Runtime::cluster_map(None).is_some() && map().nodes().count() == 31
		});
		Stored::new().append(&mut chain);
		let old = Runtime::up_set(PG).unwrap();
		assert_eq!(Runtime::acting_set(PG).unwrap(), old);
		let zone = |zone: usize| -> Vec<NodeIndex> {
			let families = map().zones[zone].families.clone().into_iter();
			let hosts = families.flat_map(|family| family.hosts);
			let nodes = hosts.flat_map(|host| host.nodes);
			nodes.map(|node| node.index).collect()
		};
		let mut first = zone(0).into_iter();
		let to = first.find(|node| !old.contains(&Some(*node))).unwrap();
		let (slot, from) = match old.iter().position(|node| *node == Some(30)) {
			Some(slot) => (slot, 30),
			None => (0, old[0].unwrap()),
		};

		// What the map does not allow is refused by name, and only root may ask.
		let foreign = zone(1)[0];
		for (pairs, error) in [
			(vec![(from, foreign)], Error::<Runtime>::OtherZone),
			(vec![(to, from)], Error::NotHeld),
			(vec![(from, 99)], Error::NotInMap),
			(vec![(from, old[1].unwrap())], Error::AlreadyHolds),
			(vec![(from, to), (from, 99)], Error::NotInMap),
		] {
			assert_eq!(root(&mut chain, set(PG, &pairs)), Err(error.into()));
		}
		let unknown = set(128, &[(from, to)]);
		assert_eq!(
			root(&mut chain, unknown),
			Err(Error::<Runtime>::UnknownGroup.into())
		);
		let plain = signed(&pair("Bob"), set(PG, &[(from, to)]));
		assert!(chain.block(vec![plain]).remove(0).unwrap().is_err());
		assert_eq!(ClusterMap::exceptions(), []);

		assert_eq!(root(&mut chain, set(PG, &[(from, to)])), Ok(()));
		let item = UpmapItem { pg: PG, from, to };
		assert_eq!(ClusterMap::exceptions(), [item]);
		next_epoch(&mut chain);
		assert_eq!(map().exceptions, [item]);
		let mut up = old.clone();
		up[slot] = Some(to);
		assert_eq!(Runtime::up_set(PG).unwrap(), up);
		assert_eq!(map().placement().unwrap().up(PG).unwrap(), up);
		// Until the newcomer has its shards, the former holder acts.
		assert_eq!(Runtime::acting_set(PG).unwrap(), old);
		let others = up.iter().flatten().filter(|node| **node != to);
		chain.block_of(others.map(|node| clean(*node)).collect());
		assert_eq!(Runtime::acting_set(PG).unwrap(), old);
		chain.block_of(vec![clean(to)]);
		assert_eq!(Runtime::acting_set(PG).unwrap(), up);
		ClusterMap::do_try_state().unwrap();

		// The node that came last leaves; it gives or takes the slot.
		let exit = pallet_registry::Call::start_exit { node: 30 };
		chain.block_of(vec![signed(&family, exit)]);
		next_epoch(&mut chain);
		let dropped = vec![(item, Refusal::NotInMap)];
		let event = Event::<Runtime>::ExceptionsDropped {
			dropped: dropped.try_into().unwrap(),
		};
		System::assert_has_event(event.into());
		assert_eq!(
			(map().exceptions, ClusterMap::exceptions()),
			(vec![], vec![])
		);
		assert!(!Runtime::up_set(PG).unwrap().contains(&Some(30)));
		ClusterMap::do_try_state().unwrap();
	});
}

#[test]
fn the_calls_fit_into_a_block() {
	let limits = <Runtime as frame_system::Config>::BlockWeights::get();
	let class = limits.get(DispatchClass::Normal);
	let most = class.max_extrinsic.unwrap();
	let pairs: Vec<_> = (0..30).map(|node| (node, node + 30)).collect();
	for call in [set(0, &pairs), Call::remove_exceptions { pg: 0 }] {
		let weight = call.get_dispatch_info().call_weight;
		assert!(weight.saturating_mul(10).all_lt(most), "{weight}");
	}
	// An epoch whose exceptions are in as many groups as may be, each with as many draws as usual.
	let caps: (u32, u32) = (
		<Runtime as pallet_cluster_map::Config>::MaxExceptions::get(),
		<Runtime as pallet_cluster_map::Config>::MaxExceptionGroups::get(),
	);
	let usual = SubstrateWeight::<Runtime>::judge_exceptions(caps.0, u64::from(caps.1) * 1_500);
	assert!(usual.saturating_mul(5).all_lt(limits.max_block), "{usual}");
}
