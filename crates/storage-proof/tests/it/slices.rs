use arion_storage_proof::{
	outboard::group_count,
	sample::bytes,
	slice::{covering_groups, encode_slice, slice_len, slice_parts, SlicePart},
	Outboard, SliceDecoder, SliceError, GROUP_LEN,
};
use hippius_primitives::{id::shard_id, ShardId};
use proptest::prelude::*;
use std::ops::Range;

/// Feeds `slice` in pieces and gives the bytes of the verified groups.
fn receive(
	id: &ShardId,
	len: u64,
	range: Range<u64>,
	slice: &[u8],
	piece: usize,
) -> Result<Vec<u8>, (Vec<u8>, SliceError)> {
	let mut out = Vec::new();
	let mut decoder = SliceDecoder::new(id, len, range.clone()).map_err(|e| (Vec::new(), e))?;
	let mut next = range.start;
	for mut input in slice.chunks(piece.max(1)) {
		while !input.is_empty() {
			match decoder.push(input) {
				Ok(progress) => {
					if let Some(group) = progress.group {
						assert_eq!(group.index, next);
						assert_eq!(group.offset, next * GROUP_LEN as u64);
						assert!(group.bytes.len() <= GROUP_LEN);
						out.extend_from_slice(group.bytes);
						next += 1;
					}
					assert!(progress.consumed > 0);
					input = &input[progress.consumed..];
				}
				Err(error) => {
					assert_eq!(decoder.push(&[1]), Err(error), "it stays failed");
					assert!(!decoder.is_done());
					return Err((out, error));
				}
			}
		}
	}
	// A single group with no bytes becomes whole without input.
	if let Ok(progress) = decoder.push(&[]) {
		if let Some(group) = progress.group {
			assert!(group.bytes.is_empty());
		}
	}
	let done = decoder.is_done();
	assert_eq!(decoder.wanted() == 0, done);
	match decoder.finish() {
		Ok(()) => {
			assert!(done);
			Ok(out)
		}
		Err(error) => {
			assert!(!done);
			Err((out, error))
		}
	}
}

fn part(shard: &[u8], range: &Range<u64>) -> Vec<u8> {
	let end = (range.end as usize * GROUP_LEN).min(shard.len());
	shard[range.start as usize * GROUP_LEN..end].to_vec()
}

#[test]
fn every_range_of_small_shards_arrives() {
	for len in [
		0,
		1,
		64,
		GROUP_LEN - 1,
		GROUP_LEN,
		GROUP_LEN + 1,
		2 * GROUP_LEN,
		3 * GROUP_LEN + 64,
		5 * GROUP_LEN,
		6 * GROUP_LEN + 1,
		9 * GROUP_LEN - 1,
	] {
		let shard = bytes(len, len as u64);
		let id = shard_id(&shard);
		let outboard = Outboard::build(&shard);
		let groups = group_count(len as u64);
		for start in 0..groups {
			for end in start + 1..=groups {
				let range = start..end;
				let slice = encode_slice(&shard, &outboard, range.clone()).unwrap();
				assert_eq!(slice_len(len as u64, range.clone()), Ok(slice.len() as u64));
				for piece in [1 << 20, GROUP_LEN, 1000] {
					assert_eq!(
						receive(&id, len as u64, range.clone(), &slice, piece),
						Ok(part(&shard, &range)),
						"{range:?} of {len} by {piece}"
					);
				}
			}
		}
	}
}

#[test]
fn a_whole_shard_arrives_and_costs_four_per_mille() {
	let shard = bytes(1 << 20, 9);
	let outboard = Outboard::build(&shard);
	let slice = encode_slice(&shard, &outboard, 0..64).unwrap();
	assert_eq!(slice.len(), (1 << 20) + 63 * 64);
	let id = shard_id(&shard);
	assert_eq!(
		receive(&id, 1 << 20, 0..64, &slice, 1 << 22).unwrap(),
		shard
	);
	assert_eq!(receive(&id, 1 << 20, 0..64, &slice, 1337).unwrap(), shard);
	let one = encode_slice(&shard, &outboard, 33..34).unwrap();
	assert_eq!(one.len(), GROUP_LEN + 6 * 64);
}

#[test]
fn the_first_bad_group_is_named_and_nothing_behind_it_is_given_out() {
	let shard = bytes(8 * GROUP_LEN + 500, 4);
	let id = shard_id(&shard);
	let len = shard.len() as u64;
	let outboard = Outboard::build(&shard);
	for bad in 0..9usize {
		let mut lie = shard.clone();
		lie[bad * GROUP_LEN + 77] ^= 4;
		let slice = encode_slice(&lie, &outboard, 0..9).unwrap();
		let (got, error) = receive(&id, len, 0..9, &slice, 5000).unwrap_err();
		assert_eq!(error, SliceError::BadGroup(bad as u64));
		assert_eq!(got, shard[..bad * GROUP_LEN]);
	}
	// The liar hashes what he sends: his root is another.
	let mut lie = shard.clone();
	lie[0] ^= 1;
	let slice = encode_slice(&lie, &Outboard::build(&lie), 0..9).unwrap();
	let (got, error) = receive(&id, len, 0..9, &slice, 5000).unwrap_err();
	assert_eq!(
		error,
		SliceError::BadParent {
			first: 0,
			groups: 9
		}
	);
	assert!(got.is_empty());
}

