//! Slices: which shard, lying length and range, size of pieces, then the slice. What a decoder
//! gives out is the shard's.

use crate::Input;
use arion_storage_proof::{
	outboard::group_count,
	sample::bytes,
	slice::{encode_slice, slice_len, slice_parts},
	Outboard, SliceDecoder, GROUP_LEN,
};
use hippius_primitives::ShardId;
use std::sync::OnceLock;

const LENS: [usize; 6] = [
	0,
	700,
	GROUP_LEN,
	GROUP_LEN + 1,
	3 * GROUP_LEN + 64,
	5 * GROUP_LEN,
];

fn shards() -> &'static [(Vec<u8>, ShardId)] {
	static SHARDS: OnceLock<Vec<(Vec<u8>, ShardId)>> = OnceLock::new();
	SHARDS.get_or_init(|| {
		LENS.iter()
			.map(|len| {
				let shard = bytes(*len, *len as u64);
				let id = hippius_primitives::id::shard_id(&shard);
				(shard, id)
			})
			.collect()
	})
}

/// Feeds the decoder.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	let (shard, id) = &shards()[usize::from(input.u8()) % LENS.len()];
	let (flags, start, end) = (input.u8(), input.u8(), input.u8());
	let piece = usize::from(input.u16()) + 1;
	let mut len = shard.len() as u64;
	let mut range = u64::from(start)..u64::from(end);
	if flags & 1 != 0 {
		len = input.u64();
	}
	if flags & 2 != 0 {
		range = input.u64()..input.u64();
	}
	if flags & 4 != 0 {
		range.start %= group_count(len);
		range.end = range.end.clamp(range.start + 1, group_count(len));
	}
	let expected = slice_len(len, range.clone());
	let parts = slice_parts(len, range.clone());
	let Ok(mut decoder) = SliceDecoder::new(id, len, range.clone()) else {
		assert!(expected.is_err() && parts.is_err());
		return;
	};
	assert!(parts.unwrap().take(100).count() > 0);
	let (mut next, mut taken) = (range.start, 0u64);
	let mut failed = None;
	'all: for mut bytes in input.0.chunks(piece) {
		while !bytes.is_empty() {
			let wanted = decoder.wanted();
			assert!(wanted <= GROUP_LEN);
			match decoder.push(bytes) {
				Ok(progress) => {
					// The group of an empty shard is whole without a byte.
					assert!(progress.consumed > 0 || progress.group.is_some());
					taken += progress.consumed as u64;
					bytes = &bytes[progress.consumed..];
					if let Some(group) = progress.group {
						assert_eq!(group.index, next);
						next += 1;
						let at = group.offset as usize;
						assert_eq!(group.bytes, &shard[at..at + group.bytes.len()]);
					}
				}
				Err(error) => {
					failed = Some(error);
					break 'all;
				}
			}
		}
	}
	if failed.is_none() {
		let _ = decoder.push(&[]);
	}
	let done = decoder.is_done();
	if done {
		assert_eq!(taken, expected.unwrap());
	}
	match decoder.finish() {
		Ok(()) => assert!(done),
		Err(error) => assert!(!done && failed.is_none_or(|failed| failed == error)),
	}
}

/// Honest slices.
pub fn seeds() -> Vec<Vec<u8>> {
	let mut seeds = Vec::new();
	for (number, (shard, _)) in shards().iter().enumerate() {
		let outboard = Outboard::build(shard);
		let groups = group_count(shard.len() as u64);
		for range in [0..groups, groups - 1..groups] {
			let mut seed = vec![number as u8, 0, range.start as u8, range.end as u8];
			seed.extend_from_slice(&30_000u16.to_le_bytes());
			seed.extend(encode_slice(shard, &outboard, range).unwrap());
			seeds.push(seed);
		}
	}
	seeds
}
