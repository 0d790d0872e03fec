//! Sealing, coding and hashing in one pass gives what the three steps give one after the other.
#![allow(clippy::unwrap_used)]

mod common;

use arion_erasure::Codec;
use arion_object::*;
use bytes::Bytes;
use common::bytes;
use hippius_primitives::{
	coding::{shard_len, STRIPE_LEN},
	id::{shard_id, stripe_id},
	TOTAL_SHARDS,
};
use proptest::prelude::*;

const SUITES: [Suite; 2] = [Suite::Aes256Gcm, Suite::XChaCha20Poly1305];

/// Encodes a source and checks every stripe. A sealer's salt is random, so what was sealed is not
/// compared but opened, which is as strict: ciphertext and tag follow from key, place and bytes.
fn check(suite: Suite, source: &[u8], buffers: &ShardBuffers) {
	let key = ObjectKey::from_bytes([9; 32]);
	let mut sealer = StripeSealer::new(suite, &key).unwrap();
	let layout = Layout::new(source.len() as u64).unwrap();
	let kind = StreamKind::Data;
	let opener = StripeOpener::new(suite, &key, kind, &sealer.salt(), layout).unwrap();
	let mut pieces: Vec<&[u8]> = source.chunks(STRIPE_PLAIN).collect();
	if pieces.is_empty() {
		pieces.push(&[]);
	}
	let count = pieces.len();
	for (index, plain) in pieces.into_iter().enumerate() {
		let what = format!("{suite:?}, stripe {index} of {} bytes", source.len());
		let last = index + 1 == count;
		let prepared = sealer.prepare_next(plain.to_vec(), last).unwrap();
		let found = (prepared.index() as usize, prepared.plain_len());
		assert_eq!(found, (index, plain.len()));
		let encoded = prepared.encode(buffers).unwrap();
		let len = layout.sealed_len(index as u32).unwrap();
		assert_eq!(encoded.len as usize, len);

		let data = encoded.shards[..10].concat();
		assert!(data[len..].iter().all(|byte| *byte == 0), "{what}: padding");
		let opened = opener.open_stripe(index as u32, &data[..len]).unwrap();
		assert!(opened == plain, "{what}");
		let shards = Codec::shared().encode_stripe(&data[..len]).unwrap();
		assert_eq!(encoded.shards.len(), TOTAL_SHARDS);
		for (slot, shard) in shards.iter().enumerate() {
			assert!(encoded.shards[slot] == *shard, "{what}: shard {slot}");
			assert_eq!(encoded.ids[slot], shard_id(shard), "{what}: id {slot}");
		}
		assert_eq!(encoded.stripe, stripe_id(&encoded.ids));
		assert_eq!(encode_stripe(&data[..len]).unwrap(), encoded, "{what}");
		assert_eq!(encode_stripe_in(buffers, &data[..len]).unwrap(), encoded);
	}
	assert!(sealer.is_ended());
	assert_eq!(
		(sealer.size(), sealer.stripes() as usize),
		(source.len() as u64, count)
	);
}

#[test]
fn every_edge() {
	let buffers = ShardBuffers::new(TOTAL_SHARDS);
	let mut lengths = vec![0, 1, 15, 16, 47, 48, 49, 623, 624, 625, 1000];
	// A chunk more or less, and shards of a whole number of chunks, columns, or a bit more.
	for chunks in [1, 2, 9, 10, 11, 20] {
		let plain = chunks * CHUNK_PLAIN;
		lengths.extend([plain - 1, plain, plain + 1]);
	}
	for shard in [16 * 1024usize, 64 * 1024, 80 * 1024, 128 * 1024] {
		let plain = 10 * shard - (10 * shard).div_ceil(CHUNK_LEN) * TAG_LEN;
		lengths.extend([plain - 640, plain - 1, plain, plain + 1]);
	}
	for suite in SUITES {
		for len in &lengths {
			check(suite, &bytes(*len, *len as u64), &buffers);
		}
	}
}

