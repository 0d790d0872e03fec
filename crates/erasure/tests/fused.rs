//! The fused pass gives the parity and the ids that encoding and hashing apart give.
#![allow(clippy::unwrap_used)]

use arion_erasure::*;
use proptest::prelude::*;

fn bytes(len: usize, seed: u64) -> Vec<u8> {
	let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
	(0..len)
		.map(|_| {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			(state >> 32) as u8
		})
		.collect()
}

fn available() -> impl Iterator<Item = Kernel> {
	Kernel::ALL.into_iter().filter(|k| k.is_available())
}

/// Pushes shards of `len` bytes in columns cut at `cuts` and compares with the plain way.
fn check(kernel: Kernel, len: usize, cuts: &[usize], seed: u64) {
	let codec = Codec::with_kernel(kernel);
	let data: Vec<Vec<u8>> = (0..10).map(|slot| bytes(len, seed + slot)).collect();
	let inputs: [&[u8]; 10] = std::array::from_fn(|slot| &data[slot][..]);
	let mut expected: [Vec<u8>; 20] = std::array::from_fn(|_| vec![0; len]);
	codec
		.encode(&inputs, &mut expected.each_mut().map(Vec::as_mut_slice))
		.unwrap();

	let mut encoder = HashingEncoder::new(&codec);
	let mut parity: [Vec<u8>; 20] = std::array::from_fn(|_| vec![0xAA; len]);
	let mut start = 0;
	for end in cuts.iter().copied().chain([len]) {
		let inputs = inputs.map(|shard| &shard[start..end]);
		let mut outputs = parity.each_mut().map(|shard| &mut shard[start..end]);
		encoder.push(&inputs, &mut outputs).unwrap();
		start = end;
	}
	assert_eq!(encoder.shard_len(), len);
	assert!(
		parity == expected,
		"{kernel:?}, {len} bytes, cut at {cuts:?}"
	);
	let ids = encoder.finish();
	assert_eq!(encoder.shard_len(), 0);
	// Again by the same encoder, with the data copied to places of any alignment.
	let skew = seed as usize % 3 * 21;
	let mut shards: Vec<Vec<u8>> = (0..30).map(|_| vec![0xAA; len + skew + 64]).collect();
	let starts: Vec<usize> = (0..30)
		.map(|slot| shards[slot].as_ptr().align_offset(64) + skew)
		.collect();
	let mut start = 0;
	for end in cuts.iter().copied().chain([len]) {
		let inputs = inputs.map(|shard| &shard[start..end]);
		let mut places = shards.iter_mut().zip(&starts);
		let mut places = std::array::from_fn(|_| {
			let (shard, first) = places.next().unwrap();
			&mut shard[first + start..first + end]
		});
		encoder.push_copy(&inputs, &mut places, &inputs).unwrap();
		start = end;
	}
	for (slot, expected) in data.iter().chain(&expected).enumerate() {
		let (before, shard) = shards[slot].split_at(starts[slot]);
		let (shard, after) = shard.split_at(len);
		assert!(shard == expected, "{kernel:?}, {len} bytes, copy {slot}");
		assert!(before.iter().chain(after).all(|byte| *byte == 0xAA));
	}
	assert_eq!(encoder.finish(), ids);
	for (slot, (id, shard)) in ids.iter().zip(data.iter().chain(&parity)).enumerate() {
		assert_eq!(
			id.0,
			*blake3::hash(shard).as_bytes(),
			"{kernel:?}, {len} bytes, cut at {cuts:?}, slot {slot}"
		);
	}
}

#[test]
fn every_kernel_at_every_edge() {
	let step = COLUMN_ALIGN;
	let mut lengths = vec![
		0,
		1,
		63,
		64,
		65,
		1023,
		1024,
		1025,
		2047,
		2048,
		3072,
		15 * 1024,
	];
	for groups in [1, 2, 3, 4, 7, 8] {
		lengths.extend([groups * step - 1, groups * step, groups * step + 1]);
		lengths.extend([groups * step + 1024, groups * step + 5000]);
	}
	for kernel in available() {
		// The portable kernel is slow and differs in the encoder alone.
		let some = if kernel == Kernel::Portable { 7 } else { 1 };
		for len in lengths.iter().step_by(some) {
			check(kernel, *len, &[], 1);
		}
	}
}

