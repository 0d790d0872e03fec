//! Native code and the runtime's wasm make the same of everything: draws of all lanes, answers that count
//! and that do not, jail, scores and placements, to the last bit of the state.
#![allow(clippy::unwrap_used)]

mod common;
mod wasm {
	pub(crate) mod ledgers;
	pub(crate) mod network;
	pub(crate) mod twins;
}

use arion_storage_proof::{draw::Lane, lanes::FloorPlan, sample};
use codec::Encode;
use common::{
	blob::Blob,
	externalities,
	nodes::{register, thirty_nodes},
	pair, signed, Chain,
};
use fastrand::Rng;
use frame_support::BoundedVec;
use hippius_primitives::{registration::NodeStatus, traits::PlacementWeights, NodeIndex};
use hippius_runtime::*;
use hippius_score::{Reputation, ONE};
use pallet_audits::{Cases, Draw, Jail, Refusal, Why};
use pallet_placement_groups::PlacementError;
use pallet_ranking::EraEntry;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	ApplyExtrinsicResult, ExtrinsicInclusionMode,
};
use std::collections::BTreeSet;
use wasm::{
	ledgers::Batch,
	network::{all_reasons, places_of, Network, Step, NODES},
	twins::{State, Twins},
};

/// Seeds tried.
const SEEDS: u64 = 48;
/// A node that stops answering and, in jail, shows that it has its bytes.
const LAZY: NodeIndex = 4;
/// A node that stops answering for good.
const GONE: NodeIndex = 11;
/// A node that is away for a while.
const AWAY: NodeIndex = 20;

fn status(node: NodeIndex) -> NodeStatus {
	pallet_registry::Nodes::<Runtime>::get(node).unwrap().status
}

/// Two nodes stop answering, and by the rules get into jail for it.
fn to_jail(network: &mut Network, twins: &mut Twins) {
	network.silent.extend([LAZY, GONE]);
	network.until(twins, 60, |_| {
		[LAZY, GONE].map(status) == [NodeStatus::Jailed; 2]
	});
}

/// Compares what view functions compute: every node's score, and what is asked.
fn compare_views(twins: &mut Twins) {
	let block = twins.native(System::block_number);
	let scores: Vec<_> = (0..NODES)
		.map(|node| twins.view::<pallet_ranking::ExplainViewFunction<Runtime>>(&node))
		.map(|standing| standing.unwrap())
		.collect();
	for (node, standing) in (0..NODES).zip(scores) {
		let is_jailed = twins.native(|| status(node)) == NodeStatus::Jailed;
		assert_eq!(standing.now.jailed, is_jailed, "{node}");
		assert_eq!(standing.now.score == 0, is_jailed, "{node}: {standing:?}");
	}
	let drawn = twins.view::<pallet_audits::DrawsViewFunction<Runtime>>(&block);
	assert!(!drawn.is_empty());
	for node in [LAZY, GONE, AWAY] {
		twins.view::<pallet_audits::AskedOfViewFunction<Runtime>>(&node);
	}
}

