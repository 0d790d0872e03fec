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
	assert_eq!(encoder.shard_len(), len as u64);
	assert!(
		parity == expected,
		"{kernel:?}, {len} bytes, cut at {cuts:?}"
	);
	let ids = encoder.finish();
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
	check(Kernel::best(), SHARD_LEN + 77, &[SHARD_LEN], 2);
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
	let data = bytes(2 * COLUMN_ALIGN, 5);
	let mut parity = vec![vec![0xAA; COLUMN_ALIGN + 64]; 20];
	let mut push = |encoder: &mut HashingEncoder, lengths: [usize; 30]| {
		let inputs = std::array::from_fn(|slot| &data[..lengths[slot]]);
		let mut outputs = parity.iter_mut().zip(&lengths[10..]);
		let mut outputs = std::array::from_fn(|_| {
			let (shard, len) = outputs.next().unwrap();
			&mut shard[..*len]
		});
		let pushed = encoder.push(&inputs, &mut outputs);
		(pushed, parity.iter().all(|shard| shard[0] == 0xAA))
	};
	let mut encoder = HashingEncoder::new(Codec::shared());
	let empty = encoder.clone().finish();
	for slot in 0..30 {
		for (expected, len) in [(64, 0), (64, 63), (0, 1), (64, COLUMN_ALIGN)] {
			let mut lengths = [expected; 30];
			lengths[slot] = len;
			let (pushed, untouched) = push(&mut encoder, lengths);
			let Err(FusedError::Codec(CodecError::LengthMismatch { .. })) = pushed else {
				panic!("{pushed:?}");
			};
			assert!(untouched);
		}
	}
	assert_eq!((encoder.shard_len(), encoder.clone().finish()), (0, empty));
	assert_eq!(push(&mut encoder, [0; 30]).0, Ok(()));
	assert_eq!(push(&mut encoder, [COLUMN_ALIGN; 30]).0, Ok(()));
	assert_eq!(push(&mut encoder, [64; 30]).0, Ok(()));
	let before = encoder.clone().finish();
	for len in [0, 1, COLUMN_ALIGN] {
		let end = COLUMN_ALIGN as u64 + 64;
		let expected = Err(FusedError::AfterLast { len, end });
		assert_eq!(push(&mut encoder, [len; 30]).0, expected);
	}
	assert_eq!(encoder.finish(), before);
}
