//! What the leaves keep, show and refuse.

#![allow(clippy::unwrap_used)]
use super::*;
use arion_storage_proof::{stripes::verify_entry, ShardLen};
use hippius_primitives::StripeId;

fn tree(seed: u8, stripes: u8) -> SumTree {
	let entry = |at: u8| StripeEntry {
		stripe: StripeId([seed.wrapping_mul(31).wrapping_add(at); 32]),
		owner: [1; 32],
		shard_len: ShardLen::new(64 * (1 + u64::from(at % 3))).unwrap(),
	};
	SumTree::build::<Blake2>((0..stripes).map(entry).collect()).unwrap()
}

fn reference(pg: Pg, tree: &SumTree) -> BatchRef {
	let Batch {
		root,
		bytes,
		stripes,
	} = tree.batch();
	BatchRef {
		genesis: [9; 32],
		pg,
		epoch: 1,
		root,
		bytes,
		stripes,
	}
}

fn fresh() -> (tempfile::TempDir, Leaves) {
	let folder = tempfile::tempdir().unwrap();
	let leaves = Leaves::open(&folder.path().join("leaves.redb")).unwrap();
	(folder, leaves)
}

#[test]
fn every_byte_of_a_ledger_is_found_and_shown() {
	let (folder, leaves) = fresh();
	let trees: Vec<_> = (0..5).map(|seed| tree(seed, seed + 1)).collect();
	let mut mmr = Mmr::new();
	for (number, tree) in (0u64..).zip(&trees) {
		leaves.keep(&reference(3, tree), tree, 10).unwrap();
		leaves.confirm(3, number, &tree.batch()).unwrap();
		leaves.confirm(3, number, &tree.batch()).unwrap();
		mmr.append::<Blake2>(&tree.batch()).unwrap();
	}
	drop(leaves);
	let leaves = Leaves::open(&folder.path().join("leaves.redb")).unwrap();
	let total = mmr.peaks().total().unwrap();
	for offset in (0..total).step_by(32) {
		let place = leaves.place(3, mmr.peaks(), offset).unwrap();
		let batch = place.tree.batch();
		let leaf = batch.leaf::<Blake2>();
		let start = mmr
			.peaks()
			.verify_offset::<Blake2>(place.batch, &leaf, &place.path, offset)
			.unwrap();
		let entry = place.tree.entries()[place.stripe as usize];
		let way = place.tree.prove(place.stripe).unwrap();
		let first = verify_entry::<Blake2>(&batch, place.stripe, &entry, &way).unwrap();
		assert_eq!(start + first + place.byte, offset);
		assert!(place.byte < entry.shard_len.bytes().unwrap());
	}
	let error = leaves.place(3, mmr.peaks(), total).unwrap_err();
	assert!(
		matches!(error, LeavesError::Proof(ProofError::Offset { .. })),
		"{error}"
	);
	// Older peaks are good as well; others are not.
	let mut older = Mmr::new();
	older.append::<Blake2>(&trees[0].batch()).unwrap();
	leaves.place(3, older.peaks(), 0).unwrap();
	for (pg, peaks) in [
		(4, older.peaks()),
		(3, &{
			let mut other = older.clone();
			other.append::<Blake2>(&trees[3].batch()).unwrap();
			other.peaks().clone()
		}),
	] {
		let error = leaves.place(pg, peaks, 0).unwrap_err();
		assert!(matches!(error, LeavesError::OtherLedger { .. }), "{error}");
	}
}

#[test]
fn what_others_signed_for_is_fetched_and_checked() {
	let (_folder, leaves) = fresh();
	let (ours, theirs) = (tree(1, 3), tree(2, 4));
	leaves.keep(&reference(3, &ours), &ours, 10).unwrap();
	leaves.confirm(3, 0, &theirs.batch()).unwrap();
	leaves.confirm(3, 1, &ours.batch()).unwrap();
	assert_eq!(leaves.missing(3, 9).unwrap(), [(0, theirs.batch())]);
	let mut mmr = Mmr::new();
	mmr.append::<Blake2>(&theirs.batch()).unwrap();
	let error = leaves.place(3, mmr.peaks(), 0).unwrap_err();
	assert!(
		matches!(error, LeavesError::NoEntries { number: 0, .. }),
		"{error}"
	);
	let wrong = ours.entries().to_vec();
	let error = leaves.accept(3, 0, wrong, 20).unwrap_err();
	assert!(
		matches!(error, LeavesError::Proof(ProofError::RootMismatch)),
		"{error}"
	);
	let error = leaves
		.accept(3, 2, theirs.entries().to_vec(), 20)
		.unwrap_err();
	assert!(matches!(error, LeavesError::OutOfOrder { .. }), "{error}");
	assert!(leaves.accept(3, 0, Vec::new(), 20).is_err());
	leaves.accept(3, 0, theirs.entries().to_vec(), 20).unwrap();
	assert!(leaves.missing(3, 9).unwrap().is_empty());
	leaves.place(3, mmr.peaks(), 0).unwrap();
}

#[test]
fn an_order_does_not_change() {
	let (_folder, leaves) = fresh();
	let (a, b) = (tree(1, 3).batch(), tree(2, 4).batch());
	let refused = |number, batch: &Batch| {
		let error = leaves.confirm(3, number, batch).unwrap_err();
		assert!(matches!(error, LeavesError::OutOfOrder { .. }), "{error}");
	};
	refused(1, &a);
	leaves.confirm(3, 0, &a).unwrap();
	refused(0, &b);
	refused(2, &b);
	leaves.confirm(3, 1, &b).unwrap();
	assert_eq!(leaves.batches(3).unwrap(), [a, b]);
	assert!(leaves.batches(2).unwrap().is_empty() && leaves.batches(4).unwrap().is_empty());
}

#[test]
fn what_never_came_on_chain_is_dropped_in_time() {
	let (_folder, leaves) = fresh();
	let (stays, goes) = (tree(1, 3), tree(2, 4));
	leaves.keep(&reference(3, &stays), &stays, 10).unwrap();
	leaves.keep(&reference(3, &goes), &goes, 10).unwrap();
	leaves.confirm(3, 0, &stays.batch()).unwrap();
	let has = |tree: &SumTree| leaves.entries(3, &tree.batch().root).unwrap().is_some();
	let early = tree(3, 1);
	leaves
		.keep(&reference(3, &early), &early, 9 + OPEN_LIFE)
		.unwrap();
	assert!(has(&stays) && has(&goes));
	let late = tree(4, 1);
	leaves
		.keep(&reference(3, &late), &late, 10 + OPEN_LIFE)
		.unwrap();
	assert!(has(&stays) && !has(&goes) && has(&early) && has(&late));
	// One that the chain had before we signed stays.
	let known = tree(5, 2);
	leaves.confirm(3, 1, &known.batch()).unwrap();
	leaves.keep(&reference(3, &known), &known, 20).unwrap();
	let last = tree(6, 1);
	leaves
		.keep(&reference(3, &last), &last, 20 + 2 * OPEN_LIFE)
		.unwrap();
	assert!(has(&known) && !has(&early) && !has(&late));
	// Entries that are not those of the batch are not kept.
	let error = leaves.keep(&reference(3, &goes), &stays, 0).unwrap_err();
	assert!(matches!(error, LeavesError::Proof(_)), "{error}");
}