/// A network's life: nodes of different stakes hold several ledgers of several batches, answer soundly,
/// unsoundly or not at all, go away and come back, get into jail and out of it or are thrown out; stripes
/// are released and eras settled.
#[test]
fn a_networks_life_is_the_same_natively_and_in_wasm() {
	let mut twins = Twins::new(externalities(genesis::LOCAL));
	let mut network = Network::new(&mut twins);
	network.begin(&mut twins);

	network.steps.extend([
		Step::Release(5, 0, 1),
		Step::Release(17, 1, 0),
		Step::Release(100, 1, 0),
		// Six members did not sign, and are not asked for it at first.
		Step::Append(17, Batch::new("Charlie", 8, &[4_096, 192]), 24),
	]);
	network.silent.insert(AWAY);
	network.away.insert(AWAY);
	to_jail(&mut network, &mut twins);
	compare_views(&mut twins);
	// What a pool says of an answer that nobody gave yet, and of a forged one.
	let (sound, forged) = twins.native(|| network.samples()).unwrap();
	assert!(twins.validity(&sound).is_ok());
	let forged = twins.validity(&forged);
	let signature = InvalidTransaction::Custom(Refusal::Signature as u8);
	assert_eq!(forged, Err(TransactionValidityError::Invalid(signature)));

	network.silent.remove(&LAZY);
	network.until(&mut twins, 40, |_| status(LAZY) == NodeStatus::Active);
	network.away.clear();
	network.until(&mut twins, 40, |network| {
		network.happened("asked again") > 0
	});
	network.silent.remove(&AWAY);
	network.until(&mut twins, 60, |_| status(GONE) == NodeStatus::Evicted);
	network.until(&mut twins, 20, |network| network.steps.is_empty());

	// None of it may be missing, or nothing was compared.
	let seen = &network.seen;
	assert!(seen.bytes > 500 && seen.floor > 10, "{seen:?}");
	assert!(seen.fresh.len() >= 8 && !seen.found.is_empty(), "{seen:?}");
	assert_eq!(seen.groups, [5, 17, 64, 100].into(), "{seen:?}");
	assert!(seen.passed > 500 && seen.several > 10, "{seen:?}");
	assert!(seen.released > 10, "{seen:?}");
	let missing: Vec<u8> = all_reasons()
		.difference(&network.reasons())
		.copied()
		.collect();
	assert!(missing.is_empty(), "{missing:?} of {seen:?}");
	for event in [
		"answered",
		"missed",
		"held over",
		"asked again",
		"jailed",
		"fresh draws",
		"released",
		"evicted",
	] {
		assert!(network.happened(event) > 0, "{event}: {seen:?}");
	}
	assert_eq!(network.happened("outage"), 0, "{seen:?}");
	assert!(seen.jailed_scores > 0 && seen.scores.len() > 30, "{seen:?}");
	println!("{seen:?}");
}

/// Gives the parent's author another VRF output, and every node another record, stake, uptime and amount
/// held; an era is to be settled in the next block. Of the nodes in jail one is to be asked for fresh
/// draws in the next block, slots of the other one are looked for.
fn shuffle(seed: u64) {
	let mut rng = Rng::with_seed(seed);
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(sample::hash(seed)));
	let blocks = rng.u32(1..10_000);
	for node in 0..NODES {
		let record = pallet_ranking::Record {
			reputation: (0..rng.u32(0..600)).fold(Reputation::NEW, |reputation, _| {
				reputation.audited(rng.u32(0..1_000) < 995)
			}),
			samples: rng.u32(..),
			active_days: rng.u32(0..400),
			last_day: rng.bool().then(|| rng.u32(0..10)),
		};
		pallet_ranking::Records::<Runtime>::insert(node, record);
		// From nothing to speak of to far more than any stake covers.
		let bytes = u128::from(rng.u64(1 << 63..) >> rng.u32(0..64));
		let held = bytes * u128::from(blocks);
		pallet_ranking::Held::<Runtime>::insert(node, held);
		pallet_registry::Nodes::<Runtime>::mutate(node, |info| {
			let info = info.as_mut().unwrap();
			info.stake = rng.u128(0..=2 * info.stake);
		});
	}
	pallet_heartbeats::Pages::<Runtime>::mutate(0, |page| {
		for node in page.as_mut().unwrap().nodes.iter_mut().flatten() {
			node.due = rng.u32(1..90_000);
			node.seen = rng.u32(0..=node.due);
		}
	});
	pallet_ranking::Closing::<Runtime>::put(pallet_ranking::Settling {
		era: seed as u32,
		blocks,
		page: 0,
	});
	let (tick, rules) = (Audits::tick(), Audits::rules().unwrap());
	let mut found = places_of(LAZY);
	rng.shuffle(&mut found);
	found.truncate(rng.usize(1..=8));
	assert!(!found.is_empty());
	let asked = tick.saturating_sub(rules.jail_patience);
	for (node, round, found) in [(LAZY, asked, found), (GONE, tick, Vec::new())] {
		Cases::<Runtime>::mutate(node, |case| {
			let case = case.as_mut().unwrap();
			case.tasks = BoundedVec::new();
			case.jail = Some(Jail {
				since: tick,
				round,
				end: None,
				found: found.try_into().unwrap(),
				failed: false,
			});
		});
	}
	let looked_for = BoundedVec::try_from(vec![GONE]).unwrap();
	pallet_audits::Collecting::<Runtime>::put(looked_for);
}

