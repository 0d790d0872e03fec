#![allow(clippy::unwrap_used)]

use super::*;
use arion_crush::{ClusterMap, FailureDomain, PlacementRule};
use proptest::prelude::*;

fn map(pg_num: u32) -> ClusterMap {
	ClusterMap::plain(
		1,
		pg_num,
		1,
		PlacementRule::new(5, FailureDomain::Host),
		Vec::new(),
	)
}

fn stripe(seed: u32) -> StripeId {
	let mut id = *blake3::hash(&seed.to_le_bytes()).as_bytes();
	id[..4].copy_from_slice(&seed.to_le_bytes());
	StripeId(id)
}

fn shard(n: u32) -> ShardId {
	ShardId(*blake3::hash(&n.to_be_bytes()).as_bytes())
}

fn index(dir: &std::path::Path) -> Index {
	let state = Arc::new(State::open(&dir.join("repair.redb")).unwrap());
	Index::open(state).unwrap()
}

/// All stripes of a span, page by page.
fn all(index: &Index, span: &Span, limit: usize) -> Vec<Listed> {
	let (mut after, mut listed) = (None, Vec::new());
	loop {
		let page = index.page(span, after, limit, |_| true).unwrap();
		assert!(page.stripes.len() <= limit);
		listed.extend(page.stripes);
		match page.next {
			Some(next) => after = Some(next),
			None => return listed,
		}
	}
}

proptest! {
	#[test]
	fn a_span_is_exactly_its_placement_group(
		pg_num in 1u32..300, seeds in prop::collection::vec(any::<u32>(), 1..50),
	) {
		let map = map(pg_num);
		for seed in seeds {
			let stripe = stripe(seed);
			let own = map.pg_of(&stripe);
			for pg in 0..pg_num {
				prop_assert_eq!(Span::of(pg, pg_num).unwrap().contains(&stripe), pg == own);
			}
		}
		prop_assert_eq!(Span::of(pg_num, pg_num), None);
	}
}

#[test]
fn pages_list_every_stripe_of_a_group_once_and_in_order() {
	let dir = tempfile::tempdir().unwrap();
	let index = index(dir.path());
	for seed in 0..300u32 {
		for slot in 0..(seed % 3 + 1) as u8 {
			index.note(stripe(seed), slot, shard(seed), Mark::Live);
		}
	}
	let map = map(6);
	for pg in 0..6 {
		let span = Span::of(pg, 6).unwrap();
		let of_pg = (0..300).filter(|seed| map.pg_of(&stripe(*seed)) == pg);
		let mut expected: Vec<Listed> = of_pg
			.map(|seed| Listed {
				stripe: stripe(seed),
				slots: (1 << (seed % 3 + 1)) - 1,
			})
			.collect();
		expected.sort_by_key(|listed| listed.stripe.group_key());
		for limit in [1, 7, 1024] {
			assert_eq!(all(&index, &span, limit), expected, "pg {pg} limit {limit}");
		}
	}
}

#[test]
fn what_is_gone_released_or_deleted_is_not_listed() {
	let dir = tempfile::tempdir().unwrap();
	let index = index(dir.path());
	for seed in 0..4 {
		index.note(stripe(seed), 5, shard(seed), Mark::Live);
	}
	index.note(stripe(0), 5, shard(0), Mark::Released);
	index.deleted(&stripe(1)).unwrap();
	let held = |id: &ShardId| *id != shard(2);
	let page = index.page(&Span::ALL, None, 10, held).unwrap();
	let stripes: Vec<StripeId> = page.stripes.iter().map(|listed| listed.stripe).collect();
	assert_eq!(stripes, [stripe(3)]);
	assert_eq!(
		index.row(&stripe(1), 5).unwrap().unwrap().mark,
		Mark::Deleted
	);
	// Stored again, it is back.
	index.note(stripe(0), 5, shard(0), Mark::Live);
	assert_eq!(all(&index, &Span::ALL, 10).len(), 3);
}

#[test]
fn it_is_whole_after_an_orderly_stop_only() {
	let dir = tempfile::tempdir().unwrap();
	let opened = index(dir.path());
	assert!(!opened.is_whole());
	opened.note(stripe(1), 0, shard(1), Mark::Live);
	opened.set_whole(true);
	opened.close().unwrap();
	drop(opened);
	let opened = index(dir.path());
	assert!(opened.is_whole());
	assert_eq!(opened.of_stripe(&stripe(1)).unwrap().len(), 1);
	// As if the process died here.
	drop(opened);
	assert!(!index(dir.path()).is_whole());
}

#[test]
fn more_rows_than_can_wait_make_it_incomplete_and_nothing_else() {
	let dir = tempfile::tempdir().unwrap();
	let index = index(dir.path());
	index.set_whole(true);
	for seed in 0..=MAX_PENDING as u32 {
		index.note(StripeId(shard(seed).0), 0, shard(seed), Mark::Live);
	}
	assert!(!index.is_whole());
	assert_eq!(index.pending(), MAX_PENDING);
	index.flush(false).unwrap();
	assert_eq!(index.pending(), 0);
}

#[test]
fn a_damaged_file_is_put_aside() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("repair.redb");
	std::fs::write(&path, vec![7; 5000]).unwrap();
	let state = State::open(&path).unwrap();
	assert!(state.complete().unwrap().is_empty());
	assert!(path.with_extension("damaged").exists());
	state
		.set_complete([(3, 4), (1 << 19, 29)], Some(77))
		.unwrap();
	state.set_complete([(3, 4)], None).unwrap();
	let complete: Vec<_> = state.complete().unwrap().into_iter().collect();
	assert_eq!(complete, [((1 << 19, 29), 77)]);
	// In use.
	let error = State::open(&path).err().unwrap().to_string();
	assert!(error.contains("repair.redb"), "{error}");
}
