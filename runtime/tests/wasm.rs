//! Native code and the runtime's wasm make the same draws and scores, for many seeds: blocks that draw,
//! sweep and settle an era are made by both on the same state, and must be the same to the last bit.
#![allow(clippy::unwrap_used)]

mod common;

use arion_storage_proof::{sample, PgLedger};
use common::{
	beats,
	blob::Blob,
	externalities,
	nodes::{register, thirty_nodes},
	pair, signed,
	stored::Stored,
	Chain,
};
use fastrand::Rng;
use frame_support::BoundedVec;
use hippius_primitives::{audit::AskedOf, traits::PlacementWeights};
use hippius_runtime::*;
use hippius_score::Reputation;
use pallet_placement_groups::PlacementError;
use sp_io::TestExternalities;
use sp_runtime::{ApplyExtrinsicResult, ExtrinsicInclusionMode, StateVersion};

/// Seeds tried.
const SEEDS: u64 = 48;

/// A value of a state, and how often it is there.
type Counted = (Vec<u8>, i32);

/// A state that can be copied.
struct State {
	raw: Vec<(Vec<u8>, Counted)>,
	root: Hash,
}

impl State {
	fn of(mut ext: TestExternalities) -> Self {
		ext.commit_all().unwrap();
		let (raw, root) = ext.into_raw_snapshot();
		Self { raw, root }
	}

	fn copy(&self) -> TestExternalities {
		TestExternalities::from_raw_snapshot(self.raw.clone(), self.root, StateVersion::V1)
	}
}

/// Gives the parent's author another VRF output, and every node another record, uptime and amount held;
/// an era is to be settled in the next block.
fn shuffle(seed: u64) {
	let mut rng = Rng::with_seed(seed);
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(sample::hash(seed)));
	for node in 0..30 {
		let record = pallet_ranking::Record {
			reputation: (0..rng.u32(0..600)).fold(Reputation::NEW, |reputation, _| {
				reputation.audited(rng.u32(0..1_000) < 995)
			}),
			samples: rng.u32(..),
			active_days: rng.u32(0..400),
			last_day: rng.bool().then(|| rng.u32(0..10)),
		};
		pallet_ranking::Records::<Runtime>::insert(node, record);
		let held = u128::from(rng.u64(..)) << rng.u32(0..40);
		pallet_ranking::Held::<Runtime>::insert(node, held);
	}
	pallet_heartbeats::Pages::<Runtime>::mutate(0, |page| {
		for node in page.as_mut().unwrap().nodes.iter_mut().flatten() {
			node.due = rng.u32(1..90_000);
			node.seen = rng.u32(0..=node.due);
		}
	});
	pallet_ranking::Closing::<Runtime>::put(pallet_ranking::Settling {
		era: seed as u32,
		blocks: rng.u32(1..10_000),
		page: 0,
	});
}

/// What a block draws and settles, by the state after it.
fn outcome(block: u32, era: u32) -> (Vec<AskedOf>, Vec<pallet_ranking::EraEntry>) {
	let page = pallet_ranking::EraPages::<Runtime>::get(era, 0);
	(Audits::draws(block), BoundedVec::into_inner(page))
}

#[test]
fn draws_and_scores_are_the_same_natively_and_in_wasm() {
	let blob = Blob::new();
	let mut ext = externalities(genesis::LOCAL);
	let mut chain = Chain::new();
	ext.execute_with(|| {
		thirty_nodes(&mut chain);
		beats::pass(&mut chain, 1, &[beats::beats(); 30]);
		chain.until(20, || ClusterMap::epoch() > 0);
		Stored::new().append(&mut chain);
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);
	});
	let base = State::of(ext);
	let (mut draws, mut scores) = (Vec::new(), Vec::new());
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
			(made, outcome(block, era))
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
		let wasm_outcome = ext.execute_with(|| outcome(block, era));
		assert_eq!(native_outcome.0, wasm_outcome.0, "draws of seed {seed}");
		assert_eq!(native_outcome.1, wasm_outcome.1, "scores of seed {seed}");
		// The whole state after the block, by its root.
		assert_eq!(native, wasm, "seed {seed}");
		draws.extend(native_outcome.0);
		scores.extend(native_outcome.1.into_iter().map(|entry| entry.score));
	}
	// The seeds made a difference.
	assert!(draws.len() as u64 > 10 * SEEDS);
	let first = draws[0].slot;
	assert!(draws.iter().any(|asked| asked.slot != first));
	scores.sort_unstable();
	scores.dedup();
	assert!(scores.len() as u64 > 4 * SEEDS, "{}", scores.len());
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