/// What a block draws and settles, by the state after it.
#[derive(Debug, PartialEq)]
struct Outcome {
	/// The draws of lanes A and B.
	draws: Vec<Draw>,
	/// The fresh draws: node, group, slot, bytes.
	fresh: Vec<(NodeIndex, u32, u8, Vec<u64>)>,
	/// The slots found of a node for which they are looked for.
	found: Vec<(u32, u8)>,
	/// The era's scores.
	entries: Vec<EraEntry>,
	/// Everybody's standing, as it is computed.
	standings: Vec<u8>,
}

impl Outcome {
	fn of(block: u32, era: u32) -> Self {
		let open = pallet_audits::Open::<Runtime>::get(block);
		let tasks = |node| {
			Cases::<Runtime>::get(node)
				.into_iter()
				.flat_map(|case| case.tasks)
		};
		let fresh = [LAZY, GONE].into_iter().flat_map(|node| {
			tasks(node)
				.filter(|task| task.why == Why::Fresh)
				.map(move |task| (node, task.place.0, task.place.1, task.offsets.into_inner()))
		});
		let jail = Cases::<Runtime>::get(GONE).and_then(|case| case.jail);
		let standings: Vec<_> = (0..NODES).map(Ranking::explain).collect();
		Self {
			draws: open.map_or(Vec::new(), |open| open.draws.into_inner()),
			fresh: fresh.collect(),
			found: jail.map_or(Vec::new(), |jail| jail.found.into_inner()),
			entries: pallet_ranking::EraPages::<Runtime>::get(era, 0).into_inner(),
			standings: standings.encode(),
		}
	}
}

#[test]
fn draws_and_scores_are_the_same_natively_and_in_wasm() {
	let mut twins = Twins::native_only(externalities(genesis::LOCAL));
	let mut network = Network::new(&mut twins);
	network.begin(&mut twins);
	to_jail(&mut network, &mut twins);
	// Until the next block looks at groups for lane B, too.
	network.until(&mut twins, 20, |_| {
		let (nodes, _) = ClusterMap::totals();
		let plan = FloorPlan::new(nodes, &Audits::rules().unwrap().rates());
		plan.due(System::block_number() + 1) > 0
	});
	let (chain, ext) = twins.into_native();
	let base = State::of(ext);
	let blob = Blob::new();
	let (mut lanes, mut fresh, mut found) = ([0u32; 2], 0, 0);
	let (mut places, mut scores, mut jailed) = (BTreeSet::new(), BTreeSet::new(), 0);
	for seed in 0..SEEDS {
		let mut ext = base.copy();
		ext.execute_with(|| shuffle(seed));
		let state = State::of(ext);
		let era = seed as u32;

		let (header, timestamp, block) = state.copy().execute_with(|| {
			let mut chain = chain.clone();
			let header = chain.next();
			let timestamp = chain.after().timestamp();
			(header, timestamp, System::block_number() + 1)
		});
		let (native, native_outcome) = state.copy().execute_with(|| {
			Executive::initialize_block(&header);
			Executive::apply_extrinsic(timestamp.clone())
				.unwrap()
				.unwrap();
			let made = Executive::finalize_block();
			(made, Outcome::of(block, era))
		});
		let mut ext = state.copy();
		let wasm: Header = {
			let mut ext = ext.ext();
			let _: ExtrinsicInclusionMode =
				blob.call_on(&mut ext, "Core_initialize_block", &header);
			let applied: ApplyExtrinsicResult =
				blob.call_on(&mut ext, "BlockBuilder_apply_extrinsic", &timestamp);
			applied.unwrap().unwrap();
			blob.call_on(&mut ext, "BlockBuilder_finalize_block", &())
		};
		let wasm_outcome = ext.execute_with(|| Outcome::of(block, era));
		assert_eq!(native_outcome, wasm_outcome, "seed {seed}");
		// The whole state after the block, by its root.
		assert_eq!(native, wasm, "seed {seed}");

		for draw in native_outcome.draws {
			lanes[usize::from(draw.lane == Lane::Floor)] += 1;
			places.insert((draw.pg, draw.slot, draw.offsets));
		}
		// Eight for one of the two in jail, and slots of the other one.
		assert_eq!(native_outcome.fresh.len(), 8);
		fresh += native_outcome.fresh.iter().collect::<BTreeSet<_>>().len();
		found += native_outcome.found.len();
		for entry in native_outcome.entries {
			let is_jailed = [LAZY, GONE].contains(&entry.node);
			assert!(entry.byte_blocks > 0);
			if is_jailed {
				assert_eq!((entry.score, entry.weight), (0, 0));
				jailed += 1;
			} else {
				scores.insert(entry.score);
			}
		}
	}
	// Each lane was drawn from, and the seeds made a difference.
	println!(
		"{lanes:?} {fresh} {found} {} {} {jailed}",
		places.len(),
		scores.len()
	);
	assert!(u64::from(lanes[0]) > 10 * SEEDS, "{lanes:?}");
	assert!(u64::from(lanes[1]) > SEEDS / 2, "{lanes:?}");
	assert!(fresh as u64 > 6 * SEEDS, "{fresh}");
	assert!(found as u64 > SEEDS / 2, "{found}");
	assert!(places.len() as u64 > 9 * SEEDS, "{}", places.len());
	assert_eq!(jailed, 2 * SEEDS);
	assert!(scores.len() as u64 > 10 * SEEDS, "{}", scores.len());
	assert!(scores.contains(&0) && scores.iter().all(|score| *score <= ONE));
}

