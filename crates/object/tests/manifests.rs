//! Root stripes and manifests: wrong keys, altered bytes, growth to deeper levels.
#![allow(clippy::unwrap_used)]

mod common;

use arion_object::*;
use common::{bytes, Network};
use hippius_primitives::{coding::STRIPE_LEN, ShardId, TOTAL_SHARDS};
use proptest::prelude::*;

const HEADER_LEN: usize = 62;

fn key() -> ObjectKey {
	ObjectKey::from_bytes([0x17; 32])
}

/// A reference to nothing.
fn reference(len: usize) -> StripeRef {
	StripeRef {
		len: len as u32,
		epoch: 1,
		shards: [ShardId([3; 32]); TOTAL_SHARDS],
	}
}

fn builder() -> ManifestBuilder {
	let sealer = StripeSealer::new(Suite::Aes256Gcm, &key()).unwrap();
	ManifestBuilder::new(&sealer, &key(), "name", "text/plain").unwrap()
}

/// Root of an object of ten bytes.
fn root() -> Vec<u8> {
	let mut builder = builder();
	builder.push(reference(26)).unwrap();
	builder.close(10).unwrap();
	assert_eq!(builder.next_index().unwrap(), None);
	builder.seal_root().unwrap()
}

#[test]
fn a_root_comes_back_with_and_without_padding() {
	let root = root();
	let encoded = encode_stripe(&root).unwrap();
	let shards: Vec<_> = encoded.shards.into_iter().map(Some).collect();
	let padded = decode_root(&encoded.ids, &shards).unwrap();
	assert!(padded.len() > root.len());
	for bytes in [&root, &padded] {
		let manifest = read_root(bytes, &key()).unwrap();
		assert_eq!(
			(manifest.size(), manifest.level(), manifest.stripe_count()),
			(10, 0, 1)
		);
		assert_eq!(
			(manifest.name(), manifest.content_type()),
			("name", "text/plain")
		);
		assert_eq!(manifest.stripes(), [reference(26)]);
	}
}

#[test]
fn names_are_not_in_the_clear() {
	let root = root();
	assert!(!root.windows(4).any(|window| window == b"name"));
	assert!(!root.windows(5).any(|window| window == b"text/"));
	assert_ne!(root, self::root());
}

#[test]
fn a_wrong_key_is_told_before_anything_is_decrypted() {
	let mut root = root();
	let wrong = ObjectKey::from_bytes([0x18; 32]);
	assert_eq!(read_root(&root, &wrong), Err(RootError::WrongKey));
	// The sealed part is rubbish, yet what is reported is the key.
	root[HEADER_LEN..].fill(0xFF);
	assert_eq!(read_root(&root, &wrong), Err(RootError::WrongKey));
	assert!(matches!(read_root(&root, &key()), Err(RootError::Open(_))));
}

#[test]
fn any_flipped_bit_of_a_root_is_caught() {
	let encoded = encode_stripe(&root()).unwrap();
	let shards: Vec<_> = encoded.shards.into_iter().map(Some).collect();
	let padded = decode_root(&encoded.ids, &shards).unwrap();
	for bit in 0..padded.len() * 8 {
		let mut altered = padded.clone();
		altered[bit / 8] ^= 1 << (bit % 8);
		let error = read_root(&altered, &key()).unwrap_err();
		let expected = match bit / 8 {
			0..8 => matches!(error, RootError::NotARoot),
			8 => matches!(error, RootError::Version(_)),
			9 => matches!(error, RootError::Suite(_)),
			10..58 => matches!(error, RootError::WrongKey),
			58..62 => matches!(
				error,
				RootError::Length { .. } | RootError::Padding | RootError::Open(_)
			),
			_ => matches!(error, RootError::Padding | RootError::Open(_)),
		};
		assert!(expected, "bit {bit}: {error}");
	}
}

