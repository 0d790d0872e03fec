//! Wrong calls get typed errors and touch nothing.
#![allow(clippy::unwrap_used)]

use arion_erasure::{
	Codec, CodecError, ShardSet, StripeCodec, DATA_SHARDS, PARITY_SHARDS, STRIPE_LEN, TOTAL_SHARDS,
};

fn stripe() -> Vec<Option<Vec<u8>>> {
	let data: Vec<u8> = (0..2000u32).map(|i| (i * 7) as u8).collect();
	Codec::shared()
		.encode_stripe(&data)
		.unwrap()
		.into_iter()
		.map(Some)
		.collect()
}

#[test]
fn too_few_shards() {
	let codec = Codec::shared();
	for have in 0..DATA_SHARDS {
		let mut shards = stripe();
		shards[have..].fill(None);
		let expected = CodecError::NotEnoughShards {
			have,
			need: DATA_SHARDS,
		};
		assert_eq!(codec.reconstruct_data(&shards, 2000), Err(expected));
		assert_eq!(codec.reconstruct_shard(29, &shards), Err(expected));
		let present = ShardSet::from_slots(0..have).unwrap();
		assert_eq!(codec.plan(present, ShardSet::DATA).unwrap_err(), expected);
	}
	assert_eq!(
		CodecError::NotEnoughShards { have: 9, need: 10 }.to_string(),
		"9 shards are present and 10 are needed: fetch 1 more"
	);
}

#[test]
fn lengths_that_differ() {
	let codec = Codec::shared();
	let data: [&[u8]; DATA_SHARDS] =
		std::array::from_fn(|i| if i == 4 { &[1, 2][..] } else { &[1, 2, 3][..] });
	let mut parity = [[7u8; 3]; PARITY_SHARDS];
	let encoded = codec.encode(&data, &mut parity.each_mut().map(|p| &mut p[..]));
	assert_eq!(
		encoded,
		Err(CodecError::LengthMismatch {
			index: 4,
			len: 2,
			expected: 3
		})
	);
	assert_eq!(parity, [[7; 3]; PARITY_SHARDS]);

	let data = [&[1u8, 2, 3, 4][..]; DATA_SHARDS];
	let encoded = codec.encode(&data, &mut parity.each_mut().map(|p| &mut p[..]));
	assert_eq!(
		encoded,
		Err(CodecError::LengthMismatch {
			index: 10,
			len: 3,
			expected: 4
		})
	);

	let mut shards = stripe();
	shards[12].as_mut().unwrap().pop();
	let len = shards[0].as_ref().unwrap().len();
	let expected = CodecError::LengthMismatch {
		index: 12,
		len: len - 1,
		expected: len,
	};
	assert_eq!(codec.reconstruct_data(&shards, 2000), Err(expected));
	assert_eq!(codec.reconstruct_shard(0, &shards), Err(expected));
}

#[test]
fn a_length_that_does_not_fit_the_shards() {
	let codec = Codec::shared();
	let expected = CodecError::LengthMismatch {
		index: 0,
		len: 256,
		expected: 64,
	};
	assert_eq!(codec.reconstruct_data(&stripe(), 10), Err(expected));
	for len in [0, STRIPE_LEN + 1, usize::MAX] {
		let expected = CodecError::StripeLength { len };
		assert_eq!(codec.reconstruct_data(&stripe(), len), Err(expected));
	}
	assert_eq!(
		codec.encode_stripe(&[]),
		Err(CodecError::StripeLength { len: 0 })
	);
	let long = vec![0; STRIPE_LEN + 1];
	assert_eq!(
		codec.encode_stripe(&long),
		Err(CodecError::StripeLength {
			len: STRIPE_LEN + 1
		})
	);
}

#[test]
fn wrong_counts_and_slots() {
	let codec = Codec::shared();
	for have in [0, 10, 29, 31] {
		let shards = vec![Some(vec![0u8; 64]); have];
		let expected = CodecError::CountMismatch {
			have,
			need: TOTAL_SHARDS,
		};
		assert_eq!(codec.reconstruct_data(&shards, 10), Err(expected));
		assert_eq!(codec.reconstruct_shard(0, &shards), Err(expected));
	}
	for slot in [30, 31, 32, 64, usize::MAX] {
		let expected = CodecError::BadSlot { slot };
		assert_eq!(codec.reconstruct_shard(slot, &stripe()), Err(expected));
		assert_eq!(ShardSet::from_slots([0, slot]), Err(expected));
		assert!(!ShardSet::ALL.contains(slot));
	}
	let plan = codec.plan(ShardSet::ALL, ShardSet::DATA).unwrap();
	let mut output = [0u8; 4];
	assert_eq!(
		codec.recover(&plan, &[&[0; 4]; DATA_SHARDS], &mut [&mut output[..]]),
		Err(CodecError::CountMismatch { have: 1, need: 10 })
	);
}

#[test]
fn empty_columns_are_no_error() {
	let mut parity: [[u8; 0]; PARITY_SHARDS] = [[]; PARITY_SHARDS];
	let parity = &mut parity.each_mut().map(|p| &mut p[..]);
	assert_eq!(Codec::new().encode(&[&[]; DATA_SHARDS], parity), Ok(()));
}