#[test]
fn slices_cut_short_or_too_long_are_refused() {
	let shard = bytes(3 * GROUP_LEN + 64, 5);
	let (id, len) = (shard_id(&shard), shard.len() as u64);
	let outboard = Outboard::build(&shard);
	let slice = encode_slice(&shard, &outboard, 1..4).unwrap();
	for cut in (0..slice.len()).step_by(509) {
		let (_, error) = receive(&id, len, 1..4, &slice[..cut], 4096).unwrap_err();
		assert!(matches!(error, SliceError::Truncated(1..=3)), "{error}");
	}
	let mut long = slice.clone();
	long.push(0);
	let (_, error) = receive(&id, len, 1..4, &long, 4096).unwrap_err();
	assert_eq!(error, SliceError::TrailingBytes);
	// Slices of other ranges and of other lengths.
	for range in [0..4, 1..3, 2..4, 0..1] {
		assert!(receive(&id, len, range, &slice, 4096).is_err());
	}
	for other in [len - 64, len + 64, 2 * GROUP_LEN as u64, 1 << 20] {
		if group_count(other) >= 4 {
			assert!(receive(&id, other, 1..4, &slice, 4096).is_err());
		}
	}
}

#[test]
fn impossible_ranges_and_lengths_are_refused() {
	let shard = bytes(3 * GROUP_LEN, 6);
	let (id, len) = (shard_id(&shard), shard.len() as u64);
	let outboard = Outboard::build(&shard);
	#[allow(clippy::reversed_empty_ranges)]
	for range in [
		0..0,
		2..1,
		0..4,
		3..4,
		3..3,
		u64::MAX..u64::MAX,
		0..u64::MAX,
	] {
		let refused = SliceError::Range {
			start: range.start,
			end: range.end,
			groups: 3,
		};
		assert_eq!(
			SliceDecoder::new(&id, len, range.clone()).unwrap_err(),
			refused
		);
		assert_eq!(slice_len(len, range.clone()), Err(refused));
		assert_eq!(slice_parts(len, range.clone()).err(), Some(refused));
		assert_eq!(encode_slice(&shard, &outboard, range), Err(refused));
	}
	assert!(matches!(
		encode_slice(&shard[1..], &outboard, 0..3),
		Err(SliceError::ShardLength { .. })
	));
	// The greatest length there can be costs no memory and no time.
	let most = u64::MAX.div_ceil(GROUP_LEN as u64);
	assert_eq!(group_count(u64::MAX), most);
	assert!(slice_len(u64::MAX, 0..most).is_ok());
	assert!(slice_len(u64::MAX, 5..most - 3).is_ok());
	let mut decoder = SliceDecoder::new(&id, u64::MAX, most - 1..most).unwrap();
	assert!(decoder.push(&[0; 64]).is_err());
	assert_eq!(slice_parts(u64::MAX, most - 1..most).unwrap().count(), 51);
}

#[test]
fn byte_ranges_become_groups() {
	let group = GROUP_LEN as u64;
	assert_eq!(covering_groups(1 << 20, 0..1), Some(0..1));
	assert_eq!(covering_groups(1 << 20, group - 1..group + 1), Some(0..2));
	assert_eq!(covering_groups(1 << 20, group..2 * group), Some(1..2));
	assert_eq!(covering_groups(1 << 20, 5..5), None);
	assert_eq!(covering_groups(100, 0..101), None);
	assert_eq!(covering_groups(100, 0..100), Some(0..1));
}

#[test]
fn senders_read_in_the_order_of_the_wire() {
	let parts: Vec<_> = slice_parts(5 * GROUP_LEN as u64, 1..3).unwrap().collect();
	let group = |index: u64| SlicePart::Group {
		index,
		offset: index * GROUP_LEN as u64,
		len: GROUP_LEN as u64,
	};
	// Root, left half of four, its two pairs with one group each.
	assert_eq!(
		parts,
		[
			SlicePart::Pair { offset: 0 },
			SlicePart::Pair { offset: 64 },
			SlicePart::Pair { offset: 128 },
			group(1),
			SlicePart::Pair { offset: 192 },
			group(2),
		]
	);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn no_changed_bit_passes(
		len in 1usize..6 * GROUP_LEN,
		a in any::<u64>(),
		b in any::<u64>(),
		bit in any::<usize>(),
		piece in 1usize..40_000,
	) {
		let shard = bytes(len, a);
		let (id, groups) = (shard_id(&shard), group_count(len as u64));
		let start = a % groups;
		let range = start..start + 1 + b % (groups - start);
		let mut slice = encode_slice(&shard, &Outboard::build(&shard), range.clone()).unwrap();
		prop_assert_eq!(receive(&id, len as u64, range.clone(), &slice, piece), Ok(part(&shard, &range)));
		let bit = bit % (slice.len() * 8);
		slice[bit / 8] ^= 1 << (bit % 8);
		let (got, _) = receive(&id, len as u64, range.clone(), &slice, piece).unwrap_err();
		prop_assert_eq!(&got[..], &part(&shard, &range)[..got.len()]);
	}

	#[test]
	fn garbage_never_panics(len in any::<u64>(), a in any::<u64>(), b in any::<u64>(), garbage in prop::collection::vec(any::<u8>(), 0..4000)) {
		let id = ShardId([7; 32]);
		for (len, range) in [(len, a..b), (len % 100_000, a % 7..b % 8), (len, a % group_count(len)..group_count(len))] {
			if let Ok(mut decoder) = SliceDecoder::new(&id, len, range) {
				let _ = decoder.push(&garbage);
				prop_assert!(decoder.finish().is_err());
			}
		}
	}
}
