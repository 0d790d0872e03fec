//! What the leaves keep, show and refuse.

#![allow(clippy::unwrap_used)]
use super::*;
use arion_storage_proof::{stripes::verify_entry, Mmr, ShardLen};
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
		owners: [8; 32],
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

fn peaks(batches: &[Batch]) -> arion_storage_proof::Peaks {
	let mut peaks = arion_storage_proof::Peaks::new();
	for batch in batches {
		peaks.append::<Blake2>(batch).unwrap();
	}
	peaks
}

fn followed(known: u64, complete: bool, next: u64, refused: bool) -> Followed {
	Followed {
		known,
		complete,
		next,
		refused,
	}
}

#[test]
fn an_order_is_learned_piece_by_piece() {
	let (_folder, leaves) = fresh();
	let batches: Vec<Batch> = (1..12).map(|seed| tree(seed, 2).batch()).collect();
	let newest = peaks(&batches);
	let mut at = 0;
	for piece in batches.chunks(3) {
		let got = leaves.follow(3, &newest, at, piece, false).unwrap();
		at += piece.len() as u64;
		let complete = at == 11;
		assert_eq!(got, followed(at, complete, at, false));
		// Given twice, from before, or from behind a gap, it changes nothing.
		let again = leaves.follow(3, &newest, 0, &batches[..1], false).unwrap();
		let gap = leaves.follow(3, &newest, at + 1, &batches[..1], false);
		assert_eq!((again, gap.unwrap()), (got, got));
	}
	assert_eq!(leaves.batches(3).unwrap(), batches);
	// With what was known of other chains' blocks: fewer batches, as the worker lags behind.
	let got = leaves.follow(3, &peaks(&batches[..7]), 7, &[], false);
	assert_eq!(got.unwrap(), followed(11, true, 7, false));
	assert_eq!(leaves.known(3).unwrap(), 11);
	assert_eq!(leaves.known(2).unwrap(), 0);
	let unsound = codec::Encode::encode(&(codec::Compact(3u64), Vec::<[u8; 40]>::new()));
	let unsound = codec::Decode::decode(&mut &unsound[..]).unwrap();
	let error = leaves.follow(3, &unsound, 0, &[], false).unwrap_err();
	assert!(matches!(error, LeavesError::Proof(_)), "{error}");
}

#[test]
fn a_reorg_is_followed() {
	let (_folder, leaves) = fresh();
	let kept = tree(50, 2);
	leaves.keep(&reference(3, &kept), &kept, 10).unwrap();
	let mut batches: Vec<Batch> = (1..8).map(|seed| tree(seed, 2).batch()).collect();
	batches[6] = kept.batch();
	let got = leaves.follow(3, &peaks(&batches), 0, &batches, false);
	assert!(got.unwrap().complete);
	let old = batches.clone();
	batches[5] = tree(60, 1).batch();
	batches[6] = tree(61, 1).batch();
	let newest = peaks(&batches);
	// What is known stays until there is something better, which is asked for.
	let got = leaves.follow(3, &newest, 7, &[], false).unwrap();
	assert_eq!(got, followed(7, false, 4, false));
	let got = leaves.follow(3, &newest, 4, &old[4..], false).unwrap();
	assert_eq!(got, followed(7, false, 4, true));
	assert_eq!(leaves.batches(3).unwrap(), old);
	let got = leaves.follow(3, &newest, 4, &batches[4..], false).unwrap();
	assert_eq!(got, followed(7, true, 7, false));
	assert_eq!(leaves.batches(3).unwrap(), batches);
	// The entries of the batch that left the chain wait for it again, and go if it never comes.
	assert!(leaves.entries(3, &kept.batch().root).unwrap().is_some());
	let late = tree(70, 1);
	leaves
		.keep(&reference(3, &late), &late, 10 + OPEN_LIFE)
		.unwrap();
	assert!(leaves.entries(3, &kept.batch().root).unwrap().is_none());
}

#[test]
fn false_batches_below_an_open_peak_do_not_stick() {
	let (_folder, leaves) = fresh();
	let batches: Vec<Batch> = (1..9).map(|seed| tree(seed, 2).batch()).collect();
	let newest = peaks(&batches);
	let mut lies = batches.clone();
	lies[1] = tree(99, 1).batch();
	// Nothing decides on three of eight batches, so lies are taken like anything else.
	let got = leaves.follow(3, &newest, 0, &lies[..3], false).unwrap();
	assert_eq!(got, followed(3, false, 3, false));
	// The truth is complete with its first word, whatever is known.
	let whole = leaves.follow(3, &newest, 0, &batches, false).unwrap();
	assert_eq!(whole, followed(8, true, 8, false));
	// Or in pieces: they do not fit, so that there is doubt, and then they are taken.
	let (_folder, leaves) = fresh();
	leaves.follow(3, &newest, 0, &lies[..3], false).unwrap();
	let got = leaves.follow(3, &newest, 3, &batches[3..], false).unwrap();
	assert_eq!(got, followed(3, false, 0, true));
	let got = leaves.follow(3, &newest, 0, &batches[..4], false).unwrap();
	assert!(got.refused);
	let got = leaves.follow(3, &newest, 0, &batches[..4], true).unwrap();
	assert_eq!(got, followed(4, false, 4, false));
	let got = leaves.follow(3, &newest, 4, &batches[4..], false).unwrap();
	assert!(got.complete);
	assert_eq!(leaves.batches(3).unwrap(), batches);
	// What is there is not given up for peaks that nothing decides on yet.
	lies.push(tree(98, 1).batch());
	lies.extend((100..107).map(|seed| tree(seed, 1).batch()));
	let got = leaves.follow(3, &peaks(&lies), 0, &lies[..3], false);
	assert!(got.unwrap().refused);
	assert_eq!(leaves.batches(3).unwrap(), batches);
}