/// An epoch that judges exceptions, and the placements by its map.
#[test]
fn exceptions_are_the_same_natively_and_in_wasm() {
	let blob = Blob::new();
	let mut ext = externalities(genesis::LOCAL);
	let mut chain = Chain::new();
	let pgs = 0..128u32;
	ext.execute_with(|| {
		thirty_nodes(&mut chain);
		let family = pair("Ferdie");
		chain.block_of(vec![signed(&family, register(&family, 30, 0))]);
		chain.until(20, || ClusterMap::totals().0 == 31);
		// In every group in which the last node has a slot, the one without takes it.
		let placement = map().placement().unwrap();
		let zone: Vec<u32> = (0..31)
			.filter(|node| Registry::node(*node).unwrap().params.zone == 0)
			.collect();
		for pg in pgs.clone() {
			let raw = placement.raw(pg).unwrap();
			let without = zone
				.iter()
				.find(|node| !raw.contains(&Some(**node)))
				.unwrap();
			if raw.contains(&Some(30)) {
				let item = pallet_cluster_map::Exception {
					from: 30,
					to: *without,
				};
				ClusterMap::do_set_exceptions(pg, vec![item].try_into().unwrap()).unwrap();
			}
		}
		// Some of them the new map does not allow.
		let first = ClusterMap::exceptions()[0].to;
		ClusterMap::do_set_reweight(first, 0x8000).unwrap();
		chain.until(5, || System::block_number() % 5 == 4);
	});
	let state = State::of(ext);
	let (header, timestamp) = state.copy().execute_with(|| {
		let mut chain = chain.clone();
		let header = chain.next();
		(header, chain.after().timestamp())
	});
	let mut ext = state.copy();
	let (native, sets) = ext.execute_with(|| {
		let before = ClusterMap::exceptions().len();
		Executive::initialize_block(&header);
		Executive::apply_extrinsic(timestamp.clone())
			.unwrap()
			.unwrap();
		let map = map();
		assert!(!map.exceptions.is_empty());
		assert!(map.exceptions.len() < before, "{before}");
		let placement = map.placement().unwrap();
		let sets: Vec<_> = pgs.clone().map(|pg| placement.up(pg).unwrap()).collect();
		(Executive::finalize_block(), sets)
	});
	let mut ext = state.copy();
	let mut ext = ext.ext();
	let _: ExtrinsicInclusionMode = blob.call_on(&mut ext, "Core_initialize_block", &header);
	let applied: ApplyExtrinsicResult =
		blob.call_on(&mut ext, "BlockBuilder_apply_extrinsic", &timestamp);
	applied.unwrap().unwrap();
	for (pg, set) in pgs.zip(sets) {
		let wasm: Result<Vec<Option<u32>>, PlacementError> =
			blob.call_on(&mut ext, "PlacementGroupsApi_up_set", &pg);
		assert_eq!(wasm, Ok(set));
	}
	let wasm: Header = blob.call_on(&mut ext, "BlockBuilder_finalize_block", &());
	assert_eq!(native, wasm);
}

fn map() -> arion_crush::ClusterMap {
	let blob = ClusterMap::map(None).unwrap();
	arion_crush::ClusterMap::decode_checked(&blob).unwrap()
}
