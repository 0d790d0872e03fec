//! Whole objects: put, lose shards, get.
#![allow(clippy::unwrap_used)]

mod common;

use arion_object::*;
use bytes::Bytes;
use common::{bytes, Network};
use hippius_primitives::{coding::SHARD_LEN, TOTAL_SHARDS};
use proptest::prelude::*;

const SUITES: [Suite; 2] = [Suite::Aes256Gcm, Suite::XChaCha20Poly1305];

#[test]
fn objects_at_every_edge_come_back() {
	for suite in SUITES {
		let edges = [
			0,
			1,
			15,
			16,
			640,
			CHUNK_PLAIN - 1,
			CHUNK_PLAIN,
			CHUNK_PLAIN + 1,
			1_000_000,
		];
		for len in edges {
			let mut network = Network::default();
			let source = bytes(len, len as u64);
			let link = network.put(&source, suite, "edge", MAX_ROOT_REFS);
			assert_eq!(
				network.get(&link).unwrap(),
				source,
				"{suite:?}, {len} bytes"
			);
			network.lost = (0..20).collect();
			assert_eq!(
				network.get(&link).unwrap(),
				source,
				"{suite:?}, {len} bytes, 20 lost"
			);
			let manifest = network.manifest(&link).unwrap();
			assert_eq!((manifest.size(), manifest.name()), (len as u64, "edge"));
			assert_eq!((manifest.suite(), manifest.level()), (suite, 0));
		}
	}
}

#[test]
fn objects_of_several_stripes_come_back() {
	for len in [
		STRIPE_PLAIN - 1,
		STRIPE_PLAIN,
		STRIPE_PLAIN + 1,
		2 * STRIPE_PLAIN + 77,
	] {
		let mut network = Network::default();
		let source = bytes(len, 3);
		let link = network.put(&source, Suite::Aes256Gcm, "", MAX_ROOT_REFS);
		let manifest = network.manifest(&link).unwrap();
		assert_eq!(manifest.stripe_count() as usize, len.div_ceil(STRIPE_PLAIN));
		network.lost = (5..25).collect();
		assert!(network.get(&link).unwrap() == source, "{len} bytes");
	}
}

#[test]
fn the_same_bytes_twice_are_sealed_differently() {
	let source = bytes(100_000, 1);
	let mut network = Network::default();
	let a = network.put(&source, Suite::Aes256Gcm, "x", MAX_ROOT_REFS);
	let before: Vec<_> = network.shards.keys().copied().collect();
	let b = network.put(&source, Suite::Aes256Gcm, "x", MAX_ROOT_REFS);
	assert_ne!(a, b);
	// Only all-zero padding shards may be shared.
	let shared = before
		.iter()
		.filter(|id| network.shards[*id].iter().any(|byte| *byte != 0));
	assert_eq!(
		network.shards.len(),
		before.len() * 2 - (before.len() - shared.count())
	);

	// Even under one key.
	let key = ObjectKey::from_bytes([5; 32]);
	let seal = || {
		StripeSealer::new(Suite::Aes256Gcm, &key)
			.unwrap()
			.seal_next(&source, true)
	};
	assert_ne!(seal().unwrap(), seal().unwrap());
}

#[test]
fn twenty_losses_are_survived_and_twenty_one_are_named() {
	let mut network = Network::default();
	let source = bytes(300_000, 9);
	let link = network.put(&source, Suite::Aes256Gcm, "", MAX_ROOT_REFS);
	let manifest = network.manifest(&link).unwrap();
	let reference = &manifest.stripes()[0];
	for first in 0..=10 {
		network.lost = (first..first + 20).collect();
		assert_eq!(network.get(&link).unwrap(), source);
	}
	network.lost = (0..21).collect();
	let error = decode_stripe(reference, &network.fetch(&reference.shards)).unwrap_err();
	let expected = StripeError::NotEnoughShards {
		stripe: reference.id(),
		have: 9,
		need: 10,
		rejected: 0,
	};
	assert_eq!(error, expected);
	assert!(error.to_string().contains("1 are missing"), "{error}");
	let root = network.stripes[&link.id.0];
	let error = decode_root(&root, &network.fetch(&root)).unwrap_err();
	assert!(matches!(
		error,
		StripeError::NotEnoughShards { have: 9, .. }
	));
}

#[test]
fn a_wrong_shard_counts_as_missing() {
	let sealed = bytes(50_000, 4);
	let encoded = encode_stripe(&sealed).unwrap();
	let reference = encoded.reference(7);
	let mut shards: Vec<Option<Vec<u8>>> = encoded
		.shards
		.iter()
		.map(|shard| Some(shard.to_vec()))
		.collect();
	for (slot, shard) in shards.iter_mut().enumerate().take(20) {
		let shard = shard.as_mut().unwrap();
		match slot % 3 {
			0 => shard[slot] ^= 1,
			1 => shard.truncate(slot),
			_ => shard.push(0),
		}
	}
	assert_eq!(decode_stripe(&reference, &shards).unwrap(), sealed);
	assert_eq!(
		decode_root(&encoded.ids, &shards).unwrap()[..50_000],
		sealed
	);
	shards[20].as_mut().unwrap()[0] ^= 0x80;
	let expected = StripeError::NotEnoughShards {
		stripe: encoded.stripe,
		have: 9,
		need: 10,
		rejected: 21,
	};
	assert_eq!(decode_stripe(&reference, &shards), Err(expected));
	assert_eq!(decode_root(&encoded.ids, &shards), Err(expected));
}