#[test]
fn full_stripes() {
	let buffers = ShardBuffers::new(TOTAL_SHARDS);
	let source = bytes(2 * STRIPE_PLAIN + 640_001, 4);
	check(Suite::Aes256Gcm, &source, &buffers);
	check(Suite::Aes256Gcm, &source[..STRIPE_PLAIN], &buffers);
	check(Suite::Aes256Gcm, &source[..STRIPE_PLAIN + 1], &buffers);
	check(Suite::Aes256Gcm, &source[..STRIPE_PLAIN - 1], &buffers);
	check(
		Suite::Aes256Gcm,
		&source[..STRIPE_PLAIN - CHUNK_PLAIN - 1],
		&buffers,
	);
	check(
		Suite::XChaCha20Poly1305,
		&source[..STRIPE_PLAIN + 77],
		&buffers,
	);
	assert_eq!(buffers.idle(), TOTAL_SHARDS);
}

/// What was in the memory before does not show.
#[test]
fn used_memory_does_not_leak_into_shards() {
	let buffers = ShardBuffers::new(TOTAL_SHARDS);
	let sealed = vec![0xFF; STRIPE_LEN];
	for len in [STRIPE_LEN, 700_000, 6_543_210, 655_360, 5_000_001] {
		let encoded = encode_stripe_in(&buffers, &sealed[..len]).unwrap();
		let expected = encode_stripe(&sealed[..len]).unwrap();
		assert_eq!(encoded, expected);
		let shard = shard_len(len).unwrap();
		assert!(encoded.shards.iter().all(|bytes| bytes.len() == shard));
		let data = encoded.shards[..10].concat();
		assert!(data[..len] == sealed[..len] && data[len..].iter().all(|byte| *byte == 0));
	}
}

#[test]
fn shards_stay_as_they_are_while_others_are_made() {
	let buffers = ShardBuffers::new(TOTAL_SHARDS);
	let first = encode_stripe_in(&buffers, &bytes(3_000_000, 1)).unwrap();
	let kept = first.shards[12].clone();
	let id = first.ids[12];
	drop(first);
	for seed in 2..5 {
		drop(encode_stripe_in(&buffers, &bytes(3_000_000, seed)).unwrap());
	}
	assert_eq!(shard_id(&kept), id);
}

#[test]
fn wrong_lengths_are_refused_before_anything_is_sealed() {
	let buffers = ShardBuffers::default();
	let key = ObjectKey::generate().unwrap();
	let mut sealer = StripeSealer::new(Suite::Aes256Gcm, &key).unwrap();
	let long = vec![0; STRIPE_PLAIN + 1];
	let refused = |prepared: Result<PlainStripe, SealError>| prepared.unwrap_err();
	let expected = SealError::TooLong {
		stripe: 0,
		len: STRIPE_PLAIN + 1,
	};
	assert_eq!(refused(sealer.prepare_next(long.clone(), true)), expected);
	let expected = SealError::NotFull { stripe: 0, len: 5 };
	assert_eq!(
		refused(sealer.prepare_next(long[..5].to_vec(), false)),
		expected
	);
	assert_eq!((sealer.stripes(), sealer.size()), (0, 0));

	let first = sealer.prepare_next(long[1..].to_vec(), false).unwrap();
	let expected = SealError::Empty { stripe: 1 };
	assert_eq!(refused(sealer.prepare_next(Bytes::new(), true)), expected);
	let second = sealer.prepare_next(vec![1], true).unwrap();
	let expected = SealError::Ended { stripe: 1 };
	assert_eq!(refused(sealer.prepare_next(vec![1], true)), expected);
	assert_eq!((first.index(), second.index()), (0, 1));

	// In any order, and as the manifest expects them.
	let layout = Layout::new(sealer.size()).unwrap();
	let (kind, salt) = (StreamKind::Data, sealer.salt());
	let opener = StripeOpener::new(Suite::Aes256Gcm, &key, kind, &salt, layout).unwrap();
	let second = second.encode(&buffers).unwrap();
	let opened = opener.open_stripe(1, &second.shards[0][..17]).unwrap();
	assert_eq!(opened, [1]);
	let first = first.encode(&buffers).unwrap();
	let opened = opener.open_stripe(0, &first.shards[..10].concat()).unwrap();
	assert!(opened == long[1..]);

	for len in [0, STRIPE_LEN + 1] {
		let refused = encode_stripe_in(&buffers, &vec![0; len]);
		assert!(matches!(refused, Err(StripeError::Codec(_))), "{len}");
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(40))]

	#[test]
	fn any_length(len in 0usize..1_500_000, second in any::<bool>(), seed in any::<u64>()) {
		let buffers = ShardBuffers::new(TOTAL_SHARDS);
		check(SUITES[usize::from(second)], &bytes(len, seed), &buffers);
	}
}