#[test]
fn a_root_of_another_length_is_refused() {
	let root = root();
	for len in 0..root.len() {
		assert!(read_root(&root[..len], &key()).is_err(), "{len}");
	}
	let longer = [&root[..], &[0]].concat();
	assert!(matches!(
		read_root(&longer, &key()),
		Err(RootError::Length { .. })
	));
	for manifest_len in [u32::MAX, STRIPE_LEN as u32, 0] {
		let mut altered = root.clone();
		altered[58..62].copy_from_slice(&manifest_len.to_le_bytes());
		assert!(matches!(
			read_root(&altered, &key()),
			Err(RootError::Length { .. })
		));
	}
}

#[test]
fn builders_refuse_what_does_not_fit() {
	let mut b = builder();
	assert!(matches!(
		b.close(10),
		Err(ManifestError::WrongCount {
			have: 0,
			need: 1,
			..
		})
	));
	b.push(reference(26)).unwrap();
	assert!(matches!(
		b.close(11),
		Err(ManifestError::WrongLength {
			len: 26,
			need: 27,
			..
		})
	));
	assert!(matches!(b.close(u64::MAX), Err(ManifestError::TooLarge(_))));
	let more = STRIPE_PLAIN as u64 + 10;
	assert!(matches!(
		b.close(more),
		Err(ManifestError::WrongCount {
			have: 1,
			need: 2,
			..
		})
	));
	// Only the last stripe may be short.
	let error = b.push(reference(26)).unwrap_err();
	assert!(matches!(
		error,
		ManifestError::WrongLength {
			stripe: 0,
			need: STRIPE_LEN,
			..
		}
	));
	assert!(matches!(
		b.push_index(1, reference(1)),
		Err(ManifestError::OutOfOrder(_))
	));
	b.close(10).unwrap();
	assert!(matches!(b.close(10), Err(ManifestError::OutOfOrder(_))));
	assert!(matches!(
		b.push(reference(26)),
		Err(ManifestError::OutOfOrder(_))
	));
	assert!(b.seal_root().is_ok());
	assert!(matches!(
		builder().seal_root(),
		Err(ManifestError::OutOfOrder(_))
	));

	let sealer = StripeSealer::new(Suite::Aes256Gcm, &key()).unwrap();
	let long = "n".repeat(MAX_NAME + 1);
	let error = ManifestBuilder::new(&sealer, &key(), &long, "").err();
	assert!(matches!(
		error,
		Some(ManifestError::TooLong {
			field: "name",
			len: 1025,
			max: 1024
		})
	));
	let error = ManifestBuilder::new(&sealer, &key(), "", &long).err();
	assert!(matches!(
		error,
		Some(ManifestError::TooLong {
			field: "content type",
			..
		})
	));
	let (name, kind) = ("é".repeat(MAX_NAME / 2), "c".repeat(MAX_CONTENT_TYPE));
	assert!(ManifestBuilder::new(&sealer, &key(), &name, &kind).is_ok());
}

#[test]
fn index_stripes_must_come_back_in_order() {
	let mut b = builder().with_root_refs(1);
	b.push(reference(STRIPE_LEN)).unwrap();
	b.push(reference(26)).unwrap();
	assert_eq!(b.next_index().unwrap(), None);
	b.close(STRIPE_PLAIN as u64 + 10).unwrap();
	let index = b.next_index().unwrap().unwrap();
	assert_eq!((index.level, index.sealed.index), (1, 0));
	assert_eq!(
		index.sealed.bytes.len(),
		2 * StripeRef::ENCODED_LEN + TAG_LEN
	);
	assert!(matches!(b.next_index(), Err(ManifestError::OutOfOrder(_))));
	assert!(matches!(
		b.push_index(2, reference(9)),
		Err(ManifestError::OutOfOrder(_))
	));
	assert!(matches!(
		b.push_index(1, reference(9)),
		Err(ManifestError::WrongLength { .. })
	));
	b.push_index(1, reference(index.sealed.bytes.len()))
		.unwrap();
	assert_eq!(b.next_index().unwrap(), None);
	let manifest = read_root(&b.seal_root().unwrap(), &key()).unwrap();
	assert_eq!((manifest.level(), manifest.stripe_count()), (1, 2));
	assert_eq!(manifest.stripes().len(), 1);

	let mut b = builder().with_root_refs(1);
	b.push(reference(STRIPE_LEN)).unwrap();
	b.push(reference(26)).unwrap();
	b.close(STRIPE_PLAIN as u64 + 10).unwrap();
	assert!(matches!(b.seal_root(), Err(ManifestError::OutOfOrder(_))));
}

