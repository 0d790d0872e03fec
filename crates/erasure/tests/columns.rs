//! Repair of parts of shards.
#![allow(clippy::unwrap_used)]

use arion_erasure::{
	Codec, CodecError, DecodePlan, Kernel, ShardSet, Stores, StripeCodec, DATA_SHARDS,
};
use core::ops::Range;

const GROUP: usize = 16 * 1024;

/// Shards of a stripe, whose length is no multiple of anything.
fn stripe() -> Vec<Vec<u8>> {
	let mut state = 0x9E37_79B9_7F4A_7C15u64;
	let mut byte = || {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		(state >> 24) as u8
	};
	let data: Vec<u8> = (0..DATA_SHARDS * 50_000 - 7).map(|_| byte()).collect();
	Codec::shared().encode_stripe(&data).unwrap()
}

/// The columns of the wanted shards, from those columns of the sources alone.
fn repair(
	codec: &Codec,
	plan: &DecodePlan,
	shards: &[Vec<u8>],
	columns: Range<usize>,
) -> Vec<Vec<u8>> {
	let sources = plan.sources().map(|slot| &shards[slot][columns.clone()]);
	let mut wanted = vec![vec![0; columns.len()]; plan.wanted().len()];
	let mut outputs: Vec<&mut [u8]> = wanted.iter_mut().map(Vec::as_mut_slice).collect();
	codec
		.recover_columns(plan, shards[0].len(), columns, &sources, &mut outputs)
		.unwrap();
	wanted
}

#[test]
fn columns_equal_those_of_whole_shards() {
	let shards = stripe();
	let len = shards[0].len();
	let lost = [
		ShardSet::from_slots([3]).unwrap(),
		ShardSet::from_slots([0, 29]).unwrap(),
		ShardSet::from_slots([0, 1, 2, 3, 12, 20, 28]).unwrap(),
		ShardSet::DATA,
		ShardSet::ALL.without(ShardSet::DATA),
	];
	let ranges = [
		0..GROUP,
		GROUP..2 * GROUP,
		3 * GROUP..len,
		0..len,
		17..18,
		100..163,
		5..5,
		len..len,
	];
	for kernel in Kernel::ALL.into_iter().filter(|k| k.is_available()) {
		let codec = Codec::with_kernel(kernel);
		for lost in lost {
			let plan = codec.plan(ShardSet::ALL.without(lost), lost).unwrap();
			for columns in ranges.clone() {
				let repaired = repair(&codec, &plan, &shards, columns.clone());
				for (slot, repaired) in lost.iter().zip(repaired) {
					assert!(
						repaired == shards[slot][columns.clone()],
						"{kernel}, slot {slot}, columns {columns:?}"
					);
				}
			}
		}
	}
}

#[test]
fn all_ways_to_store_give_the_same() {
	let shards = stripe();
	let codec = Codec::shared();
	let lost = ShardSet::from_slots([1, 5, 11]).unwrap();
	let plan = codec.plan(ShardSet::ALL.without(lost), lost).unwrap();
	let sources = plan.sources().map(|slot| &shards[slot][..]);
	for stores in [Stores::Auto, Stores::Cached, Stores::Streaming] {
		let mut wanted = vec![vec![0; shards[0].len()]; 3];
		let mut outputs: Vec<&mut [u8]> = wanted.iter_mut().map(Vec::as_mut_slice).collect();
		codec
			.recover_with(&plan, &sources, &mut outputs, stores)
			.unwrap();
		for (slot, shard) in lost.iter().zip(&wanted) {
			assert!(*shard == shards[slot], "{stores:?}");
		}
	}
}

#[test]
fn ranges_and_lengths_that_lie_are_refused() {
	let codec = Codec::shared();
	let lost = ShardSet::from_slots([0]).unwrap();
	let plan = codec.plan(ShardSet::ALL.without(lost), lost).unwrap();
	let sources = [&[1u8; 64][..]; DATA_SHARDS];
	let mut output = [7u8; 64];
	let mut recover = |shard_len, columns, sources: &[&[u8]; DATA_SHARDS]| {
		let result = codec.recover_columns(&plan, shard_len, columns, sources, &mut [&mut output]);
		assert_eq!(output, [7; 64], "no output is written");
		result
	};
	#[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
	for (shard_len, Range { start, end }) in [
		(100, 40..104),
		(100, 80..16),
		(63, 0..64),
		(0, 0..64),
		(100, usize::MAX - 63..usize::MAX),
		(100, usize::MAX..0),
	] {
		let expected = CodecError::ColumnRange {
			start,
			end,
			shard_len,
		};
		assert_eq!(recover(shard_len, start..end, &sources), Err(expected));
	}
	// Buffers that agree with each other but not with the range.
	let expected = CodecError::LengthMismatch {
		index: 0,
		len: 64,
		expected: 63,
	};
	assert_eq!(recover(100, 0..63, &sources), Err(expected));
	let mut short = sources;
	short[7] = &[1; 63];
	let expected = CodecError::LengthMismatch {
		index: 7,
		len: 63,
		expected: 64,
	};
	assert_eq!(recover(100, 0..64, &short), Err(expected));
	let none = codec.recover_columns(&plan, 100, 0..64, &sources, &mut []);
	assert_eq!(none, Err(CodecError::CountMismatch { have: 0, need: 1 }));
	assert_eq!(
		CodecError::ColumnRange { start: 40, end: 104, shard_len: 100 }.to_string(),
		"columns 40 to 104 of shards of 100 bytes: a range must start before it ends, within the shard"
	);
}