#[test]
fn a_full_shard_in_columns_of_any_size() {
	for groups in [1, 2, 3, 4, 5, 64] {
		let cuts: Vec<usize> = (0..SHARD_LEN)
			.step_by(groups * COLUMN_ALIGN)
			.skip(1)
			.collect();
		check(Kernel::best(), SHARD_LEN, &cuts, 2);
	}
	check(
		Kernel::best(),
		SHARD_LEN - 64,
		&[SHARD_LEN - COLUMN_ALIGN],
		3,
	);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn random_lengths_and_columns(
		len in 0usize..300_000,
		cuts in proptest::collection::vec(0usize..19, 0..4),
		seed in any::<u32>(),
	) {
		let mut cuts: Vec<usize> = cuts
			.into_iter()
			.map(|cut| cut * COLUMN_ALIGN)
			.filter(|cut| *cut <= len)
			.collect();
		cuts.sort_unstable();
		check(Kernel::best(), len, &cuts, u64::from(seed));
	}
}

#[test]
fn hostile_columns_get_errors_and_leave_no_trace() {
	for kernel in available() {
		hostile(&Codec::with_kernel(kernel));
	}
}

fn hostile(codec: &Codec) {
	let data = bytes(SHARD_LEN + 1, 5);
	let mut shards = vec![vec![0xAA; SHARD_LEN + 1]; 30];
	// The outputs in whose first byte something was written.
	let mut push = |encoder: &mut HashingEncoder, lengths: [usize; 30], copy: bool| {
		shards.iter_mut().for_each(|shard| shard[0] = 0xAA);
		let inputs = std::array::from_fn(|slot| &data[..lengths[slot]]);
		let mut outputs = shards.iter_mut().enumerate();
		let mut next = |_| {
			let (slot, shard) = outputs.next().unwrap();
			&mut shard[..lengths[slot]]
		};
		let pushed = if copy {
			encoder.push_copy(&inputs, &mut std::array::from_fn(next), &[&[]; 10])
		} else {
			(0..10).for_each(|slot| {
				let _ = next(slot);
			});
			encoder.push(&inputs, &mut std::array::from_fn(next))
		};
		(pushed, shards.iter().all(|shard| shard[0] == 0xAA))
	};
	let mut encoder = HashingEncoder::new(codec);
	let empty = encoder.finish();
	assert!(empty.iter().all(|id| id.0 == *blake3::hash(&[]).as_bytes()));
	for slot in 0..30 {
		for (expected, len) in [(64, 0), (64, 63), (0, 1), (64, COLUMN_ALIGN)] {
			let mut lengths = [expected; 30];
			lengths[slot] = len;
			for copy in [false, true] {
				let (pushed, untouched) = push(&mut encoder, lengths, copy);
				let Err(FusedError::Codec(CodecError::LengthMismatch { .. })) = pushed else {
					panic!("{pushed:?}");
				};
				assert!(untouched);
			}
		}
	}
	for copy in [false, true] {
		let (len, end) = (SHARD_LEN + 1, 0);
		let expected = Err(FusedError::TooLong { len, end });
		assert_eq!(push(&mut encoder, [len; 30], copy), (expected, true));
	}
	assert_eq!(encoder.shard_len(), 0);
	assert_eq!(encoder.finish(), empty);

	for copy in [false, true] {
		assert_eq!(push(&mut encoder, [0; 30], copy).0, Ok(()));
		assert_eq!(push(&mut encoder, [COLUMN_ALIGN; 30], copy).0, Ok(()));
		let (len, end) = (SHARD_LEN, COLUMN_ALIGN);
		let expected = Err(FusedError::TooLong { len, end });
		assert_eq!(push(&mut encoder, [len; 30], copy), (expected, true));
		assert_eq!(push(&mut encoder, [64; 30], copy).0, Ok(()));
		for len in [0, 1, COLUMN_ALIGN] {
			let end = COLUMN_ALIGN + 64;
			let expected = Err(FusedError::AfterLast { len, end });
			assert_eq!(push(&mut encoder, [len; 30], copy), (expected, true));
		}
		let ids = encoder.finish();
		let whole = [&data[..COLUMN_ALIGN], &data[..64]].concat();
		assert_eq!(ids[3].0, *blake3::hash(&whole).as_bytes());
		// What was begun is left out.
		assert_eq!(push(&mut encoder, [COLUMN_ALIGN + 9; 30], copy).0, Ok(()));
		encoder.reset();
		assert_eq!((encoder.shard_len(), encoder.finish()), (0, empty));
	}
}