/// So many stripes that one stripe of references does not hold them: 126 GB and more. Only the
/// references are real.
#[test]
fn large_objects_take_one_level_and_tiny_roots_two() {
	let count = 12_000u32;
	let size = u64::from(count - 1) * STRIPE_PLAIN as u64 + 10;
	for (root_refs, level) in [(MAX_ROOT_REFS, 1), (1, 2)] {
		let mut network = Network::default();
		let mut b = builder().with_root_refs(root_refs);
		let mut stored_early = 0;
		for stripe in 0..count {
			let len = if stripe == count - 1 { 26 } else { STRIPE_LEN };
			b.push(StripeRef {
				epoch: stripe,
				..reference(len)
			})
			.unwrap();
			let before = network.stripes.len();
			network.store_index(&mut b);
			stored_early += network.stripes.len() - before;
		}
		assert_eq!(stored_early, 1, "references leave memory before the end");
		b.close(size).unwrap();
		network.store_index(&mut b);
		let root = network.store(&b.seal_root().unwrap());
		let link = Link {
			id: ObjectId(root.stripe),
			key: key(),
		};
		network.lost = (0..20).collect();
		let manifest = network.manifest(&link).unwrap();
		assert_eq!((manifest.level(), manifest.stripe_count()), (level, count));
		// References that straddle two index stripes are among these.
		for first in [0, 10_828, 10_829, 11_998] {
			let range = Manifest::refs_range(first..first + 2);
			let bytes = network.read(&manifest, &key(), 1, range).unwrap();
			let refs = manifest.parse_refs(0, first, &bytes).unwrap();
			assert_eq!(
				refs.iter().map(|r| r.epoch).collect::<Vec<_>>(),
				[first, first + 1]
			);
			assert!(manifest.parse_refs(0, first, &bytes[1..]).is_err());
		}
	}
}

#[test]
fn references_of_wrong_length_are_refused() {
	let manifest = read_root(&root(), &key()).unwrap();
	let encode = |len| codec::Encode::encode(&reference(len));
	assert_eq!(
		manifest.parse_refs(0, 0, &encode(26)).unwrap(),
		[reference(26)]
	);
	for len in [0, 25, 27, STRIPE_LEN] {
		let error = manifest.parse_refs(0, 0, &encode(len)).unwrap_err();
		assert!(matches!(
			error,
			ManifestError::WrongLength {
				level: 0,
				stripe: 0,
				need: 26,
				..
			}
		));
	}
	assert!(manifest.parse_refs(0, 1, &encode(26)).is_err());
	assert!(manifest
		.parse_refs(0, u32::MAX, &[encode(26), encode(26)].concat())
		.is_err());
	for level in [1, 2, 255] {
		let expected = ManifestError::NoSuchLevel { level, highest: 0 };
		assert_eq!(manifest.parse_refs(level, 0, &[]), Err(expected.clone()));
		assert_eq!(manifest.layout(level), Err(expected.clone()));
		assert_eq!(manifest.opener(&key(), level).err(), Some(expected));
	}
}

proptest! {
	#[test]
	fn no_root_panics(
		mut body in proptest::collection::vec(any::<u8>(), 0..300),
		valid_prefix in 0usize..62,
	) {
		let _ = read_root(&body, &key());
		let root = root();
		let len = body.len().min(valid_prefix);
		body[..len].copy_from_slice(&root[..len]);
		prop_assert!(read_root(&body, &key()).is_err());
	}
}

#[test]
fn sources_are_deterministic() {
	assert_eq!(bytes(9, 1), bytes(9, 1));
}