#[test]
fn hostile_shards_and_references_get_errors() {
	let encoded = encode_stripe(b"some sealed bytes").unwrap();
	let shards: Vec<Option<&Bytes>> = encoded.shards.iter().map(Some).collect();
	for have in [0, 10, 29, 31, 100] {
		let shards = vec![Some(&encoded.shards[0]); have];
		let expected = StripeError::WrongCount { have };
		assert_eq!(decode_stripe(&encoded.reference(1), &shards), Err(expected));
		assert_eq!(decode_root(&encoded.ids, &shards), Err(expected));
	}
	for len in [0, u32::MAX, 10 * 1024 * 1024 + 1] {
		let reference = StripeRef {
			len,
			..encoded.reference(1)
		};
		assert!(matches!(
			decode_stripe(&reference, &shards),
			Err(StripeError::Codec(_))
		));
	}
	let reference = StripeRef {
		len: 1_000_000,
		..encoded.reference(1)
	};
	let error = decode_stripe(&reference, &shards).unwrap_err();
	assert!(matches!(
		error,
		StripeError::NotEnoughShards {
			have: 0,
			rejected: 30,
			..
		}
	));
	// Authentic shards of lengths no root has.
	for len in [0, 1, 63, 65, SHARD_LEN + 64] {
		let shards = vec![Some(vec![1u8; len]); TOTAL_SHARDS];
		let id = hippius_primitives::id::shard_id(&vec![1u8; len]);
		let error = decode_root(&[id; TOTAL_SHARDS], &shards).unwrap_err();
		assert!(matches!(
			error,
			StripeError::NotEnoughShards {
				have: 0,
				rejected: 30,
				..
			}
		));
	}
	assert!(matches!(encode_stripe(&[]), Err(StripeError::Codec(_))));
	assert_eq!(encoded.meta(30), None);
	assert_eq!(encoded.meta(29), encoded.reference(1).meta(29));
	assert!(encoded.meta(29).unwrap().is_consistent());
}

#[test]
fn a_small_range_of_a_full_stripe_reads_one_shard() {
	let mut network = Network::default();
	let source = bytes(STRIPE_PLAIN + 500_000, 8);
	let link = network.put(&source, Suite::Aes256Gcm, "", MAX_ROOT_REFS);
	let stripe = STRIPE_PLAIN as u64;
	for start in [0, 1, 65_519, 65_520, 5_000_000, stripe - 100] {
		network.shards_read.set(0);
		let end = start + 100;
		let read = network.get_range(&link, start..end).unwrap();
		assert_eq!(read, source[start as usize..end as usize]);
		assert_eq!(network.shards_read.get(), 1, "range from {start}");
	}
	let (start, end) = (stripe - 70_000, stripe + 70_000);
	let expected = &source[start as usize..end as usize];
	assert_eq!(network.get_range(&link, start..end).unwrap(), expected);
	network.lost = vec![0, 3, 9];
	assert_eq!(network.get_range(&link, start..end).unwrap(), expected);
	assert_eq!(network.get_range(&link, end..end).unwrap(), []);
	assert!(network
		.get_range(&link, 0..source.len() as u64 + 1)
		.is_err());
}

#[test]
fn references_that_outgrow_the_root_go_a_level_deeper() {
	let mut network = Network::default();
	let source = bytes(2 * STRIPE_PLAIN + 1234, 6);
	for root_refs in [2, 1, 0] {
		let link = network.put(&source, Suite::Aes256Gcm, "deep", root_refs);
		let manifest = network.manifest(&link).unwrap();
		assert_eq!((manifest.level(), manifest.stripes().len()), (1, 1));
		assert_eq!((manifest.stripe_count(), manifest.name()), (3, "deep"));
		network.lost = (10..30).collect();
		assert!(network.get(&link).unwrap() == source);
		network.lost = (0..20).collect();
		let start = STRIPE_PLAIN as u64 + 5;
		let read = network.get_range(&link, start..start + 10).unwrap();
		assert_eq!(read, source[start as usize..start as usize + 10]);
		network.lost.clear();
	}
	let link = network.put(&source, Suite::Aes256Gcm, "flat", 3);
	assert_eq!(network.manifest(&link).unwrap().level(), 0);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(24))]

	#[test]
	fn any_small_object_and_range_come_back(
		len in 0usize..400_000,
		seed in any::<u64>(),
		second in any::<bool>(),
		lost in proptest::sample::subsequence((0..TOTAL_SHARDS).collect::<Vec<_>>(), 0..=20),
		a in any::<u64>(),
		b in any::<u64>(),
	) {
		let mut network = Network::default();
		let source = bytes(len, seed);
		let link = network.put(&source, SUITES[usize::from(second)], "p", MAX_ROOT_REFS);
		network.lost = lost;
		prop_assert!(network.get(&link).unwrap() == source);
		let (a, b) = (a % (len as u64 + 1), b % (len as u64 + 1));
		let range = a.min(b)..a.max(b);
		let expected = &source[range.start as usize..range.end as usize];
		prop_assert!(network.get_range(&link, range.clone()).unwrap() == expected);
	}
}

#[test]
fn everything_can_cross_threads() {
	fn shared<T: Send + Sync + 'static>() {}
	shared::<StripeSealer>();
	shared::<StripeOpener>();
	shared::<ManifestBuilder>();
	shared::<Manifest>();
	shared::<Link>();
	shared::<EncodedStripe>();
	shared::<PlainStripe>();
	shared::<ShardBuffers>();
}
