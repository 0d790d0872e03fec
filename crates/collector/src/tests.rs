//! A collector against honest, late, lying and flooding nodes.
#![allow(clippy::unwrap_used)]

use crate::{BeatError, Book, ChainView, Terms};
use ed25519_dalek::{Signer, SigningKey};
use hippius_primitives::{
	heartbeat::{evidence_leaf, evidence_root, Beat, Page, SignedBeat, Window},
	NodeIndex, NodeKey,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const GENESIS: [u8; 32] = [7; 32];

/// A chain on which nodes 0 to 999 are registered and page 3 is somebody else's.
struct Fake {
	best: u32,
	fork: Option<u32>,
}

impl Fake {
	fn at(best: u32) -> Self {
		Self { best, fork: None }
	}
}

fn hash(number: u32) -> [u8; 32] {
	let mut hash = [1; 32];
	hash[..4].copy_from_slice(&number.to_le_bytes());
	hash
}

fn key(node: NodeIndex) -> SigningKey {
	let mut seed = [3; 32];
	seed[..4].copy_from_slice(&node.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

impl ChainView for Fake {
	fn best(&self) -> u32 {
		self.best
	}
	fn hash(&self, number: u32) -> Option<[u8; 32]> {
		let known = number <= self.best;
		known.then(|| {
			if self.fork == Some(number) {
				[9; 32]
			} else {
				hash(number)
			}
		})
	}
	fn keys(&self, node: NodeIndex) -> Vec<NodeKey> {
		let registered = node < 1_000;
		Vec::from_iter(registered.then(|| NodeKey(key(node).verifying_key().to_bytes())))
	}
	fn collects(&self, _: Window, page: Page) -> bool {
		page != 3
	}
}

/// Windows of 100 blocks with 20 beats: a slot is five blocks.
fn terms() -> Terms {
	Terms {
		genesis: GENESIS,
		window_blocks: 100.try_into().unwrap(),
		beats: 20.try_into().unwrap(),
		tolerance: 3,
	}
}

fn beat(node: NodeIndex, seq: u64, best: u32) -> SignedBeat {
	let beat = Beat {
		genesis: GENESIS,
		node,
		seq,
		best,
		best_hash: hash(best),
		map_epoch: 1,
		used: 10,
		free: 20,
		version: [0, 1, 0],
	};
	sign(beat)
}

fn sign(beat: Beat) -> SignedBeat {
	let signature = key(beat.node).sign(&beat.payload()).to_bytes();
	SignedBeat { beat, signature }
}

fn counts(book: &Book, window: Window) -> Vec<u8> {
	book.report(window, 0, 0).unwrap().counts.into_inner()
}

#[test]
fn a_node_heard_in_every_slot_has_all_its_beats() {
	let mut book = Book::new(terms());
	for (seq, block) in (200..300).step_by(5).enumerate() {
		assert_eq!(
			book.take(beat(4, seq as u64 + 1, block), &Fake::at(block)),
			Ok(true)
		);
	}
	assert_eq!(counts(&book, 2), [0, 0, 0, 0, 20]);
	let report = book.report(2, 0, 8).unwrap();
	assert_eq!((report.window, report.page, report.collector), (2, 0, 8));
	let shown = book.evidence(2, 4);
	assert_eq!(shown.len(), 20);
	let leaf = evidence_leaf(&shown);
	assert_eq!(
		report.evidence,
		evidence_root(&[[0; 32], [0; 32], [0; 32], [0; 32], leaf])
	);
	// Another page of the same window: nobody was heard.
	assert!(book.report(2, 1, 8).unwrap().counts.is_empty());
	assert_eq!(book.report(1, 0, 8), None);
}

#[test]
fn a_burst_counts_once() {
	let mut book = Book::new(terms());
	for seq in 1..=50 {
		assert_eq!(book.take(beat(0, seq, 200), &Fake::at(200)), Ok(seq == 1));
	}
	// Naming other blocks does not help: the collector's clock decides.
	for (seq, block) in (51..).zip(199..=203) {
		assert_eq!(book.take(beat(0, seq, block), &Fake::at(201)), Ok(false));
	}
	assert_eq!(counts(&book, 2), [1]);
}

#[test]
fn what_is_not_sound_does_not_count() {
	let mut book = Book::new(terms());
	let chain = Fake::at(250);
	assert_eq!(book.take(beat(1, 5, 250), &chain), Ok(true));
	let mut other = beat(1, 6, 250);
	other.beat.genesis = [0; 32];
	let mut forged = beat(2, 6, 250);
	forged.beat.free += 1;
	let by_another = SignedBeat {
		signature: beat(5, 6, 250).signature,
		..beat(2, 6, 250)
	};
	let not_fresh = |named| BeatError::NotFresh { named, best: 250 };
	let replayed = |seq| BeatError::Replayed {
		node: 1,
		seq,
		last: 5,
	};
	for (signed, error) in [
		(other, BeatError::OtherChain),
		(beat(2, 1, 246), not_fresh(246)),
		(beat(2, 1, 254), not_fresh(254)),
		(beat(2, 1, u32::MAX), not_fresh(u32::MAX)),
		(beat(3 * 256, 1, 250), BeatError::NotMyPage(3)),
		(beat(1, 5, 250), replayed(5)),
		(beat(1, 4, 250), replayed(4)),
		(beat(1_500, 1, 250), BeatError::UnknownNode(1_500)),
		(forged, BeatError::BadSignature(2)),
		(by_another, BeatError::BadSignature(2)),
	] {
		assert_eq!(book.take(signed, &chain), Err(error));
	}
	assert_eq!(counts(&book, 2), [0, 1]);
	// Refused beats leave the honest one's way free.
	assert_eq!(book.take(beat(2, 1, 250), &chain), Ok(true));
}

#[test]
fn a_beat_of_a_fork_does_not_count_and_one_ahead_does() {
	let mut book = Book::new(terms());
	let chain = Fake {
		best: 250,
		fork: Some(249),
	};
	assert_eq!(
		book.take(beat(1, 1, 249), &chain),
		Err(BeatError::OtherFork(249))
	);
	// Its full node is a block ahead.
	assert_eq!(book.take(beat(1, 2, 251), &chain), Ok(true));
}

#[test]
fn a_weak_key_signs_for_nobody() {
	struct Weak;
	impl ChainView for Weak {
		fn best(&self) -> u32 {
			250
		}
		fn hash(&self, number: u32) -> Option<[u8; 32]> {
			Some(hash(number))
		}
		fn keys(&self, _: NodeIndex) -> Vec<NodeKey> {
			// The neutral element, and bytes that are no point.
			let mut neutral = [0; 32];
			neutral[0] = 1;
			vec![NodeKey(neutral), NodeKey([0xff; 32])]
		}
		fn collects(&self, _: Window, _: Page) -> bool {
			true
		}
	}
	let mut zero = beat(1, 1, 250);
	zero.signature = [0; 64];
	zero.signature[0] = 1;
	let refused = Book::new(terms()).take(zero, &Weak);
	assert_eq!(refused, Err(BeatError::BadSignature(1)));
}

#[test]
fn only_two_windows_are_kept() {
	let mut book = Book::new(terms());
	for (seq, window) in (1..).zip([2, 3, 7]) {
		let block = window * 100;
		assert_eq!(book.take(beat(1, seq, block), &Fake::at(block)), Ok(true));
	}
	assert_eq!(book.windows().collect::<Vec<_>>(), [3, 7]);
	assert_eq!(book.report(2, 0, 0), None);
	// Node 2 beat once and was forgotten; it may start its numbers anew.
	let mut book = Book::new(terms());
	assert_eq!(book.take(beat(2, 9, 100), &Fake::at(100)), Ok(true));
	for (seq, window) in (1..).zip(2..5) {
		let block = window * 100;
		assert_eq!(book.take(beat(1, seq, block), &Fake::at(block)), Ok(true));
	}
	assert_eq!(book.take(beat(2, 1, 400), &Fake::at(400)), Ok(true));
}

#[test]
fn slots_cover_a_window_evenly() {
	for (blocks, beats) in [(100u32, 20u8), (10, 10), (7, 3), (5, 200), (1, 1)] {
		let terms = Terms {
			window_blocks: blocks.try_into().unwrap(),
			beats: beats.try_into().unwrap(),
			..terms()
		};
		let slots: BTreeSet<_> = (0..blocks).map(|block| terms.slot_of(block).1).collect();
		assert_eq!(slots.len() as u32, blocks.min(beats.into()));
		assert!(slots.iter().all(|slot| *slot < beats));
		assert_eq!(terms.slot_of(u32::MAX).0, u32::MAX / blocks);
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

	/// Counts are those of a plain set of (window, node, slot), whatever comes in whatever order.
	#[test]
	fn counts_are_distinct_slots(
		mut events in prop::collection::vec((0u32..3, 200u32..400, 0u32..4, any::<bool>()), 1..60),
	) {
		// Blocks come in order, nodes' numbers count on.
		events.sort_by_key(|(_, block, ..)| *block);
		let mut book = Book::new(terms());
		let mut model = BTreeSet::new();
		for (seq, (node, block, behind, sound)) in (1..).zip(events) {
			let mut signed = beat(node, seq, block - behind);
			if !sound {
				signed.signature[5] ^= 1;
			}
			let result = book.take(signed, &Fake::at(block));
			let (window, slot) = terms().slot_of(block);
			if sound {
				prop_assert_eq!(result, Ok(model.insert((window, node, slot))));
			} else if !model.contains(&(window, node, slot)) {
				prop_assert_eq!(result, Err(BeatError::BadSignature(node)));
			}
		}
		for window in book.windows() {
			let counted = book.report(window, 0, 0).unwrap().counts;
			for (place, count) in counted.iter().enumerate() {
				let slots = model.iter().filter(|(w, node, _)| *w == window && *node as usize == place);
				prop_assert_eq!(slots.count(), usize::from(*count));
			}
		}
	}
}

#[tokio::test]
async fn beats_arrive_over_the_network() {
	use crate::Collector;
	use arion_grid::{Grid, GridConfig, GridError, Identity, Status};
	use std::sync::Arc;

	let loopback = "127.0.0.1:0".parse().unwrap();
	let identity = || Arc::new(Identity::generate().unwrap());
	let server = identity();
	let collector_key = server.node_key();
	let grid = Grid::bind(loopback, server, GridConfig::default()).unwrap();
	let collector = Arc::new(Collector::new(Book::new(terms()), Fake::at(250)));
	grid.serve(collector.clone()).unwrap();

	let node = Grid::bind(loopback, identity(), GridConfig::default()).unwrap();
	let peer = node.peer(collector_key, vec![grid.local_addr()]);
	peer.beat(&beat(7, 1, 250)).await.unwrap();
	let mut forged = beat(8, 1, 250);
	forged.signature[0] ^= 1;
	let refused = peer.beat(&forged).await.unwrap_err();
	assert!(
		matches!(&refused, GridError::Answer { status: Status::Refused, detail, .. } if detail.contains("node 8")),
		"{refused}"
	);
	assert_eq!(
		peer.has(vec![hippius_primitives::ShardId([1; 32])])
			.await
			.unwrap(),
		[false]
	);
	assert_eq!(
		collector.with_book(|book| counts(book, 2)),
		[0, 0, 0, 0, 0, 0, 0, 1]
	);
	node.close().await;
	grid.close().await;
}
